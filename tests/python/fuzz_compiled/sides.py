"""An application under one server, and what can be seen of it from both ends.

Everything runs in one thread and one loop: the client writes into one end of a socket pair,
lets the server take its turns until nothing moves any more, and reads."""

import asyncio
import dataclasses
import re
import socket
import sys
import threading
import traceback
import types
from collections.abc import Iterator
from typing import Any

import uvicorn
from anyio._backends._asyncio import WorkerThread
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from fasterapi import _core
from fasterapi._own_threads import WorkerThread as Own
from fuzz_compiled.traffic import Exchange

FILE = "generated_app.py"
STUCK = 20_000  # turns; nothing that is generated takes so long
QUIET = 2  # turns in which nothing happens

FREE = {
    "limit_min_rate": 0,
    "timeout_request_header": None,
    "timeout_request_body": None,
    "timeout_write": None,
    "timeout_keep_alive": None,
    "server_header": "",
    "date_header": False,
}


@dataclasses.dataclass
class Seen:
    received: bytes = b""
    closed: bool = False
    said: list[Any] = dataclasses.field(default_factory=list)
    logged: list[Any] = dataclasses.field(default_factory=list)
    stuck: bool = False


def told_of(error: BaseException | None) -> Any:
    """What a log shows of an exception: itself, what it came from, and the lines of the
    application on its way."""
    if error is None:
        return None
    lines = [
        (line, frame.f_code.co_name)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == FILE
    ]
    below = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    inner = [told_of(one) for one in getattr(error, "exceptions", ())]
    return type(error).__qualname__, text_of(error), lines, inner, told_of(below)


def text_of(error: BaseException) -> str:
    """Its words, which may not be had: they may show an object that cannot be shown."""
    try:
        # anyio names the scope and the task: a runner's is not that of the other tier.
        return re.sub(r"(?s)(Cancelled via cancel scope).*", r"\1", str(error))
    except Exception as failure:
        return f"no words, for {failure}"


def load(source: str) -> types.ModuleType:
    module = types.ModuleType("generated_app")
    module.__file__ = FILE
    sys.modules[module.__name__] = module  # dataclasses look for it there
    exec(compile(source, FILE, "exec"), module.__dict__)
    return module


def threads_are_busy() -> bool:
    """Those of anyio and of ours, in which `def` functions run. One that has its task done
    has told the loop before."""
    return any(
        thread.pool.unfinished if isinstance(thread, Own) else thread.queue.unfinished_tasks
        for thread in threading.enumerate()
        if isinstance(thread, WorkerThread)
    )


class Side:
    """Steps are generators: at each yield the loop takes a turn."""

    def __init__(self, source: str, loop: asyncio.BaseEventLoop) -> None:
        self.loop = loop
        self.module = load(source)
        self.seen = Seen()
        self.socket: socket.socket | None = None

    def log(self, *words: Any) -> None:
        self.seen.logged.append(words)

    def run(self, exchange: Exchange) -> Iterator[None]:
        """`seen` is then what came of it."""
        self.seen = Seen()
        self.module.said.clear()
        if self.socket is None:
            yield from self.connect()
        assert self.socket is not None
        for piece in exchange.pieces:
            try:
                self.socket.sendall(piece)
            except OSError:
                self.seen.closed = True
            if not exchange.abrupt:
                yield from self.settle()
        if exchange.ends or self.seen.closed:
            self.socket.close()
            self.socket = None
            yield from self.settle()
        self.seen.said = list(self.module.said)

    def settle(self) -> Iterator[None]:
        quiet = turns = 0
        while quiet < QUIET:
            moved = self.turn()
            quiet = 0 if self.read() or moved else quiet + 1
            turns += 1
            if turns > STUCK:
                self.seen.stuck = True
                return
            yield

    def read(self) -> bool:
        if self.socket is None or self.seen.closed:
            return False
        try:
            found = self.socket.recv(1 << 20)
        except BlockingIOError:
            return False
        except OSError as error:
            found = b""
            self.seen.received += f"<{type(error).__name__}>".encode()
        self.seen.received += found
        self.seen.closed = found == b""
        return True

    def is_busy(self) -> bool:
        """Callbacks of the loop wait for their turn, timers for their time, or threads work. Who waits for the
        client waits for us."""
        soon = self.loop.time() + 1
        timers = any(t.when() < soon and not t.cancelled() for t in self.loop._scheduled)
        return bool(self.loop._ready) or timers or threads_are_busy()

    def connect(self) -> Iterator[None]:
        raise NotImplementedError

    def turn(self) -> bool:
        """Lets the server work; whether something is still going on."""
        raise NotImplementedError

    def close(self) -> Iterator[None]:
        if self.socket is not None:
            self.socket.close()
            self.socket = None
        yield from self.settle()


