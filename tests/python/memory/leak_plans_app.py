"""Routes of FastAPI that leaks.py asks: each is a kind of plan, or a way in which one ends.
What they wait for comes within a few turns of the loop, or never."""

import asyncio
import contextvars
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Form, Header, HTTPException, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from fastapi.routing import APIRoute
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel

mark = contextvars.ContextVar[object]("mark")
unmarked: contextvars.ContextVar[object] = contextvars.ContextVar("unmarked", default=None)


class Item(BaseModel):
    name: str
    price: float
    tags: list[str] = []


ITEMS = [Item(name=f"item {i}", price=i / 4, tags=["a", "b"]) for i in range(20)]


async def turn(times: int = 1) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


# ---- dependencies that wait before, and after the endpoint ----


async def settings(verbose: bool = False) -> dict[str, bool]:
    mark.set(object())
    await turn()
    return {"verbose": verbose}


async def session(found: Annotated[dict, Depends(settings)]) -> AsyncIterator[dict]:
    await turn()
    try:
        yield {"open": True, **found}
    finally:
        await turn()


async def user(opened: Annotated[dict, Depends(session)], name: str = "nobody") -> dict:
    await turn()
    return {"name": name, "session": opened["open"]}


async def quick(opened: Annotated[bool, Depends(lambda: True)]) -> AsyncIterator[bool]:
    yield opened


def in_thread() -> Iterator[str]:
    mark.set(object())
    yield "from a thread"


async def refuses() -> None:
    raise HTTPException(403, "not you", headers={"x-why": "because"})


# ---- after the answer ----


async def log_later(what: object) -> None:
    mark.set(what)
    await turn()


def log_in_thread(what: object) -> None:
    mark.set(what)


# ---- routes ----


class OwnRoute(APIRoute):
    """Its handler is nothing that plans know."""

    def get_route_handler(self) -> Any:
        handler = super().get_route_handler()

        async def own(request: Request) -> Any:
            return await handler(request)

        return own


