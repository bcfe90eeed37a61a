"""The walk through the routes of an application, and of those that are mounted in it, in the
order in which they are asked."""

from __future__ import annotations

import dataclasses
from typing import Any

from fastapi.applications import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute, Host, Mount, Route as StarletteRoute, WebSocketRoute

from fasterapi import _core
from fasterapi._compile._behind import Entry, install
from fasterapi._compile._call_next import shorten
from fasterapi._compile._compiler import Compiler
from fasterapi._compile._guards import check_application, telemetry_guards
from fasterapi._compile._mounts import application_of, mounted_in, when_built
from fasterapi._compile._place import Guard, Place
from fasterapi._compile._reasons import NotCompiled
from fasterapi._compile._table import METHODS, Route, TableRow, pattern_of, wider_pattern_of

_UNKNOWN_CONVERTOR = "its path has a convertor that the core does not know"
_HIDDEN = "what comes before it may answer its paths, or its path is no pattern we know"


def _matches_as_usual(route: StarletteRoute) -> bool:
    kind = type(route)
    return kind.matches in (APIRoute.matches, StarletteRoute.matches)


@dataclasses.dataclass
class Found:
    """Of one application and of those that are mounted in it."""

    routes: list[Route] = dataclasses.field(default_factory=list)
    table: list[TableRow] = dataclasses.field(default_factory=list)
    known: list[tuple[str, Any]] = dataclasses.field(default_factory=list)
    # Of its own routes and Mounts: patterns, and whether they have no other paths than those.
    paths: list[tuple[str, bool]] = dataclasses.field(default_factory=list)
    # Of what is mounted in it.
    below: set[str | None] = dataclasses.field(default_factory=set)  # patterns
    guards: list[Guard] = dataclasses.field(default_factory=list)
    open_end: bool = True  # whatever comes to its end is met by no route


def walk(compiler: Compiler) -> Found:
    found = Found()
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


def _take_route(compiler: Compiler, found: Found, context: Any) -> bool:
    """False: what comes after it may never be asked."""
    route = compiler.route(context)
    found.routes.append(route)
    path = context._effective_route.path
    pattern, certain = pattern_of(path), True
    if pattern is None and (pattern := wider_pattern_of(path)) is not None:
        route.plan, route.reason, certain = None, _UNKNOWN_CONVERTOR, False
    if pattern is not None and found.open_end and _matches_as_usual(context.original_route):
        found.paths.append((pattern, certain))
        pattern = compiler.place.prefix + pattern
        found.table.append((pattern, route.methods or METHODS, route.plan))
        found.known.append((pattern, context if route.plan is not None else None))
        return True
    if route.plan is not None:
        route.plan, route.reason = None, _HIDDEN
    return False


def _take_mount(compiler: Compiler, found: Found, context: Any) -> bool:
    """Likewise."""
    route = context._effective_route
    path = f"//{route.host}" if isinstance(route, Host) else route.path
    pattern = below = None
    if type(route) is Mount and (below := pattern_of(path + "/{path:path}")) is not None:
        pattern = compiler.place.prefix + below
    everything: TableRow = (pattern, METHODS, None)
    try:
        app = application_of(route, compiler.place)
        check_application(app)
        try:
            if pattern is None:
                raise NotCompiled("it is not for the core to find")
            rows = _mounted(compiler, context, everything)
        except NotCompiled:
            rows = _behind(compiler, app, path, everything)
    except NotCompiled as why:
        told = Route(compiler.place.shown + path, (), None, why.reason, why.hint, kind="mount")
        rows = Found([told], [everything])
    found.routes += rows.routes
    found.guards += rows.guards
    if found.open_end and pattern is not None and below is not None:
        found.table += rows.table
        found.paths.append((below, True))
        found.below |= {row[0] for row in rows.table}
    elif len(rows.table) > 1:  # those of the core's own
        for hidden in rows.routes:
            if hidden.plan is not None:
                hidden.plan, hidden.reason = None, _HIDDEN
    return pattern is not None


def _mounted(compiler: Compiler, context: Any, everything: TableRow) -> Found:
    """An application that the core leads to by itself."""
    place, guards = mounted_in(compiler.place, context, compiler.server_root)
    below = Compiler(place, compiler.server_root, [*compiler.guards, *guards], compiler)
    rows = walk(below)
    rows.table += below.refusals(rows.known) if rows.open_end else []
    misses = below.misses(rows.paths) if rows.open_end else None
    rows.table.append((*everything[:2], misses))
    rows.guards += below.guards
    return rows


def _behind(compiler: Compiler, app: FastAPI, path: str, everything: TableRow) -> Found:
    """An application to which requests come as ever: its plans are behind its middleware."""
    for other in compiler.within:
        if other.place.app is app:
            raise NotCompiled(f"its routes are told of at {other.place.shown}")
    shown = compiler.place.shown + path
    place = Place(app, None, shown=shown, above=compiler.place)
    below = Compiler(place, compiler.server_root, telemetry_guards(), compiler)
    compiler.within.append(below)
    rows = walk(below)
    below.table = table_behind(below, rows)
    return dataclasses.replace(rows, table=[everything], guards=[*below.guards, *rows.guards])


def table_behind(compiler: Compiler, found: Found) -> tuple[TableRow, ...]:
    """What a Dispatcher finds its plans by."""
    if not found.open_end:
        return tuple(found.table)
    misses: TableRow = (None, METHODS, compiler.misses(found.paths))
    return (*found.table, *compiler.refusals(found.known), misses)


def install_within(compiler: Compiler) -> None:
    """The plans of applications to which requests come as ever."""
    for below in compiler.within:
        app, entries, table = below.app, below.entries, _core.PlanTable(below.table)

        def put_into(
            stack: Any, app: FastAPI = app, table: Any = table, entries: list[Entry] = entries
        ) -> None:
            install(app, stack, table, entries)
            shorten(app, stack)

        when_built(app, put_into)
