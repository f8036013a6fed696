"""scripts/install.sh: verify or stop, replace at once, and say what to do. Small releases, real shells."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pytest
from releases import program, publish, served, sum_up

ROOT: Final = Path(__file__).resolve().parents[2]
SCRIPT: Final = ROOT / "scripts" / "install.sh"
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

pytestmark = [
    pytest.mark.skipif(os.uname().sysname != "Linux", reason="it installs on Linux only"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="releases are signed with openssl"),
]

SHELLS: Final = ("dash", "bash", "busybox", "zsh", "mksh")


def shell_words(shell: str) -> list[str]:
    """Return how a shell is started."""
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"no {shell} here")
    return [found, "sh"] if shell == "busybox" else [found]


class Place:
    """A host as the script sees it: a folder to install to, a release, and programs that may be others."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self.release = folder / "release"
        self.directory = folder / "bin"
        self.bak = self.directory / "bak"
        self.temporary = folder / "tmp"
        self.programs = folder / "programs"
        for each in (self.directory, self.temporary, self.programs):
            each.mkdir()

    def pretend(self, name: str, script: str) -> None:
        """Put a program in front of the system's."""
        file = self.programs / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    def only(self, *names: str) -> None:
        """Leave a PATH with these programs of the system and nothing else."""
        for name in names:
            found = shutil.which(name)
            assert found, name
            (self.programs / name).symlink_to(found)

    def run(
        self,
        *options: str,
        shell: str = "dash",
        environ: Mapping[str, str] = NOTHING,
        path: str = os.defpath,
        script: bytes | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run it as people do: through a pipe."""
        words = [*shell_words(shell), "-s", "--", "--dir", str(self.directory), *options]
        done = subprocess.run(
            words,
            input=SCRIPT.read_bytes() if script is None else script,
            capture_output=True,
            env={
                "PATH": f"{self.programs}:{path}" if path else str(self.programs),
                "HOME": str(self.directory.parent),
                "TMPDIR": str(self.temporary),
                "BAKEND_INSTALL_URL": self.url,
                **environ,
            },
        )
        assert list(self.temporary.iterdir()) == [], "it left something behind"
        assert list(self.directory.glob(".*")) == [], "it left something behind"
        return subprocess.CompletedProcess(
            words, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    def refused(self, code: int, *options: str, **rest: str | Mapping[str, str]) -> str:
        """Run it, expect that it stops and has changed nothing; return what it said."""
        before = sorted(self.directory.rglob("*")), self.bak.exists() and self.bak.read_bytes()
        done = self.run(*options, **rest)  # type: ignore[arg-type]
        after = sorted(self.directory.rglob("*")), self.bak.exists() and self.bak.read_bytes()
        assert (done.returncode, before) == (code, after), done.stderr
        assert done.stderr.startswith("bakend: "), done.stderr
        return done.stderr


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Return a host, and a release 1.2.3 on a web server."""
    (tmp_path / "release").mkdir()
    publish(tmp_path / "release", "1.2.3")
    with served(tmp_path / "release") as url:
        found = Place(tmp_path, url)
        found.pretend("uname", "case $1 in -s) echo Linux ;; -m) echo x86_64 ;; esac")
        yield found


# As it should be


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_installs(place: Place, shell: str) -> None:
    """A pipe into any POSIX shell ends with a program in its place, and says whose signature it saw."""
    done = place.run(shell=shell)

    assert (done.returncode, done.stderr) == (0, "")
    assert subprocess.check_output([place.bak, "version"]) == b"1.2.3\n"
    assert stat.S_IMODE(place.bak.stat().st_mode) == 0o755
    assert "test key" in done.stdout
    assert f"Installed {place.bak}" in done.stdout


def test_wget_does_as_well(place: Place) -> None:
    """A host without curl uses wget; busybox has one."""
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("no busybox here")
    for name in ("wget", "tar", "gzip"):
        place.pretend(name, f'exec {busybox} {name} "$@"')
    place.only(*("getconf", "id", "mktemp", "rm", "chmod", "mv", "ln", "sync", "head", "tr"))
    place.only(*("sed", "grep", "cut", "cmp", "sha256sum", "openssl", "sh", "mkdir", "cat"))

    done = place.run(path="")

    assert (done.returncode, done.stderr) == (0, "")
    assert place.bak.exists()


def test_the_newest_is_what_the_signed_list_says(place: Place) -> None:
    """Of several versions in a folder, the one whose bytes have the name `latest` is taken."""
    publish(place.release, "1.10.0")
    publish(place.release, "1.9.0", target="linux-arm64")

    assert "Bakend 1.10.0" in place.run().stdout


def test_a_version_is_taken_by_its_name(place: Place) -> None:
    """`--version` takes an older one, with or without the v; one that is not there is named."""
    publish(place.release, "2.0.0")

    assert "Bakend 1.2.3" in place.run("--version", "v1.2.3").stdout
    assert subprocess.check_output([place.bak, "version"]) == b"1.2.3\n"
    assert "bakend-v3.0.0-linux-x64.tar.gz" in place.refused(69, "--version=3.0.0")


def test_the_present_one_is_kept(place: Place) -> None:
    """Installing over another one keeps it as bak.prev; the same file again changes nothing."""
    place.run()
    publish(place.release, "2.0.0")

    done = place.run()

    assert done.returncode == 0
    kept = place.directory / "bak.prev"
    assert subprocess.check_output([kept, "version"]) == b"1.2.3\n"
    assert "already" in place.run().stdout
    assert subprocess.check_output([kept, "version"]) == b"1.2.3\n"


def test_a_dry_run_changes_nothing(place: Place) -> None:
    """It says what it would do."""
    done = place.run("--dry-run")

    assert done.returncode == 0
    assert f"Would put it in place as {place.bak}" in done.stdout
    assert list(place.directory.iterdir()) == []


def test_uninstall_leaves_what_is_not_its_own(place: Place) -> None:
    """The program and the one before it go; it is no error if they have gone."""
    place.run()
    (place.directory / "other").touch()
    (place.directory / "bak.prev").touch()

    assert place.run("--uninstall", "--dry-run").returncode == 0
    assert place.bak.exists()
    assert place.run("--uninstall").returncode == 0
    assert [each.name for each in place.directory.iterdir()] == ["other"]
    assert "There is no bak" in place.run("--uninstall").stdout
    nowhere = place.directory / "nowhere"
    assert place.run("--uninstall", "--dir", str(nowhere)).returncode == 0
    assert not nowhere.exists()


def test_options_are_variables_too(place: Place) -> None:
    """Through a pipe, variables are handier; an option wins."""
    publish(place.release, "2.0.0")

    done = place.run(environ={"BAKEND_VERSION": "1.2.3", "BAKEND_DRY_RUN": "1"})
    assert "Bakend 1.2.3" in done.stdout
    assert not place.bak.exists()
    done = place.run("--version", "2.0.0", environ={"BAKEND_VERSION": "1.2.3"})
    assert "Bakend 2.0.0" in done.stdout


# Verify or stop


@pytest.mark.slow
def test_a_script_cut_short_does_nothing(place: Place) -> None:
    """Wherever a download of the script ends, nothing is run."""
    whole = SCRIPT.read_bytes().rstrip(b"\n")
    assert whole.endswith(b'main "$@"')
    for end in range(0, len(whole) - len(b'main "$@"'), 997):
        place.run(script=whole[:end])

    assert not place.bak.exists()


def tamper_tarball(release: Path) -> None:
    """Change one byte of the download."""
    file = release / "bakend-v1.2.3-linux-x64.tar.gz"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def tamper_everything(release: Path) -> None:
    """Change the download and its checksum; the signature cannot be made anew."""
    signature = (release / "SHA256SUMS.sig").read_bytes()
    tamper_tarball(release)
    sum_up(release)
    (release / "SHA256SUMS.sig").write_bytes(signature)


def other_program(release: Path) -> None:
    """Publish a program that says another version than its name."""
    publish(release, "1.2.3", program("6.6.6"))


def damaged_program(release: Path) -> None:
    """Publish a program that says that it is damaged."""
    publish(release, "1.2.3", program("1.2.3", verifies=False))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (tamper_tarball, "its checksum is"),
        (tamper_everything, "The signature of this release is wrong"),
        (lambda folder: (folder / "SHA256SUMS.sig").unlink(), "not signed"),
        (lambda folder: (folder / "SHA256SUMS.sig").write_bytes(b""), "signature"),
        (other_program, "says that it is version 6.6.6, not 1.2.3"),
        (damaged_program, "damaged"),
    ],
)
def test_what_cannot_be_checked_is_not_installed(place: Place, change, said: str) -> None:  # type: ignore[no-untyped-def]
    """The present one stays, byte for byte, and the reason is told."""
    place.bak.write_text("the present one")
    change(place.release)

    assert said in place.refused(70)


