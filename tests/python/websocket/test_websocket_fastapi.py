"""WebSocket endpoints of FastAPI and Starlette, beside uvicorn."""

import json
import pathlib
import time
import urllib.request

import patience
import peers
import pytest
import ws_client
from ws_client import BINARY, TEXT, closing, frame, head

BYE = closing(1000, b"bye")
CASES = {
    "echo": (head("/items/3?token=a"), [frame(TEXT, b"one"), 1, frame(TEXT, b"two"), 1, BYE]),
    "subprotocol": (head("/items/3?token=b", "Sec-WebSocket-Protocol: x, y"), [BYE]),
    "goes": (head("/items/3?token=c"), [frame(TEXT, b"one"), 1, ws_client.EOF]),
    "no token": (head("/items/3"), []),
    "no number": (head("/items/x?token=d"), []),
    "no such path": (head("/nowhere"), []),
    "raises": (head("/raises"), []),
    "denies": (head("/denies"), []),
    "late": (head("/late"), [frame(TEXT, b"one")]),
    "endpoint": (head("/endpoint"), [frame(BINARY, b"abc"), 1, BYE]),
    "wrong kind": (head("/endpoint"), [frame(TEXT, b"abc")]),
}


@pytest.fixture(scope="module")
def servers(site: pathlib.Path, loop: str, tmp_path_factory: pytest.TempPathFactory):
    logs = tmp_path_factory.mktemp("fastapi")
    options = ["ws_fastapi:app", "--port", "0", "--loop", loop]
    with (
        peers.serving("uvicorn", site, logs / "uvicorn", *options) as theirs,
        peers.serving("fasterapi", site, logs / "fasterapi", *options) as ours,
    ):
        yield theirs, ours


def seen(server: peers.Server) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/seen") as answer:
        return json.load(answer)


@pytest.mark.parametrize("name", CASES)
def test_same(servers: tuple[peers.Server, peers.Server], name: str) -> None:
    found = []
    for server in servers:
        with server.connect() as s:
            told = ws_client.converse(s, *CASES[name])
        fields = sorted(f for f in told.answer.fields if f[0] not in ("date", "server"))
        found.append((told.answer.status, fields, told.answer.body, told.frames))
    assert found[1] == found[0]
    deadline = time.monotonic() + patience.HANGS_S
    while seen(servers[0]) != seen(servers[1]) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert seen(servers[1]) == seen(servers[0])


def test_something_was_compared(servers: tuple[peers.Server, peers.Server]) -> None:
    assert len(seen(servers[1])) > 4
