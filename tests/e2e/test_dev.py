"""`bak dev` takes definition files in as they are saved, as far as no stored value is lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bakend.usercode.watcher import LOOK_EVERY_S

from processes import (
    CLOCK,
    SLOWNESS,
    Client,
    ServerProcess,
    make_project,
    running_server,
    wait_until,
    write_definition,
)
from samples import LISTS

pytestmark = pytest.mark.e2e

SEEN_S = 20.0
"""A saved file is taken in within about a second."""

NAME: dict[str, Any] = LISTS["fields"][0]
SIZE = {"name": "size", "type": "integer"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with one collection."""
    return make_project(tmp_path, [LISTS])


@pytest.fixture
def server(folder: Path) -> Iterator[ServerProcess]:
    """Its development server."""
    with running_server(folder, command="dev") as running:
        yield running


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Client]:
    """A client of it."""
    with server.client() as connected:
        yield connected


def _save(folder: Path, *fields: dict[str, Any], name: str = "lists") -> None:
    write_definition(folder, {**LISTS, "name": name, "fields": list(fields)})


def _wait_logged(server: ServerProcess, text: str) -> None:
    try:
        wait_until(lambda: text in server.log, SEEN_S, what=f"the log says {text!r}")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{server.log}") from None


def _create(client: Client, **record: object) -> str:
    answer = client.post("/api/lists", record)
    assert answer.status == 201
    return str(answer.json["id"])


def test_an_added_field_is_there(folder: Path, server: ServerProcess, client: Client) -> None:
    """Records that exist get the new field empty; new ones keep it."""
    before = _create(client, name="before", size=1)

    _save(folder, NAME, SIZE)
    _wait_logged(server, 'INFO Collection "lists": Field "size" (integer) is added')

    assert client.get(f"/api/lists/{before}").json["size"] is None
    after = _create(client, name="after", size=2)
    assert client.get(f"/api/lists/{after}").json["size"] == 2


def test_a_new_collection_is_there(folder: Path, server: ServerProcess, client: Client) -> None:
    """A new file is a new collection, and may refer to one that was there."""
    assert client.get("/api/items").status == 404
    target = _create(client, name="target")

    _save(folder, {"name": "list", "type": "relation", "collection": "lists"}, name="items")
    _wait_logged(server, 'INFO Collection "items": The collection is created')

    assert client.post("/api/items", {"list": target}).status == 201
    assert client.post("/api/items", {"list": "rec_none"}).status == 400


def test_a_renamed_field_keeps_its_values(
    folder: Path, server: ServerProcess, client: Client
) -> None:
    """`renamedFrom` moves the values, and saving the file once more does nothing."""
    record = _create(client, name="kept")
    renamed = {**NAME, "name": "title", "renamedFrom": "name"}

    _save(folder, renamed)
    _wait_logged(server, 'INFO Collection "lists": Field "name" is renamed to "title"')
    _save(folder, renamed, SIZE)
    _wait_logged(server, 'INFO Collection "lists": Field "size" (integer) is added')

    content = client.get(f"/api/lists/{record}").json
    assert (content["title"], content["size"]) == ("kept", None)
    assert "name" not in content
    assert server.log.count("is renamed") == 1


def test_a_change_that_loses_values_waits_for_its_command(
    folder: Path, server: ServerProcess, client: Client
) -> None:
    """It is not made; the log names the plan and the command, and other files are taken in."""
    record = _create(client, name="kept")

    _save(folder, SIZE)
    _save(folder, NAME, name="others")
    _wait_logged(server, "Run `bak migrate apply --destructive` to change it")
    _wait_logged(server, 'Collection "others": The collection is created')

    assert 'WARN Collection "lists" differs from its file and stays as it is: ' in server.log
    assert 'Field "name" and its values are deleted' in server.log
    assert client.get(f"/api/lists/{record}").json["name"] == "kept"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"name": "lists", "fields": [', "invalid JSON: "),
        ("[]", "expected { name, fields }"),
        ('{"name": "lists", "fields": [{"name": "id", "type": "no"}]}', "is reserved"),
    ],
    ids=["torn", "a list", "a faulty definition"],
)
def test_a_broken_file_is_told_and_the_server_goes_on(
    folder: Path, server: ServerProcess, client: Client, text: str, fault: str
) -> None:
    """The collection stays as it was until its file is mended."""
    record = _create(client, name="kept")

    (folder / "collections" / "lists.json").write_text(text)
    _wait_logged(server, "is left out: ")
    assert fault in server.log
    assert client.get(f"/api/lists/{record}").json["name"] == "kept"

    _save(folder, NAME, SIZE)
    _wait_logged(server, 'Collection "lists": Field "size" (integer) is added')
    assert client.get(f"/api/lists/{record}").json["size"] is None


