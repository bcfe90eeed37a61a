"""Threads for the calls of compiled routes that are no coroutine functions.

They are started as anyio starts its own, and look like them: calls find the limiter,
`anyio.from_thread` and the name of the thread as ever. Only for releases of anyio that are
known: names are imported that others need not have."""

from __future__ import annotations

import asyncio
import sys
import threading
import weakref
from contextvars import Context
from typing import Any

import anyio
import anyio.to_thread
from anyio._backends import _asyncio as backend
from anyio._core import _eventloop
from anyio._core._eventloop import threadlocals
from anyio.lowlevel import _run_vars

from fasterapi import _core

# Those that are to end with the interpreter, if nobody has closed their worker.
_started: weakref.WeakSet[WorkerThread] = weakref.WeakSet()


class WorkerThread(backend.WorkerThread):
    """By name and type what anyio would run a call in."""

    def __init__(self, pool: _core.Threads, loop: asyncio.AbstractEventLoop) -> None:
        options: dict[str, Any] = {"context": Context()} if sys.version_info >= (3, 14) else {}
        threading.Thread.__init__(self, name="AnyIO worker thread", **options)
        self.pool = pool
        self.loop = loop

    def run(self) -> None:
        works = False
        try:
            with _eventloop.claim_worker_thread(backend.AsyncIOBackend, self.loop):
                # No scope further out: a call within one is left to anyio.
                threadlocals.current_cancel_scope = None
                works = True
                self.pool.work()
        finally:
            if not works:  # no memory
                self.pool.failed()


def _stop_all() -> None:
    for thread in list(_started):
        thread.pool.stop()


threading._register_atexit(_stop_all)  # type: ignore[attr-defined]


def _is_scoped(task: asyncio.Task[Any]) -> bool:
    state = backend._task_states.get(task)
    return state is not None and state.cancel_scope is not None


def make(loop: asyncio.AbstractEventLoop, context: Context) -> _core.Threads:
    """Those of a worker; called in its loop."""
    anyio.to_thread.current_default_thread_limiter()  # now `variables` has it
    sniffio = _eventloop.sniffio

    def start(pool: _core.Threads) -> None:
        thread = WorkerThread(pool, loop)
        _started.add(thread)
        thread.start()

    return _core.Threads(
        loop=loop,
        context=context,
        variables=_run_vars[loop],
        variable=backend._default_thread_limiter,
        limiter_type=backend.CapacityLimiter,
        would_block=anyio.WouldBlock,
        scoped=_is_scoped,
        library=None if sniffio is None else sniffio.current_async_library_cvar,
        start=start,
    )
