"""The image that docker/Dockerfile makes of the file."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from verify.catalog import full
from verify.checks.bare import use
from verify.checks.packages import IMPORT
from verify.hosts.containers import ROOT, Containers, must, unused_name
from verify.hosts.debian import tool
from verify.hosts.guides import shell_blocks
from verify.hosts.http import ask, free_port, want
from verify.hosts.network import CERTIFICATES, passed_on
from verify.hosts.server import NOTES, STOP_S, wait_until
from verify.lab import Lab
from verify.outcome import Failed, expect

GUIDE: Final = "deploy-docker.md"
HARDENED: Final = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
LARGEST_MB: Final = 50


class Container:
    """One that serves a volume, hardened, on a port of its own; the network is this machine's."""

    def __init__(self, engine: Containers, volume: str, *options: str) -> None:
        self._engine = engine
        self.port = free_port()
        self.name = unused_name()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  closed by `stop`
        self.process = engine.start(
            *(
                "--rm",
                f"--name={self.name}",
                "--network=host",
                *HARDENED,
                f"--volume={volume}:/data",
            ),
            *(f"--env=BAKEND_PORT={self.port}", "--no-healthcheck", *options, engine.image),
            output=self._output.fileno(),
        )

    @property
    def log(self) -> str:
        """What it printed so far."""
        number = self._output.fileno()
        return os.pread(number, os.fstat(number).st_size, 0).decode(errors="replace")

    def wait_well(self) -> None:
        """Wait for its first good answer."""

        def is_well() -> bool:
            code = self.process.poll()
            expect(code is None, f"it ended with exit code {code}: {self.log[-400:]}")
            try:
                return ask(self.port, "GET", "/health", timeout_s=5).status == 200
            except OSError:
                return False

        wait_until(is_well, 60, "an answer on /health")

    def stop(self) -> float:
        """Stop it as an engine does, by SIGTERM; return how long it took. The exit code must be 0."""
        began = time.monotonic()
        self._engine.do("stop", "-t", "60", self.name)
        try:
            code = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            raise Failed("it was stopped, and still runs") from None
        log = self.log
        self._output.close()
        expect(code == 0, f"exit code {code}: {log[-300:]}")
        expect("Stopped" in log, f"it did not end by itself: {log[-300:]}")
        return time.monotonic() - began


@full
def serves(lab: Lab) -> str:
    """Read-only, without capabilities, an empty volume, uid 1000: it serves, keeps its data, and stops."""
    engine = lab.engine
    version = engine.run("--network=none", engine.image, "version").strip()
    size = _size(engine)
    _has_its_contract(engine)
    kept = engine.volume()
    first = Container(engine, kept)
    first.wait_well()
    expect("Created Bakend project at /data" in first.log, f"no project made: {first.log[:300]}")
    _is_closed(engine, kept)
    health = engine.do("exec", first.name, "/bak", "health").strip()
    expect(f":{first.port}: ok" in health, f"bak health: {health}")
    took_s = first.stop()
    _define_notes(engine, kept)
    second = Container(engine, kept)
    second.wait_well()
    use(second.port, version)
    want(second.port, "POST", "/api/notes", 201, {"text": "kept in a volume"})
    second.stop()
    third = Container(engine, kept)
    third.wait_well()
    count = want(third.port, "GET", "/api/notes?count=true", 200).json
    third.stop()
    expect(count["total"] == 1, f"the record is not there: {count}")
    return f"{engine.name}: image {size:.1f} MB, stopped after {took_s:.2f} s"


@full
def by_the_guide(lab: Lab) -> str:
    """The commands of the guide, in their order, with other names: it serves, and keeps what it has."""
    engine = lab.engine
    with tempfile.TemporaryDirectory() as folder:
        build, *scripts = shell_blocks(GUIDE)
        expect("docker build" in build, "the guide does not begin with a build")
        port, name, volume = free_port(), unused_name(), engine.volume()
        script = "\n".join(scripts)
        for before, after in (
            # A network of its own is more than every machine can give.
            ("--publish 127.0.0.1:8080:8080", f"--network host --env BAKEND_PORT={port}"),
            ("docker volume create bakend-data", ""),
            ("bakend-data", volume),
            ("no-new-privileges bakend", f"no-new-privileges {engine.image}"),
            (":/data bakend", f":/data {engine.image}"),
            # A person types slower than a server starts.
            ("docker logs bakend", f"until {_asks(port)}; do sleep 0.1; done\ndocker logs bakend"),
        ):
            expect(before in script, f"the guide has no {before}")
            script = script.replace(before, after)
        script = re.sub(
            r"(--name|logs|exec|--interactive|-t 60|rm) bakend\b", rf"\1 {name}", script
        )
        expect(not re.search(r" bakend(\s|$)", script), f"a name of others is left: {script}")
        try:
            said = must("/bin/sh", "-euc", f"cd {folder}\n{engine.as_docker()}\n{script}")
        finally:
            engine.do("rm", "--force", "--volumes", name)  # where a command failed before the last
    expect("Created Bakend project" in said, f"no project was made: {said[:300]}")
    expect(said.count("ada@example.com") == 2, f"the administrator is not there: {said[-300:]}")
    return f"{engine.name}: {len(scripts)} blocks"


