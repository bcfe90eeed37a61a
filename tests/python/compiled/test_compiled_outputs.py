"""Responses, streams, statuses and errors: as under uvicorn, whether a route is compiled or
left to FastAPI's handler."""

import pathlib

import compare
import pytest
from corpus import request, simple
from wire import Case

HOW = ["html", "cookie", "empty", "204", "304", "type", "shouting", "silent", "redirect", "changed"]
ERRORS = ["http", "http-plain", "http-204", "http-401", "http-own", "451", "known", "again"]
ERRORS += ["validation", "x"]

CLASSES = [
    *map(simple, ["/html", "/html?n=2", "/html?n=x", "/html/none", "/html/wrong", "/html/bytes"]),
    *map(simple, ["/text", "/text/sync", "/plain", "/json", "/json/model", "/json/nan", "/own-json"]),
    *map(simple, ["/html/model", "/redirect", "/redirect/status", "/file", "/file/response"]),
    *map(simple, ["/file/missing"]),
    simple("/file", "GET", "Range: bytes=0-9"),
]
STREAMS = [
    *map(simple, ["/stream", "/stream?n=0", "/stream?n=x", "/stream/raw", "/stream/raw/sync"]),
    *map(simple, ["/stream/fails", "/jsonl", "/jsonl?n=x", "/jsonl/sync", "/jsonl/bad", "/sse"]),
    Case("1.0", [b"GET /jsonl HTTP/1.0\r\nHost: test\r\n\r\n"]),
]
MODELS = [
    *map(simple, ["/model/list", "/model/odd", "/model/sync", "/model/sync?bad=1", "/model/except"]),
    *[simple(f"/model/methods?bad={b}", m) for b in (0, 1) for m in ("GET", "POST", "PUT")],
    simple("/model/response"),
]
STATUSES = [
    simple("/204", "DELETE"),
    *map(simple, ["/204/content", "/204/set", "/304", "/205", "/299"]),
    *[simple(f"/status/{code}") for code in (200, 201, 204, 206, 304, 400, 418, 599)],
]
ANSWERS = [
    *[simple(f"/answer/{how}") for how in (*HOW, "task")],
    *[simple(f"/answer/plain/{how}") for how in HOW],
    *[simple(f"/answer/later/{how}") for how in HOW],
    *map(simple, ["/forgets", "/forgets?own=1"]),
    Case("pipelined", [b"".join(request(f"/answer/plain/{how}") for how in HOW[:5])], ("GET",) * 5),
]
FAILURES = [
    *[simple(f"/error/{kind}{how}") for kind in ("any/", "sync/", "direct/") for how in ERRORS],
    simple("/error/swallowed"),
    *[simple(f"/error/direct/{how}", "POST") for how in ERRORS],
    *[simple(f"/error/validated/{how}?n={n}") for how in ("http", "x") for n in ("x", "2", "3")],
]


@pytest.fixture(scope="module")
def servers(site: pathlib.Path, loop: str, tmp_path_factory: pytest.TempPathFactory):
    env = {"FASTERAPI_ENGINE": "auto"}
    logs = tmp_path_factory.mktemp("outputs")
    with compare.pair(site, logs, "compiled_outputs_app:app", "--loop", loop, env=env) as found:
        yield found


def test_compiled(servers: compare.Pair) -> None:
    """Most routes are: otherwise nothing here would be tested."""
    assert compare.tiers_of(servers.ours) == (53, 0, 0)


@pytest.mark.parametrize(
    "name", ["CLASSES", "STREAMS", "MODELS", "STATUSES", "ANSWERS", "FAILURES"], ids=str.lower
)
def test_same(servers: compare.Pair, name: str, report: compare.Report) -> None:
    compare.check(servers, f"compiled {name.lower()}", globals()[name], report)
