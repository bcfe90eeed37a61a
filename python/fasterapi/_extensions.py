"""Which extensions of ASGI a scope offers. Under uvicorn there are none, and an application
may do something else where it finds one; so nothing is offered that was not asked for, but
http.response.pathsend to applications known to answer the same with it."""

from __future__ import annotations

import logging
import sys
from typing import Any

logger = logging.getLogger("uvicorn.error")

# They look at no body, so that a file sent by its path is the same to them. Not GZip, which
# would not compress it; nor BaseHTTPMiddleware, whose function may read the body.
_MIDDLEWARE = (
    "starlette.middleware.cors.CORSMiddleware",
    "starlette.middleware.httpsredirect.HTTPSRedirectMiddleware",
    "starlette.middleware.sessions.SessionMiddleware",
    "starlette.middleware.trustedhost.TrustedHostMiddleware",
)
_APPLICATIONS = ("starlette.applications.Starlette", "fastapi.applications.FastAPI")
_ROUTERS = (*_APPLICATIONS, "starlette.routing.Router", "fastapi.routing.APIRouter")
_ROUTES = (
    "starlette.routing.Route",
    "starlette.routing.WebSocketRoute",
    "fastapi.routing.APIRoute",
    "fastapi.routing.APIWebSocketRoute",
)
_MOUNTS = ("starlette.routing.Mount", "starlette.routing.Host")
_INCLUDED = ("fastapi.routing._IncludedRouter",)
_FILES = ("starlette.staticfiles.StaticFiles",)
_ENDPOINT = ("starlette.routing", "fastapi.routing")


def offered(config: Any) -> list[str]:
    """The names, for the worker of this configuration."""
    names = [
        f"http.response.{name}"
        for name, wanted in (
            ("early_hint", config.early_hints),
            ("zerocopysend", config.zerocopysend),
            ("trailers", config.trailers),
        )
        if wanted
    ]
    if config.pathsend == "auto":
        reason = why_not_pathsend(config.app_object)
        logger.debug(
            "http.response.pathsend is %s", f"not offered: {reason}" if reason else "offered"
        )
        if not reason:
            names.append("http.response.pathsend")
    elif config.pathsend == "on":
        names.append("http.response.pathsend")
    return names


def why_not_pathsend(app: Any) -> str | None:
    """None if all that stands between the server and a FileResponse is known."""
    if not _is(app, _APPLICATIONS):
        return f"{_name(app)} is no application of Starlette or FastAPI itself"
    return _of_router(app)


def _of_router(router: Any) -> str | None:
    if _is(router, _APPLICATIONS):
        for middleware in router.user_middleware:
            if not _is_class(middleware.cls, _MIDDLEWARE):
                return f"middleware {getattr(middleware.cls, '__qualname__', middleware.cls)}"
        router = router.router
    if not _is(router, _ROUTERS) or router.middleware_stack != router.app:
        return f"middleware, or another class, of a router ({_name(router)})"
    if router.default != router.not_found:
        return f"{_name(router.default)} answers what no route does"
    for route in (*router.routes, *getattr(router, "_low_priority_routes", ())):
        reason = _of_route(route)
        if reason:
            return reason
    return None


def _of_route(route: Any) -> str | None:
    if _is(route, _ROUTES):
        # What Route() makes of a function; middleware of the route would be around it.
        module = getattr(route.app, "__module__", None)
        if type(route.app).__name__ != "function" or module not in _ENDPOINT:
            return f"route {route.path} is {_name(route.app)}"
        return None
    if _is(route, _INCLUDED):
        return _of_router(route.original_router)
    if not _is(route, _MOUNTS):
        return f"a route of class {_name(route)}"
    if _is(route.app, _FILES):
        return None
    if _is(route.app, _ROUTERS):
        return _of_router(route.app)
    return f"{_name(route.app)} is mounted"


def _is(thing: Any, names: tuple[str, ...]) -> bool:
    return _is_class(type(thing), names)


def _is_class(cls: Any, names: tuple[str, ...]) -> bool:
    """The very class, as its module has it: a subclass may do anything."""
    for name in names:
        module, _, attribute = name.rpartition(".")
        if module in sys.modules and getattr(sys.modules[module], attribute, None) is cls:
            return True
    return False


def _name(thing: Any) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"
