"""Our server and our client against each other, on several threads: exact totals."""

import contextlib
import json
import pathlib
import re
import signal
import socket
import subprocess
import time

import patience
import pytest

pytestmark = pytest.mark.threads


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def serving(build_dir: pathlib.Path, threads: int):
    """(port, process) of a one_million server; it must end in order when told to."""
    port = free_port()
    program = build_dir / "examples" / "one_million" / "one_million"
    server = subprocess.Popen(
        [program, "--port", str(port), "--threads", str(threads)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + patience.HANGS_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert server.poll() is None, server.stderr.read()
                assert time.monotonic() < deadline, "took no connection"
                time.sleep(0.01)
        yield port, server
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGTERM)
        try:
            _, errors = server.communicate(timeout=patience.HANGS_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.communicate()
            raise
    # A sanitizer that found something ends the program with its own status.
    assert server.returncode == 0, errors


def challenge(build_dir: pathlib.Path, port: int, *options: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [build_dir / "challenge" / "fasterapi-challenge", f"http://127.0.0.1:{port}", *options],
        capture_output=True,
        text=True,
        timeout=patience.LONG_S,
    )


def exchange(port: int, request: bytes) -> tuple[int, bytes]:
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.sendall(request)
        s.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := s.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(re.match(rb"HTTP/1\.1 (\d{3}) ", head)[1]), body


def post_event(port: int, body: bytes) -> int:
    head = b"POST /event HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n"
    return exchange(port, head + b"content-length: %d\r\n\r\n%b" % (len(body), body))[0]


def stats(port: int) -> dict:
    status, body = exchange(port, b"GET /stats HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert status == 200
    return json.loads(body)


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("pipeline", [1, 16])
def test_totals_are_exact(build_dir, threads, pipeline):
    with serving(build_dir, threads) as (port, _):
        run = challenge(
            build_dir,
            port,
            "--requests=20000",
            "--connections=100",
            "--users=7500",
            f"--pipeline={pipeline}",
        )
        assert run.returncode == 0, run.stdout + run.stderr
        assert stats(port) == {
            "totalRequests": 20000,
            "uniqueUsers": 7500,
            "sum": 20 * 499500,
            "avg": 499.5,
        }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"userId":"a"}',
        b'{"value":1}',
        b'{"userId":1,"value":1}',
        b'{"userId":"a","value":"x"}',
        b'{"userId":"a","value":1e999}',
        b'{"userId":"a","value":null}',
        b'{"userId":"a","value":1}x',
        b'{"userId":"a","value":1,}',
        b'{"userId":"\xff","value":1}',
        b'{"userId":"a","value":NaN}',
    ],
)
def test_malformed_events_are_refused_and_not_counted(build_dir, body):
    with serving(build_dir, 2) as (port, _):
        assert post_event(port, b'{"userId":"a","value":5}') in (200, 201, 202)
        assert post_event(port, body) == 422
        assert stats(port) == {"totalRequests": 1, "uniqueUsers": 1, "sum": 5, "avg": 5}


def test_a_value_is_any_number(build_dir):
    with serving(build_dir, 2) as (port, _):
        assert post_event(port, b'{"userId":"a","value":1.5}') in (200, 201, 202)
        assert post_event(port, b'{"value":-0.25e1,"userId":"b"}') in (200, 201, 202)
        assert stats(port) == {"totalRequests": 2, "uniqueUsers": 2, "sum": -1.0, "avg": -0.5}


def test_every_user_is_counted_once_whatever_the_thread(build_dir):
    with serving(build_dir, 4) as (port, _):
        for _ in range(20):  # a connection each: they land on different workers
            assert post_event(port, b'{"userId":"the same","value":2}') in (200, 201, 202)
        assert stats(port) == {"totalRequests": 20, "uniqueUsers": 1, "sum": 40, "avg": 2}


def test_stops_in_order_under_load(build_dir):
    """Clients that never pause cannot keep it from ending."""
    with serving(build_dir, 2) as (port, server):
        client = subprocess.Popen(
            [
                build_dir / "challenge" / "fasterapi-challenge",
                f"http://127.0.0.1:{port}",
                "--requests=2000000",
                "--connections=50",
                "--timeout=20",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            time.sleep(1)
            server.send_signal(signal.SIGTERM)
            assert server.wait(timeout=patience.HANGS_S) == 0
        finally:
            client.terminate()
            client.wait()
