"""What clients may send, and how slowly: each limit is enforced, told in plain text and
logged; and the fields that every answer begins with."""

import contextlib
import pathlib
import time
from collections.abc import Iterator

import patience
import peers
import pytest

LIMITED = [
    *("--limit-request-line", "60", "--limit-request-headers", "200"),
    *("--limit-request-header-count", "5", "--limit-request-body", "1000"),
    *("--header", "X-Every: answer", "--header", "Server: another"),
]
TIMED = [*LIMITED, "--timeout-request-header", "1", "--timeout-request-body", "1"]
GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def limited(site: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.Server]:
    with serving(site, tmp_path_factory.mktemp("logs"), *LIMITED) as server:
        yield server


@pytest.fixture(scope="module")
def timed(site: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.Server]:
    """Only for clients that are slow on purpose: on a busy machine any may be."""
    with serving(site, tmp_path_factory.mktemp("logs"), *TIMED) as server:
        yield server


@contextlib.contextmanager
def serving(site: pathlib.Path, logs: pathlib.Path, *options: str) -> Iterator[peers.Server]:
    every = ["apps:app", "--port", "0", "--interface", "asgi3", *options]
    with peers.serving("fasterapi", site, logs, *every) as server:
        yield server


def told(server: peers.Server, data: bytes) -> tuple[peers.Answer, str, bool]:
    """The answer, what was logged for it, and whether the connection ended with it."""
    before = len(server.text("err"))
    with server.connect() as s:
        s.sendall(data)
        reader = peers.Reader(s)
        answer = peers.answer_of(reader, data.split()[0].decode())
        ended = reader.ended()
    return answer, server.text("err")[before:], ended


@pytest.mark.parametrize(
    ("data", "status", "text"),
    [
        (b"GET /" + b"p" * 60 + b" HTTP/1.1\r\n\r\n", 414, "Request line too long."),
        (GET + b"x: " + b"v" * 200 + b"\r\n\r\n", 431, "Request header fields too large."),
        (GET + b"x: y\r\n" * 5 + b"\r\n", 431, "Too many request header fields."),
        (POST + b"Content-Length: 1001\r\n\r\n", 413, "Request body too large."),
        (CHUNKED + b"3e9\r\n" + b"b" * 1001, 413, "Request body too large."),
        (POST, 408, "Request timed out."),
        (POST + b"Content-Length: 9\r\n\r\n123", 408, "Request timed out."),
        (CHUNKED + b"9\r\n123", 408, "Request timed out."),
        (GET + b"Expect: tea\r\n\r\n", 417, "Expectation not supported."),
        (POST + b"Transfer-Encoding: x, chunked\r\n\r\n", 501, "Transfer coding not supported."),
        (b"GET / HTTP/2.0\r\n\r\n", 505, "HTTP version not supported."),
        (b"nonsense\r\n\r\n", 400, "Invalid HTTP request received."),
        (b"HEAD / HTTP/1.1\r\nbad name: x\r\n\r\n", 400, "Invalid HTTP request received."),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_refused(
    limited: peers.Server, timed: peers.Server, data: bytes, status: int, text: str
) -> None:
    answer, log, ended = told(timed if status == 408 else limited, data)
    assert (answer.status, answer.whole, ended) == (status, True, True)
    assert answer.fields == [
        ("x-every", "answer"),
        ("server", "ours"),
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", str(len(text))),
        ("connection", "close"),
    ]
    assert answer.body == (b"" if data.startswith(b"HEAD") else text.encode())
    assert log == f"WARNING:  {text}\n"


def test_within_limits(limited: peers.Server) -> None:
    line = b"POST /echo?" + b"q" * 37 + b" HTTP/1.1\r\n"
    fields = b"Host: a\r\nContent-Length: 1000\r\nx: 1\r\ny: 2\r\nz: " + b"3" * 140 + b"\r\n\r\n"
    answer, log, _ = told(limited, line + fields + b"b" * 1000)
    assert (answer.status, log) == (200, "")
    assert answer.fields[:2] == [("x-every", "answer"), ("server", "ours")]


def test_by_default_bodies_are_not_limited(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with serving(site, tmp_path) as server, server.connect() as s:
        size = 20 << 20  # above the 16 MiB that a C program's limit is
        s.sendall(b"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        s.sendall(b"b" * size)
        assert peers.answer_of(peers.Reader(s), "POST").body == b"%d" % size


def test_slow_bodies_are_broken_off(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Each byte comes in time, all of them too slowly."""
    options = ["--limit-min-rate", "100000", "--timeout-request-body", "5"]
    with serving(site, tmp_path, *options) as server, server.connect() as s:
        s.sendall(POST + b"Content-Length: 1000000\r\n\r\n")
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < patience.HANGS_S:
                s.sendall(b"x")
                time.sleep(0.25)
                if "timed out" in server.text("err"):
                    break
        assert "timed out" in server.text("err") and time.monotonic() - began > 4
        assert peers.answer_of(peers.Reader(s), "POST").status == 408


def test_a_size_for_h11_is_one_for_the_head(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with serving(site, tmp_path, "--h11-max-incomplete-event-size", "70000") as server:
        long = GET + b"x: " + b"v" * 69_000 + b"\r\n\r\n"
        assert told(server, long.replace(b"GET /", b"GET /" + b"p" * 60_000))[0].status == 200
        assert told(server, long.replace(b"v", b"vv"))[0].status == 431
