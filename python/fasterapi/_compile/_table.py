"""What comes of compiling an application: the core's table, and what users are told of it."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from fastapi.applications import FastAPI

from fasterapi import _core
from fasterapi._compile._place import Guard

_PARAM = re.compile(r"{([a-zA-Z_][a-zA-Z0-9_]*)(:[a-zA-Z_][a-zA-Z0-9_]*)?}")
_CONVERTORS = ("", ":str", ":path", ":int", ":float", ":uuid")
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
# As Worker() takes it; with None it is for the application. Without a pattern: what no other has.
TableRow = tuple["str | None", "tuple[str, ...]", "_core.Plan | _core.Misses | None"]


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

    @property
    def behind(self) -> int:
        """Of these, how many came through middleware, and so through the application."""
        return 0 if self.plan is None else self.plan.behind


@dataclasses.dataclass
class Compiled:
    """`table` is what Worker() takes as `routes`: nothing if middleware that is not known
    comes first, which leads to the plans by itself."""

    app: FastAPI
    routes: list[Route]
    guards: list[Guard]  # of all plans
    table: tuple[TableRow, ...]
    misses: list[_core.Plan]  # those for paths and methods that its applications do not have
    entrance: Any = None  # what to call in place of `app`, or None

    @property
    def counts(self) -> dict[str, int]:
        """Routes of HTTP of each tier."""
        counts = {"compiled": 0, "direct": 0, "asgi": 0}
        for route in self.routes:
            if route.kind in ("operation", "page"):
                counts[route.tier] += 1
        return counts


def pattern_of(path: str) -> str | None:
    """`path` if the native router reads it as Starlette does."""
    rest = _PARAM.sub("", path)
    if not path.startswith("/") or "{" in rest or "}" in rest:
        return None
    if any(convertor not in _CONVERTORS for _, convertor in _PARAM.findall(path)):
        return None
    return path


def wider_pattern_of(path: str) -> str | None:
    """A pattern that has every path of `path`, which has a convertor that we do not know."""
    for match in _PARAM.finditer(path):
        if match[2] and match[2] not in _CONVERTORS:
            return pattern_of(path[: path.rindex("/", 0, match.start()) + 1] + "{rest:path}")
    return None
