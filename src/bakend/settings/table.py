"""The table of settings: each with its key, default, kind and a sentence of help.

A setting is added here and nowhere else: its variable, its fault messages, `bak settings` and
the reference come from its line. Fields carry their unit: `_s` seconds, `_bytes` bytes.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from bakend.structs import Struct, names

from .secret import Secret
from .values import (
    BOOLEAN,
    DATABASE,
    DELETED_USER_DATA,
    HOST,
    LOG_FORMAT,
    LOG_LEVEL,
    NETWORKS,
    OPTIONAL_PATH,
    ORIGINS,
    PATH,
    SCHEDULE,
    SECRET,
    SYNCHRONOUS,
    TRIES,
    DeletedUserData,
    Kind,
    LogFormat,
    LogLevel,
    Network,
    Synchronous,
    duration,
    integer,
    size,
    whole_seconds,
)

T = TypeVar("T")

# In `cors.origins`: every port of this machine, under each of its names.
LOCALHOST: Final = "localhost"

# Keys that hold a path in the original and are the head of other keys here, so that
# {"database": "./x.db"} and {"database": {"path": "./x.db", "busyTimeout": "5s"}} are both right.
PATH_SECTIONS: Final = frozenset({"database", "storage"})

_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


class Setting(Struct, kw_only=True):
    """One line of the table."""

    key: str
    kind: Kind[Any]
    default: Any
    dev_default: Any
    help: str

    @property
    def variable(self) -> str:
        """The environment variable: `auth.accessTokenTtl` is `BAKEND_AUTH_ACCESS_TOKEN_TTL`."""
        return "BAKEND_" + snake(self.key).upper()

    @property
    def flag(self) -> str:
        """The command line flag: `logLevel` is `--log-level`."""
        return "--" + snake(self.key).replace("_", "-")

    @property
    def is_secret(self) -> bool:
        """True when no message may show the value."""
        return self.kind is SECRET


# What the fields of `Settings` were declared with, in their order.
_LINES: Final[list[Setting]] = []


def snake(key: str) -> str:
    """Return a key in Python's spelling: `auth.accessTokenTtl` is `auth_access_token_ttl`."""
    return _HUMP.sub("_", key).replace(".", "_").lower()


def setting(default: T, *, key: str, parse: Kind[T], help: str, dev: T | None = None) -> T:
    """Declare one field of `Settings`; `dev` is the default of `bak dev` where it differs."""
    _LINES.append(
        Setting(
            key=key,
            kind=parse,
            default=default,
            dev_default=default if dev is None else dev,
            help=help,
        )
    )
    return default


