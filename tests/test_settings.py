from __future__ import annotations

import ipaddress
import json
import os
import runpy
import stat
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bakend.errors import NotWritableError, SettingsError
from bakend.settings import Loaded, Mode, Secret, Settings, ensure_secret, load
from bakend.settings.show import rows
from bakend.settings.table import TABLE, snake

ROOT = Path(__file__).resolve().parent.parent
GOOD = "a-secret-of-more-than-thirty-two-bytes"
OTHER = "another-secret-of-more-than-32-bytes!!"
KNOWN = ("dev-only-change-me", "todo-api-demo-change-me", "change-me-in-production")


class Project:
    """A folder with a config file, and the sources around it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "bakend.json"
        self.config.write_text("{}")

    def load(
        self,
        config: object = None,
        *,
        environ: Mapping[str, str] | None = None,
        flags: Mapping[str, object] | None = None,
        mode: Mode = "start",
    ) -> Loaded:
        if config is not None:
            self.config.write_text(json.dumps(config))
        return load(None, cwd=self.folder, environ=environ or {}, flags=flags or {}, mode=mode)

    def faults(
        self,
        config: object = None,
        *,
        environ: Mapping[str, str] | None = None,
        flags: Mapping[str, object] | None = None,
    ) -> tuple[str, ...]:
        with pytest.raises(SettingsError) as caught:
            self.load(config, environ=environ, flags=flags)
        return caught.value.faults


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.mark.parametrize(
    ("config", "field", "value"),
    [
        ({"port": 1}, "port", 1),
        ({"port": 8080.0}, "port", 8080),
        ({"port": None}, "port", 8080),
        ({"host": "*"}, "host", None),
        ({"host": "[::1]"}, "host", "::1"),
        ({"host": "Example.com"}, "host", "example.com"),
        ({"logLevel": "DEBUG"}, "log_level", "DEBUG"),
        ({"auth": {"accessTokenTtl": "0s"}}, "auth_access_token_ttl_s", 0),
        ({"auth": {"accessTokenTtl": "2h"}}, "auth_access_token_ttl_s", 7_200),
        ({"auth": {"refreshTokenTtl": "30d"}}, "auth_refresh_token_ttl_s", 2_592_000),
        ({"auth": None}, "auth_access_token_ttl_s", 900),
        ({"dashboard": {"enabled": False}}, "dashboard_enabled", False),
        ({"database": {"busyTimeout": "500ms"}}, "database_busy_timeout_s", 0.5),
        ({"database.busyTimeout": "3s"}, "database_busy_timeout_s", 3.0),
        ({"database": "x.db", "database.synchronous": "normal"}, "database_synchronous", "normal"),
        ({"limits": {"jsonBody": "1MiB"}}, "limits_json_body_bytes", 1_048_576),
        ({"limits": {"jsonBody": "10 MB"}}, "limits_json_body_bytes", 10_000_000),
        ({"limits": {"jsonBody": 65_536}}, "limits_json_body_bytes", 65_536),
        ({"limits": {"jsonBody": "65536"}}, "limits_json_body_bytes", 65_536),
        (
            {"server": {"trustedProxies": ["10.0.0.1", "fd00::/8"]}},
            "server_trusted_proxies",
            (ipaddress.ip_network("10.0.0.1/32"), ipaddress.ip_network("fd00::/8")),
        ),
        (
            {"cors": {"origins": ["HTTPS://App.Example:443", "http://[::1]:90", "*"]}},
            "cors_origins",
            ("https://app.example", "http://[::1]:90", "*"),
        ),
    ],
)
def test_good_value_is_parsed_once(
    project: Project, config: object, field: str, value: object
) -> None:
    """A value in the config file becomes the value Bakend works with."""
    assert getattr(project.load(config).settings, field) == value


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ({"port": 0}, "port must be an integer between 1 and 65535, got 0"),
        ({"port": "8080"}, 'port must be an integer between 1 and 65535, got "8080"'),
        ({"port": True}, "port must be an integer between 1 and 65535, got true"),
        ({"port": 80.5}, "port must be an integer between 1 and 65535, got 80.5"),
        ({"database": " "}, "database must be a non-empty string"),
        ({"database": "a\0b"}, "database must be a non-empty string"),
        ({"database": "\ud800"}, "database must be a non-empty string"),
        ({"database": ":memory:"}, "database must be a file, as every thread would see"),
        ({"database": {"path": 3}}, "database must be a non-empty string"),
        ({"database": {"synchronous": "off"}}, "database.synchronous must be one of full, normal"),
        ({"storage": []}, "storage must be a non-empty string"),
        ({"logLevel": "info"}, "logLevel must be one of DEBUG, INFO, WARN, ERROR"),
        ({"logLevel": ["INFO"]}, "logLevel must be one of DEBUG, INFO, WARN, ERROR"),
        ({"logFile": None}, "logFile must be a non-empty string when set"),
        ({"auth": {"jwtSecret": " "}}, "auth.jwtSecret must be a non-empty string"),
        ({"auth": {"jwtSecret": 7}}, "auth.jwtSecret must be a non-empty string"),
        (
            {"auth": {"accessTokenTtl": "15"}},
            'auth.accessTokenTtl must be a duration like "15m", "1h", or "7d"',
        ),
        (
            {"auth": {"refreshTokenTtl": "500ms"}},
            'auth.refreshTokenTtl must be a duration like "15m", "1h", or "7d"',
        ),
        ({"auth": {"refreshTokenTtl": "99999d"}}, "auth.refreshTokenTtl must be between"),
        ({"auth": "off"}, 'auth must be an object, got "off"'),
        ({"dashboard": False}, "dashboard must be an object, got false"),
        ({"dashboard": {"enabled": "false"}}, "dashboard.enabled must be a boolean"),
        ({"server": {"stopTimeout": 25}}, "server.stopTimeout must be a duration like"),
        ({"server": {"stopTimeout": "2h"}}, "server.stopTimeout must be between 0s and 1h"),
        ({"server": {"trustedProxies": "10.0.0.1"}}, "server.trustedProxies must be a list"),
        (
            {"server": {"trustedProxies": ["10.0.0.1/8"]}},
            "server.trustedProxies must be a list of addresses and networks (10.0.0.1/8 has host",
        ),
        ({"cors": {"origins": ["https://a.example/x"]}}, "cors.origins must be a list of origins"),
        ({"cors": {"origins": ["https://a:99999"]}}, "cors.origins must be a list of origins"),
        ({"cors": {"origins": ["http://[::1"]}}, "cors.origins must be a list of origins"),
        ({"cors": {"origins": ["app.example"]}}, "cors.origins must be a list of origins"),
        ({"limits": {"jsonBody": "1 XB"}}, "limits.jsonBody must be a size like"),
        ({"limits": {"jsonBody": 1}}, "limits.jsonBody must be between 1 KiB and 1 GiB, got 1"),
        ({"limits": {"jsonDepth": 257}}, "limits.jsonDepth must be an integer between 1 and 256"),
        ({"port": 1, "port ": 1, "database": "a", "database.path": "b"}, "database is given twice"),
    ],
)
def test_bad_value_is_a_fault(project: Project, config: object, fault: str) -> None:
    """A wrong value stops the start with the key, what is expected, and the file."""
    (found,) = project.faults(config)

    assert found.startswith(f"Invalid config: {fault}")
    assert found.endswith(f"(in {project.config})")


@pytest.mark.parametrize(
    ("variable", "text", "fault"),
    [
        ("PORT", "12abc", "Invalid BAKEND_PORT environment variable: 12abc ("),
        ("PORT", "", "Invalid BAKEND_PORT environment variable: ("),
        ("PORT", "0", "Invalid config: port must be an integer between 1 and 65535, got 0 ("),
        ("LOG_LEVEL", "info", "Invalid BAKEND_LOG_LEVEL environment variable: info"),
        ("LOG_FILE", " ", "Invalid BAKEND_LOG_FILE environment variable: must be non-empty"),
        ("DATABASE", "", "Invalid BAKEND_DATABASE environment variable: must be non-empty"),
        (
            "AUTH_JWT_SECRET",
            "",
            "Invalid BAKEND_AUTH_JWT_SECRET environment variable: must be non-empty",
        ),
        (
            "AUTH_JWT_SECRET_FILE",
            "",
            "Invalid BAKEND_AUTH_JWT_SECRET_FILE environment variable: must be non-empty",
        ),
        (
            "DASHBOARD_ENABLED",
            "1",
            "Invalid BAKEND_DASHBOARD_ENABLED environment variable: must be 'true' or 'false'",
        ),
        ("CORS_ORIGINS", "", "Invalid BAKEND_CORS_ORIGINS environment variable: must be"),
        (
            "DATABASE_BUSY_TIMEOUT",
            "\x1b[1m5\n",
            'Invalid config: database.busyTimeout must be a duration like "500ms"',
        ),
    ],
)
def test_bad_variable_is_a_fault(project: Project, variable: str, text: str, fault: str) -> None:
    """A wrong or empty variable is a fault that names it, on one printable line."""
    (found,) = project.faults(environ={f"BAKEND_{variable}": text})

    assert found.startswith(fault)
    assert f"BAKEND_{variable}" in found
    assert found.isprintable()


def test_good_variables_are_read_as_text(project: Project) -> None:
    """Variables hold the same values as the config file, lists with commas."""
    settings = project.load(
        environ={
            "BAKEND_PORT": "81",
            "BAKEND_DASHBOARD_ENABLED": "false",
            "BAKEND_SERVER_TRUSTED_PROXIES": "10.0.0.1, 10.1.0.0/16",
            "BAKEND_CORS_ORIGINS": "none",
            "BAKEND_LIMITS_JSON_BODY": "2 KiB",
        },
        mode="dev",
    ).settings

    assert settings.port == 81
    assert settings.dashboard_enabled is False
    assert [str(each) for each in settings.server_trusted_proxies] == [
        "10.0.0.1/32",
        "10.1.0.0/16",
    ]
    assert settings.cors_origins == ()
    assert settings.limits_json_body_bytes == 2_048


def test_all_faults_are_reported_at_once(project: Project) -> None:
    """One error tells every fault of the file, of .env, of the environment and of the flags."""
    (project.folder / ".env").write_text("BAKEND_LOG_LEVEL=loud\n")

    faults = project.faults(
        {"port": 0, "dashboard": False},
        environ={"BAKEND_PORT": "x", "BAKEND_HOST": "a b"},
        flags={"port": "y"},
    )

    assert [fault.split(" (")[0] for fault in faults] == [
        "Invalid config: port must be an integer between 1 and 65535, got 0",
        "Invalid config: dashboard must be an object, got false",
        f"Invalid BAKEND_LOG_LEVEL environment variable in {project.folder / '.env'}: loud",
        'Invalid config: host must be an address, a host name, or "*", got "a b"',
        "Invalid BAKEND_PORT environment variable: x",
        "Invalid flag --port: y",
    ]


def test_each_source_overrides_the_ones_before(project: Project) -> None:
    """Default, config file, .env, environment, flags: the later wins, and rows tell which."""
    dotenv = project.folder / ".env"

    def now(environ: Mapping[str, str], flags: Mapping[str, object]) -> tuple[object, object]:
        loaded = project.load(environ=environ, flags=flags)
        row = next(row for row in rows(loaded) if row["key"] == "port")
        assert loaded.settings.port == row["value"]
        return row["value"], row["source"]

    assert now({}, {"port": None}) == (8080, "default")
    project.config.write_text('{"port": 1}')
    assert now({}, {}) == (1, "bakend.json")
    dotenv.write_text("BAKEND_PORT=2\nDATABASE_URL=theirs\n")
    assert now({}, {}) == (2, ".env")
    assert now({"BAKEND_PORT": "3"}, {}) == (3, "BAKEND_PORT")
    assert now({"BAKEND_PORT": "3"}, {"port": 4}) == (4, "flag --port")
    assert now({"BAKEND_PORT": "3"}, {"port": "5"}) == (5, "flag --port")


def test_dotenv_stays_out_of_the_environment(project: Project) -> None:
    """A .env file is read as it stands: nothing is expanded, nothing put into the process."""
    (project.folder / ".env").write_text("BAKEND_DATABASE=${HOME}/x.db\n", encoding="utf-8-sig")

    loaded = project.load()

    assert loaded.settings.database == project.folder / "${HOME}" / "x.db"
    assert "BAKEND_DATABASE" not in os.environ


def test_unreadable_dotenv_line_is_a_fault(project: Project) -> None:
    """A line of .env that makes no sense is told with its number."""
    (project.folder / ".env").write_text("A=1\nBAKEND_PORT='8\nB=2\n")

    (fault,) = project.faults()

    assert fault == f"Invalid line 2 in {project.folder / '.env'}"


def test_mode_changes_defaults(project: Project) -> None:
    """Development listens on this machine only and lets its pages in; a start does neither."""
    dev = project.load(mode="dev").settings
    start = project.load(mode="start").settings

    assert (dev.host, dev.cors_origins) == ("127.0.0.1", ("localhost",))
    assert (start.host, start.cors_origins) == (None, ())


def test_paths_start_from_the_config_file(tmp_path: Path) -> None:
    """Paths of file and variables start from the project, those of flags from where one is."""
    config = tmp_path / "project" / "prod.json"
    config.parent.mkdir()
    config.write_text('{"storage": {"path": "../files"}, "logFile": "/var/log/b.log"}')

    loaded = load(
        Path("project/prod.json"),
        cwd=tmp_path,
        environ={"BAKEND_DATABASE": "./data/x.db"},
        flags={"logFile": "here.log"},
        mode="command",
    )

    assert loaded.project == config.parent
    assert loaded.config == config
    assert loaded.settings.database == tmp_path / "project" / "data" / "x.db"
    assert loaded.settings.storage == tmp_path / "files"
    assert loaded.settings.log_file == tmp_path / "here.log"
    assert loaded.sources["storage"] == "prod.json"


@pytest.mark.parametrize(
    ("config", "environ", "warning"),
    [
        ({"prot": 1}, {}, 'Unknown setting "prot" in {config}; did you mean "port"?'),
        (
            {"auth": {"accessTokenTTL": "1h"}},
            {},
            'Unknown setting "auth.accessTokenTTL" in {config}; '
            'did you mean "auth.accessTokenTtl"?',
        ),
        ({"collectionsDir": "x"}, {}, 'Unknown setting "collectionsDir" in {config}'),
        (
            {"storage": {"quota": 1}},
            {},
            'Unknown setting "storage.quota" in {config}',
        ),
        ({}, {"BAKEND_PROT": "1"}, 'Unknown variable BAKEND_PROT; did you mean "BAKEND_PORT"?'),
    ],
)
def test_unknown_name_is_warned_about(
    project: Project, config: object, environ: Mapping[str, str], warning: str
) -> None:
    """An unknown key or variable stops nothing and is told with the nearest known one."""
    (found,) = project.load(config, environ=environ).warnings

    assert found.startswith(warning.format(config=project.config))


def test_other_names_are_not_warned_about(project: Project) -> None:
    """Variables of the installer, of tests and of the command line are no slips."""
    loaded = project.load(
        {"$schema": "x"},
        environ={
            "BAKEND_ENV": "test",
            "BAKEND_ADMIN_EMAIL": "a@example.com",
            "BAKEND_INSTALL_DIR": "/opt",
            "BAKEND_TEST_SLOWNESS": "3",
            "PATH": "/bin",
        },
    )

    assert loaded.warnings == ()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"port": 1,}', "Invalid JSON in config file at {path}: line 1, column "),
        (b"", "Invalid JSON in config file at {path}: line 1, column 1: "),
        (b"[]", "Invalid config: config root must be an object"),
        (b'{"port": 1e400}', "Invalid config: port must be an integer between 1 and 65535, got"),
        (b'{"port": NaN}', "Invalid JSON in config file at {path}: NaN is not"),
        (b'{"port": 1, "port": 2}', 'Invalid JSON in config file at {path}: the key "port" is'),
        (b'{"port": ' + b"9" * 5_000 + b"}", "Invalid JSON in config file at {path}: "),
        (b'{"a":' * 100_000, "Invalid JSON in config file at {path}: "),
        (b'{"a": "' + b"x" * 2**20 + b'"}', "Failed to read config file at {path}: it is larger"),
        (b'{"a": "\xff"}', "Failed to read config file at {path}: byte 7 is not UTF-8"),
    ],
    ids=["comma", "empty", "list", "infinite", "nan", "twice", "digits", "deep", "huge", "latin-1"],
)
def test_broken_config_file_is_one_sentence(project: Project, content: bytes, reason: str) -> None:
    """Whatever a config file holds, the answer is a sentence with its path."""
    project.config.write_bytes(content)

    (fault,) = project.faults()

    assert fault.startswith(reason.format(path=project.config))


def test_unreadable_config_file_is_a_fault(project: Project) -> None:
    """A folder in place of the config file is told, and is not a missing file."""
    project.config.unlink()
    project.config.mkdir()

    (fault,) = project.faults()

    assert fault == f"Failed to read config file at {project.config}: Is a directory"


def test_byte_order_mark_is_tolerated(project: Project) -> None:
    """A config file from an editor that writes a byte order mark is read."""
    project.config.write_text('{"port": 5}', encoding="utf-8-sig")

    assert project.load().settings.port == 5


@pytest.mark.parametrize("found", ["collections", "bakend.db", "elsewhere.db"])
def test_project_without_config_starts_on_defaults(tmp_path: Path, found: str) -> None:
    """Collections or a database make a project: it starts on defaults, with a warning."""
    environ = {"BAKEND_DATABASE": "elsewhere.db"} if found == "elsewhere.db" else {}
    path = tmp_path / found
    path.mkdir() if found == "collections" else path.touch()

    loaded = load(None, cwd=tmp_path, environ=environ, mode="start")

    assert loaded.is_missing is False
    assert loaded.settings.port == 8080
    assert loaded.warnings == (f"No config file at {tmp_path / 'bakend.json'}: the defaults apply",)


def test_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    """A start in a wrong folder makes nothing there and points at bak init."""
    with pytest.raises(SettingsError, match="No config file at") as caught:
        load(None, cwd=tmp_path, environ={}, mode="start")

    assert "bak init" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("config", "environ", "content", "mode", "is_missing"),
    [
        ("data/bakend.json", {}, (), "start", True),
        ("data/bakend.json", {}, (".git",), "dev", True),
        ("data/bakend.json", {}, ("notes.txt",), "start", False),
        ("data/bakend.json", {}, (), "command", False),
        ("typo/bakend.json", {}, (), "start", False),
        ("typo/bakend.json", {"BAKEND_INIT": "1"}, (), "start", True),
        ("data/bakend.json", {"BAKEND_INIT": "1"}, ("notes.txt",), "start", False),
    ],
)
def test_empty_folder_that_was_asked_for_is_to_be_made(
    tmp_path: Path,
    config: str,
    environ: Mapping[str, str],
    content: tuple[str, ...],
    mode: Mode,
    is_missing: bool,
) -> None:
    """Only a start makes a project, only where one was asked for and nothing else is."""
    (tmp_path / "data").mkdir()
    for name in content:
        (tmp_path / "data" / name).mkdir()

    if is_missing:
        assert load(Path(config), cwd=tmp_path, environ=environ, mode=mode).is_missing is True
    else:
        with pytest.raises(SettingsError, match="No config file at"):
            load(Path(config), cwd=tmp_path, environ=environ, mode=mode)


def test_secret_sources_are_tried_in_order(project: Project) -> None:
    """Credentials, file variable, variable, config file, the project's own: the first wins."""
    credentials = project.folder / "credentials"
    credentials.mkdir()
    (credentials / "jwt_secret").write_text("1" * 40 + "\n")
    (project.folder / "mounted").write_text("2" * 40)
    project.config.write_text(json.dumps({"auth": {"jwtSecret": "4" * 40}}))
    own = ensure_secret(project.folder).reveal()
    environ = {
        "CREDENTIALS_DIRECTORY": str(credentials),
        "BAKEND_AUTH_JWT_SECRET_FILE": "mounted",
        "BAKEND_AUTH_JWT_SECRET": "3" * 40,
    }

    def now() -> tuple[str, str]:
        loaded = project.load(environ=environ)
        assert loaded.settings.auth_jwt_secret is not None
        return loaded.settings.auth_jwt_secret.reveal(), loaded.sources["auth.jwtSecret"]

    assert now() == ("1" * 40, "$CREDENTIALS_DIRECTORY/jwt_secret")
    (credentials / "jwt_secret").unlink()
    assert now() == ("2" * 40, "BAKEND_AUTH_JWT_SECRET_FILE")
    del environ["BAKEND_AUTH_JWT_SECRET_FILE"]
    assert now() == ("3" * 40, "BAKEND_AUTH_JWT_SECRET")
    del environ["BAKEND_AUTH_JWT_SECRET"]
    assert now() == ("4" * 40, "bakend.json")
    project.config.write_text("{}")
    assert now() == (own, ".bakend/jwt_secret")


