"""Run by a freshly linked interpreter: prints, as one line of JSON, what gates.py judges."""

from __future__ import annotations

import bz2
import ctypes
import decimal
import hashlib
import json
import lzma
import multiprocessing.synchronize
import sqlite3
import ssl
import sys
import xml.etree.ElementTree as ElementTree
import zlib


def sqlite_features() -> dict[str, object]:
    """Use every part of SQLite that an application may ask for."""
    connection = sqlite3.connect(":memory:")

    def ask(sql: str) -> object:
        return connection.execute(sql).fetchone()[0]

    connection.execute("CREATE VIRTUAL TABLE words USING fts5(body)")
    connection.execute("INSERT INTO words VALUES ('one two')")
    connection.execute("CREATE VIRTUAL TABLE boxes USING rtree(id, low, high)")
    connection.execute("INSERT INTO boxes VALUES (1, 0, 2)")
    found: dict[str, object] = {
        "fts5": ask("SELECT count(*) FROM words WHERE words MATCH 'two'"),
        "json": ask("""SELECT '{"a": [1, 2]}' ->> '$.a[1]' || ''"""),
        "rtree": ask("SELECT count(*) FROM boxes WHERE low < 1"),
        "math": ask("SELECT sqrt(9)"),
        "threadsafe": ask("SELECT sqlite_compileoption_used('THREADSAFE=1')"),
    }
    connection.close()
    return found


def sorted_by_c() -> list[int]:
    """Let C call back into Python, which needs libffi's closures."""
    number = ctypes.POINTER(ctypes.c_int)
    compare = ctypes.CFUNCTYPE(ctypes.c_int, number, number)(lambda a, b: a[0] - b[0])
    values = (ctypes.c_int * 3)(3, 1, 2)
    ctypes.CDLL(None).qsort(values, 3, ctypes.sizeof(ctypes.c_int), compare)
    return list(values)


def hashes() -> dict[str, str]:
    """Hash the texts of the standards."""
    found = {
        name: hashlib.new(name, b"abc").hexdigest()
        for name in ("md5", "sha1", "sha256", "sha512", "sha3_256", "blake2s")
    }
    found["scrypt"] = hashlib.scrypt(b"password", salt=b"NaCl", n=1024, r=8, p=16, dklen=64).hex()
    found["pbkdf2"] = hashlib.pbkdf2_hmac("sha256", b"passwd", b"salt", 1, 64).hex()
    return found


def round_trips() -> list[str]:
    """Return the names of the compressions that give back what they were given."""
    text = b"the same again, " * 1000
    return sorted(
        module.__name__
        for module in (bz2, lzma, zlib)
        if module.decompress(module.compress(text)) == text
    )


def main() -> None:
    """Print everything."""
    answers = {
        "hash_algorithm": sys.hash_info.algorithm,
        # Importing it fails without them. One is not made: that would ask this machine for /dev/shm.
        "semaphores": hasattr(multiprocessing.synchronize, "SemLock"),
        "sqlite": sqlite_features(),
        "tls": ssl.HAS_TLSv1_3 and bool(ssl.create_default_context().get_ciphers()),
        "callback": sorted_by_c(),
        "hashes": hashes(),
        "round_trips": round_trips(),
        "decimal": "libmpdec" if hasattr(decimal, "__libmpdec_version__") else "python",
        "xml": ElementTree.fromstring("<a>b</a>").text,  # noqa: S314 - our own text
        "versions": {
            "python": ".".join(map(str, sys.version_info[:3])),
            "openssl": ssl.OPENSSL_VERSION,
            "sqlite": sqlite3.sqlite_version,
            "zlib": zlib.ZLIB_RUNTIME_VERSION,
        },
    }
    sys.stdout.write(json.dumps(answers) + "\n")


if __name__ == "__main__":
    main()
