"""Calls in threads: what they see of anyio, of the context and of each other."""

import asyncio
import contextvars
import threading
import time
from contextlib import asynccontextmanager
from typing import Annotated, Any

import anyio
import anyio.from_thread
import anyio.to_thread
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import PlainTextResponse

said: list[str] = []
seen = contextvars.ContextVar("seen", default="")
lock = threading.Lock()
running, most = 0, 0


def say(*words: object) -> None:
    # One write: threads print, too.
    print(" ".join(map(str, words)) + "\n", end="", flush=True)


@asynccontextmanager
async def lifespan(app: FastAPI):
    yield
    limiter = anyio.to_thread.current_default_thread_limiter()
    say("tokens at the end", limiter.borrowed_tokens, limiter.statistics().tasks_waiting)


app = FastAPI(lifespan=lifespan)


class Odd(BaseException):
    pass


@app.get("/thread")
def thread() -> Any:
    current = threading.current_thread()
    return [current.name, current.daemon, type(current).__name__, current is threading.main_thread()]


def ident() -> int:
    return threading.get_ident()


@app.get("/same-thread")
def same_thread(a: Annotated[int, Depends(ident)], b: Annotated[int, Depends(ident, use_cache=False)]):
    return [a == b, a == ident()]


# ---- back to the loop ----


async def of_loop(how: str) -> str:
    await asyncio.sleep(0.001)
    if how == "fails":
        raise LookupError(how)
    if how == "sets":
        seen.set("set in the loop")
    return f"{asyncio.current_task() is not None} {anyio.get_current_task().name is not None}"


@app.get("/from-thread/{how}")
def from_thread(how: str):
    anyio.from_thread.check_cancelled()
    if how == "sync":
        return anyio.from_thread.run_sync(lambda: asyncio.get_running_loop().is_running())
    if how == "token":
        return type(anyio.from_thread.threadlocals.current_token).__name__
    if how == "no-loop":
        asyncio.get_running_loop()
    try:
        return [anyio.from_thread.run(of_loop, how), seen.get()]
    except LookupError as error:
        return repr(error)


async def step(name: str, times: int) -> None:
    """Only steps that nothing races with: a thread that was begun may be faster, or not."""
    for n in range(times):
        say("task", name, n)
        await asyncio.sleep(0)


tasks: set[asyncio.Task] = set()


def begin(name: str, times: int = 1) -> None:
    task = asyncio.get_running_loop().create_task(step(name, times))
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def begins():
    begin("of a dependency", 2)
    say("dependency")


async def begins_soon():
    asyncio.get_running_loop().call_soon(say, "soon")


def begins_in_thread():
    anyio.from_thread.run_sync(begin, "of a thread")


def begins_threadsafe():
    time.sleep(0.002)  # the loop has nothing else to do by now
    anyio.from_thread.threadlocals.current_token.native_token.call_soon_threadsafe(begin, "safe")


def leaves():
    say("enter")
    yield 1
    say("leave")


@app.get("/order/dependency", dependencies=[Depends(begins)])
def order_dependency():
    say("endpoint")


@app.get("/order/soon", dependencies=[Depends(begins_soon)])
def order_soon():
    say("endpoint")


@app.get("/order/thread", dependencies=[Depends(begins_in_thread)])
async def order_thread():
    say("endpoint")


@app.get("/order/safe", dependencies=[Depends(begins_threadsafe)])
async def order_safe():
    say("endpoint")


@app.get("/order/safe/later", dependencies=[Depends(leaves), Depends(begins_threadsafe)])
def order_safe_later():
    say("endpoint")


# ---- the context ----


def sets(value: str):
    seen.set(value)
    return seen.get()


async def sets_async(value: str):
    seen.set(f"async {value}")


def sets_yield(value: str):
    seen.set(f"yield {value}")
    yield seen.get()
    say("seen at exit", seen.get())


@app.get("/context")
def context(a: Annotated[str, Depends(sets)]):
    return [a, seen.get()]


