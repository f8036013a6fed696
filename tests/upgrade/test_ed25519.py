"""Signatures: the vectors of RFC 8032, and everything that is not quite one."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakend.upgrade import keys
from bakend.upgrade.ed25519 import is_signed

# RFC 8032, 7.1: key, text, signature.
VECTORS: Final = {
    "1": (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    "2": (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    "3": (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    "SHA(abc)": (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
        "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
}
ORDER: Final = 2**252 + 27742317777372353535851937790883648493

KEY, TEXT, SIGNATURE = (bytes.fromhex(part) for part in VECTORS["3"])


@pytest.mark.parametrize("name", VECTORS)
def test_the_vectors_of_the_rfc(name: str) -> None:
    """Each is right, and wrong with one more byte of text."""
    key, text, signature = (bytes.fromhex(part) for part in VECTORS[name])

    assert is_signed(key, text, signature)
    assert not is_signed(key, text + b"\0", signature)


@given(at=st.integers(0, 63), bit=st.integers(0, 7))
def test_one_bit_of_the_signature(at: int, bit: int) -> None:
    """No other signature is right."""
    changed = bytearray(SIGNATURE)
    changed[at] ^= 1 << bit

    assert not is_signed(KEY, TEXT, bytes(changed))


@given(key=st.binary(max_size=40), text=st.binary(), signature=st.binary(max_size=70))
def test_anything_at_all_is_answered(key: bytes, text: bytes, signature: bytes) -> None:
    """Whatever comes is wrong, and no error."""
    assert not is_signed(key, text, signature)
    assert not is_signed(KEY, text, signature.ljust(64, b"\0")[:64])


def test_a_scalar_has_one_form() -> None:
    """Adding the order of the group to it gives an equal equation, which must not count."""
    scalar = int.from_bytes(SIGNATURE[32:], "little") + ORDER

    assert not is_signed(KEY, TEXT, SIGNATURE[:32] + scalar.to_bytes(32, "little"))


@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_what_openssl_signs_is_right(tmp_path: Path, size: int) -> None:
    """The two agree, also with the test key, which the sources know."""
    text = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    file, signature = tmp_path / "text", tmp_path / "sig"
    file.write_bytes(text)
    key = Path(__file__).resolve().parents[2] / "packaging" / "release" / "test-key.pem"
    words: list[str | Path] = ["-sign", "-rawin", "-inkey", key, "-in", file, "-out", signature]
    done = subprocess.run(["openssl", "pkeyutl", *words], capture_output=True)
    if done.returncode != 0 and size == 0:
        pytest.skip("this openssl signs no empty file")
    assert done.returncode == 0

    assert is_signed(base64.b64decode(keys.TEST_KEY), text, signature.read_bytes())
