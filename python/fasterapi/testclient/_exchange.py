"""One connection of a test client, as its event loop sees it: a worker of the engine with
one end of a socket pair, and the application behind it.

The engine parses the request, makes the scope and writes the answer. An Exchange stands
between it and the application, for what a socket cannot carry: the addresses and the
scheme that the test chose, exceptions, debugging information, and the pace at which the
test takes the answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import Future
from typing import Any

import anyio

from fasterapi import _core
from fasterapi.testclient._counters import counters

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Exchange:
    """Made and closed in the loop; attributes are read by the thread of the test."""

    def __init__(self, app: Any, scope: dict[str, Any], *, paced: bool) -> None:
        self.app = app
        self.given = scope  # what the scope says in place of the socket
        self.socket: socket.socket  # the test's end
        self.entered = False  # the application was called
        self.started = False  # an answer of its own has begun
        self.finished: Future[None] = Future()  # the application has returned or raised
        self.error: BaseException | None = None
        self.debug_info: dict[str, Any] | None = None
        self.header_names: set[bytes] = set()  # those of the application's answer
        self.bytes_sent = 0  # of the body
        self.reports: list[str] = []  # of the engine, about the application
        self._pace = Pace() if paced else None
        self._closed = False
        self._loop: asyncio.AbstractEventLoop
        self._worker: _core.Worker
        self._scope: anyio.CancelScope

    async def open(self) -> None:
        """Requests run in copies of the context in which this is called."""
        self._loop = asyncio.get_running_loop()
        self._scope = anyio.CancelScope()
        self._worker = _core.Worker(
            self._run,
            self._loop,
            on_error=self._report,
            server_header="",
            date_header=False,
        )
        self.socket, served = socket.socketpair()
        served.setblocking(False)
        self._worker.adopt(served.detach())
        self._loop.add_reader(self._worker.fileno(), self._worker.poll)

    async def close(self) -> None:
        self.socket.close()
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._worker.fileno())
            self._worker.close()
            if not self.entered:
                counters.count("server")

    async def break_off(self) -> None:
        """The application is cancelled, or will never be called."""
        if self.entered:
            self._scope.cancel()
        else:
            await self.close()

    def want_more(self) -> None:
        """The test waits for the next piece of the answer. From any thread."""
        if self._pace is not None:
            self._loop.call_soon_threadsafe(self._pace.allow)

    def want_all(self) -> None:
        """From now on nobody waits for the test. From any thread."""
        if self._pace is not None:
            self._loop.call_soon_threadsafe(self._pace.end)

    # ---- between the engine and the application ----

    def _report(self, message: str, error: BaseException | None) -> None:
        if error is None:
            self.reports.append(message)

    async def _run(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self.entered = True
        counters.count("asgi")
        extensions = {**scope.get("extensions", {}), **self.given["extensions"]}
        scope |= {**self.given, "extensions": extensions}
        try:
            with self._scope:
                await self.app(scope, receive, self._watched(send))
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.finished.set_result(None)

    def _watched(self, engine_send: Send) -> Send:
        async def send(message: Message) -> None:
            kind = message["type"]
            if kind == "http.response.debug":
                self.debug_info = message["info"]
            elif kind == "http.response.start":
                await self._send_start(engine_send, message)
            elif kind == "http.response.body":
                await self._send_body(engine_send, message)
            else:
                await engine_send(message)

        return send

    async def _send_start(self, engine_send: Send, message: Message) -> None:
        # Told first: the answer may be in the hands of the test before send() returns.
        before = self.started, self.header_names
        self.started = True
        self.header_names |= {bytes(name).lower() for name, _ in message.get("headers", ())}
        try:
            await engine_send(message)
        except BaseException:
            self.started, self.header_names = before
            raise

    async def _send_body(self, engine_send: Send, message: Message) -> None:
        body = message.get("body", b"")
        if self._pace is not None:
            await self._pace.wait(takes=len(body) > 0)
        self.bytes_sent += len(body)
        await engine_send(message)


class Pace:
    """Lets the application send a piece when the test asks for one: a stream that the
    test reads two pieces of has not run ahead of it."""

    def __init__(self) -> None:
        self._allowed = 0
        self._ended = False
        self._changed = asyncio.Event()

    def allow(self) -> None:
        self._allowed += 1
        self._changed.set()

    def end(self) -> None:
        self._ended = True
        self._changed.set()

    async def wait(self, *, takes: bool) -> None:
        while not self._allowed and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        if takes and self._allowed:
            self._allowed -= 1
