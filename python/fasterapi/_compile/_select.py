"""What routing puts into a request's scope, for a route that the core has chosen already."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

from fastapi.applications import FastAPI
from fastapi.routing import (
    _FASTAPI_EFFECTIVE_ROUTE_CONTEXT_KEY,
    _FASTAPI_INCLUDED_ROUTER_KEY,
    _FASTAPI_SCOPE_KEY,
    APIRoute,
    _get_fastapi_scope,
    _IncludedRouter,
    _update_scope,
)
from starlette._utils import get_route_path
from starlette.middleware.exceptions import ExceptionMiddleware

from fasterapi._compile._limits import enter_limit
from fasterapi._compile._place import Place
from fasterapi._compile._reasons import NotCompiled
from fasterapi._compile._releases import apply_form_limits, body_limit_of

Select = Callable[[dict[str, Any]], None]


def _ways(candidates: Any, effective: Any) -> Iterator[list[_IncludedRouter]]:
    for candidate in candidates:
        if isinstance(candidate, _IncludedRouter):
            for way in _ways(candidate.effective_candidates(), effective):
                yield [candidate, *way]
        elif effective is candidate or effective is getattr(candidate, "starlette_route", None):
            yield []


def way_to(app: FastAPI, effective: Any) -> list[_IncludedRouter]:
    """The inclusions, outermost first, through which requests come to a route."""
    for way in _ways(app.router.routes, effective):
        return way
    raise NotCompiled("no router leads to it")


def _leads_to(layer: Any, router: Any) -> bool:
    while layer is not None and layer is not router:
        layer = getattr(layer, "app", None)
    return layer is not None


def exceptions_of(app: FastAPI, stack: Any) -> ExceptionMiddleware:
    """The last of an application's stack that it cannot choose."""
    layer: Any = stack
    while layer is not None and type(layer) is not ExceptionMiddleware:
        layer = getattr(layer, "app", None)
    if layer is not None and _leads_to(layer, app.router):
        return layer
    # Middleware may keep what it leads to under any name, or in a closure.
    found = [
        layer
        for layer in gc.get_objects()
        if type(layer) is ExceptionMiddleware and _leads_to(layer, app.router)
    ]
    if len(found) != 1:
        raise NotCompiled("it cannot be told what the middleware leads to")
    return found[0]


def handlers_of(place: Place) -> tuple[Any, Any] | None:
    """Those of exceptions, by class and by status."""
    if place.stack is None:
        return None
    exceptions = exceptions_of(place.app, place.stack)
    return exceptions._exception_handlers, exceptions._status_handlers


def _child_scope_of(effective: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What its matches() has for the scope of a request that the core has found it for."""

    def asked(scope: dict[str, Any]) -> dict[str, Any]:
        _, child_scope = effective.matches(scope)
        found: dict[str, Any] = child_scope
        return found

    def taken(scope: dict[str, Any]) -> dict[str, Any]:
        match = effective.path_regex.match(get_route_path(scope))
        if match is None or _FASTAPI_SCOPE_KEY in scope:
            return asked(scope)
        values = match.groupdict()
        for name, value in values.items():
            values[name] = effective.param_convertors[name].convert(value)
        before = scope.get("path_params")
        values = {**before, **values} if before else values
        return {"endpoint": effective.endpoint, "path_params": values, "route": effective}

    return taken if type(effective) is APIRoute else asked


def limit_of(place: Place, effective: Any) -> int | None:
    """Of the bodies of a route's requests."""
    own = body_limit_of(effective)
    return place.limit if own is None else own


def select_of(place: Place, context: Any, *, last: bool = False) -> Select:
    """select(scope) does what the application's stack, its router and the routers that it
    includes do to the scope on the way to a route. `last`: every other was asked before."""
    effective, original = context._effective_route, context.original_route
    app, child_scope_of = place.app, _child_scope_of(effective)
    handlers, way = handlers_of(place), way_to(app, effective)
    known, asked = context._route_context, bool(way)
    limit = None if place.behind else limit_of(place, effective)
    for route in app.router.routes:  # inclusions that are asked before it leave a trace
        if (route is effective and not last) or asked:
            break
        asked = isinstance(route, _IncludedRouter)

    def select(scope: dict[str, Any]) -> None:
        place.enter(scope, handlers)
        if asked:
            _get_fastapi_scope(scope)
        child_scope = child_scope_of(scope)
        for included in way:
            apply_form_limits(scope, included.include_context)
            _get_fastapi_scope(scope)[_FASTAPI_INCLUDED_ROUTER_KEY] = included
        _update_scope(scope, child_scope)
        if known is not None:
            _get_fastapi_scope(scope)[_FASTAPI_EFFECTIVE_ROUTE_CONTEXT_KEY] = known
            if isinstance(original, APIRoute):
                scope["route"] = original
        if limit is not None:
            enter_limit(scope, limit)

    return select
