"""WebSockets over real sockets: handshake, messages, limits, close codes."""

import asyncio
import socket
import time

import patience
import pytest
import websockets.asyncio.client
from server import Server, get, serving
from websocket import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Frame,
    RawWebSocket,
    close,
    frame,
    handshake,
    start_echo,
)
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect


@pytest.fixture(scope="module")
def server(build_dir):
    with serving(build_dir) as running:
        yield running


def url(server: Server, path: str = "/websocket/echo") -> str:
    return f"ws://127.0.0.1:{server.port}{path}"


# ---- handshake ----


def test_the_answer_has_what_uvicorn_sends_in_its_order(server: Server):
    with RawWebSocket(
        server,
        "/websocket",
        "Sec-WebSocket-Protocol: one, two",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    ) as ws:
        assert [name for name, _ in ws.answer.fields] == [
            "upgrade", "connection", "sec-websocket-accept", "sec-websocket-protocol",
            "sec-websocket-extensions", "date", "server", "x-extra",
        ]  # fmt: skip
        assert ws.answer.get("sec-websocket-protocol") == "two"


# As uvicorn 0.54 with websockets 17.4 answers them; but windows of 8 bits, which it cannot
# make, it declines.
OFFERS = {
    "permessage-deflate": "permessage-deflate; server_max_window_bits=12",
    "permessage-deflate; client_max_window_bits": (
        "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"
    ),
    "permessage-deflate; client_max_window_bits=10": (
        "permessage-deflate; server_max_window_bits=12; client_max_window_bits=10"
    ),
    "permessage-deflate; server_max_window_bits=10": (
        "permessage-deflate; server_max_window_bits=10"
    ),
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover": (
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
        "server_max_window_bits=12"
    ),
    "x-unknown, permessage-deflate; mystery, permessage-deflate": (
        "permessage-deflate; server_max_window_bits=12"
    ),
    "x-unknown": None,
}


@pytest.mark.parametrize("offer", OFFERS)
def test_extensions_are_answered_as_uvicorn_does(server: Server, offer: str):
    with RawWebSocket(server, "/websocket", f"Sec-WebSocket-Extensions: {offer}") as ws:
        assert ws.answer.get("sec-websocket-extensions") == OFFERS[offer]


def test_without_deflate_none_is_agreed(server: Server):
    offer = "Sec-WebSocket-Extensions: permessage-deflate"
    with RawWebSocket(server, "/websocket?deflate=0", offer) as ws:
        assert ws.answer.get("sec-websocket-extensions") is None


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8", 426),
        ("Sec-WebSocket-Version: 13", "X: y", 426),
        ("Sec-WebSocket-Key", "X-Key", 400),
        ("GET", "POST", 405),
        ("HTTP/1.1", "HTTP/1.0", 400),
    ],
)
def test_refused(server: Server, old: str, new: str, status: int):
    request = handshake("/websocket").replace(old.encode(), new.encode(), 1)
    with server.connect() as client:
        answer = client.ask(request)
        assert answer.status == status
        if status == 426:
            assert answer.get("sec-websocket-version") == "13"
            assert answer.get("upgrade") == "websocket"
        if status != 405:
            assert client.at_end()


def test_more_subprotocols_than_anybody_has(server: Server):
    fields = ("Sec-WebSocket-Protocol: " + ",".join(["a"] * 3000),)
    assert server.ask(handshake("/websocket", *fields)).status == 400


def test_denied_by_the_application(server: Server):
    with pytest.raises(InvalidStatus) as caught:
        connect(url(server, "/websocket?deny=1"))
    assert caught.value.response.status_code == 403
    assert caught.value.response.body == b"not you"


# ---- messages ----


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_echo(server: Server, compression: str | None, rng):
    messages: list[str | bytes] = ["", "a", "äöü€😀", b"", b"\0", bytes(range(256)) * 3]
    messages += ["x" * n for n in (125, 126, 65535, 65536, 200_000)]
    messages += [rng.randbytes(n) for n in (125, 126, 16383, 16384, 65535, 65536, 3_000_000)]
    with connect(url(server), compression=compression, max_size=None) as ws:
        assert bool(ws.protocol.extensions) == (compression is not None)
        for message in messages:
            ws.send(message)
            assert ws.recv() == message
        for message in messages[:-1] * 3:
            ws.send(message)
        for message in messages[:-1] * 3:
            assert ws.recv() == message


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_fragments(server: Server, compression: str | None):
    with connect(url(server), compression=compression) as ws:
        for pieces in (["a"], ["", ""], ["ä", "", "öü", "x" * 70000], ["x"] * 500):
            ws.send(iter(pieces))
            assert ws.recv() == "".join(pieces)
        ws.send(iter([b"\0\1", b"", b"\2" * 100_000]))
        assert ws.recv() == b"\0\1" + b"\2" * 100_000
        assert ws.ping().wait(patience.HANGS_S)


