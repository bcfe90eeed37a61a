"""What a handler can find out about where it runs, and what it can do to its task. Each is a
route that C calls, one that a runner calls, one of FastAPI's own handler, and one that only
the application finds."""

import asyncio
import signal
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import sniffio
from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute

WAYS = ("called", "run", "own", "mounted")
NAMES: list[str] = []
waiting: dict[str, asyncio.Task] = {}
handled: list[str] = []


class OwnRoute(APIRoute):
    def get_route_handler(self) -> Any:
        handler = super().get_route_handler()

        async def own(request: Any) -> Any:
            return await handler(request)

        return own


async def nothing() -> None:
    pass


async def cleans():
    try:
        yield 1
    except BaseException as error:
        print("left by", repr(error))
        raise
    finally:
        print("cleaned")


app = FastAPI()
mounted = FastAPI()
own_routes = APIRouter(route_class=OwnRoute)


def everywhere(function: Any) -> Any:
    name = function.__name__
    NAMES.append(name)
    app.get(f"/called/{name}")(function)
    app.get(f"/run/{name}", dependencies=[Depends(nothing), Depends(cleans)])(function)
    own_routes.get(f"/own/{name}")(function)
    mounted.get(f"/{name}")(function)
    return function


def library() -> str:
    try:
        return sniffio.current_async_library()
    except sniffio.AsyncLibraryNotFoundError:
        return "none"


def facts() -> list[Any]:
    task = asyncio.current_task()
    assert task is not None
    known = task in asyncio.all_tasks()
    same = anyio.get_current_task().id == id(task)
    return [library(), known, same, task.cancelling(), task.done()]


@everywhere
async def detected() -> Any:
    found = [facts()]
    await asyncio.sleep(0)
    found.append(facts())
    await asyncio.sleep(0.001)
    found.append(facts())
    found.append([await asyncio.create_task(in_task())])

    async def child(*, task_status: Any) -> None:
        task_status.started(facts())

    async with anyio.create_task_group() as group:
        found.append(await group.start(child))
    found.append(await anyio.to_thread.run_sync(lambda: [library()]))
    found.append(await anyio.to_thread.run_sync(lambda: anyio.from_thread.run(in_task)))
    limiter = anyio.to_thread.current_default_thread_limiter()
    found.append([limiter.total_tokens])
    return found


async def in_task() -> Any:
    return facts()


@everywhere
async def at_once() -> Any:
    """No await at all, so that nothing but the first step of a task is there."""
    return facts()


@everywhere
async def timeouts() -> Any:
    found: list[Any] = []
    for delay in (0, -1, 0.002):
        try:
            async with asyncio.timeout(delay) as scope:
                await asyncio.sleep(5)
        except TimeoutError:
            found.append(["timeout", scope.expired(), facts()])
    async with asyncio.timeout(30) as scope:
        scope.reschedule(None)
    with anyio.move_on_after(0.002) as cancel:
        await anyio.sleep(5)
    found.append([cancel.cancelled_caught, facts()])
    with anyio.CancelScope() as cancel:
        cancel.cancel()
        await anyio.lowlevel.checkpoint()
    found.append([cancel.cancelled_caught, facts()])
    try:
        await asyncio.wait_for(asyncio.Event().wait(), 0.002)
    except TimeoutError:
        found.append(["wait_for", facts()])
    return found


@everywhere
async def timeout_leaves() -> Any:
    async with asyncio.timeout(0.002):
        await asyncio.sleep(5)


@everywhere
async def cancels_itself() -> Any:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    try:
        await asyncio.sleep(5)
    except asyncio.CancelledError:
        return [task.cancelling(), task.uncancel(), facts()]


@everywhere
async def is_cancelled_at_once() -> Any:
    task = asyncio.current_task()
    assert task is not None
    task.cancel("soon")
    await asyncio.sleep(5)


@everywhere
async def is_cancelled_later() -> Any:
    await asyncio.sleep(0.001)
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_soon(task.cancel)
    await asyncio.sleep(5)


@everywhere
async def cancels_and_returns() -> Any:
    """Nothing of it is left for the request after it."""
    task = asyncio.current_task()
    assert task is not None
    await asyncio.sleep(0)
    task.cancel()
    task.uncancel()
    return facts()


@everywhere
async def group_fails() -> Any:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("child")

    async with asyncio.TaskGroup() as group:
        group.create_task(fail())
        await asyncio.sleep(5)


@everywhere
async def interrupts() -> Any:
    raise KeyboardInterrupt("of the application")


@everywhere
async def exits_later() -> Any:
    await asyncio.sleep(0.001)
    raise SystemExit(7)


@everywhere
async def signalled() -> Any:
    """By handlers of Python that run as soon as C gives way, one of which raises."""
    before = len(handled)
    signal.raise_signal(signal.SIGUSR1)
    try:
        signal.raise_signal(signal.SIGUSR2)
    except RuntimeError as error:
        handled.append(str(error))
    return handled[before:]


app.include_router(own_routes)
app.mount("/mounted", mounted)


@app.get("/probe")
async def probe() -> Any:
    from fastapi.responses import PlainTextResponse

    return PlainTextResponse("the probe")


def note(number: int, frame: Any) -> None:
    handled.append("noted")
    print("noted", flush=True)


def fail(number: int, frame: Any) -> None:
    raise RuntimeError("raised by a signal")


signal.signal(signal.SIGUSR1, note)
signal.signal(signal.SIGUSR2, fail)


async def turns(scope: Any, receive: Any, send: Any) -> None:
    """sleep(0) is over in the next turn of the loop, behind what was to be called in it."""
    loop = asyncio.get_running_loop()
    found: list[str] = []
    loop.call_soon(found.append, "next")
    loop.call_soon(lambda: loop.call_soon(found.append, "the one after"))
    await asyncio.sleep(0)
    body = repr(found).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def messages(scope: Any, receive: Any, send: Any) -> None:
    """What receive() gives until the end of the body; printed if that never came."""
    found: list[Any] = []
    while not found or found[-1][1]:
        message = await receive()
        if message["type"] == "http.disconnect":
            print(found, flush=True)
            return
        found.append((len(message["body"]), message["more_body"]))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": repr(found).encode()})
