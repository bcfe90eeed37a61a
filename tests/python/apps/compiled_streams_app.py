"""A FastAPI application whose endpoints are generators; $STACK is what it is behind."""

import asyncio
import contextvars
import functools
import gc
import os
import threading
import time
from collections.abc import AsyncIterable, Iterable
from typing import Annotated, Any

from fastapi import (
    APIRouter,
    BackgroundTasks,
    Depends,
    FastAPI,
    HTTPException,
    Request,
    Response,
    UploadFile,
    routing,
)
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import PlainTextResponse, StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel

routing._PING_INTERVAL = 0.6  # type: ignore[attr-defined]
app = FastAPI()
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
ended: list[int] = []  # one for each generator whose client has gone, when it has ended


def say(what: Any) -> None:
    print(what, flush=True)


class Item(BaseModel):
    name: str
    price: float | None = None


class Known(Exception):
    pass


class Shouting(StreamingResponse):
    media_type = "text/shouting"


class Forgetful(StreamingResponse):
    """Takes no notice of background tasks."""

    def __init__(self, content: Any, status_code: int = 200, **others: Any) -> None:
        super().__init__(content, status_code)


class ForgetfulText(PlainTextResponse):
    def __init__(self, content: Any, status_code: int = 200, **others: Any) -> None:
        super().__init__(content, status_code)


@app.exception_handler(Known)
async def known(request: Request, error: Known):
    return PlainTextResponse(f"known {error} {request.url.path}", 411)


async def yielding(q: int = 0):
    say("entered")
    variable.set("by a dependency")
    try:
        yield q
    except Exception as error:
        say(f"saw {error!r}")
        raise
    finally:
        say("left")


def early(fail: bool = False):
    if fail:
        raise Known("before it began")


async def counted(q: int = 0):
    """What is said once a client has gone comes at any time."""
    try:
        yield q
    finally:
        ended.append(q)


Value = Annotated[int, Depends(yielding)]
Counted = Annotated[int, Depends(counted)]
Early = Annotated[int, Depends(yielding, scope="function")]


async def note_later() -> None:
    say("background")


@app.get("/events/kinds", response_class=EventSourceResponse)
async def kinds() -> AsyncIterable[Any]:
    yield {"plain": [1, None, "é\nx"]}
    yield ServerSentEvent(raw_data="raw\ntwo lines", event="e")
    yield ServerSentEvent(data=Item(name="m"), id="1", retry=10)
    yield ServerSentEvent(data=[float("nan"), {"a": float("inf")}])
    yield ServerSentEvent(comment="only a comment")
    yield Item(name="n", price=float("inf"))
    yield None


@app.get("/events/sync", response_class=EventSourceResponse)
def events_sync(n: int = 3) -> Iterable[Item]:
    for i in range(n):
        yield Item(name=str(i))


@app.get("/events/full", response_class=EventSourceResponse, status_code=203)
async def full(
    v: Value, e: Early, response: Response, tasks: BackgroundTasks
) -> AsyncIterable[dict]:
    tasks.add_task(note_later)
    response.headers["X-Set"] = "1"
    response.status_code = 202
    say("begins")
    yield {"v": v, "e": e, "variable": variable.get()}


@app.get("/events/fails/{when}", response_class=EventSourceResponse)
async def events_fail(when: int, v: Value, how: str = "x") -> AsyncIterable[int]:
    for i in range(3):
        if i == when:
            raise Known("here") if how == "known" else HTTPException(409, "no")
        yield i


@app.get("/events/slow", response_class=EventSourceResponse)
async def slow() -> AsyncIterable[int]:
    yield 1
    await asyncio.sleep(0.9)
    yield 2


@app.get("/events/none", response_class=EventSourceResponse)
async def none() -> AsyncIterable[int]:
    return
    yield 0


@app.get("/lines/{n}", response_model_exclude_none=True)
async def lines(n: int, v: Value, request: Request) -> AsyncIterable[Item]:
    say(sorted(key for key in request.scope if "stack" in key))
    for i in range(n):
        yield Item(name=f"{i} {v}")


@app.post("/lines", status_code=201)
def lines_of(items: list[Item], tasks: BackgroundTasks, response: Response) -> Iterable[Item]:
    tasks.add_task(note_later)
    response.set_cookie("a", "b")
    yield from items


@app.get("/plain/fails")
async def lines_plain() -> AsyncIterable[Any]:
    yield {"a": {1}, "b": Item(name="x")}
    yield "text"
    yield object()


@app.get("/lines-early")
async def lines_early(_: Annotated[None, Depends(early)], v: Value) -> AsyncIterable[int]:
    yield v


@app.get("/raw", response_class=Shouting)
async def raw(response: Response, tasks: BackgroundTasks) -> AsyncIterable[Any]:
    tasks.add_task(note_later)
    response.headers["X-Raw"] = "yes"
    yield "a"
    yield b"b"
    yield memoryview(b"c")


