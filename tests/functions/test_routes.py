"""Which routes there are, what their handlers may ask for, and what they may return."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bakend.errors import UserCodeError
from bakend.functions.registry import listed, load
from bakend.functions.routes import Answer, Route, answer_of
from bakend.usercode.request import Response


def write(project: Path, name: str, text: str) -> None:
    (project / "functions").mkdir(exist_ok=True)
    (project / "functions" / name).write_text("from bakend import route\n" + text)


def one(project: Path) -> Route:
    write(project, "a.py", "@route('GET', '/x')\ndef f(): pass\n")
    (route,) = load(project).routes
    return route


def test_routes_are_listed_with_their_methods(tmp_path: Path) -> None:
    """As the admin API and `bak functions list` show them."""
    write(tmp_path, "a.py", "@route(['GET', 'POST'], 'hello/<name>/', auth='user')\ndef f(name): 0")

    (item,) = listed(load(tmp_path), given_up=["functions/a.py:f@GET,POST /api/_/hello/<name>"])

    assert item == {
        "name": "functions/a.py:f@GET,POST /api/_/hello/<name>",
        "collection": "",
        "type": "route",
        "eventType": "GET,POST /api/_/hello/<name>",
        "filePath": "functions/a.py",
        "error": None,
        "givenUp": 1,
    }


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "@route('FETCH', '/x')\ndef f(): 0",
            "functions/a.py:2: ValueError: A route answers DELETE",
        ),
        ("@route([], '/x')\ndef f(): 0", "functions/a.py:2: ValueError: A route answers DELETE"),
        (
            "@route('GET', '/x', auth='me')\ndef f(): 0",
            "functions/a.py:2: ValueError: auth is None",
        ),
        ("@route('GET', '/')\ndef f(): 0", 'functions/a.py:2: f "/" is no path of a route'),
        ("@route('GET', '/a//b')\ndef f(): 0", 'functions/a.py:2: f "/a//b" is no path'),
        ("@route('GET', '/<x')\ndef f(): 0", 'functions/a.py:2: f "/<x" is no path'),
        ("@route('GET', '/<any(a,b):x>')\ndef f(): 0", "functions/a.py:2: f "),
        ("@route('GET', '/a?b')\ndef f(): 0", 'functions/a.py:2: f "/a?b" is no path'),
        ("@route('GET', '/<auth>')\ndef f(): 0", "functions/a.py:2: f <auth> in /<auth> needs"),
        ("@route('GET', '/<a>/<a>')\ndef f(): 0", "functions/a.py:2: f <a> in /<a>/<a> needs"),
        (
            "@route('GET', '/<a>')\ndef f(b, c): 0",
            "functions/a.py:2: f asks for b, c; there are ctx",
        ),
        (
            "@route('GET', '/<a>')\ndef f(a, /): 0",
            "functions/a.py:2: f asks for parameters without",
        ),
        (
            "@route('GET', '/<a>')\ndef f(): 0\n@route('GET', '/<b>')\ndef g(): 0",
            "functions/a.py:4: GET /<b> is served by functions/a.py:2 already",
        ),
    ],
)
def test_what_cannot_be_is_reported_with_its_line(tmp_path: Path, text: str, error: str) -> None:
    """The file is not loaded, and the list says why."""
    write(tmp_path, "a.py", text)

    registry = load(tmp_path)

    assert registry.routes == ()
    assert listed(registry)[0]["error"].startswith(error)


def test_two_files_cannot_answer_the_same(tmp_path: Path) -> None:
    """The second one is not loaded, and both places are named; another method is another route."""
    write(tmp_path, "a.py", "@route('GET', '/x/<int:a>')\ndef f(): 0")
    write(tmp_path, "b.py", "\n@route(['POST', 'GET'], '/x/<int:b>')\ndef f(): 0")
    write(tmp_path, "c.py", "@route('POST', '/x/<int:b>')\ndef f(): 0")

    registry = load(tmp_path)

    assert [each.file for each in registry.routes] == ["functions/a.py", "functions/c.py"]
    assert registry.errors == {
        "functions/b.py": "functions/b.py:3: GET /x/<int:b> is served by functions/a.py:2 already"
    }


def test_a_file_that_breaks_keeps_its_routes(tmp_path: Path) -> None:
    """Except those that another file has taken over since."""
    write(tmp_path, "b.py", "@route('GET', '/x')\ndef f(): 0\n@route('GET', '/y')\ndef g(): 0")
    first = load(tmp_path)
    write(tmp_path, "b.py", "broken(")
    kept = load(tmp_path, first)
    write(tmp_path, "a.py", "@route('GET', '/x')\ndef f(): 0")
    taken = load(tmp_path, kept)

    assert [each.name for each in kept.routes] == [each.name for each in first.routes]
    assert [each.place for each in taken.routes] == ["functions/a.py:2", "functions/b.py:4"]


JSON = "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("made", "answer"),
    [
        ({"a": 1}, Answer(status=200, body=b'{"a":1}', content_type=JSON)),
        ("hé", Answer(status=200, body='"hé"'.encode(), content_type=JSON)),
        (0, Answer(status=200, body=b"0", content_type=JSON)),
        (None, Answer(status=204)),
        ((None, 404), Answer(status=404)),
        (([1], 201), Answer(status=201, body=b"[1]", content_type=JSON)),
        (
            ([], 200, {"X-A": "b", "content-type": "application/vnd.x+json"}),
            Answer(
                status=200,
                body=b"[]",
                content_type="application/vnd.x+json",
                headers=(("X-A", "b"),),
            ),
        ),
        (
            Response("hé"),
            Answer(status=200, body="hé".encode(), content_type="text/plain; charset=utf-8"),
        ),
        (
            Response(b"\x00", 206, "image/png", {"X-A": "b"}),
            Answer(status=206, body=b"\x00", content_type="image/png", headers=(("X-A", "b"),)),
        ),
        (Response(b"x", 304), Answer(status=304)),
    ],
)
def test_what_a_handler_returns_becomes_an_answer(
    tmp_path: Path, made: object, answer: Answer
) -> None:
    """JSON, nothing, or what a `Response` says."""
    assert answer_of(made, one(tmp_path)) == answer


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ({1, 2}, "what cannot be JSON: Object of type set"),
        (float("nan"), "what cannot be JSON"),
        ("\ud800", "what cannot be JSON"),
        ((1, 2, 3, 4), "a tuple that is not"),
        ((1, 99), "the status 99"),
        ((1, True), "the status True"),
        ((1, 200, ["x"]), "headers that are no dict"),
        ((1, 200, {"X": 1}), "a header that is no text: 'X'"),
        ((1, 200, {"X": "a\r\nSet-Cookie: b"}), "a header that cannot be sent: 'X'"),
        ((1, 200, {"X Y": "a"}), "a header that cannot be sent: 'X Y'"),
        ((1, 200, {"Content-Length": "7"}), "the header Content-Length, which the server writes"),
        (Response(5), "a Response of what is neither bytes nor text: 5"),  # type: ignore[arg-type]
        ((Response("x", headers={"A": "b"}), 200, {"C": "d"}), "a Response with headers, and"),
        (Response("x", content_type="a\nb"), "a header that cannot be sent: 'Content-Type'"),
    ],
)
def test_what_is_no_answer_is_refused_with_its_place(tmp_path: Path, made: Any, why: str) -> None:
    """File and line of the route, for the log."""
    with pytest.raises(UserCodeError, match=r"^functions/a\.py:2: the route returned ") as caught:
        answer_of(made, one(tmp_path))

    assert why in caught.value.message


def test_nesting_without_end_is_refused(tmp_path: Path) -> None:
    """As what cannot be JSON."""
    deep: list[Any] = []
    deep.append(deep)

    with pytest.raises(UserCodeError, match="cannot be JSON"):
        answer_of(deep, one(tmp_path))
