"""From a built FastAPI application to the routes of a native Worker."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from fastapi.applications import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.encoders import jsonable_encoder
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi._compat.v2 import _regenerate_error_with_loc
from fastapi.exceptions import ResponseValidationError
from fastapi.routing import (
    APIRoute,
    iter_route_contexts,
)
from fastapi.telemetry._asgi import _legacy_otel
from pydantic_core import SchemaSerializer, ValidationError, from_json
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Host, Mount, Route as StarletteRoute, WebSocketRoute

from fasterapi import _core
from fasterapi._compile._behind import Entry, install
from fasterapi._compile._build import context_of, needs_builder
from fasterapi._compile._call_next import shorten
from fasterapi._compile._entrance import entrance_of
from fasterapi._compile._errors import Fault, read_of, reject_of
from fasterapi._compile._fingerprint import check_handler, check_limits
from fasterapi._compile._known import steps_of
from fasterapi._compile._limits import MAX, within
from fasterapi._compile._misses import (
    guards_of,
    has_fallbacks,
    has_own_way,
    is_usual,
    not_allowed,
    not_found,
    redirect,
    routers_of,
    select_none_of,
)
from fasterapi._compile._outcome import (
    Direct,
    direct_of,
    finish_of,
    quick_of,
    request_of,
    stack_of,
)
from fasterapi._compile._mounts import (
    application_of,
    mounted_in,
    root_of,
    when_built,
)
from fasterapi._compile._pages import page_of
from fasterapi._compile._params import BODY, MEMBER, rows_of
from fasterapi._compile._place import Guard, Place
from fasterapi._compile._reasons import NotCompiled
from fasterapi._compile._releases import OUTER, body_limit_of
from fasterapi._compile._safe import is_safe
from fasterapi._compile._runner import checked_of, runner_of
from fasterapi._compile._select import Select, limit_of, select_of, way_to
from fasterapi._compile._table import (
    METHODS,
    Compiled,
    Route,
    TableRow,
    pattern_of,
    wider_pattern_of,
)
from fasterapi._compile._tree import needs_runner

_UNKNOWN_CONVERTOR = "its path has a convertor that the core does not know"
_OF_EVERY_CLASS = frozenset(
    ("__annotations__", "__dict__", "__doc__", "__firstlineno__", "__init__", "__module__")
    + ("__qualname__", "__static_attributes__", "__weakref__", "openapi")
)
_HIDDEN = "what comes before it may answer its paths, or its path is no pattern we know"


def _check_class(app: Any) -> None:
    """A class of the user's may have more than FastAPI, but nothing else in its place."""
    if not isinstance(app, FastAPI):
        raise NotCompiled(f"{type(app).__name__} is not fastapi.FastAPI")
    kind = type(app)
    for own in kind.__mro__[: kind.__mro__.index(FastAPI)]:
        for name in vars(own):
            if hasattr(FastAPI, name) and name not in _OF_EVERY_CLASS:
                raise NotCompiled(f"{own.__name__} has a {name} of its own")


def _check_application(app: Any) -> None:
    _check_class(app)
    if any(map(has_own_way, routers_of(app))):
        raise NotCompiled("a router has a way of its own to find routes")
    stack = app.middleware_stack
    if app._native_telemetry.enabled() and not (stack is not None and _legacy_otel(stack)):
        raise NotCompiled("telemetry is in use")


def _check_stack(place: Place) -> None:
    """Without middleware of the user there is only FastAPI's own."""
    layers: list[type] = []
    layer = place.stack
    while layer is not place.app.router:
        layers.append(type(layer))
        layer = within(getattr(layer, "app", None))
        if layer is None:
            raise NotCompiled(f"{layers[-1].__name__} hides what is below it")
    if tuple(layers) != (*OUTER, ExceptionMiddleware, AsyncExitStackMiddleware):
        raise NotCompiled("something was put around the middleware of FastAPI")


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


