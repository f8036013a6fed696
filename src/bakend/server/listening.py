"""Sockets that listen: binding them, with a sentence for each way it fails, and accepting."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from waitress import wasyncore  # type: ignore[import-untyped]  # ships no types

from bakend.errors import AddressInUseError, SettingsError
from bakend.server.failures import OUT_OF_DESCRIPTORS

BACKLOG: Final = 1_024
"""Connections that the kernel holds for us; it lowers this to its own limit."""

ACCEPTS_PER_TURN: Final = 64
"""A turn of the loop looks at every connection: a burst of new ones should not cost one each."""

FREE_PORT_ATTEMPTS: Final = 20
"""A port that is free on IPv4 may be taken on IPv6."""

_NO_SUCH_FAMILY: Final = frozenset({errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EADDRNOTAVAIL})
_OUT_OF_RESOURCES: Final = OUT_OF_DESCRIPTORS | {errno.ENOBUFS, errno.ENOMEM}
_Place = tuple[socket.AddressFamily, tuple[Any, ...]]


_log = logging.getLogger("bakend.server")


def listen_on(host: str | None, port: int) -> list[socket.socket]:
    """Return sockets that listen on every address of a host, all on the same port.

    Args:
        host: None for all interfaces: IPv4, and IPv6 where the machine has it.
        port: 0 for any that is free.

    Raises:
        AddressInUseError: Another process listens there.
        SettingsError: The host is unknown or not of this machine, or the port is not allowed.
    """
    places = _resolve(host, port)
    for attempt in range(1, FREE_PORT_ATTEMPTS + 1):
        try:
            sockets = _bind_all(places, port)
            break
        except OSError as failure:
            if failure.errno == errno.EADDRINUSE and port == 0 and attempt < FREE_PORT_ATTEMPTS:
                continue
            raise _explained(failure, host, port) from failure
    for sock in sockets:
        sock.listen(BACKLOG)
    return sockets


def client_address(address: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a client's address; one of IPv4 as such, also where a socket for both families took it."""
    host = address[0]
    if host.startswith("::ffff:") and "." in host:
        return (host.removeprefix("::ffff:"), address[1])
    return address


def _resolve(host: str | None, port: int) -> list[_Place]:
    if host is None:
        everywhere = "0.0.0.0"  # noqa: S104  # that is what was asked for
        return [(socket.AF_INET, (everywhere, port)), (socket.AF_INET6, ("::", port))]
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as failure:
        raise SettingsError(
            [f'Host "{host}" is unknown'],
            hint="Set host to an address of this machine, such as 127.0.0.1; unset, all are used",
        ) from failure
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def _bind_all(places: list[_Place], port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, address in places:
            try:
                sock = _bind(family, (address[0], port, *address[2:]))
            except OSError as failure:
                if failure.errno not in _NO_SUCH_FAMILY:
                    raise
                missing = failure
            else:
                sockets.append(sock)
                port = sock.getsockname()[1]
        if missing is not None and not sockets:
            raise missing
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _bind(family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            # One socket for both would show clients of IPv4 as ::ffff:192.0.2.1.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # Without it, connections of the process before keep the port for a minute.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def _explained(failure: OSError, host: str | None, port: int) -> AddressInUseError | SettingsError:
    match failure.errno:
        case errno.EADDRINUSE:
            return AddressInUseError(
                f"Port {port} is already in use",
                hint="Stop the process that listens there, or choose another port with --port",
            )
        case errno.EACCES | errno.EPERM:
            return SettingsError(
                [f"Port {port} may not be used by this user"],
                hint="Choose a port from 1024 on, or allow it: in a systemd unit with "
                "AmbientCapabilities=CAP_NET_BIND_SERVICE",
            )
        case errno.EADDRNOTAVAIL:
            return SettingsError(
                [f'Host "{host}" is not an address of this machine'],
                hint="Set host to one that is, such as 127.0.0.1; unset, all are used",
            )
    return SettingsError([f"Cannot listen on port {port}: {failure.strerror}"])


class Listener(wasyncore.dispatcher):  # type: ignore[misc]  # Waitress has no types
    """A socket that accepts connections. All methods run on the loop."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        admit: Callable[[socket.socket, Any], None],
        make_room: Callable[[], bool],
        sockets: dict[int, Any],
    ) -> None:
        """Watch a socket that listens already.

        Args:
            sock: The socket; closed with this.
            admit: Is given each new connection and the client's address.
            make_room: Frees a descriptor; False when it can't.
            sockets: What the loop watches.
        """
        self._admit = admit
        self._make_room = make_room
        self.is_resting = False
        """True while no descriptor is left for another connection; the server ends it."""
        super().__init__(sock, map=sockets)
        self.accepting = True

    def readable(self) -> bool:
        """Return whether connections are wanted."""
        return not self.is_resting

    def writable(self) -> bool:
        """Return False: nothing is ever sent here."""
        return False

    def handle_accept(self) -> None:
        """Accept a number of connections."""
        for _ in range(ACCEPTS_PER_TURN):
            if not self.accept_one():
                return

    def accept_one(self) -> bool:
        """Accept a connection; return False when none is waiting, or none can be taken."""
        try:
            sock, address = self.socket.accept()
        except BlockingIOError:
            return False
        except OSError as failure:
            if failure.errno not in _OUT_OF_RESOURCES:
                return True  # that client is gone already; the next one is not
            if self._make_room():
                return True
            # The connection stays in the kernel: without a rest the loop would spin on it.
            self.is_resting = True
            _log.warning("no new connections for a moment: %s", failure)
            return False
        self._admit(sock, address)
        return True

    def handle_error(self) -> None:
        """Log: the base would stop listening."""
        _log.exception("a connection could not be accepted")


class Waker(wasyncore.dispatcher):  # type: ignore[misc]
    """Wakes the loop from another thread or a signal handler.

    In place of Waitress' trigger, whose pipe may block its writer, and after whose end a late
    thread would write to a descriptor that by then is another file's.
    """

    def __init__(self, sockets: dict[int, Any]) -> None:
        receiver, self._sender = socket.socketpair()
        self._sender.setblocking(False)
        super().__init__(receiver, map=sockets)
        self.connected = True

    def readable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return False."""
        return False

    def handle_read(self) -> None:
        """Take the bytes away; being awake was the point."""
        self.recv(4_096)

    def wake(self) -> None:
        """Make the loop turn once. Any thread, any signal handler, also after `close`."""
        with suppress(OSError):  # full: it is awake; closed: there is no loop
            self._sender.send(b"\0")

    def close(self) -> None:
        """Close both ends."""
        self._sender.close()
        super().close()
