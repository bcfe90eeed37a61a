"""An application under one server, and what can be seen of it from both ends.

Everything runs in one thread and one loop: the client writes into one end of a socket pair,
lets the server take its turns until nothing moves any more, and reads."""

import dataclasses
import gc
import re
import socket
import sys
import traceback
import types
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from fasterapi import _core
from fuzz_compiled.clock import Loop, threads_are_busy
from fuzz_compiled.traffic import Exchange

FILE = "generated_app.py"
STUCK = 20_000  # turns; nothing that is generated takes so many
QUIET = 2  # looks that find nothing

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


def told_of(error: BaseException | None, above: tuple[BaseException, ...] = ()) -> Any:
    """What a log shows of an exception: itself, what it came from, and the lines of the
    application on its way. An exception may have come from itself."""
    if error is None:
        return None
    if any(error is one for one in above):
        return type(error).__qualname__
    above = (*above, error)
    lines = [
        (line, frame.f_code.co_name)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == FILE
    ]
    below = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    inner = [told_of(one, above) for one in getattr(error, "exceptions", ())]
    return type(error).__qualname__, text_of(error), lines, inner, told_of(below, above)


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


class Side:
    """Steps are generators: at each yield the loop takes a turn."""

    def __init__(self, module: types.ModuleType, loop: Loop) -> None:
        self.loop = loop
        self.module = module
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
        if self.may_leave_garbage():
            gc.collect()
            yield from self.settle()
        self.seen.said = list(self.module.said)

    def may_leave_garbage(self) -> bool:
        """FastAPI leaves a `def` dependency with yield to the collector when its request is
        cancelled: what that then says belongs here."""
        failed = any(words[0] == "error" for words in self.seen.logged)
        return failed or self.seen.closed or b" 500 " in self.seen.received

    def settle(self) -> Iterator[None]:
        """Until the server waits for the client, who waits for the server. What is not of the
        application costs as few turns as can be: most requests need none of the loop's."""
        quiet = turns = 0
        while quiet < QUIET:
            self.turn()
            quiet = 0 if self.read() else quiet + 1
            if self.loop.has_work():
                quiet = 0
            elif threads_are_busy():
                quiet = 0
                self.seen.stuck = not self.loop.wait(self.fileno())
            elif not self.in_loop:
                continue
            turns += 1
            if turns > STUCK or self.seen.stuck:
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

    in_loop = False  # whether the loop watches its sockets

    def connect(self) -> Iterator[None]:
        raise NotImplementedError

    def turn(self) -> None:
        """Lets the server work, if the loop does not."""

    def fileno(self) -> int:
        """Readable when threads have told the server something, or -1."""
        return -1

    def close(self) -> Iterator[None]:
        if self.socket is not None:
            self.socket.close()
            self.socket = None
        yield from self.settle()


class Engine(Side):
    """Ours. `compiled` says by which tier."""

    def __init__(self, module: types.ModuleType, loop: Loop, compiled: bool) -> None:
        super().__init__(module, loop)
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

    def turn(self) -> None:
        self.worker.poll()

    def fileno(self) -> int:
        return self.worker.fileno()

    def close(self) -> Iterator[None]:
        yield from super().close()
        self.worker.close()
        yield


class Uvicorn(Side):
    """The reference. Its log is held elsewhere."""

    in_loop = True

    def __init__(self, module: types.ModuleType, loop: Loop) -> None:
        super().__init__(module, loop)
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
    if line[9:12] in (b"204", b"304"):
        body = b""  # what uvicorn sends of it is where the next answer begins
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
