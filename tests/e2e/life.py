"""The life_server driver as a process, and clients that count."""

import contextlib
import pathlib
import re
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator

import patience


def sanitized(build_dir: pathlib.Path) -> bool:
    """Sanitizers keep freed memory: figures of memory mean nothing then."""
    return "-fsanitize=" in (build_dir / "build.ninja").read_text()


class Server:
    """A running life_server."""

    def __init__(self, process: subprocess.Popen, port: int):
        self.process = process
        self.port = port
        self.output = ""
        self.errors = ""

    def connect(self, timeout: float = patience.HANGS_S) -> "Client":
        return Client(self.port, timeout)

    def get(self, target: str = "/") -> tuple[int, bytes]:
        with self.connect() as client:
            return client.ask(get(target))

    def counters(self) -> dict[str, int]:
        import json

        return json.loads(self.get("/counters")[1])

    def wait_for(self, done: Callable[[dict[str, int]], bool]) -> None:
        patience.until(lambda: done(self.counters()), self.counters)

    def _proc(self, name: str) -> pathlib.Path:
        return pathlib.Path(f"/proc/{self.process.pid}/{name}")

    def descriptors(self) -> int:
        return len(list(self._proc("fd").iterdir()))

    def rss_kib(self) -> int:
        return int(re.search(r"VmRSS:\s+(\d+)", self._proc("status").read_text())[1])

    def catches(self, number: int) -> bool:
        caught = re.search(r"SigCgt:\s+([0-9a-f]+)", self._proc("status").read_text())[1]
        return bool(int(caught, 16) >> (number - 1) & 1)

    def cpu_seconds(self) -> float:
        fields = self._proc("stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def tell(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def end(self, seconds: float = patience.HANGS_S) -> int:
        """Waits; returns what fa_server_run() returned."""
        try:
            self.output, self.errors = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        # A sanitizer that found something ends the program with its own status.
        assert self.process.returncode == 0, self.errors
        return int(re.search(r"returned (-?\d+)", self.output)[1])


@contextlib.contextmanager
def serving(
    build_dir: pathlib.Path,
    *arguments: str,
    descriptors: int = 4096,
    stderr=subprocess.DEVNULL,
    before: Callable[[], None] | None = None,
    **limits: int,
) -> Iterator[Server]:
    """A server with these limits; it must end in order, without a sanitizer's report."""

    def prepare() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
        if before is not None:
            before()

    options = [f"--limit={name}={value}" for name, value in limits.items()]
    log = subprocess.PIPE if sanitized(build_dir) and stderr == subprocess.DEVNULL else stderr
    process = subprocess.Popen(
        [build_dir / "tests" / "drivers" / "life_server", *options, *arguments],
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        preexec_fn=prepare,
    )
    line = process.stdout.readline()
    server = Server(process, int(line.split()[1]) if line.startswith("ready") else 0)
    try:
        assert server.port != 0, process.communicate()[1]
        # It says so before it runs: a signal until then would simply end it.
        while not server.catches(signal.SIGTERM):
            time.sleep(0.001)
        yield server
        if process.poll() is None:
            server.tell()
            server.end()
        assert process.returncode == 0, server.errors
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def get(target: str = "/", *fields: str) -> bytes:
    lines = [f"GET {target} HTTP/1.1", "host: x", *fields, "", ""]
    return "\r\n".join(lines).encode()


def post(target: str, body: bytes, *fields: str) -> bytes:
    lines = [f"POST {target} HTTP/1.1", "host: x", f"content-length: {len(body)}", *fields]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(target: str, *pieces: bytes) -> bytes:
    head = f"POST {target} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    return head.encode() + b"".join(pieces)


class Closed(Exception):
    """The server has closed before an answer, or in the middle of one."""


class Client:
    """One connection."""

    def __init__(self, port: int, timeout: float = patience.HANGS_S):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.buffer = b""
        self.fields: dict[str, str] = {}

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def _more(self) -> None:
        try:
            piece = self.socket.recv(1 << 16)
        except ConnectionError as e:
            raise Closed(e) from e
        if not piece:
            raise Closed(f"after {self.buffer[:200]!r}")
        self.buffer += piece

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            self._more()
        line, _, self.buffer = self.buffer.partition(mark)
        return line

    def _exactly(self, n: int) -> bytes:
        while len(self.buffer) < n:
            self._more()
        piece, self.buffer = self.buffer[:n], self.buffer[n:]
        return piece

    def read(self) -> tuple[int, bytes]:
        """The next answer: status and body."""
        head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        self.fields = {
            name.lower(): value.strip() for name, _, value in (x.partition(":") for x in head[1:])
        }
        status = int(head[0].split()[1])
        if "content-length" in self.fields:
            return status, self._exactly(int(self.fields["content-length"]))
        pieces = []
        while self.fields.get("transfer-encoding") == "chunked":
            size = int(self._until(b"\r\n"), 16)
            pieces.append(self._exactly(size))
            assert self._exactly(2) == b"\r\n"
            if size == 0:
                break
        return status, b"".join(pieces)

    def ask(self, request: bytes) -> tuple[int, bytes]:
        # A server that refuses may close while the request is still on its way.
        with contextlib.suppress(ConnectionError):
            self.send(request)
        return self.read()

    def closed_within(self, seconds: float = patience.HANGS_S) -> bool:
        """Nothing more comes, and the server closes."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1) == b""
        except TimeoutError:
            return False
        except ConnectionError:
            return True

    def reset(self) -> None:
        """Closes as a client that crashes: RST instead of FIN."""
        import struct

        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
