"""Large bodies: their bytes, whatever they are made of; and that a client which does not
read makes nothing grow."""

import hashlib
import pathlib
import socket
import time
from collections.abc import Iterator

import patience
import peers
import pytest
import transfer_apps

EXPECTED = b"".join(transfer_apps.pieces())
BODY = hashlib.sha256(b"seed").digest() * 40_000  # 1.25 MiB


@pytest.fixture(scope="module")
def server(
    site: pathlib.Path, loop: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[peers.Server]:
    every = ["transfer_apps:app", "--port", "0", "--loop", loop]
    with peers.serving("fasterapi", site, tmp_path_factory.mktemp("logs"), *every) as running:
        yield running


def get(server: peers.Server, path: str, rcvbuf: int = 0, pause_s: float = 0) -> peers.Answer:
    with server.connect() as s:
        if rcvbuf:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        s.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())
        time.sleep(pause_s)
        return peers.answer_of(peers.Reader(s), "GET")


@pytest.mark.parametrize("rcvbuf", [0, 131072])
@pytest.mark.parametrize("path", ["/chunked", "/length"])
def test_pieces_of_every_kind(server: peers.Server, path: str, rcvbuf: int) -> None:
    answer = get(server, path, rcvbuf, pause_s=0.2)
    assert (answer.status, answer.whole) == (200, True)
    assert answer.body == EXPECTED


def test_one_large_piece(server: peers.Server) -> None:
    answer = get(server, "/whole", rcvbuf=131072, pause_s=0.2)
    assert answer.whole
    assert answer.body == bytes(range(256)) * (8 << 12)


def test_pipelined(server: peers.Server) -> None:
    paths = ["/length", "/state", "/chunked", "/whole", "/length", "/state"]
    with server.connect() as s:
        s.sendall(b"".join(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % p.encode() for p in paths))
        reader = peers.Reader(s)
        answers = [peers.answer_of(reader, "GET") for _ in paths]
    assert all(answer.whole for answer in answers)
    assert [answers[i].body == EXPECTED for i in (0, 2, 4)] == [True] * 3
    assert len(answers[3].body) == 8 << 20


def state_of(server: peers.Server) -> list[int]:
    return [int(word) for word in get(server, "/state").body.split()]


def settled(server: peers.Server) -> list[int]:
    """When nothing has changed for a while."""
    before, deadline = [-1], time.monotonic() + patience.HANGS_S
    while (now := state_of(server)) != before and time.monotonic() < deadline:
        before = now
        time.sleep(0.3)
    return now


def test_a_client_that_does_not_read(server: peers.Server) -> None:
    sent, ended, held = settled(server)
    assert held == 0
    with server.connect() as s:
        s.sendall(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.2)
        more, _, held = settled(server)
        # What the kernel takes (a few MiB), 256 KiB, and the piece that went over it.
        assert 0 < more - sent < 1000
        assert 1 <= held <= 6 + 4  # 256 KiB of 64 KiB each; and the message that waits
    deadline = time.monotonic() + patience.HANGS_S
    while (last := state_of(server))[1] == ended and time.monotonic() < deadline:
        time.sleep(0.1)
    assert last[1:] == [ended + 1, 0]


def post(
    server: peers.Server, path: str, piece: int, pause_s: float, chunk: int = 0
) -> peers.Answer:
    """`chunk`: how long each is, or 0 for a body of known length."""
    framing = b"Transfer-Encoding: chunked" if chunk else b"Content-Length: %d" % len(BODY)
    body = BODY
    if chunk:
        parts = [BODY[at : at + chunk] for at in range(0, len(BODY), chunk)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in [*parts, b""])
    with server.connect() as s:
        s.sendall(b"POST %s HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n" % (path.encode(), framing))
        reader = peers.Reader(s)
        for at in range(0, len(body), piece):
            s.sendall(body[at : at + piece])
            time.sleep(pause_s)
        return peers.answer_of(reader, "POST")


FRAMINGS = [(0, "length"), (700, "short chunks"), (50_000, "chunks"), (900_000, "long chunks")]
framings = pytest.mark.parametrize(
    "chunk", [n for n, _ in FRAMINGS], ids=[name for _, name in FRAMINGS]
)


@framings
@pytest.mark.parametrize("piece", [10_000, 300_000, 1 << 30])
def test_upload(server: peers.Server, piece: int, chunk: int) -> None:
    answer = post(server, "/timed", piece, 0.002, chunk)
    assert (answer.status, answer.whole) == (200, True)
    assert answer.body == BODY


@framings
def test_there_and_back(server: peers.Server, chunk: int) -> None:
    """In the server's callbacks, and always in the task of the request."""
    answer = post(server, "/copy", 20_000, 0.002, chunk)
    assert answer.whole
    assert answer.body == BODY + b"same"
