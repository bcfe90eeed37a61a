"""httpx.ASGITransport, of asynchronous tests: through the engine in their own event loop, if
that is asked for. It changes more than a test client's requests: the application no longer
runs in the task of the test. Otherwise its requests are counted."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from typing import Any

import anyio
import h11

from fasterapi.testclient import _wire
from fasterapi.testclient._counters import counters
from fasterapi.testclient._exchange import HttpExchange, in_asyncio
from fasterapi.testclient._plans import plans_of
from fasterapi.testclient._transport import DEFAULT_PORTS, errors_of_httpx, fields_of

MODULES = ("httpx2", "httpx")


def swap(*, engine: bool) -> Callable[[], None]:
    """In each httpx that is installed. Returns what takes it back."""
    replaced = []
    for name in MODULES:
        try:
            httpx = importlib.import_module(name)
        except ImportError:
            continue
        stock = httpx.ASGITransport.handle_async_request
        replacement = _through_engine(httpx, stock) if engine else _counted(stock)
        httpx.ASGITransport.handle_async_request = replacement
        replaced.append((httpx.ASGITransport, stock))

    def take_back() -> None:
        for transport, stock in replaced:
            transport.handle_async_request = stock

    return take_back


def _counted(stock: Any) -> Any:
    async def handle_async_request(self: Any, request: Any) -> Any:
        counters.count_elsewhere("httpx.ASGITransport")
        return await stock(self, request)

    return handle_async_request


def _through_engine(httpx: Any, stock: Any) -> Any:
    async def handle_async_request(self: Any, request: Any) -> Any:
        if not await in_asyncio():
            return await stock(self, request)
        plans = plans_of(self, self.app)
        exchange = HttpExchange(self.app, _scope_of(self, request), plans, paced=False)
        pieces = [piece async for piece in request.stream]
        with errors_of_httpx(httpx, request):
            headers = request.headers.raw
            message = _wire.head_of(request.method.encode(), request.url.raw_path, headers)
            message += _wire.framed(headers, pieces)
        await exchange.open()
        try:
            with errors_of_httpx(httpx, request):
                return await _converse(httpx, self, request, exchange, message)
        finally:
            # A cancelled test waits for what the application does about it, as it would
            # if it ran in the same task.
            with anyio.CancelScope(shield=True):
                await _end(exchange)

    return handle_async_request


async def _end(exchange: HttpExchange) -> None:
    if not exchange.finished.done():
        await exchange.break_off()
    if exchange.entered:
        await asyncio.wrap_future(exchange.finished)
    await exchange.close()
    await asyncio.sleep(0)  # the tasks in which requests ran end in this turn


def _scope_of(transport: Any, request: Any) -> dict[str, Any]:
    url = request.url
    port = url.port if url.port is not None else DEFAULT_PORTS[url.scheme]
    return {
        "scheme": url.scheme,
        "root_path": transport.root_path,
        "client": transport.client,
        "server": (url.host, port),
        "extensions": {},
    }


async def _converse(
    httpx: Any, transport: Any, request: Any, exchange: HttpExchange, message: bytes
) -> Any:
    loop = asyncio.get_running_loop()
    exchange.socket.setblocking(False)
    sending = asyncio.ensure_future(loop.sock_sendall(exchange.socket, message))
    try:
        head, body = await _receive(exchange, _wire.Parser(request.method.encode()))
    finally:
        with anyio.CancelScope(shield=True):
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    if exchange.entered:
        await asyncio.shield(asyncio.wrap_future(exchange.finished))
        if exchange.error is not None and transport.raise_app_exceptions:
            raise exchange.error
        if not exchange.started:
            assert exchange.error is not None, "the application did not answer"
            return httpx.Response(500, headers={}, stream=httpx.ByteStream(b""))
    stream = httpx.ByteStream(body)
    return httpx.Response(head.status_code, headers=fields_of(head, exchange), stream=stream)


async def _receive(exchange: HttpExchange, parser: _wire.Parser) -> tuple[Any, bytes]:
    loop = asyncio.get_running_loop()

    async def more() -> None:
        try:
            parser.feed(await loop.sock_recv(exchange.socket, 65536))
        except ConnectionError:
            parser.feed(b"")

    while (head := parser.head()) is None:
        await more()
    body = []
    try:
        while (piece := parser.piece()) is not None:
            body.append(piece)
            if not piece:
                await more()
    except h11.RemoteProtocolError:
        if exchange.error is None:  # else the application has cut it short
            raise
    return head, b"".join(body)
