"""The dashboard's files, as browsers ask for them."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path
from typing import Final

import importlib_resources
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from bakend import executable
from bakend.api.dashboard import (
    COMPRESSIBLE,
    CONTENT_TYPES,
    assets,
    from_disk,
    make_asset,
    read_assets,
    routes,
)
from bakend.testing import TestProject, temporary_project

FROM_SOURCE: Final = pytest.mark.skipif(
    executable.IS_ONE_FILE, reason="in the one file there is no disk to develop on"
)

FILES: Final = {
    "index.html": b"<!doctype html>" + b"index " * 100,
    "_app/immutable/entry.1a2b.js": b"let x = 1; " * 100,
    "_app/version.json": b'{"version":"1"}',
    "logo.png": b"\x89PNG" * 100,
    "__init__.py": b"",
    "__pycache__/x.pyc": b"",
    ".secret": b"",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A built dashboard."""
    for name, content in FILES.items():
        path = tmp_path / "built" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "built"


@pytest.fixture
def script() -> str:
    """The address of a script of the dashboard."""
    return f"/_/{_named('.js')}"


@pytest.fixture
def style() -> str:
    """The address of a style sheet of the dashboard."""
    return f"/_/{_named('.css')}"


def _named(ending: str) -> str:
    """Return the longest file of the dashboard that ends so."""
    files = read_assets(importlib_resources.files("bakend.dashboard"))
    found = [path for path in files if path.endswith(ending)]
    return max(found, key=lambda path: len(files[path].content))


def _get(project: TestProject, path: str, **headers: str) -> TestResponse:
    return project.client.get(path, headers={k.replace("_", "-"): v for k, v in headers.items()})


@pytest.mark.parametrize("path", ["/_", "/_/", "/_/setup", "/_/collections/posts"])
def test_every_page_is_the_index(project: TestProject, path: str) -> None:
    """The dashboard draws its pages itself, so each address answers with the same file."""
    answer = _get(project, path)

    assert answer.status_code == 200
    assert answer.content_type == "text/html; charset=utf-8"
    assert answer.data.startswith(b"<!doctype html>")
    assert answer.headers["Cache-Control"] == "no-cache"


def test_what_the_index_names_is_there_and_nothing_is_remote(project: TestProject) -> None:
    """The page works without the internet: all that it loads is below /_."""
    text = _get(project, "/_").get_data(as_text=True)
    named = [part.split('"')[0] for part in text.split('="') if part.startswith(("/_/", "http"))]

    assert len(named) >= 3
    for address in named:
        answer = _get(project, address)
        assert (address, answer.status_code) == (address, 200)
        assert not answer.content_type.startswith("text/html")


def test_the_page_obeys_its_own_policy(project: TestProject) -> None:
    """Nothing may run or be shown that is not a file of ours, so nothing stands inline."""
    answer = _get(project, "/_")
    policy = answer.headers["Content-Security-Policy"]
    text = answer.get_data(as_text=True)

    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "<style" not in text
    assert 'style="' not in text
    assert "<script>" not in text


def test_the_first_screen_is_small() -> None:
    """What a browser loads before anybody can log in, and everything together, as it is sent."""
    files = read_assets(importlib_resources.files("bakend.dashboard"))
    sent = {path: len(file.compressed or file.content) for path, file in files.items()}
    index = files["index.html"].content.decode()

    first = sum(size for path, size in sent.items() if f'"/_/{path}"' in index)

    assert 10_000 < first < 120_000
    assert sum(sent.values()) < 500_000


@pytest.mark.parametrize(
    "path",
    [
        "/_/_app/immutable/gone.js",
        "/_/_app/gone",
        "/_/_app",
        "/_/gone.css",
        "/_/__init__.py",
        "/_/__init__.pyc",
        "/_/.env",
    ],
)
def test_a_missing_file_is_not_a_page(project: TestProject, path: str) -> None:
    """HTML in place of a script fails where nobody looks; and no source of ours is shown."""
    answer = _get(project, path)

    assert answer.status_code == 404
    assert answer.get_json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    "path",
    [
        "/_/..%2fhealth",
        "/_/%2e%2e/health",
        "/_/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/_/..%5chealth",
        "/_/a%00b",
        "/_/../health",
    ],
)
def test_a_path_only_goes_down(project: TestProject, path: str) -> None:
    """A way out of the dashboard's folder leads nowhere, however it is written."""
    assert _get(project, path).status_code == 404