def test_loading_makes_no_secret(project: Project) -> None:
    """Looking at settings creates nothing."""
    before = sorted(project.folder.rglob("*"))

    loaded = project.load(mode="command")

    assert loaded.settings.auth_jwt_secret is None
    assert loaded.sources["auth.jwtSecret"] == "not made yet"
    assert sorted(project.folder.rglob("*")) == before


@pytest.mark.parametrize("text", KNOWN)
def test_known_secret_gives_way_to_the_projects_own(project: Project, text: str) -> None:
    """A published secret is not used: the project's own is, with a warning."""
    own = ensure_secret(project.folder)

    loaded = project.load({"auth": {"jwtSecret": text}})

    assert loaded.settings.auth_jwt_secret == own
    assert loaded.sources["auth.jwtSecret"] == ".bakend/jwt_secret"
    assert len(loaded.warnings) == 1
    assert "default/demo value" in loaded.warnings[0]
    assert text not in loaded.warnings[0]


@pytest.mark.parametrize("text", [*KNOWN, "a", "x" * 31])
def test_production_refuses_weak_secrets(project: Project, text: str) -> None:
    """With BAKEND_ENV=production a published or short secret stops the start, unquoted."""
    environ = {"BAKEND_ENV": "production", "BAKEND_AUTH_JWT_SECRET": text}

    (fault,) = project.faults(environ=environ)

    assert fault.startswith("Invalid config: auth.jwtSecret is ")
    assert "(BAKEND_AUTH_JWT_SECRET)" in fault
    assert len(text) < 10 or text not in fault


