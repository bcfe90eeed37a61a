#!/usr/bin/env python3
"""What stays behind of requests: nothing may.

    leaks.py [--requests N] [--loop uvloop] [KIND...]

Serves each kind of request N times (default 20000) within this process, over socket pairs,
and tells by how much there is more afterwards than after a tenth of it: resident memory,
memory in use (malloc's and the interpreter's), objects, descriptors, tasks. Exits with 1 if
anything has grown. PYTHONPATH must have the package: build-python-3.11/site.
"""

import argparse
import asyncio
import collections
import contextlib
import ctypes
import dataclasses
import gc
import os
import pathlib
import socket
import sys
import threading
import time

import fasterapi
from fasterapi import _core

TESTS = pathlib.Path(__file__).resolve().parent.parent.parent
PLACES = (TESTS, TESTS / "property", TESTS / "python" / "apps", TESTS / "python" / "support")
sys.path += map(str, PLACES)
from leak_kinds import KINDS, PLANTED, Kind  # noqa: E402
from leak_kinds_plans import PLANS  # noqa: E402

AT_ONCE = 32  # connections
LATE = 4 * AT_ONCE  # requests that are answered and still run something
ATTEMPTS = 3
THREADS = 40  # the limit of anyio
TURNS_MAX = 100_000  # of the loop, until a round must be over

# What may grow without anything being lost: blocks by what caches hold for the moment, pages
# by how the allocator fits things in.
BLOCKS = 60
BYTES = 16 * 1024
RESIDENT = 1024 * 1024
# Growth per request that is never noise, however many there were.
PER_REQUEST = 0.02

ALL = [*KINDS, *PLANS]


