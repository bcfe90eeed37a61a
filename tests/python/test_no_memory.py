"""Every allocation on the way of a request fails once: no_memory.py tells what must come of
it. Here it runs in a process whose malloc() can be told to fail."""

import os
import pathlib
import subprocess
import sys

import peers
import pytest

ASGI = ["/ok", "/stream", "/raises", "body", "body, in chunks", "both ways", "/file", "/later"]
ASGI += ["/times-out", "/cancelled", "/tasks", "/after", "/context", "/zero-copy", "/trailers"]
GONE = ["gone while it waits", "gone while it sends", "gone in the body", "gone at once"]
GONE += ["gone, with requests left", "gone before a raise", "ws gone", "ws gone while it sends"]
SOCKETS = ["/ws-echo", "ws deflate", "/ws-closes", "/ws-refuses", "/ws-denies", "/ws-raises-open"]
SOCKETS += ["/ws-raises", "/ws-never-receives"]
# No bodies: pydantic_core ends the process when it gets no memory.
COMPILED = ["compiled /scalar/1", "compiled /waits?ms=0", "compiled /created"]


@pytest.fixture(scope="module")
def failing_malloc(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    library = tmp_path_factory.mktemp("malloc") / "failing_malloc.so"
    source = peers.HERE / "failing_malloc.c"
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    return library


@pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="a sanitizer's malloc() is there already")
@pytest.mark.parametrize("kinds", [ASGI, GONE, SOCKETS, COMPILED], ids=["asgi", "gone", "websocket", "compiled"])
def test_no_memory(site: pathlib.Path, failing_malloc: pathlib.Path, kinds: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", peers.HERE / "no_memory.py", *kinds],
        env=peers.environment(site, LD_PRELOAD=str(failing_malloc), PYTHONMALLOC="malloc"),
        capture_output=True,
        text=True,
        timeout=100,  # it tells earlier what hangs
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert done.stdout.count(" places, ") == 2 * len(kinds)
    assert " 0 places, " not in done.stdout  # that any failed at all
