"""`bak upgrade`: small releases from a web server, a real database, and servers that do not work."""

from __future__ import annotations

import io
import os
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from releases import program, publish, served, sum_up

from bakend.clock import SystemClock
from bakend.database.migrations import NEWEST
from bakend.errors import (
    BakendError,
    DatabaseBusyError,
    ManagedError,
    NotFoundError,
    NotGenuineError,
    NotWritableError,
    SchemaTooNewError,
    TakenBackError,
    UnavailableError,
    UpgradeError,
)
from bakend.testing import temporary_project
from bakend.upgrade import releases
from bakend.upgrade.place import Place
from bakend.upgrade.programs import Owner, Programs
from bakend.upgrade.upgrade import Project, Upgrade, Wanted

from samples import LISTS


def nothing() -> None:
    """Do nothing."""


class Fake:
    """A server that is restarted: says what it is told to say, and runs something at each restart."""

    def __init__(self, bak: Path) -> None:
        self.bak = bak
        self.problems: list[str | None] = []
        self.seen: list[str] = []
        self.on_restart: Callable[[], None] = nothing

    def __str__(self) -> str:
        return "bakend.service"

    def restart(self) -> None:
        """Note what is started."""
        self.seen.append(version_of(self.bak))
        self.on_restart()

    def wait(self, version: str) -> str | None:
        """Say what it was told to."""
        assert version_of(self.bak) == version, "what is waited for is what is in place"
        return self.problems.pop(0) if self.problems else None

    def end(self) -> None:
        """Note it."""
        self.seen.append("ended")

    def last_words(self) -> str:
        """Return some."""
        return "the end"


def version_of(bak: Path) -> str:
    return Programs({}).run([str(bak), "version"]).output.strip()


class Host:
    """An executable, a release on a web server, and somebody to upgrade it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.bak = folder / "bin" / "bak"
        self.bak.parent.mkdir()
        self.bak.write_bytes(program("1.0.0", schema=NEWEST))
        self.bak.chmod(0o755)
        self.release = folder / "release"
        self.url = url
        self.said: list[str] = []
        self.server = Fake(self.bak)
        self.upgrade = Upgrade(
            Place(self.bak),
            version="1.0.0",
            programs=Programs({"PATH": os.defpath}),
            clock=SystemClock(),
            say=self.said.append,
            progress=lambda _done, _total: None,
        )

    def publish(self, version: str, *, schema: int = NEWEST) -> None:
        publish(self.release, version, program(version, schema=schema), target=releases.target())

    def run(self, project: Project | None = None, **wanted: Any) -> object:
        """Upgrade, and look that nothing is left lying about."""
        asked = Wanted(**{"url": self.url, **wanted})
        try:
            return self.upgrade.run(asked, project, self.server)
        finally:
            assert list(self.bak.parent.glob(".*")) == []

    def refused(self, kind: type[BakendError], **wanted: Any) -> BakendError:
        """Expect that it is refused and that nothing was changed or restarted."""
        with pytest.raises(kind) as error:
            self.run(**wanted)
        assert version_of(self.bak) == "1.0.0"
        assert not self.bak.with_name("bak.prev").exists()
        assert self.server.seen == []
        return error.value


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host with version 1.0.0, and a release 2.0.0."""
    (tmp_path / "release").mkdir()
    with served(tmp_path / "release") as url:
        found = Host(tmp_path, url)
        found.publish("2.0.0")
        yield found


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with a database."""
    home = tmp_path / "home"
    home.mkdir()
    with temporary_project([LISTS], folder=home) as opened:
        opened.make_user("ada@example.com")
        database = opened.app.database.path
    return Project(
        database=database, copies=home / "backups", owner=Owner(os.getuid(), os.getgid())
    )


def schema_in(database: Path) -> int:
    with closing(sqlite3.connect(database)) as opened:
        return int(
            opened.execute(
                "SELECT value FROM _bakend_meta WHERE key = 'schema_version'"
            ).fetchone()[0]
        )


def users_in(database: Path) -> int:
    with closing(sqlite3.connect(database)) as opened:
        return int(opened.execute("SELECT count(*) FROM _users").fetchone()[0])


# As it should be


def test_the_newest_comes_into_place(host: Host, project: Project) -> None:
    """Checked, tried, swapped, restarted; the old one and a copy of the database are kept."""
    assert host.upgrade.newest(Wanted(url=host.url)) == "2.0.0"

    host.run(project)

    assert host.server.seen == ["2.0.0"]
    assert version_of(host.bak.with_name("bak.prev")) == "1.0.0"
    assert users_in(project.copies / "bakend-before-upgrade-from-1.0.0.db") == 1
    assert any("test key" in each for each in host.said)


def test_the_version_that_is_there_is_left(host: Host) -> None:
    """Nothing is downloaded and nothing restarted."""
    host.publish("1.0.0")

    assert host.run() is None
    assert host.server.seen == []


def test_a_version_and_a_file(host: Host, tmp_path: Path) -> None:
    """A certain version, and a tarball that is here, with the list beside it."""
    host.publish("3.0.0")
    host.run(version="v2.0.0")
    assert host.server.seen == ["2.0.0"]

    host.run(file=next(host.release.glob("bakend-v3*.tar.gz")), url=None)
    assert host.server.seen == ["2.0.0", "3.0.0"]


def test_back_to_the_one_before(host: Host) -> None:
    """A rollback swaps the two, and so can be taken back; without a previous one there is none."""
    with pytest.raises(NotFoundError):
        host.upgrade.roll_back(None, host.server)
    host.run()

    host.upgrade.roll_back(None, host.server)

    assert version_of(host.bak) == "1.0.0"
    assert version_of(host.bak.with_name("bak.prev")) == "2.0.0"
    assert host.server.seen == ["2.0.0", "1.0.0"]


def test_rights_stay(host: Host) -> None:
    """The new file has the mode of the old one."""
    host.bak.chmod(0o750)

    host.run()

    assert host.bak.stat().st_mode & 0o777 == 0o750


# Verify or stop


def test_a_changed_download(host: Host) -> None:
    """One byte more, and it is refused by its name."""
    file = next(host.release.glob("bakend-v2*.tar.gz"))
    file.write_bytes(file.read_bytes() + b"x")

    assert "is not what was published" in host.refused(NotGenuineError).message


def test_a_changed_list(host: Host) -> None:
    """Checksums that fit are not enough."""
    signature = (host.release / "SHA256SUMS.sig").read_bytes()
    file = next(host.release.glob("bakend-v2*.tar.gz"))
    file.write_bytes(file.read_bytes() + b"x")
    sum_up(host.release)
    (host.release / "SHA256SUMS.sig").write_bytes(signature)

    assert "signature" in host.refused(NotGenuineError).message


def test_no_signature(host: Host) -> None:
    """It takes a word of the operator's."""
    (host.release / "SHA256SUMS.sig").unlink()

    assert "--allow-unsigned" in host.refused(NotGenuineError).hint
    host.run(may_be_unsigned=True)
    assert host.server.seen == ["2.0.0"]