def test_bytes_one_by_one(server: Server):
    data = frame(TEXT, b"\xc3", fin=False) + frame(PING, b"p") + frame(0, b"\xa4") + close(1000)
    with RawWebSocket(server, "/websocket/echo") as ws:
        ws.client.send_pieces(data, list(range(1, len(data))))
        assert [(f.opcode, f.payload) for f in (ws.read(), ws.read(), ws.read())] == [
            (PONG, b"p"), (TEXT, b"\xc3\xa4"), (CLOSE, b"\x03\xe8"),
        ]  # fmt: skip
        assert ws.at_end()


def test_frames_in_one_piece_with_the_request(server: Server):
    early = frame(TEXT, b"early") + frame(BINARY, b"x" * 70000) + frame(PING, b"!")
    with RawWebSocket(server, "/websocket/echo", early=early) as ws:
        assert ws.read().payload == b"early"
        assert ws.read().payload == b"x" * 70000
        assert ws.read().opcode == PONG


async def exchange(address: str, data: bytes, times: int) -> None:
    async with websockets.asyncio.client.connect(address, max_size=None, compression=None) as ws:

        async def read_all() -> None:
            for _ in range(times):
                assert await ws.recv() == data

        reading = asyncio.create_task(read_all())
        for _ in range(times):
            await ws.send(data)
        await reading


def test_large_messages_both_ways_at_once(server: Server, rng):
    asyncio.run(exchange(url(server), rng.randbytes(8 << 20), 4))


def test_small_fragments_of_a_large_message(server: Server):
    piece = b"x" * 64
    message = frame(BINARY, piece, fin=False) + frame(0, piece, fin=False) * 65534
    with RawWebSocket(server, "/websocket/echo") as ws:
        ws.send(message + frame(0, piece))
        assert ws.read().payload == piece * 65536


# ---- rules and limits ----


@pytest.mark.parametrize(
    ("query", "data", "code"),
    [
        ("", frame(TEXT, b"no mask", masked=False), 1002),
        ("", frame(0, b"of nothing"), 1002),
        ("", frame(3), 1002),
        ("", frame(PING, fin=False), 1002),
        ("", b"\xc1\x80\0\0\0\0", 1002),
        ("", close(1005), 1002),
        ("", close(1000, b"\xff"), 1007),
        ("", frame(TEXT, b"\xff"), 1007),
        ("", frame(TEXT, b"\xc3"), 1007),
        ("?max=100", frame(BINARY, b"x" * 101), 1009),
        ("?max=100", frame(BINARY, b"x" * 60, fin=False) + frame(0, b"x" * 41), 1009),
        ("", b"\x82\xff\x7f" + b"\xff" * 7 + b"mask", 1009),
        ("?fragments=3", frame(TEXT, fin=False) + frame(0, fin=False) * 3, 1008),
    ],
)
def test_faults_are_told_and_end_it(server: Server, query: str, data: bytes, code: int):
    seen = len(server.events)
    with RawWebSocket(server, "/websocket" + query) as ws:
        ws.send(data)
        told = ws.read()
        assert (told.opcode, told.code) == (CLOSE, code)
        assert ws.at_end()
    server.wait_event(rf"^closed {code} {told.payload[2:].decode()}$", seen)


def test_what_inflates_too_far_is_refused_early(server: Server):
    with connect(url(server), compression="deflate") as ws:
        with pytest.raises(ConnectionClosed) as caught:
            ws.send(b"\0" * (15 << 20))
            ws.recv()
    assert caught.value.rcvd.code == 1009


# ---- close ----


