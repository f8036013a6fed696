"""packaging/release/signing.py: what is published is signed, and never by the test key."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from release import signing

from bakend.upgrade import keys
from bakend.upgrade.ed25519 import is_signed

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl signs")

ROOT: Final = Path(__file__).resolve().parents[2]
WORKFLOW: Final = ROOT / ".github" / "workflows" / "release.yml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a list of checksums."""
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  bakend-v1.2.3-linux-x64.tar.gz\n")
    return tmp_path


def key_in(file: Path) -> Path:
    """Make a key."""
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", file], check=True)
    return file


def clone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the module look at copies of the files with the keys; return their root."""
    for file in ("scripts/install.sh", "scripts/release-key", "src/bakend/upgrade/keys.py"):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)
    monkeypatch.setattr(signing, "KEYS", folder / "src/bakend/upgrade/keys.py")
    monkeypatch.setattr(signing, "INSTALLER", folder / "scripts/install.sh")
    return folder


def test_the_executable_and_the_installer_trust_the_same_key() -> None:
    """There is one key, written twice because a script that is piped into a shell can read nothing."""
    assert signing.trusted_keys() == (keys.RELEASE_KEY, keys.TEST_KEY)


def test_the_test_key_is_the_one_that_everybody_has() -> None:
    """What is called test key is the public half of the file in the sources."""
    assert signing.public_key(signing.TEST_KEY_FILE) == keys.TEST_KEY


def test_what_is_signed_is_the_list(folder: Path) -> None:
    """64 bytes, which the executable finds right."""
    made = signing.sign(folder, {})

    assert made == folder / "SHA256SUMS.sig"
    signature = made.read_bytes()
    assert len(signature) == 64
    text = (folder / "SHA256SUMS").read_bytes()
    assert is_signed(base64.b64decode(keys.RELEASE_KEY), text, signature)


def test_a_key_that_nobody_trusts_signs_nothing(folder: Path, tmp_path: Path) -> None:
    """A release that every installation would refuse is not made; an old signature does not stay."""
    (folder / "SHA256SUMS.sig").write_bytes(b"old")

    with pytest.raises(signing.SigningError, match="scripts/release-key"):
        signing.sign(folder, {signing.VARIABLE: str(key_in(tmp_path / "key"))})
    assert not (folder / "SHA256SUMS.sig").exists()


def test_a_new_key_comes_into_the_sources(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """scripts/release-key makes both places trust it; then it signs, it alone, and may publish."""
    root = clone(tmp_path / "clone", monkeypatch)
    key = key_in(tmp_path / "key")
    with pytest.raises(signing.SigningError, match="test key"):
        signing.check()

    subprocess.run([root / "scripts/release-key", key], check=True, capture_output=True)

    assert signing.trusted_keys() == (signing.public_key(key), keys.TEST_KEY)
    signing.check()
    assert signing.sign(folder, {}) is None, (
        "no key is given, and the test key is not trusted any more"
    )
    assert signing.sign(folder, {signing.VARIABLE: str(key)}) is not None
    assert (root / "scripts/install.sh").stat().st_mode & 0o111


def test_another_kind_of_key_is_refused(folder: Path, tmp_path: Path) -> None:
    """And so is a file that holds none; the file is named."""
    rsa = tmp_path / "rsa"
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "rsa", "-out", rsa], check=True, capture_output=True
    )
    with pytest.raises(signing.SigningError, match="rsa is no Ed25519 key"):
        signing.sign(folder, {signing.VARIABLE: str(rsa)})
    with pytest.raises(signing.SigningError, match="openssl pkey failed"):
        signing.sign(folder, {signing.VARIABLE: str(tmp_path / "nothing")})


def test_keys_that_differ_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit of one of the two places does not go unnoticed."""
    root = clone(tmp_path, monkeypatch)
    file = root / "scripts/install.sh"
    file.write_text(
        file.read_text().replace(f"release_key='{keys.RELEASE_KEY}'", "release_key='other'")
    )

    with pytest.raises(signing.SigningError, match="same release_key"):
        signing.trusted_keys()


def test_nothing_is_published_with_the_test_key() -> None:
    """The workflow asks before it builds and before it signs; the command says no as long as it is so."""
    text = WORKFLOW.read_text()
    command = "python3 packaging/release/signing.py check"
    (before_linux, publish) = text.partition("\n  linux:\n")[0], text.partition("\n  publish:\n")[2]
    assert f"run: {command}\n" in before_linux
    for job in ("linux", "mac"):
        assert re.search(rf"^  {job}:\n    needs: key$", text, re.MULTILINE), job
    assert publish.index(command) < publish.index("signing.py sign") < publish.index("gh release")

    done = subprocess.run(command.split(), cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode == 1) == keys.IS_TEST
