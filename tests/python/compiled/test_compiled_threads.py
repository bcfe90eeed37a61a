"""What runs in threads: as under uvicorn, where anyio's threads do it."""

import pathlib
import signal
import socket
import threading
import time

import compare
import patience
import peers
import pytest
from corpus import request, simple
from wire import Case

# One request at a time: what others do would come between.
ORDER = [
    *(f"/order/{name}" for name in ("dependency", "soon", "thread", "safe", "safe/later")),
    *("/cancelled/running?s=0.1", "/cancelled/dependency?s=0.1", "/scope?s=0.1"),
    "/cancelled/running?s=0.1&back=1",
]
CASES = [
    *map(simple, ["/thread", "/context?value=v", "/context/async?value=v", "/context/yield?value=v"]),
    *[simple(f"/from-thread/{how}") for how in ("run", "sync", "sets", "fails", "token", "no-loop")],
    *[simple(f"/fails/{how}") for how in ("1", "x", "http", "stop", "odd", "cancelled", "plain", "func/x")],
    *map(simple, ["/scope?s=10", "/scope/cancelled"]),
    Case("pipelined", [request("/thread") + request("/fails/1") + request("/context?value=a")], ("GET",) * 3),
]


@pytest.fixture(scope="module")
def servers(site: pathlib.Path, loop: str, tmp_path_factory: pytest.TempPathFactory):
    env = {"FASTERAPI_ENGINE": "auto"}
    logs = tmp_path_factory.mktemp("threads")
    with compare.pair(site, logs, "compiled_threads_app:app", "--loop", loop, env=env) as found:
        yield found


def ask(server: peers.Server, path: str, answers: list | None = None) -> bytes:
    with server.connect() as s:
        s.sendall(request(path))
        body = peers.answer_of(peers.Reader(s), "GET").body
    if answers is not None:
        answers.append(body)
    return body


def said_since(server: peers.Server, before: int) -> list[str]:
    """What the application has printed; the tests of what follows need not compare it."""
    text = server.text("out")
    for stream in ("out", "err"):
        server.seen[stream] = len(server.text(stream))
    return [line for line in text[before:].splitlines() if not line.startswith("INFO:")]


def ask_at_once(server: peers.Server, *paths: str) -> None:
    answers: list[bytes] = []
    threads = [threading.Thread(target=ask, args=(server, path, answers)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [b"null"] * len(paths)


def test_compiled(servers: compare.Pair) -> None:
    assert compare.tiers_of(servers.ours) == (28, 1, 0)


def test_same(servers: compare.Pair, report: compare.Report) -> None:
    compare.check(servers, "threads", CASES, report)


def test_unknown_anyio(site: pathlib.Path, loop: str, tmp_path: pathlib.Path) -> None:
    """Nothing of its inside is touched; it makes the calls itself."""
    env = {"FASTERAPI_ENGINE": "auto"}
    with compare.pair(site, tmp_path, "unknown_anyio_app:app", "--loop", loop, env=env) as servers:
        assert compare.tiers_of(servers.ours) == (29, 1, 0)
        for path in ("/thread", "/same-thread", "/context/yield?value=v", "/own"):
            answers = [ask(server, path) for server in servers]
            assert answers[0] == answers[1]
        assert answers[1] == b"false"


@pytest.mark.parametrize("path", ORDER)
def test_order(servers: compare.Pair, path: str) -> None:
    """Tasks and callbacks take their turns between the steps of a request as ever."""
    said = []
    for server in servers:
        before = len(server.text("out"))
        for n in range(5):
            ask(server, path)
            time.sleep(0.05)  # what goes on behind the answer
            if "cancelled" in path:
                patience.until(lambda: server.text("out")[before:].count("to its end") > n)
        said.append(said_since(server, before))
    assert said[0] == said[1]
    assert len(said[0]) >= 5


def test_same_thread(servers: compare.Pair) -> None:
    """While one request is served at a time, all of it runs in one thread."""
    for server in servers:
        assert [ask(server, "/same-thread") for _ in range(20)] == [b"[true,true]"] * 20


def test_limiter(servers: compare.Pair) -> None:
    """It is anyio's own: what others take of it, and what it is set to, counts."""
    for server in servers:
        assert ask(server, "/tokens") == b"[40,0,0]"
        assert ask(server, "/tokens?n=3") == b"[3,0,0]"
        ask(server, "/most")
        ask_at_once(server, *["/work?together=3", "/work/anyio?together=3"] * 10)
        assert ask(server, "/most") == b"3"
        ask_at_once(server, *["/holds"], *["/work?ms=0"] * 10)
        assert ask(server, "/tokens?n=40") == b"[40,0,0]"
        ask_at_once(server, *["/work?together=30"] * 30)
        assert ask(server, "/most") == b"30"
        assert ask(server, "/tokens") == b"[40,0,0]"


def test_waiting_is_cancelled(servers: compare.Pair) -> None:
    """A call that has no token yet is given up, and the limiter forgets it."""
    said = []
    for server in servers:
        before = len(server.text("out"))
        holding = threading.Thread(target=ask, args=(server, "/holds?ms=200"))
        holding.start()
        time.sleep(0.05)
        assert ask(server, "/cancelled/waiting?s=0.01") == b'{"detail":"cancelled"}'
        holding.join()
        assert ask(server, "/tokens") == b"[40,0,0]"
        said.append(said_since(server, before))
    assert said[0] == said[1]
    assert "not reached" not in said[0]


@pytest.mark.parametrize("kind", ["uvicorn", "fasterapi"])
def test_end(site: pathlib.Path, loop: str, tmp_path: pathlib.Path, kind: str) -> None:
    """The end waits for calls that clients wait for, and for those whose clients are gone;
    threads do not keep the process."""
    env = {"FASTERAPI_ENGINE": "auto"}
    options = ["compiled_threads_app:app", "--port", "0", "--loop", loop]
    with peers.serving(kind, site, tmp_path, *options, env=env) as server:
        ask(server, "/work")
        gone = server.connect()
        gone.sendall(request("/slow?ms=250"))
        with server.connect() as waits:
            waits.sendall(request("/slow?ms=200"))
            time.sleep(0.1)
            gone.shutdown(socket.SHUT_RDWR)
            gone.close()
            server.process.send_signal(signal.SIGTERM)
            assert peers.answer_of(peers.Reader(waits), "GET").body == b"200.0"
        assert server.process.wait(patience.HANGS_S) in (0, -signal.SIGTERM)
        text = server.text("out")
        assert ("slow 200.0\n" in text, "slow 250.0\n" in text) == (True, True)
        assert text.endswith("tokens at the end 0 0\n") or text.endswith("slow 250.0\n")
        assert "Traceback" not in server.text("err")


def test_cancelled_at_the_end(site: pathlib.Path, loop: str, tmp_path: pathlib.Path) -> None:
    """What takes longer than the server waits is cancelled, as any task."""
    env = {"FASTERAPI_ENGINE": "auto"}
    options = ["compiled_threads_app:app", "--port", "0", "--loop", loop]
    for kind in ("uvicorn", "fasterapi"):
        more = [*options, "--timeout-graceful-shutdown", "1"]
        with peers.serving(kind, site, tmp_path / kind, *more, env=env) as server:
            with server.connect() as waits:
                waits.sendall(request("/slow?ms=1800"))
                time.sleep(0.2)
                server.process.send_signal(signal.SIGTERM)
                assert server.process.wait(patience.HANGS_S) in (0, -signal.SIGTERM)
            assert "Task cancelled, timeout graceful shutdown exceeded" in server.text("err")
