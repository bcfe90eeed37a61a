"""The test's end of a connection: a request as bytes, the bytes of an answer as events.

What is sent is written here and not by h11, so that it is for the engine to judge what
a test sends; only what would end the field or the line is refused. The answer is parsed
by h11, strictly: what the engine writes must satisfy somebody else's parser."""

from __future__ import annotations

import re
import select
import socket
from typing import Any

import h11

# RFC 9112, 2.2 and 5: none of these can be in a line.
LINE_END = re.compile(rb"[\r\n\0]")


# What frames an answer on the wire, or tells of the server: no matter of the application,
# unless it has set it.
FRAMING = {b"connection", b"content-length", b"date", b"server", b"transfer-encoding"}

Headers = list[tuple[bytes, bytes]]
Head = h11.Response | h11.InformationalResponse  # the latter with status 101


class UnsendableRequest(ValueError):
    """What cannot be said in HTTP/1.1."""


def head_of(method: bytes, target: bytes, headers: Headers) -> bytes:
    lines = [b"%s %s HTTP/1.1" % (method, target)]
    lines += [b"%s: %s" % header for header in headers]
    for line in lines:
        if LINE_END.search(line):
            raise UnsendableRequest(f"a line break or NUL within {line!r}")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def framed(headers: Headers, pieces: list[bytes]) -> bytes:
    """The body as the headers announce it."""
    fields = {name.lower(): value for name, value in headers}
    if b"chunked" in fields.get(b"transfer-encoding", b"").lower():
        chunks = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece]
        return b"".join(chunks) + b"0\r\n\r\n"
    body = b"".join(pieces)
    announced = fields.get(b"content-length", b"0")
    if announced.isdigit() and len(body) != int(announced):
        raise UnsendableRequest(
            f"Content-Length is {int(announced)}, the body has {len(body)} bytes"
        )
    return body


def without_framing(headers: Headers, set_by_application: set[bytes]) -> Headers:
    hidden = FRAMING - set_by_application
    return [(name, value) for name, value in headers if name.lower() not in hidden]


class Duplex:
    """A socket that is read while it is written to: both sides may be sending more than
    the other has taken yet."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self.outgoing = bytearray()
        self._socket = end
        self._poll = select.poll()

    def step(self) -> bytes | None:
        """Waits until something could be sent or received; what was received, b"" at the
        end of the connection."""
        writable = select.POLLOUT if self.outgoing else 0
        self._poll.register(self._socket, select.POLLIN | writable)
        ready = self._poll.poll()[0][1]
        if ready & select.POLLOUT:
            self._send()
        if not ready & ~select.POLLOUT:
            return None
        try:
            return self._socket.recv(65536)
        except ConnectionError:
            return b""

    def receive(self) -> bytes:
        while (data := self.step()) is None:
            pass
        return data

    def _send(self) -> None:
        try:
            del self.outgoing[: self._socket.send(self.outgoing)]
        except BlockingIOError:
            pass
        except ConnectionError:  # it wants no more of it; an answer may be there all the same
            self.outgoing.clear()


class Parser:
    """The answer to one request."""

    def __init__(self, method: bytes, *, upgrade: bool = False) -> None:
        self.received = 0  # bytes of the body
        # What h11 has to know of the request to understand the answer.
        fields = [(b"host", b"x")]
        if upgrade:
            fields += [(b"connection", b"upgrade"), (b"upgrade", b"websocket")]
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 24)
        self._h11.send(h11.Request(method=method, target=b"/", headers=fields))
        self._h11.send(h11.EndOfMessage())

    def feed(self, data: bytes) -> None:
        """b"" at the end of the connection."""
        self._h11.receive_data(data)

    def head(self) -> Head | None:
        """That of the final answer, of status 101 after an upgrade; None when more must
        come first."""
        while True:
            event: Any = self._h11.next_event()
            if event is h11.NEED_DATA:
                return None
            if isinstance(event, h11.Response) or getattr(event, "status_code", 0) == 101:
                final: Head = event
                return final
            if not isinstance(event, h11.InformationalResponse):
                raise h11.RemoteProtocolError("the connection ended before the answer")

    def piece(self) -> bytes | None:
        """What is there of the body, b"" when more must come first, None at its end."""
        event = self._h11.next_event()
        if event is h11.NEED_DATA:
            return b""
        if isinstance(event, h11.Data):
            self.received += len(event.data)
            return bytes(event.data)
        return None

    def behind_head(self) -> bytes:
        """What came with the answer to an upgrade, of what follows it."""
        return self._h11.trailing_data[0]


class Wire(Parser):
    """A connection on which one request is made."""

    def __init__(
        self, end: socket.socket, method: bytes, request: bytes, *, upgrade: bool = False
    ) -> None:
        super().__init__(method, upgrade=upgrade)
        self.duplex = Duplex(end)
        self.duplex.outgoing += request

    def response(self) -> Head:
        while (head := self.head()) is None:
            self.move()
        return head

    def body(self) -> bytes:
        """The rest of it."""
        pieces = []
        while (piece := self.piece()) is not None:
            pieces.append(piece)
            if not piece:
                self.move()
        return b"".join(pieces)

    def move(self) -> None:
        self.feed(self.duplex.receive())
