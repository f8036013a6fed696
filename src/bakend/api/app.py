"""The WSGI application: routes, and what every answer carries.

A request passes, in this order: its path is put in normal form, it gets an id, the route answers,
an error becomes its envelope, the common headers are added, one line goes to the access log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Flask, g, request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import BaseConverter
from werkzeug.wrappers import Response

from bakend import logs
from bakend.accounts.administration import Accounts
from bakend.accounts.first_admin import FirstAdmin
from bakend.api import admin, auth, dashboard, health, own_routes, realtime, records, storage
from bakend.api.admin import audit as admin_audit
from bakend.api.admin import backups as admin_backups
from bakend.api.admin import collections as admin_collections
from bakend.api.admin import events as admin_events
from bakend.api.admin import functions as admin_functions
from bakend.api.admin import jobs as admin_jobs
from bakend.api.admin import logs as admin_logs
from bakend.api.admin import settings as admin_settings
from bakend.api.admin import stats as admin_stats
from bakend.api.admin import storage as admin_storage
from bakend.api.admin import users as admin_users
from bakend.api.answers import COMMON_HEADERS
from bakend.api.cors import Origins, cors_headers
from bakend.api.errors import envelope, headers_of, status_of
from bakend.api.requests import Networks, comes_from
from bakend.api.routing import Route, shown
from bakend.api.traffic import Traffic
from bakend.audit import Audit
from bakend.auth.authenticator import Authenticator
from bakend.clock import Clock
from bakend.collections.definition import RESERVED_NAMES
from bakend.collections.editor import CollectionEditor
from bakend.database.connection import Database
from bakend.errors import (
    BakendError,
    InvalidInputError,
    MethodNotAllowedError,
    NotFoundError,
    PayloadTooLargeError,
    UserCodeError,
)
from bakend.events.log import EventLog
from bakend.ids import new_id
from bakend.logs import Recent
from bakend.metrics import Metrics
from bakend.paths import normal_path
from bakend.records.store import RecordStore
from bakend.storage.files import FileStore
from bakend.structs import Struct
from bakend.upkeep import Upkeep

if TYPE_CHECKING:
    from bakend.programs import Programs

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

NO_ROUTE: Final = "none"
"""In metrics, for paths that are no route: they are whatever clients think of."""

LOGS: Final = "/api/admin/logs"
"""Who follows the log must not fill it by that: an answer from here is a line for DEBUG."""

REQUEST_ID_MAX: Final = 128
"""Characters of a request id that a trusted proxy may choose."""

_log = logging.getLogger("bakend.api")
_access_log = logging.getLogger("bakend.access")


class Parts(Struct, kw_only=True):
    """What the HTTP API is made of."""

    clock: Clock
    authenticator: Authenticator
    accounts: Accounts
    first_admin: FirstAdmin
    records: RecordStore
    files: FileStore
    link_key: bytes
    """Signs links to files."""
    json_depth: int
    origins: Origins
    trusted_proxies: Networks
    dashboard: dashboard.Assets | None
    """None where it is switched off."""
    database: Database
    event_log: EventLog
    audit: Audit
    editor: CollectionEditor
    file_words: admin_collections.FileWords
    programs: Callable[[], Programs]
    """Returns the functions, routes and jobs; most projects have none, and never ask."""
    upkeep: Upkeep
    recent_lines: Recent
    looks: health.Looks
    metrics: Metrics
    """Where requests are counted."""
    show_settings: Callable[[], Mapping[str, object]]
    """Returns what administrators see of the settings."""


def create_wsgi_app(parts: Parts) -> WSGIApplication:
    """Return the application, ready for a WSGI server or Flask's test client."""
    app = Flask("bakend", static_folder=None)
    traffic = Traffic(parts.clock)
    app.url_rule_class = Route
    app.url_map.converters["collection"] = _CollectionConverter
    app.url_map.converters["file"] = storage.FileConverter
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    _identify_requests(app, parts)  # before the blueprint of administration asks who it is
    app.register_blueprint(health.routes(parts.looks))
    if parts.dashboard is not None:
        app.register_blueprint(dashboard.routes(parts.dashboard))
    app.register_blueprint(
        auth.routes(
            parts.authenticator,
            parts.accounts,
            parts.first_admin,
            json_depth=parts.json_depth,
            trusted_proxies=parts.trusted_proxies,
        )
    )
    app.register_blueprint(storage.routes(parts.files, link_key=parts.link_key, clock=parts.clock))
    app.register_blueprint(realtime.routes())
    app.register_blueprint(_administration(parts, traffic))
    app.register_blueprint(
        own_routes.routes(
            parts.programs, json_depth=parts.json_depth, trusted_proxies=parts.trusted_proxies
        )
    )
    app.register_blueprint(records.routes(parts.records, json_depth=parts.json_depth))

    @app.teardown_request
    def end(_error: BaseException | None) -> None:
        if g.pop("is_counted", False):
            parts.metrics.ended()
            logs.request_id.set(None)

    _answer_errors(app)
    _finish_answers(app, parts, traffic)
    # The place that Flask's documentation names for middleware.
    app.wsgi_app = _normalised(app.wsgi_app)  # type: ignore[method-assign, assignment]
    return app


