"""Limits of bodies: of applications, routers and routes, in each other, with what they show."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Form, HTTPException, Request
from fastapi.responses import PlainTextResponse
from fastapi.sse import EventSourceResponse
from pydantic import BaseModel
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send


class Item(BaseModel):
    name: str


class Gone(Exception):
    pass


class Pure:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error: Any = None
        try:
            await self.app(scope, receive, send)
        except Exception as raised:
            error = raised
            raise
        finally:
            print("left with", repr(error), seen(scope), sorted(scope), flush=True)


async def dispatched(request: Request, call_next: Any) -> Any:
    try:
        return await call_next(request)
    except Exception as error:
        print("next", repr(error), seen(request.scope), flush=True)
        raise


def seen(scope: Scope) -> list[Any]:
    return [f"{key}: {scope[key]}" for key in sorted(scope) if "max_body" in key] + [
        key for key in sorted(scope) if "limit" in key
    ]


async def handled(request: Request, error: Exception) -> PlainTextResponse:
    return PlainTextResponse(f"{error!r} {seen(request.scope)}", 418)


async def failed(request: Request, error: Exception) -> PlainTextResponse:
    return PlainTextResponse(f"{error!r} {seen(request.scope)}", 500)


def looks(request: Request) -> list[Any]:
    return seen(request.scope)


def add_routes(router: Any, limits: dict[str, int]) -> None:
    """Every kind of route, without a limit of its own, and with each of `limits`."""
    for name, own in {"": {}, **{f"/{n}": {"max_body_size": m} for n, m in limits.items()}}.items():

        @router.post(f"{name}/item", **own)
        async def item(item: Item) -> Item:
            return item

        @router.post(f"{name}/plain", **own)
        async def plain(n: int = 0):
            return n

        @router.post(f"{name}/in-thread", **own)
        def in_thread(item: Item):
            return item.name

        @router.post(f"{name}/shows", **own)
        async def shows(request: Request, item: Item, looked: Annotated[list, Depends(looks)]):
            return [item.name, looked, seen(request.scope), len(await request.body())]

        @router.post(f"{name}/reads", **own)
        async def reads(request: Request):
            return [len(await request.body()), seen(request.scope)]

        @router.post(f"{name}/form", **own)
        async def form(a: Annotated[str, Form()]):
            return a

        @router.post(f"{name}/fails", **own)
        async def fails(kind: str = "http"):
            raise {"http": HTTPException(409), "gone": Gone("x"), "other": KeyError("x")}[kind]

        @router.post(f"{name}/lines", **own)
        async def lines(item: Item):
            yield item
            yield item

        @router.post(f"{name}/unread", response_class=EventSourceResponse, **own)
        async def unread() -> AsyncIterator[str]:
            yield "the body is met while this is sent"

        @router.get(f"{name}/page", **own)
        async def page(request: Request):
            return PlainTextResponse(str(seen(request.scope)))


def make(*middleware: Any, limit: int | None = None) -> FastAPI:
    app = FastAPI(
        max_body_size=limit,
        middleware=list(middleware),
        exception_handlers={Gone: handled, Exception: failed},
    )
    add_routes(app, {"small": 20, "large": 90})
    for name, inherited in (("router", 30), ("free", None)):
        router = APIRouter(prefix=f"/{name}", max_body_size=inherited)
        add_routes(router, {"large": 90})
        app.include_router(router)
    for name, below in (("sub", None), ("low", 25), ("high", 80)):
        sub = FastAPI(max_body_size=below, exception_handlers={Gone: handled, Exception: failed})
        add_routes(sub, {"large": 90})
        app.mount(f"/{name}", sub)

    @app.get("/probe")
    async def probe() -> PlainTextResponse:
        return PlainTextResponse("the probe")

    return app


app = make(limit=40)
routes = make()
none = make(limit=0)
cors = make(Middleware(CORSMiddleware, allow_origins=["*"]), limit=40)
pure = make(Middleware(Pure), limit=40)
called = make(Middleware(BaseHTTPMiddleware, dispatch=dispatched), limit=40)
