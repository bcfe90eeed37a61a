#!/usr/bin/env python3
"""A thread for the calls of plans fails to start, in each way once: the request ends, and those
after it are answered.

    LD_PRELOAD=failing_malloc.so no_threads.py
"""

import asyncio
import contextlib
import socket
import sys
import threading
from unittest import mock

import leaks
import no_memory
import patience
from fasterapi import _own_threads

THREAD = _own_threads.WorkerThread


def failing_start(started: bool):
    """Thread.start() that has no memory, before or after there is a thread."""

    def start(thread: THREAD) -> None:
        if started:
            threading.Thread.start(thread)
        raise MemoryError

    return mock.patch.object(THREAD, "start", start)


@contextlib.contextmanager
def failing_claim():
    """A thread that has no memory for what it does first."""
    real, failed = _own_threads._eventloop.claim_worker_thread, []

    def claim(*args):
        if failed:
            return real(*args)
        failed.append(True)
        raise MemoryError

    with mock.patch.object(_own_threads._eventloop, "claim_worker_thread", claim):
        yield
    assert failed


WAYS = {
    "no thread": lambda: failing_start(False),
    "a thread all the same": lambda: failing_start(True),
    "ends at once": failing_claim,
}


async def run(way: str, kind: leaks.Kind) -> None:
    server = leaks.server_of(kind.app)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started:
        await asyncio.sleep(0.001)
    with WAYS[way]():
        came = await no_memory.ask(server, kind)
        assert came[:9] == b"HTTP/1.1 ", (way, came)
    for _ in range(3):
        came = await no_memory.ask(server, kind)
        assert came.startswith(b"HTTP/1.1 200 "), (way, came)
    server.should_exit = True
    await asyncio.wait_for(serving, patience.HANGS_S)
    print(f"{way}: the end", flush=True)


def main() -> int:
    threading.excepthook = lambda _: None
    (kind,) = [kind for kind in leaks.ALL if kind.name == "plan /def"]
    for way in WAYS:
        asyncio.run(run(way, kind))
    return 0


if __name__ == "__main__":
    sys.exit(main())