def test_a_file_with_nothing_to_check_it_against(host: Host, tmp_path: Path) -> None:
    """It is not taken for being here."""
    alone = tmp_path / "bakend.tar.gz"
    alone.write_bytes(next(host.release.glob("bakend-v2*.tar.gz")).read_bytes())

    host.refused(NotGenuineError, file=alone)


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as opened:
        for info, data in members:
            info.size = len(data)
            opened.addfile(info, io.BytesIO(data))
    return content.getvalue()


def link(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return info


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"no archive", id="no archive"),
        pytest.param(archive((tarfile.TarInfo("../bak"), program("2.0.0"))), id="elsewhere"),
        pytest.param(archive((link("bak"), b"")), id="a link"),
        pytest.param(archive((tarfile.TarInfo("bak"), program("6.6.6"))), id="another version"),
        pytest.param(
            archive((tarfile.TarInfo("bak"), program("2.0.0", verifies=False))), id="damaged"
        ),
        pytest.param(archive((tarfile.TarInfo("bak"), b"#!/bin/false\n")), id="does not run"),
        pytest.param(
            archive((tarfile.TarInfo("bak"), b"#!/bin/sh\necho 2.0.0\n")), id="no manifest"
        ),
    ],
)
def test_what_is_no_release_is_refused(host: Host, content: bytes) -> None:
    """Also if it is signed: whoever made it made a mistake."""
    next(host.release.glob("bakend-v2*.tar.gz")).write_bytes(content)
    next(host.release.glob("bakend-latest*.tar.gz")).write_bytes(content)
    sum_up(host.release)

    host.refused(NotGenuineError)


def test_nobody_there(host: Host) -> None:
    """A folder that is none, and a port where nobody listens."""
    host.refused(NotFoundError, url=f"{host.url}/nowhere")
    host.refused(UnavailableError, url="http://127.0.0.1:9")
    host.refused(UnavailableError, url="file:///etc")


def test_an_endless_list(host: Host) -> None:
    """What is larger than any list is not read to its end."""
    (host.release / "SHA256SUMS").write_bytes(b"x" * 1_000_000)

    assert "larger than" in host.refused(UnavailableError).message


# Who may


def test_what_others_manage(host: Host) -> None:
    """A mark beside the file names who replaces it."""
    host.bak.with_name("bak.managed").write_text("the container image\n")

    assert "the container image" in host.refused(ManagedError).message


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_may_not_be_written(host: Host) -> None:
    """It says who may."""
    host.bak.parent.chmod(0o555)

    host.refused(NotWritableError)


