"""Several worker threads under mixed load, with answers from other threads and a reader
of counters: the totals agree. Under the thread sanitizer no race may show."""

import os
import random
import threading
import time

import patience
import pytest
from life import Client, chunked, get, post, sanitized, serving

pytestmark = pytest.mark.threads


class Mixed(threading.Thread):
    """A client that asks for all kinds of things and checks each answer."""

    KINDS = [
        (get(), (200, b"ok")),
        (post("/", b"x" * 3000), (200, b"3000")),
        (chunked("/upload", b"5\r\nhello\r\n" * 50, b"0\r\n\r\n"), (200, b"250")),
        (get("/large?bytes=100000"), (200, b"l" * 100000)),
        (get("/stream?bytes=300000"), (200, b"s" * 300000)),
        (get("/deferred?ms=2"), (200, b"later")),
        (get("/nowhere"), (404, b'{"detail":"Not Found"}')),
    ]

    def __init__(self, port: int, seed: int, requests: int):
        super().__init__()
        self.port, self.requests = port, requests
        self.rng = random.Random(seed)
        self.problem: BaseException | None = None

    def run(self) -> None:
        try:
            left = self.requests
            while left > 0:
                with Client(self.port, 60) as client:
                    depth = min(left, self.rng.randrange(1, 12))
                    batch = [self.rng.choice(self.KINDS) for _ in range(depth)]
                    client.send(b"".join(request for request, _ in batch))
                    for _, expected in batch:
                        assert client.read() == expected
                    left -= depth
        except BaseException as e:  # told by the main thread
            self.problem = e


@pytest.mark.parametrize("threads", [2, 4])
def test_mixed_load(build_dir, threads):
    seed = int(os.environ.get("FA_SEED", "1"))
    requests = 300 if sanitized(build_dir) else 1000
    clients = 6
    with serving(build_dir, f"--threads={threads}", max_pending_bytes=50_000) as server:
        loads = [Mixed(server.port, seed * 100 + i, requests) for i in range(clients)]
        for load in loads:
            load.start()
        while any(load.is_alive() for load in loads):
            server.counters()
            time.sleep(0.05)
        for load in loads:
            load.join()
            assert load.problem is None, f"FA_SEED={seed}: {load.problem!r}"
        server.wait_for(lambda n: n["connections_open"] == 1)
        n = server.counters()
        # The request for the counters is itself the one that is active.
        assert n["active"] == 1
        assert n["responses_2xx"] + n["responses_4xx"] == n["requests"] - 1
        assert n["responses_5xx"] == n["malformed"] == n["timeouts"] == 0
        assert n["requests"] >= clients * requests


def test_stopped_in_the_middle(build_dir):
    """All threads busy, answers on their way from others: in order, and soon."""
    for stop_ms in (150, 250, 400):
        with serving(build_dir, "--threads=4", f"--stop-ms={stop_ms}") as server:
            loads = [Mixed(server.port, i, 1 << 20) for i in range(6)]
            for load in loads:
                load.start()
            assert server.end() == 0
            for load in loads:
                load.join(patience.HANGS_S)
                assert not load.is_alive()
                # Refused, or closed between two requests of a batch; but never a
                # wrong answer.
                assert not isinstance(load.problem, AssertionError), load.problem
