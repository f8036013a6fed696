"""Accounts over HTTP: `/api/auth/…`, each for the caller's own account."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from werkzeug.wrappers import Response

from bakend.access import require_user
from bakend.accounts.administration import Accounts
from bakend.accounts.first_admin import FirstAdmin
from bakend.api.answers import json_answer, no_content
from bakend.api.requests import Networks, boolean, client_address, identity_of, json_object
from bakend.auth.authenticator import Authenticator, Client
from bakend.auth.identity import Identity
from bakend.errors import InvalidInputError


def routes(
    authenticator: Authenticator,
    accounts: Accounts,
    first_admin: FirstAdmin,
    *,
    json_depth: int,
    trusted_proxies: Networks,
) -> Blueprint:
    """Return the routes of accounts.

    Args:
        authenticator: Logs in and out.
        accounts: Ends accounts.
        first_admin: Makes the first administrator.
        json_depth: How deep a body may be nested.
        trusted_proxies: Whose word on the client's address is taken.
    """
    blueprint = Blueprint("auth", __name__, url_prefix="/api/auth")

    @blueprint.post("/register")
    def register() -> Response:
        body = json_object(request, max_depth=json_depth)
        email, password = _credentials(body)
        return json_answer(authenticator.register(email, password, client()).to_wire(), 201)

    @blueprint.post("/login")
    def login() -> Response:
        body = json_object(request, max_depth=json_depth)
        email, password = _credentials(body)
        return json_answer(authenticator.login(email, password, client()).to_wire())

    @blueprint.post("/refresh")
    def refresh() -> Response:
        body = json_object(request, max_depth=json_depth)
        return json_answer(authenticator.refresh(_text(body, "refreshToken"), client()).to_wire())

    @blueprint.post("/logout")
    def logout() -> Response:
        body = json_object(request, max_depth=json_depth)
        authenticator.logout(_text(body, "refreshToken"))
        return no_content()

    @blueprint.get("/me")
    def me() -> Response:
        return json_answer({"user": authenticator.me(_caller()).to_wire()})

    @blueprint.delete("/me")
    def end_account() -> Response:
        caller = _caller()
        accounts.delete(caller.id or "", caller.actor)
        return no_content()

    @blueprint.post("/password")
    def change_password() -> Response:
        caller = _caller()
        body = json_object(request, max_depth=json_depth)
        old, new = _texts(body, "oldPassword", "newPassword")
        authenticator.change_password(caller, old, new, client())
        return no_content()

    @blueprint.get("/sessions")
    def list_sessions() -> Response:
        caller = _caller()
        items = [
            session.to_wire(current=caller.session) for session in authenticator.sessions(caller)
        ]
        return json_answer({"items": items, "total": len(items)})

    @blueprint.delete("/sessions")
    def end_sessions() -> Response:
        caller = _caller()
        authenticator.end_sessions(caller, others=boolean(request.args, "others"))
        return no_content()

    @blueprint.delete("/sessions/<session_id>")
    def end_session(session_id: str) -> Response:
        authenticator.end_session(_caller(), session_id)
        return no_content()

    @blueprint.post("/setup")
    def set_up() -> Response:
        body = json_object(request, max_depth=json_depth)
        token = _text(body, "token")
        email, password = _credentials(body)
        return json_answer(first_admin.set_up(token, email, password, client()).to_wire(), 201)

    def client() -> Client:
        return Client(
            address=client_address(request, trusted_proxies),
            user_agent=request.headers.get("User-Agent", ""),
        )

    return blueprint


def _caller() -> Identity:
    """Return who calls; refuse an anonymous caller."""
    identity = identity_of(request)
    require_user(identity)
    return identity


def _credentials(body: dict[str, Any]) -> tuple[str, str]:
    email, password = _texts(body, "email", "password")
    return email, password


def _text(body: dict[str, Any], name: str) -> str:
    return _texts(body, name)[0]


def _texts(body: dict[str, Any], *names: str) -> list[str]:
    """Return what a body has to say under some names, each a text that is not empty."""
    found = [body.get(name) for name in names]
    if not all(isinstance(value, str) and value for value in found):
        are = "are" if len(names) > 1 else "is"
        raise InvalidInputError(f"{' and '.join(names)} {are} required")
    return [str(value) for value in found]