def _guards(place: Place) -> list[Guard]:
    """What must hold for every request, even if FastAPI's handler of the route answers."""
    app = place.app
    guards: list[Guard] = [(app, "router", app.router, False, -1)]
    if app.root_path:
        guards.append((app, "root_path", app.root_path, False, -1))
    if place.stack is None:
        pass  # requests have come through it
    elif place.stack is app.middleware_stack:
        guards.append((app, "middleware_stack", place.stack, False, -1))
    else:  # it is taken with the first request that comes to the application itself
        handlers = app.exception_handlers
        guards.append((app, "middleware_stack", place.stack, False, None))
        guards.append((app, "user_middleware", app.user_middleware, False, ()))
        guards.append((app, "exception_handlers", handlers, False, len(handlers)))
        guards.append((app, "debug", app.debug, False, -1))
    guards.append((app.router, "middleware_stack", app.router.middleware_stack, False, -1))
    for router in routers_of(app):
        guards.append((router, "routes", router.routes, False, tuple(router.routes)))
    return guards


def _model(effective: Any) -> tuple[Any, ...] | None:
    """How a result is validated and written, when there is a response model."""
    field = effective.response_field
    if field is None or needs_builder(effective):
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
    validate = field._type_adapter.validator.validate_python
    refuse = _refusal_of(effective)
    return (validate, serializer.to_json, tuple(options), tuple(options.values()), refuse)


def _refusal_of(effective: Any) -> Callable[[Exception, Any, Any], Exception]:
    """What FastAPI raises for a result that is not valid."""

    def refuse(error: Exception, result: Any, run: Any) -> Exception:
        if not isinstance(error, ValidationError):
            return error
        context = context_of(effective, run)
        errors = _regenerate_error_with_loc(
            errors=error.errors(include_url=False), loc_prefix=("response",)
        )
        return ResponseValidationError(errors=errors, body=result, endpoint_ctx=context)

    return refuse


def _encode(result: Any) -> bytes:
    return bytes(JSONResponse(jsonable_encoder(result)).body)


def _calls(dependant: Dependant) -> list[Guard]:
    below = [guard for sub in dependant.dependencies for guard in _calls(sub)]
    return [(dependant, "call", dependant.call, False, -1), *below]


