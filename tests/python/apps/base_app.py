"""FastAPI applications behind BaseHTTPMiddleware, whose functions do all that can be done with
call_next(): what a request wants of them its field X-Do says."""

import asyncio
import contextvars
import sys

import anyio
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from pydantic import BaseModel
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def say(*words: object) -> None:
    text = " ".join(map(str, words))
    if said is None:
        sys.stdout.write(text + "\n")  # whole, from whichever thread
        sys.stdout.flush()
    else:
        said.append(text)


said: list | None = None  # in place of the standard output


class Known(Exception):
    pass


class Item(BaseModel):
    name: str


async def later(name: str, steps: int = 1) -> None:
    for i in range(steps):
        say("task", name, i)
        await asyncio.sleep(0)


class Closing:
    async def __aenter__(self):
        say("enter", VARIABLE.get())

    async def __aexit__(self, kind, error, traceback):
        say("exit", kind and kind.__name__, VARIABLE.get())


async def resource():
    async with Closing():
        yield "resource"


tasks: set = set()


def routes(app: FastAPI) -> FastAPI:
    @app.exception_handler(Known)
    async def known(request: Request, exc: Exception):
        say("handler", VARIABLE.get())
        return JSONResponse({"known": str(exc)}, 418, background=None)

    @app.get("/plain/{i}")
    async def plain(i: int):
        say("plain", VARIABLE.get(), asyncio.current_task() in tasks)
        VARIABLE.set("inner")
        return {"i": i}

    @app.get("/empty", status_code=204)
    async def empty():
        return None

    @app.get("/string")
    async def string():
        return ""

    @app.get("/waits")
    async def waits():
        say("before")
        try:
            await asyncio.sleep(0.15)
        except BaseException as error:
            say("cancelled", type(error).__name__)
            try:
                await asyncio.sleep(0.01)
            except BaseException as again:
                say("again", type(again).__name__)
            raise
        say("after")
        return "waited"

    @app.get("/thread")
    def thread(request: Request):
        say("thread", VARIABLE.get())
        import time

        time.sleep(0.1)
        say("thread ends")
        return "thread"

    @app.get("/spawns")
    async def spawns():
        found = asyncio.create_task(later("inner"))
        tasks.add(found)
        found.add_done_callback(tasks.discard)
        return "spawned"

    @app.get("/background")
    async def background(more: BackgroundTasks):
        async def run():
            say("background begins")
            await asyncio.sleep(0)
            say("background ends")

        more.add_task(run)
        return "background"

    @app.get("/dependency")
    async def dependency(found: str = Depends(resource)):
        return found

    @app.get("/streams")
    async def streams():
        async def parts():
            for i in range(3):
                say("part", i)
                yield f"part {i};"
            say("parts end")

        return StreamingResponse(parts(), media_type="text/plain")

    @app.get("/breaks")
    async def breaks():
        async def parts():
            yield "one"
            raise ValueError("in the middle")

        return StreamingResponse(parts(), media_type="text/plain")

    @app.get("/returned")
    async def returned():
        async def run():
            say("its background")

        from starlette.background import BackgroundTask

        return PlainTextResponse("returned", 203, {"x-a": "1"}, background=BackgroundTask(run))

    @app.get("/fails/{how}")
    async def fails(how: str):
        if how == "cancelled":
            raise asyncio.CancelledError
        raise {"http": HTTPException(409, "no"), "known": Known("k"), "other": ValueError(how)}[how]

    @app.post("/items")
    async def items(item: Item):
        say("item", item.name)
        return item

    @app.post("/raw")
    async def raw(request: Request):
        return (await request.body()).decode()

    @app.post("/ignores")
    async def ignores():
        return "ignored"

    @app.get("/disconnect")
    async def disconnect(request: Request):
        return [await request.is_disconnected()]

    @app.get("/probe")
    async def probe():
        return PlainTextResponse("the probe")

    return app


async def twice(request: Request, call_next):
    first = await call_next(request)
    say("first", first.status_code)
    return await call_next(request)


async def twice_read(request: Request, call_next):
    first = await call_next(request)
    body = b"".join([part async for part in first.body_iterator])
    say("first", first.status_code, body)
    second = await call_next(request)
    say("second", second.status_code)
    return second


async def at_once(request: Request, call_next):
    found = await asyncio.gather(call_next(request), call_next(request), return_exceptions=True)
    say([getattr(one, "status_code", repr(one)) for one in found])
    return PlainTextResponse("both")


async def in_time(request: Request, call_next):
    try:
        return await asyncio.wait_for(call_next(request), 0.03)
    except TimeoutError:
        say("timeout")
        return PlainTextResponse("too late", 504)


