"""The parts of `scripts/verify-release` that can be judged without a built file and without root."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def module(name: str) -> ModuleType:
    """Import one file of the checks, which are no part of what is installed."""
    sys.path.insert(0, str(ROOT / "packaging"))
    try:
        return importlib.import_module(f"verify.{name}")
    finally:
        sys.path.remove(str(ROOT / "packaging"))


outcome = module("outcome")
lab = module("lab")
catalog = module("catalog")
report = module("report")
main = module("main")
roots = module("hosts.roots")
host = module("hosts.host")
snapshot = module("hosts.snapshot")
load = module("hosts.load")
traffic = module("hosts.traffic")
damage = module("checks.damage")

PASSED, FAILED, NOT_RUN = outcome.Verdict.PASSED, outcome.Verdict.FAILED, outcome.Verdict.NOT_RUN


def check(run: Callable[[Any], str]) -> Any:
    """Return a check of that one function."""
    return catalog.Check("subject/rule", "The rule.", True, run)


def outcomes(*verdicts: Any) -> list[Any]:
    """Return as many outcomes."""
    return [outcome.Outcome("subject/rule", verdict, "seen", 0.1) for verdict in verdicts]


# Verdicts


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        pytest.param([PASSED, PASSED], 0, id="all passed"),
        pytest.param([PASSED, NOT_RUN], 3, id="one could not run"),
        pytest.param([NOT_RUN, FAILED, PASSED], 1, id="a failure outweighs what could not run"),
        pytest.param([], 3, id="nothing ran"),
    ],
)
def test_only_a_run_in_which_all_passed_is_a_success(verdicts: list[Any], code: int) -> None:
    """0 is for checks that ran and passed, and for nothing else."""
    assert outcome.exit_code(outcomes(*verdicts)) == code


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        pytest.param(outcome.Failed("seen"), FAILED, id="failed"),
        pytest.param(outcome.NotRun("why"), NOT_RUN, id="not run"),
        pytest.param(ZeroDivisionError("a fault of the check"), FAILED, id="a fault of the check"),
    ],
)
def test_a_check_that_raises_is_no_pass(error: Exception, verdict: Any) -> None:
    """Whatever a check raises is told, and never reads as passed."""

    def run(_lab: Any) -> str:
        raise error

    found = main.run(check(run), None)

    assert found.verdict is verdict
    assert str(error) in found.seen


def test_what_a_check_saw_stays_in_one_line() -> None:
    """The report has a line for each check, also where the file printed several."""
    found = main.run(check(lambda _lab: "two\n  lines"), None)

    assert report.line(found).endswith("two lines")


def test_the_json_tells_what_could_not_run(tmp_path: Path) -> None:
    """A program reads the verdict and the reason of every check."""
    found = json.loads(report.as_json(tmp_path, "00", outcomes(PASSED, NOT_RUN)))

    assert found["exitCode"] == 3
    assert [row["verdict"] for row in found["checks"]] == ["passed", "not run here"]


def test_a_file_that_changes_under_the_run_fails_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was seen is of one file, or it is no proof."""
    bak = tmp_path / "bak"
    bak.write_text("the first")

    def replace(_lab: Any) -> str:
        bak.write_text("the second")
        return "seen"

    monkeypatch.setattr(main, "all_checks", lambda: [check(replace)])
    monkeypatch.setattr(main.signal, "signal", lambda *_: None)

    assert main.main([str(bak)]) == 1
    assert "another file took its place" in capsys.readouterr().out


# The catalog


def test_every_file_of_checks_is_run() -> None:
    """A subject that is on disk and not in the list would never be proven."""
    assert set(catalog.SUBJECTS) == catalog.subjects_on_disk()


def test_every_check_has_a_name_of_its_own_and_a_claim() -> None:
    """Each check is named once, and states its rule in a sentence that ends."""
    checks = catalog.all_checks()

    assert len({each.name for each in checks}) == len(checks)
    assert [each.name for each in checks if not each.claim.endswith(".")] == []


@pytest.mark.parametrize(
    ("only", "chosen"),
    [
        pytest.param(["names/version"], {"names/version"}, id="a name"),
        pytest.param(["replaced"], {"replaced/by-rename", "replaced/deleted"}, id="a subject"),
        pytest.param(["*/under-*"], {"signals/under-load", "arm64/under-qemu"}, id="a pattern"),
    ],
)
def test_checks_are_chosen(only: list[str], chosen: set[str]) -> None:
    """`--only` takes names, subjects and patterns."""
    found = catalog.choose(catalog.all_checks(), only, quick_only=False)

    assert {each.name for each in found} == chosen


@pytest.mark.parametrize("unknown", ["nonsense", "older"])
def test_a_name_of_nothing_is_refused(unknown: str) -> None:
    """A check that is misspelt, or not among the quick ones, is not passed over in silence."""
    with pytest.raises(LookupError):
        catalog.choose(catalog.all_checks(), [unknown], quick_only=True)


