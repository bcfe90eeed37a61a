"""WebSockets over time: peers that are slow, silent or greedy, pauses, and the end."""

import signal
import threading
import time

import patience
import pytest
from server import Server, get, post, sanitized, serving
from websocket import CLOSE, PING, PONG, TEXT, RawWebSocket, close, frame
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


@pytest.fixture
def serve(build_dir):
    """A server of its own for each test; stopped by the test or after it."""
    servers = []

    def start(*options: str) -> Server:
        manager = serving(build_dir, *options)
        servers.append(manager)
        return manager.__enter__()

    yield start
    for manager in servers:
        manager.__exit__(None, None, None)


def url(server: Server, path: str = "/websocket/echo") -> str:
    return f"ws://127.0.0.1:{server.port}{path}"


# ---- keep-alive ----


def test_who_answers_pings_stays(serve):
    server = serve()
    with connect(url(server, "/websocket/echo?interval=50&timeout=500")) as ws:
        time.sleep(0.6)
        ws.send("still here")
        assert ws.recv() == "still here"


def test_who_does_not_is_told_and_left(serve):
    server = serve()
    with RawWebSocket(server, "/websocket?interval=50&timeout=50") as ws:
        assert ws.read().opcode == PING
        told = ws.read()
        assert (told.opcode, told.code) == (CLOSE, 1011)
        assert told.payload[2:] == b"keepalive ping timeout"
        assert ws.at_end()
    server.wait_event(r"^closed 1011 keepalive ping timeout$")


def test_a_long_message_on_its_way_is_a_sign_of_life(serve):
    server = serve()
    with RawWebSocket(server, "/websocket?interval=100&timeout=100") as ws:
        for byte in frame(TEXT, b"x" * 20):
            ws.send(bytes([byte]))
            time.sleep(0.03)
        server.wait_event(r"^message text 20$")


def test_the_times_of_http_do_not_count(serve):
    limits = ("idle_timeout_ms=100", "header_timeout_ms=100", "body_timeout_ms=100")
    server = serve(*(o for limit in limits for o in ("--limit", limit)))
    with RawWebSocket(server, "/websocket/echo") as ws:
        assert ws.client.silent(0.5)
        ws.send(frame(TEXT, b"x")[:3])  # nor is half a message due at any time
        assert ws.client.silent(0.3)


# ---- slow and greedy ----


def warm_memory_kib(server: Server) -> int:
    """What is taken once for all WebSockets is taken: buffers, the library with SHA-1."""
    with connect(url(server), compression=None) as ws:
        ws.send("x" * 200_000)
        ws.recv()
    return server.peak_memory_kib()


def test_a_slow_reader_gets_all_of_it(serve):
    server = serve("--limit", "min_rate_bytes_per_s=1000000")
    n = 20_000_000
    with RawWebSocket(server, "/websocket", rcvbuf=8192) as ws:
        ws.send(frame(TEXT, f"send {n}".encode()))
        server.wait_event(r"^send -7$")  # full
        time.sleep(0.5)
        assert ws.read().payload == b"x" * n
        server.wait_event(r"^drain \d+$")


def test_who_takes_nothing_is_cut(serve):
    server = serve("--limit", "write_timeout_ms=300")
    with RawWebSocket(server, "/websocket", rcvbuf=8192) as ws:
        ws.send(frame(TEXT, b"send 20000000"))
        server.wait_event(r"^closed 1006 $")


@pytest.mark.parametrize("kind", ["ping", "echo"])
def test_a_flood_that_nobody_takes_grows_nothing(serve, build_dir, kind: str):
    server = serve()
    one = frame(PING, b"x" * 125) if kind == "ping" else frame(TEXT, b"x" * 1000)
    before = warm_memory_kib(server)
    with RawWebSocket(server, "/websocket/echo", rcvbuf=8192) as ws:
        ws.client.socket.settimeout(0.5)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 100_000_000:
                sent += ws.client.socket.send(one * 500)
        assert sent < 100_000_000
        assert server.ask(get("/hello")).status == 200  # others are served meanwhile
    if not sanitized(build_dir):
        assert server.peak_memory_kib() - before < 1024


def test_a_flood_that_is_taken_is_answered(serve):
    server = serve()
    pings = 20_000
    with RawWebSocket(server, "/websocket/echo", rcvbuf=8192) as ws:
        data = b"".join(frame(PING, b"%d" % i) for i in range(pings))
        writer = threading.Thread(target=ws.send, args=(data,))
        writer.start()
        for i in range(pings):
            answer = ws.read()
            assert (answer.opcode, answer.payload) == (PONG, b"%d" % i)
        writer.join()


