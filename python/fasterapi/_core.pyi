import asyncio
from collections.abc import Callable
from typing import Any, final

@final
class Carrier:
    """The coroutine of a task in which requests run, one after another."""

    @property
    def worker(self) -> Worker: ...
    @property
    def cr_await(self) -> Any: ...

@final
class Worker:
    """The native server, in a running asyncio loop."""

    def __init__(
        self,
        app: Any,
        loop: asyncio.AbstractEventLoop,
        /,
        *,
        on_error: Callable[[str, BaseException | None], None] | None = None,
        on_access: Callable[[dict[str, Any], int], None] | None = None,
        state: dict[str, Any] = ...,
        root_path: str = "",
        asgi_version: str = "3.0",
        server_header: str = "fasterapi",
        date_header: bool = True,
        timeout_keep_alive: float | None = 75,
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