@app.get("/raw/sync", response_class=Shouting)
@app.get("/raw/fails", response_class=Shouting)
def raw_sync(fail: bool = False) -> Iterable[Any]:
    yield "a"
    if fail:
        raise Known("in the middle")


@app.get("/raw/plain", response_class=PlainTextResponse)
def raw_plain() -> Iterable[str]:
    yield "a"


@app.get("/raw/forgets", response_class=Forgetful)
async def raw_forgets(tasks: BackgroundTasks) -> AsyncIterable[str]:
    tasks.add_task(note_later)
    yield "a"


@app.get("/text/forgets", response_class=ForgetfulText)
async def text_forgets(tasks: BackgroundTasks, own: bool = False):
    tasks.add_task(note_later)
    return ForgetfulText("own") if own else "made"


@app.get("/bad/fails", response_model=None)
async def lines_bad(v: Value) -> AsyncIterable[Item]:
    yield Item(name="good")
    yield {"name": v}  # type: ignore[misc]


@app.get("/events/sync/fails", response_class=EventSourceResponse)
def events_sync_fails(v: Value) -> Iterable[Item]:
    yield Item(name="good")
    time.sleep(0.02)  # until the first one is on its way
    yield {"name": v}  # type: ignore[misc]


@app.get("/events/number", response_class=EventSourceResponse)
def events_number() -> int:
    """No generator; called in the thread of the loop all the same."""
    say(f"called in {threading.current_thread().name}")
    return 1


@app.get("/events/endless", response_class=EventSourceResponse)
async def events_endless(v: Counted) -> AsyncIterable[int]:
    try:
        while True:
            yield v
            await asyncio.sleep(0.01)
    finally:
        ended.append(v)


@app.get("/endless")
async def endless(v: Counted) -> AsyncIterable[int]:
    try:
        while True:
            yield v
            await asyncio.sleep(0.01)
    finally:
        ended.append(v)


FLOOD = "x" * 70_000


@app.get("/flood")
@app.get("/flood/events", response_class=EventSourceResponse)
@app.get("/flood/raw", response_class=Shouting)
async def flood() -> AsyncIterable[str]:
    try:
        while True:
            yield FLOOD
    finally:
        ended.append(0)


@app.get("/flood/sync")
def flood_sync() -> Iterable[str]:
    try:
        while True:
            yield FLOOD
    finally:
        ended.append(0)


@app.get("/ended")
async def how_many_ended() -> int:
    """A generator whose client goes while it stands at its yield is nobody's from then on, but
    in a cycle with the exception that says so: the collector ends it."""
    gc.collect()
    return len(ended)


# ---- other ways to be a generator, or to get there ----


@app.get("/lines/fails/{when}")
async def lines_fail(when: int, v: Value, how: str = "x") -> AsyncIterable[int]:
    for i in range(3):
        if i == when:
            raise Known("here") if how == "known" else HTTPException(409, "no")
        yield i


@app.get("/lines-catch")
async def lines_catch(v: Value, e: Early, tasks: BackgroundTasks) -> AsyncIterable[int]:
    tasks.add_task(note_later)
    try:
        yield v
        raise ValueError("its own")
    except ValueError:
        say("caught")
        yield e


@app.post("/file")
async def of_file(file: UploadFile, v: Value) -> AsyncIterable[str]:
    """It stays open until the last piece has gone."""
    while piece := await file.read(3):
        await asyncio.sleep(0)
        yield piece.decode()
    say(file.file.closed)


@app.api_route("/both", methods=["GET", "HEAD"], response_class=StreamingResponse)
async def both(v: Value) -> AsyncIterable[str]:
    yield "as long"
    yield " as it is"


@app.get("/bodiless", status_code=204)
async def bodiless(response: Response, status: int = 0) -> AsyncIterable[int]:
    if status:
        response.status_code = status
    say("begins")
    return
    yield 0


class Callable:
    async def __call__(self, n: int = 2) -> AsyncIterable[int]:
        for i in range(n):
            yield i


def counting(to: int, start: int = 0) -> Iterable[int]:
    yield from range(start, to)


router = APIRouter(prefix="/inner", default_response_class=EventSourceResponse)
router.add_api_route("/object", Callable())
router.add_api_route("/partial", functools.partial(counting, to=3))
router.add_api_route("/fails", functools.partial(counting, to=3), response_class=StreamingResponse)
app.include_router(router)


@app.get("/probe")
async def probe():
    return PlainTextResponse("the probe")


# ---- what it is behind ----


class Own:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def marked(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-own", b"1"))
            await send(message)

        await self.app(scope, receive, marked)


async def function(request: Request, call_next: Any) -> Response:
    answer = await call_next(request)
    answer.headers["x-seen"] = request.url.path
    return answer


match os.environ.get("STACK"):
    case "own":
        app.add_middleware(Own)
    case "function":
        app.middleware("http")(function)
    case "known":
        app.add_middleware(GZipMiddleware, minimum_size=10)