class Malloc(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks".split()] + [
        (name, ctypes.c_size_t) for name in "hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    ]


mallinfo = ctypes.CDLL(None).mallinfo2
mallinfo.restype = Malloc


@dataclasses.dataclass
class State:
    resident: int
    allocated: int  # bytes, by malloc
    blocks: int  # of the interpreter's allocator
    references: int  # 0 where the interpreter does not count them
    descriptors: int
    tasks: int
    threads: int
    types: collections.Counter


def state() -> State:
    gc.collect()
    gc.collect()  # what the first one has found may have let go of more
    types = collections.Counter(type(o).__name__ for o in gc.get_objects())
    now = mallinfo()
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return State(
        pages * os.sysconf("SC_PAGE_SIZE"),
        now.uordblks + now.hblkhd,
        sys.getallocatedblocks(),
        getattr(sys, "gettotalrefcount", lambda: 0)(),
        len(os.listdir("/proc/self/fd")),
        len(asyncio.all_tasks()),
        threading.active_count(),
        types,
    )


def closes(task: asyncio.Task) -> bool:
    """Whether it ends a generator that nobody had any more, as the loop does."""
    return type(task.get_coro()).__name__ == "async_generator_athrow"


async def state_at_rest() -> State:
    """Once no thread is in a call that has been given up, and the generators that the garbage
    collector has found have ended. Timers that were cancelled, which asyncio keeps with their
    contexts until they are more than half of a hundred, are gone."""
    loop = asyncio.get_running_loop()
    for timer in [loop.call_later(3600, print) for _ in range(300)]:
        timer.cancel()
    for _ in range(1000):
        await asyncio.sleep(0)
        found = state()
        if not found.types["Hop"] and not any(map(closes, asyncio.all_tasks())):
            break
        await asyncio.sleep(0.001)
    return found


class Client:
    """One connection of a round."""

    def __init__(self, worker, sent: list[bytes]) -> None:
        self.left = sent[::-1]
        self.came = bytearray()
        mine, other = socket.socketpair()
        worker.adopt(other)
        other.detach()
        mine.setblocking(False)
        self.socket = mine

    def send(self) -> None:
        if self.left:
            try:
                self.socket.send(self.left.pop())
            except ConnectionError:
                self.left.clear()  # refused; the answer may be there

    def ended(self) -> bool:
        """Whether the server has closed."""
        try:
            while piece := self.socket.recv(1 << 18):
                self.came += piece
        except BlockingIOError:
            return False
        except ConnectionError:
            pass
        return True


def runs(task: asyncio.Task) -> bool:
    """Whether it is one of ours, and a request's coroutine has not ended in it."""
    inner = task.get_coro()
    return isinstance(inner, _core.Carrier) and inner.cr_await is not None


async def settled(server) -> None:
    """No request runs any more, behind its answer neither."""
    for _ in range(TURNS_MAX):
        if not server.server_state.tasks and not any(map(runs, asyncio.all_tasks())):
            return
        await asyncio.sleep(0)
    raise AssertionError("requests are left")


async def round_of(server, kind: Kind, connections: int) -> None:
    worker = server.server_state.worker
    clients = [Client(worker, kind.sent()) for _ in range(connections)]
    for _ in kind.sent():
        for client in clients:
            client.send()
        await asyncio.sleep(0)
    if kind.status is None:
        for _ in range(kind.turns):
            await asyncio.sleep(0)
        for task in server.server_state.tasks if kind.cancelled else ():
            task.cancel()
        for client in clients:
            client.socket.close()
        await settled(server)
    else:
        waiting = clients
        for _ in range(TURNS_MAX):
            waiting = [client for client in waiting if not client.ended()]
            if not waiting:
                break
            await asyncio.sleep(0)
        assert not waiting, f"{kind.name}: no end of {bytes(waiting[0].came)!r}"
        for client in clients:
            came = client.came.count(b"HTTP/1.1 %d " % kind.status)
            assert came == (kind.requests if kind.status else 0), f"{kind.name}: {bytes(client.came)!r}"
            client.socket.close()
    for _ in range(TURNS_MAX):
        if not worker.connections:
            break
        await asyncio.sleep(0)
    assert not worker.connections, f"{kind.name}: connections are left"


async def serve(kind: Kind, count: int, server) -> None:
    left = -(-count // kind.requests)
    while left > 0:
        connections = min(left, AT_ONCE)
        await round_of(server, kind, connections)
        left -= connections
        if len(server.server_state.tasks) > LATE:
            await settled(server)
    await settled(server)


def grown(before: State, after: State, count: int) -> list[str]:
    """What has, by more than what is no leak."""
    found = []
    for name, slack in (
        ("descriptors", 0),
        ("tasks", 0),
        ("blocks", max(BLOCKS, count * PER_REQUEST)),
        ("references", max(BLOCKS, count * PER_REQUEST)),
        ("allocated", max(BYTES, count * PER_REQUEST * 16)),
        ("resident", max(RESIDENT, count * PER_REQUEST * 16)),
    ):
        more = getattr(after, name) - getattr(before, name)
        if more > slack:
            found.append(f"{name} +{more}")
    for name, more in (after.types - before.types).items():
        if more > max(BLOCKS, count * PER_REQUEST):
            found.append(f"{name} objects +{more}")
    return found


def server_of(app: str) -> fasterapi.Server:
    config = fasterapi.Config(
        app,
        engine="asgi" if app == "leak_apps:app" else "auto",
        lifespan="off",
        log_level="critical",
        pathsend="on",
        early_hints=True,
        trailers=True,
        zerocopysend=True,
    )
    return fasterapi.Server(config)


async def measure(kind: Kind, count: int, server) -> tuple[State, State, list[str]]:
    """The states before and after so many requests, and what has grown. What is filled once,
    pools and buffers, does not grow a second time: then there are as many requests more.
    Threads are started one at a time, when all others are busy: an attempt with a new one is
    not counted, for THREADS of them."""
    await serve(kind, max(count // 10, 256), server)
    await settled(server)
    like_before = await state_at_rest()  # takes as much room as that will later
    before = await state_at_rest()
    del like_before
    attempts, started = 0, 0
    while True:
        await serve(kind, count, server)
        await settled(server)
        after = await state_at_rest()
        found = grown(before, after, count)
        if after.threads > before.threads and started < THREADS:
            started += 1
        else:
            attempts += 1
        if not found or attempts == ATTEMPTS:
            return before, after, found
        before = after


def told(kind: Kind, count: int, seconds: float, before: State, after: State) -> str:
    return (
        f"{kind.name:32} {count:8} {seconds:6.1f} s  resident {after.resident // 1024} KiB "
        f"{(after.resident - before.resident) // 1024:+} KiB  malloc "
        f"{after.allocated - before.allocated:+}  blocks {after.blocks - before.blocks:+}  "
        f"objects {after.types.total() - before.types.total():+}  "
        f"descriptors {after.descriptors - before.descriptors:+}"
    )


async def run(app: str, kinds: list[Kind], count: int) -> int:
    """How many have grown; one line each."""
    server = server_of(app)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started:
        await asyncio.sleep(0.001)
    gc.collect()
    gc.freeze()  # what was imported need not be looked through each time
    failed = 0
    for kind in kinds:
        began = time.monotonic()
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            before, after, found = await measure(kind, count, server)
        line = told(kind, count, time.monotonic() - began, before, after)
        print(line, *(["GROWN:", ", ".join(found)] if found else []), flush=True)
        failed += bool(found)
    tiers = server.server_state.tiers
    print(f"{app} by tier: {', '.join(f'{count} {tier}' for tier, count in tiers.items())}")
    server.should_exit = True
    await serving
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(k.name for k in ALL)}")
    options = parser.parse_args()
    known = {kind.name: kind for kind in [*ALL, *PLANTED]}
    kinds = [known[name] for name in options.kinds] or ALL
    factory = None
    if options.loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    failed = 0
    for app in dict.fromkeys(kind.app for kind in kinds):
        with asyncio.Runner(loop_factory=factory) as runner:
            mine = [kind for kind in kinds if kind.app == app]
            failed += runner.run(run(app, mine, options.requests))
    print(f"{len(kinds)} kinds, {failed} grown")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
