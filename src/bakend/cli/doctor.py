"""`bak doctor`: looks at everything that can be wrong, and says what to do."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import click

from bakend.cli.project import Project, config_option
from bakend.errors import BakendError, SettingsError


@click.command()
@config_option
@click.option("--deep", is_flag=True, help="Also compare indexes, and read every uploaded file.")
@click.option("--offline", is_flag=True, help="Do not look up whether there is a newer version.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def doctor(project: Project, *, deep: bool, offline: bool, as_json: bool) -> int:
    """Look at settings, host, database, files, functions and backups; change nothing.

    Exit code 0 if nothing is wrong, warnings aside; 1 if something is. May be run while the server runs.
    """
    from bakend.cli.examination import Finding, of_host, of_project, of_settings, of_version
    from bakend.clock import SystemClock

    clock, findings = SystemClock(), []
    try:
        loaded = project.load(mode="command")
    except SettingsError as error:
        findings += [Finding("config", "error", fault, error.hint) for fault in error.faults]
    else:
        findings += of_settings(loaded)
        findings += of_host(loaded, clock)
        try:
            with _no_log(), project.opened(writes=False, warns=False) as app:
                findings += of_project(app, loaded, clock, deep=deep)
        except BakendError as error:
            findings.append(Finding("database", "error", error.message, error.hint))
    releases = project.environ.get("BAKEND_INSTALL_URL") or None
    findings.append(of_version(releases, looks=not offline))
    is_well = all(each.level != "error" for each in findings)
    if as_json:
        items = [each.as_json() for each in findings]
        click.echo(json.dumps({"ok": is_well, "findings": items}, indent=2))
    else:
        for each in findings:
            click.echo(f"{each.level:5}  {each.what}: {each.text}")
            if each.todo:
                click.echo(f"       -> {each.todo}")
    return 0 if is_well else 1


@contextmanager
def _no_log() -> Iterator[None]:
    """Let nothing be printed that is a finding anyway."""
    log, nowhere = logging.getLogger("bakend"), logging.NullHandler()
    log.addHandler(nowhere)
    try:
        yield
    finally:
        log.removeHandler(nowhere)