@pytest.mark.parametrize("path", ["/_", "/_/", "/_/icon.svg", "/_/a/page"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_files_are_only_read(project: TestProject, method: str, path: str) -> None:
    """Other methods are told which there are."""
    answer = project.client.open(path, method=method)

    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


def test_head_is_get_without_the_body(project: TestProject) -> None:
    """The head says the same, the length included."""
    get, head = _get(project, "/_"), project.client.head("/_")

    assert (head.status_code, head.data) == (200, b"")
    for name in ("Content-Length", "Content-Type", "ETag", "Cache-Control"):
        assert head.headers[name] == get.headers[name]


def test_what_a_browser_has_is_not_sent_again(project: TestProject, script: str) -> None:
    """A tag that still fits is answered with 304, without a body and with what caches need."""
    first = _get(project, script)
    again = _get(project, script, If_None_Match=first.headers["ETag"])
    weak = _get(project, script, If_None_Match=f'"other", W/{first.headers["ETag"]}')
    changed = _get(project, script, If_None_Match='"other"')

    assert first.headers["ETag"].startswith('"')
    assert (again.status_code, again.data, weak.status_code) == (304, b"", 304)
    for name in ("ETag", "Cache-Control", "Content-Security-Policy", "Vary"):
        assert again.headers.getlist(name) == first.headers.getlist(name)
    assert changed.status_code == 200


def test_those_who_take_gzip_get_it(project: TestProject, style: str) -> None:
    """The two variants have tags of their own, and caches are told to keep them apart."""
    plain = _get(project, style)
    zipped = _get(project, style, Accept_Encoding="br, gzip;q=0.5")
    refused = _get(project, style, Accept_Encoding="gzip;q=0")
    again = _get(
        project,
        style,
        Accept_Encoding="gzip",
        If_None_Match=zipped.headers["ETag"],
    )

    assert "Content-Encoding" not in plain.headers
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(zipped.data) == plain.data
    assert len(zipped.data) < len(plain.data) / 2
    assert zipped.headers["ETag"] != plain.headers["ETag"]
    assert refused.data == plain.data
    assert again.status_code == 304
    for answer in (plain, zipped):
        assert "Accept-Encoding" in ", ".join(answer.headers.getlist("Vary"))


def test_a_dashboard_that_is_switched_off_is_not_there() -> None:
    """Its addresses are unknown ones, in JSON."""
    with temporary_project(settings={"dashboard_enabled": False}) as project:
        for path in ("/_", "/_/", "/_/icon.svg", "/_/../health"):
            answer = _get(project, path)
            assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "not_found")


def test_only_the_dashboard_itself_is_served(folder: Path) -> None:
    """Python, hidden files and caches lie in the package and are not part of it."""
    assert sorted(read_assets(folder)) == [
        "_app/immutable/entry.1a2b.js",
        "_app/version.json",
        "index.html",
        "logo.png",
    ]


def test_a_hashed_name_is_kept_for_ever(folder: Path) -> None:
    """What cannot change under its name is never asked for again; all else is."""
    read = read_assets(folder)

    assert "immutable" in read["_app/immutable/entry.1a2b.js"].cache_control
    assert {read[path].cache_control for path in ("index.html", "_app/version.json")} == {
        "no-cache"
    }


def test_what_does_not_shrink_is_not_compressed(folder: Path) -> None:
    """Pictures are small already, and a tiny text is not worth a variant."""
    read = read_assets(folder)

    assert read["logo.png"].compressed is None
    assert read["_app/version.json"].compressed is None
    assert read["index.html"].compressed is not None


def test_a_variant_that_the_build_made_is_used(folder: Path) -> None:
    """`index.html.gz` is the gzip of `index.html`, and no file of its own."""
    made = gzip.compress(FILES["index.html"], 1, mtime=7)
    (folder / "index.html.gz").write_bytes(made)
    (folder / "index.html.br").write_bytes(b"br")

    read = read_assets(folder)

    assert read["index.html"].compressed == made
    assert not [path for path in read if path.endswith((".gz", ".br"))]


@pytest.mark.parametrize("extension", sorted(CONTENT_TYPES))
def test_text_says_its_encoding(extension: str) -> None:
    """No type is left to be guessed."""
    content_type = make_asset(f"x.{extension}", b"").content_type

    assert content_type == CONTENT_TYPES[extension]
    assert ("charset=utf-8" in content_type) == content_type.startswith(
        ("text/", "application/json")
    )
    assert set(CONTENT_TYPES) >= COMPRESSIBLE


def test_an_unknown_kind_of_file_is_only_bytes() -> None:
    """Nothing runs that the table does not know."""
    assert make_asset("x.exe", b"").content_type == "application/octet-stream"


def test_files_inside_a_zip_are_the_same(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The single file has the dashboard in a zip."""
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        for name, content in FILES.items():
            archive.writestr(f"a_zipped_dashboard/{name}", content)
    monkeypatch.syspath_prepend(tmp_path / "one.zip")

    inside = read_assets(importlib_resources.files("a_zipped_dashboard"))

    assert inside == read_assets(folder)


@pytest.fixture
def developing(folder: Path) -> Flask:
    """The routes over a folder that is being worked on."""
    app = Flask("test", static_folder=None)
    app.register_blueprint(routes(from_disk(folder)))
    return app


def test_a_rebuild_shows_at_once(developing: Flask, folder: Path) -> None:
    """While developing, files are read for each request: changed, new and removed ones."""
    client = developing.test_client()
    client.get("/_")
    (folder / "index.html").write_bytes(b"changed")
    (folder / "new.js").write_bytes(b"new")
    (folder / "logo.png").unlink()

    assert client.get("/_/page").data == b"changed"
    assert client.get("/_/new.js").data == b"new"
    assert client.get("/_/logo.png").status_code != 200


def test_a_link_does_not_lead_out(developing: Flask, folder: Path, tmp_path: Path) -> None:
    """While developing, too, only the dashboard's folder is served, and only what belongs to it."""
    (tmp_path / "outside.txt").write_text("outside")
    (folder / "out.txt").symlink_to(tmp_path / "outside.txt")
    read = from_disk(folder)

    assert read("out.txt") is None
    assert read("__init__.py") is None
    assert read("_app") is None
    assert read(f"{'x' * 5_000}.js") is None
    assert read("index.html") is not None


@FROM_SOURCE
def test_developing_reads_from_the_disk_and_serving_does_not() -> None:
    """A clone has the files on the disk; a server reads them once."""
    index = "index.html"
    served, developed = assets(develops=False), assets(develops=True)

    assert served(index) is served(index)
    assert developed(index) is not developed(index)
    assert developed(index) == served(index)


@FROM_SOURCE
def test_the_package_is_where_the_build_goes() -> None:
    """`bakend.dashboard` is imported from a clone without being installed."""
    root = Path(__file__).parent.parent.parent

    assert Path(str(importlib_resources.files("bakend.dashboard"))).resolve() == (
        root / "dashboard_build"
    )
