"""A WebSocket client that sends what it is told to, right or wrong, and keeps what came."""

import contextlib
import dataclasses
import socket
import struct
import zlib

import peers

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455, 1.3
MASK = b"\x11\x22\x33\x44"
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
EOF = "eof"  # a step: the client goes


def head(target: str, *fields: str, **changed: str | None) -> bytes:
    """A handshake. Fields of its own are changed by name, with _ for -, or left out."""
    own = {
        "Host": "test",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
    }
    method, version = changed.pop("method", "GET"), changed.pop("version", "1.1")
    own |= {name.replace("_", "-"): value for name, value in changed.items()}
    lines = [f"{name}: {value}" for name, value in own.items() if value is not None]
    request = [f"{method} {target} HTTP/{version}", *lines, *fields]
    return "\r\n".join(request).encode("latin-1") + b"\r\n\r\n"


def masked(payload: bytes) -> bytes:
    repeated = MASK * (len(payload) // 4 + 1)
    number = int.from_bytes(payload, "big") ^ int.from_bytes(repeated[: len(payload)], "big")
    return number.to_bytes(len(payload), "big")


def frame(opcode: int, payload: bytes = b"", fin: bool = True, rsv: int = 0, mask: bool = True) -> bytes:
    first = fin << 7 | rsv << 4 | opcode
    size, bit = len(payload), mask << 7
    if size < 126:
        start = struct.pack("!BB", first, bit | size)
    elif size < 65536:
        start = struct.pack("!BBH", first, bit | 126, size)
    else:
        start = struct.pack("!BBQ", first, bit | 127, size)
    return start + (MASK + masked(payload) if mask else payload)


def closing(code: int | None = 1000, reason: bytes = b"") -> bytes:
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def deflated(data: bytes) -> bytes:
    """A whole message (RFC 7692, 7.2.1), with a window that everybody has."""
    engine = zlib.compressobj(wbits=-9)
    return (engine.compress(data) + engine.flush(zlib.Z_SYNC_FLUSH))[:-4]


@dataclasses.dataclass
class Conversation:
    answer: peers.Answer
    frames: list[tuple[bool, int, int, bytes]]  # fin, reserved bits, opcode, payload


def read_frame(reader: peers.Reader) -> tuple[bool, int, int, bytes] | None:
    start = reader.exactly(2)
    if len(start) < 2:
        return None
    size = start[1] & 0x7F
    if size > 125:
        size = int.from_bytes(reader.exactly(2 if size == 126 else 8), "big")
    payload = reader.exactly(size)
    return bool(start[0] & 0x80), start[0] >> 4 & 7, start[0] & 15, payload


def answer_of(reader: peers.Reader, method: str) -> peers.Answer:
    """Of a handshake: a 101 has no body, whatever comes behind it."""
    first = reader.until(b"\r\n\r\n")
    if first is None:
        return peers.Answer([], None, "", [], bytes(reader.left), False)
    reader.left[:0] = first + b"\r\n\r\n"
    if first.startswith(b"HTTP/1.1 101 "):
        method = "HEAD"
    return peers.answer_of(reader, method)


def converse(s: socket.socket, request: bytes, steps: list) -> Conversation:
    """Each step is bytes to send, a number of frames to read before the next one, or EOF.
    In the end everything is read until the server closes; its Close is answered."""
    s.sendall(request)
    reader = peers.Reader(s)
    found = Conversation(answer_of(reader, request.split(b" ")[0].decode()), [])
    for step in steps if found.answer.status == 101 else ():
        if isinstance(step, bytes):
            s.sendall(step)
        elif step == EOF:
            s.close()
            return found
        else:
            for _ in range(step):
                found.frames.append(read_frame(reader))
    while found.answer.status == 101:
        last = read_frame(reader)
        if last is None:
            break
        found.frames.append(last)
        if last[2] == CLOSE:  # or the server would wait for it
            with contextlib.suppress(OSError):
                s.sendall(frame(CLOSE, last[3]))
    return found