class _Compiler:
    """What the plans of one application have in common."""

    def __init__(
        self,
        place: Place,
        server_root: str,
        guards: list[Guard],
        above: _Compiler | None = None,
    ) -> None:
        """`guards` are those of what comes before."""
        self.place = place
        self.app = place.app
        self.server_root = server_root
        self.guards = [*guards, *_guards(place)]
        self.behind = place.behind
        if not self.behind:
            _check_stack(place)
        if place.limit is not None:
            check_limits()
        # What known middleware does to plain answers, the core can do, before all of it.
        self.steps = steps_of(self.app) if self.behind and place.stack is not None else None
        self.stepped: dict[_core.Plan, _core.Plan] = {}
        known = self.steps is not None or not self.behind
        self.stack = stack_of(place) if known else None
        self.quick = None if self.behind else quick_of(place)
        self.entries: list[Entry] = []
        # Those of applications in this one to which the core does not lead.
        self.within: list[_Compiler] = [] if above is None else above.within
        self.table: tuple[TableRow, ...] = ()

    def _made(
        self, guards: list[Guard], soft: list[Guard], select: Select, outside: bool, **options: Any
    ) -> _core.Plan:
        """`guards` are more that must hold in any case; `limit` is that of bodies."""
        steps, limit = options["steps"], options.pop("limit", self.place.limit)
        known = limit is not None and (steps or not self.behind)
        hard = [*self.guards, *guards]
        return _core.Plan(
            **options,
            guards=(*hard, *soft),
            hard_guards=len(hard),
            limit=min(limit, MAX) if known else -1,
            root=self.place.root,
            finish=finish_of(self.place, self.stack, select, outside),
            encode=_encode,
            response=Response,
            parse_cookies=cookie_parser,
            from_json=from_json,
        )

    def _plain(
        self,
        guards: list[Guard],
        select: Select,
        endpoint: Any,
        outside: bool = False,
        **options: Any,
    ) -> _core.Plan:
        """A plan that takes no values of the request."""
        usual = {"is_runner": True, "is_direct": False, "direct": None, "quick": self.quick}
        kept = {"names": (), "params": (), "checks": None, "model": None, "status": 200, "steps": ()}
        options = {**usual, **kept, **options}
        return self._made(guards, [], select, outside, endpoint=endpoint, **options)

    def _compiled(self, context: Any, select: Select, direct: Direct) -> _core.Plan:
        effective = context._effective_route
        if body_limit_of(effective) is not None:
            check_limits()
            if self.behind and body_limit_of(effective) != self.place.limit:
                raise NotCompiled("it is behind middleware, with a limit of the body of its own")
        check_handler(within(effective.app))
        dependant = effective.dependant
        runs, checked = needs_runner(effective), None
        if runs:
            endpoint, names, rows = runner_of(effective, request_of(select), self.behind)
            if dependant.dependencies:
                checked = checked_of(effective, request_of(select), self.behind)
        else:
            endpoint = dependant.call
            names, rows = rows_of(
                dependant, effective.param_convertors, effective._embed_body_fields
            )
        overrides: Guard = (self.app, "dependency_overrides", None, True, 0)
        status = int(effective.status_code or 200)
        soft: list[Guard] = [overrides, *_calls(dependant)]
        reject = reject_of(effective, checked)
        reads_body = any(row[0] in (BODY, MEMBER) for row in rows)
        options: dict[str, Any] = {
            "checks": (Fault, reject, read_of(effective) if reads_body else None),
            "endpoint": endpoint,
            "is_runner": runs,
            "is_direct": False,
            "names": names,
            "params": rows,
            "model": _model(effective),
            "status": status,
            "quick": self.quick,
            "limit": limit_of(self.place, effective),
        }
        hard: list[Guard] = [(effective, "app", effective.app, False, -1)]
        plan = self._made(hard, soft, select, False, **options, direct=direct, steps=())
        if self.steps is not None and not runs and status != 206:
            self.stepped[plan] = self._made(
                hard, soft, select, False, **options, direct=None, steps=self.steps
            )
        self.entries.append(
            Entry(plan, select, effective.app, status, runs, reads_body, reject)
        )
        return plan

    def _refusal(self, context: Any) -> _core.Plan | None:
        """For the methods that a route has not."""
        effective = context._effective_route
        if not effective.methods:
            return None
        try:
            _handle_of(context, self.app)
            select = select_of(self.place, context, last=True)
        except NotCompiled:
            return None
        guard: Guard = (effective, "methods", effective.methods, False, len(effective.methods))
        return self._plain([guard], select, not_allowed(effective), True, is_runner=False)

    def refusals(self, found: list[tuple[str, Any]]) -> list[TableRow]:
        """Rows for the methods that no route has; `found` are the routes by pattern, in order,
        without one where it is not known what it does."""
        return [
            (pattern, METHODS, self._refusal(context) if context is not None else None)
            for pattern, context in found
        ]

    def missing(self) -> _core.Plan | None:
        """For paths that no route has, nor would with a slash more or less."""
        if not is_usual(self.app) or has_fallbacks(self.app):
            return None
        select = select_none_of(self.place)
        return self._plain([*guards_of(self.app)], select, not_found, True, is_runner=False)

    def slash(self) -> _core.Plan | None:
        """For paths that a route would have."""
        if not self.app.router.redirect_slashes:
            return None
        return self._plain([*guards_of(self.app)], select_none_of(self.place), redirect, True)

    def route(self, context: Any) -> Route:
        """The best plan there is for a route."""
        effective, original = context._effective_route, context.original_route
        kind = "operation" if isinstance(original, APIRoute) else "page"
        path, limit = self.place.shown + effective.path, limit_of(self.place, effective)
        route = Route(path, tuple(sorted(effective.methods or ())), None, kind=kind)
        try:
            if not set(route.methods) <= set(METHODS):
                raise NotCompiled("it has a method of its own")
            select = select_of(self.place, context)
            handle = _handle_of(context, self.app)
            direct = direct_of(handle, select)
            guards: list[Guard] = [(effective, "app", effective.app, False, -1)]
            route.plan = self._plain(guards, select, direct, is_direct=True, quick=None, limit=limit)
            self.entries.append(Entry(route.plan, select, handle, 200, True, False, None))
            if kind == "page":
                if self.behind:
                    raise NotCompiled("it is no path operation of FastAPI")
                page = page_of(effective, request_of(select))
                route.plan = self._plain(guards, select, page, direct=direct, limit=limit)
                return route
            if type(original) is not APIRoute or not route.methods:
                raise NotCompiled(f"the route is a {type(original).__name__}")
            route.plan = self._compiled(context, select, direct)
            route.outer = self.stepped.get(route.plan)
            route.safe = is_safe(effective, original)
        except NotCompiled as reason:
            route.reason, route.hint = reason.reason, reason.hint
        return route


