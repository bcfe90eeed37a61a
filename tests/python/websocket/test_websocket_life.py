"""WebSockets: how they end, what they cost, and what differs from uvicorn on purpose."""

import pathlib
import signal
import time

import patience
import peers
import pytest
import ws_client
from ws_client import BINARY, CLOSE, closing, frame, head

OPTIONS = ("ws_apps:app", "--port", "0", "--no-access-log")


@pytest.fixture
def server(site: pathlib.Path, loop: str, tmp_path: pathlib.Path):
    with peers.serving("fasterapi", site, tmp_path, *OPTIONS, "--loop", loop) as found:
        yield found


def opened(server: peers.Server, target: str) -> tuple:
    s = server.connect()
    s.sendall(head(target))
    reader = peers.Reader(s)
    assert ws_client.answer_of(reader, "GET").status == 101
    return s, reader


@pytest.mark.parametrize(("target", "code"), [("/ends-open", 1000), ("/ends-open?raises", 1011)])
def test_the_client_is_told_how_it_ended(server: peers.Server, target: str, code: int) -> None:
    """uvicorn closes the connection without a word."""
    s, reader = opened(server, target)
    with s:
        assert ws_client.read_frame(reader) == (True, 0, CLOSE, code.to_bytes(2, "big"))
        s.sendall(closing(code))
        assert reader.ended()


def test_stop_says_1012(server: peers.Server) -> None:
    s, reader = opened(server, "/echo")
    late = server.connect()
    late.sendall(head("/waits-for-disconnect"))
    time.sleep(0.2)
    with s, late:
        server.process.send_signal(signal.SIGTERM)
        assert ws_client.read_frame(reader) == (True, 0, CLOSE, (1012).to_bytes(2, "big"))
        s.sendall(closing(1012))
        assert reader.ended()
        refused = ws_client.answer_of(peers.Reader(late), "GET")
        assert (refused.status, refused.body) == (500, b"Internal Server Error")
    assert server.process.wait(patience.HANGS_S) == -signal.SIGTERM
    assert "connection rejected (500 Internal Server Error)" in server.text("err")


@pytest.mark.parametrize("interval", ["0", "0.1"])
def test_pings(site: pathlib.Path, tmp_path: pathlib.Path, interval: str) -> None:
    """A client that answers nothing is closed; with an interval of 0 it is left alone."""
    more = ["--ws-ping-interval", interval, "--ws-ping-timeout", "0.2"]
    with peers.serving("fasterapi", site, tmp_path, *OPTIONS, *more) as server:
        s, reader = opened(server, "/echo")
        with s:
            if interval == "0":
                assert not reader.ended(0.6)
                return
            assert ws_client.read_frame(reader)[2] == ws_client.PING
            assert ws_client.read_frame(reader)[3] == b"\x03\xf3keepalive ping timeout"
            assert reader.ended()


def test_none_serves_no_websocket(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with peers.serving("fasterapi", site, tmp_path, *OPTIONS, "--ws", "none") as server:
        with server.connect() as s:
            s.sendall(head("/notes"))
            assert peers.answer_of(peers.Reader(s), "GET").status == 200


def test_back_pressure(server: peers.Server) -> None:
    """What the application does not take stays with the client, and is not lost."""
    s, reader = opened(server, "/many-at-once")
    message = frame(BINARY, b"x" * 4000)
    with s:
        for _ in range(2000):
            s.sendall(message)
        s.sendall(closing())
        assert ws_client.read_frame(reader)[2] == CLOSE


def test_version_and_method_have_statuses_of_their_own(server: peers.Server) -> None:
    for changed, status, field in (
        ({"Sec_WebSocket_Version": "8"}, 426, ("sec-websocket-version", "13")),
        ({"method": "POST"}, 405, ("allow", "GET")),
    ):
        with server.connect() as s:
            s.sendall(head("/echo", **changed))
            answer = ws_client.answer_of(peers.Reader(s), "GET")
            assert answer.status == status
            assert field in answer.fields
            assert answer.body.startswith(b"Failed to open a WebSocket connection: ")


LEAKS = """
import asyncio, gc, os, resource, socket, sys
import ws_client
from fasterapi import _core
from ws_client import TEXT, closing, frame, head

async def app(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})

def rss():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

async def one(loop, worker, messages):
    client, served = socket.socketpair()
    client.setblocking(False)
    worker.adopt(served.detach())
    await loop.sock_sendall(client, head("/"))
    assert b" 101 " in await loop.sock_recv(client, 4096)
    for _ in range(messages):
        await loop.sock_sendall(client, frame(TEXT, b"hello"))
        assert await loop.sock_recv(client, 100) == b"\\x81\\x05hello"
    await loop.sock_sendall(client, closing())
    while await loop.sock_recv(client, 100):
        pass
    client.close()

async def main():
    loop = asyncio.get_running_loop()
    worker = _core.Worker(app, loop, ws_per_message_deflate=False)
    loop.add_reader(worker.fileno(), worker.poll)
    async def settle():
        await asyncio.sleep(0.05)
        gc.collect()
        return rss(), len(gc.get_objects())
    gc.disable()  # what is left behind in cycles would be seen
    for _ in range(500):
        await one(loop, worker, 1)
    before = await settle()
    gc.disable()
    for _ in range(CONNECTIONS):
        await one(loop, worker, 1)
    await asyncio.sleep(0.05)
    left_in_cycles = gc.collect()
    await one(loop, worker, MESSAGES)
    after = await settle()
    assert left_in_cycles < 100, left_in_cycles
    assert after[1] - before[1] < 100, (before, after)
    assert after[0] - before[0] < 4 << 20, (before, after)
    assert worker.connections == 0
    loop.remove_reader(worker.fileno())
    worker.close()

asyncio.run(main())
"""


def test_nothing_is_left_behind(site: pathlib.Path) -> None:
    code = LEAKS.replace("CONNECTIONS", "20_000").replace("MESSAGES", "100_000")
    done = peers.subprocess.run(
        [peers.sys.executable, "-c", code],
        env=peers.environment(site),
        capture_output=True,
        text=True,
        timeout=patience.LONG_S,
    )
    assert done.returncode == 0, done.stderr
