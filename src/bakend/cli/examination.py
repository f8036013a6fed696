"""What `bak doctor` looks at: each thing becomes a finding, with what to do about it.

Nothing is changed. A thing that cannot be looked at is a finding as well, never an end of the rest.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from bakend.backups import names
from bakend.backups.swapping import is_interrupted
from bakend.cli.health import ask
from bakend.clock import Clock
from bakend.database import copies
from bakend.database.migrations import NEWEST, version
from bakend.errors import BakendError
from bakend.settings import Loaded
from bakend.settings.secret import secret_file
from bakend.structs import Struct
from bakend.upgrade.releases import is_newer
from bakend.upgrade.upgrade import Wanted, find
from bakend.usercode.packages.folder import PackageFolder
from bakend.version import VERSION, build

if TYPE_CHECKING:
    from bakend.app import App

Level: TypeAlias = Literal["ok", "warn", "error"]

DISK_WARN_BYTES: Final = 1_000_000_000
DISK_ERROR_BYTES: Final = 64 * 1024 * 1024
"""As `/health?deep=true` has it."""
SANE_YEARS: Final = range(2025, 2100)
SKEW: Final = timedelta(minutes=5)
BACKUP_AGE: Final = timedelta(days=7)
ANSWER_S: Final = 3.0
FILES_NAMED: Final = 5


class Finding(Struct):
    """One thing that was looked at."""

    what: str
    level: Level
    text: str
    todo: str = ""
    """What to do; empty where there is nothing to do."""

    def as_json(self) -> dict[str, str]:
        """Return it as `--json` shows it."""
        return {"what": self.what, "level": self.level, "text": self.text, "todo": self.todo}


def of_settings(loaded: Loaded) -> Iterator[Finding]:
    """Look at what was loaded: warnings, the secret, who may read it, proxies."""
    for warning in loaded.warnings:
        yield Finding("config", "warn", warning, "`bak settings` shows what holds")
    if not loaded.warnings:
        yield Finding("config", "ok", f"{loaded.config} makes sense")
    yield from _of_secret(loaded)
    yield from _of_permissions(loaded)
    yield from _of_proxies(loaded)


def _of_secret(loaded: Loaded) -> Iterator[Finding]:
    secret = loaded.settings.auth_jwt_secret
    if secret is None:
        yield Finding("secret", "ok", "The secret is made by the first start")
    elif secret.is_known or secret.is_short:
        yield Finding(
            "secret",
            "error" if secret.is_known else "warn",
            "The secret is one that can be guessed",
            "take it out of the settings: Bakend makes one; or set at least 32 random bytes",
        )
    else:
        yield Finding(
            "secret", "ok", f"The secret is long enough ({loaded.sources['auth.jwtSecret']})"
        )
    token = loaded.settings.metrics_token
    if token is not None and token.is_short:
        yield Finding("secret", "warn", "metrics.token is short", "use at least 32 random bytes")


def _of_permissions(loaded: Loaded) -> Iterator[Finding]:
    settings = loaded.settings
    is_bad = False
    has_secret = loaded.sources["auth.jwtSecret"] == loaded.config.name
    private = [secret_file(loaded.project), loaded.project / ".env", settings.database]
    for path in [*private, *([loaded.config] if has_secret else [])]:
        mode = _mode(path)
        if mode & (stat.S_IROTH | stat.S_IWOTH):
            is_bad = True
            yield Finding(
                "permissions",
                "error" if mode & stat.S_IWOTH or path == private[0] else "warn",
                f"{path} can be {'written' if mode & stat.S_IWOTH else 'read'} by everybody on this host",
                f"chmod o-rwx {path}",
            )
    for path in (settings.database, settings.database.parent, settings.storage):
        if path.exists() and not os.access(path, os.W_OK):
            is_bad = True
            yield Finding(
                "permissions",
                "error",
                f"{path} cannot be written by the user who asks",
                "run this as the user of the server, or change who owns it",
            )
    if not is_bad:
        yield Finding(
            "permissions", "ok", "Secrets and database are for their owner, and can be written"
        )


def _of_proxies(loaded: Loaded) -> Iterator[Finding]:
    settings = loaded.settings
    if settings.host in ("127.0.0.1", "::1", "localhost"):
        where = "Only this host can connect"
    elif settings.server_trusted_proxies:
        where = "A proxy in front is trusted"
    else:
        yield Finding(
            "tls",
            "warn",
            "Everybody can connect, and Bakend has no TLS of its own",
            "put a proxy with a certificate in front, listen on its side only (host), and name it in"
            " server.trustedProxies",
        )
        return
    yield Finding("tls", "ok", f"{where}; certificates are the proxy's")


def of_host(loaded: Loaded, clock: Clock) -> Iterator[Finding]:
    """Look at disk, clock and port."""
    yield from _of_disk(loaded)
    now = clock.now()
    newest = _newest(loaded.settings.database)
    if now.year not in SANE_YEARS:
        yield Finding("clock", "error", f"The clock says {now:%Y-%m-%d}", "set the clock (NTP)")
    elif newest is not None and newest > now + SKEW:
        yield Finding(
            "clock",
            "warn",
            f"The database was written at {newest:%Y-%m-%d %H:%M} UTC, and it is {now:%Y-%m-%d %H:%M}",
            "set the clock (NTP): sessions and schedules go by it",
        )
    else:
        yield Finding("clock", "ok", f"It is {now:%Y-%m-%d %H:%M} UTC")
    yield _of_port(loaded)


def _of_disk(loaded: Loaded) -> Iterator[Finding]:
    settings = loaded.settings
    seen = set()
    for folder in (settings.database.parent, settings.storage, settings.backup_folder):
        while not folder.exists():
            folder = folder.parent
        device = folder.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(folder).free
        level: Level = "ok"
        if free < DISK_WARN_BYTES:
            level = "error" if free < DISK_ERROR_BYTES else "warn"
        text = f"{free / 1e9:,.1f} GB are free on the disk of {folder}"
        yield Finding("disk", level, text, "" if level == "ok" else "free space")


def _of_port(loaded: Loaded) -> Finding:
    settings = loaded.settings
    host, port = settings.host or "127.0.0.1", settings.port
    answer, _problem = ask(f"http://{f'[{host}]' if ':' in host else host}:{port}", ANSWER_S)
    if answer:
        return Finding(
            "port", "ok", f"A Bakend answers on port {port}, version {answer['version']}"
        )
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return Finding(
            "port",
            "error",
            f"Port {port} is not free, and no Bakend answers there: {error.strerror or error}",
            "stop what has it, or set another port",
        )
    return Finding("port", "ok", f"Port {port} is free; no server runs")


def of_project(app: App, loaded: Loaded, clock: Clock, *, deep: bool) -> Iterator[Finding]:
    """Look at what is in the database, and at the project's own files."""
    if is_interrupted(loaded.settings.database):
        yield Finding("restore", "warn", "A restore was interrupted", "the next start ends it")
    if not loaded.settings.database.exists():
        yield Finding("schema", "ok", "There is no database yet; the first start makes it")
    else:
        yield from _of_database(app, deep=deep)
    for look in (_of_collections, _of_programs):
        yield from _guarded(look, app)
    problem = PackageFolder(loaded.project).problem()
    if problem is None:
        yield Finding(
            "packages", "ok", "What packages.lock says is installed, or nothing is asked for"
        )
    else:
        yield Finding("packages", "warn", problem, "bak sync")
    yield from _guarded(lambda app: _of_backups(app, loaded, clock.now()), app)


