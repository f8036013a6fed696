"""Bakend: a backend in one file.

The public names for functions and jobs, each loaded when it is first used, so that `bak version`
stays quick. Nothing inside the package imports from here.
"""

import importlib as _importlib
from typing import TYPE_CHECKING as _TYPE_CHECKING

if _TYPE_CHECKING:
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
    from bakend.usercode.reject import Reject as Reject

_MARKS = "bakend.usercode.marks"
_PLACES = {
    "Context": "bakend.usercode.context",
    "Reject": "bakend.usercode.reject",
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
}


def __getattr__(name: str) -> object:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'bakend' has no attribute {name!r}")
    found: object = getattr(_importlib.import_module(place), name)
    globals()[name] = found
    return found
