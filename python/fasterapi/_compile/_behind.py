"""Plans behind an application's own middleware.

The middleware stays as it is and runs as ever. What it leads to in the end, the
ExceptionMiddleware of the application, gets a Dispatcher in the place of what it calls:
that finds a plan by the scope as the middleware has left it, or calls what was there."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack
from contextvars import ContextVar
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import ASGIApp

from fasterapi import _core
from fasterapi._compile._extract import LEFT, answer_error
from fasterapi._compile._select import Select, exceptions_of

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

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
    bound: bool  # the plan does more than call `handle`


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

    def asgi(self) -> tuple[Message, Receive, Send]:
        return self.scope, self.receive, self.send

    def body(self) -> bytes:
        return self.body_bytes

    def prepare(self, result: Any) -> Any:
        return self.table.body(self.entry.plan, result, self)

    def answer(self, response: Any) -> bool:
        return False  # it is to be called: what it sends is for the middleware to see

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
        await self.send_on(message)

    async def respond(self, body: bytes, status: Any = None, headers: Any = ()) -> None:
        fields = [
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
            *headers,
        ]
        status = self.entry.status if status is None else status
        self.started = True
        await self.send_on({"type": "http.response.start", "status": status, "headers": fields})
        await self.send_on({"type": "http.response.body", "body": body})


class _Replay:
    """receive() for somebody else, after messages that have been received already; the last
    may be an exception, which is raised once more."""

    def __init__(self, received: list[Any], receive: Receive) -> None:
        self.received = received
        self.receive = receive

    async def __call__(self) -> Message:
        if not self.received:
            return await self.receive()
        message: Any = self.received.pop(0)
        if isinstance(message, Exception):
            raise message
        found: Message = message
        return found


async def _read(receive: Receive) -> tuple[list[Any], bytes | None]:
    """All messages of a body, and the body; None if it does not come to its end."""
    received: list[Any] = []
    while True:
        try:
            message = await receive()
        except Exception as error:
            received.append(error)
            return received, None
        received.append(message)
        if message["type"] != "http.request":
            return received, None
        if not message.get("more_body", False):
            return received, b"".join(part.get("body", b"") for part in received)


class Dispatcher:
    """`app` is what the middleware led to before."""

    def __init__(self, app: ASGIApp, table: _core.PlanTable, entries: list[Entry]) -> None:
        self.app = app
        self.table = table
        self.entries = {entry.plan: entry for entry in entries}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        found = None if by_application.get() else self.table.find(scope)
        if found is None:
            await self.app(scope, receive, send)
            return
        plan, captures = found
        entry = self.entries[plan]
        body, replay = b"", receive
        if entry.reads_body:
            received, whole = await _read(receive)
            replay = _Replay(received, receive)
            if whole is None:
                await self.app(scope, replay, send)
                return
            body = whole
        if entry.bound:
            values = self.table.bind(plan, scope, captures, body)
        else:
            values = self.table.direct(plan)
        if values is None:
            await self._direct(entry, scope, replay, send)
            return
        entry.select(scope)
        run = _Run(self.table, entry, scope, receive, send, body)
        failure = None
        try:
            await self._run(run, values)
        except Exception as error:
            failure = error
        if failure is not None:
            try:
                if scope.pop(LEFT, False):
                    raise failure
                await answer_error(run, Request(scope, receive, send), failure)
            finally:
                scope.pop(LEFT, None)
                del failure  # its traceback has this frame

    async def _run(self, run: _Run, values: tuple[Any, ...]) -> None:
        entry, scope = run.entry, run.scope
        for name in ("middleware", "inner", "function"):
            scope[f"fastapi_{name}_astack"] = AsyncExitStack()
        called = self.table.call(entry.plan, values, run)
        if entry.runs:
            await called
            return
        answer = self.table.body(entry.plan, await called, run)
        if type(answer) is bytes:
            await run.respond(answer)
        else:
            await answer(*run.asgi())

    async def _direct(self, entry: Entry, scope: Any, receive: Any, send: Any) -> None:
        entry.select(scope)
        async with AsyncExitStack() as files:
            scope["fastapi_middleware_astack"] = files
            await entry.handle(scope, receive, send)


def install(app: FastAPI, table: _core.PlanTable, entries: list[Entry]) -> None:
    """Once for each application; later tables take the place of earlier ones."""
    exceptions = exceptions_of(app)
    below = exceptions.app
    exceptions.app = Dispatcher(
        below.app if type(below) is Dispatcher else below, table, entries
    )
