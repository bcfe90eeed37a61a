"""Every size and count of fa_limits, at the limit and one above it."""

import contextlib
import time

import patience
import pytest
from life import Closed, chunked, get, post, serving

LIMITS = {
    "max_request_line_bytes": 100,
    "max_header_bytes": 200,
    "max_headers": 5,
    "max_body_bytes": 1000,
    "max_chunk_extension_bytes": 10,
    "max_chunk_extensions_bytes": 25,
    "max_trailer_bytes": 40,
}


@pytest.fixture(scope="module")
def server(build_dir):
    with serving(build_dir, **LIMITS) as s:
        yield s


def request_line(n: int) -> bytes:
    """A GET whose request-line is n bytes long, with its CRLF."""
    line = b"GET /?%b HTTP/1.1\r\n"
    return line % (b"a" * (n - len(line % b""))) + b"host: x\r\n\r\n"


def header_bytes(n: int) -> bytes:
    """A GET whose field lines and the empty line after them are n bytes long."""
    fields = b"host: x\r\nfiller: %b\r\n\r\n"
    return b"GET / HTTP/1.1\r\n" + fields % (b"a" * (n - len(fields % b"")))


def header_count(n: int) -> bytes:
    return get("/", *(f"f{i}: v" for i in range(n - 1)))


def body(n: int) -> bytes:
    return post("/", b"b" * n)


