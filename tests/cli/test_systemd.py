"""`bak systemd print-unit`."""

from __future__ import annotations

from pathlib import Path

import pytest

from terminal import Terminal

INSTALLED = Path(__file__).parents[2] / "packaging" / "systemd"


@pytest.mark.parametrize(
    ("flags", "name"), [((), "bakend.service"), (("--socket",), "bakend.socket")]
)
def test_what_is_printed_is_what_is_installed(
    bak: Terminal, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], name: str
) -> None:
    """Byte for byte, without a project, and whatever the environment says."""
    monkeypatch.setenv("BAKEND_CONFIG", "/elsewhere/bakend.json")

    result = bak("systemd", "print-unit", *flags)

    assert (result.code, result.err) == (0, "")
    assert result.out == (INSTALLED / name).read_text()


def test_each_option_fills_in_its_line(bak: Terminal) -> None:
    """`--config` may also stand before the command."""
    result = bak(
        "--config=/srv/shop/bakend.json",
        "systemd",
        "print-unit",
        "--user=shop",
        "--executable=/opt/bak",
    )

    assert "ExecStart=/opt/bak start --config /srv/shop/bakend.json" in result.lines
    assert "User=shop" in result.lines
    assert (
        "ListenStream=[::1]:9000"
        in bak("systemd", "print-unit", "--socket", "--listen=[::1]:9000").lines
    )


@pytest.mark.parametrize(
    "flag", ["--config=here.json", "--user=a b", "--executable=bak", "--config=/a b/c"]
)
def test_what_cannot_stand_in_a_unit_is_refused(bak: Terminal, flag: str) -> None:
    """Every fault is told, with its option, and nothing is printed."""
    result = bak("systemd", "print-unit", flag)

    assert (result.code, result.out) == (78, "")
    assert flag.partition("=")[0] in result.err