def plans() -> FastAPI:
    app = FastAPI()
    direct = APIRouter(route_class=OwnRoute)

    @direct.get("/direct")
    async def by_own_handler(quick: Annotated[bool, Depends(quick)]):
        return quick

    app.include_router(direct)

    @app.get("/plain")
    async def plain():
        return {"message": "hello"}

    @app.get("/query/{number}")
    async def query(number: int, q: str | None = None, x_one: Annotated[str, Header()] = ""):
        return {"number": number, "q": q, "x": x_one}

    @app.post("/body", response_model=Item)
    async def body(item: Item):
        return item

    @app.post("/form")
    async def form(name: Annotated[str, Form()]):
        return {"name": name}

    @app.get("/rows", response_model=list[Item])
    async def rows():
        return ITEMS

    @app.get("/tree")
    async def tree(found: Annotated[dict, Depends(user)]):
        await turn()
        return found

    @app.get("/yield")
    async def yielded(found: Annotated[bool, Depends(quick)]):
        return found

    @app.get("/def")
    def in_a_thread(number: int = 1):
        mark.set(object())
        return {"number": number}

    @app.get("/def-yield")
    def yielded_in_a_thread(found: Annotated[str, Depends(in_thread)]):
        return found

    @app.get("/def-raises")
    def raises_in_a_thread():
        raise HTTPException(409, "taken")

    @app.get("/returned")
    async def returned():
        return PlainTextResponse("as it is", 202, headers={"x-a": "b"})

    @app.get("/streamed")
    async def streamed():
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(4):
                yield b"piece" * 50
                await turn()

        return StreamingResponse(pieces())

    @app.get("/lines")
    async def lines(
        found: Annotated[dict, Depends(session)], tasks: BackgroundTasks
    ) -> AsyncIterable[Item]:
        tasks.add_task(log_later, object())
        for item in ITEMS[:3]:
            mark.set(object())
            yield item
            await turn()

    @app.get("/lines-def")
    def lines_in_threads() -> Iterable[Item]:
        yield from ITEMS[:3]

    @app.get("/lines-refused")
    async def refused_lines() -> AsyncIterable[Item]:
        yield ITEMS[0]
        yield {"name": "no price"}  # type: ignore[misc]

    @app.get("/events", response_class=EventSourceResponse)
    async def events(found: Annotated[bool, Depends(quick)]) -> AsyncIterable[Any]:
        yield ServerSentEvent(data={"a": 1}, event="e", id="1")
        await turn()
        yield ITEMS[0]

    @app.get("/events-raise", response_class=EventSourceResponse)
    async def events_raise(found: Annotated[dict, Depends(session)]) -> AsyncIterable[int]:
        yield 1
        raise ValueError("in the stream")

    @app.get("/events-forever", response_class=EventSourceResponse)
    async def events_forever(found: Annotated[dict, Depends(session)]) -> AsyncIterable[int]:
        yield 1
        await asyncio.Event().wait()

    @app.get("/lines-forever")
    async def lines_forever(found: Annotated[dict, Depends(session)]) -> AsyncIterable[str]:
        while True:
            yield "x" * 5000
            await turn()

    @app.get("/raw", response_class=StreamingResponse)
    async def raw(response: Response) -> AsyncIterable[str]:
        response.headers["x-raw"] = "yes"
        yield "piece"

    @app.get("/background")
    async def background(tasks: BackgroundTasks):
        tasks.add_task(log_later, object())
        tasks.add_task(log_in_thread, object())
        return {"later": 2}

    @app.get("/background-raises")
    async def background_raises(tasks: BackgroundTasks):
        tasks.add_task(refuses)
        return {"later": 1}

    @app.get("/request")
    async def request(request: Request):
        request.state.mine = object()
        return {"path": request.url.path}

    @app.get("/http")
    async def http():
        raise HTTPException(418, {"no": ["coffee"]})

    @app.get("/http-later")
    async def http_later(found: Annotated[dict, Depends(session)]):
        await turn()
        raise HTTPException(418)

    @app.get("/refused")
    async def refused(found: Annotated[None, Depends(refuses)]):
        return found

    @app.get("/raises")
    async def raises():
        unmarked.set(object())
        raise ValueError("at once")

    @app.get("/raises-later")
    async def raises_later(found: Annotated[dict, Depends(session)]):
        await turn()
        raise ValueError("later")

    @app.get("/handled")
    async def handled():
        raise KeyError("known")

    @app.exception_handler(KeyError)
    async def known(request: Request, error: Exception):
        await turn()
        return JSONResponse({"known": str(error)}, 410)

    @app.get("/forever")
    async def forever(found: Annotated[dict, Depends(session)]):
        mark.set(object())
        await asyncio.Event().wait()

    @app.get("/cancels-itself")
    async def cancels_itself():
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_soon(task.cancel)
        await asyncio.Event().wait()

    @app.get("/times-out")
    async def times_out(found: Annotated[dict, Depends(session)]):
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            return {"late": True}

    @app.get("/group")
    async def group():
        async with asyncio.TaskGroup() as tasks:
            for _ in range(3):
                tasks.create_task(turn())
        return {"tasks": 3}

    @app.get("/long/{name}")
    async def long(name: str, found: Annotated[dict, Depends(user)], tasks: BackgroundTasks):
        """Waits in three dependencies, twice here, when two of them end and afterwards."""
        await turn(2)
        tasks.add_task(log_later, object())
        return {"name": name, **found}

    return app


class Own:
    """Middleware that nobody knows: it wraps what both sides are given."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def marked(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-own", b"1"))
            await send(message)

        await self.app(scope, receive, marked)


app = plans()

behind_known = plans()
behind_known.add_middleware(GZipMiddleware, minimum_size=10)
behind_known.add_middleware(CORSMiddleware, allow_origins=["*"])

behind_own = plans()
behind_own.add_middleware(Own)

behind_function = plans()


@behind_function.middleware("http")
async def timed(request: Request, call_next: Any) -> Any:
    answer = await call_next(request)
    answer.headers["x-timed"] = "yes"
    return answer
