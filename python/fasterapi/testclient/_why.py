"""Why the application itself has answered a request, and no plan of it."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from starlette.routing import compile_path

if TYPE_CHECKING:
    from fasterapi._compile._table import Compiled, Route

ROOT_PATH = "the test client has a root_path"
WEBSOCKET = "WebSockets are served by the application"
_PASSED_ON = "something has changed since it was compiled, or the body is not within a limit"
_MIDDLEWARE = "middleware has answered, or changed the request"
_NO_ROUTE = "no route has such a request"
_FRONTEND = "a frontend is asked for what no route has"


@functools.lru_cache(4096)
def _regex(path: str) -> re.Pattern[str] | None:
    try:
        return compile_path(path)[0]
    except (AssertionError, ValueError):
        return None  # a Host, or what is no path


def _has(route: Route, path: str) -> bool:
    regex = _regex(route.path + "/{path:path}" if route.kind == "mount" else route.path)
    return regex is not None and regex.match(path) is not None


def _has_frontends(app: Any) -> bool:
    from fasterapi._compile._misses import has_fallbacks

    return has_fallbacks(app)


def passed_on(plans: Compiled) -> int:
    """Requests that plans have left to the application."""
    of_routes = sum(route.plan.passed_on for route in plans.routes if route.plan is not None)
    return of_routes + sum(plan.passed_on for plan in plans.misses)


def why(plans: Compiled, before: int, scope: dict[str, Any]) -> str:
    """`before` is what passed_on() was before; `scope` the request as it came."""
    if passed_on(plans) > before:
        return _PASSED_ON
    path, root = scope["path"], getattr(plans.app, "root_path", "")
    paths = [path, path.removeprefix(root)] if root else [path]
    for route in plans.routes:
        if route.kind == "websocket" or (route.methods and scope["method"] not in route.methods):
            continue
        if any(_has(route, path) for path in paths):
            return route.reason or _MIDDLEWARE
    return _FRONTEND if _has_frontends(plans.app) else _NO_ROUTE
