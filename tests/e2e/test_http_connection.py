"""Connections: kept alive, pipelined, closed, half closed, and where they come from."""

import contextlib
import json
import socket
import threading
import time

import patience
import pytest
from server import Server, chunked, get, post, random_cuts, sanitized, serving


@pytest.fixture(scope="module")
def server(build_dir):
    with serving(build_dir) as running:
        yield running


# ---- keep-alive (RFC 9112, 9.3) ----


def test_many_requests_on_one_connection(server: Server):
    with server.connect() as client:
        for i in range(50):
            answer = client.ask(get(f"/any/{i}"))
            assert (answer.status, answer.json()["path"]) == (200, f"/any/{i}")
            assert answer.get("connection") is None


@pytest.mark.parametrize(
    ("fields", "version", "kept"),
    [
        ((), "1.1", True),
        (("Connection: close",), "1.1", False),
        (("Connection: Close",), "1.1", False),
        (("Connection: keep-alive, close",), "1.1", False),
        (("Connection: keep-alive", "Connection: x, close"), "1.1", False),
        (("Connection: closed",), "1.1", True),
        ((), "1.0", False),
        (("Connection: keep-alive",), "1.0", True),
        (("Connection: Keep-Alive",), "1.0", True),
        (("Connection: keep-alive, close",), "1.0", False),
        (("Connection: x",), "1.0", False),
        ((), "1.2", True),
    ],
)
def test_who_is_kept_alive(server: Server, fields, version, kept):
    with server.connect() as client:
        answer = client.ask(get("/hello", *fields, version=version))
        assert answer.body == b"hello"
        if kept:
            assert answer.get("connection") == ("keep-alive" if version == "1.0" else None)
            assert client.ask(get("/hello")).body == b"hello"
        else:
            assert answer.closes and client.at_end()


def test_nothing_is_served_after_close(server: Server):
    """RFC 9112, 9.6: the server must not process what follows a request to close."""
    before = server.counters()["requests"]
    with server.connect() as client:
        client.send(get("/hello", "Connection: close") + get("/hello") * 5)
        assert client.answer().closes
        assert client.at_end()
    assert server.counters()["requests"] == before + 2


def test_the_application_closes(server: Server):
    with server.connect() as client:
        assert client.ask(get("/close")).closes
        assert client.at_end()


def test_the_application_closes_after_the_head_is_out(server: Server):
    with server.connect() as client:
        assert client.ask(get("/close-streaming")).body == b"bye"
        assert client.at_end()


def test_so_many_requests_and_no_more(build_dir):
    with serving(build_dir, "--limit", "max_requests_per_connection=3") as server:
        with server.connect() as client:
            client.send(get("/hello") * 5)
            assert [client.answer().closes for _ in range(3)] == [False, False, True]
            assert client.at_end()


# ---- pipelining (RFC 9112, 9.3.2) ----


@pytest.mark.parametrize("n", [2, 63, 64, 65, 300, 2000])
def test_pipelined_answers_come_in_order(server: Server, n):
    with server.connect() as client:
        client.send(b"".join(get(f"/items/{i}") for i in range(n)))
        for i in range(n):
            assert client.answer().json()["params"] == [["id", str(i)]]
        assert client.silent()


def test_pipelined_requests_of_every_kind(server: Server):
    with server.connect() as client:
        client.send(
            post("/any/a", b"one")
            + chunked("/any/b", b"t", b"wo")
            + get("/later?ms=30")
            + get("/hello", method="HEAD")
            + chunked("/upload", b"12345", b"678")
            + get("/strict/none")
            + get("/download?n=100&chunked=1&piece=7")
            + post("/stream-echo", b"back")
            + get("/status/204")
            + get("/hello")
        )
        assert client.answer().json()["body"] == "one"
        assert client.answer().json()["body"] == "two"
        assert client.answer().body == b"later /later []"
        assert client.answer("HEAD").get("content-length") == "5"
        assert client.answer().json()["bytes"] == 8
        assert client.answer().status == 404
        assert len(client.answer().body) == 100
        assert client.answer().body == b"back"
        assert client.answer().status == 204
        assert client.answer().body == b"hello"


