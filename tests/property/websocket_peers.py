"""Other people's WebSockets without sockets, and ours, all with the same face.

Each end turns bytes into a list of events: ("text", bytes), ("binary", bytes),
("ping", bytes), ("pong", bytes), ("close", code, reason), ("fail", code). What it sends,
answers to pings and Close frames included, is in `output()`.
"""

import dataclasses
import pathlib
import subprocess

import patience
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Opcode
from websockets.protocol import OPEN, Protocol, Side
import wsproto.connection
import wsproto.events
import wsproto.extensions

NO_STATUS = 1005


@dataclasses.dataclass(frozen=True)
class Deflate:
    """What was agreed on; RFC 7692, 7.1."""

    server_resets: bool
    client_resets: bool
    server_bits: int
    client_bits: int

    def word(self) -> str:
        resets = f"{int(self.server_resets)}{int(self.client_resets)}"
        return f"{resets}-{self.server_bits}-{self.client_bits}"


class Ours:
    """tests/drivers/websocket_driver.c"""

    def __init__(self, build_dir: pathlib.Path):
        self.process = subprocess.Popen(
            [build_dir / "tests" / "drivers" / "websocket_driver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.written = b""
        self.events: list[tuple] = []

    def begin(self, role: str, deflate: Deflate | None, fragment: int = 0) -> None:
        self.command(f"deflate {deflate.word() if deflate else '00-0-0'}")
        self.command(f"new {role} {fragment}")
        self.written, self.events = b"", []

    def command(self, line: str) -> None:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the driver died"
        output, _, events = answer.rstrip("\n").partition(" ")
        self.written += bytes.fromhex(output.replace("-", ""))
        for event in filter(None, events.split(";")):
            name, *rest = event.split()
            data = bytes.fromhex(rest[-1].replace("-", ""))
            if name == "fail":
                self.events.append((name, int(rest[0])))
            elif name == "close":
                self.events.append((name, int(rest[0]), data))
            else:
                self.events.append((name, data))

    def feed(self, data: bytes) -> None:
        if data:
            self.command(f"feed {data.hex()}")

    def send(self, kind: str, data: bytes) -> None:
        self.command(f"{kind} {data.hex() or '-'}")

    def close(self, code: int, reason: bytes) -> None:
        self.command(f"close {code} {reason.hex() or '-'}")

    def output(self) -> bytes:
        written, self.written = self.written, b""
        return written

    def end(self) -> None:
        self.process.stdin.close()
        assert self.process.wait(patience.HANGS_S) == 0
        self.process.stdout.close()


class Websockets:
    """websockets' Protocol hands out frames; put together here."""

    def __init__(self, role: str, deflate: Deflate | None):
        side = Side.SERVER if role == "server" else Side.CLIENT
        self.protocol = Protocol(side, state=OPEN, max_size=16 << 20)
        if deflate:
            ours = (deflate.server_resets, deflate.server_bits)
            theirs = (deflate.client_resets, deflate.client_bits)
            if role == "client":
                ours, theirs = theirs, ours
            self.protocol.extensions = [PerMessageDeflate(theirs[0], ours[0], theirs[1], ours[1])]
        self.events: list[tuple] = []
        self.parts: list[bytes] = []
        self.kind = ""

    def feed(self, data: bytes) -> None:
        self.protocol.receive_data(data)
        for frame in self.protocol.events_received():
            self.take(frame)
        if self.protocol.parser_exc and ("fail",) != tuple(e[0] for e in self.events[-1:]):
            self.events.append(("fail", int(self.protocol.close_sent.code)))

    def take(self, frame) -> None:
        data = bytes(frame.data)
        match frame.opcode:
            case Opcode.PING:
                self.events.append(("ping", data))
            case Opcode.PONG:
                self.events.append(("pong", data))
            case Opcode.CLOSE:
                received = self.protocol.close_rcvd
                self.events.append(("close", received.code, received.reason.encode()))
            case _:
                if frame.opcode is not Opcode.CONT:
                    self.kind = "text" if frame.opcode is Opcode.TEXT else "binary"
                    self.parts = []
                self.parts.append(data)
                if frame.fin:
                    self.events.append((self.kind, b"".join(self.parts)))

    def send(self, kind: str, data: bytes) -> None:
        getattr(self.protocol, f"send_{kind}")(data)

    def close(self, code: int, reason: bytes) -> None:
        if code == NO_STATUS:
            self.protocol.send_close()
        else:
            self.protocol.send_close(code, reason.decode())

    def output(self) -> bytes:
        return b"".join(self.protocol.data_to_send())


class Wsproto:
    """wsproto hands out parts of messages and leaves pongs to its user."""

    def __init__(self, role: str, deflate: Deflate | None):
        extensions = []
        if deflate:
            extension = wsproto.extensions.PerMessageDeflate(
                client_no_context_takeover=deflate.client_resets,
                server_no_context_takeover=deflate.server_resets,
                client_max_window_bits=deflate.client_bits,
                server_max_window_bits=deflate.server_bits,
            )
            extension.finalize("permessage-deflate")
            extensions = [extension]
        kind = wsproto.connection.SERVER if role == "server" else wsproto.connection.CLIENT
        self.connection = wsproto.connection.Connection(kind, extensions)
        self.events: list[tuple] = []
        self.parts: list[bytes] = []
        self.written = b""

    def feed(self, data: bytes) -> None:
        self.connection.receive_data(data)
        for event in self.connection.events():
            self.take(event)

    def take(self, event) -> None:
        match event:
            case wsproto.events.Ping():
                self.events.append(("ping", bytes(event.payload)))
                if self.connection.state is wsproto.connection.ConnectionState.OPEN:
                    self.written += self.connection.send(event.response())
            case wsproto.events.Pong():
                self.events.append(("pong", bytes(event.payload)))
            case wsproto.events.CloseConnection():
                state, code = self.connection.state, int(event.code)
                if state is wsproto.connection.ConnectionState.OPEN:  # not the peer's
                    self.events.append(("fail", code))
                    return
                self.events.append(("close", code, (event.reason or "").encode()))
                if state is wsproto.connection.ConnectionState.REMOTE_CLOSING:
                    self.written += self.connection.send(event.response())
            case wsproto.events.TextMessage() | wsproto.events.BytesMessage():
                text = isinstance(event, wsproto.events.TextMessage)
                self.parts.append(event.data.encode() if text else bytes(event.data))
                if event.message_finished:
                    self.events.append(("text" if text else "binary", b"".join(self.parts)))
                    self.parts = []

    def send(self, kind: str, data: bytes) -> None:
        event = {
            "text": lambda: wsproto.events.TextMessage(data=data.decode()),
            "binary": lambda: wsproto.events.BytesMessage(data=data),
            "ping": lambda: wsproto.events.Ping(payload=data),
            "pong": lambda: wsproto.events.Pong(payload=data),
        }[kind]()
        self.written += self.connection.send(event)

    def close(self, code: int, reason: bytes) -> None:
        event = wsproto.events.CloseConnection(code=code, reason=reason.decode() or None)
        self.written += self.connection.send(event)

    def output(self) -> bytes:
        written, self.written = self.written, b""
        return written


PEERS = {"websockets": Websockets, "wsproto": Wsproto}