def _administration(parts: Parts, traffic: Traffic) -> Blueprint:
    blueprint = admin.blueprint()
    admin_collections.add_routes(
        blueprint, parts.editor, file_words=parts.file_words, json_depth=parts.json_depth
    )
    admin_logs.add_routes(blueprint, parts.recent_lines)
    admin_settings.add_routes(blueprint, parts.show_settings)
    admin_events.add_routes(blueprint, parts.database, parts.event_log)
    admin_audit.add_routes(blueprint, parts.audit)
    admin_stats.add_routes(
        blueprint,
        traffic,
        records=parts.records,
        files=parts.files,
        accounts=parts.accounts,
        programs=parts.programs,
        database_file=parts.database.path,
    )
    admin_storage.add_routes(blueprint, parts.files, parts.records)
    admin_functions.add_routes(blueprint, parts.programs)
    admin_jobs.add_routes(blueprint, parts.programs)
    admin_backups.add_routes(blueprint, parts.upkeep, json_depth=parts.json_depth)
    admin_users.add_routes(blueprint, parts.accounts, json_depth=parts.json_depth)
    return blueprint


class _CollectionConverter(BaseConverter):
    """A word of a URL that may name a collection; the reserved ones are no route at all."""

    regex = rf"(?!(?:{'|'.join(sorted(RESERVED_NAMES))})(?:/|\Z))[^/]+"


def _identify_requests(app: Flask, parts: Parts) -> None:
    @app.before_request
    def begin() -> None:
        parts.metrics.begun()
        g.is_counted = True
        g.identify = parts.authenticator.identify
        g.began_at = parts.clock.monotonic()
        given = request.headers.get("X-Request-Id", "")
        is_kept = (
            0 < len(given) <= REQUEST_ID_MAX
            and given.isascii()
            and given.isprintable()
            and comes_from(request.remote_addr, parts.trusted_proxies)
        )
        g.request_id = given if is_kept else new_id("req")
        logs.request_id.set(g.request_id)


def _answer_errors(app: Flask) -> None:
    @app.errorhandler(BakendError)
    def answer_ours(error: BakendError) -> Response:
        status = status_of(error)
        if status >= 500:
            _log.error(
                "%s %s failed, %s: %s%s",
                request.method,
                request.path,
                g.request_id,
                error.message,
                f" ({error.hint})" if error.hint else "",
                exc_info=_shown(error) if status == 500 else None,
            )
        return Response(envelope(error, g.request_id), status, headers_of(error))

    @app.errorhandler(HTTPException)
    def answer_http(error: HTTPException) -> Response:
        return answer_ours(_from_werkzeug(error))

    # The last resort: whatever else goes wrong is our fault, is logged, and shows only its id.
    @app.errorhandler(Exception)
    def answer_unknown(error: Exception) -> Response:
        _log.exception("%s %s failed, %s", request.method, request.path, g.request_id)
        failure = BakendError(str(error))
        return Response(envelope(failure, g.request_id), 500, headers_of(failure))


def _shown(error: BakendError) -> BaseException | None:
    """Return what the log shows the traceback of: where the project's own code failed, only that."""
    return error.__cause__ if isinstance(error, UserCodeError) else error


def _from_werkzeug(error: HTTPException) -> BakendError:
    """Return the error of ours that one of the framework means."""
    if isinstance(error, MethodNotAllowed):
        return MethodNotAllowedError(sorted({*(error.valid_methods or ()), "OPTIONS"}))
    if error.code == 413:
        return PayloadTooLargeError("Request body is too large")
    if error.code == 404:
        return NotFoundError("Not found")
    if error.code is not None and 400 <= error.code < 500:
        return InvalidInputError(error.description or error.name)
    return BakendError(error.description or error.name)


def _finish_answers(app: Flask, parts: Parts, traffic: Traffic) -> None:
    @app.after_request
    def finish(response: Response) -> Response:
        if request.method == "OPTIONS" and response.status_code == 200:
            response.status_code = 204
            response.set_data(b"")
            del response.headers["Content-Type"]
        there = {name for name, _value in response.headers}  # setdefault costs an exception each
        for name, value in COMMON_HEADERS:
            if name not in there:
                response.headers.add(name, value)
        response.headers["X-Request-Id"] = g.request_id
        _allow_origin(response.headers, parts.origins)
        seconds = parts.clock.monotonic() - g.began_at
        rule = request.url_rule
        route = NO_ROUTE if rule is None else shown(rule.rule)
        parts.metrics.answered(route, request.method, response.status_code, seconds)
        traffic.count(request.path, response.status_code, seconds * 1000)
        is_follower = route == LOGS and response.status_code == 200
        _access_log.log(
            logging.DEBUG if is_follower else logging.INFO,
            "%s %s %d %.1fms %s",
            request.method,
            request.path,
            response.status_code,
            seconds * 1000,
            g.request_id,
        )
        return response


def _allow_origin(headers: Headers, origins: Origins) -> None:
    is_preflight = (
        request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    )
    origin = request.headers.get("Origin")
    for name, value in cors_headers(origin, origins, is_preflight=is_preflight):
        headers.add(name, value)


def _normalised(app: WSGIApplication) -> WSGIApplication:
    """Let `//api/posts/`, `/api/./posts` and `/api/posts` be the same path."""

    def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        # What can be upgraded never gets here, and a server may ignore the wish (RFC 9110 7.8). Left
        # where it is, Werkzeug would look for another kind of routes.
        environ.pop("HTTP_UPGRADE", None)
        environ["PATH_INFO"] = normal_path(environ.get("PATH_INFO", ""))
        return app(environ, start_response)

    return call
