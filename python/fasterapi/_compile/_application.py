"""From a built FastAPI application to the routes of a native Worker."""

from __future__ import annotations

from typing import Any

from fasterapi import _core
from fasterapi._compile import _fingerprint
from fasterapi._compile._behind import install
from fasterapi._compile._call_next import shorten
from fasterapi._compile._compiler import Compiler
from fasterapi._compile._entrance import entrance_of
from fasterapi._compile._guards import check_application, check_class, telemetry_guards
from fasterapi._compile._mounts import root_of
from fasterapi._compile._place import Place
from fasterapi._compile._reasons import NotCompiled
from fasterapi._compile._table import METHODS, Compiled, TableRow
from fasterapi._compile._walk import Found, install_within, table_behind, walk


def _under(
    root: str, found: Found, table: list[TableRow], misses: _core.Misses | None
) -> list[TableRow]:
    """The rows of an application that says by itself below which path it is: it has its routes
    there, and without that path, too. But those that are mounted in it are there only."""
    if not root:
        return table
    there: list[TableRow] = [(f"{root}{row[0]}", *row[1:]) for row in table]
    others: list[TableRow] = [(root + "/{path:path}", METHODS, misses), (root, METHODS, misses)]
    here: list[TableRow] = [
        (pattern, methods, None if pattern in found.below else answers)
        for pattern, methods, answers in table
    ]
    return [*there, *others, *here]


def _table(compiler: Compiler, found: Found) -> list[TableRow]:
    """Of an application that the core leads to."""
    root = compiler.place.root
    if not found.open_end:
        return _under(root, found, found.table, None)
    misses = compiler.misses(found.paths)
    table = [*found.table, *compiler.refusals(found.known)]
    return [*_under(root, found, table, misses), (None, METHODS, misses)]


def _stepped_table(compiler: Compiler, found: Found) -> list[TableRow]:
    """Of plans that do what known middleware does to plain answers."""
    stepped = compiler.stepped
    if not stepped:
        return []
    table: list[TableRow] = [
        (pattern, methods, stepped.get(plan) if isinstance(plan, _core.Plan) else None)
        for pattern, methods, plan in found.table
    ]
    return _under(compiler.place.root, found, table, None)


def _stack_of(app: Any) -> Any:
    """What the first request would build; the code of middleware is not ours."""
    try:
        return app.build_middleware_stack()
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        hint = "every request is answered with status 500 until this is mended"
        raise NotCompiled(f"its middleware cannot be built: {what}", hint) from error


def compile_app(app: Any, *, apart: bool = False, root_path: str = "") -> Compiled:
    """Raises NotCompiled when the application as a whole cannot be. `apart`: plans behind
    its middleware stay those that are there. `root_path` is the server's."""
    check_class(app)
    if app.middleware_stack is None:
        app.middleware_stack = _stack_of(app)
        _fingerprint.check()  # again: an agent's middleware may patch when it is made
    check_application(app)
    place = Place(app, app.middleware_stack, root_of(app, root_path))
    compiler = Compiler(place, root_path, telemetry_guards())
    found = walk(compiler)
    guards = [*compiler.guards, *found.guards]
    if not apart:
        install_within(compiler)
    if not compiler.behind:
        return Compiled(app, found.routes, guards, tuple(_table(compiler, found)), compiler.missed)
    entrance = None
    if not apart:
        found_by = _core.PlanTable(table_behind(compiler, found))
        install(app, place.stack, found_by, compiler.entries)
        shorten(app, place.stack)
        entrance = entrance_of(app, found_by, [entry.plan for entry in compiler.entries])
    table = tuple(_stepped_table(compiler, found))
    return Compiled(app, found.routes, guards, table, compiler.missed, entrance)
