#!/usr/bin/env python3
"""Serves requests while memory runs out: for each allocation on their way, once with only that
one failing, once with it and the 24 after it (not with --singly).

    LD_PRELOAD=failing_malloc.so PYTHONMALLOC=malloc no_memory.py [--singly] KIND...

An answer, an error or a closed connection must come of it, and the next request be served;
no connection and no task may be left, and in the end the server stops in order. What hangs is
told by name, with the stacks of threads and tasks. The kinds are those of leaks.py.
Only the server's own calls fail, poll() and with it the application; asyncio's do not.
"""

import asyncio
import contextlib
import ctypes
import faulthandler
import functools
import gc
import os
import re
import socket
import sys
import time
import traceback

import anyio.to_thread
import leaks
import patience

MANY = 1 << 40
BLOCKED_S = 3 * patience.HANGS_S  # a kind; most take less than a second
IDLE = 2  # tasks that the server may have kept for the next request
CALLS_MAX = 3000  # allocations of one kind; more is a fault of this test

memory = ctypes.PyDLL(None)
memory.failing_malloc_call.argtypes = (ctypes.py_object, ctypes.c_ulong, ctypes.c_ulong)
memory.failing_malloc_call.restype = ctypes.c_ulong


class Failing:
    """What the loop calls of the server's, in which allocations fail: poll() of a worker, and
    steps of calls in threads."""

    def __init__(self, worker) -> None:
        self.poll = worker.poll
        self.left = (MANY, 0)  # the first that fails, and how many do, of this request
        self.calls = 0  # of malloc so far
        self.untold = 0  # so often a thread cannot tell the loop

    def __call__(self) -> None:
        self.during(self.poll)

    def during(self, call) -> None:
        first, many = self.left
        begin, end = max(first - self.calls, 0), max(first + many - self.calls, 0)
        self.calls += memory.failing_malloc_call(call, begin, end - begin)

    @contextlib.contextmanager
    def within(self, loop: asyncio.AbstractEventLoop):
        """Threads that the worker makes meanwhile call the loop by this."""
        soon, safe = loop.call_soon, loop.call_soon_threadsafe

        def call_soon(callback, *args, **more):
            return soon(self.wrapped(callback), *args, **more)

        def call_soon_threadsafe(callback, *args, **more):
            if self.untold and is_hop(callback):
                self.untold -= 1
                raise MemoryError
            return safe(self.wrapped(callback), *args, **more)

        loop.call_soon, loop.call_soon_threadsafe = call_soon, call_soon_threadsafe
        yield
        del loop.call_soon, loop.call_soon_threadsafe

    def wrapped(self, callback):
        return functools.partial(self.during, callback) if is_hop(callback) else callback


def is_hop(callback) -> bool:
    return type(callback).__name__ == "Hop"


def sent(kind: leaks.Kind) -> list[bytes]:
    """One request, the last of its connection."""
    if not kind.pipelined:
        return kind.pieces
    return [kind.pieces[0].replace(b"\r\n", b"\r\nConnection: close\r\n", 1)]


def is_whole(came: bytearray) -> bool:
    """An answer with a length, which may be behind interim ones."""
    heads, _, body = bytes(came).rpartition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", heads.rpartition(b"\r\n\r\n")[2])
    return length is not None and len(body) >= int(length[1])


async def ask(server, kind: leaks.Kind) -> bytes:
    """What came of one request."""
    pieces = sent(kind)
    client = leaks.Client(server.server_state.worker, pieces)
    for _ in pieces:
        client.send()
        await asyncio.sleep(0)
    deadline = time.monotonic() + patience.HANGS_S
    turn = 0
    while not (client.ended() or is_whole(client.came)) and (kind.status is not None or turn < kind.turns):
        assert time.monotonic() < deadline, f"{kind.name}: no end of {bytes(client.came)!r}"
        turn += 1
        await asyncio.sleep(0)
    for task in server.server_state.tasks if kind.cancelled else ():
        task.cancel()
    client.socket.close()
    state = server.server_state
    while state.connections or state.tasks:
        assert time.monotonic() < deadline, f"{kind.name}: left {state.connections} {state.tasks}"
        await asyncio.sleep(0)
    return bytes(client.came)


