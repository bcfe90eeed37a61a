"""The plans of one application: of its routes, and of what it does not have."""

from __future__ import annotations

from typing import Any

from fastapi.applications import FastAPI
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from fasterapi import _core
from fasterapi._compile._behind import Entry
from fasterapi._compile._errors import Fault, read_of, reject_of
from fasterapi._compile._fingerprint import check_handler, check_limits
from fasterapi._compile._guards import calls_of, check_stack, guards_of
from fasterapi._compile._known import steps_of
from fasterapi._compile._limits import MAX, within
from fasterapi._compile._misses import (
    has_fallbacks,
    is_usual,
    miss_guards_of,
    not_allowed,
    not_found,
    redirect,
    redirect_behind,
    select_none_of,
)
from fasterapi._compile._model import encode, model_of
from fasterapi._compile._outcome import (
    Direct,
    direct_of,
    finish_of,
    quick_of,
    request_of,
    stack_of,
)
from fasterapi._compile._pages import page_of
from fasterapi._compile._params import BODY, MEMBER, rows_of
from fasterapi._compile._place import Guard, Place
from fasterapi._compile._reasons import NotCompiled
from fasterapi._compile._releases import body_limit_of
from fasterapi._compile._runner import checked_of, runner_of
from fasterapi._compile._safe import is_safe
from fasterapi._compile._select import Select, limit_of, select_of, way_to
from fasterapi._compile._table import METHODS, Route, TableRow
from fasterapi._compile._tree import needs_runner


class Compiler:
    """What the plans of one application have in common."""

    def __init__(
        self,
        place: Place,
        server_root: str,
        guards: list[Guard],
        above: Compiler | None = None,
    ) -> None:
        """`guards` are those of what comes before."""
        self.place = place
        self.app = place.app
        self.server_root = server_root
        self.guards = [*guards, *guards_of(place)]
        self.behind = place.behind
        if not self.behind:
            check_stack(place)
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
        self.within: list[Compiler] = [] if above is None else above.within
        # Plans for what the applications do not have.
        self.missed: list[_core.Plan] = [] if above is None else above.missed
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
            encode=encode,
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
        soft: list[Guard] = [overrides, *calls_of(dependant)]
        reject = reject_of(effective, checked)
        reads_body = any(row[0] in (BODY, MEMBER) for row in rows)
        options: dict[str, Any] = {
            "checks": (Fault, reject, read_of(effective) if reads_body else None),
            "endpoint": endpoint,
            "is_runner": runs,
            "is_direct": False,
            "names": names,
            "params": rows,
            "model": model_of(effective),
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
        limited = self._is_limited(effective)
        self.entries.append(
            Entry(plan, select, effective.app, status, runs, reads_body, reject, limited)
        )
        return plan

    def _is_limited(self, effective: Any) -> bool:
        """By itself or the application's router; None: no route."""
        return any(body_limit_of(holder) is not None for holder in (self.app, effective))

    def _miss(
        self, guards: list[Guard], select: Select, refuse: Any, behind: Any, *, runs: bool = False
    ) -> _core.Plan:
        """A plan for what no route has. `behind` is called behind middleware."""
        plan = self._plain(guards, select, refuse, True, is_runner=runs)
        self.missed.append(plan)
        limited = self._is_limited(None)
        self.entries.append(Entry(plan, select, behind, 0, True, False, None, limited))
        return plan

    def _refusal(self, context: Any) -> _core.Plan | None:
        """For the methods that a route has not."""
        effective = context._effective_route
        if not effective.methods:
            return None
        try:
            handle_of(context, self.app)
            select = select_of(self.place, context, last=True)
        except NotCompiled:
            return None
        guard: Guard = (effective, "methods", effective.methods, False, len(effective.methods))
        refuse = not_allowed(effective)
        return self._miss([guard], select, refuse, refuse)

    def refusals(self, found: list[tuple[str, Any]]) -> list[TableRow]:
        """Rows for the methods that no route has; `found` are the routes by pattern, in order,
        without one where it is not known what it does."""
        return [
            (pattern, METHODS, self._refusal(context) if context is not None else None)
            for pattern, context in found
        ]

    def misses(self, paths: list[tuple[str, bool]]) -> _core.Misses:
        """For paths that no route has."""
        guards, select = miss_guards_of(self.app), select_none_of(self.place)
        missing = slash = None
        if is_usual(self.app) and not has_fallbacks(self.app):
            missing = self._miss(guards, select, not_found, not_found)
        if self.app.router.redirect_slashes:
            slash = self._miss(guards, select, redirect, redirect_behind, runs=True)
        return _core.Misses(missing, slash, tuple(paths))

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
            handle = handle_of(context, self.app)
            direct = direct_of(handle, select)
            guards: list[Guard] = [(effective, "app", effective.app, False, -1)]
            route.plan = self._plain(guards, select, direct, is_direct=True, quick=None, limit=limit)
            limited = self._is_limited(effective)
            self.entries.append(
                Entry(route.plan, select, handle, 200, True, False, None, limited)
            )
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


def handle_of(context: Any, app: FastAPI) -> Any:
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
