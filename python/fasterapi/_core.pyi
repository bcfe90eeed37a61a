import asyncio
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping, Sequence
from contextvars import Context, ContextVar
from typing import Any, TextIO, final, type_check_only

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_Headers = Sequence[tuple[bytes, bytes]]

# A pattern, or None for what no other row has; methods; what answers.
_Row = tuple[str | None, tuple[str, ...], Plan | Misses | None]

class ClientDisconnected(OSError):
    """Nothing can be sent: the WebSocket is closed."""

@final
class Carrier:
    """The coroutine of a task in which requests run, one after another."""

    __name__: str
    __qualname__: str
    @property
    def worker(self) -> Worker: ...
    @property
    def cr_await(self) -> Any: ...
    @property
    def cr_frame(self) -> None: ...
    @property
    def cr_running(self) -> bool: ...
    def send(self, value: Any, /) -> Any: ...
    def throw(self, kind: Any, value: Any = ..., traceback: Any = ..., /) -> Any: ...
    def close(self) -> None: ...

@final
class Plan:
    """A route that is served without going through the application."""

    def __new__(
        cls,
        *,
        endpoint: Callable[..., Awaitable[Any]],
        names: tuple[str, ...],
        params: tuple[tuple[Any, ...], ...],
        guards: tuple[tuple[Any, str, Any, bool, int | tuple[Any, ...] | None], ...],
        root: str,
        finish: Callable[..., Coroutine[Any, Any, None]],
        encode: Callable[[Any], bytes],
        model: tuple[Any, ...] | None,
        response: type,
        status: int,
        parse_cookies: Callable[[str], dict[str, str]],
        from_json: Callable[[bytes], Any],
        is_runner: bool,
        direct: Callable[[Run], Coroutine[Any, Any, None]] | None,
        hard_guards: int,
        limit: int,
        quick: Callable[[BaseException], Any] | None,
        steps: tuple[tuple[Any, ...], ...],
    ) -> Plan: ...
    @property
    def served(self) -> int: ...
    @property
    def directed(self) -> int: ...
    @property
    def behind(self) -> int: ...
    @property
    def passed_on(self) -> int: ...
    @property
    def demoted(self) -> bool: ...
    def sample(
        self, sampler: Callable[[Run], Coroutine[Any, Any, None]] | None, n: int, /
    ) -> None: ...
    def demote(self) -> None: ...

@type_check_only
class Run:
    """One request that a plan serves."""

    @property
    def method(self) -> str: ...
    def asgi(self) -> tuple[dict[str, Any], _Receive, _Send]: ...
    def body(self) -> bytes: ...
    def prepare(self, result: Any, /) -> Any: ...
    def answer(self, response: Any, /) -> bool: ...
    def thread(self, call: Callable[..., Any], /, *args: Any, **values: Any) -> Awaitable[Any]: ...
    def thread_exit(
        self, call: Callable[..., Any], /, *args: Any, **values: Any
    ) -> Awaitable[Any]: ...
    def thread_later(
        self, call: Callable[..., Any], /, *args: Any, **values: Any
    ) -> Awaitable[Any]: ...
    def respond(
        self, body: bytes, status: int | None = None, headers: _Headers = ()
    ) -> Awaitable[None]: ...

@final
class Threads:
    """Threads in which the calls of runners are made."""

    def __new__(
        cls,
        *,
        loop: asyncio.AbstractEventLoop,
        context: Context,
        variables: dict[Any, Any],
        variable: Any,
        limiter_type: type,
        would_block: type[BaseException],
        scoped: Callable[[asyncio.Task[Any]], bool],
        library: ContextVar[str | None] | None,
        start: Callable[[Threads], None],
    ) -> Threads: ...
    @property
    def count(self) -> int: ...
    @property
    def unfinished(self) -> int: ...
    def failed(self) -> None: ...
    def grow(self) -> None: ...
    def stop(self) -> None: ...
    def work(self) -> None: ...

@final
class Shape:
    """What a body must be like to be read without pydantic-core."""

    def __new__(cls, row: tuple[Any, ...], /) -> Shape: ...
    def make(self, json: bytes, /) -> Any: ...