def of_version(url: str | None, *, looks: bool) -> Finding:
    """Say which version this is, and whether there is a newer one.

    Args:
        url: Where releases are; None for GitHub.
        looks: Whether to ask there.
    """
    this = f"This is Bakend {VERSION} ({build().commit})"
    if not looks:
        return Finding("version", "ok", f"{this}; whether there is a newer one is not looked up")
    try:
        newest = find(Wanted(url=url), say=lambda _sentence: None)[0].version
    except BakendError as error:  # no network is no fault of the project
        return Finding(
            "version", "ok", f"{this}; what is newest cannot be found out: {error.message}"
        )
    if is_newer(newest, VERSION):
        return Finding("version", "warn", f"{newest} is there, this is {VERSION}", "bak upgrade")
    return Finding("version", "ok", f"{this}, the newest")


def _guarded(look: Callable[[App], Iterator[Finding]], app: App) -> Iterator[Finding]:
    try:
        yield from look(app)
    except BakendError as error:
        yield Finding(look.__name__.rpartition("_of_")[2], "error", error.message, error.hint)


def _of_database(app: App, *, deep: bool) -> Iterator[Finding]:
    try:
        with app.database.read() as snapshot:
            found = version(snapshot)
            problems = copies.check(snapshot, deep=deep)
            broken = [] if not deep else snapshot.all("PRAGMA foreign_key_check")
    except BakendError as error:
        yield Finding("integrity", "error", error.message, error.hint or "restore a backup")
        return
    if found < NEWEST:
        text = f"The database has schema {found}, this Bakend {NEWEST}"
        yield Finding("schema", "warn", text, "the next start migrates it, after a copy")
    else:
        yield Finding("schema", "ok", f"The database has schema {found}, the newest")
    problems += [f"{row[0]} refers to nothing in {row[2]}" for row in broken]
    if problems:
        text = f"The database is damaged: {'; '.join(problems[:FILES_NAMED])}"
        yield Finding("integrity", "error", text, "restore a backup: bak backup list")
    else:
        how = "whole, indexes and references as well" if deep else "whole; --deep looks closer"
        yield Finding("integrity", "ok", f"The database is {how}")
    if deep:
        yield from _of_files(app)


