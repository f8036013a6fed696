"""Everybody's accounts for administrators: `/api/admin/users`."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, request
from werkzeug.wrappers import Response

from bakend.accounts.administration import Accounts
from bakend.accounts.ending import POLICIES
from bakend.api.answers import json_answer, no_content
from bakend.api.requests import OFFSET_MAX, clamped, identity_of, json_object
from bakend.errors import InvalidInputError

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 100


def add_routes(blueprint: Blueprint, accounts: Accounts, *, json_depth: int) -> None:
    """Add the routes.

    Args:
        blueprint: Of `/api/admin`.
        accounts: What is listed and changed.
        json_depth: How deep a body may be nested.
    """

    @blueprint.get("/users")
    def list_users() -> Response:
        users, total = accounts.page(
            limit=clamped(request.args, "limit", default=LIMIT_DEFAULT, high=LIMIT_MAX),
            offset=clamped(request.args, "offset", default=0, low=0, high=OFFSET_MAX),
            search=request.args.get("search", ""),
        )
        return json_answer({"items": [user.to_wire() for user in users], "total": total})

    @blueprint.post("/users")
    def create_user() -> Response:
        body = body_of()
        email, password = body.get("email"), body.get("password")
        if not (isinstance(email, str) and isinstance(password, str) and email and password):
            raise InvalidInputError("email and password are required")
        role = body.get("role", "authenticated")
        user = accounts.create(email, password, role, identity_of(request).actor)
        return json_answer(user.to_wire(), 201)

    @blueprint.get("/users/<user_id>")
    def get_user(user_id: str) -> Response:
        return json_answer(accounts.get(user_id).to_wire())

    @blueprint.patch("/users/<user_id>")
    def set_role(user_id: str) -> Response:
        accounts.get(user_id)  # 404 comes before the body's 400
        role = str(body_of().get("role"))  # what is no text is no role either
        return json_answer(accounts.set_role(user_id, role, identity_of(request).actor).to_wire())

    @blueprint.delete("/users/<user_id>")
    def delete_user(user_id: str) -> Response:
        data = request.args.get("data")
        if data is not None and data not in POLICIES:
            raise InvalidInputError(f"data must be one of: {', '.join(POLICIES)}")
        accounts.delete(user_id, identity_of(request).actor, data=data)
        return no_content()

    @blueprint.post("/users/<user_id>/password")
    def set_password(user_id: str) -> Response:
        accounts.get(user_id)
        password = body_of().get("password")
        if not isinstance(password, str) or not password:
            raise InvalidInputError("password is required")
        accounts.set_password(user_id, password, identity_of(request).actor)
        return no_content()

    @blueprint.get("/users/<user_id>/sessions")
    def list_sessions(user_id: str) -> Response:
        mine = identity_of(request).session
        items = [session.to_wire(current=mine) for session in accounts.sessions(user_id)]
        return json_answer({"items": items, "total": len(items)})

    @blueprint.delete("/users/<user_id>/sessions")
    def end_sessions(user_id: str) -> Response:
        accounts.end_sessions(user_id, identity_of(request).actor)
        return no_content()

    @blueprint.delete("/users/<user_id>/sessions/<session_id>")
    def end_session(user_id: str, session_id: str) -> Response:
        accounts.end_session(user_id, session_id, identity_of(request).actor)
        return no_content()

    def body_of() -> dict[str, Any]:
        return json_object(request, max_depth=json_depth)
