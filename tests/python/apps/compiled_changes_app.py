"""Applications of which something is replaced while they serve: GET /replace/NAME does it."""

from collections.abc import Callable

from fastapi import FastAPI
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


async def instead(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(f"instead of {scope['path']}")(scope, receive, send)


def mounted(name: str) -> FastAPI:
    sub = FastAPI(openapi_url=None)

    @sub.get("/")
    async def root() -> str:
        return name

    @sub.get("/fails")
    async def fails() -> None:
        raise KeyError(name)

    @sub.post("/items")
    async def items(n: int) -> int:
        return n

    return sub


def around(app: ASGIApp) -> ASGIApp:
    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].endswith("/items"):
            await instead(scope, receive, send)
        else:
            await app(scope, receive, send)

    return called


app = mounted("app")
subs = {name: mounted(name) for name in ("stack", "built", "debug", "handler", "none")}
for name, sub in subs.items():
    app.mount(f"/{name}", sub)


@app.get("/probe")
async def probe() -> PlainTextResponse:
    return PlainTextResponse("the probe")


async def explain(request: object, error: Exception) -> PlainTextResponse:
    return PlainTextResponse(f"explained: {error!r}", 500)


def replace_stack() -> None:
    subs["stack"].middleware_stack = around(subs["stack"].router)


def replace_built() -> None:
    built = subs["built"]
    built.middleware_stack = around(built.build_middleware_stack())


def replace_debug() -> None:
    subs["debug"].debug = True


def replace_handler() -> None:
    subs["handler"].exception_handlers[Exception] = explain


def replace_router() -> None:
    app.router.middleware_stack = around(app.router.middleware_stack)


REPLACE: dict[str, Callable[[], None]] = {
    "stack": replace_stack,
    "built": replace_built,
    "debug": replace_debug,
    "handler": replace_handler,
    "router": replace_router,
}


@app.get("/replace/{name}")
async def replace(name: str) -> str:
    REPLACE[name]()
    return name