@pytest.mark.parametrize(
    ("code", "reason"), [(1000, ""), (1001, "bye"), (3000, "ö"), (4999, "x" * 123)]
)
def test_closed_by_the_client(server: Server, code: int, reason: str):
    seen = len(server.events)
    with connect(url(server)) as ws:
        ws.close(code, reason)
        assert (ws.close_code, ws.close_reason) == (code, reason)
    server.wait_event(rf"^closed {code} {reason}$", seen)


def test_closed_by_the_client_without_a_code(server: Server):
    seen = len(server.events)
    with RawWebSocket(server, "/websocket/echo") as ws:
        ws.send(frame(CLOSE))
        assert ws.read() == Frame(CLOSE, b"")
        assert ws.at_end()
    server.wait_event(r"^closed 1005 $", seen)


@pytest.mark.parametrize("code", [1000, 1011, 3000, 4999])
def test_closed_by_the_server(server: Server, code: int):
    seen = len(server.events)
    with connect(url(server, "/websocket")) as ws:
        ws.send(f"close {code} so it is")
        with pytest.raises(ConnectionClosed) as caught:
            ws.recv()
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (code, "so it is")
    server.wait_event(rf"^closed {code} so it is$", seen)


@pytest.mark.parametrize("code", [999, 1004, 1005, 1006, 1015, 5000])
def test_codes_that_must_not_be_sent(server: Server, code: int):
    seen = len(server.events)
    with connect(url(server, "/websocket")) as ws:
        ws.send(f"close {code} x")
        server.wait_event(r"^close-command -2$", seen)
        assert ws.ping().wait(patience.HANGS_S)


def test_a_close_that_is_not_answered(server: Server):
    seen = len(server.events)
    with RawWebSocket(server, "/websocket?close=100") as ws:
        ws.send(frame(TEXT, b"close 1000 bye"))
        assert ws.read().code == 1000
        ws.send(frame(TEXT, b"send 10"))  # is told still, and cannot be answered
        server.wait_event(r"^send -6$", seen)
        assert ws.at_end()
    server.wait_event(r"^closed 1006 $", seen)


def test_aborted(server: Server):
    seen = len(server.events)
    with connect(url(server, "/websocket")) as ws:
        ws.send("abort")
        with pytest.raises(ConnectionClosed) as caught:
            ws.recv()
        assert caught.value.rcvd is None
    server.wait_event(r"^closed 1006 $", seen)


@pytest.mark.parametrize("how", ["end", "reset"])
@pytest.mark.parametrize(
    "within", [b"", frame(TEXT, b"half", fin=False), frame(TEXT, b"x" * 500)[:99]]
)
def test_a_client_that_goes_away(server: Server, how: str, within: bytes):
    seen = len(server.events)
    with RawWebSocket(server, "/websocket") as ws:
        ws.send(within)
        if how == "reset":
            time.sleep(0.02)
            ws.client.reset()
        else:
            ws.client.finish_sending()
            assert ws.at_end()
    server.wait_event(r"^closed 1006 $", seen)


def test_a_close_and_the_end_at_once(server: Server):
    seen = len(server.events)
    with RawWebSocket(server, "/websocket") as ws:
        ws.send(frame(TEXT, b"x") + close(4001, b"gone"))
        ws.client.socket.shutdown(socket.SHUT_WR)
        assert ws.read().code == 4001
        assert ws.at_end()
    server.wait_event(r"^closed 4001 gone$", seen)


def test_counters(build_dir):
    with serving(build_dir) as server:
        with connect(url(server)) as ws:
            for _ in range(5):
                ws.send("x")
                ws.recv()
            counted = server.counters()
            assert (counted["websockets"], counted["websockets_open"]) == (1, 1)
        while server.counters()["websockets_open"]:
            pass
        counted = server.counters()
        assert (counted["messages_in"], counted["messages_out"]) == (5, 5)
        assert counted["responses_1xx"] == 1
        assert server.ask(get("/hello")).status == 200


def test_the_example(build_dir):
    program, address = start_echo(build_dir)
    try:
        with connect(address) as ws:
            ws.send("hello")
            assert ws.recv() == "hello"
            program.terminate()
            with pytest.raises(ConnectionClosed) as caught:
                ws.recv()
            assert caught.value.rcvd.code == 1012
        assert program.wait(patience.HANGS_S) == 0  # of the one signal: a second may find no handler left
    finally:
        program.kill()
        program.wait()