def test_stored_values_that_are_in_the_way_are_told(
    folder: Path, server: ServerProcess, client: Client
) -> None:
    """A change that stored records contradict is refused with the reason, and the rest goes on."""
    _save(folder, {"name": "name", "type": "string"})
    _wait_logged(server, 'Field "name" is no longer unique')
    for _ in range(2):
        _create(client, name="twice")

    _save(folder, {"name": "name", "type": "string", "unique": True})
    _wait_logged(server, "were not applied: ")

    assert len(client.get("/api/lists").json["items"]) == 2


def test_a_deleted_folder_is_survived(folder: Path, server: ServerProcess, client: Client) -> None:
    """Collections outlive their files; when the folder comes back, it is watched as before."""
    record = _create(client, name="kept")

    shutil.rmtree(folder / "collections")
    CLOCK.pause(4 * LOOK_EVERY_S * SLOWNESS)  # it says nothing of files that are gone
    assert client.get(f"/api/lists/{record}").status == 200
    (folder / "collections").mkdir()
    _save(folder, NAME, SIZE)
    _wait_logged(server, 'Collection "lists": Field "size" (integer) is added')

    assert client.get(f"/api/lists/{record}").json["size"] is None
    assert " ERROR " not in server.log


def test_a_project_without_the_folder_is_watched(tmp_path: Path) -> None:
    """The folder may be made while the server runs."""
    make_project(tmp_path)
    (tmp_path / "collections").rmdir()
    with running_server(tmp_path, command="dev") as server, server.client() as client:
        (tmp_path / "collections").mkdir()
        write_definition(tmp_path, LISTS)
        _wait_logged(server, 'Collection "lists": The collection is created')

        assert client.get("/api/lists").status == 200


def test_start_does_not_watch(folder: Path) -> None:
    """`bak start --watch` does what `bak dev` does; `bak start` leaves files that change alone."""
    with running_server(folder) as plain:
        with running_server(folder, "--watch") as watching:
            _save(folder, NAME, SIZE)
            _wait_logged(watching, 'Field "size" (integer) is added')
        assert "size" not in plain.log
        with plain.client() as client:  # another process changed the database: it is seen at once
            assert client.post("/api/lists", {"name": "new", "size": 3}).json["size"] == 3


def test_what_administrators_change_is_written_back(tmp_path: Path) -> None:
    """Each change once; the watcher finds what is there already, and takes nothing back."""
    admin = {
        "BAKEND_ADMIN_EMAIL": "root@example.com",
        "BAKEND_ADMIN_PASSWORD": "correct horse battery",
    }
    folder = make_project(tmp_path, [LISTS])
    path = folder / "collections" / "lists.json"
    with running_server(folder, command="dev", environ=admin) as server, server.client() as client:
        login = {"email": "root@example.com", "password": "correct horse battery"}
        token = client.post("/api/auth/login", login).json["token"]
        headers = {"Authorization": f"Bearer {token}"}
        for number in range(5):
            fields = [*LISTS["fields"], *({"name": f"f{n}", "type": "text"} for n in range(number))]
            wanted = {**LISTS, "fields": fields}
            answer = client.request("PUT", "/api/admin/collections/lists", wanted, headers)
            assert (answer.status, answer.json["status"]) == (200, "synced")
            assert json.loads(path.read_text()) == wanted
        CLOCK.pause(3 * LOOK_EVERY_S * SLOWNESS)
        answer = client.request("GET", "/api/admin/collections/lists", headers=headers)
        assert len(answer.json["definition"]["fields"]) == len(LISTS["fields"]) + 4
        assert server.log.count("Wrote ") == 4  # the first changed nothing
        assert "stays as it is" not in server.log
    assert [each.name for each in (folder / "collections").iterdir()] == ["lists.json"]
