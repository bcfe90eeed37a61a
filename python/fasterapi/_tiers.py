"""Which tier serves which route, as users are told: `fasterapi routes`, `fasterapi check`."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable
from typing import Any

from fasterapi._compile import NotCompiled, compile_app

FAST = ("native", "compiled")


@dataclasses.dataclass
class Row:
    methods: tuple[str, ...]
    path: str
    kind: str  # "operation", "page", "websocket", "mount"
    tier: str
    reason: str = ""  # why it is in no faster tier
    hint: str = ""  # what would change it


@dataclasses.dataclass
class Survey:
    rows: list[Row]
    reason: str = ""  # why nothing at all is compiled
    hint: str = ""

    @property
    def operations(self) -> list[Row]:
        """What check() counts: the rest is FastAPI's own pages, and what is not HTTP."""
        return [row for row in self.rows if row.kind == "operation"]

    @property
    def share(self) -> float:
        """Of the path operations, those that do not go through the application; in percent."""
        operations = self.operations
        fast = sum(row.tier in FAST for row in operations)
        return 100 * fast / len(operations) if operations else 0.0

    def as_dict(self) -> dict[str, Any]:
        tiers = [row.tier for row in self.rows]
        return {
            "reason": self.reason or None,
            "hint": self.hint or None,
            "percent_compiled": round(self.share, 2),
            "counts": {tier: tiers.count(tier) for tier in sorted(set(tiers))},
            "routes": [dataclasses.asdict(row) for row in self.rows],
        }


def survey(app: Any) -> Survey:
    try:
        compiled = compile_app(app)
    except NotCompiled as why:
        rows = [
            Row(methods, path, kind, "asgi", why.reason, why.hint)
            for methods, path, kind in _listed(app)
        ]
        return Survey(rows, why.reason, why.hint)
    return Survey(
        [
            Row(route.methods, route.path, route.kind, route.tier, route.reason, route.hint)
            for route in compiled.routes
        ]
    )


def _listed(app: Any) -> Iterable[tuple[tuple[str, ...], str, str]]:
    """What can be said of routes without knowing the framework's release."""
    routes = list(getattr(app, "routes", ()))
    routing: Any = sys.modules.get("fastapi.routing")
    if hasattr(routing, "iter_route_contexts"):
        routes = list(routing.iter_route_contexts(routes))
    for route in routes:
        methods = getattr(route, "methods", None)
        original = getattr(route, "original_route", route)
        if methods:
            kind = "operation" if type(original).__name__ == "APIRoute" else "page"
        else:
            kind = "websocket" if "WebSocket" in type(original).__name__ else "mount"
        yield tuple(sorted(methods or ())), str(getattr(route, "path", "")), kind


def _cells(row: Row) -> tuple[str, str, str]:
    methods = " ".join(row.methods) or row.kind.upper()
    return methods, row.path, row.tier


def write_plain(found: Survey, *, explain: bool) -> None:
    cells = [("METHOD", "PATH", "TIER"), *map(_cells, found.rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(3)]
    for row, shown in zip([None, *found.rows], cells, strict=True):
        line = "  ".join(text.ljust(width) for text, width in zip(shown, widths, strict=True))
        if row is None:
            line += "  REASON"
        elif row.reason:
            line += f"  {row.reason}"
        print(line.rstrip())
        if explain and row is not None and row.hint:
            print(" " * (sum(widths) + 6) + f"hint: {row.hint}")


def write_table(found: Survey, *, explain: bool) -> bool:
    """With rich; False when it is not installed."""
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        return False
    table = Table(box=None, pad_edge=False)
    for name in ("Method", "Path", "Tier", "Reason", *(("Hint",) if explain else ())):
        table.add_column(name, overflow="fold")
    for row in found.rows:
        methods, path, tier = _cells(row)
        style = "green" if tier in FAST else "yellow"
        hint = (Text(row.hint),) if explain else ()
        table.add_row(methods, Text(path), Text(tier, style), Text(row.reason), *hint)
    Console().print(table)
    return True


def write(found: Survey, *, explain: bool) -> None:
    """A table for people, lines that are never broken for programs."""
    if not sys.stdout.isatty() or not write_table(found, explain=explain):
        write_plain(found, explain=explain)
    print()
    print(summary(found))
    if found.hint and explain:
        print(f"hint: {found.hint}")


def summary(found: Survey) -> str:
    if found.reason:
        return f"Every route is served through ASGI, since {found.reason}"
    operations = found.operations
    fast = sum(row.tier in FAST for row in operations)
    return f"{fast} of {len(operations)} path operations compiled ({found.share:.1f}%)"
