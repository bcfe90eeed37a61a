"""Makes Starlette's own test client, and with it FastAPI's and every subclass, send its
requests through the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette import testclient as stock

from fasterapi.testclient import _transport


def swap() -> Callable[[], None]:
    """Returns what takes it back."""
    replaced = [
        (stock, "_TestClientTransport", _transport.EngineTransport),
        (stock.TestClient, "send", send),
    ]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in replaced]
    _set(replaced)
    return lambda: _set(before)


def _set(attributes: list[tuple[Any, str, Any]]) -> None:
    for owner, name, value in attributes:
        setattr(owner, name, value)


def send(self: Any, request: Any, *, stream: bool = False, **kwargs: Any) -> Any:
    if not stream:
        request.extensions[_transport.READ_AT_ONCE] = True
    return super(stock.TestClient, self).send(request, stream=stream, **kwargs)