def _of_files(app: App) -> Iterator[Finding]:
    with app.database.read() as snapshot:
        files = app.files.everything(snapshot) if copies.has_table(snapshot, "_files") else []
    bad = []
    for file in files:
        try:
            with app.files.open(file) as stream:
                if file.sha256 and hashlib.file_digest(stream, "sha256").hexdigest() != file.sha256:  # type: ignore[arg-type]
                    bad.append(f"{file.id} is damaged")
        except BakendError:
            bad.append(f"{file.id} has no bytes, or not as many as it should")
    if bad:
        more = f" and {len(bad) - FILES_NAMED} more" if len(bad) > FILES_NAMED else ""
        text = f"Uploaded files: {'; '.join(bad[:FILES_NAMED])}{more}"
        yield Finding("files", "error", text, "restore them from a backup into storage/files")
    else:
        yield Finding("files", "ok", f"All {len(files)} uploaded file(s) are there and whole")


def _of_collections(app: App) -> Iterator[Finding]:
    statuses = app.collection_files.status()
    for each in statuses:
        if each.word == "broken":
            text = f'Collection "{each.name}" is broken: {each.detail}'
            yield Finding("collections", "error", text, "bak migrate status")
        elif each.word in ("drift", "file_only"):
            text = f'Collection "{each.name}" differs from its file'
            yield Finding("collections", "warn", text, "bak migrate plan, and apply or export")
    if all(each.word in ("synced", "db_only") for each in statuses):
        yield Finding(
            "collections", "ok", f"{len(statuses)} collection(s), none differs from its file"
        )


def _of_programs(app: App) -> Iterator[Finding]:
    programs = app.programs()
    programs.look()
    for what, items in (("functions", programs.functions()), ("jobs", programs.jobs())):
        errors = [str(each["error"]) for each in items if each.get("error")]
        for error in errors:
            yield Finding(what, "error", f"Does not load: {error}", f"bak {what} list shows where")
        if not errors:
            yield Finding(what, "ok", f"{len(items)} of them load")


def _of_backups(app: App, loaded: Loaded, now: datetime) -> Iterator[Finding]:
    entries = app.upkeep.backups().entries()
    scheduled = loaded.settings.backup_schedule is not None
    todo = "bak backup create" if scheduled else "bak backup create, and set backup.schedule"
    if not entries:
        where = loaded.settings.backup_folder
        yield Finding("backups", "warn", f"There is no backup in {where}", todo)
        return
    newest = entries[0]
    made = names.moment_of(newest.name) or datetime.fromisoformat(newest.created_at)
    age = now - made
    text = f"The newest backup is {age.days} day(s) old: {newest.name}"
    is_old = age > BACKUP_AGE
    yield Finding("backups", "warn" if is_old else "ok", text, todo if is_old else "")


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _newest(database: Path) -> datetime | None:
    times = [
        path.stat().st_mtime
        for suffix in ("", "-wal")
        if (path := database.with_name(database.name + suffix)).exists()
    ]
    return datetime.fromtimestamp(max(times), UTC) if times else None
