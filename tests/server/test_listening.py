"""Binding, and how it fails."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bakend.errors import AddressInUseError, SettingsError
from bakend.server.listening import client_address, listen_on


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Close what a test opens."""
    with ExitStack() as stack:
        yield stack


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_all_addresses_of_a_host_share_a_free_port(stack: ExitStack) -> None:
    """Where a name has several addresses, any of them leads to the server."""
    sockets = [stack.enter_context(sock) for sock in listen_on("localhost", 0)]

    ports = {sock.getsockname()[1] for sock in sockets}
    assert len(ports) == 1
    socket.create_connection(("localhost", ports.pop())).close()


@pytest.mark.skipif(not _has_ipv6(), reason="the machine has no IPv6")
def test_without_a_host_both_families_are_served(stack: ExitStack) -> None:
    """No host means all interfaces, IPv4 and IPv6, on one port."""
    sockets = [stack.enter_context(sock) for sock in listen_on(None, 0)]

    assert {sock.family for sock in sockets} == {socket.AF_INET, socket.AF_INET6}
    port = sockets[0].getsockname()[1]
    for host in ("127.0.0.1", "::1"):
        socket.create_connection((host, port)).close()


def test_without_ipv6_ipv4_is_enough(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without IPv6 listens on IPv4 alone."""
    monkeypatch.setattr(socket, "AF_INET6", 99)  # a family that no kernel has

    sockets = [stack.enter_context(sock) for sock in listen_on(None, 0)]

    assert [sock.family for sock in sockets] == [socket.AF_INET]


def test_a_taken_port_is_one_sentence(stack: ExitStack) -> None:
    """A port in use is named, with what to do."""
    taken = stack.enter_context(listen_on("127.0.0.1", 0)[0])
    port = taken.getsockname()[1]

    with pytest.raises(AddressInUseError, match=f"Port {port} is already in use") as caught:
        listen_on("127.0.0.1", port)

    assert "--port" in caught.value.hint


@pytest.mark.parametrize(
    ("host", "message"),
    [
        pytest.param("no-such-host.invalid", "is unknown", id="a name that nobody knows"),
        pytest.param("x" * 70, "is unknown", id="no name at all"),
        pytest.param("192.0.2.1", "is not an address of this machine", id="someone else's"),
    ],
)
def test_a_wrong_host_is_one_sentence(host: str, message: str) -> None:
    """A host that cannot be listened on is named, with what to do."""
    with pytest.raises(SettingsError, match=message) as caught:
        listen_on(host, 0)

    assert "127.0.0.1" in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use every port")
def test_a_port_that_is_not_allowed_is_one_sentence() -> None:
    """A port below 1024 says who may use it, and how."""
    with pytest.raises(SettingsError, match="may not be used by this user"):
        listen_on("127.0.0.1", 1)


@pytest.mark.parametrize(
    ("seen", "meant"),
    [
        (("::ffff:192.0.2.7", 5, 0, 0), ("192.0.2.7", 5)),
        (("192.0.2.7", 5), ("192.0.2.7", 5)),
        (("2001:db8::7", 5, 0, 0), ("2001:db8::7", 5, 0, 0)),
        (("::ffff:1", 5, 0, 0), ("::ffff:1", 5, 0, 0)),
    ],
)
def test_a_client_of_ipv4_has_an_address_of_ipv4(
    seen: tuple[object, ...], meant: tuple[object, ...]
) -> None:
    """Also where one socket serves both families: limits and trusted proxies are told as IPv4."""
    assert client_address(seen) == meant
