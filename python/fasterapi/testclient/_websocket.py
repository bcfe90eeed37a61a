"""WebSocket sessions of a test, in bytes (RFC 6455) through the engine."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import socket
from typing import TYPE_CHECKING, Any, Self

import anyio
import h11
from starlette import testclient as stock

from fasterapi.testclient import _wire
from fasterapi.testclient._exchange import Exchange, Message, Receive, Send, runs_asyncio
from fasterapi.testclient._why import WEBSOCKET

if TYPE_CHECKING:
    from websockets.protocol import Protocol

KEY = b"sec-websocket-key"
# RFC 6455, 4.2.2: what the answer to a handshake has for itself.
OF_THE_HANDSHAKE = {b"upgrade", b"connection", b"sec-websocket-accept", b"sec-websocket-protocol"}
NO_STATUS, ABNORMAL = 1005, 1006  # RFC 6455, 7.4.1: never in a Close frame


class WebSocketExchange(Exchange):
    """One session. `headers` are those of the test, where the handshake needed others."""

    def __init__(self, app: Any, scope: dict[str, Any], headers: _wire.Headers) -> None:
        super().__init__(app, scope, WEBSOCKET)
        self.given_headers = headers
        self.accepted_headers: Any = None
        self.header_names: set[bytes] = set()  # of the application's answer, if it refused
        self.refused: Message | None = None  # its websocket.close before it accepted
        self.denied = False  # with an answer of its own
        self.closed = False  # by the application
        self._accepted = False
        self._receiving = 0
        self._disconnected = False
        self._received = asyncio.Event()

    def fit_scope(self, scope: dict[str, Any]) -> None:
        super().fit_scope(scope)
        names = {name for name, _ in self.given_headers}
        key = dict(self.given_headers).get(KEY)
        scope["headers"] = [
            (name, key if name == KEY else value) for name, value in scope["headers"] if name in names
        ]

    def watch_receive(self, receive: Receive) -> Receive:
        async def watched() -> Message:
            self._receiving += 1
            try:
                message = await receive()
            finally:
                self._receiving -= 1
                self._received.set()
            self._disconnected |= message["type"] == "websocket.disconnect"
            return message

        return watched

    def watch_send(self, send: Send) -> Send:
        async def watched(message: Message) -> None:
            self._note(message)
            await send(message)

        return watched

    def _note(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            self._accepted = True
            self.accepted_headers = message.get("headers")
        elif kind == "websocket.close":
            self.closed = True
            if not self._accepted:
                self.refused = message
        elif kind == "websocket.http.response.start":
            self.denied = True
            self.header_names = {bytes(name).lower() for name, _ in message["headers"]}

    async def settle(self) -> None:
        """Cancels the application, once it has got what it was waiting for: the end of
        the session is on its way to it."""
        while self._receiving and not self._disconnected and not self.finished.done():
            self._received.clear()
            await self._received.wait()
        await asyncio.sleep(0)
        await self.break_off()


class EngineSession(stock.WebSocketTestSession):
    """As Starlette's, with the engine between the test and the application."""

    def __init__(self, given: Any, target: bytes, headers: _wire.Headers) -> None:
        super().__init__(given.app, given.scope, given.portal_factory)
        self._target = target
        self._headers = headers
        self._exchange: WebSocketExchange | None = None
        self._wire: _wire.Wire
        self._protocol: Protocol
        self._messages: list[Message] = []  # received, and not yet taken
        self._fragments: list[bytes] = []
        self._kind = "text"  # of the message that has begun
        self._ended = False  # no more will come

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.portal = portal = stack.enter_context(self.portal_factory())
            if not runs_asyncio(portal):
                return super().__enter__()
            self._protocol = _protocol()
            self._exchange = exchange = WebSocketExchange(self.app, self._given(), self._headers)
            portal.call(exchange.open)
            stack.callback(self._finish)
            self._shake_hands()
            stack.callback(self.close, 1000)
            self.exit_stack = stack.pop_all()
            return self

    def _exchange_of(self) -> WebSocketExchange:
        assert self._exchange is not None
        return self._exchange

    def _given(self) -> dict[str, Any]:
        kept = ("scheme", "root_path", "client", "server", "state", "extensions")
        return {name: self.scope[name] for name in kept}

    def _shake_hands(self) -> None:
        exchange = self._exchange_of()
        # Starlette's client has a key of its own making, and no Upgrade.
        key = base64.b64encode(os.urandom(16))
        headers = [(k, key if k == KEY else v) for k, v in self._headers if k != b"upgrade"]
        headers.append((b"upgrade", b"websocket"))
        request = _wire.head_of(b"GET", self._target, headers)
        self._wire = _wire.Wire(exchange.socket, b"GET", request, upgrade=True)
        try:
            head = self._wire.response()
        except h11.RemoteProtocolError as error:
            raise anyio.EndOfStream from error
        if head.status_code == 101:
            fields = dict(head.headers)
            protocol = fields.get(b"sec-websocket-protocol")
            accepted: Any = protocol.decode() if protocol is not None else None
            self.accepted_subprotocol = accepted
            self.extra_headers = exchange.accepted_headers
            if early := self._wire.behind_head():
                self._take(early)
        else:
            self._raise_refused(exchange, head)

    def _raise_refused(self, exchange: WebSocketExchange, head: _wire.Head) -> None:
        if exchange.refused is not None:
            self._raise_on_close(exchange.refused)
        if exchange.entered and not exchange.denied:
            raise anyio.EndOfStream  # it has ended without a word; _finish() tells why
        body = self._wire.body()
        fields = head.headers.raw_items()
        if exchange.entered:
            fields = _wire.without_framing(fields, exchange.header_names)
        raise stock.WebSocketDenialResponse(head.status_code, headers=fields, content=body)

    def _finish(self) -> None:
        exchange = self._exchange_of()
        self.portal.call(exchange.settle)
        if exchange.entered:
            exchange.finished.result()
        self.portal.call(exchange.close)
        if exchange.error is not None:
            raise exchange.error

    # ---- messages ----

    def send(self, message: Any) -> None:
        if self._exchange is None:
            super().send(message)
        elif message["type"] == "websocket.receive":
            self._send_data(message)
        elif message["type"] == "websocket.disconnect":
            self._send_close(message.get("code", 1000), message.get("reason") or "")
        else:
            raise RuntimeError(f"a client sends no {message['type']}")

    def _send_data(self, message: Any) -> None:
        if not self._is_open():
            return  # as to a connection whose other end has gone: nobody reads it
        if message.get("text") is not None:
            self._protocol.send_text(message["text"].encode())
        else:
            self._protocol.send_binary(message["bytes"])
        self._flush()

    def _send_close(self, code: int, reason: str) -> None:
        if not self._is_open():
            return
        if code == ABNORMAL:
            self._exchange_of().socket.shutdown(socket.SHUT_RDWR)
            return
        self._protocol.send_close(None if code == NO_STATUS else code, reason)
        self._flush()

    def receive(self) -> Any:
        if self._exchange is None:
            return super().receive()
        while not self._messages:
            if self._ended:
                raise anyio.EndOfStream
            self._take(self._wire.duplex.receive())
        return self._messages.pop(0)

    # ---- bytes ----

    def _is_open(self) -> bool:
        return self._protocol.state.name == "OPEN"

    def _flush(self) -> None:
        duplex = self._wire.duplex
        for data in self._protocol.data_to_send():
            duplex.outgoing += data
        while duplex.outgoing:
            received = duplex.step()
            if received is not None:
                self._take(received)

    def _take(self, received: bytes) -> None:
        if not received:
            self._ended = True
            return
        self._protocol.receive_data(received)
        for frame in self._protocol.events_received():
            self._take_frame(frame)
        if self._protocol.parser_exc is not None:
            raise RuntimeError("the engine broke the protocol") from self._protocol.parser_exc
        self._flush()  # a pong, or the answer to a Close

    def _take_frame(self, frame: Any) -> None:
        kind = frame.opcode.name
        if kind == "CLOSE":
            self._take_close()
        elif kind in ("TEXT", "BINARY", "CONT"):
            if kind != "CONT":
                self._kind = "text" if kind == "TEXT" else "bytes"
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                data: Any = b"".join(self._fragments)
                self._fragments.clear()
                if self._kind == "text":
                    data = data.decode()
                self._messages.append({"type": "websocket.send", self._kind: data})

    def _take_close(self) -> None:
        exchange, close = self._exchange_of(), self._protocol.close_rcvd
        assert close is not None
        self._ended = True
        if not exchange.closed and exchange.finished.done() and exchange.error is not None:
            return  # the engine's word for it: the test is told by the exception itself
        message = {"type": "websocket.close", "code": close.code, "reason": close.reason}
        self._messages.append(message)


def _protocol() -> Protocol:
    try:
        from websockets.protocol import CLIENT, OPEN, Protocol
    except ImportError:
        raise RuntimeError(
            "WebSockets of fasterapi.testclient need websockets: pip install websockets"
        ) from None
    return Protocol(CLIENT, state=OPEN, max_size=None)
