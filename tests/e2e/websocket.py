"""Frames of RFC 6455 by hand, for what a client library would not send, and read strictly."""

import base64
import os
import pathlib
import socket
import struct
import subprocess
import time
from dataclasses import dataclass

import patience
from server import Answer, Client, Server, get

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True) -> bytes:
    head = bytes([opcode | (0x80 if fin else 0)])
    mask_bit = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([len(payload) | mask_bit])
    elif len(payload) < 65536:
        head += bytes([126 | mask_bit]) + struct.pack("!H", len(payload))
    else:
        head += bytes([127 | mask_bit]) + struct.pack("!Q", len(payload))
    if not masked:
        return head + payload
    key = os.urandom(4)
    mask = (key * (len(payload) // 4 + 1))[: len(payload)]
    n = int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")
    return head + key + n.to_bytes(len(payload), "big")


def close(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason)


def handshake(path: str, *fields: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    return get(
        path, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}", *fields,
    )  # fmt: skip


@dataclass
class Frame:
    opcode: int
    payload: bytes

    @property
    def code(self) -> int:
        return struct.unpack("!H", self.payload[:2])[0]


class RawWebSocket:
    """A client without manners. `early` goes out in one piece with the request."""

    def __init__(
        self, server: Server, path: str, *fields: str, early: bytes = b"", rcvbuf: int = 0
    ) -> None:
        self.client = Client(server, rcvbuf)
        self.client.send(handshake(path, *fields) + early)
        self.answer: Answer = self.client.head()
        assert self.answer.status == 101, self.answer

    def __enter__(self) -> "RawWebSocket":
        return self

    def __exit__(self, *_) -> None:
        self.client.close()

    def send(self, data: bytes) -> None:
        self.client.send(data)

    def read(self) -> Frame:
        """The next frame: whole, unmasked, no reserved bits."""
        head = self.client.take(2)
        assert len(head) == 2, "the connection ended"
        assert head[0] & 0xF0 == 0x80 and not head[1] & 0x80, head
        n = head[1]
        if n == 126:
            n = struct.unpack("!H", self.client.take(2))[0]
        elif n == 127:
            n = struct.unpack("!Q", self.client.take(8))[0]
        payload = self.client.take(n)
        assert len(payload) == n, "the connection ended within a frame"
        return Frame(head[0] & 0x0F, payload)

    def at_end(self) -> bool:
        return self.client.at_end()


def start_echo(build_dir: pathlib.Path) -> tuple[subprocess.Popen, str]:
    """The example program, on a port that was free, and its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = [build_dir / "examples" / "echo", str(port)]
    server = subprocess.Popen(program, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + patience.HANGS_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return server, f"ws://127.0.0.1:{port}"
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.02)
    server.kill()
    raise SystemExit(f"{server.args[0]} does not listen on port {port}")
