"""The short way to an application's own middleware.

Before it FastAPI asks whether telemetry is in use, and goes through layers of its own that do
nothing where it is not, and no body is limited. What is left of them for requests of HTTP is the
layer that answers errors."""

from __future__ import annotations

import copy
from typing import Any

from fastapi.applications import FastAPI
from starlette import applications
from starlette.applications import Starlette

from fasterapi import _core
from fasterapi._compile._fingerprint import is_known
from fasterapi._compile._releases import INACTIVE, OUTER, body_limit_of

_SKIPPED = ((applications, "Starlette.__call__"), *INACTIVE)


class Entrance:
    """An application of ASGI in the place of `app`."""

    def __init__(self, app: FastAPI, first: Any, table: _core.PlanTable, plan: _core.Plan) -> None:
        self.app = app
        self.first = first
        self.table = table
        self.plan = plan  # of whose guards it makes use

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        app = self.app
        if scope["type"] == "http" and self.table.applies(self.plan):
            if app.root_path:
                scope["root_path"] = app.root_path
            scope["app"] = app
            await self.first(scope, receive, send)
        else:
            await app(scope, receive, send)


def entrance_of(app: FastAPI, table: _core.PlanTable, plans: list[_core.Plan]) -> Entrance | None:
    """None: its layers are not known, or there is no plan behind them."""
    layers: list[Any] = [app.middleware_stack]
    for kind in OUTER:
        if type(layers[-1]) is not kind:
            return None
        layers.append(layers[-1].app)
    known = type(app).__call__ is FastAPI.__call__ and FastAPI.__mro__[1] is Starlette
    if body_limit_of(app) is not None or not plans or not known:
        return None
    if not all(is_known(module, name) for module, name in _SKIPPED):
        return None
    first = copy.copy(layers[0])
    first.app = layers[-1]
    return Entrance(app, first, table, plans[0])
