"""Every time of fa_limits: who is slow is cut, in time and not before; others are not."""

import contextlib
import statistics
import threading
import time

import patience
import pytest
from life import Client, Closed, get, serving

LIMIT_MS = 400
# Times are not compared with a clock, which says little on a busy machine, but with this many
# answers that the server itself defers for as long as the limit is: in their time a client must
# have been cut, and a limit that is not kept would be far above it.
WITNESSES = 10


@pytest.fixture(scope="module")
def server(build_dir):
    with serving(
        build_dir,
        header_timeout_ms=LIMIT_MS,
        body_timeout_ms=LIMIT_MS,
        idle_timeout_ms=LIMIT_MS,
        write_timeout_ms=LIMIT_MS,
        min_rate_bytes_per_s=0,
    ) as s:
        yield s


@contextlib.contextmanager
def at_the_limit(server, least_s: float = 0.35):
    """What it is around takes about as long as the limit is; measured by the server's own."""
    done, took = threading.Event(), []

    def defers() -> None:
        with server.connect() as client:
            while len(took) < WITNESSES and not done.is_set():
                assert client.ask(get(f"/deferred?ms={LIMIT_MS}")) == (200, b"later")
                took.append(True)

    witness = threading.Thread(target=defers)
    begin = time.monotonic()
    witness.start()
    try:
        yield
        assert time.monotonic() - begin > least_s
        assert len(took) < WITNESSES, "cut too late"
    finally:
        done.set()
        witness.join()


def test_nothing_sent(server):
    with at_the_limit(server), server.connect() as client:
        assert client.closed_within()


def test_part_of_a_head(server):
    with at_the_limit(server), server.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nhost")
        assert client.read()[0] == 408
        assert client.fields["connection"] == "close"
        assert client.closed_within()


def test_dribbling_a_head_gains_nothing(server):
    with at_the_limit(server), server.connect() as client:
        client.socket.settimeout(0.05)
        client.send(b"GET / HTTP/1.1\r\nhost: x\r\n")
        status, deadline = None, time.monotonic() + patience.HANGS_S
        while status is None and time.monotonic() < deadline:
            try:
                client.send(b"a: b\r\n")
                status = client.read()[0]
            except TimeoutError:
                pass
        assert status == 408


def test_dribbling_the_second_head(server):
    """A new request has its own time, from its own first byte."""
    with server.connect() as client:
        for _ in range(3):
            assert client.ask(get())[0] == 200
            time.sleep(0.2)
        begin = time.monotonic()
        client.send(b"GET ")
        assert client.read()[0] == 408
        assert time.monotonic() - begin > 0.35


def test_body_idle(server):
    with server.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n")
        for _ in range(4):  # longer than the timeout in all, but never idle so long
            time.sleep(0.2)
            client.send(b"a")
        with at_the_limit(server, 0.3):
            assert client.read()[0] == 408
            assert client.closed_within()


def test_chunked_upload_idle(server):
    with at_the_limit(server), server.connect() as client:
        client.send(b"POST /upload HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab")
        assert client.read()[0] == 408
        assert client.closed_within()


def test_idle_between_requests(server):
    """Closed without a word: a 408 could be taken for the answer to the next request."""
    with server.connect() as client:
        assert client.ask(get())[0] == 200
        time.sleep(0.2)
        assert client.ask(get())[0] == 200
        with at_the_limit(server):
            assert client.socket.recv(100) == b""


def test_a_handler_may_take_its_time(server):
    with server.connect() as client:
        assert client.ask(get("/deferred?ms=1200")) == (200, b"later")


def test_client_that_never_reads(server):
    """Dropped, and what was kept for it is given back."""
    before = server.counters()["timeouts"]
    clients = []
    for _ in range(10):
        client = server.connect()
        client.send(get("/large?bytes=30000000"))
        clients.append(client)
    server.wait_for(lambda n: n["timeouts"] == before + 10)
    server.wait_for(lambda n: n["connections_open"] == 1)
    for client in clients:
        with pytest.raises((Closed, ConnectionError)):
            client.read()
        client.socket.close()


