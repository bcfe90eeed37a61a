"""BaseHTTPMiddleware in front of compiled routes: the same answers, messages and prints, in the
same order, whatever its function does with call_next()."""

import pathlib
import subprocess
import sys

import base_app
import base_order
import compare
import peers
import pytest
from corpus import request, simple
from wire import Case


@pytest.mark.parametrize("stack", base_app.STACKS)
def test_order(stack: str, site: pathlib.Path) -> None:
    done = subprocess.run(
        [sys.executable, pathlib.Path(__file__).with_name("base_order.py"), stack],
        env=peers.environment(site),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


def post(path: str, pieces: list[bytes], do: str) -> Case:
    length = sum(map(len, pieces))
    fields = ("Content-Type: application/json", f"Content-Length: {length}", f"X-Do: {do}")
    return Case(f"POST {path} {pieces} {do}", [request(path, "POST", *fields) + pieces[0]], ("POST",))


# Not those in which it is a matter of time who is first, or how much of a stream is made; nor
# where the application fails after a whole answer (docs/differences-uvicorn.md).
TIMED = {"at_once", "late", "in_time", "in_scope", "moved_on"}
PATHS = (*base_order.PATHS, "/thread")
CASES = [
    *[
        simple(path, "GET", f"X-Do: {do}")
        for path in PATHS
        for do in ("", *base_app.FUNCTIONS)
        if do not in TIMED and (path, do) != ("/waits", "twice")
        if path != "/breaks" and (path, bool(do)) != ("/streams", True)
    ],
    *[
        post(path, body, do)
        for path in base_order.POSTS
        for body in base_order.BODIES
        for do in base_order.WITH_BODY
        if do not in TIMED and len(body) == 1
    ],
]


@pytest.mark.parametrize("stack", ["one", "between"])
def test_same(
    stack: str, site: pathlib.Path, tmp_path: pathlib.Path, report: compare.Report
) -> None:
    loop = "uvloop" if base_app.STACKS.index(stack) % 2 else "asyncio"
    options = (f"base_app:{stack}", "--loop", loop)
    with compare.pair(site, tmp_path, *options, env={"FASTERAPI_ENGINE": "auto"}) as servers:
        assert compare.tiers_of(servers.ours)[0] > 10
        compare.check(servers, f"base {stack}", CASES, report)
