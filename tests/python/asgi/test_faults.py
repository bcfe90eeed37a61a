"""What goes wrong around a server: descriptors run out, clients are slow or reset their
connections, system calls fail, nobody takes its output. Long versions: docs/TESTING.md."""

import contextlib
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import time

import corpus
import patience
import peers
import pytest
import wire

APP = ("apps:app", "--interface", "asgi3", "--port", "0")
SLOW_CLIENTS = int(os.environ.get("FA_SLOW_CLIENTS", "200"))
ROUNDS = int(os.environ.get("FA_FAULT_ROUNDS", "6"))


def get(server: peers.Server, path: str = "/told") -> peers.Answer:
    with server.connect() as s:
        s.sendall(corpus.request(path))
        return peers.answer_of(peers.Reader(s), "GET")


def descriptors(server: peers.Server) -> int:
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def memory_kib(server: peers.Server) -> int:
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])


def cpu_s(server: peers.Server) -> float:
    fields = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settles(condition, within: float = patience.HANGS_S) -> bool:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_out_of_descriptors(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with (
        peers.serving("fasterapi", site, tmp_path, *APP) as server,
        contextlib.ExitStack() as stack,
    ):
        old = stack.enter_context(server.connect())
        reader = peers.Reader(old)
        old.sendall(corpus.request("/told"))
        assert peers.answer_of(reader, "GET").status == 200
        most = descriptors(server) + 20
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (most, most))
        with contextlib.ExitStack() as many:
            for _ in range(60):
                many.enter_context(server.connect())
            assert settles(lambda: descriptors(server) == most)
            before = cpu_s(server)
            for _ in range(20):  # the old connection is served, and nothing spins
                old.sendall(corpus.request("/told"))
                assert peers.answer_of(reader, "GET").status == 200
                time.sleep(0.02)
            assert cpu_s(server) - before < 0.2
        assert settles(lambda: descriptors(server) < most - 10)
        assert get(server).status == 200
        assert server.stop() == -signal.SIGTERM


