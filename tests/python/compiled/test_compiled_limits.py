"""Bodies that are within max_body_size, and that are not, as under uvicorn and FastAPI."""

import inspect
import pathlib

import compare
import pytest
from corpus import request, simple
from fastapi import FastAPI
from test_compiled_mounts import counts_of
from wire import Case

pytestmark = pytest.mark.skipif(
    "max_body_size" not in inspect.signature(FastAPI).parameters, reason="FastAPI 0.164 began with it"
)

PLACES = ("", "/small", "/large", "/router", "/router/large", "/free", "/free/large")
PLACES += ("/sub", "/sub/large", "/low", "/low/large", "/high", "/high/large")
PATHS = ("/item", "/plain", "/in-thread", "/shows", "/reads", "/unread", "/fails", "/fails?kind=gone", "/lines")
SIZES = (0, 18, 20, 21, 25, 26, 30, 31, 40, 41, 80, 81, 90, 91)
JSON = "Content-Type: application/json"


def body_of(size: int) -> bytes:
    return (b'{"name": "a"}' + b" " * size)[:size]


def whole(path: str, size: int, kind: str = JSON, pause: bool = False) -> Case:
    body = body_of(size) if kind == JSON else (b"a=" + b"b" * size)[:size]
    head = request(path, "POST", kind, f"Content-Length: {size}", "Origin: https://a.example")
    pieces = [head, body[:9], body[9:]] if pause else [head + body]
    return Case(f"POST {path} {size} {kind} {pause}", pieces, ("POST",))


def chunked(path: str, size: int, pause: bool) -> Case:
    body = body_of(size)
    head = request(path, "POST", JSON, "Transfer-Encoding: chunked")
    chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:15], body[15:]) if part]
    pieces = [head, *chunks, b"0\r\n\r\n"]
    return Case(
        f"POST {path} {size} chunked {pause}", pieces if pause else [b"".join(pieces)], ("POST",)
    )


def cases_of() -> list[Case]:
    form = "Content-Type: application/x-www-form-urlencoded"
    sizes = {"/item": SIZES, "/shows": SIZES}
    asked = [
        *[whole(p + path, n) for p in PLACES for path in PATHS for n in sizes.get(path, (20, 35, 85, 95))],
        *[whole(p + "/form", n, form) for p in PLACES for n in (0, 20, 21, 35, 95)],
        *[whole(p + "/item", n, pause=True) for p in PLACES for n in (18, 35, 85, 95)],
        *[
            chunked(p + path, n, pause)
            for p in PLACES
            for path in ("/item", "/reads", "/plain", "/shows")
            for n in (20, 35, 85, 95)
            for pause in (False, True)
        ],
    ]
    missed = [
        whole(place + path, n)
        for place in ("", "/sub", "/low", "/router")
        for path in ("/nowhere", "/item/", "/page", "/small/page")
        for n in (10, 28, 50)
    ]
    pages = [simple(f"{place}/page") for place in PLACES]
    huge = [
        Case(
            f"{path} never sent",
            [request(path, "POST", JSON, "Content-Length: 100000000", *more)],
            ("POST",),
            end="close",
            read_first=1,
        )
        for path in ("/item", "/large/item", "/sub/item")
        for more in ((), ("Expect: 100-continue",))
    ]
    return [*asked, *missed, *pages, *huge]


# Name of the application, and how many of the requests plans answer at least.
@pytest.mark.parametrize(
    "name, share",
    [("app", 0.4), ("routes", 0.5), ("none", 0.1), ("cors", 0.02), ("pure", 0), ("called", 0)],
)
def test_same(
    name: str, share: float, site: pathlib.Path, tmp_path: pathlib.Path, report: compare.Report
) -> None:
    loop = "uvloop" if name in ("app", "pure", "called") else "asyncio"
    options = (f"compiled_limits_app:{name}", "--loop", loop)
    with compare.pair(site, tmp_path, *options, env={"FASTERAPI_ENGINE": "auto"}) as servers:
        compare.check(servers, f"limited {name}", cases_of(), report)
    counts = counts_of(servers.ours)
    assert counts and counts.get("compiled", 0) >= share * sum(counts.values()), counts


def test_early(site: pathlib.Path, tmp_path: pathlib.Path, report: compare.Report) -> None:
    """What fails outside of any route is asked alone: its log lines have no order."""
    options = ("compiled_limits_app:app", "--loop", "asyncio")
    with compare.pair(site, tmp_path, *options, env={"FASTERAPI_ENGINE": "auto"}) as servers:
        for place in PLACES:
            for size in (18, 95):
                case = whole(f"{place}/fails?kind=other", size)
                compare.check(servers, "limited, failing", [case], report)