def test_pipelined_in_random_pieces(server: Server, rng):
    requests = [
        (get("/any/x?q=1"), lambda a: a.json()["query"] == "q=1"),
        (post("/any/x", b"0123456789"), lambda a: a.json()["body"] == "0123456789"),
        (chunked("/any/x", b"abc", b"de", trailers=b"T: 1\r\n"), lambda a: a.json()["body"] == "abcde"),
        (chunked("/upload", b"abc" * 40), lambda a: a.json()["bytes"] == 120),
        (post("/stream-echo", b"xyz"), lambda a: a.body == b"xyz"),
        (get("/later?ms=1"), lambda a: a.body == b"later /later []"),
        (post("/later?ms=1", b"body"), lambda a: a.body == b"later /later [body]"),
        (post("/early", b"x" * 50), lambda a: a.status == 403),
        (get("/strict/none"), lambda a: a.status == 404),
    ]
    for _ in range(25):
        chosen = [rng.choice(requests) for _ in range(rng.randint(1, 8))]
        data = b"".join(request for request, _ in chosen)
        with server.connect() as client:
            client.send_pieces(data, random_cuts(rng, len(data), 8))
            for request, check in chosen:
                answer = client.answer()
                assert check(answer), (request, answer)


def test_pipelined_byte_by_byte(server: Server):
    data = get("/any/x") + post("/any/y", b"ab") + chunked("/any/z", b"cd", trailers=b"A: b\r\n")
    with server.connect() as client:
        client.send_pieces(data, list(range(1, len(data))), 0)
        assert client.answer().json()["path"] == "/any/x"
        assert client.answer().json()["body"] == "ab"
        last = client.answer().json()
        assert (last["body"], last["trailers"]) == ("cd", [["A", "b"]])


