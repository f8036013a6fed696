"""Paths in normal form."""

from __future__ import annotations

import pytest

from bakend.paths import normal_path


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("", "/"),
        ("/", "/"),
        ("//", "/"),
        ("/api/posts/", "/api/posts"),
        ("//api///posts", "/api/posts"),
        ("/a/./b/../c", "/a/c"),
        ("/../../a", "/a"),
        ("/a/..", "/"),
        ("/...", "/..."),
        ("/a/../_//./b/../c/", "/_/b/../c"),
        ("/_/../health", "/_/../health"),
    ],
)
def test_paths_in_normal_form(path: str, normal: str) -> None:
    """Empty and dot segments and a slash at the end make no difference."""
    assert normal_path(path) == normal