def test_production_takes_a_strong_secret(project: Project) -> None:
    """32 bytes are enough for production, and so is the secret that is made at the start."""
    environ = {"BAKEND_ENV": "production"}

    given = project.load(environ={**environ, "BAKEND_AUTH_JWT_SECRET": "x" * 32})
    made = project.load(environ=environ)

    assert given.is_production is True
    assert given.settings.auth_jwt_secret == Secret("x" * 32)
    assert made.settings.auth_jwt_secret is None


def test_short_secret_is_warned_about_outside_production(project: Project) -> None:
    """A short secret works outside production, with a warning."""
    loaded = project.load({"auth": {"jwtSecret": "short"}})

    assert loaded.settings.auth_jwt_secret == Secret("short")
    assert ["shorter than 32 bytes" in each for each in loaded.warnings] == [True]


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", b"x" * 70_000])
def test_unusable_secret_file_is_a_fault(project: Project, content: bytes) -> None:
    """A secret file without a text is a fault, not a new secret."""
    (project.folder / "mounted").write_bytes(content)

    (fault,) = project.faults(environ={"BAKEND_AUTH_JWT_SECRET_FILE": "mounted"})

    assert fault == f"The secret file {project.folder / 'mounted'} must hold a non-empty text"


def test_missing_secret_file_is_a_fault(project: Project) -> None:
    """A secret file that was named and is not there is not replaced by another source."""
    ensure_secret(project.folder)

    (fault,) = project.faults(environ={"BAKEND_AUTH_JWT_SECRET_FILE": "mounted"})

    assert fault == (
        f"Failed to read the secret file {project.folder / 'mounted'}: No such file or directory"
    )


