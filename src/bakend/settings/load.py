"""Merges the sources of settings: default < bakend.json < .env < environment < flags.

Every source is checked whole, also where a later one overrides it, and every fault is reported
at once. Nothing is written and nothing is created: a command that only looks leaves no trace.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, TypeVar

from bakend.errors import SettingsError
from bakend.structs import Struct

from .secret import SHORTEST_BYTES, Secret, read_secret, secret_file
from .sources import flatten, read_config, read_dotenv
from .table import PATH_SECTIONS, TABLE, Setting, Settings
from .values import OPTIONAL_PATH, shorten

T = TypeVar("T")

# What defaults hold: `dev` is for one machine; a `command` is not a server and starts nothing.
Mode: TypeAlias = Literal["start", "dev", "command"]

SECRET_FILE_VARIABLE: Final = "BAKEND_AUTH_JWT_SECRET_FILE"  # noqa: S105 - its name, not a secret

# What may lie in an empty folder: a new repository, and what ext4 makes in every new volume.
NOBODYS: Final = frozenset({".git", "lost+found"})

# Variables that are no settings: read by the command line, by accounts, or by the installer.
_OTHER_VARIABLES: Final = frozenset(
    {
        SECRET_FILE_VARIABLE,
        "BAKEND_ADMIN_EMAIL",
        "BAKEND_ADMIN_PASSWORD",
        "BAKEND_CONFIG",
        "BAKEND_ENV",
        "BAKEND_INIT",
        "BAKEND_REPO",
        "BAKEND_VERSION",
    }
)
_OTHER_PREFIXES: Final = ("BAKEND_TEST_", "BAKEND_INSTALL_")

_BY_KEY: Final = {line.key: line for line in TABLE.values()}
_NAMES: Final = {line.key: name for name, line in TABLE.items()}
_BY_VARIABLE: Final = {line.variable: line for line in TABLE.values()}
_SECTIONS: Final = {key.rpartition(".")[0] for key in _BY_KEY} - {""}
_SECRET: Final = TABLE["auth_jwt_secret"]


class Loaded(Struct, kw_only=True):
    """The settings of one project, and how they came to be."""

    settings: Settings
    # The folder of the config file: collections/, functions/ and jobs/ are in it.
    project: Path
    # Absolute path of the config file, whether it is there or not.
    config: Path
    # Key to "default", "bakend.json", ".env", "BAKEND_PORT" or "flag --port".
    sources: Mapping[str, str]
    # For the log, once there is one: a sentence each.
    warnings: tuple[str, ...]
    # True with BAKEND_ENV=production.
    is_production: bool
    # BAKEND_ADMIN_EMAIL and BAKEND_ADMIN_PASSWORD: the administrator to begin with.
    admin_email: str | None
    admin_password: Secret | None
    # True when there is no project yet and one was asked for: `bak init` first, then load again.
    is_missing: bool
    # The environment with what .env adds: the secrets that functions may ask for.
    variables: Mapping[str, str] = MappingProxyType({})


class _Origin(Struct, kw_only=True):
    """Where a value was written, in the words of its readers."""

    # As `Loaded.sources` has it.
    label: str
    # As a fault has it: "in /srv/app/bakend.json", "BAKEND_PORT".
    place: str
    # What a relative path starts from.
    folder: Path
    # For a value that cannot even be read: "BAKEND_PORT environment variable".
    written: str = ""


def load(
    config: Path | None,
    *,
    cwd: Path,
    environ: Mapping[str, str],
    flags: Mapping[str, object] = MappingProxyType({}),
    mode: Mode,
) -> Loaded:
    """Return the settings of a project.

    Args:
        config: The config file that was asked for; None looks for `bakend.json` in `cwd`.
        cwd: Absolute.
        flags: Key of the table to a parsed value or a text; None is a flag that was not given.
            Relative paths start from `cwd`.

    Raises:
        SettingsError: With every fault of every source, or when there is no project.
    """
    path = Path(os.path.normpath(cwd / (config or "bakend.json")))
    merge = _Merge(path, mode)

    unreadable: dict[str, object] | None = {}
    root = merge.attempt(lambda: read_config(path), failed=unreadable)
    merge.take_config(root or {})
    dotenv: dict[str, str] = merge.attempt(lambda: read_dotenv(path.parent / ".env"), failed={})
    merge.take_variables(dotenv, path.parent / ".env")
    merge.take_variables(environ, None)
    merge.take_flags(flags, cwd)

    variables = {**dotenv, **environ}
    is_production = variables.get("BAKEND_ENV") == "production"
    merge.choose_secret(environ.get("CREDENTIALS_DIRECTORY"), variables, is_production)
    wanted = config is not None or environ.get("BAKEND_INIT") == "1"
    is_missing = root is None and merge.find_project(
        may_be_made=wanted and mode != "command", may_be_absent=environ.get("BAKEND_INIT") == "1"
    )

    if merge.faults:
        raise SettingsError(merge.faults, hint=merge.hint)
    return Loaded(
        settings=Settings(**merge.values),
        project=path.parent,
        config=path,
        sources=MappingProxyType(merge.sources),
        warnings=tuple(merge.warnings),
        is_production=is_production,
        admin_email=variables.get("BAKEND_ADMIN_EMAIL", "").strip().lower() or None,
        admin_password=_secret_or_none(variables.get("BAKEND_ADMIN_PASSWORD")),
        is_missing=is_missing,
        variables=MappingProxyType(variables),
    )


class _Merge:
    """Collects values, faults and warnings, source by source."""

    def __init__(self, path: Path, mode: Mode) -> None:
        self.path: Final = path
        self.project: Final = path.parent
        self.faults: list[str] = []
        self.warnings: list[str] = []
        # The first that is set; what to do about the rest is in the faults.
        self.hint = ""
        # Field name to parsed value.
        self.values: dict[str, Any] = {}
        # Key to where it came from.
        self.sources: dict[str, str] = {}
        for name, line in TABLE.items():
            value = line.dev_default if mode == "dev" else line.default
            self.values[name] = self._absolute(value, self.project)
            self.sources[line.key] = "default"

    def attempt(self, read: Callable[[], T], *, failed: T) -> T:
        """Return what could be read; keep the faults of what could not."""
        try:
            return read()
        except SettingsError as error:
            self.faults += error.faults
            self.hint = self.hint or error.hint
            return failed

    def take_config(self, root: dict[str, object]) -> None:
        seen: set[str] = set()
        origin = _Origin(label=self.path.name, place=f"in {self.path}", folder=self.project)
        for key, raw in flatten(root, known=_BY_KEY, path_sections=PATH_SECTIONS):
            line = _BY_KEY.get(key)
            if key in seen:
                self.faults.append(f"Invalid config: {key} is given twice (in {self.path})")
            elif line is not None:
                # null is the default, except where the original has always refused it.
                if raw is not None or line.kind is OPTIONAL_PATH:
                    self._take(line, raw, origin)
            elif key in _SECTIONS:
                if raw is not None:
                    fault = f"{key} must be an object, got {_shown(raw)} (in {self.path})"
                    self.faults.append(f"Invalid config: {fault}")
            elif key != "$schema":  # editors look for it
                nearest = _nearest(key, [*_BY_KEY, *_SECTIONS])
                self.warnings.append(f'Unknown setting "{shorten(key)}" in {self.path}{nearest}')
            seen.add(key)

    def take_variables(self, variables: Mapping[str, str], dotenv: Path | None) -> None:
        """Take the `BAKEND_…` variables of the environment, or of a `.env` file."""
        suffix = "" if dotenv is None else f" in {dotenv}"
        for name in sorted(variables):
            if not name.startswith("BAKEND_") or name.startswith(_OTHER_PREFIXES):
                continue
            line = _BY_VARIABLE.get(name)
            if line is not None:
                origin = _Origin(
                    label=name if dotenv is None else dotenv.name,
                    place=f"{name}{suffix}",
                    folder=self.project,
                    written=f"{name} environment variable{suffix}",
                )
                self._take_text(line, variables[name], origin)
            elif name not in _OTHER_VARIABLES:
                nearest = _nearest(name, [*_BY_VARIABLE, *_OTHER_VARIABLES])
                self.warnings.append(f"Unknown variable {shorten(name)}{suffix}{nearest}")

    def take_flags(self, flags: Mapping[str, object], cwd: Path) -> None:
        for key, value in flags.items():
            line = _BY_KEY[key]
            label = f"flag {line.flag}"
            origin = _Origin(label=label, place=label, folder=cwd, written=label)
            if isinstance(value, str):
                self._take_text(line, value, origin)
            elif value is not None:
                self._take(line, value, origin)

    def choose_secret(
        self, credentials: str | None, variables: Mapping[str, str], is_production: bool
    ) -> None:
        """Put the secret that holds into `values`; None when it has to be made first."""
        secret, source = self._first_secret(credentials, variables)
        problem = _weakness(secret)
        if problem and is_production:
            self.faults.append(f"Invalid config: {problem} ({source})")
            self.hint = self.hint or "Remove it: Bakend makes one; or set at least 32 random bytes"
        elif problem and secret is not None and secret.is_known:
            self.warnings.append(f"{problem} ({source}): the project's own secret is used instead")
            secret, source = self._own_secret()
        elif problem:
            self.warnings.append(f"{problem} ({source}): production refuses it")
        self.values["auth_jwt_secret"] = secret
        self.sources[_SECRET.key] = source

    def find_project(self, *, may_be_made: bool, may_be_absent: bool) -> bool:
        """Decide what a missing config file means; True when the project is to be made."""
        # Before anything else is looked for: another start may be making it at this moment.
        is_new = may_be_made and _is_empty(self.project, may_be_absent)
        has_collections = not is_new and _is_there(self.project / "collections")
        if has_collections or _is_there(self.values["database"]):
            self.warnings.append(f"No config file at {self.path}: the defaults apply")
            return False
        if is_new:
            return True
        self.faults.append(f"No config file at {self.path}, and no project in its folder")
        self.hint = self.hint or 'Make a project with "bak init", or name its file with --config'
        return False

    def _first_secret(
        self, credentials: str | None, variables: Mapping[str, str]
    ) -> tuple[Secret | None, str]:
        """Return the secret that comes first, and where it came from."""
        if credentials:
            # Credentials may be there for others only: an absent file is none of ours.
            found = self._secret_in(Path(credentials) / "jwt_secret", must_exist=False)
            if found is not None:
                return found, "$CREDENTIALS_DIRECTORY/jwt_secret"
        named = variables.get(SECRET_FILE_VARIABLE)
        if named is not None and not named.strip():
            self.faults.append(
                f"Invalid {SECRET_FILE_VARIABLE} environment variable: must be non-empty"
            )
        elif named is not None:
            return self._secret_in(self.project / named, must_exist=True), SECRET_FILE_VARIABLE
        given: Secret | None = self.values["auth_jwt_secret"]
        if given is not None:
            return given, self.sources[_SECRET.key]
        return self._own_secret()

    def _own_secret(self) -> tuple[Secret | None, str]:
        own = self._secret_in(secret_file(self.project), must_exist=False)
        return own, ".bakend/jwt_secret" if own is not None else "not made yet"

    def _secret_in(self, path: Path, *, must_exist: bool) -> Secret | None:
        try:
            return self.attempt(lambda: read_secret(path), failed=None)
        except (FileNotFoundError, NotADirectoryError) as error:
            if not must_exist:
                return None
            reason = error.strerror
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            reason = str(getattr(error, "strerror", None) or error)
        self.faults.append(f"Failed to read the secret file {path}: {reason}")
        return None

    def _take_text(self, line: Setting, text: str, origin: _Origin) -> None:
        try:
            raw = line.kind.read(text)
        except ValueError as error:
            reason = str(error)
            rule = "" if reason.startswith("must") else f"({line.key} must be {line.kind.expected})"
            words = (f"Invalid {origin.written}:", reason, rule)
            self.faults.append(" ".join(word for word in words if word))
        else:
            self._take(line, raw, origin)

    def _take(self, line: Setting, raw: object, origin: _Origin) -> None:
        try:
            value = line.kind.parse(raw)
        except ValueError as error:
            got = "" if line.is_secret else f", got {_shown(raw)}"
            rule = line.kind.expected if line.is_secret else str(error) or line.kind.expected
            self.faults.append(f"Invalid config: {line.key} must be {rule}{got} ({origin.place})")
        else:
            self.values[_NAMES[line.key]] = self._absolute(value, origin.folder)
            self.sources[line.key] = origin.label

    @staticmethod
    def _absolute(value: object, folder: Path) -> object:
        return Path(os.path.normpath(folder / value)) if isinstance(value, Path) else value


def _secret_or_none(text: str | None) -> Secret | None:
    return Secret(text) if text else None


def _weakness(secret: Secret | None) -> str:
    """Return what is wrong with a secret, or nothing."""
    if secret is None:
        return ""
    if secret.is_known:
        return "auth.jwtSecret is a default/demo value that everybody knows"
    if secret.is_short:
        return f"auth.jwtSecret is shorter than {SHORTEST_BYTES} bytes"
    return ""


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long, a folder that may not be looked into
        return False


def _is_empty(folder: Path, may_be_absent: bool) -> bool:
    """True for a folder that `bak init` takes."""
    try:
        return {each.name for each in folder.iterdir()} <= NOBODYS
    except FileNotFoundError:
        return may_be_absent
    except OSError:
        return False


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean …?", or nothing when no known name is near."""
    import difflib  # for the one who mistyped; 2 ms of everybody's start

    names = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name[:100].lower(), names, n=1)
    return f'; did you mean "{names[found[0]]}"?' if found else ""


def _shown(raw: object) -> str:
    """Return a wrong value as it was written, short enough for a sentence."""
    if isinstance(raw, dict):
        return "an object"
    if isinstance(raw, list):
        return "a list"
    return shorten(json.dumps(raw, ensure_ascii=False, default=str))
