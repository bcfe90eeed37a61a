"""Paths and methods that an application does not have: its router's own 405, 404 and
redirects to the path with a slash more, or without the slashes at its end."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi.applications import FastAPI
from fastapi.routing import APIRouter, _get_fastapi_scope, _IncludedRouter
from starlette.datastructures import URL
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import Router

from fasterapi._compile._place import Guard, Place
from fasterapi._compile._select import Select, handlers_of

Refuse = Callable[..., Coroutine[Any, Any, None]]

_ROUTING = ("__call__", "app", "handle", "matches", "not_found", "_match_low_priority")


def routers_of(app: FastAPI) -> Iterator[APIRouter]:
    """Its own, and those that are included, each once."""
    routers, seen = [app.router], set()
    while routers:
        router = routers.pop()
        if id(router) in seen:
            continue
        seen.add(id(router))
        yield router
        routers += [r.original_router for r in router.routes if isinstance(r, _IncludedRouter)]


def has_own_way(router: APIRouter) -> bool:
    """Whether a router finds its routes as no other does."""
    kind = type(router)
    return any(
        getattr(kind, name, None) is not getattr(APIRouter, name, None) or name in vars(router)
        for name in _ROUTING
    )


def is_usual(app: FastAPI) -> bool:
    """Whether paths that match nothing are left to Starlette's own not_found()."""
    default = app.router.default
    own = getattr(default, "__self__", None) is app.router
    return own and getattr(default, "__func__", None) is Router.not_found


def has_fallbacks(app: FastAPI) -> bool:
    """Frontends: routes that are asked after redirects."""
    return any(getattr(router, "_low_priority_routes", ()) for router in routers_of(app))


def miss_guards_of(app: FastAPI) -> list[Guard]:
    router = app.router
    names = ("default", "redirect_slashes")
    found: list[Guard] = [(router, name, getattr(router, name), False, -1) for name in names]
    return found + [
        (router, "_low_priority_routes", None, True, len(router._low_priority_routes))
        for router in routers_of(app)
        if hasattr(router, "_low_priority_routes")
    ]


def select_none_of(place: Place) -> Select:
    """select(scope) does to the scope what the stack and the router do when no route
    matches."""
    handlers = handlers_of(place)
    asked = any(isinstance(route, _IncludedRouter) for route in place.app.router.routes)

    def select(scope: dict[str, Any]) -> None:
        place.enter(scope, handlers)
        if asked:
            _get_fastapi_scope(scope)

    return select


def not_allowed(route: Any) -> Refuse:
    """What Route.handle() does for a method that is not the route's."""

    async def refuse(*_: Any) -> None:
        headers = {"Allow": ", ".join(route.methods)}
        raise HTTPException(status_code=405, headers=headers)

    return refuse


async def not_found(*_: Any) -> None:
    """Router.not_found()"""
    raise HTTPException(status_code=404)


def _redirect_of(scope: Any) -> RedirectResponse:
    """What APIRouter.app() does for a path that would match but for slashes at its end."""
    scope = dict(scope)
    path = scope["path"]
    scope["path"] = path.rstrip("/") if path.endswith("/") else path + "/"
    return RedirectResponse(url=str(URL(scope=scope)))


async def redirect(run: Any) -> None:
    response = _redirect_of(run.asgi()[0])
    if not run.answer(response):
        await response(*run.asgi())


async def redirect_behind(scope: Any, receive: Any, send: Any) -> None:
    """The same behind middleware."""
    await _redirect_of(scope)(scope, receive, send)
