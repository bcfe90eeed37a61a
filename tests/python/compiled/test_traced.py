"""With OpenTelemetry's instrumentation requests come to plans behind its middleware, and its
spans are those that it makes under uvicorn."""

import pathlib

import compare
import pytest
from corpus import request, simple
from test_compiled_mounts import counts_of
from wire import Case

pytest.importorskip("opentelemetry.instrumentation.fastapi")

PATHS = (
    *("/", "/items/3", "/items/x", "/items/3/", "/router/in-thread/3", "/tasks", "/stream"),
    *("/fails/http", "/fails/known", "/fails/other", "/nowhere", "/sub/in/3", "/sub/in/x"),
    *("/sub/nowhere", "/docs"),
)


def post(body: bytes) -> Case:
    fields = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    return Case(f"POST {body!r}", [request("/items", "POST", *fields, body=body)], ("POST",))


CASES = [
    *map(simple, PATHS),
    simple("/items/3", "DELETE"),
    simple("/", "GET", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    *map(post, (b'{"name": "a"}', b"{}", b"{")),
]


@pytest.mark.parametrize("how", ["global", "own", "class"])
def test_spans(
    how: str, site: pathlib.Path, tmp_path: pathlib.Path, report: compare.Report
) -> None:
    env = {"FASTERAPI_ENGINE": "auto", "TRACED": how}
    with compare.pair(site, tmp_path, "traced_app:app", "--loop", "asyncio", env=env) as servers:
        for case in CASES:  # one after the other, and the spans of each
            compare.check(servers, f"traced {how}", [case], report)
            compare.check(servers, f"traced {how}", [simple("/spans")], report)
    counts = counts_of(servers.ours)
    assert counts.get("compiled", 0) > 40, servers.ours.text("err")
