"""What replaces the transport of Starlette's TestClient: requests go through the engine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import h11
from starlette import testclient as stock

from fasterapi.testclient import _wire
from fasterapi.testclient._exchange import HttpExchange, runs_asyncio
from fasterapi.testclient._plans import plans_of
from fasterapi.testclient._websocket import EngineSession

httpx: Any = vars(stock)["httpx"]

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
# Set on requests whose whole answer is read at once: nobody need wait for the reader.
READ_AT_ONCE = "fasterapi.read_at_once"
StockTransport = stock._TestClientTransport


class EngineTransport(StockTransport):
    """As Starlette's, with the engine between the test and the application."""

    @classmethod
    def in_place_of(cls, transport: Any) -> EngineTransport:
        return cls(
            transport.app,
            transport.portal_factory,
            transport.raise_server_exceptions,
            transport.root_path,
            client=transport.client,
            app_state=transport.app_state,
        )

    def handle_request(self, request: Any) -> Any:
        if request.url.scheme in ("ws", "wss"):
            return self._upgrade(request)
        with contextlib.ExitStack() as stack:
            portal = stack.enter_context(self.portal_factory())
            if not runs_asyncio(portal):
                return super().handle_request(request)
            return self._through_engine(request, portal, stack)

    def _upgrade(self, request: Any) -> Any:
        try:
            return super().handle_request(request)
        except stock._Upgrade as upgrade:
            session = EngineSession(upgrade.session, request.url.raw_path, headers_of(request))
            raise stock._Upgrade(session) from None

    def _through_engine(self, request: Any, portal: Any, stack: contextlib.ExitStack) -> Any:
        method, headers = request.method.encode(), headers_of(request)
        with errors_of_httpx(httpx, request):
            head = _wire.head_of(method, request.url.raw_path, headers)
            body = _wire.framed(headers, _pieces_of(request))
        paced, plans = READ_AT_ONCE not in request.extensions, plans_of(self, self.app)
        exchange = HttpExchange(self.app, self._scope_of(request), plans, paced=paced)
        portal.call(exchange.open)
        answer = Answer(self, portal, exchange, _wire.Wire(exchange.socket, method, head + body))
        stack.push(answer.close)
        with errors_of_httpx(httpx, request):
            response = answer.wire.response()
        if exchange.entered and not exchange.started:
            portal.call(exchange.settle)
            if not exchange.started:
                return self._no_answer(request, exchange, stack)
        answer.exit_stack = stack.pop_all()
        self._open_requests.add(answer.abort)
        return _response_of(request, response, exchange, AnswerStream(answer, request))

    def _no_answer(self, request: Any, exchange: HttpExchange, stack: contextlib.ExitStack) -> Any:
        stack.close()  # raises what the application has raised
        if self.raise_server_exceptions:
            raise AssertionError("TestClient did not receive any response.")
        return httpx.Response(500, headers=[], stream=httpx.ByteStream(b""), request=request)

    def _scope_of(self, request: Any) -> dict[str, Any]:
        """What the scope says in place of the socket."""
        url = request.url
        port = url.port if url.port is not None else DEFAULT_PORTS[url.scheme]
        return {
            "scheme": url.scheme,
            "root_path": self.root_path,
            "client": self.client,
            "server": [url.raw_host.decode("ascii"), port],
            "state": self.app_state.copy(),
            "extensions": {"http.response.debug": {}, "http.response.trailers": {}},
        }


class Answer:
    """An answer that is being read, and what has to be closed behind it."""

    def __init__(
        self, transport: EngineTransport, portal: Any, exchange: HttpExchange, wire: _wire.Wire
    ) -> None:
        self.transport = transport
        self.portal = portal
        self.exchange = exchange
        self.wire = wire
        self.at_end = False  # nothing is left to read
        self.exit_stack: contextlib.ExitStack

    def pieces(self, request: Any) -> Iterator[bytes]:
        with errors_of_httpx(httpx, request):
            while (piece := self._next_piece()) is not None:
                if piece:
                    yield piece
        self.at_end = True
        self.exchange.want_all()
        if self.exchange.entered:
            self.exchange.finished.result()
        self.exit_stack.close()

    def _next_piece(self) -> bytes | None:
        try:
            piece = self.wire.piece()
            if piece == b"":
                if self.wire.received == self.exchange.bytes_sent:
                    self.exchange.want_more()
                self.wire.move()
        except h11.RemoteProtocolError as error:
            # Cut short, because the application raised: that is what the test is told.
            if self.exchange.error is not None:
                return None
            raise h11.RemoteProtocolError(" ".join([*self.exchange.reports, str(error)])) from error
        return piece

    def close(self, exc_type: type[BaseException] | None, *_: Any) -> None:
        """Ends the connection. The application is cancelled if the test has not seen the
        whole answer, and waited for; then what it raised is raised."""
        exchange = self.exchange
        if not self.at_end and not exchange.is_complete(self.wire.received):
            self.portal.call(exchange.break_off)
        exchange.want_all()
        if exchange.entered:
            exchange.finished.result()
        self.portal.call(exchange.close)
        self.transport._open_requests.discard(self.abort)
        raising = exc_type is None and self.transport.raise_server_exceptions
        if raising and exchange.error is not None:
            raise exchange.error

    def abort(self) -> None:
        self.portal.call(self.exchange.break_off)
        self.exit_stack.close()


class AnswerStream(httpx.SyncByteStream):  # type: ignore[misc]  # of the httpx that is there
    def __init__(self, answer: Answer, request: Any) -> None:
        self._pieces = answer.pieces(request)
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        self._answer.exit_stack.close()


def headers_of(request: Any) -> list[tuple[bytes, bytes]]:
    """As Starlette's client puts them into the scope."""
    headers = [] if "host" in request.headers else [(b"host", request.url.netloc)]
    return headers + [(k.encode(), v.encode()) for k, v in request.headers.multi_items()]


def _pieces_of(request: Any) -> list[bytes]:
    """The body as it was given; kept, so that it can be sent again after a redirect."""
    pieces = list(request.stream)
    if not isinstance(request.stream, httpx.ByteStream):
        request.stream = httpx.ByteStream(b"".join(pieces))
    request.read()
    return pieces


@contextlib.contextmanager
def errors_of_httpx(httpx: Any, request: Any) -> Iterator[None]:
    try:
        yield
    except _wire.UnsendableRequest as error:
        raise httpx.LocalProtocolError(str(error), request=request) from error
    except h11.RemoteProtocolError as error:
        raise httpx.RemoteProtocolError(str(error), request=request) from error


def fields_of(head: _wire.Head, exchange: HttpExchange) -> _wire.Headers:
    """Those that the application has set; all of an answer of the engine's own."""
    fields = head.headers.raw_items()
    if not exchange.entered:
        return fields
    return _wire.without_framing(fields, exchange.header_names)


def _response_of(request: Any, head: _wire.Head, exchange: HttpExchange, stream: Any) -> Any:
    headers = fields_of(head, exchange)
    response = httpx.Response(head.status_code, headers=headers, stream=stream, request=request)
    if exchange.trailers is not None:
        response.extensions["http.response.trailers"] = exchange.trailers
    debug = exchange.debug_info
    if debug is not None:
        response.extensions["http.response.debug"] = debug
        for name in ("template", "context"):
            if name in debug:
                setattr(response, name, debug[name])
    return response
