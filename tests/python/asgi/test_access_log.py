"""The lines of the access log, their place among what the application prints, and that they
are logging's own wherever logging is not set up as it is by default: as under uvicorn."""

import pathlib
import subprocess
import sys
import time

import access_apps
import patience
import peers
import pytest

SETUPS = [
    *("filter", "handler filter", "factory", "patched", "two handlers", "formatter", "level"),
    *("handler level", "propagate", "terminator", "level name", "disabled", "own emit"),
]
# Under uvicorn the line cannot be made.
FAILS = ("/surrogate", "/list-client", "/odd-client")
PATHS = [*(path for path in access_apps.ALTERATIONS if path not in FAILS), *access_apps.STATUSES, "/", "/a%20b/%E2%82%AC?q=1&r", "/flushed"]
PATHS += ["/dropped", "/" + "l" * 3000, "/last"]


def written(server: peers.Server, last: str) -> list[str]:
    deadline, before = time.monotonic() + patience.HANGS_S, -1
    while time.monotonic() < deadline:
        text = server.text("out")
        if len(text) == before and last in text:
            break
        before = len(text)
        time.sleep(0.1)
    return peers.normalised(server.text("out")).splitlines()


def ask(server: peers.Server, target: str, pipelined: int = 1) -> None:
    with server.connect() as s:
        s.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode() * pipelined)
        reader = peers.Reader(s)
        for _ in range(pipelined):
            peers.answer_of(reader, "GET")


def lines_of(kind: str, site: pathlib.Path, logs: pathlib.Path, setup: str | None, at_start: bool):
    env = {"SETUP": setup} if setup and at_start else {}
    options = ["access_apps:app", "--port", "0", "--lifespan", "off", "--interface", "asgi3"]
    with peers.serving(kind, site, logs / kind, *options, env=env) as server:
        ask(server, "/first")
        if setup and not at_start:
            ask(server, "/set-up?" + setup.replace(" ", "+"))
        for path in PATHS:
            ask(server, path)
        ask(server, "/many", 3)
        ask(server, "/flushed")  # what is still in a buffer at the end may be lost
        written(server, "many")
        server.stop()
        return written(server, "many"), peers.normalised(server.text("err"))


def test_default(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    theirs, _ = lines_of("uvicorn", site, tmp_path, None, True)
    ours, errors = lines_of("fasterapi", site, tmp_path, None, True)
    assert ours == theirs
    assert sum(line.startswith("INFO: ") for line in ours) == len(PATHS) + 5


def test_no_line_can_be_made(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Under uvicorn the application gets the exception, and the client no answer."""
    options = ["access_apps:app", "--port", "0"]
    with peers.serving("fasterapi", site, tmp_path, *options) as server:
        for path in FAILS:
            ask(server, path)
        assert "surrogates not allowed" in server.text("err")
        assert "after" in "".join(written(server, "after"))


@pytest.mark.parametrize(
    ("setup", "at_start"),
    # Disabled at the start, the servers would not say where they listen.
    [(setup, at) for setup in SETUPS for at in (True, False) if (setup, at) != ("disabled", True)],
)
def test_set_up(site: pathlib.Path, tmp_path: pathlib.Path, setup: str, at_start: bool) -> None:
    theirs, _ = lines_of("uvicorn", site, tmp_path, setup, at_start)
    ours, _ = lines_of("fasterapi", site, tmp_path, setup, at_start)
    assert ours == theirs


DIRECT = """
import logging, os, sys
from fasterapi import _logging
import access_apps
setup = sys.argv[1]
_logging.configure(_logging.LOGGING_CONFIG, None, True, None)
assert _logging.access_stream() is sys.stdout
access_apps.set_up(setup)
assert _logging.access_stream() is None
"""


@pytest.mark.parametrize("setup", SETUPS)
def test_seen_at_once(site: pathlib.Path, setup: str) -> None:
    """Every set-up that differs is told from the default one."""
    subprocess.run([sys.executable, "-c", DIRECT, setup], check=True, env=peers.environment(site))