def test_byte_by_byte(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Requests written and answers read in single bytes are the same as whole ones."""
    body = bytes(range(256)) * 4
    asked = corpus.post("/echo", body) + corpus.request("/stream") + wire.PROBE
    with peers.serving("fasterapi", site, tmp_path, *APP) as server:
        told = []
        for size in (65536, 1):
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                s.settimeout(patience.HANGS_S)
                s.connect(("127.0.0.1", server.port))
                for at in range(0, len(asked), size):
                    s.sendall(asked[at : at + size])
                received = b""
                while piece := s.recv(size):
                    received += piece
            told.append(re.sub(rb"date: [^\r]*\r\n", b"", received))
        assert told[0] == told[1]
        assert told[0].count(b"HTTP/1.1 200 OK") == 3


def test_reset_everywhere(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Clients that go at every point leave nothing behind."""
    cases = [
        case
        for name in ("gone-while-sending", "gone-while-reading")
        for case in corpus.cases_of(name)
    ]
    with peers.serving("fasterapi", site, tmp_path, *APP) as server:
        wire.run((server,), cases)
        called = sum(b"\r\n\r\n" in case.sent for case in cases if b"/traced" in case.sent)
        assert settles(lambda: server.text("out").count("\ntraced ") == called)
        after_one = descriptors(server), memory_kib(server)
        for _ in range(ROUNDS):
            wire.run((server,), cases)
        # The application was told of each that it was called for.
        assert settles(lambda: server.text("out").count("\ntraced ") == called * (ROUNDS + 1))
        assert settles(lambda: descriptors(server) <= after_one[0])
        assert memory_kib(server) < after_one[1] + 2048
        assert server.text("err").count("ERROR") == 0


LIMIT_S = 3
LIMITS = [
    word
    for name in ("request-header", "request-body", "write")
    for word in (f"--timeout-{name}", str(LIMIT_S))
]
BEGINNINGS = {
    "head": b"GET /told HTTP/1.1\r\nHost: test\r\n",
    "head, trickling": b"GET /told HTTP/1.1\r\nHost: test\r\n",
    "body": corpus.request("/echo", "POST", "Content-Length: 100000") + b"begins",
    "chunks": corpus.request("/echo", "POST", "Transfer-Encoding: chunked") + b"5\r\nbeg",
    "answer not read": corpus.request("/large-stream"),
}


@pytest.mark.parametrize("kind", BEGINNINGS)
def test_slow_clients(site: pathlib.Path, tmp_path: pathlib.Path, kind: str) -> None:
    """They are cut at the limit; an honest client does not notice them."""
    with (
        peers.serving("fasterapi", site, tmp_path, *APP, *LIMITS) as server,
        contextlib.ExitStack() as stack,
    ):
        get(server)
        idle = descriptors(server)
        began = time.monotonic()
        slow = [stack.enter_context(slow_client(server)) for _ in range(SLOW_CLIENTS)]
        for s in slow:
            s.sendall(BEGINNINGS[kind])
        assert settles(lambda: descriptors(server) > idle + 1)  # the first of them are taken
        beside = -1  # answers that came while slow clients were there
        hung = time.monotonic() + patience.HANGS_S
        while (there := descriptors(server)) > idle + 1 and time.monotonic() < hung:
            assert get(server).status == 200
            beside += 1
            for s in slow if kind == "head, trickling" else ():
                with contextlib.suppress(OSError):
                    s.sendall(b"X: 1\r\n")
            time.sleep(0.05)
        # Absolute for a head; for the others, at most so long without a byte.
        assert there <= idle + 1
        assert time.monotonic() - began > 0.9 * LIMIT_S
        if "answer" not in kind and kind != "head, trickling":
            statuses = {peers.answer_of(peers.Reader(s), "GET").status for s in slow}
            assert statuses == {408}
        # If slow clients held up others, there would be none.
        assert beside > 0
        assert server.process.poll() is None and get(server).status == 200


def slow_client(server: peers.Server) -> socket.socket:
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(patience.HANGS_S)
    s.connect(("127.0.0.1", server.port))
    return s


@pytest.mark.skipif(shutil.which("fiu-run") is None, reason="fiu-run is not installed")
def test_failing_calls(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """recv() and send() fail at random: a connection may end, an answer is never wrong."""
    whole = broken = 0
    with faulty(site, tmp_path) as server:
        for name in ("recv", "send"):
            control(server, f"enable_random name=posix/io/net/{name},probability=0.05")
        for number in range(400):
            asked = corpus.post("/echo", b"%d" % number * 100)
            with contextlib.suppress(OSError, ValueError), server.connect() as s:
                s.sendall(asked)
                answer = peers.answer_of(peers.Reader(s), "POST")
                if answer.status == 200 and answer.whole:
                    assert answer.body.startswith(b'["%d' % number)
                    whole += 1
                    continue
            broken += 1
        for name in ("recv", "send"):
            control(server, f"disable name=posix/io/net/{name}")
        assert server.process.poll() is None
        assert whole > 250 and broken > 5, (whole, broken)
        before = cpu_s(server)
        assert all(get(server).status == 200 for _ in range(50))
        time.sleep(0.3)
        assert cpu_s(server) - before < 0.5
        assert "Traceback" not in server.text("err")


@contextlib.contextmanager
def faulty(site: pathlib.Path, logs: pathlib.Path):
    """A server under libfiu, whose faults control() switches on and off."""
    run = [shutil.which("fiu-run"), "-x", "-f", str(logs / "fiu")]
    kept = peers.command
    peers.command = lambda kind: [*run, *kept(kind)]
    try:
        with peers.serving("fasterapi", site, logs, *APP) as server:
            yield server
    finally:
        peers.command = kept


def control(server: peers.Server, what: str) -> None:
    """Over the named pipes that fiu-run has the process make."""
    done = subprocess.run(
        ["fiu-ctrl", "-f", str(server.logs / "fiu"), "-c", what, str(server.process.pid)],
        capture_output=True,
        text=True,
        timeout=patience.HANGS_S,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("output", [">/dev/full", ">&- 2>&-", "<&- >&- 2>&-"])
def test_nobody_takes_its_output(site: pathlib.Path, tmp_path: pathlib.Path, output: str) -> None:
    """Requests are served, whether or not their log lines can be written; and no socket gets
    the number of a standard stream, to which the application prints."""
    process = subprocess.Popen(
        ["sh", "-c", f'exec "$@" {output}', "sh", *peers.command("fasterapi"), *APP[:-2]]
        + ["--uds", str(tmp_path / "socket")],
        stderr=subprocess.DEVNULL,
        env=peers.environment(site),
        cwd=peers.APPS,
    )
    server = peers.Server(process, tmp_path, 0, str(tmp_path / "socket"))
    try:
        assert settles(lambda: (tmp_path / "socket").exists() and answers(server))
        assert [get(server, "/stream").status for _ in range(5)] == [200] * 5
        for number in range(3):
            opened = os.readlink(f"/proc/{process.pid}/fd/{number}")
            assert opened in ("/dev/null", "/dev/full") or number == 0
    finally:
        assert server.stop() == -signal.SIGTERM


def answers(server: peers.Server) -> bool:
    try:
        return get(server, "/probe").body == wire.PROBED
    except OSError:
        return False
