"""What may be asked for, and how `packages.txt` keeps it."""

from __future__ import annotations

import pytest

from bakend.errors import InvalidInputError
from bakend.usercode.packages.requirements import change, normal_name, parse, read


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("numpy", "numpy"),
        ("  Pillow ", "pillow"),
        ("Foo.Bar_baz", "foo-bar-baz"),
        ("numpy>=2,<3", "numpy"),
        ("numpy >= 2 , != 2.1.*", "numpy"),
        ("numpy (>=2)", "numpy"),
        ("httpx[http2,socks]~=0.28", "httpx"),
        ('tzdata==2025.1; sys_platform == "linux"', "tzdata"),
        ("x===1.0+local", "x"),
    ],
)
def test_a_name_with_versions_is_a_requirement(text: str, name: str) -> None:
    """Extras, versions and markers may follow the name; the text is kept as written."""
    requirement = parse(text)

    assert (requirement.name, requirement.text) == (name, text.strip())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-r other.txt",
        "--index-url=http://evil.example",
        "./folder",
        "/tmp/x.whl",
        "x @ http://evil.example/x.whl",
        "git+https://evil.example/x",
        "numpy\n--index-url=http://evil.example",
        'numpy; x == "1"\n--index-url=http://evil.example',
        "numpy --hash=sha256:00",
        "numpy>=",
        "numpy 2",
        "_x",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """An address or an option cannot be locked, and would let a package in by the back door."""
    with pytest.raises(InvalidInputError, match="is not the name of a package"):
        parse(text)


def test_all_spellings_of_a_name_are_one() -> None:
    """Case and the kind of separator make no difference."""
    assert {normal_name(name) for name in ("Foo-Bar", "foo_bar", "FOO.bar", "foo-_.bar")} == {
        "foo-bar"
    }


def test_what_is_asked_for_is_sorted_and_replaced() -> None:
    """A package stands once in the file, as it was asked for last."""
    text = change("", add=[parse("numpy"), parse("httpx>=0.28")])
    text = change(text, add=[parse("NumPy<3"), parse("idna")], remove=["httpx"])

    assert text == "idna\nNumPy<3\n"
    assert {name: each.text for name, each in read(text).items()} == {
        "idna": "idna",
        "numpy": "NumPy<3",
    }


def test_comments_are_kept_where_they_belong() -> None:
    """A comment stays with the line below it, at the head, or behind a requirement."""
    text = "# Head\n\n# for pictures\npillow>=11  # not 10\n# for the report\nnumpy\n# end\n"

    changed = change(text, add=[parse("orjson"), parse("pillow>=12")])

    assert changed == (
        "# Head\n\n# for the report\nnumpy\norjson\n# for pictures\npillow>=12\n# end\n"
    )
    assert change(text, remove=["nothing"]).count("#") == text.count("#")
    assert read(text)["pillow"].text == "pillow>=11"
