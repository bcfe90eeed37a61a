"""Every allocation on the way of a request fails once: no_memory.py tells what must come of
it. Here it runs in a process whose malloc() can be told to fail."""

import os
import pathlib
import subprocess
import sys

import patience
import peers
import pytest

ASGI = ["/ok", "/stream", "/raises", "body", "body, in chunks", "both ways", "/file", "/later"]
ASGI += ["/times-out", "/cancelled", "/tasks", "/after", "/zero-copy", "/trailers"]
GONE = ["gone while it waits", "gone while it sends", "gone in the body", "gone at once"]
GONE += ["gone, with requests left", "gone before a raise", "ws gone", "ws gone while it sends"]
SOCKETS = ["/ws-echo", "ws deflate", "/ws-closes", "/ws-refuses", "/ws-denies", "/ws-raises-open"]
SOCKETS += ["/ws-raises", "/ws-never-receives"]
# No bodies, lists and models: pydantic_core ends the process when it gets no memory.
COMPILED = ["compiled /scalar/1", "compiled /waits?ms=0", "compiled /created", "compiled /m"]
COMPILED += ["compiled /fails/http", "compiled /dep/raises", "compiled /a/b/c"]
COMPILED += ["compiled wrong method"]
# Context variables are set: CPython ends itself when two allocations of that fail.
SINGLY = ["/context", "/context-later", "plan /def", "plan /def-yield", "plan /yield"]
SINGLY += ["plan /background", "plan /http-later", "plan /times-out", "plan /direct"]
SINGLY += ["plan /request", "plan /streamed", "plan /form", "plan /group", "plan /def, gone"]
SINGLY += ["plan /def-yield, cancelled", "plan /forever, cancelled", "plan behind_own /plain"]
SINGLY += ["plan behind_own /def-yield", "plan behind_function /plain"]
SINGLY += ["plan behind_function /def", "plan behind_function /streamed"]
SINGLY += ["plan behind_function /background", "compiled /dep/swallows"]
SINGLY += ["plan behind_function /long, cancelled after 6 turns"]
CASES = {"asgi": ASGI, "gone": GONE, "websocket": SOCKETS, "compiled": COMPILED}
CASES["singly"] = ["--singly", *SINGLY]


@pytest.fixture(scope="module")
def failing_malloc(site: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    library = tmp_path_factory.mktemp("malloc") / "failing_malloc.so"
    source = pathlib.Path(__file__).with_name("failing_malloc.c")
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    done = ended(site, library, "no_memory_control.py")
    if done.returncode < 0 and sys.version_info >= (3, 12):
        pytest.skip(f"this interpreter crashes by itself without memory: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr[-4000:]
    assert "places" in done.stdout and ": 0 places" not in done.stdout
    return library


def ended(
    site: pathlib.Path, failing_malloc: pathlib.Path, *command: str
) -> subprocess.CompletedProcess:
    program, *more = command
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", pathlib.Path(__file__).with_name(program), *more],
        env=peers.environment(site, LD_PRELOAD=str(failing_malloc), PYTHONMALLOC="malloc"),
        capture_output=True,
        text=True,
        timeout=patience.LONG_S,  # it tells earlier what hangs
    )


def run(site: pathlib.Path, failing_malloc: pathlib.Path, *command: str) -> str:
    """What it says."""
    done = ended(site, failing_malloc, *command)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    return done.stdout


@pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="a sanitizer's malloc() is there already")
@pytest.mark.parametrize("case", CASES)
def test_no_memory(site: pathlib.Path, failing_malloc: pathlib.Path, case: str) -> None:
    kinds = CASES[case]
    said = run(site, failing_malloc, "no_memory.py", *kinds)
    runs = len(SINGLY) if case == "singly" else 2 * len(kinds)
    assert said.count(" places, ") == runs, said
    assert " 0 places, " not in said  # that any failed at all


@pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="a sanitizer's malloc() is there already")
def test_no_threads(site: pathlib.Path, failing_malloc: pathlib.Path) -> None:
    assert run(site, failing_malloc, "no_threads.py").count(": the end") == 3
