"""From a built FastAPI application to the routes of a native Worker."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.encoders import jsonable_encoder
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi._compat.v2 import _regenerate_error_with_loc
from fastapi.exceptions import ResponseValidationError
from fastapi.routing import (
    APIRoute,
    iter_route_contexts,
)
from pydantic_core import SchemaSerializer, ValidationError, from_json
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route as StarletteRoute, WebSocketRoute

from fasterapi import _core
from fasterapi._compile._behind import Entry, install
from fasterapi._compile._build import context_of, needs_builder
from fasterapi._compile._call_next import shorten
from fasterapi._compile._entrance import entrance_of
from fasterapi._compile._errors import Fault, read_of, reject_of
from fasterapi._compile._fingerprint import check_handler
from fasterapi._compile._known import steps_of
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
from fasterapi._compile._mounts import mounted_in, root_of
from fasterapi._compile._pages import page_of
from fasterapi._compile._params import BODY, MEMBER, rows_of
from fasterapi._compile._place import Guard, Place
from fasterapi._compile._reasons import NotCompiled
from fasterapi._compile._releases import OUTER, body_limit_of
from fasterapi._compile._safe import is_safe
from fasterapi._compile._runner import checked_of, runner_of
from fasterapi._compile._select import Select, select_of, way_to
from fasterapi._compile._tree import needs_runner

_PARAM = re.compile(r"{([a-zA-Z_][a-zA-Z0-9_]*)(:[a-zA-Z_][a-zA-Z0-9_]*)?}")
_CONVERTORS = ("", ":str", ":path", ":int", ":float", ":uuid")
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
_UNKNOWN_CONVERTOR = "its path has a convertor that the core does not know"
_HIDDEN = "what comes before it may answer its paths, or its path is no pattern we know"
# As Worker() takes it; without a plan it is for the application.
TableRow = tuple[str, "tuple[str, ...]", "_core.Plan | None"]


@dataclasses.dataclass
class Route:
    """One row of what users are shown. Tiers: "compiled", the core does what FastAPI does;
    "direct", the core finds the route and FastAPI's own handler of it answers, without
    router and middleware, because of `reason`; "asgi", the application does everything."""

    path: str
    methods: tuple[str, ...]
    plan: _core.Plan | None
    reason: str = ""
    hint: str = ""
    safe: bool = False  # it may be asked twice
    outer: _core.Plan | None = None  # for plain answers, before middleware that is known
    kind: str = "operation"  # or "page" (a plain route of Starlette), "websocket", "mount"

    @property
    def tier(self) -> str:
        if self.plan is None:
            return "asgi"
        return "direct" if self.reason else "compiled"

    @property
    def requests(self) -> dict[str, int]:
        """Those that its plan has met, by the tier that served them."""
        if self.plan is None:
            return {}
        served, directed = self.plan.served, self.plan.directed
        if self.outer is not None:  # what it passes on comes to `plan`
            served += self.outer.served
        if self.tier == "direct":
            served, directed = 0, served + directed
        counts = {"compiled": served, "direct": directed, "asgi": self.plan.passed_on}
        return {tier: count for tier, count in counts.items() if count}


@dataclasses.dataclass
class Compiled:
    """`table` is what Worker() takes as `routes`: nothing if middleware that is not known
    comes first, which leads to the plans by itself."""

    app: FastAPI
    routes: list[Route]
    guards: list[Guard]  # of all plans
    table: tuple[tuple[Any, ...], ...]
    misses: list[_core.Plan]  # those for paths and methods that it does not have
    entrance: Any = None  # what to call in place of `app`, or None

    @property
    def counts(self) -> dict[str, int]:
        """Routes of HTTP of each tier."""
        counts = {"compiled": 0, "direct": 0, "asgi": 0}
        for route in self.routes:
            if route.kind in ("operation", "page"):
                counts[route.tier] += 1
        return counts


def _check_application(app: Any) -> None:
    if type(app) is not FastAPI:
        raise NotCompiled(f"{type(app).__name__} is not exactly fastapi.FastAPI")
    if "build_middleware_stack" in vars(app):
        raise NotCompiled("the application builds its middleware in a way of its own")
    if any(map(has_own_way, routers_of(app))):
        raise NotCompiled("a router has a way of its own to find routes")
    if app._native_telemetry.enabled():
        raise NotCompiled("telemetry is in use")


def _check_stack(place: Place) -> None:
    """Without middleware of the user there is only FastAPI's own."""
    layers: list[type] = []
    layer = place.stack
    while layer is not place.app.router:
        layers.append(type(layer))
        layer = getattr(layer, "app", None)
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
    if place.stack is app.middleware_stack:
        guards.append((app, "middleware_stack", place.stack, False, -1))
    else:  # it is built with the first request that comes to the application itself
        handlers = app.exception_handlers
        guards.append((app, "user_middleware", app.user_middleware, False, ()))
        guards.append((app, "exception_handlers", handlers, False, len(handlers)))
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


def _check_route(effective: Any) -> None:
    if body_limit_of(effective) is not None:
        raise NotCompiled("the route has a limit of the body")


def _calls(dependant: Dependant) -> list[Guard]:
    below = [guard for sub in dependant.dependencies for guard in _calls(sub)]
    return [(dependant, "call", dependant.call, False, -1), *below]