def test_secret_masks_itself(project: Project) -> None:
    """No text made from a secret, its settings or its rows shows it."""
    loaded = project.load({"auth": {"jwtSecret": GOOD}})
    secret = loaded.settings.auth_jwt_secret

    shown = f"{secret} {secret!r} {loaded} {loaded.settings.as_dict()} {rows(loaded)}"

    assert GOOD not in shown
    assert secret == Secret(GOOD)
    assert secret != Secret(OTHER)
    assert len({Secret(GOOD), Secret(GOOD), Secret(OTHER)}) == 2


def test_wrong_secret_is_not_quoted(project: Project) -> None:
    """A fault about a secret does not repeat what was written."""
    faults = project.faults(
        {"auth": {"jwtSecret": [GOOD]}}, environ={"BAKEND_AUTH_JWT_SECRET": GOOD + "\udc80"}
    )

    assert len(faults) == 2
    assert GOOD not in "".join(faults)
    assert "udc80" not in "".join(faults)


def test_secret_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    """The made secret is long, stays the same, and only its owner can read it."""
    old_mask = os.umask(0)
    try:
        secret = ensure_secret(tmp_path)
    finally:
        os.umask(old_mask)

    file = tmp_path / ".bakend" / "jwt_secret"
    assert len(secret.reveal().encode()) >= 32
    assert ensure_secret(tmp_path) == secret
    assert file.read_text() == secret.reveal() + "\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [each.name for each in file.parent.iterdir()] == ["jwt_secret"]