async def one_by_one(server, kind: leaks.Kind, failing: Failing, many: int) -> tuple[int, int]:
    """(how many allocations were made to fail, how many requests were answered as usual)"""
    usual = 0
    for first in range(CALLS_MAX):
        failing.calls, failing.left = 0, (first, many)
        came = await ask(server, kind)
        reached = failing.calls > first
        failing.left = (MANY, 0)
        assert came[:5] in (b"", b"HTTP/"), came
        expected = b"HTTP/1.1 %d " % (kind.status or 0)
        usual += came.startswith(expected)
        if kind.status:
            came = await ask(server, kind)
            assert came.startswith(expected), f"{kind.name}, after {first}: {came!r}"
        if not reached:
            return first, usual
    raise AssertionError(f"{kind.name}: allocations without end")


def told() -> None:
    """Where all tasks are, before the process ends: the loop may have lost what it would
    wait for."""
    traceback.print_exc()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.print_stack()
    os._exit(1)


async def run(app: str, kinds: list[leaks.Kind], at_once: list[int]) -> None:
    server = leaks.server_of(app)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    loop = asyncio.get_running_loop()
    lost: list[str] = []  # of tasks that nobody would ever have stepped

    def on_error(_, context: dict) -> None:
        if getattr(context.get("task"), "_fut_waiter", None) is not None:  # else it never began
            lost.append(str(context))

    loop.set_exception_handler(on_error)
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started:
        await asyncio.sleep(0.001)
    worker = server.server_state.worker
    failing = Failing(worker)
    loop.add_reader(worker.fileno(), failing)
    gc.disable()  # a collection in the midst of it would make the counts differ
    for kind in kinds:
        faulthandler.dump_traceback_later(BLOCKED_S, exit=True)
        for many in at_once:
            print(f"{kind.name:32} {many:2} at a time: ", end="", flush=True)
            with failing.within(loop):
                for _ in range(3):
                    await ask(server, kind)
            failing.untold = 1
            await ask(server, kind)
            failing.untold = 0
            tasks = len(asyncio.all_tasks())
            failed, usual = await one_by_one(server, kind, failing, many)
            print(f"{failed} places, {usual} answered as usual", flush=True)
            deadline = time.monotonic() + patience.HANGS_S
            while len(asyncio.all_tasks()) > tasks + IDLE and time.monotonic() < deadline:
                await asyncio.sleep(0)
            left = len(asyncio.all_tasks()) - tasks
            gc.collect()
            limiter = anyio.to_thread.current_default_thread_limiter()
            assert not limiter.borrowed_tokens, f"{kind.name}: {limiter}"
            assert left <= IDLE and not lost, f"{kind.name}: {left} tasks more, lost {lost}"
    faulthandler.dump_traceback_later(BLOCKED_S, exit=True)
    print(f"the end of {app}", flush=True)
    server.should_exit = True
    await asyncio.wait_for(serving, patience.HANGS_S)


async def run_or_tell(app: str, kinds: list[leaks.Kind], at_once: list[int]) -> None:
    try:
        await run(app, kinds, at_once)
    except Exception:
        told()


def main() -> int:
    sys.unraisablehook = lambda unraisable: None  # that there is no memory is told so
    known = {kind.name: kind for kind in leaks.ALL}
    names = sys.argv[1:]
    at_once = [1] if names[0] == "--singly" else [1, 25]
    kinds = [known[name] for name in names if name != "--singly"]
    for app in dict.fromkeys(kind.app for kind in kinds):
        asyncio.run(run_or_tell(app, [kind for kind in kinds if kind.app == app], at_once))
    faulthandler.cancel_dump_traceback_later()
    return 0


if __name__ == "__main__":
    sys.exit(main())
