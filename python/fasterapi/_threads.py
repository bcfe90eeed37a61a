"""Where compiled routes make their calls of what is no coroutine function: in threads of our
own (_own_threads.py) or, where anyio is not a release whose way of doing it is known
(_compile/_fingerprint.py), as anyio does it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any

import anyio
import anyio.to_thread
from starlette.concurrency import run_in_threadpool

from fasterapi import _core
from fasterapi._compile._fingerprint import check_threads
from fasterapi._compile._reasons import NotCompiled


def make(loop: asyncio.AbstractEventLoop, context: Context) -> _core.Threads | None:
    """The threads of a worker; called in its loop."""
    try:
        check_threads()
    except NotCompiled:
        return None
    from fasterapi import _own_threads

    return _own_threads.make(loop, context)


async def in_thread(call: Callable[..., Any], /, *args: Any, **values: Any) -> Any:
    """What a Run does not do in threads of its own."""
    return await run_in_threadpool(call, *args, **values)


async def at_exit(call: Callable[..., Any], /, *args: Any) -> Any:
    """The same where a dependency is left: FastAPI lets no limit and no scope stop it."""
    with anyio.CancelScope(shield=True):
        return await anyio.to_thread.run_sync(call, *args, limiter=anyio.CapacityLimiter(1))
