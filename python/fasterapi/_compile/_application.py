"""From a built FastAPI application to the routes of a native Worker."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant, _is_async_gen_callable, _is_gen_callable
from fastapi.encoders import jsonable_encoder
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi._compat.v2 import _regenerate_error_with_loc
from fastapi.exceptions import ResponseValidationError
from fastapi.routing import (
    APIRoute,
    _extract_endpoint_context,
    _IncludedRouter,
    iter_route_contexts,
)
from fastapi.security.base import SecurityBase
from pydantic_core import SchemaSerializer, ValidationError, from_json
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route as StarletteRoute, WebSocketRoute

from fasterapi import _core
from fasterapi._compile._fingerprint import check_handler
from fasterapi._compile._outcome import Finish, finish_of, request_of
from fasterapi._compile._params import rows_of, validator_of
from fasterapi._compile._reasons import NotCompiled
from fasterapi._compile._runner import needs_runner, runner_of

_PARAM = re.compile(r"{([a-zA-Z_][a-zA-Z0-9_]*)(:[a-zA-Z_][a-zA-Z0-9_]*)?}")
_CONVERTORS = ("", ":str", ":path", ":int", ":float", ":uuid")
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
_HIDDEN = "what comes before it may answer its paths, or its path is no pattern we know"
# (object, attribute, expected, any, size)
Guard = tuple[Any, str, Any, bool, int]


@dataclasses.dataclass
class Route:
    """One row of what users are shown."""

    path: str
    methods: tuple[str, ...]
    plan: _core.Plan | None
    reason: str = ""
    hint: str = ""
    kind: str = "operation"  # or "page" (a plain route of Starlette), "websocket", "mount"

    @property
    def tier(self) -> str:
        return "compiled" if self.plan is not None else "asgi"


@dataclasses.dataclass
class Compiled:
    """`table` is what Worker() takes as `routes`."""

    routes: list[Route]
    table: tuple[tuple[str, tuple[str, ...], _core.Plan | None], ...]

    @property
    def counts(self) -> dict[str, int]:
        """Routes of HTTP of each tier."""
        counts = {"compiled": 0, "asgi": 0}
        for route in self.routes:
            if route.kind in ("operation", "page"):
                counts[route.tier] += 1
        return counts


def _check_application(app: Any) -> None:
    if type(app) is not FastAPI:
        raise NotCompiled(f"{type(app).__name__} is not exactly fastapi.FastAPI")
    if app.root_path:
        raise NotCompiled("the application has a root_path")
    if app.middleware_stack is None:
        app.middleware_stack = app.build_middleware_stack()
    names = []
    layer = app.middleware_stack
    while layer is not app.router:
        names.append(type(layer))
        layer = getattr(layer, "app", None)
        if layer is None:
            raise NotCompiled(f"the middleware {names[-1].__name__} hides what is below it")
    expected = [ServerErrorMiddleware, None, None, ExceptionMiddleware, AsyncExitStackMiddleware]
    for found in names:
        if found.__module__.partition(".")[0] not in ("fastapi", "starlette"):
            raise NotCompiled(f"there is the middleware {found.__name__}")
    if app.user_middleware or len(names) != len(expected) or app.max_body_size is not None:
        raise NotCompiled("there is middleware, or a limit of the body")
    if app._native_telemetry.enabled():
        raise NotCompiled("telemetry is in use")


def _telemetry_guards() -> list[Guard]:
    from opentelemetry import trace
    from opentelemetry._logs import _internal as logs
    from opentelemetry.metrics import _internal as metrics

    return [
        (module, name, getattr(module, name), False, -1)
        for module, name in (
            (trace, "_TRACER_PROVIDER"),
            (metrics, "_METER_PROVIDER"),
            (logs, "_LOGGER_PROVIDER"),
        )
    ]


def _guards(app: FastAPI) -> list[Guard]:
    """What must hold for every request."""
    guards: list[Guard] = [
        (app, "dependency_overrides", None, True, 0),
        (app, "middleware_stack", app.middleware_stack, False, -1),
        (app, "router", app.router, False, -1),
    ]
    routers, seen = [app.router], set()
    while routers:
        router = routers.pop()
        if id(router) in seen:
            continue
        seen.add(id(router))
        guards.append((router, "routes", router.routes, False, len(router.routes)))
        routers += [r.original_router for r in router.routes if isinstance(r, _IncludedRouter)]
    return guards + _telemetry_guards()


def _model(effective: Any) -> tuple[Any, ...] | None:
    """How a result is validated and written, when there is a response model."""
    field = effective.response_field
    if field is None:
        return None
    serializer = field._type_adapter.serializer
    if type(serializer) is not SchemaSerializer:
        raise NotCompiled("the serializer of the response is not pydantic-core's own")
    options = {
        "include": effective.response_model_include,
        "exclude": effective.response_model_exclude,
        "by_alias": effective.response_model_by_alias,
        "exclude_unset": effective.response_model_exclude_unset,
        "exclude_defaults": effective.response_model_exclude_defaults,
        "exclude_none": effective.response_model_exclude_none,
    }
    if not isinstance(effective.response_class, DefaultPlaceholder):
        raise NotCompiled("there are a response_class and a response model")
    validate = field._type_adapter.validator.validate_python
    refuse = _refusal_of(effective)
    return (validate, serializer.to_json, tuple(options), tuple(options.values()), refuse)


def _refusal_of(effective: Any) -> Callable[[Exception, Any], Exception]:
    """What FastAPI raises for a result that is not valid."""
    dependant = effective.dependant
    method, *others = effective.methods
    if others:
        raise NotCompiled("several methods share a response model")

    def refuse(error: Exception, result: Any) -> Exception:
        if not isinstance(error, ValidationError):
            return error
        context = _extract_endpoint_context(dependant.call)
        if dependant.path:
            context["path"] = f"{method} {dependant.path}"
        errors = _regenerate_error_with_loc(
            errors=error.errors(include_url=False), loc_prefix=("response",)
        )
        return ResponseValidationError(errors=errors, body=result, endpoint_ctx=context)

    return refuse


def _encode(result: Any) -> bytes:
    return bytes(JSONResponse(jsonable_encoder(result)).body)


def _status(effective: Any) -> int:
    status = effective.status_code or 200
    if status in (204, 205, 304) or not 200 <= status <= 599:
        raise NotCompiled(f"status {status} has no body")
    return int(status)


def _check_route(effective: Any) -> None:
    dependant = effective.dependant
    response_class = effective.response_class
    if effective.is_sse_stream or effective.is_json_stream:
        raise NotCompiled("the endpoint is a generator")
    if isinstance(response_class, DefaultPlaceholder):
        response_class = response_class.value
    if response_class is not JSONResponse:
        raise NotCompiled(f"the response_class is {response_class.__name__}")
    if effective.max_body_size is not None:
        raise NotCompiled("the route has a limit of the body")
    if _is_gen_callable(dependant.call) or _is_async_gen_callable(dependant.call):
        raise NotCompiled("the endpoint is a generator")
    _check_requests(dependant)


def _check_requests(dependant: Dependant) -> None:
    """What a dependency does to a Request could change values that are found before it."""
    for sub in dependant.dependencies:
        scheme = isinstance(sub.call, SecurityBase) and type(sub.call).__module__.startswith(
            "fastapi.security."
        )
        if (sub.request_param_name or sub.http_connection_param_name) and not scheme:
            raise NotCompiled("a dependency takes the Request")
        _check_requests(sub)


def _calls(dependant: Dependant) -> list[Guard]:
    below = [guard for sub in dependant.dependencies for guard in _calls(sub)]
    return [(dependant, "call", dependant.call, False, -1), *below]


def _plan(app: FastAPI, effective: Any, guards: list[Guard], finish: Finish) -> _core.Plan:
    _check_route(effective)
    dependant = effective.dependant
    runs = needs_runner(dependant)
    if runs:
        endpoint, names, rows = runner_of(effective, request_of(app, effective))
    else:
        endpoint = dependant.call
        names, rows = rows_of(
            dependant, effective.param_convertors, effective._embed_body_fields
        )
    if effective.body_field is not None:
        validator_of(effective.body_field)
    own: list[Guard] = [*_calls(dependant), (effective, "app", effective.app, False, -1)]
    return _core.Plan(
        endpoint=endpoint,
        is_runner=runs,
        names=names,
        params=rows,
        guards=tuple(guards + own),
        finish=finish,
        encode=_encode,
        model=_model(effective),
        response=Response,
        status=_status(effective),
        parse_cookies=cookie_parser,
        from_json=from_json,
    )


def _pattern(path: str) -> str | None:
    """`path` if the native router reads it as Starlette does."""
    rest = _PARAM.sub("", path)
    if not path.startswith("/") or "{" in rest or "}" in rest:
        return None
    if any(convertor not in _CONVERTORS for _, convertor in _PARAM.findall(path)):
        return None
    return path


def _route(app: FastAPI, context: Any, guards: list[Guard], finish: Finish) -> Route:
    effective = context._effective_route
    path, methods = effective.path, tuple(sorted(effective.methods or ()))
    if not isinstance(context.original_route, APIRoute):
        return Route(path, methods, None, "it is no path operation of FastAPI", kind="page")
    try:
        if type(context.original_route) is not APIRoute:
            raise NotCompiled(f"the route is a {type(context.original_route).__name__}")
        if not methods or not set(methods) <= set(_METHODS):
            raise NotCompiled("it has a method of its own")
        plan = _plan(app, effective, guards, finish)
        check_handler(effective.app)
        return Route(path, methods, plan)
    except NotCompiled as reason:
        return Route(path, methods, None, reason.reason, reason.hint)


def compile_app(app: Any) -> Compiled:
    """Raises NotCompiled when the application as a whole cannot be."""
    _check_application(app)
    guards, finish = _guards(app), finish_of(app)
    routes: list[Route] = []
    table: list[tuple[str, tuple[str, ...], _core.Plan | None]] = []
    open_end = True
    for context in iter_route_contexts(app.router.routes):
        original: BaseRoute = context.original_route
        effective = context._effective_route
        if isinstance(original, WebSocketRoute):
            why = "WebSockets are served by the application"
            routes.append(Route(effective.path, (), None, why, kind="websocket"))
            continue
        if isinstance(original, StarletteRoute):
            found = _route(app, context, guards, finish)
            routes.append(found)
            pattern = _pattern(found.path)
            if pattern is not None and open_end:
                table.append((pattern, found.methods or _METHODS, found.plan))
                continue
            if found.plan is not None:
                found.plan, found.reason = None, _HIDDEN
        elif isinstance(original, Mount) and _pattern(effective.path + "/{path:path}"):
            why = "it is another application, which is not looked into"
            routes.append(Route(effective.path, (), None, why, kind="mount"))
            if open_end:
                table.append((effective.path + "/{path:path}", _METHODS, None))
            continue
        # What it answers is unknown, and it comes before all that follows.
        open_end = False
    return Compiled(routes, tuple(table))
