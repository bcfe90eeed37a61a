"""--reload: one worker, started again when files change."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import time

import peers
import pytest
from life import get
from patience import HANGS_S, until
from test_processes import PID, alive, has

APP = """
import asyncio, os
from apps import answer

async def app(scope, receive, send):
    assert scope["type"] == "http"
    if scope["path"] == "/forever":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await asyncio.sleep(60)
    if scope["path"] == "/break":
        breakpoint()
    await answer(send, b"VERSION")
"""


class Work:
    """A directory with an application in it."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.version = 0
        (path / "sub").mkdir(parents=True)
        (path / "sub" / "page.html").write_text("0")
        (path / "sub" / "other.py").write_text("")
        self.change()

    def change(self, text: str = APP) -> bytes:
        self.version += 1
        self.touch("main.py", text.replace("VERSION", str(self.version)))
        return str(self.version).encode()

    def touch(self, name: str, text: str) -> None:
        path = self.path / name
        path.write_text(text)
        # Not to depend on how fine the clock of the file system is.
        now = time.time_ns() + self.version * 10**9
        os.utime(path, ns=(now, now))


@pytest.fixture
def work(tmp_path: pathlib.Path) -> Work:
    return Work(tmp_path / "work")


@pytest.fixture(params=["WatchFiles", "StatReload"])
def without(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> dict[str, str]:
    """The environment in which this watcher is used."""
    if request.param == "WatchFiles":
        return {}
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "watchfiles.py").write_text("raise ImportError('not here')\n")
    return {"without": str(tmp_path / "none")}


@contextlib.contextmanager
def reloading(
    kind: str, site: pathlib.Path, work: Work, logs: pathlib.Path, *options: str, without: str = ""
):
    path = f"{without}:{site}:{peers.APPS}"
    options = ("main:app", "--port", "0", "--reload", *options)
    env = {"PYTHONPATH": path}
    with peers.serving(kind, site, logs, *options, cwd=work.path, env=env) as server:
        until(lambda: has(server, "startup complete"))
        time.sleep(0.7)  # until the watcher watches
        yield server


def answered(server: peers.Server, what: bytes) -> bool:
    with contextlib.suppress(OSError):
        return get(server, "/").body == what
    return False


def test_as_uvicorn(site, tmp_path, work, without) -> None:
    """Lines and exit status, over a change and a Ctrl+C."""
    results = []
    for kind in ("uvicorn", "fasterapi"):
        with reloading(kind, site, work, tmp_path / kind, **without) as server:
            version = work.change()
            until(lambda: answered(server, version))
            server.stop(signal.SIGINT)
            err = peers.normalised(server.text("err")).replace("Uvicorn", "FasterAPI")
            lines = [line for line in err.splitlines() if "Application " not in line]
            results.append((server.process.returncode, sorted(lines)))
    assert results[1] == results[0]
    assert any("detected changes in 'main.py'. Reloading..." in line for line in results[1][1])


def test_broken_code_waits_for_the_next_change(site, tmp_path, work, without) -> None:
    with reloading("fasterapi", site, work, tmp_path / "logs", **without) as server:
        work.change("this is no Python")
        until(lambda: has(server, "SyntaxError"))
        version = work.change()
        until(lambda: answered(server, version))


def test_endless_answers_do_not_hold_it_up(site, tmp_path, work) -> None:
    with reloading("fasterapi", site, work, tmp_path / "logs") as server, server.connect() as s:
        s.sendall(b"GET /forever HTTP/1.1\r\nHost: x\r\n\r\n")
        assert s.recv(100)
        version = work.change()
        until(lambda: answered(server, version))


@pytest.mark.parametrize(
    ("options", "touched", "reloads"),
    [
        ([], "sub/page.html", False),
        ([], "sub/other.py", True),
        (["--reload-include", "*.html"], "sub/page.html", True),
        (["--reload-include", "page.html"], "sub/page.html", True),
        (["--reload-exclude", "other.*"], "sub/other.py", False),
        (["--reload-exclude", "sub"], "sub/other.py", False),
        (["--reload-exclude", "*.py"], "sub/other.py", False),
        (["--reload-dir", "sub"], "sub/other.py", True),
        (["--reload-dir", "sub"], "main.py", False),
        ([], "sub/.hidden.py", False),
    ],
    ids=str,
)
def test_which_files(site, tmp_path, work, options, touched, reloads) -> None:
    with reloading("fasterapi", site, work, tmp_path / "logs", *options) as server:
        (first,) = PID.findall(server.text("err"))
        text = APP if touched == "main.py" else "0"
        work.touch(touched, text)
        if reloads:
            until(lambda: len(PID.findall(server.text("err"))) == 2)
            assert has(server, f"WatchFiles detected changes in '{touched}'. Reloading...")
        else:
            time.sleep(1.2)
            assert PID.findall(server.text("err")) == [first]


def test_killed_reloader(site, tmp_path, work) -> None:
    with reloading("fasterapi", site, work, tmp_path / "logs") as server:
        (pid,) = map(int, PID.findall(server.text("err")))
        server.process.kill()
        until(lambda: not alive(pid))


def test_warnings(site, tmp_path, work) -> None:
    options = ("--workers", "3")
    with reloading("fasterapi", site, work, tmp_path / "logs", *options) as server:
        assert has(server, '"workers" flag is ignored when reloading is enabled.')
        assert len(PID.findall(server.text("err"))) == 1


def debugged(site: pathlib.Path, work: Work, *options: str) -> tuple[bytes, str]:
    """What a client got, and the terminal, when a handler ran into breakpoint()."""
    process = subprocess.Popen(
        [*peers.command("fasterapi"), "dev", "--port", "0", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=peers.environment(site),
        cwd=work.path,
        text=True,
        bufsize=1,
    )
    try:
        seen = ""
        while "startup complete" not in seen or "(Press" not in seen:
            line = process.stdout.readline()
            assert line, seen
            seen += line
        port = int(re.search(r":(\d+) \(Press", seen)[1])
        server = peers.Server(process, work.path, port)
        with server.connect() as s:
            s.sendall(b"GET /break HTTP/1.1\r\nHost: x\r\n\r\n")
            process.stdin.write("p 'here', 6 * 7\nc\n")
            body = peers.answer_of(peers.Reader(s), "GET").body
        process.send_signal(signal.SIGTERM)
        return body, seen + process.communicate(timeout=HANGS_S)[0]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("options", [[], ["--no-reload"]], ids=str)
def test_breakpoint(site: pathlib.Path, work: Work, options: list[str]) -> None:
    body, seen = debugged(site, work, *options)
    assert body == b"1"
    assert "(Pdb) ('here', 42)" in seen
    assert ("reloader process" in seen) is (not options)