class Settings(Struct, kw_only=True):
    """Every setting, parsed; paths are absolute once `load` has made them so."""

    host: str | None = setting(
        None,
        dev="127.0.0.1",
        key="host",
        parse=HOST,
        help="Address to listen on; `*` is all of them.",
    )
    port: int = setting(
        8080, key="port", parse=integer(1, 65_535), help="Port for HTTP and WebSocket."
    )
    database: Path = setting(
        Path("bakend.db"), key="database", parse=DATABASE, help="The SQLite file."
    )
    database_busy_timeout_s: float = setting(
        5.0,
        key="database.busyTimeout",
        parse=duration(0, 600),
        help="How long a write waits for another process that holds the database.",
    )
    database_synchronous: Synchronous = setting(
        "full",
        key="database.synchronous",
        parse=SYNCHRONOUS,
        help="`full`: what was acknowledged survives a power cut. `normal` is faster, and a power "
        "cut may lose the last writes; the database stays whole.",
    )
    storage: Path = setting(
        Path("storage"), key="storage", parse=PATH, help="The folder of uploaded files."
    )
    storage_max_file_size_bytes: int = setting(
        10_485_760,
        key="storage.maxFileSize",
        parse=size(1, 2**40),
        help="Largest file that may be uploaded.",
    )
    storage_grace_time_s: int = setting(
        3_600,
        key="storage.graceTime",
        parse=whole_seconds(),
        help="How long the bytes of a deleted file stay in `storage/trash`, so that a backup that "
        "runs can still read them; and how old a file must be for `bak storage prune`.",
    )
    collections_write_back: bool = setting(
        False,
        dev=True,
        key="collections.writeBack",
        parse=BOOLEAN,
        help="Write what administrators change of a collection into its file in `collections/`, too.",
    )
    backup_folder: Path = setting(
        Path("backups"), key="backup.folder", parse=PATH, help="The folder of backups."
    )
    backup_schedule: str | None = setting(
        None,
        key="backup.schedule",
        parse=SCHEDULE,
        help="When the server makes a backup by itself, as a cron expression in the server's time or "
        "a word such as `@daily`; `off` for never. One that was missed is made after the next start.",
    )
    backup_keep: int = setting(
        7,
        key="backup.keep",
        parse=integer(1, 10_000),
        help="How many of the server's own backups stay; others are never removed.",
    )
    backup_before_migration: bool = setting(
        True,
        key="backup.beforeMigration",
        parse=BOOLEAN,
        help="Copy the database before a newer Bakend changes its schema; the last 3 copies stay.",
    )
    log_level: LogLevel = setting(
        "INFO", key="logLevel", parse=LOG_LEVEL, help="The least severe lines that are logged."
    )
    log_file: Path | None = setting(
        None,
        key="logFile",
        parse=OPTIONAL_PATH,
        help="A file that gets the log lines too; kept in three parts of 5 MiB.",
    )
    log_format: LogFormat = setting(
        "text",
        key="log.format",
        parse=LOG_FORMAT,
        help="`text`: a line for people. `json`: an object a line, with time, level, message, logger "
        "and the id of the request.",
    )
    metrics_token: Secret | None = setting(
        None,
        key="metrics.token",
        parse=SECRET,
        help="Opens `/metrics` for who sends it as `Authorization: Bearer`; administrators may always.",
    )
    auth_jwt_secret: Secret | None = setting(
        None,
        key="auth.jwtSecret",
        parse=SECRET,
        help="Signs access tokens. Better left to the project's own file; see below.",
    )
    auth_access_token_ttl_s: int = setting(
        900, key="auth.accessTokenTtl", parse=whole_seconds(), help="Life of an access token."
    )
    auth_refresh_token_ttl_s: int = setting(
        604_800,
        key="auth.refreshTokenTtl",
        parse=whole_seconds(),
        help="Life of a refresh token, and so of a session that nobody uses.",
    )
    auth_deleted_user_data: DeletedUserData = setting(
        "keep",
        key="auth.deletedUserData",
        parse=DELETED_USER_DATA,
        help="What becomes of a deleted user's records and files. `keep`: records stay, and the "
        "files that they refer to, without an owner; other files go. `delete`: all of it goes.",
    )
    audit_retention_s: int = setting(
        31_536_000,
        key="audit.retention",
        parse=whole_seconds(60),
        help="How long it is kept what administrators changed.",
    )
    throttle_login: int = setting(
        10,
        key="throttle.login",
        parse=TRIES,
        help="Failed logins to one account from one address in 5 minutes; 0 is no limit, here and "
        "below.",
    )
    throttle_login_address: int = setting(
        60,
        key="throttle.loginAddress",
        parse=TRIES,
        help="Failed logins from one address in 5 minutes. Of IPv6 a /64 counts as one address.",
    )
    throttle_login_account: int = setting(
        200,
        key="throttle.loginAccount",
        parse=TRIES,
        help="Failed logins to one account from all addresses in an hour.",
    )
    throttle_register: int = setting(
        60,
        key="throttle.register",
        parse=TRIES,
        help="Registrations from one address in 10 minutes.",
    )
    throttle_refresh: int = setting(
        120,
        key="throttle.refresh",
        parse=TRIES,
        help="Refreshed tokens for one address in a minute.",
    )
    dashboard_enabled: bool = setting(
        True, key="dashboard.enabled", parse=BOOLEAN, help="Serve the dashboard under `/_`."
    )
    server_threads: int = setting(
        8,
        key="server.threads",
        parse=integer(1, 256),
        help="Threads that answer requests; two fewer may answer routes of the project at once.",
    )
    server_max_connections: int = setting(
        1_000,
        key="server.maxConnections",
        parse=integer(1, 1_000_000),
        help="Connections open at once. For one more, the one idle for the longest is closed; when "
        "none is idle, the new one is answered 503.",
    )
    server_trusted_proxies: tuple[Network, ...] = setting(
        (),
        key="server.trustedProxies",
        parse=NETWORKS,
        help="Addresses or networks of proxies that are believed: their `X-Request-Id` is kept, and "
        "the client's address is taken from their `X-Forwarded-For`.",
    )
    server_stop_timeout_s: float = setting(
        25.0,
        key="server.stopTimeout",
        parse=duration(0, 3_600),
        help="How long a stop waits for running requests and handlers.",
    )
    realtime_max_connections: int = setting(
        10_000,
        key="realtime.maxConnections",
        parse=integer(1, 1_000_000),
        help="WebSockets open at once; one more is answered 503.",
    )
    realtime_max_message_bytes: int = setting(
        65_536,
        key="realtime.maxMessage",
        parse=size(1_024, 2**24),
        help="Largest message that a client may send on a WebSocket.",
    )
    realtime_ping_s: float = setting(
        25.0,
        key="realtime.ping",
        parse=duration(1, 3_600),
        help="How often each WebSocket is asked whether its client is still there.",
    )
    realtime_timeout_s: float = setting(
        60.0,
        key="realtime.timeout",
        parse=duration(1, 3_600),
        help="A WebSocket is closed when nothing has come from its client for so long.",
    )
    cors_origins: tuple[str, ...] = setting(
        (),
        dev=(LOCALHOST,),
        key="cors.origins",
        parse=ORIGINS,
        help="Web pages from where browsers may call; `localhost` is this machine on any port, "
        "`*` everywhere.",
    )
    functions_workers: int = setting(
        4,
        key="functions.workers",
        parse=integer(1, 64),
        help="Threads that run functions, tasks and jobs.",
    )
    functions_timeout_s: float = setting(
        60.0,
        key="functions.timeout",
        parse=duration(0.1, 86_400),
        help="How long one run of a function, task, route or job may take, where it does not say so "
        "itself.",
    )
    functions_before_timeout_s: float = setting(
        5.0,
        key="functions.beforeTimeout",
        parse=duration(0.1, 60),
        help="How long one run of a function before a write may take, where it does not say so "
        "itself; all other writes wait meanwhile.",
    )
    limits_json_body_bytes: int = setting(
        1_048_576,
        key="limits.jsonBody",
        parse=size(1_024, 2**30),
        help="Largest JSON body.",
    )
    limits_json_depth: int = setting(
        64,
        key="limits.jsonDepth",
        # The interpreter's own limit for nested JSON is near 1,000 in the oldest we run on.
        parse=integer(1, 256),
        help="Deepest nesting of a JSON body.",
    )
    records_list_max: int = setting(
        10_000,
        key="records.listMax",
        parse=integer(1, 1_000_000),
        help="Most records in a list that was asked for without `limit`.",
    )
    events_retention_s: int = setting(
        604_800,
        key="events.retention",
        parse=whole_seconds(60),
        help="How long the event log keeps an event.",
    )
    events_max_rows: int = setting(
        100_000,
        key="events.maxRows",
        parse=integer(1, 1_000_000_000),
        help="Most events in the event log.",
    )


# Field name to line, in the order of the table.
TABLE: Final = MappingProxyType(dict(zip(names(Settings), _LINES, strict=True)))