def test_two_starts_at_once_agree_on_the_secret(tmp_path: Path) -> None:
    """Whoever makes the secret first, everybody uses the same one."""
    for round_ in range(50):
        project = tmp_path / str(round_)
        project.mkdir()
        barrier = threading.Barrier(2)
        found: list[str] = []

        def start(
            project: Path = project,
            barrier: threading.Barrier = barrier,
            found: list[str] = found,
        ) -> None:
            barrier.wait(10)
            found.append(ensure_secret(project).reveal())

        threads = [threading.Thread(target=start) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)

        assert len(found) == 2
        assert found[0] == found[1]
        assert [each.name for each in (project / ".bakend").iterdir()] == ["jwt_secret"]


def test_secret_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A project that cannot be written says so, with the way out."""
    (tmp_path / ".bakend").write_text("a file in the way")

    with pytest.raises(NotWritableError, match="Cannot make the secret file") as caught:
        ensure_secret(tmp_path)

    assert "BAKEND_AUTH_JWT_SECRET_FILE" in caught.value.hint


def test_rows_are_json_and_complete(project: Project) -> None:
    """The listing has every setting, and is JSON."""
    listed = rows(project.load(environ={"BAKEND_SERVER_TRUSTED_PROXIES": "10.0.0.0/8"}))

    assert json.loads(json.dumps(listed)) == listed
    assert [row["key"] for row in listed] == [line.key for line in TABLE.values()]
    values = {row["key"]: row["value"] for row in listed}
    assert values["host"] == "*"
    assert values["auth.accessTokenTtl"] == "15m"
    assert values["limits.jsonBody"] == "1 MiB"
    assert values["server.trustedProxies"] == ["10.0.0.0/8"]


@pytest.mark.parametrize("name", TABLE)
def test_shown_value_can_be_written_back(name: str) -> None:
    """What the listing shows may stand in the config file and means the same there."""
    line = TABLE[name]
    for value in (line.default, line.dev_default):
        if value is not None or name == "host":
            assert line.kind.parse(line.kind.show(value)) == value


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (0.5, "500ms"), (90, "90s"), (900, "15m"), (604_800, "7d")]
)
def test_duration_is_written_in_its_largest_unit(seconds: float, text: str) -> None:
    """A duration is shown as a person would write it."""
    line = TABLE["database_busy_timeout_s"]

    assert line.kind.show(seconds) == text


def test_names_follow_from_keys() -> None:
    """Field and variable of a setting are its key, the field with its unit at the end."""
    for name, line in TABLE.items():
        assert name in {snake(line.key) + unit for unit in ("", "_s", "_bytes")}
        assert line.variable == f"BAKEND_{snake(line.key).upper()}"

    assert TABLE["auth_jwt_secret"].variable == "BAKEND_AUTH_JWT_SECRET"
    assert TABLE["log_level"].flag == "--log-level"


def test_a_project_that_another_start_makes_meanwhile_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several first starts in an empty folder, none takes what the others leave for a wrong folder."""
    module = sys.modules["bakend.settings.load"]
    look: Any = vars(module)["_is_there"]

    def look_and_be_late(path: Path) -> bool:
        found: bool = look(path)
        (tmp_path / "collections").mkdir(exist_ok=True)
        return found

    monkeypatch.setattr(module, "_is_there", look_and_be_late)

    assert load(tmp_path / "bakend.json", cwd=tmp_path, environ={}, mode="start").is_missing


def test_settings_are_frozen() -> None:
    """Nothing can change a setting while Bakend runs."""
    settings: Any = Settings()

    with pytest.raises(AttributeError):
        settings.port = 1


def test_reference_is_fresh() -> None:
    """docs/reference/settings.md is what scripts/settings-reference writes."""
    render = runpy.run_path(str(ROOT / "scripts" / "settings-reference"))["render"]
    written = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")

    assert written == render()
