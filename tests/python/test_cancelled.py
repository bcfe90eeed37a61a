"""receive() and send() that were given up, as asyncio.wait_for() does, leave no trace."""

import pathlib

import peers
import pytest

SIZE = 8 << 20


async def app(scope, receive, send):
    import asyncio
    import gc

    if scope["type"] != "http":
        return

    async def respond(body):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    if scope["path"] == "/wrong":
        found = []
        for how in (send, lambda message: asyncio.create_task(send(message))):
            called = how({"type": "http.nonsense"})
            found.append("called")
            try:
                await called
            except Exception as error:
                found.append(repr(error))
        await respond(repr(found).encode())
    elif scope["path"] == "/receive":
        # Nothing comes: each call is given up, and must not be kept until something does.
        await receive()
        for _ in range(300):
            try:
                await asyncio.wait_for(receive(), 0.0005)
            except TimeoutError:
                pass
        gc.collect()
        futures = sum(type(o).__name__ == "Future" for o in gc.get_objects())
        await respond(b"%d" % (futures < 100))
    elif scope["path"] == "/send":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        gave_up = sent = 0
        while sent < SIZE >> 20:  # what was given up was not sent, and is sent again
            message = {"type": "http.response.body", "body": bytes(1 << 20), "more_body": True}
            try:
                await asyncio.wait_for(send(message), 0.01)
                sent += 1
            except TimeoutError:
                gave_up += 1
                print("gave up", flush=True)
        await send({"type": "http.response.body", "body": b"%d" % (gave_up > 0)})


@pytest.mark.parametrize("kind", ["uvicorn", "fasterapi"])
def test_given_up(site: pathlib.Path, loop: str, tmp_path: pathlib.Path, kind: str) -> None:
    options = ["test_cancelled:app", "--port", "0", "--loop", loop, "--lifespan", "off"]
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
        options = ["test_cancelled:app", "--port", "0", "--loop", loop, "--lifespan", "off"]
        with peers.serving(kind, site, tmp_path / kind, *options) as server, server.connect() as s:
            s.sendall(b"GET /wrong HTTP/1.1\r\nHost: test\r\n\r\n")
            bodies.append(peers.answer_of(peers.Reader(s), "GET").body)
    assert bodies[0].count(b"called") == 2 and b"RuntimeError" in bodies[0]
    assert bodies[1] == bodies[0]