class Engine(Side):
    """Ours. `compiled` says by which tier."""

    def __init__(self, source: str, loop: asyncio.BaseEventLoop, compiled: bool) -> None:
        super().__init__(source, loop)
        self.plans: list[_core.Plan] = []
        self.reason = ""
        self.entrance: Any = None
        table = self.compile() if compiled else None
        self.worker = _core.Worker(
            self.entrance or self.module.app,
            loop,
            routes=table,
            on_warning=lambda text: self.log("warning", text),
            on_error=lambda text, error: self.log("error", text, told_of(error)),
            on_access=self.log_access,
            **FREE,
        )

    def compile(self) -> Any:
        from fasterapi._compile import NotCompiled, compile_app

        try:
            compiled = compile_app(self.module.app)
        except NotCompiled as reason:
            self.reason = str(reason)
            return None
        self.routes = compiled.routes
        self.entrance = compiled.entrance
        found = [plan for route in compiled.routes for plan in (route.plan, route.outer)]
        self.plans = [plan for plan in found if plan is not None]
        return compiled.table

    def log_access(self, scope: dict[str, Any], status: int) -> None:
        self.log("access", scope["method"], scope["path"], scope["query_string"], status)

    def connect(self) -> Iterator[None]:
        self.socket, served = socket.socketpair()
        self.socket.setblocking(False)
        served.setblocking(False)
        self.worker.adopt(served)
        served.detach()
        yield

    def turn(self) -> bool:
        self.worker.poll()
        return self.is_busy()

    def close(self) -> Iterator[None]:
        yield from super().close()
        self.worker.close()
        yield


class Uvicorn(Side):
    """The reference. Its log is held elsewhere."""

    def __init__(self, source: str, loop: asyncio.BaseEventLoop) -> None:
        super().__init__(source, loop)
        self.config = uvicorn.Config(
            self.module.app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            server_header=False,
            date_header=False,
            timeout_keep_alive=1_000_000,
        )
        self.config.load()
        self.state = ServerState()

    def connect(self) -> Iterator[None]:
        self.socket, served = socket.socketpair()
        self.socket.setblocking(False)
        served.setblocking(False)
        made = self.loop.create_task(
            self.loop.create_connection(
                lambda: HttpToolsProtocol(self.config, self.state, {}), sock=served
            )
        )
        while not made.done():
            yield
        made.result()

    def turn(self) -> bool:
        return self.is_busy()


@dataclasses.dataclass
class Answer:
    status: int
    fields: list[bytes]
    body: bytes


def answer_in(received: bytes) -> Answer | bytes:
    """As a client understands it: in whatever order the fields and however cut the body."""
    head, end, body = received.partition(b"\r\n\r\n")
    line, *fields = head.split(b"\r\n")
    if not end or not line[9:12].isdigit():
        return received
    if b"transfer-encoding: chunked" in fields and body:
        whole = b""
        while not body.startswith(b"0\r\n"):
            size, _, body = body.partition(b"\r\n")
            if not size:
                return received
            whole += body[: int(size, 16)]
            body = body[int(size, 16) + 2 :]
        body = whole
    return Answer(int(line[9:12]), sorted(fields), body)