def _wider(path: str) -> str | None:
    """A pattern that has every path of `path`, which has a convertor that we do not know."""
    for match in _PARAM.finditer(path):
        if match[2] and match[2] not in _CONVERTORS:
            return _pattern(path[: path.rindex("/", 0, match.start()) + 1] + "{rest:path}")
    return None


class _Compiler:
    """What the plans of one application have in common."""

    def __init__(self, place: Place, server_root: str, guards: list[Guard]) -> None:
        """`guards` are those of the applications above."""
        self.place = place
        self.app = place.app
        self.server_root = server_root
        self.guards = [*guards, *_guards(place)]
        self.behind = place.behind
        if not self.behind:
            _check_stack(place)
        # What known middleware does to plain answers, the core can do, before all of it.
        self.steps = steps_of(self.app) if self.behind else None
        self.stepped: dict[_core.Plan, _core.Plan] = {}
        known = self.steps is not None or not self.behind
        self.stack = stack_of(place) if known else None
        self.quick = None if self.behind else quick_of(place)
        self.entries: list[Entry] = []

    def _made(
        self, guards: list[Guard], soft: list[Guard], select: Select, outside: bool, **options: Any
    ) -> _core.Plan:
        """`guards` are more that must hold in any case."""
        hard = [*self.guards, *guards]
        return _core.Plan(
            **options,
            guards=(*hard, *soft),
            hard_guards=len(hard),
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
        _check_route(effective)
        check_handler(effective.app)
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
        path = self.place.prefix + effective.path
        route = Route(path, tuple(sorted(effective.methods or ())), None, kind=kind)
        try:
            if not set(route.methods) <= set(METHODS):
                raise NotCompiled("it has a method of its own")
            select = select_of(self.place, context)
            handle = _handle_of(context, self.app)
            direct = direct_of(handle, select)
            guards: list[Guard] = [(effective, "app", effective.app, False, -1)]
            route.plan = self._plain(guards, select, direct, is_direct=True, quick=None)
            self.entries.append(Entry(route.plan, select, handle, 200, True, False, None))
            if kind == "page":
                if self.behind:
                    raise NotCompiled("it is no path operation of FastAPI")
                page = page_of(effective, request_of(select))
                route.plan = self._plain(guards, select, page, direct=direct)
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


def _pattern(path: str) -> str | None:
    """`path` if the native router reads it as Starlette does."""
    rest = _PARAM.sub("", path)
    if not path.startswith("/") or "{" in rest or "}" in rest:
        return None
    if any(convertor not in _CONVERTORS for _, convertor in _PARAM.findall(path)):
        return None
    return path


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
            path = compiler.place.prefix + effective.path
            why = "WebSockets are served by the application"
            found.routes.append(Route(path, (), None, why, kind="websocket"))
        elif isinstance(original, StarletteRoute):
            found.open_end &= _take_route(compiler, found, context)
        elif isinstance(original, Mount):
            found.open_end &= _take_mount(compiler, found, context)
        else:
            # What it answers is unknown, and it comes before all that follows.
            found.open_end = False
    return found


def _take_route(compiler: _Compiler, found: _Found, context: Any) -> bool:
    """False: what comes after it may never be asked."""
    route = compiler.route(context)
    found.routes.append(route)
    pattern = _pattern(route.path)
    if pattern is None and (pattern := _wider(route.path)) is not None:
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
    prefix = compiler.place.prefix + context._effective_route.path
    pattern = _pattern(prefix + "/{path:path}")
    if pattern is None:
        return False
    everything: TableRow = (pattern, METHODS, None)
    route = Route(prefix, (), None, kind="mount")
    try:
        if compiler.behind:
            raise NotCompiled("it is mounted behind middleware")
        place, guards = mounted_in(compiler.place, context, compiler.server_root)
        _check_application(place.app)
        below = _Compiler(place, compiler.server_root, [*compiler.guards, *guards])
        rows = _walk(below)
    except NotCompiled as why:
        route.reason, route.hint = why.reason, why.hint
        found.routes.append(route)
        rows = _Found(table=[everything])
    else:
        rows.table += below.refusals(rows.known) if rows.open_end else []
        alone = rows.open_end and not place.app.router.redirect_slashes
        rows.table.append((*everything[:2], below.missing()) if alone else everything)
        found.guards += [*below.guards, *rows.guards]
    found.routes += rows.routes
    if found.open_end:
        found.table += rows.table
        found.below |= {pattern for pattern, _, _ in rows.table}
    for route in rows.routes if not found.open_end else ():
        if route.plan is not None:
            route.plan, route.reason = None, _HIDDEN
    return True


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
    _check_application(app)
    root = root_of(app, root_path)
    if app.middleware_stack is None:
        app.middleware_stack = app.build_middleware_stack()
    place = Place(app, app.middleware_stack, root)
    compiler = _Compiler(place, root_path, _telemetry_guards())
    found = _walk(compiler)
    guards = [*compiler.guards, *found.guards]
    if compiler.behind:
        entrance = None
        if not apart:
            found_by = _core.PlanTable(tuple(found.table))
            install(app, found_by, compiler.entries)
            shorten(app)
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
