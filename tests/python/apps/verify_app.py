"""Routes of which one is made to differ when it is compiled."""

import itertools
import os
from collections.abc import AsyncIterable

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

SAFE = {"x-fasterapi-safe": True}
app = FastAPI()
count = itertools.count()
calls: list[str] = []


@app.get("/same/{x}")
async def same(x: int, q: str | None = None):
    return {"x": x, "q": q}


@app.get("/marked", openapi_extra=SAFE)
async def marked():
    calls.append("marked")
    return {"pid": os.getpid()}


@app.get("/unsteady", openapi_extra=SAFE)
async def unsteady():
    return next(count)


@app.get("/unsafe")
async def unsafe():
    calls.append("unsafe")
    return 1


@app.get("/not-marked", openapi_extra={"x-fasterapi-safe": False})
async def not_marked():
    return 1


@app.get("/endless", openapi_extra=SAFE)
async def endless() -> AsyncIterable[int]:
    while True:
        yield 1


@app.get("/wrong", openapi_extra=SAFE)
async def wrong():
    # Whose answer depends on who calls it, as a faulty plan's would.
    import sys

    return "compiled" if sys._getframe(1).f_code.co_name != "run_endpoint_function" else "asgi"


@app.get("/calls", openapi_extra={"x-fasterapi-safe": False})
async def all_calls():
    return calls


# The same behind middleware that the core does by itself where an answer is plain.
behind = FastAPI()
behind.add_middleware(GZipMiddleware, minimum_size=5)
behind.add_middleware(CORSMiddleware, allow_origins=["*"])
behind.router.routes.extend(app.router.routes[4:])