def test_a_missing_file_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a built file nothing is proven, and the command says what makes one."""
    assert main.main([str(tmp_path / "bak")]) == 2
    assert "scripts/build makes it" in capsys.readouterr().err


# Hosts


def test_a_tree_with_a_python_is_not_bare(tmp_path: Path) -> None:
    """A Python anywhere is found, also a library of it; texts about Python are none."""
    for name in ("usr/bin/python3.11", "usr/lib/libpython3.so", "usr/share/gcc/python/x.txt"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()

    assert sorted(roots.pythons(tmp_path)) == ["usr/bin/python3.11", "usr/lib/libpython3.so"]


def test_a_file_for_another_processor_does_not_run_here(tmp_path: Path) -> None:
    """A file that this machine cannot execute makes a check not run, and names the processor."""
    other = 183 if lab.platform.machine() == "x86_64" else 62
    file = tmp_path / "bak"
    file.write_bytes(b"\x7fELF".ljust(18, b"\0") + bytes([other, 0]))
    found = lab.Lab(file, tmp_path)

    with pytest.raises(outcome.NotRun, match=found.machine):
        found.require_native()


def test_a_host_here_leaves_nothing() -> None:
    """What ran on a host has ended with it, and its folder is gone."""
    with host.here() as place:
        process = place.start("/bin/sleep", "600", output=subprocess.DEVNULL)
        place.at("/root/file").write_text("")

    assert process.returncode == -9
    assert not place.root.exists()


def test_a_login_has_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of whoever runs the checks does not reach the file."""
    monkeypatch.setenv("BAKEND_PORT", "1")
    with host.here() as place:
        seen = place.must("/usr/bin/env")

    assert sorted(line.split("=")[0] for line in seen.splitlines()) == ["HOME", "LC_ALL", "PATH"]


def test_every_change_of_a_file_system_is_seen() -> None:
    """New, gone, written, and a file that came and went: all but the folder that may change."""
    with host.here() as place:
        for name in ("kept", "gone", "written", "folder/came", "project/any"):
            file = place.at(f"/{name}")
            file.parent.mkdir(exist_ok=True)
            file.write_text(name)
        before = snapshot.snapshot(place, but="/project")
        place.at("/gone").unlink()
        place.at("/new").write_text("")
        place.at("/written").write_text("Written")
        place.at("/folder/more").touch()
        place.at("/folder/more").unlink()
        place.at("/project/more").write_text("")
        after = snapshot.snapshot(place, but="/project")

    expected = ["/folder changed", "/gone is gone", "/new is new", "/written changed"]
    assert snapshot.differences(before, after) == expected


def test_the_load_counts_what_failed() -> None:
    """An answer that is not 200 or 201, and one that never came, both count as failed."""
    found = load.Load(0, "/api/notes")
    for status in (200, 201, 503, None):
        found.tries.append(load.Try("POST", 0.0, status))

    assert [one.status for one in found.bad] == [503, None]
    assert found.created == 1


# Damage


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return something as the executable is: a program, a zip, and something behind it."""
    path = tmp_path / "bak"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("stored.pyc", b"s" * 100)
        opened.writestr("deflated.pyc", b"d" * 100, zipfile.ZIP_DEFLATED)
    path.write_bytes(b"program " + path.read_bytes())
    # zipfile wrote places from the start of the zip; readers take what stands before it into account.
    with path.open("ab") as behind:
        behind.write(b" sections")
    return path


def test_the_payload_is_found_between_program_and_sections(file: Path) -> None:
    """The zip begins behind the program, and ends with its last record."""
    begin, end = damage.payload(file)

    content = file.read_bytes()
    assert content[:begin] == b"program "
    assert content[end:] == b" sections"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param(zipfile.ZIP_STORED, "stored.pyc", id="stored"),
        pytest.param(zipfile.ZIP_DEFLATED, "deflated.pyc", id="deflated"),
    ],
)
def test_one_byte_of_a_member_is_changed(file: Path, tmp_path: Path, kind: int, name: str) -> None:
    """Exactly one byte differs, inside the data of the member that was asked for."""
    whole = tmp_path / "whole"
    shutil.copy(file, whole)

    damage.flip(file, kind, ".pyc")

    changed = [
        at
        for at, (a, b) in enumerate(zip(whole.read_bytes(), file.read_bytes(), strict=True))
        if a != b
    ]
    assert len(changed) == 1
    with zipfile.ZipFile(whole) as opened:
        entry = opened.getinfo(name)
    start = entry.header_offset + 30 + len(name)
    assert start <= changed[0] < start + entry.compress_size


def test_a_member_that_is_not_there_fails_the_check(file: Path) -> None:
    """A check that would have changed nothing does not pass."""
    with pytest.raises(outcome.Failed):
        damage.flip(file, zipfile.ZIP_STORED, "nothing.pyc")


# What a browser tells


def test_what_was_sent_is_counted_by_request() -> None:
    """Whole answers and their bodies, refusals, what got no answer; not what the browser has in itself."""

    def event(method: str, key: str, **about: Any) -> dict[str, Any]:
        return {"method": f"Network.{method}", "params": {"requestId": key, **about}}

    events = [
        event("requestWillBeSent", "1", request={"url": "http://host/a.js"}),
        event("requestWillBeSent", "2", request={"url": "http://host/b"}),
        event("requestWillBeSent", "3", request={"url": "data:,x"}),
        event("responseReceived", "1", response={"mimeType": "text/javascript", "status": 200}),
        event("dataReceived", "1", encodedDataLength=70),
        event("dataReceived", "1", encodedDataLength=30),
        event("dataReceived", "of before", encodedDataLength=30),
        event("responseReceived", "2", response={"mimeType": "text/html", "status": 404}),
        event("loadingFinished", "1", encodedDataLength=150),
        event("requestWillBeSent", "4", request={"url": "http://host/c"}),
        event("loadingFailed", "4", errorText="net::ERR_FAILED"),
    ]

    script, refused, failed = traffic.transfers(events)

    assert (script.is_script, script.body, script.size, script.fault) == (True, 100, 150, "")
    assert (refused.is_script, refused.fault) == (False, "404")
    assert (failed.address, failed.fault) == ("http://host/c", "net::ERR_FAILED")