def chunks(n: int) -> bytes:
    """Chunks of together n bytes."""
    pieces = [b"a\r\n0123456789\r\n"] * (n // 10) + [b"1\r\nx\r\n"] * (n % 10)
    return chunked("/", *pieces, b"0\r\n\r\n")


def extension(n: int) -> bytes:
    return chunked("/", b"1;%b\r\nx\r\n" % (b"e" * (n - 1)), b"0\r\n\r\n")


def extensions(n: int) -> bytes:
    """Extensions of together n bytes, at most 10 each."""
    sizes = [10] * (n // 10) + ([n % 10] if n % 10 else [])
    return chunked("/", *(b"1;%b\r\nx\r\n" % (b"e" * (k - 1)) for k in sizes), b"0\r\n\r\n")


def trailers(n: int) -> bytes:
    """A trailer section of n bytes, with the empty line that ends it."""
    line = b"x: %b\r\n\r\n"
    return chunked("/", b"1\r\nx\r\n", b"0\r\n", line % (b"t" * (n - len(line % b""))))


CASES = [
    (request_line, "max_request_line_bytes", 414),
    (header_bytes, "max_header_bytes", 431),
    (header_count, "max_headers", 431),
    (body, "max_body_bytes", 413),
    (chunks, "max_body_bytes", 413),
    (extension, "max_chunk_extension_bytes", 400),
    (extensions, "max_chunk_extensions_bytes", 400),
    (trailers, "max_trailer_bytes", 400),
]


@pytest.mark.parametrize(("make", "name", "status"), CASES, ids=lambda x: getattr(x, "__name__", None))
@pytest.mark.parametrize("split", [False, True], ids=["whole", "bytewise"])
def test_limit(server, make, name, status, split):
    limit = LIMITS[name]
    with server.connect() as client:
        for size, expected in ((limit - 1, 200), (limit, 200), (limit + 1, status)):
            request = make(size)
            if split:
                for i in range(0, len(request) - 7, 7):
                    with contextlib.suppress(ConnectionError):  # refused on the way
                        client.send(request[i : i + 7])
                    if i % 70 == 0:
                        time.sleep(0.001)
                request = request[i + 7 :]
            assert client.ask(request)[0] == expected, size
        if client.fields.get("connection") == "close":
            assert client.closed_within()
        else:  # a small declared body is skipped instead
            assert make is body
            assert client.ask(get())[0] == 200


def test_streamed_body_has_the_same_limit(server):
    with server.connect() as client:
        assert client.ask(post("/upload", b"b" * 1000)) == (200, b"1000")
        assert client.ask(post("/upload", b"b" * 1001))[0] == 413
    with server.connect() as client:
        # Above the limit only after a part was handed on.
        assert client.ask(chunked("/upload", *[b"64\r\n%b\r\n" % (b"b" * 100)] * 11))[0] == 413
        assert client.closed_within()


def test_huge_declared_body_is_refused_before_it_comes(server):
    with server.connect() as client:
        head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9000000000000000000\r\n"
        assert client.ask(head + b"expect: 100-continue\r\n\r\n")[0] == 413
        assert client.closed_within()


def test_refused_upload_still_sees_the_answer(server):
    """The client is still sending when it is refused: no reset overtakes the 413."""
    for _ in range(20):
        with server.connect() as client:
            head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3000000\r\n\r\n"
            client.socket.settimeout(patience.HANGS_S)
            assert client.ask(head + b"b" * 300000)[0] == 413


def test_max_connections(build_dir):
    with serving(build_dir, max_connections=3) as server:
        clients = [server.connect() for _ in range(3)]
        for client in clients:
            assert client.ask(get())[0] == 200
        for _ in range(5):
            with server.connect() as one_more:
                status, text = one_more.read()
                assert (status, text) == (503, b'{"detail":"Too many connections"}')
                assert one_more.fields["connection"] == "close"
                assert "retry-after" in one_more.fields
                assert one_more.closed_within()
        for client in clients:
            assert client.ask(get())[0] == 200
        clients.pop().socket.close()
        end = time.monotonic() + patience.HANGS_S
        while (status := server.get("/counters")[0]) == 503 and time.monotonic() < end:
            time.sleep(0.01)
        assert status == 200
        for client in clients:
            client.socket.close()


def test_max_connections_per_address(build_dir):
    with serving(build_dir, "--threads=2", max_connections_per_address=2) as server:
        first, second = server.connect(), server.connect()
        assert first.ask(get())[0] == second.ask(get())[0] == 200
        assert server.get()[0] == 503
        first.socket.close()
        end = time.monotonic() + patience.HANGS_S
        while (status := server.get()[0]) == 503 and time.monotonic() < end:
            time.sleep(0.01)
        assert status == 200
        second.socket.close()


def test_max_requests_per_connection(build_dir):
    with serving(build_dir, max_requests_per_connection=3) as server:
        with server.connect() as client:
            for i in range(3):
                assert client.ask(get())[0] == 200
                assert ("connection" in client.fields) == (i == 2)
            assert client.closed_within()
        with server.connect() as client:  # pipelined: three answers and no more
            client.send(get() * 5)
            assert [client.read()[0] for _ in range(3)] == [200] * 3
            with pytest.raises(Closed):
                client.read()


def test_flood_of_pipelined_requests_starves_nobody(build_dir):
    """Others are answered in between, however much one client has sent ahead."""
    with serving(build_dir, max_pipelined=4) as server:
        flood = [server.connect() for _ in range(4)]
        for client in flood:
            client.socket.setblocking(False)
        request = get() * 2000
        slowest = 0.0
        with server.connect() as other:
            for _ in range(50):
                for client in flood:
                    try:
                        client.socket.send(request)
                        client.socket.recv(1 << 20)
                    except BlockingIOError:
                        pass
                begin = time.monotonic()
                assert other.ask(get())[0] == 200
                slowest = max(slowest, time.monotonic() - begin)
        # An unfair server would work through all that is queued first, for seconds.
        assert slowest < 2
        for client in flood:
            client.socket.close()


def test_pending_output_holds_a_pipeliner_back(build_dir):
    """A client that asks and never reads gets no more answers than it is allowed."""
    with serving(build_dir, max_pending_bytes=100_000, write_timeout_ms=60000) as server:
        before = server.counters()["requests"]
        with server.connect() as client:
            client.socket.settimeout(0.5)
            sent = 0
            with pytest.raises(TimeoutError):
                while True:
                    sent += client.socket.send(get("/large?bytes=50000") * 100)
            asked = server.counters()["requests"] - before
            # Each answer is 50 kB; what the kernel takes is a few MB.
            assert asked < 1000
            assert sent > asked * 40 * 2  # it has asked for far more than that
            client.socket.settimeout(patience.HANGS_S)
            for _ in range(300):  # and gets it when it reads
                assert client.read() == (200, b"l" * 50000)


def test_streams_wait_for_the_client(build_dir):
    """A stream of 200 MB to a client that does not read stays small in memory."""
    with serving(build_dir, max_pending_bytes=262144) as server:
        with server.connect() as client:
            client.send(get("/stream?bytes=200000000"))
            time.sleep(0.3)
            assert server.rss_kib() < 150_000
            assert len(client.read()[1]) == 200_000_000
