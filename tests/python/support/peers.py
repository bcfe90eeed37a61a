"""Servers in processes of their own, and a client that keeps what it was told."""

import collections
import contextlib
import dataclasses
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import sys

import patience

HERE = pathlib.Path(__file__).resolve().parent
APPS = HERE.parent / "apps"  # the servers run there
TESTS = HERE.parent.parent
PATH = (APPS, HERE, HERE.parent / "compiled", TESTS)  # of what tests import
FRAME = re.compile(r'([ |]*)  File ".*", line \d+, in ')

RUNNING = re.compile(r"running on (?:\S*:(\d+)|unix socket (\S+)).* \(Press")


@dataclasses.dataclass
class Server:
    process: subprocess.Popen
    logs: pathlib.Path
    port: int
    path: str | None = None  # of a unix socket
    seen: collections.Counter = dataclasses.field(default_factory=collections.Counter)

    def connect(self) -> socket.socket:
        if self.path is not None:
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(self.path)
            except OSError:
                s.close()
                raise
        else:
            s = socket.create_connection(("127.0.0.1", self.port))
        s.settimeout(patience.HANGS_S)
        return s

    def text(self, stream: str) -> str:
        return (self.logs / stream).read_text()

    def told(self, stream: str, *parts: str) -> str:
        """Its text once all `parts` are in it: what follows an answer takes its time."""
        patience.until(
            lambda: all(part in self.text(stream) for part in parts),
            lambda: (parts, self.text(stream)),
        )
        return self.text(stream)

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(patience.HANGS_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def command(kind: str) -> list[str]:
    return [sys.executable, "-m", kind]


def environment(site: pathlib.Path, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FASTERAPI_", "UVICORN_"))}
    # Frameworks print sets: in the same order under both servers. Tests of plans ask for them.
    own = {"PYTHONHASHSEED": "0", "FASTERAPI_ENGINE": "asgi"}
    return {**kept, "PYTHONPATH": ":".join(map(str, (site, *PATH))), **own, **more}


@contextlib.contextmanager
def serving(kind: str, site: pathlib.Path, logs: pathlib.Path, *options: str, **settings):
    """A server that takes connections; it is stopped in the end."""
    logs.mkdir(parents=True, exist_ok=True)
    with open(logs / "out", "w") as out, open(logs / "err", "w") as err:
        process = subprocess.Popen(
            [*settings.get("prefix", ()), *command(kind), *options],
            stdout=out,
            stderr=err,
            env=environment(site, **settings.get("env", {})),
            cwd=settings.get("cwd", APPS),
        )
    server = Server(process, logs, 0)
    try:
        patience.until(
            lambda: RUNNING.search(server.text("err")) or process.poll() is not None,
            lambda: server.text("err"),
        )
        found = RUNNING.search(server.text("err"))
        assert found, server.text("err")
        server.path = found[2]
        server.port = int(found[1] or 0)
        server.seen["err"] = len(server.text("err"))  # what it runs under is its own
        yield server
    finally:
        if process.poll() is None:
            server.stop()


def is_idle(server: Server) -> bool:
    """Whether all its threads wait for something; not for a processor."""
    for thread in pathlib.Path(f"/proc/{server.process.pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):  # one that has just ended
            if thread.read_text().rpartition(")")[2].split()[0] != "S":
                return False
    return True


@dataclasses.dataclass
class Answer:
    """What came over a connection. `fields` without Date; our name for uvicorn's."""

    interim: list[int]
    status: int | None
    reason: str
    fields: list[tuple[str, str]]
    body: bytes
    whole: bool


def answer_of(data: "Reader", method: str) -> Answer:
    interim: list[int] = []
    while True:
        head = data.until(b"\r\n\r\n")
        if head is None:
            return Answer(interim, None, "", [], bytes(data.left), False)
        line, *lines = head.decode("latin-1").split("\r\n")
        _, code, reason = line.split(" ", 2)
        if int(code) >= 200 or int(code) == 101:
            break
        interim.append(int(code))
    every = [(name, value.strip()) for name, _, value in (f.partition(":") for f in lines)]
    named = dict((name.lower(), value) for name, value in every)
    bodiless = method == "HEAD" or int(code) in (204, 304)
    whole, body = True, b""
    if bodiless:
        pass
    elif named.get("transfer-encoding") == "chunked":
        whole, body = data.chunks()
    elif "content-length" in named:
        body = data.exactly(int(named["content-length"]))
        whole = len(body) == int(named["content-length"])
    else:
        body = data.rest()
    fields = [(n.lower(), "ours" if n == "server" else v) for n, v in every if n != "date"]
    return Answer(interim, int(code), reason, fields, body, whole)


class Reader:
    def __init__(self, s: socket.socket) -> None:
        self.s = s
        self.left = bytearray()
        self.eof = False

    def more(self) -> bool:
        try:
            piece = self.s.recv(65536)
        except ConnectionResetError:
            piece = b""
        self.eof = self.eof or not piece
        self.left += piece
        return bool(piece)

    def until(self, end: bytes) -> bytes | None:
        while end not in self.left:
            if not self.more():
                return None
        head, _, rest = bytes(self.left).partition(end)
        self.left = bytearray(rest)
        return head

    def exactly(self, n: int) -> bytes:
        while len(self.left) < n and self.more():
            pass
        taken = bytes(self.left[:n])
        del self.left[:n]
        return taken

    def rest(self) -> bytes:
        while self.more():
            pass
        taken, self.left = bytes(self.left), bytearray()
        return taken

    def chunks(self) -> tuple[bool, bytes]:
        body = b""
        while True:
            size = self.until(b"\r\n")
            if size is None:
                return False, body
            if int(size, 16) == 0:
                return self.until(b"\r\n") is not None, body
            piece = self.exactly(int(size, 16))
            body += piece
            if self.until(b"\r\n") is None:
                return False, body

    def ended(self, within: float = patience.HANGS_S) -> bool:
        """Whether the server closes the connection in so many seconds."""
        if self.eof:
            return True
        ready, _, _ = select.select([self.s], [], [], within)
        return bool(ready) and not self.more()


def normalised(log: str) -> str:
    """Without ports, process ids, the names of tasks and the places in which an exception has
    been: the frames of the server itself are no part of what is compared."""
    kept, within = [], None
    for line in log.splitlines(keepends=True):
        if within is not None and line.startswith(within):
            continue
        frame = FRAME.match(line)
        within = frame[1] + "    " if frame else None
        if not frame and line != "Traceback (most recent call last):\n":
            kept.append(line)
    log = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", "".join(kept))
    log = re.sub(r"(cancel scope )[0-9a-f]+ by <Task .*>", r"\1SCOPE by TASK", log)
    return re.sub(r"\[((?:\033\[36m)?)\d+((?:\033\[0m)?)\]", r"[\1PID\2]", log)