def test_two_at_once(host: Host) -> None:
    """The second one is told to wait."""
    with Place(host.bak).locked():
        host.refused(DatabaseBusyError)


def test_what_a_kill_has_left_goes(host: Host) -> None:
    """The unfinished files of an upgrade that was killed do not stay for ever."""
    host.bak.with_name(".bak.new").write_bytes(b"half")

    host.run()

    assert version_of(host.bak) == "2.0.0"


# Going back


def test_a_version_that_does_not_work_is_taken_back(host: Host, project: Project) -> None:
    """The old file is started again, and the database is left as it is: nothing has changed in it."""
    host.server.problems = ["it ended with exit code 1"]

    with pytest.raises(TakenBackError) as error:
        host.run(project)

    assert host.server.seen == ["2.0.0", "ended", "1.0.0"]
    assert "it ended with exit code 1" in error.value.message
    assert "the end" in error.value.hint
    assert list(project.database.parent.glob("*taken-back*")) == []


def test_a_restart_that_is_refused_is_taken_back(host: Host) -> None:
    """Whatever goes wrong after the swap ends with the old one, which may come back by itself."""

    def refuse() -> None:
        raise UpgradeError("systemd says no")

    host.server.on_restart = refuse

    with pytest.raises(TakenBackError):
        host.run()
    assert version_of(host.bak) == "1.0.0"


def migrate(database: Path, *, copies: Path | None) -> None:
    """Do as a newer version does: copy, then change the schema; and write something."""
    with closing(sqlite3.connect(database)) as opened:
        if copies is not None:
            copies.mkdir(exist_ok=True)
            target = copies / f"{database.stem}-before-schema-{NEWEST + 1}-2026.db"
            with closing(sqlite3.connect(target)) as copy:
                opened.backup(copy)
        opened.execute(
            "UPDATE _bakend_meta SET value = ? WHERE key = 'schema_version'", (NEWEST + 1,)
        )
        opened.execute("UPDATE sqlite_sequence SET seq = seq + 5 WHERE name = '_events'")
        opened.execute("DELETE FROM _users")
        opened.commit()


def last_event(database: Path) -> int:
    with closing(sqlite3.connect(database)) as opened:
        sql = "SELECT seq FROM sqlite_sequence WHERE name = '_events'"
        return int(opened.execute(sql).fetchone()[0])


def add_user(database: Path) -> None:
    with closing(sqlite3.connect(database)) as opened:
        opened.execute(
            "INSERT INTO _users (id, email, password_hash, created_at) VALUES ('x', 'x', 'x', 'x')"
        )
        opened.commit()


def test_an_old_one_that_does_not_serve_either_is_told(host: Host) -> None:
    """The file is back, and a person has to look: that is not called taken back."""
    host.server.problems = ["it ended with exit code 1", "it ended with exit code 78"]

    with pytest.raises(UpgradeError, match="does not serve: it ended with exit code 78") as error:
        host.run()
    assert not isinstance(error.value, TakenBackError)
    assert version_of(host.bak) == "1.0.0"


@pytest.mark.parametrize("has_copy", [True, False])
def test_a_migrated_database_is_put_back(host: Host, project: Project, has_copy: bool) -> None:
    """By the copy that the new version made, in which nothing is missing; else by that of the upgrade."""
    before = last_event(project.database)
    host.publish("2.0.0", schema=NEWEST + 1)
    host.server.problems = ["it ended with exit code 1"]

    def begin() -> None:
        host.server.on_restart = nothing
        add_user(project.database)  # acknowledged by the old version, after the copy of the upgrade
        migrate(project.database, copies=project.copies if has_copy else None)

    host.server.on_restart = begin

    with pytest.raises(TakenBackError) as error:
        host.run(project)

    assert schema_in(project.database) == NEWEST
    assert users_in(project.database) == (2 if has_copy else 1)
    assert last_event(project.database) == before + 5, "no number is given twice"
    (aside,) = project.database.parent.glob("*-taken-back-*.db")
    assert schema_in(aside) == NEWEST + 1
    assert str(aside) in error.value.message


def test_a_database_that_is_too_new_is_told_before(host: Host, project: Project) -> None:
    """A version that does not know its schema is not put there at all."""
    host.publish("2.0.0", schema=NEWEST - 1)

    with pytest.raises(SchemaTooNewError):
        host.run(project)
    assert host.server.seen == []
    assert version_of(host.bak) == "1.0.0"


def test_a_copy_that_cannot_be_written_changes_nothing(host: Host, project: Project) -> None:
    """Without its copy of the database no upgrade begins."""
    project.copies.parent.joinpath("backups").write_text("a file where the folder should be")

    with pytest.raises(UpgradeError):
        host.run(project)
    assert host.server.seen == []
    assert version_of(host.bak) == "1.0.0"
