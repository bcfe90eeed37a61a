"""TestClient, used as Starlette's and FastAPI's are: each request goes as bytes through the
engine that serves in production, its parser and its writer, to the application."""

from __future__ import annotations

from typing import Any

import starlette

if tuple(int(part) for part in starlette.__version__.split(".")[:2]) < (1, 10):
    raise ImportError(f"fasterapi.testclient needs Starlette 1.10, not {starlette.__version__}")

from starlette import testclient as stock
from starlette.testclient import WebSocketDenialResponse, WebSocketTestSession

from fasterapi.testclient import _swap
from fasterapi.testclient._counters import counters
from fasterapi.testclient._transport import EngineTransport

__all__ = ["TestClient", "WebSocketDenialResponse", "WebSocketTestSession", "counters"]


class TestClient(stock.TestClient):
    __test__ = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._transport = EngineTransport.in_place_of(self._transport)

    send = _swap.send