@final
class Misses:
    """What answers paths that no route of an application has."""

    def __new__(
        cls, missing: Plan | None, slash: Plan | None, paths: tuple[tuple[str, bool], ...]
    ) -> Misses: ...

@final
class PlanTable:
    """Plans, found by the scope of a request."""

    def __new__(cls, rows: tuple[_Row, ...], /) -> PlanTable: ...
    def find(self, scope: _Scope, /) -> tuple[Plan, tuple[bytes, ...]] | None: ...
    def bind(
        self, plan: Plan, scope: _Scope, captures: tuple[bytes, ...], body: bytes, /
    ) -> tuple[Any, ...] | None: ...
    def direct(self, plan: Plan, /) -> tuple[Any, ...] | None: ...
    def applies(self, plan: Plan, /) -> bool: ...
    def call(self, plan: Plan, values: tuple[Any, ...], run: Any, /) -> Awaitable[Any]: ...
    def body(self, plan: Plan, result: Any, run: Any, /) -> Any: ...

@final
class Worker:
    """The native server, in a running asyncio loop."""

    def __init__(
        self,
        app: Any,
        loop: asyncio.AbstractEventLoop,
        /,
        *,
        on_warning: Callable[[str], None] | None = None,
        on_error: Callable[[str, BaseException | None], None] | None = None,
        on_access: Callable[[dict[str, Any], int], None] | None = None,
        access_stream: Callable[[], TextIO | None] | None = None,
        status_text: Callable[[int], str] | None = None,
        on_handshake: Callable[[dict[str, Any], int], None] | None = None,
        on_connection: Callable[[int], None] | None = None,
        handshake_reason: Callable[[str, list[tuple[bytes, bytes]], int], str] | None = None,
        state: dict[str, Any] = ...,
        root_path: str = "",
        asgi_version: str = "3.0",
        forwarded: tuple[bool, frozenset[bytes], tuple[tuple[bytes, int], ...], frozenset[str]]
        | None = None,
        unix_path: str | None = None,
        server_header: str = "fasterapi",
        headers: _Headers = (),
        extensions: Sequence[str] = (),
        date_header: bool = True,
        limit_request_line: int = 8192,
        limit_request_headers: int = 32768,
        limit_request_header_count: int = 100,
        limit_request_body: int | None = None,
        limit_request_trailers: int = 8192,
        limit_chunk_extension: int = 256,
        limit_chunk_extensions: int = 4096,
        limit_min_rate: int = 240,
        limit_pending_output: int = 262144,
        limit_pipelined: int = 64,
        limit_connections: int = 65536,
        limit_connections_per_address: int = 0,
        limit_requests_per_connection: int = 0,
        timeout_request_header: float | None = 10,
        timeout_request_body: float | None = 30,
        timeout_write: float | None = 30,
        timeout_keep_alive: float | None = 75,
        ws: bool = True,
        ws_max_size: int = 16777216,
        ws_max_queue: int = 32,
        ws_max_fragments: int = 262144,
        ws_max_inflate_ratio: int = 100,
        ws_ping_interval: float | None = 20,
        ws_ping_timeout: float | None = 20,
        ws_close_timeout: float | None = 10,
        ws_per_message_deflate: bool = True,
        drain_grace: float = 0.5,
        routes: Sequence[_Row] | None = None,
        watch: Any = None,
    ) -> None: ...
    @property
    def connections(self) -> int: ...
    def listen(self, socket: Any, /) -> None: ...
    def adopt(self, socket: Any, /) -> None: ...
    def fileno(self) -> int: ...
    def poll(self) -> bool: ...
    def drain(self) -> None: ...
    def close(self) -> None: ...
    def counters(self) -> dict[str, int]: ...

@final
class Heartbeat:
    """A record on the board that a supervisor shares with its workers."""

    def __init__(self, descriptor: int, slot: int, /) -> None: ...
    def clear(self) -> None: ...
    def take_turns(self, worker: Worker | None, /) -> None: ...
    def start(self, lifeline: int, grace: float, /) -> None: ...
    def stop(self) -> None: ...
    def turn(self) -> None: ...
    def process_age(self) -> float | None: ...
    def loop_age(self) -> float | None: ...
    @staticmethod
    def die_with_parent(signal: int, /) -> bool: ...
