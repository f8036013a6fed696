"""Files over HTTP: `/api/storage/…`.

Order of the checks: method, then for an upload who asks, the form, the file in it, its size; for one
file whether it exists, then who asks.
"""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, request
from werkzeug.routing import BaseConverter
from werkzeug.wrappers import Response

from bakend import access
from bakend.api import downloads
from bakend.api.answers import json_answer, no_content
from bakend.api.requests import identity_of
from bakend.api.uploads import received
from bakend.clock import Clock, to_text
from bakend.storage.file import StoredFile
from bakend.storage.files import FileStore
from bakend.storage.links import make_link, opens


class FileConverter(BaseConverter):
    """A word of a URL that may be the id of a file; `upload` is a route of its own."""

    regex = r"(?!upload(?:/|\Z))[^/]+"


def routes(files: FileStore, *, link_key: bytes, clock: Clock) -> Blueprint:
    """Return the routes of files.

    Args:
        files: Where they are.
        link_key: What signs links, and nothing else.
        clock: Tells whether a link is still good.
    """
    blueprint = Blueprint("storage", __name__, url_prefix="/api/storage")

    @blueprint.post("/upload")
    def upload() -> Response:
        identity = identity_of(request)
        access.require_uploader(identity)
        assert identity.id is not None
        with received(request, files.receive) as form:
            file = files.add(
                form.content,
                filename=form.filename,
                mime_type=form.mime_type,
                visibility=form.visibility,
                user_id=identity.id,
                actor=identity.actor,
            )
        return json_answer(file.to_wire(), 201)

    @blueprint.get("/<file:file_id>")
    def download(file_id: str) -> Response:
        file = files.get(file_id)
        if not _has_link(file):
            access.require_readable(identity_of(request), file)
        return downloads.answer(request, file, files.open)

    @blueprint.delete("/<file:file_id>")
    def delete(file_id: str) -> Response:
        identity = identity_of(request)
        files.delete(
            file_id, lambda file: access.require_owned(identity, file), actor=identity.actor
        )
        return no_content()

    @blueprint.post("/<file:file_id>/url")
    def make_url(file_id: str) -> Response:
        file = files.get(file_id)
        access.require_readable(identity_of(request), file)
        link = make_link(link_key, file.id, clock.now())
        query = urlencode({"expires": link.expires, "token": link.token})
        return json_answer(
            {
                "url": f"/api/storage/{file.id}?{query}",
                "expiresAt": to_text(link.expires_at),
            }
        )

    def _has_link(file: StoredFile) -> bool:
        given = request.args
        return opens(
            link_key, file.id, given.get("expires", ""), given.get("token", ""), clock.now()
        )

    return blueprint
