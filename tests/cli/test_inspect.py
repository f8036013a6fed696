"""`bak version`, `bak settings`, `bak health`."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bakend import executable
from bakend.settings import Settings
from bakend.settings.table import TABLE
from bakend.version import VERSION

from terminal import Terminal

SECRET = "a secret that nobody must ever see on a screen"


def test_version_prints_the_version(bak: Terminal) -> None:
    """The version is on stdout and alone; no project is needed."""
    result = bak("version")

    assert (result.code, result.out, result.err) == (0, f"{VERSION}\n", "")


def test_version_tells_what_is_inside(bak: Terminal) -> None:
    """The long form names each part in a line; the same as JSON."""
    text, data = bak("version", "--verbose"), bak("version", "--json").json

    assert data["version"] == VERSION
    assert {"python", "sqlite", "openssl"} <= data.keys()
    assert [line.split() for line in text.lines] == [[key, data[key] or "-"] for key in data]


def test_verify_has_nothing_to_check_in_a_source_tree(bak: Terminal) -> None:
    """Only the single file can be damaged by a bad download; from source the answer is 0."""
    result = bak("verify")

    said = "whole" if executable.IS_ONE_FILE else "runs from source: nothing to check"
    assert (result.code, result.out) == (0, f"{said}\n")


def test_settings_tell_where_each_value_came_from(
    bak: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last source wins, and is named: default, file, .env, environment."""
    (tmp_path / "bakend.json").write_text('{"port": 1, "logLevel": "WARN", "storage": "./files"}')
    (tmp_path / ".env").write_text("BAKEND_PORT=2\nBAKEND_LOG_LEVEL=DEBUG\n")
    monkeypatch.setenv("BAKEND_PORT", "3")

    rows = {row["key"]: row for row in bak("settings", "--json").json["settings"]}

    assert (rows["port"]["value"], rows["port"]["source"]) == (3, "BAKEND_PORT")
    assert (rows["logLevel"]["value"], rows["logLevel"]["source"]) == ("DEBUG", ".env")
    assert rows["storage"]["value"] == str(tmp_path / "files")
    assert rows["storage"]["source"] == "bakend.json"
    assert rows["server.threads"]["source"] == "default"
    assert rows["server.threads"]["value"] == Settings().server_threads


def test_settings_show_the_whole_table(bak: Terminal, tmp_path: Path) -> None:
    """Text and JSON name every setting once, in the order of the table."""
    (tmp_path / "bakend.json").write_text("{}")
    keys = [line.key for line in TABLE.values()]

    text = bak("settings")
    data = bak("settings", "--json").json

    assert text.lines[0] == data["config"] == str(tmp_path / "bakend.json")
    assert [line.split()[0] for line in text.lines[2:]] == keys
    assert [row["key"] for row in data["settings"]] == keys
    assert all(row["help"] for row in data["settings"])


