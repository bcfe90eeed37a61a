"""Tasks, timeouts, cancellation and signals in handlers are what they are under uvicorn, in
every tier and on both loops."""

import pathlib
import re
import signal
import threading
import time

import async_app
import compare
import patience
import peers
import pytest
from corpus import simple

ENGINES = ("asgi", "auto")


@pytest.fixture(scope="module", params=ENGINES)
def servers(
    site: pathlib.Path, loop: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
):
    logs = tmp_path_factory.mktemp("async")
    env = {"FASTERAPI_ENGINE": request.param}
    with compare.pair(site, logs, "async_app:app", "--loop", loop, env=env) as found:
        yield found


@pytest.mark.parametrize("name", async_app.NAMES)
def test_same(servers: compare.Pair, name: str, report: compare.Report) -> None:
    """Twice each, and then the probe: nothing that one leaves in its task meets the next."""
    cases = [simple(f"/{way}/{name}") for way in async_app.WAYS for _ in range(2)]
    compare.check(servers, "tasks", cases, report)


def test_tiers(servers: compare.Pair) -> None:
    """Those that are meant to be compiled are: otherwise half of this would not be tested."""
    if "Engine: " in servers.ours.text("err"):
        compiled, direct, _ = compare.tiers_of(servers.ours)
        assert compiled >= 2 * len(async_app.NAMES)
        assert direct >= len(async_app.NAMES)


def test_turns(site: pathlib.Path, loop: str, tmp_path: pathlib.Path) -> None:
    """In a task that was made for the request, and in one that has served before."""
    options = ("async_app:turns", "--port", "0", "--loop", loop, "--lifespan", "off")
    with peers.serving("fasterapi", site, tmp_path, *options) as server, server.connect() as s:
        reader = peers.Reader(s)
        for _ in range(3):
            s.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            assert peers.answer_of(reader, "GET").body == b"['next']"


@pytest.mark.parametrize("engine", ENGINES)
def test_next_in_the_task(site: pathlib.Path, loop: str, tmp_path: pathlib.Path, engine: str) -> None:
    """A request that has cancelled its task leaves nothing for the next one, which is served in
    the same turn of the loop: before a new task has taken its first step, too."""
    options = ("async_app:app", "--port", "0", "--loop", loop, "--engine", engine)
    paths = ("/called/cancels_at_once", "/called/order_of_turns")
    both = b"".join(b"GET %s HTTP/1.1\r\nHost: test\r\n\r\n" % path.encode() for path in paths)
    with peers.serving("fasterapi", site, tmp_path, *options) as server, server.connect() as s:
        reader = peers.Reader(s)
        for _ in range(2):
            s.sendall(both)
            answers = [peers.answer_of(reader, "GET") for _ in paths]
            assert [answer.status for answer in answers] == [200, 200], server.text("err")


@pytest.mark.parametrize("kind", ["uvicorn", "fasterapi"])
def test_messages(site: pathlib.Path, loop: str, tmp_path: pathlib.Path, kind: str) -> None:
    """What comes at once behind a head is one message: the last, if the body ends there."""
    options = ("async_app:messages", "--port", "0", "--loop", loop, "--lifespan", "off")
    with peers.serving(kind, site, tmp_path, *options) as server, server.connect() as s:
        reader = peers.Reader(s)
        for size in (5, 30_000):
            s.sendall(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % size)
            time.sleep(0.1)  # for the head to be read
            s.sendall(b"x" * size)
            assert peers.answer_of(reader, "POST").body == b"[(%d, False)]" % size
        chunked = b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
        for pieces in ((b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",), (b"1\r\na\r\n2\r\nbc\r\n", b"0\r\n\r\n")):
            for data in (chunked, *pieces):
                time.sleep(0.1)
                s.sendall(data)
            whole = len(pieces) == 1
            wanted = b"[(3, False)]" if whole else b"[(3, True), (0, False)]"
            assert peers.answer_of(reader, "POST").body == wanted
            s.sendall(chunked + b"".join(pieces))
            assert peers.answer_of(reader, "POST").body == b"[(3, False)]"


FAULTS = {
    (b"", b"1\r\na\r\n2\r\nbc\r\n-\r\n"): "[(3, True)]",
    (b"1\r\na\r\n2\r\nbc\r\n-\r\n",): "[(3, True)]",
    (b"1\r\na\r\n", b"2\r\nbc\r\n-\r\n"): "[(1, True), (2, True)]",
    (b"-\r\n",): "[]",
}


@pytest.mark.parametrize("kind", ["uvicorn", "fasterapi"])
def test_messages_before_a_fault(
    site: pathlib.Path, loop: str, tmp_path: pathlib.Path, kind: str
) -> None:
    """What came before a faulty chunk is received, also when it came with it, and the head."""
    options = ("async_app:messages", "--port", "0", "--loop", loop, "--lifespan", "off")
    head = b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
    with peers.serving(kind, site, tmp_path, *options) as server:
        for pieces in FAULTS:
            with server.connect() as s:
                for data in (head + pieces[0], *pieces[1:]):
                    s.sendall(data)
                    time.sleep(0.1)
                assert peers.answer_of(peers.Reader(s), "POST").status == 400
        server.stop()
        told = [line for line in server.text("out").splitlines() if line.startswith("[")]
    assert told == list(FAULTS.values())


@pytest.mark.parametrize("engine", ENGINES)
def test_signals_under_load(
    site: pathlib.Path, loop: str, tmp_path: pathlib.Path, engine: str
) -> None:
    """A Python handler runs between the polls of C, however much there is to do; SIGINT ends
    the server, which answers what it has been asked."""
    options = ("async_app:app", "--port", "0", "--loop", loop, "--engine", engine)
    pipeline = b"GET /called/at_once HTTP/1.1\r\nHost: test\r\n\r\n" * 16
    with peers.serving("fasterapi", site, tmp_path, *options, "--no-access-log") as server:
        asked, counts = threading.Event(), [0, 0, 0]

        def ask(n: int) -> None:
            with server.connect() as s:
                reader = peers.Reader(s)
                while not asked.is_set():
                    s.sendall(pipeline)
                    for _ in range(16):
                        answer = peers.answer_of(reader, "GET")
                        if answer.status is None:  # the server has been told to end
                            return
                        assert answer.status == 200
                        counts[n] += 1

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(counts))]
        for thread in threads:
            thread.start()
        for n in range(1, 11):
            server.process.send_signal(signal.SIGUSR1)
            server.told("out", *["noted"] * n)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(patience.HANGS_S) == 0
        asked.set()
        for thread in threads:
            thread.join(patience.HANGS_S)
            assert not thread.is_alive()
        assert min(counts) >= 16
        assert re.search(r"Finished server process", server.text("err"))
        assert "Traceback" not in server.text("err")
