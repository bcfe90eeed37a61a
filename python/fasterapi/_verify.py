"""`--verify RATE`: a share of the requests of safe routes is answered by both tiers.

The client gets the application's own answer. Afterwards the same bytes go to a second worker,
with plans of its own, over a socket pair; what that answers must be the same. A route that
differs is logged, and left to the application from then on. One that does not give the same
answer twice in the application either is not looked at any more."""

from __future__ import annotations

import asyncio
import contextvars
import http.client
import io
import logging
import math
import random
import socket
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from fasterapi import _core
from fasterapi._compile import compile_app

if TYPE_CHECKING:
    from fasterapi._compile._table import Compiled, Route

ANSWER_S = 30.0
AT_ONCE = 8  # comparisons; requests that come meanwhile are not looked at
FRAMING = frozenset({b"connection", b"transfer-encoding", b"date", b"server"})
QUIET: dict[str, Any] = {"server_header": "", "date_header": False, "limit_min_rate": 0}

logger = logging.getLogger("uvicorn.error")

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class Verifier:
    """Of one worker. `app` is what it calls, `made_app` what was compiled."""

    def __init__(self, app: Any, made_app: Any, rate: float, **options: Any) -> None:
        self.app = app
        self.made_app = made_app
        self.rate = rate
        self.options = {**QUIET, **options}
        self.compared = 0
        self.differing = 0
        self._table: Any = None
        self._running: set[asyncio.Task[None]] = set()

    def watch(self, compiled: Compiled) -> int:
        """Returns how many routes are looked at."""
        # Of plans before and behind known middleware it is the one before.
        served = {plan for _, _, plan in compiled.table if plan is not None}
        routes = [r for r in compiled.routes if r.safe and served & {r.outer, r.plan}]
        routes = [route for route in routes if route.tier == "compiled"]
        if routes:
            # Plans that nobody samples.
            root_path = self.options["root_path"]
            self._table = compile_app(self.made_app, apart=True, root_path=root_path).table
            for route in routes:
                self._next(route)
        return len(routes)

    def _next(self, route: Route) -> None:
        """Each request by chance, with the same probability: so far away is the next one."""
        away = 1
        if self.rate < 1:
            away = 1 + int(math.log(1 - random.random()) / math.log1p(-self.rate))
        _sampled(route).sample(self._sampler(route), away)

    def _sampler(self, route: Route) -> Callable[[Any], Coroutine[Any, Any, None]]:
        async def sampled(run: Any) -> None:
            self._next(route)
            scope, receive, send = run.asgi()
            request = _bytes_of(scope)
            messages: list[Any] = []

            async def kept(message: Any) -> None:
                messages.append(message)
                await send(message)

            token = by_application().set(True)
            try:
                await self.app(scope, receive, kept)
            finally:
                by_application().reset(token)
            if len(self._running) < AT_ONCE:
                comparing = self._compare(route, request, scope["method"], _captured(messages))
                task = asyncio.get_running_loop().create_task(comparing)
                self._running.add(task)
                task.add_done_callback(self._running.discard)

        return sampled

    async def _compare(self, route: Route, request: bytes, method: str, expected: Answer) -> None:
        try:
            ours = await self._asked(request, method, self._table)
            same = ours == expected
            steady = same or await self._asked(request, method, None) == expected
        except (OSError, http.client.HTTPException, TimeoutError) as error:
            logger.warning("Engine: GET %s was not verified: %r", route.path, error)
            return
        self.compared += 1
        if same:
            return
        if not steady:
            logger.info("Engine: %s gives another answer each time: not verified", route.path)
            _sampled(route).sample(None, 0)
            return
        self.differing += 1
        for plan in (route.outer, route.plan):
            if plan is not None:
                plan.demote()
        logger.error(
            "Engine: %s %s differs when it is compiled, and is served through ASGI from now on: "
            "%r instead of %r",
            *(method, route.path, ours, expected),
        )

    async def _asked(self, request: bytes, method: str, table: Any) -> Answer:
        """What a worker of its own answers."""
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()
        context.run(by_application().set, table is None)
        # Requests run in copies of the context in which it is made.
        worker = context.run(lambda: _core.Worker(self.app, loop, routes=table, **self.options))
        ours, served = socket.socketpair()
        try:
            ours.setblocking(False)
            served.setblocking(False)
            worker.adopt(served)
            served.detach()
            loop.add_reader(worker.fileno(), worker.poll)
            async with asyncio.timeout(ANSWER_S):
                await loop.sock_sendall(ours, request)
                return await _read(ours, method)
        finally:
            loop.remove_reader(worker.fileno())
            worker.close()
            ours.close()


def _sampled(route: Route) -> _core.Plan:
    plan = route.outer or route.plan
    assert plan is not None
    return plan


def by_application() -> contextvars.ContextVar[bool]:
    """Of a compiler that has been imported by now."""
    from fasterapi._compile import _behind

    return _behind.by_application


def _bytes_of(scope: dict[str, Any]) -> bytes:
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    head = [b"%s %s HTTP/%s" % (scope["method"].encode(), target, scope["http_version"].encode())]
    head += [b"%s: %s" % field for field in scope["headers"]]
    return b"\r\n".join([*head, b"", b""])


def _fields(fields: Any) -> list[tuple[bytes, bytes]]:
    lower = [(bytes(name).lower(), bytes(value)) for name, value in fields]
    return sorted(field for field in lower if field[0] not in FRAMING)


def _captured(messages: list[Any]) -> Answer:
    start = next((m for m in messages if m["type"] == "http.response.start"), None)
    if start is None:
        return 0, [], b""
    bodies = [m.get("body", b"") for m in messages if m["type"] == "http.response.body"]
    return start["status"], _fields(start.get("headers", ())), b"".join(bodies)


class _Received:
    """A socket, as http.client wants one."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self.data)


async def _read(end: socket.socket, method: str) -> Answer:
    loop, data = asyncio.get_running_loop(), b""
    while True:
        piece = await loop.sock_recv(end, 65536)
        data += piece
        if b"\r\n\r\n" in data:
            answer = http.client.HTTPResponse(_Received(data), method=method)  # type: ignore[arg-type]
            try:
                answer.begin()
                body = answer.read()
            except http.client.HTTPException:
                if not piece:
                    raise
                continue
            fields = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in answer.getheaders()]
            return answer.status, _fields(fields), body
        if not piece:
            raise ConnectionResetError("the connection ended before the answer")
