"""Dependencies with yield, where nobody but FastAPI sees the stacks that it keeps them in.

A runner enters each generator by itself, and keeps a list of what is to be left. As long as
all goes well, leaving is a step of each generator; at the first exception an AsyncExitStack
takes over what is left of the list. The cancel scope that FastAPI shields the exits with is
left out: it stands against scopes further out, and a task of ours has none."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    _AsyncGeneratorContextManager,
    asynccontextmanager,
    contextmanager,
)
from typing import Any


class Entered(_AsyncGeneratorContextManager[Any]):
    """An asynchronous generator that has yielded: what asynccontextmanager() makes, once it
    is entered."""

    def __init__(self, gen: Any) -> None:
        self.gen = gen


@asynccontextmanager
async def _in_thread(
    thread: Callable[..., Any], run: Any, inner: AbstractContextManager[Any]
) -> AsyncGenerator[Any, None]:
    """contextmanager_in_threadpool() of FastAPI, with the threads of `run`."""
    value = await thread(inner.__enter__)
    try:
        yield value
    except BaseException as error:
        ok = bool(
            await run.thread_exit(inner.__exit__, type(error), error, error.__traceback__)
        )
        if not ok:
            raise
    else:
        await run.thread_exit(inner.__exit__, None, None, None)


def in_thread(call: Callable[..., Any]) -> Callable[..., Any]:
    """in_thread(call)(thread, run, **values) makes the context manager of a generator that
    is run in threads, the first step by `thread`."""
    make = contextmanager(call)

    def manager(thread: Callable[..., Any], run: Any, /, **values: Any) -> Any:
        return _in_thread(thread, run, make(**values))

    return manager


async def leave_with(entered: list[Any], error: BaseException) -> bool:
    """Leaves all, the last one first, because of `error`: whether somebody has kept it."""
    stack = AsyncExitStack()
    for manager in entered:
        stack.push_async_exit(manager)
    entered.clear()
    return bool(await stack.__aexit__(type(error), error, error.__traceback__))


async def leave(entered: list[Any]) -> None:
    while entered:
        manager = entered.pop()
        try:
            await manager.__aexit__(None, None, None)
        except BaseException as error:
            if not await leave_with(entered, error):
                raise