@app.get("/context/async")
def context_async(b: Annotated[None, Depends(sets_async)], a: Annotated[str, Depends(sets)]):
    return [a, seen.get()]


@app.get("/context/yield")
async def context_yield(a: Annotated[str, Depends(sets_yield)]):
    return [a, seen.get()]


# ---- ends ----


@app.get("/fails/{how}")
def fails(how: str):
    if how == "http":
        raise HTTPException(418, how)
    if how == "stop":
        raise StopIteration(how)
    if how == "odd":
        raise ValueError("odd") from Odd(how)
    if how == "cancelled":
        raise asyncio.CancelledError(how)
    if how == "plain":
        return PlainTextResponse(how)
    return int(how)


@app.get("/fails/func/{func}")
def fails_by_name(func: str):
    """run_in_threadpool() has a parameter of that name, too."""
    return func


# ---- limits ----


def work(ms: float, together: int) -> int:
    """How many there were at once, at most: once that many are, or have been."""
    global running, most
    with lock:
        running += 1
        most = max(most, running)
    time.sleep(ms / 1000)
    while most < together:
        time.sleep(0.001)
    with lock:
        running -= 1
    return most


@app.get("/work")
def works(ms: float = 5, together: int = 0):
    work(ms, together)


@app.get("/work/anyio")
async def works_in_anyio(ms: float = 5, together: int = 0):
    await anyio.to_thread.run_sync(work, ms, together)


@app.get("/most")
async def get_most():
    global most
    found, most = most, 0
    return found


@app.get("/tokens")
async def tokens(n: int | None = None):
    limiter = anyio.to_thread.current_default_thread_limiter()
    if n is not None:
        limiter.total_tokens = n
    return [limiter.total_tokens, limiter.borrowed_tokens, limiter.statistics().tasks_waiting]


@app.get("/holds")
async def holds(ms: float = 50):
    """All tokens are taken meanwhile."""
    limiter = anyio.to_thread.current_default_thread_limiter()
    borrowers = [object() for _ in range(int(limiter.available_tokens))]
    for borrower in borrowers:
        limiter.acquire_on_behalf_of_nowait(borrower)
    await asyncio.sleep(ms / 1000)
    for borrower in borrowers:
        limiter.release_on_behalf_of(borrower)


# ---- scopes, cancellation ----


async def limited(s: float):
    with anyio.move_on_after(s) as scope:
        yield scope
    say("scope", scope.cancelled_caught)


async def cancelled():
    with anyio.CancelScope() as scope:
        scope.cancel()
        yield scope
    say("scope", scope.cancelled_caught)


@app.get("/scope")
def scoped(a: Annotated[Any, Depends(limited)]):
    time.sleep(0.2)
    return "done"


@app.get("/scope/cancelled")
def scope_cancelled(a: Annotated[Any, Depends(cancelled)]):
    say("not reached")


async def cancels(s: float, back: bool = False):
    """Somebody cancels the task of the request, and takes it back too late."""
    task = asyncio.current_task()
    assert task is not None

    def cancel():
        task.cancel("somebody")
        if back:
            task.uncancel()

    asyncio.get_running_loop().call_later(s, cancel)
    try:
        yield
    except asyncio.CancelledError as error:
        say("cancelled", error)
        limiter = anyio.to_thread.current_default_thread_limiter()
        say("tokens", limiter.borrowed_tokens, limiter.statistics().tasks_waiting)
        raise HTTPException(499, "cancelled") from None


def takes_time():
    time.sleep(0.3)
    say("came to its end")


@app.get("/cancelled/running", dependencies=[Depends(cancels)])
def cancelled_running():
    takes_time()


@app.get("/cancelled/dependency", dependencies=[Depends(cancels), Depends(takes_time)])
async def cancelled_dependency():
    say("not reached")


@app.get("/cancelled/waiting", dependencies=[Depends(cancels)])
def cancelled_waiting():
    say("not reached")


@app.get("/slow")
def slow(ms: float = 300):
    time.sleep(ms / 1000)
    say("slow", ms)
    return ms


@app.get("/probe")
async def probe():
    return PlainTextResponse("the probe")
