"""Routes of every kind that `fasterapi routes` has a word for."""

import contextvars
import datetime
import os
import time
from typing import Annotated

from fastapi import APIRouter, FastAPI, WebSocket
from pydantic import AfterValidator
from starlette.applications import Starlette

print("imported")

app = FastAPI()
router = APIRouter(prefix="/api")
seen = contextvars.ContextVar("seen")


@app.get("/")
async def root():
    return {"hello": "world"}


@router.get("/items/{item_id}")
async def item(item_id: int, q: str | None = None):
    return {"item_id": item_id, "q": q}


@app.get("/echo/{text}", openapi_extra={"x-fasterapi-safe": True})
async def echo(text: str):
    return {"text": text.upper()}


@app.get("/clock", openapi_extra={"x-fasterapi-safe": True})
async def clock():
    return time.perf_counter_ns()


@app.get("/day")
async def day(d: datetime.date):
    return d


class Odd(str):
    def __str__(self):
        return "odd"


@app.put("/never")
async def never(a: Annotated[int, AfterValidator(lambda n: n)]):
    return a


class Unknown(APIRouter().route_class):
    """A class of routes that nobody knows."""


app.include_router(router)
app.router.add_api_route("/own", root, route_class_override=Unknown, methods=["POST"])


@app.websocket("/ws")
async def websocket(ws: WebSocket):
    await ws.accept()
    await ws.close()


app.mount("/sub", FastAPI())
app.mount("/star", Starlette())


@app.get("/pid")
async def pid():
    return os.getpid()


def make() -> FastAPI:
    return app


# What monitoring does to FastAPI, by the environment.
patch = os.environ.get("TIERS_PATCH")
if patch:
    import functools
    import importlib

    module_name, name = patch.split(":")
    *path, last = name.split(".")
    owner = importlib.import_module(module_name)
    for part in path:
        owner = getattr(owner, part)
    original = getattr(owner, last)

    def wrapper(wrapped, instance, args, kwargs):
        return wrapped(*args, **kwargs)

    @functools.wraps(original)
    def patched(*args, **kwargs):
        return original(*args, **kwargs)

    if "TIERS_WRAPT" in os.environ:
        import wrapt

        wrapt.wrap_function_wrapper(module_name, name, wrapper)
    else:
        setattr(owner, last, patched)