def test_client_that_reads_slowly_but_steadily(server):
    """Longer than the timeout in all, but it takes something all the time."""
    with server.connect() as client:
        client.send(get("/large?bytes=30000000"))
        total = 0
        begin = time.monotonic()
        while total < 30_000_000:
            piece = client.socket.recv(1_500_000)
            assert piece
            total += len(piece)
            if time.monotonic() - begin < 1.2:
                time.sleep(0.05)
        assert time.monotonic() - begin > 0.8


def test_minimum_rate(build_dir):
    """Never idle, but slower than the rate: cut after the grace of 5 s. Who is a little
    faster than the rate is not."""
    with serving(build_dir, min_rate_bytes_per_s=100, idle_timeout_ms=60000) as server:
        head = b"POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n"
        with server.connect() as slow, server.connect() as fast, server.connect() as lazy:
            lazy.send(get("/large?bytes=30000000"))
            slow.send(head)
            fast.send(head)
            begin = time.monotonic()
            slow.socket.settimeout(0.01)
            status = None
            while status is None and time.monotonic() - begin < patience.HANGS_S:
                time.sleep(0.1)
                fast.send(b"f" * 20)
                lazy.socket.recv(1)  # the kernel does not even notice
                try:
                    slow.send(b"s")
                    status = slow.read()[0]
                except TimeoutError:
                    pass
            assert status == 408
            assert time.monotonic() - begin > 4.9
            fast.send(b"f")
            assert not fast.closed_within(0.1)
            # How much the kernel took at first is its affair, and counts for 10 s at most.
            server.wait_for(lambda c: c["timeouts"] == 2)
            with contextlib.suppress(ConnectionError):
                while lazy.socket.recv(1 << 20):
                    pass


def test_a_fast_beginning_does_not_pay_for_hours(build_dir):
    """Half of the body at once, then a byte now and then, less than the rate."""
    with serving(build_dir, min_rate_bytes_per_s=1000, body_timeout_ms=0) as server:
        with server.connect() as client:
            head = b"POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 2000000\r\n\r\n"
            client.send(head + b"a" * 1_000_000)
            begin = time.monotonic()
            client.socket.settimeout(0.2)
            status = None
            while status is None and time.monotonic() - begin < patience.HANGS_S:
                try:
                    client.send(b"b")
                    status = client.read()[0]
                except TimeoutError:
                    pass
            assert status == 408
            assert time.monotonic() - begin > 5


def test_without_limits_nobody_is_cut(build_dir):
    names = ("header_timeout_ms", "body_timeout_ms", "idle_timeout_ms", "write_timeout_ms")
    with serving(build_dir, min_rate_bytes_per_s=0, **dict.fromkeys(names, 0)) as server:
        with server.connect() as silent, server.connect() as idle, server.connect() as half:
            assert idle.ask(get())[0] == 200
            half.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\na")
            time.sleep(1)
            assert half.ask(b"b") == (200, b"2")
            assert idle.ask(get())[0] == 200
            assert silent.ask(get())[0] == 200


def times_of(client: Client, count: int) -> list[float]:
    """Of so many requests, each."""
    times = []
    while len(times) < count:
        begin = time.monotonic()
        assert client.ask(get())[0] == 200
        times.append(time.monotonic() - begin)
        time.sleep(0.002)
    return times


def test_honest_client_among_slow_ones(build_dir):
    """500 clients that send a byte now and then do not delay one that behaves."""
    with serving(build_dir, header_timeout_ms=3000, body_timeout_ms=3000) as server:
        with server.connect() as honest:
            alone = statistics.median(times_of(honest, 50))
        slow = [server.connect() for _ in range(500)]
        stop = threading.Event()

        def dribble() -> None:
            beginnings = [get()[:-2], b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n"]
            for i, client in enumerate(slow):
                client.send(beginnings[i % 2])
            while not stop.wait(0.05):
                for client in slow:
                    with contextlib.suppress(OSError):
                        client.send(b"a")

        thread = threading.Thread(target=dribble)
        thread.start()
        try:
            with server.connect() as honest:
                times = times_of(honest, 200)
        finally:
            stop.set()
            thread.join()
            for client in slow:
                client.socket.close()
        # A server that waits for slow clients would need their whole timeout.
        assert statistics.median(times) < max(0.25, 20 * alone)
        server.wait_for(lambda n: n["connections_open"] == 1)
