"""A request that waits for what nobody else knows is not lost to the garbage collector: the
loop knows tasks by weak references only."""

import pathlib

import peers
import pytest


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("uvicorn", []),
        ("fasterapi", ["--engine", "asgi"]),
        ("fasterapi", ["--engine", "auto"]),
    ],
)
def test_waiting(
    site: pathlib.Path, loop: str, tmp_path: pathlib.Path, kind: str, options: list[str]
) -> None:
    started = ["held_app:app", "--port", "0", "--loop", loop, *options]
    with peers.serving(kind, site, tmp_path, *started) as server:
        with server.connect() as s, server.connect() as gone, server.connect() as other:
            for client in (s, gone):
                client.sendall(b"GET /waits HTTP/1.1\r\nHost: test\r\n\r\n")
            other.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n")
            answers = peers.Reader(other)
            assert peers.answer_of(answers, "GET").status == 200  # the first two are waiting
            gone.close()  # its request goes on
            other.sendall(b"GET /sets HTTP/1.1\r\nHost: test\r\n\r\n")
            assert peers.answer_of(answers, "GET").body == b"2"
            assert peers.answer_of(peers.Reader(s), "GET").body == b'"set"'
    assert "destroyed" not in server.text("err")
