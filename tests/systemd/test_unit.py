"""The units: what is replaced, and what cannot be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bakend.cli.failures import DAMAGED, EXIT_CODES, NO_ANSWER, USAGE
from bakend.errors import ManagedError, SettingsError, TakenBackError
from bakend.settings import Settings
from bakend.systemd import unit

ROOT = Path(__file__).parents[2]
INSTALLED = ROOT / "packaging" / "systemd"


def changed(before: str, after: str) -> set[str]:
    """Return the lines that are new."""
    return set(after.splitlines()) - set(before.splitlines())


def test_the_units_are_those_of_packaging() -> None:
    """What is printed without options is byte for byte what lies in packaging/systemd."""
    assert unit.service_unit() == (INSTALLED / "bakend.service").read_text()
    assert unit.socket_unit() == (INSTALLED / "bakend.socket").read_text()


def test_a_project_elsewhere_is_what_may_be_written() -> None:
    """Another config changes the command, its folder, and what may be written; nothing else."""
    assert changed(unit.service_unit(), unit.service_unit(config="/srv/shop/shop.json")) == {
        "ExecStart=/usr/local/bin/bak start --config /srv/shop/shop.json",
        "WorkingDirectory=/srv/shop",
        "ReadWritePaths=/srv/shop",
    }


def test_user_and_executable_are_replaced() -> None:
    """The group has the name of the user."""
    text = unit.service_unit(user="shop", executable="/opt/bin/bak-1.2_x")

    assert changed(unit.service_unit(), text) == {
        "ExecStart=/opt/bin/bak-1.2_x start --config /opt/bakend/bakend.json",
        "User=shop",
        "Group=shop",
    }


def test_a_home_shows_the_project_and_nothing_else() -> None:
    """Homes stay hidden, but for the folder of the project and the executable, which is read only."""
    text = unit.service_unit(
        config="/home/anna/shop/bakend.json", executable="/home/anna/.local/bin/bak"
    )

    assert changed(unit.service_unit(), text) >= {
        "ProtectHome=tmpfs",
        "BindPaths=/home/anna/shop",
        "BindReadOnlyPaths=/home/anna/.local/bin/bak",
    }


@pytest.mark.parametrize(
    "config",
    [
        "bakend.json",
        "/bakend.json",
        "/srv/my shop/bakend.json",
        "/srv/100%/bakend.json",
        "/srv/$HOME/bakend.json",
        "/srv/a\nExecStartPre=/bin/sh/bakend.json",
        '/srv/"/bakend.json',
        "/srv/../etc/bakend.json",
        "/tmp/shop/bakend.json",
        "/srv//bakend.json",
        "/srv/",
    ],
)
def test_a_path_that_means_something_else_in_a_unit_is_refused(config: str) -> None:
    """No value adds a line, a word or a variable to the unit."""
    with pytest.raises(SettingsError, match="--config"):
        unit.service_unit(config=config)


@pytest.mark.parametrize("user", ["", "Anna", "a b", "a\nUser=root", "1", "x" * 40])
def test_a_user_that_no_system_has_is_refused(user: str) -> None:
    """The name is one that useradd takes."""
    with pytest.raises(SettingsError, match="--user"):
        unit.service_unit(user=user)


@pytest.mark.parametrize("listen", ["8080", "127.0.0.1:80", "[::1]:9000", "65535"])
def test_a_socket_listens_where_it_is_told(listen: str) -> None:
    """A port, or an address and a port."""
    assert f"ListenStream={listen}" in unit.socket_unit(listen=listen).splitlines()


@pytest.mark.parametrize(
    "listen", ["", "0", "65536", "http", "localhost:80", "::1:80", "/run/x", "1\n2"]
)
def test_a_socket_that_cannot_be_is_refused(listen: str) -> None:
    """Names and files are none that Bakend takes."""
    with pytest.raises(SettingsError, match="--listen"):
        unit.socket_unit(listen=listen)


def test_a_stop_has_more_time_than_the_server_takes() -> None:
    """systemd and the container engine wait longer than requests, and then handlers, may take."""
    stops_s = Settings().server_stop_timeout_s
    found = re.search(r"^TimeoutStopSec=(\d+)$", unit.service_unit(), re.MULTILINE)
    assert found is not None
    compose = (ROOT / "docker" / "compose.yaml").read_text()
    grace = re.search(r"^ +stop_grace_period: (\d+)s$", compose, re.MULTILINE)
    assert grace is not None

    assert min(int(found[1]), int(grace[1])) >= 2 * stops_s + 10


def test_what_a_person_must_mend_is_not_started_again() -> None:
    """Each of these exit codes has its meaning in the program."""
    found = re.search(r"^RestartPreventExitStatus=(.*)$", unit.service_unit(), re.MULTILINE)
    assert found is not None
    codes = {int(code) for code in found[1].split()}

    of_an_upgrade = {EXIT_CODES[ManagedError], EXIT_CODES[TakenBackError]}
    assert codes == {USAGE, DAMAGED, *EXIT_CODES.values()} - {NO_ANSWER, 75} - of_an_upgrade
