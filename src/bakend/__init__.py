"""Bakend: a backend in one file.

The public names for functions, routes and jobs, each loaded when it is first used, so that `bak version`
stays quick. Nothing inside the package imports from here.
"""

import importlib as _importlib
from typing import TYPE_CHECKING as _TYPE_CHECKING

if _TYPE_CHECKING:
    from bakend.errors import AuthenticationError as AuthenticationError
    from bakend.errors import BakendError as BakendError
    from bakend.errors import ConflictError as ConflictError
    from bakend.errors import InvalidInputError as InvalidInputError
    from bakend.errors import NotFoundError as NotFoundError
    from bakend.errors import PermissionDeniedError as PermissionDeniedError
    from bakend.errors import RateLimitedError as RateLimitedError
    from bakend.errors import UnavailableError as UnavailableError
    from bakend.errors import ValidationError as ValidationError
    from bakend.usercode.context import Context as Context
    from bakend.usercode.marks import before_create as before_create
    from bakend.usercode.marks import before_delete as before_delete
    from bakend.usercode.marks import before_update as before_update
    from bakend.usercode.marks import job as job
    from bakend.usercode.marks import on_create as on_create
    from bakend.usercode.marks import on_delete as on_delete
    from bakend.usercode.marks import on_event as on_event
    from bakend.usercode.marks import on_login as on_login
    from bakend.usercode.marks import on_logout as on_logout
    from bakend.usercode.marks import on_register as on_register
    from bakend.usercode.marks import on_update as on_update
    from bakend.usercode.marks import route as route
    from bakend.usercode.marks import task as task
    from bakend.usercode.reject import Reject as Reject
    from bakend.usercode.request import Request as Request
    from bakend.usercode.request import Response as Response
    from bakend.usercode.request import RouteContext as RouteContext

_MARKS = "bakend.usercode.marks"
_ERRORS = "bakend.errors"
_REQUEST = "bakend.usercode.request"
_PLACES = {
    "AuthenticationError": _ERRORS,
    "BakendError": _ERRORS,
    "ConflictError": _ERRORS,
    "Context": "bakend.usercode.context",
    "InvalidInputError": _ERRORS,
    "NotFoundError": _ERRORS,
    "PermissionDeniedError": _ERRORS,
    "RateLimitedError": _ERRORS,
    "Reject": "bakend.usercode.reject",
    "Request": _REQUEST,
    "Response": _REQUEST,
    "RouteContext": _REQUEST,
    "UnavailableError": _ERRORS,
    "ValidationError": _ERRORS,
    "before_create": _MARKS,
    "before_delete": _MARKS,
    "before_update": _MARKS,
    "job": _MARKS,
    "on_create": _MARKS,
    "on_delete": _MARKS,
    "on_event": _MARKS,
    "on_login": _MARKS,
    "on_logout": _MARKS,
    "on_register": _MARKS,
    "on_update": _MARKS,
    "route": _MARKS,
    "task": _MARKS,
}


def __getattr__(name: str) -> object:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'bakend' has no attribute {name!r}")
    found: object = getattr(_importlib.import_module(place), name)
    globals()[name] = found
    return found
