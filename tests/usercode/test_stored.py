"""`ctx.storage`: files that handlers keep, with the limits and checks of uploads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from programs import SEEN

from bakend.testing import TestProject, temporary_project

LIMIT = 200_000


@pytest.fixture
def project() -> Iterator[TestProject]:
    with temporary_project([SEEN], settings={"storage_max_file_size_bytes": LIMIT}) as opened:
        yield opened


def put(project: TestProject, lines: str, status: int = 200) -> Any:
    """Run some lines in which `ctx` is there, and return what they return."""
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    project.write_file(
        "functions/one.py",
        "from bakend import route\nfrom pathlib import Path\nimport io\n"
        f"@route('POST', '/put')\ndef put(ctx):\n{body}",
    )
    project.load_programs()
    answer = project.client.post("/api/_/put")
    assert answer.status_code == status, answer.get_data(as_text=True)
    return answer.get_json(silent=True)


def error(project: TestProject, lines: str) -> str:
    """Run them and return what they raise."""
    indented = "".join(f"    {line}\n" for line in lines.splitlines())
    return str(
        put(
            project,
            f"try:\n{indented}except Exception as e:\n    return f'{{type(e).__name__}}: {{e}}'",
        )
    )


def left_over(project: TestProject) -> list[Path]:
    """Return what lies on the disk of files."""
    return [path for path in (project.folder / "storage").rglob("*") if path.is_file()]


@pytest.mark.parametrize("size", [1, 65_536, 65_537, LIMIT])
@pytest.mark.parametrize("data", ["content", "bytearray(content)", "io.BytesIO(content)"])
def test_a_file_is_kept_to_the_byte(project: TestProject, size: int, data: str) -> None:
    """Whether it is bytes or an open file, and wherever a piece ends."""
    file = put(
        project,
        f"content = bytes(i % 251 for i in range({size}))\n"
        f"file = ctx.storage.put('a/b/report.pdf', {data})\n"
        "assert ctx.storage.read(file['id']) == content\nreturn file",
    )

    assert file == {
        "id": file["id"],
        "filename": "report.pdf",
        "mimeType": "application/pdf",
        "size": size,
        "visibility": "protected",
        "userId": "",
        "createdAt": file["createdAt"],
    }
    assert len(left_over(project)) == 1


def test_a_file_has_owner_visibility_and_type(project: TestProject) -> None:
    """Named by the user or its id; the event tells of it, in the name of who acts."""
    ada = project.make_user("ada@example.com")
    headers = project.log_in("ada@example.com")
    before = project.last_event()

    mine, shown = put(
        project,
        "user = ctx.db.query('SELECT id FROM _users')[0]['id']\n"
        "return [ctx.storage.put('a.html', b'x', owner=user, content_type='text/plain'),"
        " ctx.storage.put('b', b'y', public=True)]",
    )

    assert (mine["userId"], mine["mimeType"], mine["visibility"]) == (
        ada.id,
        "text/plain",
        "protected",
    )
    assert (shown["userId"], shown["mimeType"], shown["visibility"]) == (
        "",
        "application/octet-stream",
        "public",
    )
    paths = [f"/api/storage/{each['id']}" for each in (mine, shown)]
    assert [project.client.get(path).status_code for path in paths] == [401, 200]
    assert project.client.get(paths[0], headers=headers).data == b"x"
    events = project.events(after=before)
    assert [(each.type, each.subject, each.depth) for each in events] == [
        ("storage.uploaded", mine["id"], 1),
        ("storage.uploaded", shown["id"], 1),
    ]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("ctx.storage.put('a', b'')", "InvalidInputError: File cannot be empty"),
        (
            f"ctx.storage.put('a', bytes({LIMIT + 1}))",
            "InvalidInputError: File exceeds maximum size of 200 KB",
        ),
        (
            "with open('/dev/zero', 'rb') as f: ctx.storage.put('a', f)",
            "InvalidInputError: File exceeds maximum",
        ),
        ("ctx.storage.put('a', 'text')", "TypeError: A file is put as bytes or a file to read"),
        ("ctx.storage.put('a', io.StringIO('x'))", "TypeError: The file to read gives text"),
        ("ctx.storage.put('a', b'x', owner='usr_1')", "ValueError: There is no user 'usr_1'"),
        ("ctx.storage.put('a', b'x', content_type='a\\nb')", "ValueError: 'a\\nb' cannot be"),
    ],
)
def test_what_cannot_be_kept_leaves_nothing(project: TestProject, lines: str, told: str) -> None:
    """Neither a row nor bytes nor an event; a file without an end is not read to it."""
    before = project.last_event()

    assert error(project, lines).startswith(told)
    assert left_over(project) == []
    assert project.events(after=before) == []


def test_a_file_that_is_refused_is_the_clients_mistake_in_a_route(project: TestProject) -> None:
    """As it is in an upload."""
    answer = put(project, "ctx.storage.put('a', ctx.request.body)", 400)

    assert answer["error"] == {"code": "bad_request", "message": "File cannot be empty"}


def test_no_file_is_kept_before_a_write(project: TestProject) -> None:
    """It would stay where the write is refused."""
    project.write_file(
        "functions/before.py",
        "from bakend import before_create\n@before_create('seen')\n"
        "def check(ctx):\n    ctx.storage.put('a', b'x')\n",
    )
    assert "check@seen.before_create failed: UserCodeError: File a cannot be kept" in error(
        project, "ctx.records.create('seen', {})"
    )
    assert left_over(project) == []


def test_two_that_react_to_files_do_not_go_on_for_ever(project: TestProject) -> None:
    """A file that follows from a file is one deeper, until it is refused."""
    project.write_file(
        "functions/echo.py",
        "from bakend import on_event\n@on_event('storage.uploaded', attempts=1)\n"
        "def echo(ctx):\n    ctx.storage.put('again', b'x')\n",
    )
    put(project, "ctx.storage.put('first', b'x')\nreturn 1")
    project.run_pending()

    (run,) = project.app.programs().runs("function", limit=10)[0]
    assert "is the 17th handler that follows from one change" in str(run.error)
    assert project.app.files.page(limit=1, offset=0)[1] == 16
