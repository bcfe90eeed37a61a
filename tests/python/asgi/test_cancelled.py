"""receive() and send() that were given up, as asyncio.wait_for() does, leave no trace."""

import pathlib

import peers
import pytest
from cancelled_app import SIZE


@pytest.mark.parametrize("kind", ["uvicorn", "fasterapi"])
def test_given_up(site: pathlib.Path, loop: str, tmp_path: pathlib.Path, kind: str) -> None:
    options = ["cancelled_app:app", "--port", "0", "--loop", loop, "--lifespan", "off"]
    with peers.serving(kind, site, tmp_path, *options) as server:
        with server.connect() as s:
            s.sendall(b"GET /receive HTTP/1.1\r\nHost: test\r\n\r\n")
            assert peers.answer_of(peers.Reader(s), "GET").body == b"1"
        with server.connect() as s:
            s.sendall(b"GET /send HTTP/1.1\r\nHost: test\r\n\r\n")
            server.told("out", "gave up")  # the client is slow: sends wait
            answer = peers.answer_of(peers.Reader(s), "GET")
            assert answer.whole
            assert (len(answer.body), answer.body[-1:]) == (SIZE + 1, b"1")
        assert "Exception" not in server.text("err")


def test_wrong_message(site: pathlib.Path, loop: str, tmp_path: pathlib.Path) -> None:
    """send() raises when it is awaited, not when it is called."""
    bodies = []
    for kind in ("uvicorn", "fasterapi"):
        options = ["cancelled_app:app", "--port", "0", "--loop", loop, "--lifespan", "off"]
        with peers.serving(kind, site, tmp_path / kind, *options) as server, server.connect() as s:
            s.sendall(b"GET /wrong HTTP/1.1\r\nHost: test\r\n\r\n")
            bodies.append(peers.answer_of(peers.Reader(s), "GET").body)
    assert bodies[0].count(b"called") == 2 and b"RuntimeError" in bodies[0]
    assert bodies[1] == bodies[0]
