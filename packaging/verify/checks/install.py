"""scripts/install.sh on hosts without Python, from a web server of this machine."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from verify.catalog import full, quick
from verify.hosts import roots
from verify.hosts.booted import booted
from verify.hosts.host import Host, in_tree
from verify.hosts.http import ask, want
from verify.hosts.releases import INSTALLER, Releases, releases, tamper
from verify.hosts.service import PROJECT, Service, exposure
from verify.hosts.snapshot import differences, snapshot
from verify.hosts.variants import variant
from verify.lab import Lab
from verify.outcome import expect

EXPOSED_MOST: Final = 1.5
SCRIPT: Final = "/root/install.sh"


@contextmanager
def published(lab: Lab) -> Iterator[Releases]:
    """Yield a web server that has the file as a release."""
    lab.require_native()
    version, target = lab.about["version"], lab.about["target"]
    packed = lab.dist / f"bakend-v{version}-{target}.tar.gz"
    with releases(target) as found:
        found.publish(lab.bak, version, packed if packed.exists() else None)
        yield found


@contextmanager
def empty_host(lab: Lab) -> Iterator[Host]:
    """Yield a host that systemd has booted, with install.sh and nothing of Bakend."""
    with booted(roots.bootable("bookworm", lab.cache), "booted bookworm") as host:
        expect(not host.at("/usr/local/bin/bak").exists(), "there is a bak already")
        shutil.copyfile(INSTALLER, host.at(SCRIPT))
        yield host


def install(host: Host, found: Releases, service: Service, **variables: str) -> tuple[str, float]:
    """Run install.sh with systemd; return what it said, and the seconds to the first answer."""
    host.at("/etc/default/bakend").write_text(
        f"BAKEND_PORT={service.port}\nBAKEND_HOST=127.0.0.1\n"
    )
    environ = {**host.environ, "BAKEND_INSTALL_URL": found.url, "BAKEND_INSTALL_SYSTEMD": "1"}
    began = time.monotonic()
    said = host.must("/bin/sh", SCRIPT, *found.words, environ={**environ, **variables})
    # It returns when it is said to serve: no waiting here.
    answer = ask(service.port, "GET", "/health")
    took_s = time.monotonic() - began
    expect(answer.status == 200, f"/health: {answer.status}")
    return said, took_s


@full
def a_bare_server(lab: Lab) -> str:
    """On a server without Python: one command, then it answers, hardened; a second time the same."""
    with published(lab) as found, empty_host(lab) as host:
        service = Service(host)
        said, took_s = install(host, found, service)
        want(service.port, "GET", "/_/", 200)
        expect(service.show("ActiveState") == "active", "not active")
        expect(f"http://localhost:{service.port}/_/setup#" in said, f"no link: {said[-300:]}")
        rights = service.shell(
            f"stat -c '%a %U' {PROJECT} /etc/bakend /etc/bakend/jwt_secret /usr/local/bin/bak"
        )
        expected = ["750 bakend", "700 root", "600 root", "755 root"]
        expect(rights.splitlines() == expected, f"rights: {rights}")
        score = exposure(host.must("/usr/bin/systemd-analyze", "security", "--no-pager", "bakend"))
        expect(score <= EXPOSED_MOST, f"exposure {score}")
        before = service.pid, host.at("/etc/bakend/jwt_secret").read_bytes()
        again, _ = install(host, found, service)
        expect("already" in again, f"the second time: {again}")
        after = service.pid, host.at("/etc/bakend/jwt_secret").read_bytes()
        expect(before == after, "the second time changed something")
        gone = host.must("/bin/sh", SCRIPT, "--uninstall")
        expect(not host.at("/usr/local/bin/bak").exists(), "bak is still there")
        expect(host.at(f"{PROJECT}/bakend.db").exists(), "the data is gone")
        expect(PROJECT in gone, "it does not say where the data is")
        signature = next(
            (line for line in said.splitlines() if "signature" in line), "no signature"
        )
    return f"{took_s:.1f} s from the command to the first answer, exposure {score}; {signature!r}"


@full
def with_the_socket(lab: Lab) -> str:
    """With BAKEND_INSTALL_SOCKET systemd holds the port."""
    with published(lab) as found, empty_host(lab) as host:
        service = Service(host)
        listen = f"127.0.0.1:{service.port}"
        _, took_s = install(
            host, found, service, BAKEND_INSTALL_SOCKET="1", BAKEND_INSTALL_LISTEN=listen
        )
        service.systemctl("stop", "bakend.service")
        want(service.port, "GET", "/health", 200)
    return f"{took_s:.1f} s; a stopped service is started by the next client"


@full
def over_a_running_service(lab: Lab) -> str:
    """Called again when there is a newer version, it lets the one that runs upgrade itself."""
    with (
        published(lab) as found,
        empty_host(lab) as host,
        tempfile.TemporaryDirectory() as folder,
    ):
        service = Service(host)
        install(host, found, service)
        new = Path(folder, "bak")
        variant(lab.bak, new, "9.9.9", {}, schema=lab.about["schemaVersion"])
        found.publish(new, "9.9.9")
        said, took_s = install(host, found, service)
        serves = want(service.port, "GET", "/health", 200).json["version"]
        expect(serves == "9.9.9", f"version {serves} serves: {said}")
        kept = host.must("/usr/local/bin/bak.prev", "version").strip()
        expect(kept == lab.about["version"], f"bak.prev is {kept}")
    return f"{took_s:.1f} s"


@full
def a_tampered_download(lab: Lab) -> str:
    """One changed byte, in the tarball or in the list that is signed: a sentence, and nothing changed."""
    seen = []
    with published(lab) as found, empty_host(lab) as host:
        asset = next(found.folder.glob("bakend-v*.tar.gz"))
        for file in (asset, found.folder / "SHA256SUMS"):
            if file.name == "SHA256SUMS" and not found.is_signed:
                continue
            whole = file.read_bytes()
            tamper(file)
            before = snapshot(host, but="/root")
            done = host.run(
                *("/bin/sh", SCRIPT, "--systemd", "--url", found.url, *found.words),
                environ=host.environ,
            )
            changed = differences(before, snapshot(host, but="/root"))
            expect(done.returncode in (69, 70), f"exit code {done.returncode}: {done.stderr}")
            # What a running system writes by itself.
            ours = [
                each
                for each in changed
                if not each.startswith(("/run", "/var", "/tmp", "/proc", "/sys"))  # noqa: S108
            ]
            expect(not ours, f"changed: {ours[:4]}")
            seen.append(done.stderr.splitlines()[0])
            file.write_bytes(whole)
    return "; ".join(seen)


@quick
def musl(lab: Lab) -> str:
    """On a system with musl (a Debian that has musl's loader and ldd instead) it names the image."""
    tree = roots.debian("bookworm", lab.cache)
    with in_tree(tree, "as Alpine") as host:
        shutil.copyfile(INSTALLER, host.at(SCRIPT))
        host.at("/usr/bin/getconf").unlink()
        host.at("/usr/lib/ld-musl-x86_64.so.1").write_bytes(b"")
        host.at("/usr/bin/ldd").write_text(
            "#!/bin/sh\nprintf 'musl libc (x86_64)\\nVersion 1.2.5\\n' >&2; exit 1\n"
        )
        return _refused(host, "musl")


@quick
def an_old_glibc(lab: Lab) -> str:
    """On a glibc below the floor (a Debian whose getconf says so) it names both versions and the image."""
    tree = roots.debian("bookworm", lab.cache)
    with in_tree(tree, "an old glibc") as host:
        shutil.copyfile(INSTALLER, host.at(SCRIPT))
        host.at("/usr/bin/getconf").unlink()
        host.at("/usr/bin/getconf").write_text("#!/bin/sh\necho glibc 2.27\n")
        host.at("/usr/bin/getconf").chmod(0o755)
        return _refused(host, "glibc 2.27")


def _refused(host: Host, word: str) -> str:
    done = host.run("/bin/sh", SCRIPT)
    expect(done.returncode == 78, f"exit code {done.returncode}: {done.stderr}")
    expect(word in done.stderr and "ghcr.io/" in done.stderr, f"it said: {done.stderr}")
    return " ".join(done.stderr.split())