def _asks(port: int) -> str:
    """Return a command of the shell that ends well when somebody listens."""
    program = f'import socket; socket.create_connection(("127.0.0.1", {port}))'
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(program)} 2>/dev/null"


@full
def compose_file(_lab: Lab) -> str:
    """Compose takes docker/compose.yaml; it has no secret, and is hardened as the guide says."""
    docker = shutil.which("docker")
    words = [docker or "docker", "compose"]
    if docker is None or subprocess.run([*words, "version"], capture_output=True).returncode != 0:
        words = [tool("docker-compose", "docker-compose")]
    place = ROOT / "docker" / "compose.yaml"
    said = must(*words, "--file", str(place), "config")
    for line in ("read_only: true", "- ALL", "no-new-privileges:true", "/data", "8080"):
        expect(line in said, f"it has no {line}: {said}")
    expect("secret" not in said.lower(), f"it has a secret: {said}")
    return " ".join(Path(word).name for word in words)


@full
def any_user(lab: Lab) -> str:
    """As uid 12345, which no passwd knows, in group 0, with an empty volume: it serves."""
    engine = lab.engine
    one = Container(engine, engine.volume(), "--user=12345:0")
    one.wait_well()
    status = Path(f"/proc/{_pid(engine, one)}/status").read_text()
    one.stop()
    expect("\nUid:\t12345\t12345\t" in status, f"it runs as another user: {status}")
    expect("\nCapEff:\t0000000000000000\n" in status, "it has capabilities")
    return f"{engine.name}: uid 12345, no capability"


@full
def packages(lab: Lab) -> str:
    """`bak add pillow numpy` into a volume, and both are imported in a new container."""
    engine = lab.engine
    packed = engine.volume()
    one = Container(engine, packed)
    one.wait_well()
    one.stop()
    mounts = (f"--volume={packed}:/data", "--tmpfs=/tmp")
    connected = ["--network=host"]
    if Path(CERTIFICATES).exists():  # of this machine: it may reach the index by a proxy
        connected.append(f"--volume={CERTIFICATES}:{CERTIFICATES}:ro")
    connected += [f"--env={name}={value}" for name, value in passed_on().items()]
    hardened = (*HARDENED, *mounts)
    added = engine.run(*hardened, *connected, engine.image, "add", "pillow", "numpy")
    seen = engine.run(*hardened, "--network=none", engine.image, "-c", IMPORT).strip()
    return f"{engine.name}: {' '.join(added.split())}; {seen}"


def _size(engine: Containers) -> float:
    found = int(engine.do("image", "inspect", "--format={{.Size}}", engine.image)) / 1e6
    expect(found <= LARGEST_MB, f"the image has {found:.1f} MB, more than {LARGEST_MB}")
    return found


def _has_its_contract(engine: Containers) -> None:
    """What the image says of itself is what is promised."""
    config = json.loads(engine.do("image", "inspect", "--format={{json .Config}}", engine.image))
    promised = {
        "Entrypoint": ["/bak"],
        "Cmd": ["start", "--config", "/data/bakend.json"],
        "WorkingDir": "/data",
        "User": "1000:0",
        "ExposedPorts": {"8080/tcp": {}},
        "Volumes": {"/data": {}},
    }
    expect({key: config.get(key) for key in promised} == promised, f"its config is {config}")
    seen = json.loads(engine.do("image", "inspect", engine.image))[0]
    health = seen["Config"].get("Healthcheck") or seen.get("Healthcheck") or {}  # podman
    expect(health.get("Test") == ["CMD", "/bak", "health"], f"its health check is {health}")
    names = [each.partition("=")[0] for each in config.get("Env", [])]
    expect(set(names) <= {"PATH", "BAKEND_ENV"}, f"its environment has {names}")


def _is_closed(engine: Containers, volume: str) -> None:
    """The secret that was made is its user's alone."""
    look = "import os; print(oct(os.stat('/data/.bakend/jwt_secret').st_mode & 0o777), os.getuid())"
    seen = engine.run(
        "--network=none", f"--volume={volume}:/data", engine.image, "-c", look
    ).strip()
    expect(seen == "0o600 1000", f"mode and uid: {seen}")


def _define_notes(engine: Containers, volume: str) -> None:
    write = f"open('/data/collections/notes.json', 'w').write({json.dumps(NOTES)!r})"
    engine.run("--network=none", f"--volume={volume}:/data", engine.image, "-c", write)


def _pid(engine: Containers, one: Container) -> int:
    return int(engine.do("inspect", "--format={{.State.Pid}}", one.name))
