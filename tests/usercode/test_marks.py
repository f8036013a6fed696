"""The decorators: they mark, and do nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest

import bakend
from bakend.usercode import marks
from bakend.usercode.marks import NOTED, Mark


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    globals().pop(NOTED, None)


def noted() -> list[Mark]:
    found: list[Mark] = globals()[NOTED]
    return found


def handler() -> None:
    """Does nothing."""


def test_a_decorated_function_is_the_function() -> None:
    """It can be called and tested like any other."""
    assert bakend.on_create("posts")(handler) is handler
    assert bakend.job("@daily")(handler) is handler


def test_each_decorator_says_which_events() -> None:
    """In the words that the original has for them."""
    bakend.on_create("posts", handler)
    bakend.on_update("posts", handler)
    bakend.on_delete("posts", handler)
    bakend.on_login("users", handler)
    bakend.on_register("users", handler)
    bakend.on_logout("users", handler)
    bakend.on_event("storage.uploaded", handler)
    bakend.before_create("posts", handler)
    bakend.before_update("posts")(handler)
    bakend.before_delete("posts", handler, timeout=1)

    assert [(mark.type, mark.event_type) for mark in noted()] == [
        ("create", "posts.created"),
        ("update", "posts.updated"),
        ("delete", "posts.deleted"),
        ("login", "auth.login"),
        ("register", "auth.register"),
        ("logout", "auth.logout"),
        ("event", "storage.uploaded"),
        ("before_create", "posts.before_create"),
        ("before_update", "posts.before_update"),
        ("before_delete", "posts.before_delete"),
    ]


@pytest.mark.parametrize(
    ("wanted", "event_type", "takes"),
    [
        ("posts.created", "posts.created", True),
        ("posts.created", "posts.updated", False),
        ("posts.*", "posts.deleted", True),
        ("posts.*", "postscript.deleted", False),
        ("*", "auth.login", True),
    ],
)
def test_events_are_taken_by_type(wanted: str, event_type: str, takes: bool) -> None:
    """One type, all that begin alike, or all."""
    assert Mark(kind="after", handler=handler, line=1, event_type=wanted).takes(event_type) == takes


def test_what_cannot_be_meant_is_refused_where_it_stands() -> None:
    """While the file is loaded, and not when the first event comes."""
    with pytest.raises(TypeError, match="collection must be named"):
        bakend.on_create(handler)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="attempts"):
        bakend.on_create("posts", handler, attempts=0)
    with pytest.raises(ValueError, match="timeout"):
        bakend.job("@daily", handler, timeout=-1)
    with pytest.raises(TypeError, match="callable"):
        bakend.job("@daily")("no function")


def test_nothing_is_registered_later() -> None:
    """What registers inside of a handler would never run, and is told so."""
    globals()[NOTED] = ()

    with pytest.raises(RuntimeError, match="while their file is loaded"):
        bakend.on_create("posts", handler)


def test_the_public_names_are_those_of_the_table() -> None:
    """Each is there, and no other."""
    for name in bakend._PLACES:
        assert getattr(bakend, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'on_nothing'"):
        _ = bakend.on_nothing
    assert bakend.on_create is marks.on_create


def test_the_package_itself_imports_nothing() -> None:
    """Each name is loaded when it is first used."""
    code = "import sys, bakend; print([n for n in sys.modules if n.startswith('bakend.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
