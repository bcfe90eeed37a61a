"""What a handler can find out about where it runs, and what it can do to its task. Each is a
route that C calls, one that a runner calls, one of FastAPI's own handler, and one that only
the application finds."""

import asyncio
import contextvars
import os
import re
import signal
import traceback
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


# ---- what a task waits for, and when it goes on ----

marked: contextvars.ContextVar[str] = contextvars.ContextVar("marked")


class Yields:
    """Awaits by yielding that to the task."""

    def __init__(self, what: Any) -> None:
        self.what = what

    def __await__(self) -> Any:
        return (yield self.what)


def task_of() -> asyncio.Task:
    task = asyncio.current_task()
    assert task is not None
    return task


async def outcome(awaitable: Any) -> list[Any]:
    """What comes of it, and where that has been."""
    try:
        return ["result", await awaitable]
    except BaseException as error:
        depth = len(traceback.extract_tb(error.__traceback__))
        text = [re.sub(r"(?s)[<'].*", "", str(arg)) for arg in error.args]
        return [type(error).__name__, text, depth, task_of().cancelling()]


@everywhere
async def order_of_turns() -> Any:
    """What is awaited goes on in the turn after it is done, in the order of callbacks."""
    loop, found = asyncio.get_running_loop(), []
    for again in range(3):
        future = loop.create_future()
        future.add_done_callback(lambda _: found.append("before"))
        loop.call_soon(future.set_result, None)
        loop.call_soon(loop.call_soon, found.append, "turn 1")
        loop.call_soon(loop.call_soon, loop.call_soon, found.append, "turn 2")
        loop.call_soon(future.add_done_callback, lambda _: found.append("behind"))
        await future
        found.append(f"on {again}")
        await asyncio.sleep(0)
        found.append("slept")
        child = asyncio.create_task(outcome(asyncio.sleep(0, again)))
        loop.call_soon(found.append, "beside")
        found.append(await child)
    return found


@everywhere
async def cancelled_too_late() -> Any:
    """What it waits for is done, but it has not gone on yet."""
    loop, found = asyncio.get_running_loop(), []

    def end(future: asyncio.Future, how: str) -> None:
        if "fails" in how:
            future.set_exception(KeyError(how))
        elif "cancelled" in how:
            future.cancel(how)
        else:
            future.set_result(how)
        found.append([task.cancel(how), task.cancel()] if "twice" in how else task.cancel(how))
        if "back" in how:
            found.append(task.uncancel())

    task = task_of()
    hows = ("", "fails", "cancelled", "twice", "back", "fails back", "cancelled back")
    for how in hows:
        future = loop.create_future()
        loop.call_soon(end, future, how)
        found.append([how, await outcome(future)])
        while task.cancelling():
            task.uncancel()
        found.append(await outcome(asyncio.sleep(0, "slept")))
    return found


@everywhere
async def cancelled_for_a_turn() -> Any:
    loop, found, task = asyncio.get_running_loop(), [], task_of()
    for back in (False, True):
        loop.call_soon(task.cancel, "in a turn")
        if back:
            loop.call_soon(task.uncancel)
        found.append(await outcome(asyncio.sleep(0, "slept")))
        while task.cancelling():
            task.uncancel()
        task.cancel("by itself")
        if back:
            task.uncancel()
        found.append(await outcome(asyncio.sleep(0, "slept")))
        while task.cancelling():
            task.uncancel()
        task.cancel("by itself")
        if back:
            task.uncancel()
        found.append(await outcome(asyncio.sleep(0.001, "slept")))
        while task.cancelling():
            task.uncancel()
    return found


@everywhere
async def awaits_anything() -> Any:
    """What only a task knows to answer."""
    other, loop = asyncio.new_event_loop(), asyncio.get_running_loop()
    found: list[Any] = []
    bad = (7, "text", other.create_future(), loop.create_future(), task_of(), object(), ())
    for what in bad:
        found.append(await outcome(Yields(what)))
        found.append(await outcome(asyncio.sleep(0, "slept")))
    found.append(await outcome(task_of()))
    for what in bad[:2]:
        loop.call_soon(task_of().cancel, "meanwhile")
        found.append(await outcome(Yields(what)))
        found.append([task_of().uncancel(), await outcome(asyncio.sleep(0, "slept"))])
        task_of().cancel("before")
        found.append(await outcome(Yields(what)))
        found.append([task_of().uncancel(), await outcome(asyncio.sleep(0.001, "slept"))])
    other.close()
    return found


@everywhere
async def cancels_at_first() -> Any:
    task_of().cancel("at first")
    found = [await outcome(Yields(7)), task_of().uncancel()]
    return [*found, await outcome(asyncio.sleep(0, "slept"))]


@everywhere
async def seen_while_it_waits() -> Any:
    """By who debugs, and by anyio."""
    loop, found, task = asyncio.get_running_loop(), [], task_of()
    marked.set("by the handler")

    async def look(future: asyncio.Future) -> None:
        described = re.search(r"wait_for=(<[^>]*>)", repr(task))
        found.append(described and described[1])
        for callback, context in future._callbacks:
            found.append([callback.__self__ is task, callback.__qualname__, context[marked]])
        waiter = task._fut_waiter
        found.append([isinstance(waiter, asyncio.Future), waiter.done(), waiter.cancelled()])
        found.append(task._must_cancel)
        info = next(i for i in anyio.get_running_tasks() if i.id == id(task))
        future.cancel()
        found.append([waiter.done(), waiter.cancelled(), info.has_pending_cancellation()])

    for _ in range(2):
        future = loop.create_future()
        child = loop.create_task(look(future))
        found.append(await outcome(future))
        await child
    return found


@everywhere
async def handed_over() -> Any:
    """anyio asks who waits at a stream whether it is cancelled, and passes it by."""
    sender, receiver = anyio.create_memory_object_stream[int]()
    found: list[Any] = []

    async def send(cancel: anyio.CancelScope) -> None:
        await anyio.sleep(0)
        await sender.send(1)
        cancel.cancel()
        await anyio.sleep(0)
        try:
            sender.send_nowait(2)
        except anyio.WouldBlock:
            found.append("nobody waits")

    async with sender, receiver, anyio.create_task_group() as group:
        for _ in range(2):
            with anyio.CancelScope() as scope:
                group.start_soon(send, scope)
                found.append(await receiver.receive())
                found.append(await receiver.receive())
            found.append([scope.cancelled_caught, facts()])
    return found


@everywhere
async def cancels_at_once() -> Any:
    """In the first step of its task, and takes it back: see test_next_in_the_task()."""
    task = task_of()
    task.cancel()
    task.uncancel()
    return "over"


app.include_router(own_routes)
app.mount("/mounted", mounted)


@app.get("/probe")
async def probe() -> Any:
    from fastapi.responses import PlainTextResponse

    return PlainTextResponse("the probe")


def note(number: int, frame: Any) -> None:
    handled.append("noted")
    os.write(1, b"noted\n")  # print() refuses to be interrupted by itself


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
