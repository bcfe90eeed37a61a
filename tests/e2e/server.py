"""Starts the end-to-end server (tests/drivers/e2e_server.c) and talks raw HTTP/1.1 to it."""

import contextlib
import json
import pathlib
import random
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import patience

# Sanitized builds on a busy machine are slow; nothing here waits this long in vain.


class Server:
    """A running server: its port, what it writes, and its end."""

    def __init__(self, build_dir: pathlib.Path, *options: str) -> None:
        program = build_dir / "tests" / "drivers" / "e2e_server"
        self.process = subprocess.Popen(
            [program, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.events: list[str] = []
        self.log: list[str] = []
        self._changed = threading.Condition()
        self._readers = [
            threading.Thread(target=self._collect, args=(self.process.stdout, self.events)),
            threading.Thread(target=self._collect, args=(self.process.stderr, self.log)),
        ]
        for reader in self._readers:
            reader.start()
        self.path: str | None = None
        if "--unix" in options:
            self.path = options[options.index("--unix") + 1]
        self.port = int(self.wait_event(r"port (\d+)")[1])
        self.host = options[options.index("--host") + 1] if "--host" in options else "127.0.0.1"

    def _collect(self, pipe, lines: list[str]) -> None:
        for line in pipe:
            with self._changed:
                lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _wait(self, lines: list[str], pattern: str, after: int) -> re.Match:
        deadline = time.monotonic() + patience.HANGS_S
        with self._changed:
            while True:
                for line in lines[after:]:
                    if match := re.search(pattern, line):
                        return match
                left = deadline - time.monotonic()
                running = any(reader.is_alive() for reader in self._readers)
                assert left > 0 and running, (
                    f"no line {pattern!r}; events: {self.events[-20:]}; log: {self.log[-20:]}"
                )
                self._changed.wait(min(left, 0.2))

    def wait_event(self, pattern: str, after: int = 0) -> re.Match:
        """The first line on its standard output that `pattern` is found in."""
        return self._wait(self.events, pattern, after)

    def wait_log(self, pattern: str, after: int = 0) -> re.Match:
        return self._wait(self.log, pattern, after)

    def _memory_kib(self, what: str) -> int:
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{what}:\s+(\d+)", status)[1])

    def peak_memory_kib(self) -> int:
        return self._memory_kib("VmHWM")

    def memory_kib(self) -> int:
        return self._memory_kib("VmRSS")

    def connect(self, **options) -> "Client":
        return Client(self, **options)

    def ask(self, request: bytes, **options) -> "Answer":
        """One request on a connection of its own."""
        with self.connect() as client:
            client.send(request)
            return client.answer(**options)

    def counters(self) -> dict:
        return self.ask(get("/counters")).json()

    def stop(self) -> None:
        """It must end in order; a sanitizer that found something ends it otherwise."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(patience.HANGS_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            for reader in self._readers:
                reader.join()
            self.process.stdout.close()
            self.process.stderr.close()
        assert self.process.returncode == 0, "\n".join(self.log[-50:])


@contextlib.contextmanager
def serving(build_dir: pathlib.Path, *options: str) -> Iterator[Server]:
    server = Server(build_dir, *options)
    try:
        yield server
    finally:
        server.stop()


def sanitized(build_dir: pathlib.Path) -> bool:
    """Whether memory figures of this build mean something else."""
    options = json.loads((build_dir / "meson-info" / "intro-buildoptions.json").read_text())
    return any(o["name"] == "b_sanitize" and o["value"] not in ("none", []) for o in options)


def get(path: str, *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    head = [f"{method} {path} HTTP/{version}", "Host: test.example", *fields]
    return "\r\n".join([*head, "", ""]).encode("latin-1")


def post(path: str, body: bytes, *fields: str, method: str = "POST") -> bytes:
    return get(path, f"Content-Length: {len(body)}", *fields, method=method) + body


def chunked(path: str, *pieces: bytes, trailers: bytes = b"", fields: tuple[str, ...] = ()) -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces)
    head = get(path, "Transfer-Encoding: chunked", *fields, method="POST")
    return head + body + b"0\r\n" + trailers + b"\r\n"


@dataclass
class Answer:
    status: int
    reason: str
    fields: list[tuple[str, str]]
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)
    complete: bool = True  # by its own framing, not by the end of the connection

    def get(self, name: str) -> str | None:
        values = [v for n, v in self.fields if n == name]
        assert len(values) <= 1, f"{name} repeated: {values}"
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)

    @property
    def closes(self) -> bool:
        return self.get("connection") == "close"


class Client:
    """One connection. Reads answers strictly: any byte out of place is an error."""

    def __init__(self, server: Server, rcvbuf: int = 0) -> None:
        if server.path is not None and server.port == 0:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(patience.HANGS_S)
            self.socket.connect(server.path)
        else:
            family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
            self.socket = socket.socket(family)
            self.socket.settimeout(patience.HANGS_S)
            if rcvbuf:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
            self.socket.connect((server.host, server.port))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.received = 0

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Ends the connection with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_pieces(self, data: bytes, cuts: list[int], pause_s: float = 0.0005) -> None:
        """So that the server most likely reads them one by one."""
        for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            self.socket.sendall(data[begin:end])
            time.sleep(pause_s)

    def finish_sending(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def _more(self) -> bool:
        data = self.socket.recv(65536)
        self.buffer += data
        self.received += len(data)
        return bool(data)

    def _line(self) -> bytes:
        while b"\r\n" not in self.buffer:
            assert self._more(), f"the connection ended within a line: {self.buffer[:200]!r}"
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        assert b"\r" not in line and b"\n" not in line, line
        return line

    def take(self, n: int) -> bytes:
        """Exactly `n` bytes, or fewer if the connection ends."""
        pieces, have = [self.buffer], len(self.buffer)
        while have < n:
            data = self.socket.recv(min(1 << 20, n - have) if n - have > 65536 else 65536)
            if not data:
                break
            self.received += len(data)
            pieces.append(data)
            have += len(data)
        whole = b"".join(pieces)
        self.buffer = whole[n:]
        return whole[:n]

    def rest(self) -> bytes:
        """All until the connection ends."""
        return self.take(1 << 62)

    def _fields(self) -> list[tuple[str, str]]:
        fields = []
        while line := self._line():
            name, colon, value = line.decode("latin-1").partition(": ")
            assert colon and re.fullmatch(r"[!#$%&'*+.^_`|~0-9a-z-]+", name), line
            fields.append((name, value))
        return fields

    def head(self) -> Answer:
        line = self._line().decode("latin-1")
        match = re.fullmatch(r"HTTP/1\.1 (\d{3}) ([ -~]*)", line)
        assert match, f"no status-line: {line!r}"
        return Answer(int(match[1]), match[2], self._fields())

    def _chunks(self, answer: Answer) -> None:
        pieces = []
        answer.complete = False
        try:
            while size := int(self._line(), 16):
                piece = self.take(size + 2)
                pieces.append(piece[:size])
                if len(piece) < size + 2:
                    return
                assert piece.endswith(b"\r\n")
            answer.trailers = self._fields()
            answer.complete = True
        except AssertionError:
            if self._more():
                raise
        finally:
            answer.body = b"".join(pieces)

    def answer(self, method: str = "GET") -> Answer:
        """The next answer; interim ones, which nobody asked for, are an error."""
        answer = self.head()
        length, coding = answer.get("content-length"), answer.get("transfer-encoding")
        assert length is None or coding is None
        if answer.status < 200 or answer.status == 204:
            assert length is None and coding is None  # RFC 9110, 8.6; RFC 9112, 6.1
        if method == "HEAD" or answer.status < 200 or answer.status in (204, 304):
            return answer
        if coding is not None:
            assert coding == "chunked"
            self._chunks(answer)
        elif length is not None:
            answer.body = self.take(int(length))
            answer.complete = len(answer.body) == int(length)
        else:
            answer.body = self.rest()
        return answer

    def ask(self, request: bytes, method: str = "GET") -> Answer:
        self.send(request)
        return self.answer(method)

    def at_end(self) -> bool:
        """The server has ended the connection, in order, and sent nothing more."""
        if self.buffer:
            return False
        return not self._more()

    def silent(self, seconds: float = 0.15) -> bool:
        """Nothing comes, and the connection stays open."""
        self.socket.settimeout(seconds)
        try:
            return not self.buffer and self._more() and False
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(patience.HANGS_S)


def random_cuts(rng: random.Random, n: int, most: int = 6) -> list[int]:
    return sorted(rng.sample(range(1, n), min(n - 1, rng.randint(1, most)))) if n > 1 else []
