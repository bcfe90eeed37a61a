"""Makes Starlette's own test client, and with it FastAPI's and every subclass, send its
requests through the engine; and httpx.ASGITransport, if `asynchronous`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import starlette.testclient

from fasterapi.testclient import _async_transport, _transport

stock: Any = starlette.testclient


def swap(*, asynchronous: bool = False) -> Callable[[], None]:
    """Returns what takes it back."""
    transport = stock._TestClientTransport
    own_send = vars(stock.TestClient).get("send")
    stock._TestClientTransport = _transport.EngineTransport
    stock.TestClient.send = send
    take_back_async = _async_transport.swap(engine=asynchronous)

    def take_back() -> None:
        take_back_async()
        stock._TestClientTransport = transport
        if own_send is not None:
            stock.TestClient.send = own_send
        else:
            del stock.TestClient.send

    return take_back


def send(self: Any, request: Any, *, stream: bool = False, **kwargs: Any) -> Any:
    if not stream:
        request.extensions[_transport.READ_AT_ONCE] = True
    return super(stock.TestClient, self).send(request, stream=stream, **kwargs)
