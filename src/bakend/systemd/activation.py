"""Sockets that systemd has opened for us: `LISTEN_FDS` of sd_listen_fds(3)."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Final

from bakend.errors import SettingsError

FIRST: Final = 3
"""The first descriptor: those before it are the standard ones."""

MOST: Final = 64
"""More listening sockets than a unit has lines for is a mistake."""

_HINT: Final = "In bakend.socket, write ListenStream= with a port, or an address and a port"


def passed_sockets(environ: Mapping[str, str]) -> list[socket.socket]:
    """Return the listening sockets that were passed to this process; none where there is no such.

    Call it once: the descriptors belong to what is returned. Where one is refused, the process ends.

    Raises:
        SettingsError: One of them is no listening TCP socket.
    """
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return []  # they were for a parent of ours
    try:
        count = int(environ.get("LISTEN_FDS", ""))
    except ValueError:
        count = -1
    if not 0 <= count <= MOST:
        raise SettingsError([f"LISTEN_FDS must be a number from 0 to {MOST}"], hint=_HINT)
    return [_listening(descriptor) for descriptor in range(FIRST, FIRST + count)]


def _listening(descriptor: int) -> socket.socket:
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError as error:
        raise _wrong(descriptor, error.strerror or str(error)) from error
    sock.set_inheritable(False)
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != socket.SOCK_STREAM:
        reason = "it is not a TCP socket"
    elif not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        reason = "it does not listen (Accept=yes is not for Bakend)"
    else:
        return sock
    sock.close()
    raise _wrong(descriptor, reason)


def _wrong(descriptor: int, reason: str) -> SettingsError:
    return SettingsError(
        [f"The socket that systemd passed as descriptor {descriptor} cannot be used: {reason}"],
        hint=_HINT,
    )
