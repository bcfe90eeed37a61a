"""With Sentry's SDK events, transactions and breadcrumbs are those that it makes under uvicorn.
It replaces functions that plans stand in for, so that ASGI serves all, and we say so."""

import json
import pathlib
import re
import subprocess
import sys

import compare
import patience
import peers
import pytest
from corpus import request, simple
from wire import Case

pytest.importorskip("sentry_sdk")

PATHS = (
    *("/", "/items/3?word=v", "/items/x", "/items/3/", "/router/in-thread/3", "/tasks", "/stream"),
    *("/fails/http", "/fails/known", "/fails/other", "/nowhere", "/sub/in/3", "/sub/in/x", "/docs"),
)


def post(body: bytes) -> Case:
    fields = ("Content-Type: application/json", f"Content-Length: {len(body)}", "Cookie: c=d")
    return Case(f"POST {body!r}", [request("/items", "POST", *fields, body=body)], ("POST",))


CASES = [
    *map(simple, PATHS),
    simple("/", "GET", "sentry-trace: 0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1"),
    *map(post, (b'{"name": "a"}', b'{"name": "bad"}', b"{}", b"{")),
]


@pytest.mark.parametrize("style", ["endpoint", "url"])
def test_events(
    style: str, site: pathlib.Path, tmp_path: pathlib.Path, report: compare.Report
) -> None:
    env = {"FASTERAPI_ENGINE": "auto", "WATCHED": style}
    seen = []
    with compare.pair(site, tmp_path, "sentry_app:app", "--loop", "asyncio", env=env) as servers:
        for case in CASES:  # one after the other, and what was to be sent of each
            compare.check(servers, f"sentry {style}", [case], report)
            (outcome,) = compare.check(servers, f"sentry {style}", [simple("/events")], report)
            seen.append(json.loads(outcome.answers[0].body))
    kinds = [event.get("type", "error") for events in seen for event in events]
    assert kinds.count("transaction") >= len(CASES) - 1 and kinds.count("error") > 6
    assert any(event.get("breadcrumbs", {}).get("values") for events in seen for event in events)
    line = r"Engine: every route is served through ASGI, since \S+ was replaced by \S+ of \S*sentry_sdk"
    assert re.search(line, servers.ours.text("err"))


def test_told(site: pathlib.Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fasterapi", "routes", "sentry_app.py", "--explain"],
        cwd=peers.APPS,
        env=peers.environment(site, COLUMNS="200"),
        capture_output=True,
        text=True,
        timeout=patience.HANGS_S,
    )
    assert done.returncode == 0, done.stderr
    assert "was replaced by" in done.stdout and "sentry_sdk" in done.stdout
    assert not re.search(r"(?m)^\S.*  (compiled|direct)  ", done.stdout)
