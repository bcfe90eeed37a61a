"""The end of a server: what was accepted is answered, under load, with any threads."""

import signal
import threading
import time

import patience
import pytest
from life import Client, Closed, get, serving

pytestmark = pytest.mark.threads
THREADS = pytest.mark.parametrize("threads", [1, 2])
TIMEOUT = -120  # FA_ERR_TIMEOUT: the drain had to be cut


class Load:
    """Clients that keep asking over kept-alive connections and count.

    Lost is a request on a connection that answered before and was not told to close; on
    a new connection it is one that was accepted: the client cannot tell that from one
    still waiting in the kernel, so those are counted apart."""

    def __init__(self, port: int, clients: int, target: str = "/", reuse: int = 1 << 30):
        self.port, self.target, self.reuse = port, target, reuse
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.sent = self.answered = self.lost = self.never_begun = 0
        self.threads = [threading.Thread(target=self._run) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def _count(self, **numbers: int) -> None:
        with self.lock:
            for name, n in numbers.items():
                setattr(self, name, getattr(self, name) + n)

    def _ask_on(self, client: Client) -> None:
        for number in range(self.reuse):
            self._count(sent=1)
            try:
                status, body = client.ask(get(self.target))
            except (Closed, ConnectionError):
                self._count(**{"lost" if number else "never_begun": 1})
                return
            assert status == 200, body
            self._count(answered=1)
            if self.stop.is_set() or client.fields.get("connection") == "close":
                return

    def _run(self) -> None:
        while not self.stop.is_set():
            try:
                with Client(self.port, 30) as client:
                    self._ask_on(client)
            except ConnectionError:
                return  # nobody listens any more

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(patience.HANGS_S)
            assert not thread.is_alive()


@THREADS
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_drain_under_load(build_dir, threads, number):
    """Whoever was accepted gets the answer; new ones are refused, not left hanging."""
    with serving(build_dir, f"--threads={threads}") as server:
        kept = Load(server.port, 8)
        fresh = Load(server.port, 4, reuse=1)
        slow = Load(server.port, 4, target="/deferred?ms=100")
        time.sleep(0.5)
        server.tell(number)
        assert server.end() == 0
        loads = (kept, fresh, slow)
        for load in loads:
            load.end()
    assert sum(load.lost for load in loads) == 0
    assert all(load.answered > 4 for load in loads)
    # Connections that the kernel completed in the instant of closing the listener.
    assert sum(load.never_begun for load in loads) <= 4


@THREADS
def test_new_connections_are_refused_at_once(build_dir, threads):
    """During a drain nobody waits in a backlog that is never served."""
    with serving(build_dir, f"--threads={threads}") as server:
        with server.connect() as waiting:
            waiting.send(get("/deferred?ms=1500"))
            time.sleep(0.2)
            server.tell()
            time.sleep(0.3)
            with pytest.raises(ConnectionError):
                server.connect().socket.close()
            assert waiting.read() == (200, b"later")
        assert server.end() == 0


@THREADS
def test_deferred_answers_are_completed(build_dir, threads):
    with serving(build_dir, f"--threads={threads}") as server:
        clients = [server.connect() for _ in range(20)]
        for client in clients:
            client.send(get("/deferred?ms=600"))
        time.sleep(0.2)
        server.tell()
        for client in clients:
            assert client.read() == (200, b"later")
            assert client.fields["connection"] == "close"
            client.socket.close()
        assert server.end() == 0


@THREADS
def test_idle_connections_have_a_grace(build_dir, threads):
    with serving(build_dir, f"--threads={threads}", drain_grace_ms=700) as server:
        with server.connect() as last_word, server.connect() as silent:
            assert last_word.ask(get())[0] == silent.ask(get())[0] == 200
            server.tell()
            begin = time.monotonic()
            time.sleep(0.3)
            assert last_word.ask(get())[0] == 200  # one more request is served
            assert last_word.fields["connection"] == "close"
            assert silent.closed_within()
            assert time.monotonic() - begin > 0.6
        assert server.end() == 0


@THREADS
def test_large_answer_under_way(build_dir, threads):
    """A client that takes its time over a large answer still gets all of it."""
    with serving(build_dir, f"--threads={threads}") as server:
        with server.connect() as client, server.connect() as other:
            client.send(get("/stream?bytes=30000000"))
            other.send(get("/large?bytes=30000000"))
            time.sleep(0.2)
            server.tell()
            time.sleep(1)  # longer than the grace of idle connections
            assert len(client.read()[1]) == 30_000_000
            assert len(other.read()[1]) == 30_000_000
        assert server.end() == 0


@THREADS
def test_second_signal_cuts(build_dir, threads):
    with serving(build_dir, f"--threads={threads}") as server:
        with server.connect() as client:
            client.send(get("/deferred?ms=1000000"))
            time.sleep(0.2)
            server.tell()
            time.sleep(0.3)
            assert server.process.poll() is None
            server.tell(signal.SIGINT)
            assert client.closed_within()
            assert server.end() == TIMEOUT


@THREADS
def test_drain_timeout(build_dir, threads):
    with serving(build_dir, f"--threads={threads}", drain_timeout_ms=500) as server:
        with server.connect() as client:
            client.send(get("/deferred?ms=1000000"))
            time.sleep(0.2)
            server.tell()
            begin = time.monotonic()
            assert client.closed_within()
            assert time.monotonic() - begin > 0.4
            assert server.end() == TIMEOUT


@THREADS
def test_stopped_by_another_thread(build_dir, threads):
    """fa_server_stop() with load, deferred answers and a reader of counters about."""
    with serving(build_dir, f"--threads={threads}", "--stop-ms=600") as server:
        kept = Load(server.port, 6)
        slow = Load(server.port, 4, target="/deferred?ms=5")
        assert server.end() == 0
        kept.end()
        slow.end()
    assert kept.lost == slow.lost == 0
    assert kept.answered > 6 and slow.answered > 4


@THREADS
def test_upgraded_streams_do_not_hold_the_end(build_dir, threads):
    with serving(build_dir, f"--threads={threads}") as server:
        with server.connect() as client:
            client.send(get("/upgrade", "connection: upgrade", "upgrade: echo"))
            assert client._until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
            client.send(b"hello")
            assert client._exactly(5) == b"hello"
            server.tell()
            assert client.closed_within()
        assert server.end() == 0


def test_signal_before_anybody_came(build_dir):
    with serving(build_dir, "--threads=2") as server:
        server.tell()
        assert server.end() == 0