def test_an_unsigned_release_takes_a_word(place: Place) -> None:
    """Who builds his own says so; the checksum is checked all the same."""
    (place.release / "SHA256SUMS.sig").unlink()

    done = place.run("--allow-unsigned")

    assert done.returncode == 0
    assert "Only the checksum is checked" in done.stdout
    tamper_tarball(place.release)
    assert "its checksum is" in place.refused(70, "--allow-unsigned")


def test_without_openssl_only_the_checksum_is_checked(place: Place) -> None:
    """An openssl that knows no -rawin is as good as none, and it is said."""
    place.pretend("openssl", "exit 1")

    done = place.run()

    assert done.returncode == 0
    assert "Only the checksum is checked, not the signature" in done.stdout


def test_nothing_unencrypted_is_trusted_without_a_signature(place: Place) -> None:
    """Plain http from elsewhere proves nothing where no signature can be checked."""
    place.pretend("openssl", "exit 1")
    place.pretend(
        "curl", f'while [ "$1" != -o ]; do shift; done; cp {place.release}/SHA256SUMS "$2"'
    )

    said = place.refused(70, "--url", "http://mirror.example/bakend")

    assert "https://" in said


def test_a_known_checksum_needs_no_list(place: Place) -> None:
    """`--sha256` is checked instead of the list, and another one is refused."""
    line = (place.release / "SHA256SUMS").read_text().split()[0]
    (place.release / "SHA256SUMS.sig").unlink()

    assert place.run("--sha256", line.upper()).returncode == 0
    assert "instead of 0000" in place.refused(70, "--sha256", "0" * 64)
    assert "64 hexadecimal" in place.refused(2, "--sha256", "beef")


