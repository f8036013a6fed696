"""The units that `bak systemd print-unit` prints: files beside this one, with some values replaced."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

from bakend.errors import SettingsError

CONFIG: Final = "/opt/bakend/bakend.json"
EXECUTABLE: Final = "/usr/local/bin/bak"
USER: Final = "bakend"
LISTEN: Final = "8080"

# Quotes, `%`, `$`, `\`, `:` and white space mean something in one unit line or another.
_PLAIN_PATH: Final = re.compile(r"(/[^\s\"'%$\\:;*?\[\]/\x00-\x1f\x7f]+)+")
# What useradd of Debian takes.
_USER: Final = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
_LISTEN: Final = re.compile(r"(?:(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\]):)?(\d{1,5})")

# Services have places of their own there, or none.
_HIDDEN: Final = ("/tmp", "/var/tmp", "/dev", "/proc", "/sys", "/run")  # noqa: S108  nothing is written
_HOMES: Final = ("/home", "/root")


def service_unit(*, config: str = CONFIG, user: str = USER, executable: str = EXECUTABLE) -> str:
    """Return the service unit for one project.

    Args:
        config: Absolute path of `bakend.json`; its folder is what the service may write.
        user: Whom the service runs as; the group has the same name.
        executable: Absolute path of `bak`.

    Raises:
        SettingsError: One of them cannot be used in a unit.
    """
    faults = [
        *_path_faults("--config", config),
        *_path_faults("--executable", executable),
        *([] if _USER.fullmatch(user) else [f"--user {user!r} is not the name of a system user"]),
    ]
    folder = str(PurePosixPath(config).parent)
    if not faults and folder == "/":
        faults.append("--config must lie in a folder of its own, which the service may write")
    if faults:
        raise SettingsError(faults)
    lines = {
        "ExecStart": f"{executable} start --config {config}",
        "WorkingDirectory": folder,
        "ReadWritePaths": folder,
        "User": user,
        "Group": user,
    }
    shown = [path for path in (folder, executable) if _is_below(path, _HOMES)]
    if shown:  # the homes are hidden, but for these
        lines["ProtectHome"] = "tmpfs"
        kinds = {folder: "BindPaths", executable: "BindReadOnlyPaths"}
        lines["ProtectHome"] += "".join(f"\n{kinds[path]}={path}" for path in shown)
    return _with(_file("bakend.service"), lines)


def socket_unit(*, listen: str = LISTEN) -> str:
    """Return the socket unit.

    Args:
        listen: `PORT` for all addresses, or `ADDRESS:PORT`; IPv6 in brackets.

    Raises:
        SettingsError: It is neither.
    """
    found = _LISTEN.fullmatch(listen)
    if found is None or not 1 <= int(found[1]) <= 65_535:
        raise SettingsError(
            [f"--listen {listen!r} is neither a port nor an address and a port"],
            hint="Write it as 8080, 127.0.0.1:8080 or [::1]:8080",
        )
    return _with(_file("bakend.socket"), {"ListenStream": listen})


def _path_faults(option: str, path: str) -> list[str]:
    if not path.startswith("/"):
        return [f"{option} must be an absolute path, not {path!r}"]
    if not _PLAIN_PATH.fullmatch(path) or ".." in path.split("/"):
        return [
            f"{option} {path!r} cannot stand in a unit: no white space, quotes, "
            "%, $, \\, :, ;, *, ?, brackets or .."
        ]
    if _is_below(path, _HIDDEN):
        return [f"{option} {path!r} cannot be seen by a service: choose another folder"]
    return []


def _is_below(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _with(unit: str, lines: Mapping[str, str]) -> str:
    """Replace the value of each key; every one of them stands in the unit once."""
    for key, value in lines.items():
        unit, count = re.subn(
            rf"(?m)^{key}=.*$", f"{key}={value}", unit
        )  # no value has a backslash
        assert count == 1, key
    return unit


def _file(name: str) -> str:
    content = pkgutil.get_data(__package__, name)
    assert content is not None
    return content.decode()