def _handle_of(context: Any, app: FastAPI) -> Any:
    """The ASGI application that a route is, once its path and method are found right."""
    original, effective = context.original_route, context._effective_route
    kind = type(original)
    if isinstance(original, APIRoute):
        if kind.handle is not APIRoute.handle or kind.matches is not APIRoute.matches:
            raise NotCompiled(f"{kind.__name__} has a way of its own to match or handle")
    elif kind is not StarletteRoute:
        raise NotCompiled(f"the route is a {kind.__name__}")
    elif any(body_limit_of(way.include_context) is not None for way in way_to(app, effective)):
        raise NotCompiled("a router limits the body of what it includes")
    return effective.app


def _matches_as_usual(route: StarletteRoute) -> bool:
    kind = type(route)
    return kind.matches in (APIRoute.matches, StarletteRoute.matches)


@dataclasses.dataclass
class _Found:
    """Of one application and of those that are mounted in it."""

    routes: list[Route] = dataclasses.field(default_factory=list)
    table: list[TableRow] = dataclasses.field(default_factory=list)
    known: list[tuple[str, Any]] = dataclasses.field(default_factory=list)
    below: set[str] = dataclasses.field(default_factory=set)  # patterns of mounted applications
    guards: list[Guard] = dataclasses.field(default_factory=list)  # likewise
    open_end: bool = True  # whatever comes to its end is met by no route


def _walk(compiler: _Compiler) -> _Found:
    found = _Found()
    for context in iter_route_contexts(compiler.app.router.routes):
        original: BaseRoute = context.original_route
        if isinstance(original, WebSocketRoute):
            effective: Any = context._effective_route
            path = compiler.place.shown + effective.path
            why = "WebSockets are served by the application"
            found.routes.append(Route(path, (), None, why, kind="websocket"))
        elif isinstance(original, StarletteRoute):
            found.open_end &= _take_route(compiler, found, context)
        elif isinstance(original, (Mount, Host)):
            found.open_end &= _take_mount(compiler, found, context)
        else:
            # What it answers is unknown, and it comes before all that follows.
            found.open_end = False
    return found


def _take_route(compiler: _Compiler, found: _Found, context: Any) -> bool:
    """False: what comes after it may never be asked."""
    route = compiler.route(context)
    found.routes.append(route)
    path = compiler.place.prefix + context._effective_route.path
    pattern = pattern_of(path)
    if pattern is None and (pattern := wider_pattern_of(path)) is not None:
        route.plan, route.reason = None, _UNKNOWN_CONVERTOR
    if pattern is not None and found.open_end and _matches_as_usual(context.original_route):
        found.table.append((pattern, route.methods or METHODS, route.plan))
        found.known.append((pattern, context if route.plan is not None else None))
        return True
    if route.plan is not None:
        route.plan, route.reason = None, _HIDDEN
    return False


def _take_mount(compiler: _Compiler, found: _Found, context: Any) -> bool:
    """Likewise."""
    route = context._effective_route
    path = f"//{route.host}" if isinstance(route, Host) else route.path
    pattern = None
    if type(route) is Mount:
        pattern = pattern_of(compiler.place.prefix + path + "/{path:path}")
    everything: TableRow = (pattern or "", METHODS, None)
    try:
        app = application_of(route, compiler.place)
        _check_application(app)
        try:
            if pattern is None:
                raise NotCompiled("it is not for the core to find")
            rows = _mounted(compiler, context, everything)
        except NotCompiled:
            rows = _behind(compiler, app, path, everything)
    except NotCompiled as why:
        told = Route(compiler.place.shown + path, (), None, why.reason, why.hint, kind="mount")
        rows = _Found([told], [everything])
    found.routes += rows.routes
    found.guards += rows.guards
    if found.open_end and pattern is not None:
        found.table += rows.table
        found.below |= {pattern for pattern, _, _ in rows.table}
    elif len(rows.table) > 1:  # those of the core's own
        for hidden in rows.routes:
            if hidden.plan is not None:
                hidden.plan, hidden.reason = None, _HIDDEN
    return pattern is not None