def test_a_file_that_is_here(place: Place, tmp_path: Path) -> None:
    """Offline: with the list, with its own checksum, with a known one; else it is refused."""
    brought = tmp_path / "brought"
    shutil.copytree(place.release, brought)
    file = str(brought / "bakend-v1.2.3-linux-x64.tar.gz")
    place.pretend("curl", "exit 7")

    done = place.run("--file", file)
    assert done.returncode == 0
    assert "test key" in done.stdout
    (brought / "SHA256SUMS").unlink()
    assert "Only the checksum" in place.run("--file", file).stdout
    digest = Path(f"{file}.sha256").read_text().split()[0]
    Path(f"{file}.sha256").unlink()
    assert "--sha256" in place.refused(70, "--file", file)
    assert place.run("--file", file, "--sha256", digest).returncode == 0


# What the host must be


@pytest.mark.parametrize(
    ("name", "script", "said"),
    [
        pytest.param("uname", "echo Darwin", "only for Linux", id="a Mac"),
        pytest.param("uname", "echo MINGW64_NT-10.0", "only for Linux", id="Windows"),
        pytest.param("uname", "[ $1 = -s ] && echo Linux || echo riscv64", "riscv64", id="riscv64"),
        pytest.param("getconf", "echo glibc 2.17", "glibc 2.17, and bak needs 2.28", id="CentOS 7"),
        pytest.param("getconf", "[ $1 = LONG_BIT ] && echo 32", "32 bits", id="32 bits"),
    ],
)
def test_a_host_that_cannot_run_it(place: Place, name: str, script: str, said: str) -> None:
    """One sentence says what is missing, the next one names the way out; nothing is downloaded."""
    place.pretend(name, script)
    place.pretend("curl", "echo must not be called >&2; exit 1")

    told = place.refused(78)

    assert said in told
    assert "ghcr.io/" in told
    assert len(told.splitlines()) == 2


def test_alpine_is_told(place: Place) -> None:
    """musl is known by its ldd; the sentence names the container image."""
    place.pretend("getconf", "exit 1")
    place.pretend("ldd", "echo 'musl libc (x86_64)' >&2; exit 1")

    told = place.refused(78)

    assert "musl" in told
    assert "ghcr.io/" in told


def test_glibc_is_also_known_by_its_ldd(place: Place) -> None:
    """Small systems have no getconf."""
    place.pretend("getconf", "exit 1")
    place.pretend("ldd", "echo 'ldd (Debian GLIBC 2.24-11+deb9u4) 2.24'")

    assert "glibc 2.24" in place.refused(78)


def test_a_file_that_cannot_be_run(place: Place) -> None:
    """A program that the system refuses to start: noexec, or another reason to be told."""
    publish(place.release, "1.2.3", b"#!/nowhere/interpreter\n")
    assert "exit code 127" in place.refused(78)

    publish(place.release, "1.2.3", b"\x7fELF not one")
    assert "cannot be run" in place.refused(73)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_may_not_be_written(place: Place) -> None:
    """It names sudo, another folder and the image."""
    place.directory.chmod(0o555)

    assert "sudo" in place.refused(73)


def test_a_folder_that_others_manage(place: Place) -> None:
    """What a package manager or an image has put there is theirs to replace."""
    (place.directory / "bak.managed").write_text("the package manager of this system\n")

    assert "belongs to the package manager" in place.refused(3)


@pytest.mark.parametrize(
    "options",
    [
        ["--nonsense"],
        ["--version"],
        ["--version", "1; rm"],
        ["--url", "ftp://example.com"],
        ["--socket"],
    ],
)
def test_wrong_usage(place: Place, options: list[str]) -> None:
    """It is told before anything is looked at."""
    place.refused(2, *options)


def test_a_server_that_has_nothing(place: Place) -> None:
    """No such folder, or nobody at that port."""
    assert "cannot be downloaded" in place.refused(69, "--url", f"{place.url}/nowhere")
    assert "cannot be downloaded" in place.refused(69, "--url", "http://127.0.0.1:9")


def test_help_is_help() -> None:
    """Every option that is read is in the help."""
    said = subprocess.check_output(["sh", str(SCRIPT), "--help"], text=True)

    assert {"--version", "--dry-run", "--uninstall", "--file", "--sha256"} <= set(said.split())


def test_the_script_stays_plain() -> None:
    """shellcheck finds nothing in it."""
    checker = shutil.which("shellcheck")
    if checker is None:
        pytest.skip("no shellcheck here")
    done = subprocess.run([checker, "-s", "sh", str(SCRIPT)], capture_output=True, text=True)

    assert done.stdout == ""
