"""Workers and who keeps them: start, end, crash, replacement."""

import contextlib
import os
import pathlib
import re
import resource
import signal
import subprocess
import time

import peers
import pytest
from patience import HANGS_S, until
from life import KINDS, ended, get, told

PID = re.compile(r"Started server process \[(\d+)\]")
OPTIONS = ["process_apps:app", "--port", "0", "--lifespan", "off", "--no-access-log"]


@contextlib.contextmanager
def workers(site: pathlib.Path, logs: pathlib.Path, *options: str, **settings):
    """A server of which as many workers serve as it has."""
    with peers.serving("fasterapi", site, logs, *OPTIONS, *options, **settings) as server:
        if "--workers" in options:
            count = int(options[options.index("--workers") + 1])
            until(lambda: len(answering(server)) == count)
        yield server


def pid_of(server: peers.Server, path: str = "/") -> int:
    answer = get(server, path)
    assert answer.status == 200
    return int(answer.body)


def answering(server: peers.Server) -> set[int]:
    """The workers that answer, found by asking until nobody new does."""
    found: set[int] = set()
    last = time.monotonic()
    while time.monotonic() - last < 0.3:
        pid = pid_of(server)
        if pid not in found:
            found.add(pid)
            last = time.monotonic()
    return found


def alive(pid: int) -> bool:
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def has(server: peers.Server, text: str) -> bool:
    return text in server.text("err")


def asked(server: peers.Server, path: str) -> None:
    """Without waiting for an answer, which may never come."""
    with server.connect() as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        time.sleep(0.1)


# ---- start and end ----


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_life(site: pathlib.Path, tmp_path: pathlib.Path, number: int) -> None:
    """Status and lines are uvicorn's; those of workers come in any order."""
    results = []
    for kind in KINDS:
        options = ["life_apps:app", "--interface", "asgi3", "--workers", "2", "--port", "0"]
        with peers.serving(kind, site, tmp_path / kind, *options) as server:
            until(lambda: server.text("err").count("startup complete") == 2)
            answer = get(server, "/scope")
            time.sleep(0.6)  # uvicorn looks at its signals twice a second
            server.stop(number)
            status, err, out = told(server)
            results.append((answer.status, status, sorted(err.splitlines()), out))
    assert results[1] == results[0]


@pytest.mark.parametrize(
    "app", ["missing_module:app", "life_apps:missing", "life_apps:fails_at_start", "process_apps:x"]
)
@pytest.mark.parametrize("more", [[], ["--factory"]])
def test_cannot_start(site: pathlib.Path, app: str, more: list[str]) -> None:
    status, err, _ = ended("fasterapi", site, app, "--workers", "2", "--port", "0", *more)
    assert status == 3
    assert "failed to start, stopping the parent process." in err
    assert err.endswith("Stopping parent process [PID]\n")


