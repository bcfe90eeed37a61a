"""Plans behind an application's own middleware.

The middleware stays as it is and runs as ever. What it leads to in the end, the
ExceptionMiddleware of the application, gets a Dispatcher in the place of what it calls:
that finds a plan by the scope as the middleware has left it, or calls what was there."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack
from contextvars import ContextVar
from typing import Any

from fastapi.applications import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp

from fasterapi import _core
from fasterapi._compile._extract import LEFT, answer_error, swallow
from fasterapi._compile._limits import read_so_far, set_read_so_far
from fasterapi._compile._releases import body_limit_error_of
from fasterapi._compile._select import Select, exceptions_of

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Found = tuple[_core.Plan, tuple[bytes, ...]]  # a plan, and what its path has captured

# Set in the context of requests that no plan may answer.
by_application: ContextVar[bool] = ContextVar("fasterapi_by_application", default=False)


@dataclasses.dataclass(frozen=True)
class Entry:
    """What there is to know of a plan besides what the core does."""

    plan: _core.Plan
    select: Select
    handle: ASGIApp  # the route itself, as FastAPI made it
    status: int
    runs: bool  # the plan's endpoint answers by itself
    reads_body: bool
    reject: Callable[..., Any] | None  # None: all that the plan does is to call `handle`
    limited: bool  # by the route or its router, which hand on their errors by themselves


class _Run:
    """What runners are given here in the place of a _core.Run."""

    __slots__ = ("body_bytes", "entry", "receive", "scope", "send_on", "started", "table")

    def __init__(
        self,
        table: _core.PlanTable,
        entry: Entry,
        scope: Message,
        receive: Receive,
        send: Send,
        body: bytes,
    ) -> None:
        self.table = table
        self.entry = entry
        self.scope = scope
        self.receive = receive
        self.send_on = send
        self.body_bytes = body
        self.started = False

    @property
    def method(self) -> str:
        method: str = self.scope["method"]
        return method

    @property
    def root_path(self) -> str:
        root_path: str = self.scope.get("root_path", "")
        return root_path

    def asgi(self) -> tuple[Message, Receive, Send]:
        return self.scope, self.receive, self.send

    def body(self) -> bytes:
        return self.body_bytes

    def prepare(self, result: Any) -> Any:
        return self.table.body(self.entry.plan, result, self)

    def thread(self, call: Callable[..., Any], /, *args: Any, **values: Any) -> Awaitable[Any]:
        """By anyio: the tasks are not ours, and may be within its scopes."""
        return run_in_threadpool(call, *args, **values)

    thread_later = thread

    def answer(self, response: Any) -> bool:
        return False  # it is to be called: what it sends is for the middleware to see

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
        await self.send_on(message)

    def messages(self, body: bytes, status: Any = None, headers: Any = ()) -> list[Message]:
        fields = [
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
            *headers,
        ]
        status = self.entry.status if status is None else status
        return [
            {"type": "http.response.start", "status": status, "headers": fields},
            {"type": "http.response.body", "body": body},
        ]

    async def respond(self, body: bytes, status: Any = None, headers: Any = ()) -> None:
        start, end = self.messages(body, status, headers)
        self.started = True
        await self.send_on(start)
        await self.send_on(end)


class _Replay:
    """receive() for somebody else, after messages that have been received already; the last
    may be an exception, which is raised once more. Limits of the body count anew."""

    def __init__(self, scope: Message, receive: Receive) -> None:
        self.scope = scope
        self.receive = receive
        self.received: list[tuple[Any, int]] = []  # with what a limit had seen by then
        self.seen = read_so_far(scope)

    def note(self, message: Any) -> None:
        self.received.append((message, read_so_far(self.scope)))

    def rewind(self) -> None:
        set_read_so_far(self.scope, self.seen)

    async def __call__(self) -> Message:
        if not self.received:
            return await self.receive()
        message, seen = self.received.pop(0)
        set_read_so_far(self.scope, seen)
        if isinstance(message, Exception):
            raise message
        found: Message = message
        return found


async def _read(scope: Message, receive: Receive) -> tuple[bytes | None, _Replay]:
    """The body, or None if it does not come to its end; and receive() for who reads it again."""
    replay = _Replay(scope, receive)
    while True:
        try:
            message = await receive()
        except Exception as error:
            replay.note(error)
            break
        replay.note(message)
        if message["type"] != "http.request":
            break
        if not message.get("more_body", False):
            return b"".join(part.get("body", b"") for part, _ in replay.received), replay
    replay.rewind()
    return None, replay


def _with(receive: Receive, app: ASGIApp) -> ASGIApp:
    """`app` with another `receive`."""

    async def called(scope: Any, _: Any, send: Any) -> None:
        await app(scope, receive, send)

    return called


def _handing_on(app: ASGIApp) -> ASGIApp:
    """As what limits bodies does it: its errors, raised in a group of tasks, leave it alone."""

    async def called(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        except ExceptionGroup as group:
            error = body_limit_error_of(scope, group)
            if error is not None:
                raise error from group
            raise

    return called


def _put_stacks(scope: Any) -> None:
    scope["fastapi_middleware_astack"] = AsyncExitStack()
    scope["fastapi_inner_astack"] = AsyncExitStack()
    scope["fastapi_function_astack"] = AsyncExitStack()


@dataclasses.dataclass(frozen=True)
class Answer:
    """All there is to an answer, and nothing is to be done after it."""

    start: Message
    end: Message


class Dispatcher:
    """`app` is what the middleware led to before."""

    def __init__(self, app: ASGIApp, table: _core.PlanTable, entries: list[Entry]) -> None:
        self.app = app
        self.table = table
        self.entries = {entry.plan: entry for entry in entries}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        found = self.find(scope)
        if found is None:
            await self.app(scope, receive, send)
        elif self.entries[found[0]].limited:
            await _handing_on(functools.partial(self._serve, found))(scope, receive, send)
        else:
            await self._serve(found, scope, receive, send)

    def find(self, scope: Any) -> Found | None:
        return None if by_application.get() else self.table.find(scope)

    async def outcome(self, scope: Any, receive: Any) -> Answer | ASGIApp:
        """The answer, if a plan has it; else what is to be called for it."""
        found = self.find(scope)
        if found is None:
            return self.app
        entry = self.entries[found[0]]
        result = await self._outcome(found, entry, scope, receive)
        if isinstance(result, Answer) or not entry.limited:
            return result
        return _handing_on(result)

    async def _outcome(
        self, found: Found, entry: Entry, scope: Any, receive: Any
    ) -> Answer | ASGIApp:
        if entry.runs:
            return functools.partial(self._serve, found)
        body, replay = await _read(scope, receive) if entry.reads_body else (b"", receive)
        if body is None:
            return _with(replay, self.app)
        bound = self._bind(found, scope, body)
        if bound is None:
            return _with(replay, functools.partial(self._direct, entry))
        entry.select(scope)
        run = _Run(self.table, entry, scope, receive, swallow, body)
        failure, answer = None, None
        try:
            answer = await self._called(run, *bound)
        except Exception as error:
            failure = error
        if type(answer) is bytes:
            return Answer(*run.messages(answer))

        async def go_on(scope: Any, receive: Any, send: Any) -> None:
            run.send_on = send
            await self._end(run, answer, failure)

        return go_on

    async def _serve(self, found: Found, scope: Any, receive: Any, send: Any) -> None:
        entry = self.entries[found[0]]
        body, replay = await _read(scope, receive) if entry.reads_body else (b"", receive)
        if body is None:
            await self.app(scope, replay, send)
            return
        bound = self._bind(found, scope, body)
        if bound is None:
            await self._direct(entry, scope, replay, send)
            return
        entry.select(scope)
        run = _Run(self.table, entry, scope, receive, send, body)
        failure, answer = None, None
        try:
            if entry.runs or len(bound) > 1:
                answer = await self._called(run, *bound)
            else:  # the usual, with as few coroutines as there can be
                _put_stacks(scope)
                called = self.table.call(entry.plan, bound[0], run)
                answer = self.table.body(entry.plan, await called, run)
                del called
                if type(answer) is bytes:
                    start, end = run.messages(answer)
                    answer, run.started = None, True
                    await send(start)
                    await send(end)
        except Exception as error:
            failure = error
        if failure is None and answer is None:
            return
        try:
            await self._end(run, answer, failure)
        finally:
            del failure  # its traceback has this frame

    def _bind(self, found: Found, scope: Any, body: bytes) -> tuple[Any, ...] | None:
        """The values, and the body if there are faults among them."""
        plan, captures = found
        if self.entries[plan].reject is not None:
            return self.table.bind(plan, scope, captures, body)
        return self.table.direct(plan)

    async def _called(self, run: _Run, values: tuple[Any, ...], *read: Any) -> Any:
        """The body, or what is an answer itself; None if the endpoint has answered."""
        entry, scope = run.entry, run.scope
        _put_stacks(scope)
        if read and entry.reject is not None:
            await entry.reject(run, *read, *values)
            return None
        called = self.table.call(entry.plan, values, run)
        if entry.runs:
            await called
            return None
        return self.table.body(entry.plan, await called, run)

    async def _end(self, run: _Run, answer: Any, failure: Exception | None) -> None:
        try:
            if failure is None and type(answer) is bytes:
                await run.respond(answer)
            elif failure is None and answer is not None:
                await answer(*run.asgi())
        except Exception as error:
            failure = error
        if failure is not None:
            try:
                if run.scope.pop(LEFT, False):
                    raise failure
                request = Request(*run.asgi())
                if run.entry.reads_body:
                    request._body = run.body()
                await answer_error(run, request, failure)
            finally:
                run.scope.pop(LEFT, None)
                del failure  # its traceback has this frame

    async def _direct(self, entry: Entry, scope: Any, receive: Any, send: Any) -> None:
        entry.select(scope)
        async with AsyncExitStack() as files:
            scope["fastapi_middleware_astack"] = files
            await entry.handle(scope, receive, send)


def install(
    app: FastAPI, stack: Any, table: _core.PlanTable, entries: list[Entry]
) -> None:
    """Once for each application, whose built middleware is `stack`; later tables take the place
    of earlier ones."""
    exceptions = exceptions_of(app, stack)
    below = exceptions.app
    exceptions.app = Dispatcher(
        below.app if type(below) is Dispatcher else below, table, entries
    )
