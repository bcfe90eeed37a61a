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
from typing import TYPE_CHECKING, Any

import anyio

from fasterapi import _core
from fasterapi._server_state import by_plans, tasks_of
from fasterapi.testclient._counters import counters
from fasterapi.testclient._why import passed_on, why

if TYPE_CHECKING:
    from fasterapi._compile._table import Compiled

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


# A test may be stopped in a debugger, on either side.
NO_HURRY: dict[str, Any] = {
    "limit_min_rate": 0,
    "timeout_request_header": None,
    "timeout_request_body": None,
    "timeout_write": None,
    "timeout_keep_alive": None,
}


def runs_asyncio(portal: Any) -> bool:
    """The engine is a guest of asyncio's loop only; what cannot go there is counted."""
    found: bool = portal.call(in_asyncio)
    return found


async def in_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        counters.count_elsewhere("backend trio")
        return False
    return True


class Exchange:
    """Opened and closed in the loop; attributes are read by the thread of the test."""

    def __init__(self, app: Any, scope: dict[str, Any], plans: Compiled | str) -> None:
        """`plans`: by which the engine may serve it, or why there are none."""
        self.app = app
        self.plans = None if isinstance(plans, str) else plans
        self.no_plans = plans if isinstance(plans, str) else ""
        self.given = scope  # what the scope says in place of the socket
        self.socket: socket.socket  # the test's end
        self.entered = False  # the application was called, or a plan in its place
        self.by_plan = False
        self.finished: Future[None] = Future()  # the application has returned or raised
        self.error: BaseException | None = None
        self.reports: list[str] = []  # of the engine, about the application
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
            routes=self.plans.table if self.plans is not None else None,
            watch=self if self.plans is not None else None,
            server_header="",
            date_header=False,
            **NO_HURRY,
        )
        self.socket, served = socket.socketpair()
        served.setblocking(False)
        self._worker.adopt(served)
        served.detach()
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
        if self.by_plan:
            for task in tasks_of(self._worker):
                task.cancel()
        elif self.entered:
            self._scope.cancel()
        else:
            await self.close()

    # ---- between the engine and the application ----

    def _report(self, message: str, error: BaseException | None) -> None:
        if error is None:
            self.reports.append(message)
        elif self.by_plan:
            self.error = error

    # What the engine tells of a request that a plan serves.

    def run_began(self) -> None:
        self.entered = self.by_plan = True
        counters.count("compiled")

    def run_directed(self) -> None:
        self.entered = self.by_plan = True
        counters.count("direct")

    def run_answers(self) -> None:
        """By the plan itself, not by messages."""

    def asgi(self, scope: dict[str, Any], receive: Receive, send: Send) -> tuple[Any, ...]:
        """What the plan sees of the request as an ASGI application sees it."""
        self.fit_scope(scope)
        return scope, self.watch_receive(receive), self.watch_send(send)

    def run_ended(self) -> None:
        if not self.finished.done():
            self.finished.set_result(None)

    async def _run(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self.entered = True
        before, left = self._by_plans(), 0 if self.plans is None else passed_on(self.plans)
        self.fit_scope(scope)
        asked = scope.copy()
        try:
            with self._scope:
                await self.app(scope, self.watch_receive(receive), self.watch_send(send))
        except BaseException as error:
            self.error = error
            raise
        finally:
            self._count(before, left, asked)
            self.finished.set_result(None)

    def _by_plans(self) -> dict[str, int]:
        return {} if self.plans is None else by_plans(self.plans.routes, self.plans.misses)

    def _count(self, before: dict[str, int], left: int, scope: dict[str, Any]) -> None:
        """A plan behind middleware may have answered: nobody but its counters tells. They may
        take two requests for each other that the same client sends at once."""
        for tier, count in self._by_plans().items():
            if count > before[tier]:
                counters.count(tier)
                return
        counters.count_asgi(self.no_plans if self.plans is None else why(self.plans, left, scope))

    def fit_scope(self, scope: dict[str, Any]) -> None:
        extensions = {**scope.get("extensions", {}), **self.given["extensions"]}
        scope |= {**self.given, "extensions": extensions}

    def watch_receive(self, receive: Receive) -> Receive:
        return receive

    def watch_send(self, send: Send) -> Send:
        return send


class HttpExchange(Exchange):
    """One request. `paced`: each piece of the answer waits until the test asks for it."""

    def __init__(
        self, app: Any, scope: dict[str, Any], plans: Compiled | str, *, paced: bool
    ) -> None:
        super().__init__(app, scope, plans)
        self.at_once = False  # a plan has given the whole answer
        self.started = False  # an answer of its own has begun
        self.debug_info: dict[str, Any] | None = None
        self.header_names: set[bytes] = set()  # those of the application's answer
        self.bytes_sent = 0  # of the body
        self.body_ended = False
        self.trailers: list[tuple[bytes, bytes]] | None = None  # if it has announced some
        self.trailers_ended = False
        self._engine_sends_trailers = False
        self._pace = Pace() if paced else None

    def is_complete(self, received: int) -> bool:
        """Whether a test that has got so much of the body has got everything."""
        if self.at_once:
            return True  # nobody waits for the test
        ended = self.body_ended if self.trailers is None else self.trailers_ended
        return ended and received == self.bytes_sent

    def run_answers(self) -> None:
        self.header_names.add(b"content-length")
        self.at_once = True
        self.started = True

    async def settle(self) -> None:
        """Behind the turn of the loop in which what the test has was sent: a plan tells of an
        answer when the engine has taken its head."""

    def want_more(self) -> None:
        """The test waits for the next piece of the answer. From any thread."""
        if self._pace is not None:
            self._loop.call_soon_threadsafe(self._pace.allow)

    def want_all(self) -> None:
        """From now on nobody waits for the test. From any thread."""
        if self._pace is not None:
            self._loop.call_soon_threadsafe(self._pace.end)

    def fit_scope(self, scope: dict[str, Any]) -> None:
        self._engine_sends_trailers = "http.response.trailers" in scope.get("extensions", {})
        super().fit_scope(scope)

    def watch_send(self, engine_send: Send) -> Send:
        steps = {
            "http.response.start": self._send_start,
            "http.response.body": self._send_body,
            "http.response.trailers": self._send_trailers,
            "http.response.debug": self._take_debug,
        }

        async def send(message: Message) -> None:
            step = steps.get(message["type"])
            if step is None:
                await engine_send(message)
            else:
                await step(engine_send, message)

        return send

    # What the test will see of a message is noted before the engine gets it: the bytes
    # may be in the hands of the test before send() returns.

    async def _send_start(self, engine_send: Send, message: Message) -> None:
        before = self.started, self.header_names, self.trailers
        self.started = True
        self.header_names |= {bytes(name).lower() for name, _ in message.get("headers", ())}
        self.trailers = [] if message.get("trailers") else None
        try:
            await engine_send(message)
        except BaseException:
            self.started, self.header_names, self.trailers = before
            raise

    async def _send_body(self, engine_send: Send, message: Message) -> None:
        announced = self.trailers is not None
        assert not (announced and self.body_ended), f"{message['type']} after body completed"
        body = message.get("body", b"")
        if self._pace is not None:
            await self._pace.wait(takes=len(body) > 0)
        self.body_ended = not message.get("more_body", False)
        self.bytes_sent += len(body)
        await engine_send(message)

    async def _send_trailers(self, engine_send: Send, message: Message) -> None:
        """The test always gets them; the engine, if it would send them to this client."""
        kind = message["type"]
        assert self.trailers is not None, f"{kind} without declaring trailers"
        assert self.body_ended, f"{kind} before body completed"
        assert not self.trailers_ended, f"{kind} after response completed"
        self.trailers.extend(message.get("headers", ()))
        self.trailers_ended = not message.get("more_trailers", False)
        if self._engine_sends_trailers:
            await engine_send(message)

    async def _take_debug(self, _engine_send: Send, message: Message) -> None:
        self.debug_info = message["info"]


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