async def in_scope(request: Request, call_next):
    try:
        with anyio.fail_after(0.03):
            return await call_next(request)
    except TimeoutError:
        say("timeout")
        raise HTTPException(504) from None


async def moved_on(request: Request, call_next):
    with anyio.move_on_after(0.03):
        response = await call_next(request)
        say("in time")
        return response
    say("moved on")
    return PlainTextResponse("moved on")


async def reads(request: Request, call_next):
    say("body", await request.body())
    return await call_next(request)


async def streams_in(request: Request, call_next):
    async for part in request.stream():
        say("piece", len(part))
    return await call_next(request)


async def replaces(request: Request, call_next):
    response = await call_next(request)
    body = b"".join([part async for part in response.body_iterator])
    say("body", body)
    return Response(body + b"!", response.status_code, {"x-replaced": "1"}, "text/plain")


async def drops(request: Request, call_next):
    await call_next(request)
    return PlainTextResponse("another")


async def raises_after(request: Request, call_next):
    await call_next(request)
    raise Known("after")


async def raises_other(request: Request, call_next):
    await call_next(request)
    raise ValueError("after")


async def raises_before(request: Request, call_next):
    raise HTTPException(403)


async def answers(request: Request, call_next):
    return JSONResponse({"answered": True}, 402)


async def nothing(request: Request, call_next):
    return None


async def catches(request: Request, call_next):
    try:
        return await call_next(request)
    except Exception as error:
        say("caught", repr(error), repr(error.__cause__))
        return PlainTextResponse("caught", 500)


async def spawns_first(request: Request, call_next):
    found = asyncio.create_task(later("outer", 3))
    tasks.add(found)
    found.add_done_callback(tasks.discard)
    response = await call_next(request)
    say("after call_next")
    return response


async def redirects(request: Request, call_next):
    request.scope["path"] = "/plain/77"
    request.scope["raw_path"] = b"/plain/77"
    return await call_next(request)


async def background_too(request: Request, call_next):
    from starlette.background import BackgroundTask

    async def run():
        say("outer background")

    response = await call_next(request)
    response.background = BackgroundTask(run)
    return response


async def in_task(request: Request, call_next):
    return await asyncio.create_task(call_next(request))


async def headers(request: Request, call_next):
    response = await call_next(request)
    response.headers["x-added"] = "1"
    response.headers.append("vary", "x")
    response.status_code = 299
    say(type(response).__name__, response.media_type, response.raw_headers)
    return response


async def late(request: Request, call_next):
    """Once more when the request is over."""

    async def again():
        await asyncio.sleep(0.02)
        try:
            await call_next(request)
        except Exception as error:
            say("late", repr(error))

    response = await call_next(request)
    found = asyncio.create_task(again())
    tasks.add(found)
    found.add_done_callback(tasks.discard)
    return response


FUNCTIONS = {
    function.__name__: function
    for function in (
        *(twice, twice_read, at_once, in_time, in_scope, moved_on, reads, streams_in, replaces),
        *(drops, raises_after, raises_other, raises_before, answers, nothing, catches),
        *(spawns_first, redirects, background_too, in_task, headers, late),
    )
}


async def dispatch(request: Request, call_next):
    wanted = FUNCTIONS.get(request.headers.get("x-do", ""))
    if request.url.path == "/probe":
        return await call_next(request)
    VARIABLE.set("dispatch")
    say("dispatch", request.method, sorted(request.scope.keys() - {"extensions"}))
    response = await (wanted(request, call_next) if wanted else call_next(request))
    say("answered", VARIABLE.get(), request.scope.get("path_params"), "route" in request.scope)
    return response


class Outer:
    """Sees all messages, and says when it is over."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def told(message):
            say(message["type"], message.get("status"), message.get("body"), message.get("more_body"))
            await send(message)

        if scope["type"] != "http" or scope["path"] == "/probe":
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, receive, told)
        finally:
            say("over", VARIABLE.get())


class Scoped(Outer):
    async def __call__(self, scope, receive, send):
        with anyio.move_on_after(5):
            await self.app(scope, receive, send)


class Class(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        response = await call_next(request)
        response.headers["x-class"] = type(self).__name__
        return response


def made(*stack) -> FastAPI:
    """`stack` from the outermost to the innermost."""
    app = FastAPI()
    for layer in reversed(stack):
        if layer is dispatch:
            app.middleware("http")(dispatch)
        elif layer is CORSMiddleware:
            app.add_middleware(layer, allow_origins=["*"])
        else:
            app.add_middleware(layer)
    return routes(app)


one = made(Outer, dispatch)
two = made(dispatch, Outer, Class)
between = made(Class, CORSMiddleware, dispatch, Outer)
scoped = made(Scoped, dispatch)
STACKS = ("one", "two", "between", "scoped")
