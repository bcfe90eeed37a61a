"""The board on which workers beat: what a held GIL does to it, and what it does not."""

import contextlib
import pathlib
import signal
import socket
import subprocess
import sys

import patience
import peers
import pytest

BEGIN = """
import ctypes, os, sys, time
from fasterapi._core import Heartbeat
page, lifeline = map(int, sys.argv[1:])
heart = Heartbeat(page, 0)
heart.start(lifeline, 0.3)
heart.turn()
print("begun", flush=True)
hold = ctypes.PyDLL(None).usleep  # keeps the GIL while it sleeps
"""

WATCH = """
import os, sys, time
from fasterapi._core import Heartbeat
page = sys.argv[1]
heart = Heartbeat(int(page), 0)
time.sleep(1)
print(heart.process_age(), heart.loop_age())
"""


@contextlib.contextmanager
def beating(site: pathlib.Path, tmp_path: pathlib.Path, code: str):
    """(process, page, our end of the lifeline)"""
    ours, theirs = socket.socketpair()
    with open(tmp_path / "page", "w+b") as page, ours, theirs:
        page.truncate(4096)
        fds = (page.fileno(), theirs.fileno())
        process = subprocess.Popen(
            [sys.executable, "-c", BEGIN + code, *map(str, fds)],
            stdout=subprocess.PIPE,
            env=peers.environment(site),
            pass_fds=fds,
        )
        theirs.close()
        try:
            assert process.stdout.readline() == b"begun\n"
            yield process, page, ours
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def ages(site: pathlib.Path, page) -> list[float]:
    """Of process and loop, a second from now."""
    done = subprocess.run(
        [sys.executable, "-c", WATCH, str(page.fileno())],
        capture_output=True,
        text=True,
        env=peers.environment(site),
        pass_fds=[page.fileno()],
        timeout=patience.HANGS_S,
    )
    assert done.returncode == 0, done.stderr
    return [float(age) for age in done.stdout.split()]


@pytest.mark.parametrize(
    ("code", "process_beats", "loop_beats"),
    [
        ("hold(2_000_000_000)", True, False),
        ("time.sleep(2000)", True, False),
        ("while True: heart.turn(); time.sleep(0.1)", True, True),
        ("os.kill(os.getpid(), 19)", False, False),  # SIGSTOP
        ("heart.stop(); time.sleep(2000)", False, False),
    ],
)
def test_who_beats(site, tmp_path, code: str, process_beats: bool, loop_beats: bool) -> None:
    beats, seen = (process_beats, loop_beats), []

    def as_it_should() -> bool:
        seen.append(ages(site, page))  # who does not beat only gets older
        return tuple(age < 0.9 for age in seen[-1]) == beats

    with beating(site, tmp_path, code) as (_, page, _lifeline):
        patience.until(as_it_should, lambda: seen)


@pytest.mark.parametrize(
    ("code", "killed"),
    [
        ("hold(2_000_000_000)", True),
        ("for _ in range(15): heart.turn(); time.sleep(0.1)", False),
    ],
)
def test_orphan(site, tmp_path, code: str, killed: bool) -> None:
    """Without a supervisor, a process that holds the GIL does not outlive the grace."""
    with beating(site, tmp_path, code) as (process, _, lifeline):
        lifeline.close()
        status = process.wait(patience.HANGS_S)
        assert (status == -signal.SIGKILL) is killed


def test_misuse(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    code = """
import gc, os, sys
from fasterapi._core import Heartbeat
def refused(error, call, *args):
    try:
        call(*args)
    except error:
        return
    raise AssertionError((call, args))
refused(TypeError, Heartbeat)
refused(OSError, Heartbeat, -1, 0)
refused(ValueError, Heartbeat.__new__(Heartbeat).turn)
refused(ValueError, Heartbeat.__new__(Heartbeat).start, 0, 1.0)
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 4096)
heart = Heartbeat(fd, 0)
refused(RuntimeError, heart.__init__, fd, 0)
refused(ValueError, Heartbeat, fd, 64)
refused(ValueError, Heartbeat, fd, -1)
refused(TypeError, heart.take_turns, 1)
heart.take_turns(None)
refused(ValueError, heart.start, 0, float("nan"))
assert heart.process_age() is None and heart.loop_age() is None
r, w = os.pipe()
before = len(os.listdir("/dev/fd"))
for _ in range(50):
    heart.start(r, 5)
    refused(ValueError, heart.start, r, 5)
    heart.stop()
    other = Heartbeat(fd, 0)
    other.start(r, 5)
    if os.fork() == 0:
        del other  # not its thread
        os._exit(0)
    assert os.wait()[1] == 0
    del other
assert len(os.listdir("/dev/fd")) == before
heart.start(r, 5)  # and ends with the interpreter
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", code, str(tmp_path / "page")],
        capture_output=True,
        text=True,
        env=peers.environment(site),
        timeout=patience.HANGS_S,
    )
    assert done.returncode == 0, done.stderr