def test_paused_makes_the_peer_wait(serve, build_dir):
    server = serve()
    message = frame(TEXT, b"x" * 1000)
    before = warm_memory_kib(server)
    server.wait_event(r"^closed 1000 $")
    seen = len(server.events)
    with RawWebSocket(server, "/websocket?interval=50&timeout=50") as ws:
        ws.send(frame(TEXT, b"pause"))
        server.wait_event(r"^message text 5$")
        ws.client.socket.settimeout(0.5)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 100_000_000:
                sent += ws.client.socket.send(message[sent % len(message) :] + message * 50)
        assert sent < 100_000_000
        if not sanitized(build_dir):
            assert server.peak_memory_kib() - before < 1024
        assert "message text 1000" not in server.events
        ws.client.socket.settimeout(patience.HANGS_S)
        assert server.ask(post("/websocket/resume", b"")).status == 204
        rest = message[sent % len(message) :] if sent % len(message) else b""
        ws.send(rest + close(1000))
        frames = [ws.read()]
        while frames[-1].opcode == PING:
            frames.append(ws.read())
        assert frames[-1].code == 1000
    server.wait_event(r"^closed 1000 $", seen)
    assert server.events.count("message text 1000") == -(-sent // len(message))


@pytest.mark.parametrize("how", ["reset", "end"])
def test_who_leaves_while_paused_is_noticed(serve, how: str):
    server = serve()
    with RawWebSocket(server, "/websocket?interval=100") as ws:
        ws.send(frame(TEXT, b"pause"))
        server.wait_event(r"^message text 5$")
        ws.send(frame(TEXT, b"not read"))
        time.sleep(0.05)
        if how == "reset":
            ws.client.reset()
    server.wait_event(r"^closed 1006 $")  # with the ping that nobody gets, or before


# ---- the end ----


def test_shutdown_says_why(serve):
    server = serve()
    with connect(url(server, "/websocket")) as ws, connect(url(server)) as told:
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as caught:
            ws.recv()
        assert caught.value.rcvd.code == 1012
        assert told.recv() == "goodbye"  # what the application does by itself
        with pytest.raises(ConnectionClosed) as caught:
            told.recv()
        assert caught.value.rcvd.code == 1001
    assert server.process.wait(patience.HANGS_S) == 0
    server.wait_event(r"^end 0$")


def test_shutdown_waits_for_the_close_but_not_for_ever(serve):
    server = serve()
    with RawWebSocket(server, "/websocket?close=300") as ws:
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert ws.read().code == 1012
        assert server.process.wait(patience.HANGS_S) == 0
        assert 0.25 < time.monotonic() - began
    server.wait_event(r"^closed 1006 $")
    server.wait_event(r"^end 0$")


def test_shutdown_by_force(serve):
    server = serve("--limit", "drain_timeout_ms=300")
    with RawWebSocket(server, "/websocket") as ws:  # its own close timeout is longer
        server.process.send_signal(signal.SIGTERM)
        assert ws.read().code == 1012
        assert server.process.wait(patience.HANGS_S) == 0
    server.wait_event(r"^closed 1006 $")
    server.wait_event(r"^end -120$")


# ---- several threads ----


def chat(server: Server, problems: list[BaseException], seed: int) -> None:
    try:
        for round in range(4):
            with connect(url(server), compression="deflate" if seed % 2 else None) as ws:
                for i in range(25):
                    ws.send(f"{seed}-{round}-{i}" * (i + 1))
                for i in range(25):
                    assert ws.recv() == f"{seed}-{round}-{i}" * (i + 1)
    except BaseException as e:  # told by the main thread
        problems.append(e)


@pytest.mark.threads
def test_threads(serve):
    server = serve("--threads", "3")
    problems: list[BaseException] = []
    clients = [threading.Thread(target=chat, args=(server, problems, i)) for i in range(8)]
    for client in clients:
        client.start()
    while any(client.is_alive() for client in clients):
        counted = server.counters()
        assert counted["websockets_open"] <= counted["websockets"] <= 32
    for client in clients:
        client.join()
    assert not problems
    counted = server.counters()
    assert counted["messages_in"] == counted["messages_out"] == 8 * 4 * 25