@pytest.mark.parametrize("source", ["bakend.json", ".env", "environment", "file"])
def test_settings_mask_the_secret(
    bak: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """Wherever the secret comes from, it is shown as stars."""
    (tmp_path / "bakend.json").write_text("{}")
    match source:
        case "bakend.json":
            (tmp_path / "bakend.json").write_text(json.dumps({"auth": {"jwtSecret": SECRET}}))
        case ".env":
            (tmp_path / ".env").write_text(f'BAKEND_AUTH_JWT_SECRET="{SECRET}"\n')
        case "environment":
            monkeypatch.setenv("BAKEND_AUTH_JWT_SECRET", SECRET)
        case "file":
            (tmp_path / "secret").write_text(SECRET)
            monkeypatch.setenv("BAKEND_AUTH_JWT_SECRET_FILE", "secret")

    text, data = bak("settings"), bak("settings", "--json")

    row = next(row for row in data.json["settings"] if row["key"] == "auth.jwtSecret")
    assert row["value"] == "********"
    assert row["source"] not in ("default", "not made yet")
    assert not any(SECRET in part for part in (text.out, text.err, data.out, data.err))


def test_settings_warn_about_what_they_do_not_know(bak: Terminal, tmp_path: Path) -> None:
    """An unknown key is no failure; the nearest known one is named on stderr."""
    (tmp_path / "bakend.json").write_text('{"prot": 9000}')

    result = bak("settings")

    assert result.code == 0
    assert result.err.startswith('Warning: Unknown setting "prot"')
    assert 'did you mean "port"?' in result.err


def test_settings_leave_no_trace(bak: Terminal, tmp_path: Path) -> None:
    """Looking makes neither secret nor database nor folder."""
    (tmp_path / "bakend.json").write_text("{}")

    bak("settings")

    assert [each.name for each in tmp_path.iterdir()] == ["bakend.json"]


@contextmanager
def _answering(answer: bytes | None) -> Iterator[str]:
    """Something that takes one connection and says this; None: nothing at all."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        over = threading.Event()

        def serve() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                if answer is not None:
                    connection.recv(65_536)
                    connection.sendall(answer)
                else:
                    over.wait(60)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _http(body: str, *, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return (head + body).encode()


def test_health_is_ok_when_the_server_says_so(bak: Terminal) -> None:
    """A good answer ends with code 0 and the server's version."""
    with _answering(_http('{"status": "ok", "version": "1.2.3"}')) as url:
        result = bak("health", "--url", url)

    assert (result.code, result.out) == (0, f"{url}: ok, version 1.2.3\n")


def test_health_asks_the_server_of_the_project(bak: Terminal, tmp_path: Path) -> None:
    """Without --url the project's own host and port are asked."""
    with _answering(_http('{"status": "ok", "version": "1.2.3"}')) as url:
        port = int(url.rpartition(":")[2])
        (tmp_path / "bakend.json").write_text(json.dumps({"port": port, "host": "127.0.0.1"}))

        result = bak("health", "--json")

    assert result.code == 0
    assert result.json == {
        "url": url,
        "ok": True,
        "answer": {"status": "ok", "version": "1.2.3"},
        "error": None,
    }


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (_http("{}", status="503 Service Unavailable"), "not well: it answered 503"),
        (_http('{"error": {}}', status="404 Not Found"), "not well: it answered 404"),
        (_http("<html>hello</html>"), "the answer is not one of Bakend"),
        (_http('{"status": "ok"}'), "the answer is not one of Bakend"),
        (_http('{"status": "no", "version": "1"}'), "the answer is not one of Bakend"),
        (_http("[]"), "the answer is not one of Bakend"),
        (_http("[" * 60_000), "the answer is not one of Bakend"),
        (_http("\xff"), "the answer is not one of Bakend"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "the answer is not one of Bakend"),
        (b"", "no answer: "),
    ],
    ids=["503", "404", "html", "no version", "not ok", "list", "deep", "latin", "ssh", "hangup"],
)
def test_health_says_what_is_wrong(bak: Terminal, answer: bytes, problem: str) -> None:
    """Whatever else answers ends with code 69 and a sentence."""
    with _answering(answer) as url:
        result = bak("health", "--url", url)

    assert result.code == 69
    assert result.err.startswith(f"{url}: {problem}")
    assert result.out == ""


def test_health_tells_when_nobody_is_there(bak: Terminal) -> None:
    """A port that nobody listens on ends with code 69."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    result = bak("health", "--url", url, "--json")

    assert result.code == 69
    assert result.json["ok"] is False
    assert result.json["error"] == "no answer: Connection refused"


def test_health_does_not_wait_for_ever(bak: Terminal) -> None:
    """A server that says nothing is given up after the time that was given."""
    with _answering(None) as url:
        result = bak("health", "--url", url, "--timeout", "0.2")

    assert (result.code, result.err) == (69, f"{url}: no answer within 0.2 s\n")


@pytest.mark.parametrize(
    "url", ["localhost:8080", "http://", "http://[::1", "http://127.0.0.1:99999", "ftp://127.0.0.1"]
)
def test_health_says_what_a_url_is(bak: Terminal, url: str) -> None:
    """A text that is no URL of ours gets the form of one."""
    result = bak("health", "--url", url)

    assert result.code == 69
    assert "write http://HOST:PORT" in result.err
