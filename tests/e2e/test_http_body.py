"""Bodies both ways: framing, Expect, early answers, limits, and memory that stays flat."""

import threading
import time

import pytest
from server import Server, chunked, get, post, random_cuts, sanitized, serving

MIB = 1 << 20


@pytest.fixture(scope="module")
def server(build_dir):
    with serving(build_dir) as running:
        yield running


def upload_sum(data: bytes) -> int:
    total = 0
    for byte in data:
        total = (total * 31 + byte) & 0xFFFFFFFF
    return total


def download_bytes(n: int) -> bytes:
    period = bytes(ord("A") + i for i in range(23))
    return (period * (n // 23 + 1))[:n]


# ---- what comes in ----


@pytest.mark.parametrize("n", [0, 1, 100, 4096, 65535, 65536, 65537, 1_000_000])
@pytest.mark.parametrize("pausing", [0, 1])
def test_streamed_body_arrives_whole(server: Server, n, pausing, rng):
    body = rng.randbytes(n)
    with server.connect() as client:
        for request in (
            post(f"/upload?pausing={pausing}", body),
            chunked(f"/upload?pausing={pausing}", *([body] if body else [])),
        ):
            answer = client.ask(request)
            assert answer.json() == {"bytes": n, "sum": upload_sum(body), "trailers": 0}
            assert not answer.closes
    assert "upload-not-paused" not in server.events


def test_random_chunks_in_random_pieces(server: Server, rng):
    for _ in range(30):
        pieces = [rng.randbytes(rng.randint(1, 300)) for _ in range(rng.randint(0, 8))]
        body = b"".join(pieces)
        for path in ("/upload", "/upload?pausing=1"):
            data = chunked(path, *pieces, trailers=b"A: 1\r\nB: 2\r\n")
            with server.connect() as client:
                client.send_pieces(data, random_cuts(rng, len(data)))
                assert client.answer().json() == {
                    "bytes": len(body),
                    "sum": upload_sum(body),
                    "trailers": 2,
                }


def test_trailers_are_told_and_dangerous_ones_are_not(server: Server):
    trailers = b"X-One: 1\r\nAuthorization: evil\r\nX-Two:  2 \r\n"
    told = server.ask(chunked("/any/x", b"body", trailers=trailers)).json()
    assert told["trailers"] == [["X-One", "1"], ["X-Two", "2"]]
    assert "Authorization" not in [name for name, _ in told["headers"]]


@pytest.mark.parametrize("path", ["/any/x", "/upload", "/limited", "/limited-upload"])
def test_a_body_may_also_be_empty(server: Server, path):
    for request in (
        post(path, b""),
        get(path, method="POST"),
        chunked(path),
    ):
        assert server.ask(request).status == 200, request


# ---- Expect: 100-continue (RFC 9110, 10.1.1) ----


@pytest.mark.parametrize("path", ["/any/x", "/upload", "/stream-echo"])
def test_continue_is_sent_when_the_body_is_wanted(server: Server, path):
    with server.connect() as client:
        client.send(get(path, "Expect: 100-continue", "Content-Length: 5", method="POST"))
        interim = client.answer()
        assert (interim.status, interim.reason, interim.fields) == (100, "Continue", [])
        client.send(b"12345")
        if path == "/stream-echo":
            assert client.answer().body == b"12345"
        else:
            assert client.answer().status == 200


def test_continue_for_a_chunked_body(server: Server):
    request = chunked("/any/x", b"12345", fields=("Expect: 100-Continue",))
    head, body = request.split(b"\r\n\r\n", 1)
    with server.connect() as client:
        assert client.ask(head + b"\r\n\r\n").status == 100
        assert client.ask(body).json()["body"] == "12345"
        assert client.ask(get("/hello")).body == b"hello"


@pytest.mark.parametrize(
    ("method", "path", "length", "status"),
    [
        ("POST", "/strict/none", 5, 404),
        ("PUT", "/strict/known", 5, 405),
        ("POST", "/limited", 11, 413),
        ("POST", "/limited-upload", 11, 413),
        ("POST", "/any/x", 1 << 40, 413),
        ("POST", "/early", 5, 403),
        ("POST", "/mw/route/x", 5, 404),
    ],
)
def test_no_continue_before_a_refusal(server: Server, method, path, length, status):
    with server.connect() as client:
        client.send(get(path, "Expect: 100-continue", f"Content-Length: {length}", method=method))
        answer = client.answer()
        assert answer.status == status
        # Nobody knows whether the body comes now or the next request.
        assert answer.closes and client.at_end()


def test_no_continue_when_the_body_has_begun_to_come(server: Server):
    with server.connect() as client:
        answer = client.ask(post("/any/x", b"12345", "Expect: 100-continue"))
        assert (answer.status, answer.json()["body"]) == (200, "12345")
        assert client.ask(get("/hello")).body == b"hello"
    with server.connect() as client:
        head = get("/any/x", "Expect: 100-continue", "Content-Length: 5", method="POST")
        client.send(head + b"1")
        assert client.silent()
        assert client.ask(b"2345").status == 200


def test_no_continue_for_http_1_0(server: Server):
    head = get("/any/x", "Expect: 100-continue", "Content-Length: 5", method="POST", version="1.0")
    with server.connect() as client:
        client.send(head)
        assert client.silent()
        assert client.ask(b"12345").status == 200


def test_no_continue_for_an_empty_body(server: Server):
    with server.connect() as client:
        client.send(get("/upload", "Expect: 100-continue", "Content-Length: 0", method="POST"))
        assert client.answer().status == 200
        assert client.ask(get("/hello")).body == b"hello"


def test_no_continue_within_an_answer(server: Server):
    """A handler that begins to answer before it reads: its body must not hold a 100."""
    path = "/stream-echo?start-first=1"
    with server.connect() as client:
        client.send(get(path, "Expect: 100-continue", "Content-Length: 5", method="POST"))
        assert client.head().closes
        assert client.silent()
        client.send(b"12345")
        assert client.rest() == b"12345"


# ---- answers before the body has come ----


def test_a_short_body_that_nobody_wants_is_skipped(server: Server):
    with server.connect() as client:
        for path, status in (("/early", 403), ("/strict/none", 404)):
            head = get(path, "Content-Length: 60000", method="POST")
            answer = client.ask(head + b"x" * 100)
            assert answer.status == status and not answer.closes
            client.send(b"y" * (60000 - 100))
            assert client.ask(get("/hello")).body == b"hello"


UNWANTED = [
    chunked("/early", b"x" * 100),
    chunked("/early", *[b"y" * 100] * 300, trailers=b"A: 1\r\nB: 2\r\n"),
    chunked("/strict/none"),
    chunked("/strict/none", b"x", trailers=b"A: 1\r\n"),
    chunked("/upload?limit=1", b"x" * 100, b"y" * 30_000, b"z"),
    chunked("/upload?limit=1", b"x", b"y", trailers=b"A: 1\r\n"),
]


@pytest.mark.parametrize("request_bytes", UNWANTED)
def test_a_chunked_body_that_nobody_wants_is_skipped(server: Server, request_bytes, rng):
    with server.connect() as client:
        client.send(request_bytes + get("/hello"))
        answer = client.answer()
        assert answer.status != 400 and not answer.closes
        assert client.answer().body == b"hello"
        # Its end comes after the answer.
        head = request_bytes.index(b"\r\n\r\n") + 4
        for cut in (head, head + 1, head + 3, len(request_bytes) - 1):
            client.send(request_bytes[:cut])
            if b"limit=1" not in request_bytes or cut > head + 3:
                assert not client.answer().closes
                client.send(request_bytes[cut:] + get("/hello"))
            else:
                client.send(request_bytes[cut:] + get("/hello"))
                assert not client.answer().closes
            assert client.answer().body == b"hello"
        for _ in range(5):
            client.send_pieces(request_bytes, random_cuts(rng, len(request_bytes)))
            client.send(get("/hello"))
            assert not client.answer().closes
            assert client.answer().body == b"hello"


@pytest.mark.parametrize("path", ["/early", "/strict/none", "/upload?limit=1"])
@pytest.mark.parametrize("rest", [b"zz\r\n", b"3\r\nabcd", b"0\r\nHost: evil\r\n\r\n", b"0\n\n"])
def test_behind_an_unwanted_body_that_is_malformed_nothing_is_served(server: Server, path, rest):
    head = get(path, "Transfer-Encoding: chunked", method="POST")
    with server.connect() as client:
        client.send(head + b"2\r\nab\r\n" + rest + get("/hello"))
        assert client.answer().status in (200, 403, 404)
        assert client.at_end()


def test_of_an_unwanted_chunked_body_64_kib_are_skipped(server: Server):
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    head = get("/early", "Transfer-Encoding: chunked", method="POST")
    for chunks, stays in ((15, True), (17, False)):
        with server.connect() as client:
            assert client.ask(head).status == 403
            client.send(chunk * chunks + b"0\r\n\r\n" + get("/hello"))
            if stays:
                assert client.answer().body == b"hello"
            else:
                assert client.at_end()


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("path", ["/early", "/strict/none", "/upload?limit=1"])
def test_a_long_body_that_nobody_wants_ends_the_connection(server: Server, path, framing):
    """The answer arrives although the client goes on sending (RFC 9112, 9.6)."""
    if framing == "length":
        head = get(path, f"Content-Length: {100 * MIB}", method="POST")
    else:
        head = get(path, "Transfer-Encoding: chunked", method="POST") + b"%x\r\n" % (100 * MIB)
    with server.connect() as client:
        client.send(head)
        time.sleep(0.05)  # the head is read alone
        for _ in range(30):
            client.send(b"x" * 16384)
            time.sleep(0.005)
        answer = client.answer()
        # How long a chunked body is, nobody knows before it was looked at.
        assert answer.closes or (framing == "chunked" and path != "/upload?limit=1")
        assert answer.complete
        assert answer.status == {"/early": 403, "/strict/none": 404}.get(path, 200)
        assert client.at_end()


@pytest.mark.parametrize("path", ["/early", "/strict/none"])
def test_the_answer_survives_a_client_that_starts_sending_late(server: Server, path):
    with server.connect() as client:
        client.send(get(path, f"Content-Length: {100 * MIB}", method="POST"))
        time.sleep(0.1)
        client.send(b"x" * 100_000)
        time.sleep(0.1)
        client.send(b"x" * 100_000)
        answer = client.answer()
        assert answer.closes and answer.complete
        assert client.at_end()


# ---- limits ----


def test_limits_of_the_route_and_of_the_server(build_dir):
    with serving(build_dir, "--limit", "max_body_bytes=1000") as server:
        for path, most in (("/any/x", 1000), ("/limited", 10), ("/limited-upload", 10)):
            assert server.ask(post(path, b"x" * most)).status == 200
            assert server.ask(chunked(path, b"x" * (most - 1), b"y")).status == 200
            for request in (
                post(path, b"x" * (most + 1)),
                chunked(path, b"x" * most, b"y"),
                chunked(path, b"x" * (most + 1)),
            ):
                with server.connect() as client:
                    client.send(request)
                    answer = client.answer()
                    assert answer.status == 413
                    assert answer.closes == (b"chunked" in request)
        assert server.ask(post("/upload", b"x" * 5000)).status == 200


def test_malformed_chunks_while_streaming(server: Server):
    after = len(server.events)
    head = get("/upload", "Transfer-Encoding: chunked", method="POST")
    with server.connect() as client:
        answer = client.ask(head + b"5\r\nhello\r\nzz\r\n")
        assert answer.status == 400 and answer.closes
        assert client.at_end()
    server.wait_event(r"^upload-error -115 after 5$", after)
    head = get("/stream-echo", "Transfer-Encoding: chunked", method="POST")
    with server.connect() as client:
        client.send(head + b"5\r\nhello\r\nzz\r\n")
        answer = client.answer()
        assert answer.status == 200 and not answer.complete
    server.wait_event(r"^echo-error -115$", after)


# ---- what goes out ----


@pytest.mark.parametrize(
    ("n", "piece"),
    [(n, piece) for n in (0, 1, 16384, 65536, 300_000) for piece in (100, 8192, 16384)]
    + [(5_000_000, 8192), (5_000_000, 16384)],
)
def test_downloads_arrive_whole(server: Server, n, piece):
    with server.connect() as client:
        for query in (f"n={n}&piece={piece}", f"n={n}&piece={piece}&chunked=1"):
            answer = client.ask(get(f"/download?{query}"))
            assert answer.body == download_bytes(n) and answer.complete
            assert not answer.closes


def test_downloads_to_readers_of_every_speed(build_dir):
    """However the output drains, whoever waits for that goes on."""
    with serving(build_dir, "--limit", "max_pending_bytes=20000") as server:
        for rcvbuf in (0, 2048, 20_000):
            for _ in range(10):
                with server.connect(rcvbuf=rcvbuf) as client:
                    answer = client.ask(get("/download?n=400000&chunked=1"))
                    assert answer.body == download_bytes(400_000)


def test_chunked_answers_have_trailers(server: Server):
    after = len(server.events)
    answer = server.ask(get("/download?n=10&chunked=1&trailers=1", "TE: trailers"))
    assert answer.trailers == [("x-sum", "1234")]
    server.wait_event(r"^trailer -107 -2$", after)
    answer = server.ask(get("/download?n=10&trailers=1"))
    assert (answer.body, answer.trailers) == (download_bytes(10), [])


def test_unknown_length_for_http_1_0_ends_with_the_connection(server: Server):
    with server.connect() as client:
        fields = "Connection: keep-alive"
        answer = client.ask(get("/download?n=1000&chunked=1&trailers=1", fields, version="1.0"))
        assert answer.get("transfer-encoding") is None and answer.closes
        assert answer.body == download_bytes(1000)
    with server.connect() as client:
        answer = client.ask(get("/download?n=1000", fields, version="1.0"))
        assert answer.get("connection") == "keep-alive"
        assert client.ask(get("/hello")).body == b"hello"


def test_output_that_nobody_holds_back_is_kept(server: Server):
    after = len(server.events)
    with server.connect(rcvbuf=4096) as client:
        client.send(get("/flood?n=5000"))
        server.wait_event("^flood full 1 pending 1$", after)
        assert client.answer().body == b"f" * 5_000_000
        assert client.ask(get("/hello")).body == b"hello"


# ---- 64 MiB ----


def test_large_bodies_in_flat_memory(build_dir):
    total = 64 * MIB
    piece = bytes(range(256)) * 256  # 64 KiB
    with serving(build_dir) as server:
        server.ask(get("/hello"))
        before = server.peak_memory_kib()
        with server.connect() as client:
            client.send(get("/stream-echo", f"Content-Length: {total}", method="POST"))

            def upload():
                for _ in range(total // len(piece)):
                    client.send(piece)

            sender = threading.Thread(target=upload)
            sender.start()
            answer = client.head()
            assert answer.get("content-length") == str(total)
            for _ in range(total // len(piece)):
                assert client.take(len(piece)) == piece
            sender.join()
        with server.connect() as client:
            assert client.ask(get(f"/download?n={total}")).body == download_bytes(total)
        with server.connect() as client:
            client.send(get("/upload", "Transfer-Encoding: chunked", method="POST"))
            chunk = b"%x\r\n%b\r\n" % (len(piece), piece)
            for _ in range(4 * MIB // len(piece)):
                client.send(chunk)
            assert client.ask(b"0\r\n\r\n").json()["bytes"] == 4 * MIB
        if not sanitized(build_dir):
            assert server.peak_memory_kib() - before < 4096


def test_an_echo_that_nobody_reads_stops_the_upload(build_dir):
    """The pause reaches the client as a full socket, not the server as memory."""
    with serving(build_dir) as server:
        server.ask(get("/hello"))
        before = server.peak_memory_kib()
        with server.connect(rcvbuf=4096) as client:
            client.send(get("/stream-echo", f"Content-Length: {512 * MIB}", method="POST"))
            client.socket.settimeout(0.5)
            sent = 0
            with pytest.raises(TimeoutError):
                while True:
                    sent += client.socket.send(b"x" * 65536)
            assert sent < 100 * MIB
            if not sanitized(build_dir):
                assert server.peak_memory_kib() - before < 4096
