"""The test's end of a connection: a request as bytes, the bytes of an answer as events.

What is sent is written here and not by h11, so that it is for the engine to judge what
a test sends; only what would end the field or the line is refused. The answer is parsed
by h11, strictly: what the engine writes must satisfy somebody else's parser."""

from __future__ import annotations

import re
import select
import socket

import h11

# RFC 9112, 2.2 and 5: none of these can be in a line.
LINE_END = re.compile(rb"[\r\n\0]")


class UnsendableRequest(ValueError):
    """What cannot be said in HTTP/1.1."""


def head_of(method: bytes, target: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
    lines = [b"%s %s HTTP/1.1" % (method, target)]
    lines += [b"%s: %s" % header for header in headers]
    for line in lines:
        if LINE_END.search(line):
            raise UnsendableRequest(f"a line break or NUL within {line!r}")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def framed(headers: list[tuple[bytes, bytes]], pieces: list[bytes]) -> bytes:
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


class Wire:
    """A connection on which one request is made."""

    def __init__(self, end: socket.socket, method: bytes, request: bytes) -> None:
        end.setblocking(False)
        self.socket = end
        self.received = 0  # bytes of the body
        self._outgoing = memoryview(request)
        # What h11 has to know of the request to understand the answer.
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 24)
        self._parser.send(h11.Request(method=method, target=b"/", headers=[(b"host", b"x")]))
        self._parser.send(h11.EndOfMessage())
        self._poll = select.poll()

    def response(self) -> h11.Response:
        """The head of the final answer."""
        while True:
            event = self._parser.next_event()
            if event is h11.NEED_DATA:
                self.move()
            elif isinstance(event, h11.Response):
                return event
            elif not isinstance(event, h11.InformationalResponse):
                raise h11.RemoteProtocolError("the connection ended before the answer")

    def data_at_hand(self) -> bytes | None:
        """The next piece of the body, b"" when more must come first, None at its end."""
        event = self._parser.next_event()
        if event is h11.NEED_DATA:
            return b""
        if isinstance(event, h11.Data):
            self.received += len(event.data)
            return bytes(event.data)
        return None

    def move(self) -> None:
        """Sends what can be sent, until something was received: both sides may be sending
        more than the other has taken yet."""
        while True:
            sending = select.POLLOUT if self._outgoing else 0
            self._poll.register(self.socket, select.POLLIN | sending)
            ready = self._poll.poll()[0][1]
            if ready & select.POLLOUT:
                self._send()
            if ready & ~select.POLLOUT:
                break
        try:
            self._parser.receive_data(self.socket.recv(65536))
        except ConnectionError:
            self._parser.receive_data(b"")

    def _send(self) -> None:
        try:
            self._outgoing = self._outgoing[self.socket.send(self._outgoing) :]
        except BlockingIOError:
            pass
        except ConnectionError:  # it wants no more of it; an answer may be there all the same
            self._outgoing = memoryview(b"")