def _mounted(compiler: _Compiler, context: Any, everything: TableRow) -> _Found:
    """An application that the core leads to by itself."""
    place, guards = mounted_in(compiler.place, context, compiler.server_root)
    below = _Compiler(place, compiler.server_root, [*compiler.guards, *guards], compiler)
    rows = _walk(below)
    rows.table += below.refusals(rows.known) if rows.open_end else []
    alone = rows.open_end and not place.app.router.redirect_slashes
    rows.table.append((*everything[:2], below.missing()) if alone else everything)
    rows.guards += below.guards
    return rows


def _behind(compiler: _Compiler, app: FastAPI, path: str, everything: TableRow) -> _Found:
    """An application to which requests come as ever: its plans are behind its middleware."""
    for other in compiler.within:
        if other.place.app is app:
            raise NotCompiled(f"its routes are told of at {other.place.shown}")
    shown = compiler.place.shown + path
    place = Place(app, None, shown=shown, above=compiler.place)
    below = _Compiler(place, compiler.server_root, _telemetry_guards(), compiler)
    compiler.within.append(below)
    rows = _walk(below)
    below.table = tuple(rows.table)
    return dataclasses.replace(rows, table=[everything], guards=[*below.guards, *rows.guards])


def _install(compiler: _Compiler) -> None:
    """The plans of applications to which requests come as ever."""
    for below in compiler.within:
        app, entries, table = below.app, below.entries, _core.PlanTable(below.table)

        def put_into(
            stack: Any, app: FastAPI = app, table: Any = table, entries: list[Entry] = entries
        ) -> None:
            install(app, stack, table, entries)
            shorten(app, stack)

        when_built(app, put_into)


def _under(root: str, found: _Found, table: list[TableRow]) -> list[TableRow]:
    """The rows of an application that says by itself below which path it is: it has its routes
    there, and without that path, too. But those that are mounted in it are there only."""
    if not root:
        return table
    there = [(root + pattern, methods, plan) for pattern, methods, plan in table]
    others: list[TableRow] = [(root + "/{path:path}", METHODS, None), (root, METHODS, None)]
    here = [
        (pattern, methods, None if pattern in found.below else plan)
        for pattern, methods, plan in table
    ]
    return [*there, *others, *here]


def compile_app(app: Any, *, apart: bool = False, root_path: str = "") -> Compiled:
    """Raises NotCompiled when the application as a whole cannot be. `apart`: plans behind
    its middleware stay those that are there. `root_path` is the server's."""
    _check_class(app)
    if app.middleware_stack is None:
        app.middleware_stack = app.build_middleware_stack()
    _check_application(app)
    root = root_of(app, root_path)
    place = Place(app, app.middleware_stack, root)
    compiler = _Compiler(place, root_path, _telemetry_guards())
    found = _walk(compiler)
    guards = [*compiler.guards, *found.guards]
    if not apart:
        _install(compiler)
    if compiler.behind:
        entrance = None
        if not apart:
            found_by = _core.PlanTable(tuple(found.table))
            install(app, place.stack, found_by, compiler.entries)
            shorten(app, place.stack)
            entrance = entrance_of(app, found_by, [entry.plan for entry in compiler.entries])
        stepped: list[TableRow] = [
            (pattern, methods, None if plan is None else compiler.stepped.get(plan))
            for pattern, methods, plan in found.table
        ]
        table_of_steps = _under(root, found, stepped) if compiler.stepped else []
        return Compiled(app, found.routes, guards, tuple(table_of_steps), [], entrance)
    refusals = compiler.refusals(found.known) if found.open_end else []
    table: list[Any] = _under(root, found, [*found.table, *refusals])
    if found.open_end:
        table.append((None, compiler.missing(), compiler.slash()))
    routed = {route.plan for route in found.routes}
    plans = {plan for row in table for plan in row[1:] if isinstance(plan, _core.Plan)}
    return Compiled(app, found.routes, guards, tuple(table), list(plans - routed))
