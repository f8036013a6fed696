"""Bakend behind the proxies of the guide, with their configuration as it stands there."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
from collections.abc import Iterator
from typing import Final

from verify.catalog import full
from verify.hosts.guides import blocks
from verify.hosts.host import Host
from verify.hosts.http import free_port
from verify.hosts.network import install
from verify.hosts.server import Server, make_project, started, wait_until
from verify.lab import Lab
from verify.outcome import expect

PROJECT: Final = "/srv/app"
SITE: Final = "api.example.com"
TOKEN: Final = "a-token-that-no-log-may-have"  # noqa: S105  of nobody
LARGE: Final = b"x" * (5 * 1024 * 1024)
"""More than proxies take by themselves."""


@full
def nginx(lab: Lab) -> str:
    """nginx as in the guide: TLS, WebSockets, large bodies, its request ids, and no token in its log."""
    with lab.bare() as host, _served(host) as server:
        version = _install(host, "nginx-light", "openssl", "/usr/sbin/nginx", "-v")
        port = free_port()
        text = _of_the_guide("nginx")
        for before, after in (
            ("127.0.0.1:8080", f"127.0.0.1:{server.port}"),
            ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
            ("/etc/ssl/api.example.com", "/srv/site"),
            ("/var/log/nginx/bakend.log", "/srv/access.log"),
        ):
            expect(before in text, f"the guide has no {before}")
            text = text.replace(before, after)
        host.at("/srv/nginx.conf").write_text(f"pid /srv/pid;\nevents {{}}\nhttp {{\n{text}}}\n")
        host.must(
            *("/usr/bin/openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", f"/CN={SITE}", "-keyout", "/srv/site.key", "-out", "/srv/site.pem"),
        )
        host.start(
            *("/usr/sbin/nginx", "-c", "/srv/nginx.conf", "-g", "daemon off;"),
            output=os.open(host.at("/srv/output"), os.O_WRONLY | os.O_CREAT),
        )
        _prove(port, has_tls=True)
        log = host.at("/srv/access.log")
        # A WebSocket gets its line when it has ended.
        wait_until(lambda: "/api/realtime" in log.read_text(), 30, "a line for the WebSocket")
        expect(TOKEN not in log.read_text(), f"its log: {log.read_text()[-300:]}")
    return version


@full
def caddy(lab: Lab) -> str:
    """Caddy as in the guide, without the certificate: WebSockets, large bodies, its request ids."""
    with lab.bare() as host, _served(host) as server:
        version = _install(host, "caddy", "ca-certificates", "/usr/bin/caddy", "version")
        port = free_port()
        text = _of_the_guide("caddyfile")
        for before, after in (
            ("127.0.0.1:8080", f"127.0.0.1:{server.port}"),
            # A certificate comes from who can reach the site; the rest is the same without.
            (f"{SITE} {{", f"http://{SITE}:{port} {{"),
        ):
            expect(before in text, f"the guide has no {before}")
            text = text.replace(before, after)
        host.at("/srv/Caddyfile").write_text(f"{{\n\tadmin off\n}}\n{text}")
        host.start(
            *("/usr/bin/caddy", "run", "--config", "/srv/Caddyfile", "--adapter", "caddyfile"),
            output=os.open(host.at("/srv/output"), os.O_WRONLY | os.O_CREAT),
        )
        _prove(port, has_tls=False)
    return version


def _of_the_guide(language: str) -> str:
    return blocks("deploy-proxy.md", language)[0]


@contextlib.contextmanager
def _served(host: Host) -> Iterator[Server]:
    """Yield Bakend with the settings of the guide."""
    config = make_project(host, PROJECT)
    host.at(f"{PROJECT}/bakend.json").write_text(_of_the_guide("json"))
    with started(host, config) as server:
        server.wait_well()
        yield server
        server.stop()


def _install(host: Host, package: str, other: str, *version: str) -> str:
    install(host, package, other)
    done = host.run(*version)
    return (done.stdout + done.stderr).strip().splitlines()[0]


def _prove(port: int, *, has_tls: bool) -> None:
    """Ask through the proxy for everything that one could hold up."""

    def ask(method: str, path: str, body: bytes | None = None) -> tuple[int, str, str]:
        """Return status, request id and text of an answer."""
        connection: http.client.HTTPConnection
        if has_tls:
            connection = http.client.HTTPSConnection("127.0.0.1", port, context=_trusting())
        else:
            connection = http.client.HTTPConnection("127.0.0.1", port)
        with contextlib.closing(connection):
            kind = {"Content-Type": "application/json"} if body else {}
            headers = {"Host": f"{SITE}:{port}", "X-Request-Id": "of-the-client", **kind}
            # A refusal may come before all is sent, and the proxy then takes no more.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read().decode()
            return response.status, response.headers.get("X-Request-Id", ""), text

    def is_well() -> bool:
        try:
            return ask("GET", "/health")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    wait_until(is_well, 30, "an answer through the proxy")
    _, request, _ = ask("GET", "/health")
    expect(not request.startswith(("req_", "of-the")), f"the id of a request is {request}")
    status, _, text = ask("POST", "/api/notes", json.dumps({"text": "through a proxy"}).encode())
    expect(status == 201, f"a record: {status} {text[:80]}")
    status, _, text = ask("POST", "/api/notes", LARGE)
    expect(status == 413 and '"error"' in text, f"5 MB: {status} {text[:80]}")
    _prove_websocket(port, has_tls=has_tls)


def _prove_websocket(port: int, *, has_tls: bool) -> None:
    site = f"{SITE}:{port}"
    scheme = "https" if has_tls else "http"
    head = (
        f"GET /api/realtime?token={TOKEN} HTTP/1.1\r\nHost: {site}\r\nOrigin: {scheme}://{site}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
        if has_tls:
            sock = stack.enter_context(_trusting().wrap_socket(sock))
        sock.sendall(head.encode())
        seen = b""
        while b'"connected"' not in seen:
            piece = sock.recv(4096)
            expect(piece, f"a WebSocket: {seen[:120]!r}")
            seen += piece
    expect(seen.startswith(b"HTTP/1.1 101"), f"a WebSocket: {seen[:120]!r}")


def _trusting() -> ssl.SSLContext:
    """Return a context for a certificate that was made a moment ago."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
