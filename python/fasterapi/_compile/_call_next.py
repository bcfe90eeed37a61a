"""BaseHTTPMiddleware of Starlette, and with it @app.middleware("http"), without most of its cost.

What it calls still runs in a task and a context of its own, and each message waits there until
it is taken, so that everything happens in the same order. But there is no task group: a scope of
anyio in that task has the same say over it. And where a plan gives the answer, and nothing is to
be done after it, the task does not wait for its answer to be sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import anyio
from fastapi.applications import FastAPI
from starlette._exception_handler import wrap_app_handling_exceptions
from starlette.middleware import base
from starlette.middleware.base import BaseHTTPMiddleware, _CachedRequest, _StreamingResponse
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response

from fasterapi._compile._behind import Answer, Dispatcher
from fasterapi._compile._fingerprint import is_known
from fasterapi._compile._streams import Event, Stream

_DISCONNECT = "http.disconnect"


class _Exchange:
    """One request of a BaseHTTPMiddleware."""

    __slots__ = (
        *("_sent", "below", "ended", "error", "raised", "receive_on", "running", "scope"),
        *("scopes", "send_on", "stream", "tasks"),
    )

    def __init__(self, below: Any, scope: Any, receive: Any, send: Any) -> None:
        self.below = below  # what is called next
        self.scope = scope
        self.receive_on = receive
        self.send_on = send
        self.stream = Stream()
        self.error: Exception | None = None  # what it has raised
        self.raised = False  # to the function, already
        self.running = 0
        self.scopes: list[anyio.CancelScope] = []  # of what was called
        self.tasks: list[asyncio.Task[None] | None] = []  # of the same
        self.ended: asyncio.Future[None] | None = None
        self._sent: Event | None = None

    @property
    def sent(self) -> Event:
        """The answer has gone out."""
        if self._sent is None:
            self._sent = Event()
        return self._sent

    # ---- what runs in the other task ----

    async def run(self, scope: anyio.CancelScope) -> None:
        try:
            with scope:
                try:
                    await self._serve()
                except Exception as error:
                    self.error = error
                    self.stream.close_sending()
        except BaseException:
            self.stream.close_sending()
            raise
        finally:
            self.running -= 1
            if not self.running and self.ended is not None and not self.ended.done():
                self.ended.set_result(None)

    async def _serve(self) -> None:
        below = self.below
        dispatcher = below.app if type(below) is ExceptionMiddleware else None
        if type(dispatcher) is not Dispatcher:
            await below(self.scope, self.receive, self.send)
            self.stream.close_sending()
            return
        scope = self.scope
        scope["starlette.exception_handlers"] = (
            below._exception_handlers,
            below._status_handlers,
        )
        found = await dispatcher.outcome(scope, self.receive)
        if isinstance(found, Answer) and self.running == 1:
            await asyncio.sleep(0)  # send() would
            self._leave(found)
            return
        if isinstance(found, Answer):
            await self.send(found.start)
            await self.send(found.end)
        else:
            conn = Request(scope, self.receive, self.send)
            await wrap_app_handling_exceptions(found, conn)(scope, self.receive, self.send)
        self.stream.close_sending()

    def _leave(self, answer: Answer) -> None:
        """The stream stays open: the task would wait until the answer has gone out."""
        try:
            self.stream.leave(answer.start)
            self.stream.leave(answer.end)
        except anyio.BrokenResourceError:
            return

    async def receive(self) -> Any:
        if self.sent.is_set():
            return {"type": _DISCONNECT}
        async with anyio.create_task_group() as group:

            async def first(wait: Any) -> Any:
                result = await wait()
                group.cancel_scope.cancel()
                return result

            group.start_soon(first, self.sent.wait)
            message = await first(self.receive_on)
        return {"type": _DISCONNECT} if self.sent.is_set() else message

    async def send(self, message: Any) -> None:
        try:
            await self.stream.send(message)
        except anyio.BrokenResourceError:
            return
        last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if last or message["type"] == "http.response.pathsend":
            await self.sent.wait()

    # ---- what the function has ----

    async def call_next(self, request: Request) -> Response:
        if not self.stream.receiving:
            raise RuntimeError("This task group is not active; no new tasks can be started.")
        scope = anyio.CancelScope()
        number = len(self.tasks)
        self.tasks.append(None)
        self.scopes.append(scope)
        below = self.run(scope)
        self.running += 1  # before it begins, which may be at once
        try:
            self.tasks[number] = asyncio.get_running_loop().create_task(below)
        except BaseException:  # no memory: nobody is to wait for it
            self.running -= 1
            below.close()
            raise
        try:
            info = None
            while True:
                message = await self.stream.receive()
                if message["type"] == "http.response.debug":
                    info = message["info"]
                elif message["type"] == "http.response.early_hint":
                    await self.send_on(message)
                else:
                    break
        except anyio.EndOfStream:
            if self.error is not None:
                self.raised = True
                raise self.error from self.error.__cause__ or self.error.__context__
            raise RuntimeError("No response returned.")  # noqa: B904 - as Starlette
        assert message["type"] == "http.response.start"
        response = _StreamingResponse(
            status_code=message["status"], content=self.body(), info=info
        )
        response.raw_headers = message.get("headers", [])
        return response

    async def body(self) -> AsyncIterator[Any]:
        while True:
            try:
                message = await self.stream.receive()
            except anyio.EndOfStream:
                return
            if message["type"] == "http.response.pathsend":
                yield message
                return
            assert message["type"] == "http.response.body", f"Unexpected message: {message}"
            body = message.get("body", b"")
            if body:
                yield body
            if not message.get("more_body", False):
                return

    # ---- the end ----

    async def wait(self) -> None:
        """Until what was called has ended."""
        cancelled: BaseException | None = None
        while self.running:
            if cancelled is not None:
                self._cancel()
            try:
                await self._end()
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    async def give_up(self) -> None:
        """The same, but it is cancelled, and so may be who waits: there is something else to
        be raised already. As long as a task group needs for it, at the least."""
        turns = 2 if self.scopes else 1
        while self.running or turns > 0:
            turns -= 1
            self._cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await (self._end() if self.running else asyncio.sleep(0))

    def _cancel(self) -> None:
        for scope in self.scopes:
            scope.cancel()

    async def _end(self) -> None:
        self.ended = asyncio.get_running_loop().create_future()
        await self.ended


class CallNext:
    """Stands before a BaseHTTPMiddleware, which is its `app`, and does what that would do."""

    def __init__(self, app: BaseHTTPMiddleware, states: Any) -> None:
        self.app = app
        self.states = states  # of tasks, by anyio: those that are in one of its scopes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        layer = self.app
        if scope["type"] != "http" or asyncio.current_task() in self.states:
            await layer(scope, receive, send)
            return
        request = _CachedRequest(scope, receive, send)
        exchange = _Exchange(layer.app, scope, request.wrapped_receive, send)
        try:
            response = await layer.dispatch_func(request, exchange.call_next)
            await response(scope, request.wrapped_receive, send)
        except BaseException as error:
            await exchange.give_up()
            if isinstance(error, asyncio.CancelledError):
                raise
            raise error from error.__cause__ or (
                None if error.__suppress_context__ else error.__context__
            )
        finally:
            exchange.stream.close_receiving()
        if exchange.running:
            exchange.sent.set()
        await exchange.wait()
        if exchange.error is not None and not exchange.raised:
            raise exchange.error


def shorten(app: FastAPI, stack: Any) -> None:
    """Puts one before each BaseHTTPMiddleware in the `stack` of `app` that is called by what has
    it as its `app`."""
    try:
        from anyio._backends._asyncio import _task_states as states
    except ImportError:  # another anyio, whose tasks cannot be told apart
        return
    if not is_known(base, "BaseHTTPMiddleware.__call__"):
        return
    above: Any = stack
    while (layer := getattr(above, "app", None)) is not None and layer is not app.router:
        own = getattr(type(layer), "__call__", None) is BaseHTTPMiddleware.__call__
        if own and type(above) is not CallNext:
            above.app = CallNext(layer, states)
        above = layer