def test_port_in_use(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with workers(site, tmp_path) as server:
        port = str(server.port)
        status, err, _ = ended("fasterapi", site, *OPTIONS, "--port", port, "--workers", "2")
    assert status == 3
    assert "error while attempting to bind on address" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("option", ["workers=2", "reload=True"])
def test_import_string_is_needed(site: pathlib.Path, option: str) -> None:
    results = []
    for kind in KINDS:
        code = f"import life_apps, {kind}; {kind}.run(life_apps.plain, port=0, {option})"
        done = subprocess.run(
            [peers.command(kind)[0], "-c", code],
            capture_output=True,
            text=True,
            env=peers.environment(site),
            cwd=peers.APPS,
            timeout=HANGS_S,
        )
        results.append((done.returncode, done.stderr))
    assert results[1] == results[0]
    assert "import string" in results[1][1]


def test_run_within_a_worker(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """A program without the usual guard is told so, and starts no workers of workers."""
    code = "import fasterapi\nasync def app(scope, receive, send): pass\n"
    code += "fasterapi.run('unguarded:app', port=0, workers=2)"
    (tmp_path / "unguarded.py").write_text(code)
    done = subprocess.run(
        [peers.command("fasterapi")[0], "unguarded.py"],
        capture_output=True,
        text=True,
        env=peers.environment(site),
        cwd=tmp_path,
        timeout=HANGS_S,
    )
    assert done.returncode == 3
    assert "Put the call under: if __name__ == '__main__':" in done.stderr


def test_options_that_cannot_be_passed_on(site: pathlib.Path) -> None:
    code = """
import fasterapi, io
async def notify(): pass
for options in ({"callback_notify": notify}, {"callback_notify": lambda: 0}):
    try:
        fasterapi.run("life_apps:app", port=0, workers=2, **options)
    except fasterapi.OptionError as error:
        print(error)
"""
    done = subprocess.run(
        [peers.command("fasterapi")[0], "-c", code],
        capture_output=True,
        text=True,
        env=peers.environment(site),
        cwd=peers.APPS,
        timeout=HANGS_S,
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert "defined in the main program" in first
    assert second.startswith("'callback_notify' cannot be passed to worker processes: ")


def test_the_supervisor_does_not_import(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Nor does it where the application has to be found."""
    (tmp_path / "main.py").write_text(
        "import os\nopen('imported', 'a').write(f'{os.getpid()}\\n')\n"
        "async def app(scope, receive, send): assert scope['type'] == 'http'\n"
    )
    options = ["run", "--host", "127.0.0.1", "--port", "0"]
    env = {"WEB_CONCURRENCY": "2"}
    with peers.serving("fasterapi", site, tmp_path, *options, cwd=tmp_path, env=env) as server:
        until(lambda: len(PID.findall(server.text("err"))) == 2)
        until(lambda: server.text("err").count("startup complete") == 2)
        pids = PID.findall(server.text("err"))
        imported = (tmp_path / "imported").read_text().split()
        assert has(server, "Using import string: main:app")
    assert set(pids) < set(imported) and len(imported) == 3
    assert str(server.process.pid) not in imported


def test_environment_of_workers(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """--app-dir, interpreter flags and arguments arrive; a module beside the caller's
    directory is found."""
    (tmp_path / "where.py").write_text(
        "import sys\nprint(sys.argv[1:], sys.dont_write_bytecode, flush=True)\n"
        "async def app(scope, receive, send): assert scope['type'] == 'http'\n"
    )
    logs = tmp_path / "logs"
    logs.mkdir()
    arguments = ["where:app", "--app-dir", str(tmp_path), "--workers", "2", "--port", "0"]
    with open(logs / "out", "w+") as out, open(logs / "err", "w") as err:
        process = subprocess.Popen(
            [peers.command("fasterapi")[0], "-B", "-m", "fasterapi", *arguments],
            env=peers.environment(site),
            stdout=out,
            stderr=err,
        )
        try:
            until(lambda: (logs / "err").read_text().count("startup complete") == 2)
        finally:
            process.terminate()
            assert process.wait(HANGS_S) == 0
    assert (logs / "out").read_text() == f"{arguments} True\n" * 2


# ---- the end ----


def test_requests_under_way_are_answered(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with workers(site, tmp_path, "--workers", "2") as server, server.connect() as s:
        s.sendall(b"GET /sleep?s=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.2)
        server.process.terminate()
        assert peers.answer_of(peers.Reader(s), "GET").status == 200
        assert server.process.wait(HANGS_S) == 0


def test_second_interrupt_forces(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with workers(site, tmp_path, "--workers", "2") as server, server.connect() as s:
        s.sendall(b"GET /sleep?s=1000 HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.2)
        server.process.send_signal(signal.SIGINT)
        until(lambda: has(server, "Waiting for connections"))
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(HANGS_S) == 0


def test_quit_is_at_once(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Even where the GIL is held."""
    with workers(site, tmp_path, "--workers", "2") as server:
        asked(server, "/gil?s=1000")
        server.process.send_signal(signal.SIGQUIT)
        assert server.process.wait(HANGS_S) == 0


def test_drain(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """With --timeout-drain, SIGTERM does not close the door yet; a second one does."""
    for more in (["--workers", "2"], []):
        with workers(site, tmp_path / str(more), "--timeout-drain", "30", *more) as server:
            server.process.terminate()
            until(lambda: has(server, "in 30 s"))
            time.sleep(0.3)
            assert pid_of(server)
            server.process.terminate()
            assert abs(server.process.wait(HANGS_S)) in (0, signal.SIGTERM)


def test_killed_supervisor(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """No orphan keeps the port, not even one that holds the GIL; who was being answered
    is answered."""
    with workers(site, tmp_path / "first", "--workers", "3") as server:
        before = answering(server)
        asked(server, "/gil?s=1000")
        with server.connect() as s:
            s.sendall(b"GET /sleep?s=1 HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.2)
            server.process.kill()
            server.process.wait()
            options = ["--port", str(server.port)]
            with workers(site, tmp_path / "second", *options, "--workers", "2") as second:
                after = answering(second)
            assert not before & after
            assert peers.answer_of(peers.Reader(s), "GET").status == 200
    until(lambda: not any(map(alive, before)))


# ---- crashes ----


def test_killed_worker(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with workers(site, tmp_path, "--workers", "2") as server:
        before = answering(server)
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        until(lambda: killed not in (now := answering(server)) and len(now) == 2)
        assert before - {killed} < answering(server)
        assert has(server, f"Child process [{killed}] died (killed by SIGKILL), starting another")


def test_backoff(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Workers that end soon are followed after ever longer pauses, and the others serve."""
    fail = tmp_path / "fail"
    env = {"FA_FAIL_IF": str(fail)}
    with workers(site, tmp_path / "logs", "--workers", "2", env=env) as server:
        fail.touch()
        os.kill(min(answering(server)), signal.SIGKILL)
        until(lambda: has(server, "(exit status 3), another in 1 s"))
        log = server.text("err")
        assert log.index("starting another") < log.index("another in 0.5 s")
        assert len(answering(server)) == 1
        fail.unlink()
        until(lambda: len(answering(server)) == 2)


def test_no_descriptors_for_a_start(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """The supervisor outlives it, and tries again."""
    with workers(site, tmp_path, "--workers", "2") as server:
        pid = server.process.pid
        before = answering(server)
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = max(map(int, os.listdir(f"/proc/{pid}/fd")))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used - 1, limits[1]))
        server.process.send_signal(signal.SIGHUP)
        os.kill(max(before), signal.SIGKILL)
        until(lambda: server.text("err").count("Cannot start a child process: ") >= 3)
        assert len(answering(server)) == 1
        fds = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        until(lambda: len(answering(server)) == 2 and not answering(server) & before)
        until(lambda: len(os.listdir(f"/proc/{pid}/fd")) <= fds + 1)


# ---- replacement ----


def test_hangup(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """New before old: somebody accepts all the time."""
    with workers(site, tmp_path, "--workers", "2") as server:
        before = answering(server)
        server.process.send_signal(signal.SIGHUP)
        until(lambda: not any(map(alive, before)))
        after = answering(server)
        assert len(after) == 2 and not after & before
        lines = server.text("err").splitlines()
        first_end = next(i for i, line in enumerate(lines) if "Terminated child" in line)
        assert len(PID.findall("\n".join(lines[:first_end]))) == 3


def test_hangup_with_broken_code(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    fail = tmp_path / "fail"
    env = {"FA_FAIL_IF": str(fail)}
    with workers(site, tmp_path / "logs", "--workers", "2", env=env) as server:
        before = answering(server)
        fail.touch()
        server.process.send_signal(signal.SIGHUP)
        until(lambda: has(server, "and aborting the restart."))
        assert answering(server) == before
        fail.unlink()
        server.process.send_signal(signal.SIGHUP)
        until(lambda: not answering(server) & before)


def test_more_and_less(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with workers(site, tmp_path, "--workers", "1", "--workers-max-rss", "100000") as server:
        server.process.send_signal(signal.SIGTTIN)
        until(lambda: len(answering(server)) == 2)
        server.process.send_signal(signal.SIGUSR1)
        line = re.compile(r"\] serving, \d+ s old, \d+ MiB")
        until(lambda: len(line.findall(server.text("err"))) == 2)
        server.process.send_signal(signal.SIGTTOU)
        until(lambda: len(answering(server)) == 1)
        server.process.send_signal(signal.SIGTTOU)
        until(lambda: has(server, "Already reached one process"))
        assert len(answering(server)) == 1


def test_max_requests(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """The replacement is there before the worker goes: every request is answered."""
    options = ["--workers", "2", "--limit-max-requests", "40", "--limit-max-requests-jitter", "20"]
    with peers.serving("fasterapi", site, tmp_path, *OPTIONS, *options) as server:
        pids = {pid_of(server) for _ in range(2)}
        until(lambda: pids.add(pid_of(server)) or len(pids) > 5)
        assert has(server, "Maximum request limit of")
        assert not has(server, "died")


def test_max_rss(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with workers(site, tmp_path, "--workers-max-rss", "150") as server:
        before = pid_of(server, "/grow?mib=10")
        assert not has(server, "MiB, above")
        pid_of(server, "/grow?mib=200")
        until(lambda: pid_of(server) != before)
        line = rf"\[{before}\] has (\d+) MiB, above --workers-max-rss"
        found = re.search(line, server.text("err"))
        assert found and int(found[1]) > 150  # it may be seen while it grows


# ---- heartbeats ----

WATCHED = ("--timeout-worker-healthcheck", "1")


def test_held_gil(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Told of, with where Python stands; not killed."""
    with workers(site, tmp_path, "--workers", "2", *WATCHED) as server, server.connect() as s:
        s.sendall(b"GET /gil?s=4 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert peers.answer_of(peers.Reader(s), "GET").status == 200
        until(lambda: has(server, "is not blocked any more"))
        assert not has(server, "died")
        assert re.search(r"process_apps.py\", line \d+ in app\n", server.text("err"))
        assert re.search(r"Child process \[\d+\] is blocked: its event loop", server.text("err"))


def test_blocked_for_too_long(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    options = ("--workers", "2", *WATCHED, "--timeout-worker-blocked", "2")
    with workers(site, tmp_path, *options) as server:
        asked(server, "/block?s=1000")
        until(lambda: has(server, "has been blocked for 2 s, killing it"))
        until(lambda: len(answering(server)) == 2)
        assert has(server, "died (killed by SIGKILL), starting another")


def test_stopped_process(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with workers(site, tmp_path, "--workers", "2", *WATCHED) as server:
        asked(server, "/stop")
        until(lambda: has(server, "has not given a sign of life for 1 s, killing it"))
        until(lambda: len(answering(server)) == 2)


def test_all_stopped(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """As by Ctrl+Z, and then fg: nobody is to blame."""
    with workers(site, tmp_path, "--workers", "2", *WATCHED) as server:
        pids = [server.process.pid, *answering(server)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(2.5)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        time.sleep(1.5)
        assert answering(server) == set(pids[1:])
        assert not has(server, "killing")
