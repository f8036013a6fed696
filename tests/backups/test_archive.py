"""The bytes of an archive: what is written reads back, and every changed byte is noticed."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakend.backups.archive import PIECE, Reader, Writer
from bakend.errors import BackupError

LONG = "functions/" + "/".join(["a" * 60] * 5) + "/é.py"


def packed(members: dict[str, bytes]) -> bytes:
    """Return an archive of these members."""
    target = io.BytesIO()
    writer = Writer(target)
    for name, content in members.items():
        sha256 = writer.add(name, len(content), 1_800_000_000.5, io.BytesIO(content))
        assert sha256 == hashlib.sha256(content).hexdigest()
    writer.close()
    return target.getvalue()


def unpacked(archive: bytes) -> dict[str, bytes]:
    """Read an archive to its end, seal included."""
    reader = Reader(io.BytesIO(archive), len(archive))
    found = {entry.name: b"".join(iter(entry.read, b"")) for entry in reader.entries()}
    reader.require_seal()
    reader.close()
    return found


@given(st.dictionaries(st.text("abc/é", min_size=1, max_size=150), st.binary(max_size=2_000)))
def test_what_is_written_reads_back(members: dict[str, bytes]) -> None:
    """Any names, any contents."""
    assert unpacked(packed(members)) == members


def test_members_of_every_size_read_back() -> None:
    """Around a block and a piece, dense and not, and with a name that needs a head of its own."""
    sizes = (0, 1, 511, 512, 513, PIECE - 1, PIECE, PIECE + 1)
    dense = random.Random(1)
    members = {f"plain-{size}": bytes(size) for size in sizes}
    members |= {f"dense-{size}": dense.randbytes(size) for size in sizes}
    members[LONG] = b"x"

    assert unpacked(packed(members)) == members


def test_what_is_dense_is_stored() -> None:
    """It gets no larger, and what is not dense gets smaller."""
    noise = random.Random(1).randbytes(300_000)

    assert len(packed({"noise": noise})) < len(noise) + 2_000
    assert len(packed({"zeros": bytes(300_000)})) < 10_000


def test_every_tar_unpacks_it(tmp_path: Path) -> None:
    """Python's, and the system's with its gzip."""
    noise = random.Random(1).randbytes(100_000)
    members = {"a.txt": b"a" * 100_000, "noise": noise, LONG: b"x"}
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(packed(members))

    with tarfile.open(archive) as opened:
        names = opened.getnames()
        opened.extractall(tmp_path / "python", filter="data")
    (tmp_path / "system").mkdir()
    subprocess.run(["tar", "-xzf", archive, "-C", tmp_path / "system"], check=True)

    assert names == list(members)
    for folder in ("python", "system"):
        assert {name: (tmp_path / folder / name).read_bytes() for name in members} == members


def test_any_changed_byte_is_noticed() -> None:
    """Wherever it is: in a member, in a head, in what gzip itself does not check, in the seal."""
    archive = packed({"a.txt": b"hello" * 50, "noise": random.Random(1).randbytes(200)})
    for place in range(len(archive)):
        for change in (1, 0x80):
            changed = bytearray(archive)
            changed[place] ^= change
            with pytest.raises(BackupError):
                unpacked(bytes(changed))


def test_any_cut_is_noticed() -> None:
    """Also one that leaves whole streams, and bytes that are too many."""
    archive = packed({"a.txt": b"hello" * 50})
    for length in range(len(archive)):
        with pytest.raises(BackupError):
            unpacked(archive[:length])
    for more in (b"\0", b"x", archive):
        with pytest.raises(BackupError):
            unpacked(archive + more)


def tarred(*heads: tarfile.TarInfo, more: bytes = b"") -> bytes:
    """Return an archive with any heads, each followed by zeros of its size, up to 1 KiB."""
    blocks = b"".join(
        head.tobuf(tarfile.GNU_FORMAT) + bytes(min(head.size, 1024)) for head in heads
    )
    return gzip.compress(blocks + more + bytes(1024))


def head(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.size = kind, size
    return made


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.FIFOTYPE,
        tarfile.GNUTYPE_SPARSE,
        b"?",
    ],
)
def test_only_plain_files_and_folders_are_taken(kind: bytes) -> None:
    """Links, devices and whatever else tar knows are refused."""
    with pytest.raises(BackupError, match="link or a device"):
        unpacked(tarred(head("x", kind)))


def test_notes_of_other_tars_are_passed_over_unless_they_rename() -> None:
    """Exact times are of no use here; a name or a size in a note is nothing that we would check."""
    plain = head("x").tobuf(tarfile.GNU_FORMAT)
    for kind in (tarfile.XHDTYPE, tarfile.XGLTYPE):
        note = noted(kind, b"30 mtime=1800000000.123456789\n")
        reader = Reader(io.BytesIO(gzip.compress(note + plain + bytes(1024))), 0)
        assert [entry.name for entry in reader.entries()] == ["x"]
        reader.close()
        for content in (b"20 path=../../evil\n", b"12 size=999\n"):
            with pytest.raises(BackupError, match="names or sizes"):
                unpacked(gzip.compress(noted(kind, content) + plain + bytes(1024)))


def noted(kind: bytes, content: bytes) -> bytes:
    """Return a note in front of a member."""
    return head("note", kind, len(content)).tobuf(tarfile.GNU_FORMAT) + content.ljust(512, b"\0")


def test_a_bomb_costs_nothing() -> None:
    """A head that promises more than there is, a name without end, and zeros without end."""
    with pytest.raises(BackupError, match="damaged"):
        unpacked(tarred(head("x", size=1 << 60)))
    with pytest.raises(BackupError, match="too long"):
        unpacked(tarred(head("x", tarfile.GNUTYPE_LONGNAME, size=1 << 40)))
    with pytest.raises(BackupError, match="damaged"):
        unpacked(tarred(more=bytes(2048 + 3 * 1024 * 1024)))


def test_a_member_that_is_shorter_than_its_size_is_told() -> None:
    """Nothing is padded in silence."""
    with pytest.raises(EOFError):
        Writer(io.BytesIO()).add("x", 10, 0, io.BytesIO(b"short"))


def test_noise_is_no_archive() -> None:
    """Whatever the file is."""
    for content in (b"", b"x", os.urandom(1_000), gzip.compress(os.urandom(5_000))):
        with pytest.raises(BackupError):
            unpacked(content)