def test_a_client_that_does_not_read_is_not_read_from(build_dir):
    """Its answers wait, within a limit; when it reads on, all come."""
    n, size = 2000, 10_000
    with serving(build_dir, "--limit", "max_pending_bytes=100000") as server:
        with server.connect(rcvbuf=4096) as client:
            client.socket.setblocking(False)
            requests = get(f"/bytes?n={size}") * n
            sent = 0
            quiet_since = time.monotonic()
            while sent < len(requests) and time.monotonic() - quiet_since < 0.5:
                try:
                    sent += client.socket.send(requests[sent : sent + 65536])
                    quiet_since = time.monotonic()
                except BlockingIOError:
                    time.sleep(0.01)
            # What the server has answered it has also handed to the kernel or holds.
            assert server.counters()["requests"] < n
            assert server.peak_memory_kib() < 200_000
            client.socket.setblocking(True)
            client.socket.settimeout(patience.HANGS_S)
            for i in range(sent // len(get(f"/bytes?n={size}"))):
                assert len(client.answer().body) == size, i


def test_answers_wait_for_a_reader_that_comes_and_goes(build_dir):
    """The end of a wait is noticed at whatever moment the output drains."""
    options = ["--limit", "max_pending_bytes=1000", "--limit", "max_pipelined=3"]
    with serving(build_dir, *options) as server:
        for rcvbuf in (0, 2048, 50_000):
            with server.connect(rcvbuf=rcvbuf) as client:
                client.send(get("/bytes?n=70000") * 150)
                for _ in range(150):
                    assert len(client.answer().body) == 70000


# ---- half-closed (the client has sent its last byte) ----


@pytest.mark.parametrize("n", [1, 100, 500])
def test_all_is_answered_after_the_client_has_finished_sending(server: Server, n):
    with server.connect() as client:
        client.send(get("/bytes?n=5000") * n)
        client.finish_sending()
        for _ in range(n):
            assert len(client.answer().body) == 5000
        assert client.at_end()


def test_half_closed_with_a_body(server: Server):
    with server.connect() as client:
        client.send(chunked("/upload", b"x" * 100_000))
        client.finish_sending()
        assert client.answer().json()["bytes"] == 100_000
        assert client.at_end()


def test_half_closed_within_a_head(server: Server):
    with server.connect() as client:
        client.send(get("/hello") + b"GET /hel")
        client.finish_sending()
        assert client.answer().body == b"hello"
        assert client.at_end()


def test_half_closed_while_the_answer_is_on_its_way(server: Server):
    """Who has sent all may read as slowly as anybody."""
    n = 20_000_000
    with server.connect(rcvbuf=4096) as client:
        client.send(get(f"/download?n={n}"))
        client.finish_sending()
        time.sleep(0.1)
        answer = client.answer()
        assert answer.complete and len(answer.body) == n
        assert client.at_end()


@pytest.mark.parametrize("path", ["/upload?pausing=1", "/stream-echo"])
def test_half_closed_while_the_body_is_held_back(build_dir, path):
    body = b"0123456789" * (600_000 if path == "/stream-echo" else 30_000)
    with serving(build_dir, "--limit", "max_pending_bytes=10000") as server:
        with server.connect(rcvbuf=4096) as client:
            sender = threading.Thread(target=lambda: client.send(post(path, body)))
            sender.start()
            received = b""
            while sender.is_alive() and path == "/stream-echo":
                received += client.take(10_000)  # no more than it needs to go on
            sender.join()
            client.finish_sending()
            time.sleep(0.1)
            received += client.rest()
            head, _, received = received.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            if path == "/stream-echo":
                assert received == body
            else:
                assert json.loads(received)["bytes"] == len(body)


def test_half_closed_while_an_answer_is_awaited(server: Server):
    """Nobody can tell it from a client that has gone; so it counts as one."""
    with server.connect() as client:
        client.send(get("/later?ms=300", "Watch: half"))
        client.finish_sending()
        assert client.rest() == b""
    assert watched(server, "half") == -6


# ---- clients that go away ----


def watched(server: Server, name: str) -> int:
    """What fa_middleware.on_finish was told of a request."""
    return int(server.wait_event(rf"^finish {name} (-?\d+)$")[1])


@pytest.mark.parametrize("how", ["close", "reset"])
def test_gone_before_the_answer(server: Server, how):
    client = server.connect()
    client.send(get("/later?ms=300", f"Watch: before-{how}"))
    time.sleep(0.05)
    getattr(client, how)()
    assert watched(server, f"before-{how}") == -6
    server.wait_event("later gone")


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("path", ["/upload", "/any/x", "/stream-echo"])
def test_gone_in_the_middle_of_the_upload(server: Server, how, path):
    name = f"upload-{how}-{path.strip('/').replace('/', '-')}"
    client = server.connect()
    client.send(get(path, "Content-Length: 1000", f"Watch: {name}", method="POST") + b"x" * 500)
    time.sleep(0.05)
    getattr(client, how)()
    assert watched(server, name) == -6


@pytest.mark.parametrize("how", ["close", "reset"])
def test_gone_in_the_middle_of_the_answer(server: Server, how):
    client = server.connect(rcvbuf=4096)
    client.send(get("/download?n=50000000", f"Watch: answer-{how}"))
    assert client.head().status == 200
    client.take(1000)
    getattr(client, how)()
    assert watched(server, f"answer-{how}") == -6


def test_finish_is_told_once_and_of_success(server: Server):
    assert server.ask(get("/hello", "Watch: success")).status == 200
    assert watched(server, "success") == 0
    time.sleep(0.1)
    assert [e for e in server.events if "finish success" in e] == ["finish success 0"]


# ---- where they come from ----


def test_unix_socket(build_dir, tmp_path):
    path = tmp_path / "socket"
    with serving(build_dir, "--unix", str(path)) as server:
        assert path.stat().st_mode & 0o777 == 0o600
        told = server.ask(get("/any/x")).json()
        assert (told["client"], told["client_port"]) == ("", 0)
        with server.connect() as client:
            client.send(get("/hello") * 100)
            for _ in range(100):
                assert client.answer().body == b"hello"


def test_ipv6(build_dir):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 loopback address here")
    with serving(build_dir, "--host", "::1") as server:
        told = server.ask(get("/any/x")).json()
        assert (told["client"], told["server"]) == ("::1", "::1")
        assert told["server_port"] == server.port
        # HTTP/1.0 names no host: the redirect names ours.
        answer = server.ask(b"GET /slash HTTP/1.0\r\n\r\n")
        assert answer.get("location") == f"http://[::1]:{server.port}/slash/"


def test_addresses(server: Server):
    with server.connect() as client:
        told = client.ask(get("/any/x")).json()
        assert (told["client"], told["client_port"]) == client.socket.getsockname()
        assert (told["server"], told["server_port"]) == client.socket.getpeername()
        assert told["scheme"] == "http"


IDLE_AFTER = [
    get("/hello"),
    get("/download?n=100000"),
    get("/download?n=100000&chunked=1"),
    post("/any/x", b"x" * 100_000),
    chunked("/upload", b"x" * 100_000, trailers=b"A: b\r\n"),
    chunked("/early", b"x" * 10_000),
]


@pytest.mark.parametrize("request_bytes", IDLE_AFTER)
def test_an_idle_connection_keeps_no_buffers(build_dir, request_bytes):
    """Whatever its last request took."""
    if sanitized(build_dir):
        pytest.skip("what a sanitizer keeps is not the server's")
    count = 400
    with serving(build_dir) as server, contextlib.ExitStack() as stack:
        with server.connect() as client:
            client.ask(request_bytes)
        before = server.memory_kib()
        for _ in range(count):
            client = stack.enter_context(server.connect())
            assert client.ask(request_bytes).complete
        assert (server.memory_kib() - before) / count <= 4
