"""Dependencies with yield that end in every way: what they print shows who was told of what,
in which order."""

import asyncio
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, PlainTextResponse

app = FastAPI()

HOW = ["plain", "raises", "finally", "again", "keeps", "changes", "from", "late", "stops"]
HOW += ["twice", "never", "early", "http", "waits"]
ENDS = ["", "lookup", "http", "answer", "runtime", "stop", "cancelled", "waits"]


class Changed(Exception):
    pass


def say(*words: object) -> None:
    # One write: dependencies print from several threads.
    print(" ".join(map(str, words)) + "\n", end="", flush=True)


def chain(error: BaseException | None) -> str:
    """An exception and those that were handled when it was raised."""
    if error is None:
        return "-"
    cause = f" from {error.__cause__!r}" if error.__cause__ else ""
    return f"{error!r}{cause} < {chain(error.__context__)}"


@app.exception_handler(Changed)
@app.exception_handler(LookupError)
@app.exception_handler(RuntimeError)
async def tell(request: Request, error: Exception):
    say("handler", chain(error))
    return JSONResponse({"error": repr(error)}, 501)


def begin(name: str, how: str) -> None:
    say("enter", name)
    if how == "early":
        raise LookupError(f"early {name}")


def caught(name: str, how: str, error: BaseException) -> bool:
    """Whether the generator is to go on."""
    say("caught", name, chain(error))
    if how == "changes":
        raise Changed(name)
    if how == "from":
        raise Changed(name) from error
    if how == "http":
        raise HTTPException(418, name)
    if how == "stops":
        raise StopIteration(name)
    return how in ("keeps", "late", "twice")


def end(name: str, how: str) -> None:
    say("exit", name)
    if how in ("raises", "late"):
        raise Changed(f"end of {name}")


def of_thread(name: str, how: str) -> Any:
    begin(name, how)
    if how == "never":
        return
    if how in ("plain", "raises"):
        yield name
        return end(name, how)
    try:
        yield name
    except BaseException as error:
        if not caught(name, how, error):
            raise
    finally:
        say("finally", name)
        if how == "finally":
            raise Changed(f"finally of {name}")
    if how == "twice":
        yield name
    end(name, how)


async def of_loop(name: str, how: str) -> Any:
    begin(name, how)
    if how == "never":
        return
    if how in ("plain", "raises"):
        yield name
        end(name, how)
        return
    if how == "waits":
        await asyncio.sleep(0.001)
    try:
        yield name
    except BaseException as error:
        if not caught(name, how, error):
            raise
    finally:
        say("finally", name)
        if how == "waits":
            await asyncio.sleep(0.001)
        if how == "finally":
            raise Changed(f"finally of {name}")
    if how == "twice":
        yield name
    end(name, how)


def first_thread(a: str = "plain"):
    yield from of_thread("a", a)


async def first_loop(a: str = "plain"):
    inner = of_loop("a", a)
    try:
        async for value in inner:
            try:
                yield value
            except BaseException as error:
                try:
                    yield await inner.athrow(error)
                except StopAsyncIteration:
                    return
    finally:
        await inner.aclose()


class Second:
    """Generators themselves, asynchronous or not: no frame of ours between."""

    def thread(self, b: str = "plain") -> Any:
        begin("b", b)
        try:
            yield "b"
        except BaseException as error:
            if not caught("b", b, error):
                raise
        if b == "twice":
            yield "b"
        end("b", b)

    async def loop(self, b: str = "plain") -> Any:
        begin("b", b)
        try:
            yield "b"
        except BaseException as error:
            if not caught("b", b, error):
                raise
        if b == "twice":
            yield "b"
        end("b", b)


def finish(how: str) -> Any:
    say("endpoint", how)
    if how == "lookup":
        raise KeyError("endpoint")
    if how == "http":
        raise HTTPException(409, "endpoint")
    if how == "runtime":
        raise RuntimeError("endpoint")
    if how == "stop":
        raise StopIteration("endpoint")
    if how == "cancelled":
        raise asyncio.CancelledError("endpoint")
    return PlainTextResponse("answer", 203) if how == "answer" else {"how": how}


SECONDS = Second()
KINDS = {
    f"{first}{second}-{scope}{other}": (first, second, scope, other)
    for first in ("thread", "loop")
    for second in ("thread", "loop")
    for scope in ("request", "function")
    for other in ("request", "function")
}


def add(path: str, first: str, second: str, scope: Any, other: Any) -> None:
    one = first_thread if first == "thread" else first_loop
    two = SECONDS.thread if second == "thread" else SECONDS.loop

    @app.get(path)
    async def endpoint(
        a: Annotated[str, Depends(one, scope=scope)],
        b: Annotated[str, Depends(two, scope=other)],
        tasks: BackgroundTasks,
        how: str = "",
    ):
        tasks.add_task(say, "background")
        if how == "waits":
            await asyncio.sleep(0.001)
        return finish(how)

    @app.get("/sync" + path)
    def in_thread(
        a: Annotated[str, Depends(one, scope=scope)],
        b: Annotated[str, Depends(two, scope=other)],
        how: str = "",
    ):
        return finish(how)

    @app.get("/seen" + path)
    async def seen(
        a: Annotated[str, Depends(one, scope=scope)],
        b: Annotated[str, Depends(two, scope=other)],
        request: Request,
        how: str = "",
    ):
        say(sorted(name for name in request.scope if name.startswith("fastapi_")))
        return finish(how)


for name, kind in KINDS.items():
    add(f"/{name}/fails", *kind)  # differences.py knows such paths


@app.get("/probe")
async def probe():
    return PlainTextResponse("the probe")
