"""Requests with values that are missing or not valid, and bodies that are no JSON: plans answer
them, as uvicorn and FastAPI do."""

import pathlib
import re
import signal

import compare
import pytest
from corpus import request, simple
from wire import Case

JSON = "application/json"
ITEM = b'{"name": "abc", "price": 1.5}'


def post(path: str, body: bytes, *fields: str, kind: str | None = JSON, method: str = "POST") -> Case:
    typed = (f"Content-Type: {kind}",) if kind is not None else ()
    fields = (*typed, f"Content-Length: {len(body)}", *fields)
    return Case(f"{method} {path} {kind} {body[:60]!r}", [request(path, method, *fields, body=body)], (method,))


PARAMETERS = [
    *map(simple, ["/all/x/y", "/all/1/abc", "/all/1/abc?n=1&L=1&L=x&e=9&d=2020-13-01", "/all/%FF/%C3%A9?n=%FF&L="]),
    simple("/all/1/abc?n=1&L=1", "GET", "X-H: 1", "Cookie: c=1"),
    simple("/all/1/abc?n=1&L=1&n=x", "GET", "X-H: nan?", "Cookie: c=maybe", "X-Many: 1", "x-many: y"),
    simple("/all/1/abc?n=1&L=1", "GET", "X-H: \xe9", "Cookie: c=1; c=x"),
    simple("/all/99999999999999999999999999/ab?n=" + "9" * 5000),
    *map(simple, ["/query-model?limit=0&order_by=c&tags=1&tags=x&other=1", "/query-model?limit=x", "/query-model?z"]),
    simple("/header-model", "GET", "Limit: 0", "Order-By: z"),
    simple("/header-model?n=1"),
    simple("/cookie-model", "GET", "Cookie: limit=0; x=1"),
    simple("/cookie-model", "GET", "Cookie: tags=1"),
    *map(simple, ["/choices", "/choices?y=z&j=[", "/choices?x=1&j=[1,\"a\"]", "/choices?x=a&y=2&j=3"]),
    *[simple(f"/methods{q}", m) for q in ("", "?n=x", "?n=1") for m in ("GET", "HEAD", "POST", "PUT")],
    *map(simple, ["/status", "/status?n=1", "/text?n=x", "/text"]),
    simple("/methods?n=x", "GET", "Connection: close"),
    Case("1.0", [b"GET /methods?n=x HTTP/1.0\r\nHost: test\r\n\r\n"]),
    Case("pipelined", [request("/methods?n=x") + request("/methods?n=1") + request("/methods")], ("GET",) * 3),
]
TEXTS = (
    *(b"", b" ", b"{}", b"[]", b"null", b"3", b'"x"', b"true", b"NaN", b"-Infinity", b"1e999", b"1.0", b'"2020-01-02"'),
    *(ITEM, b'{"name": "a", "price": "x"}', b'{"name": 1, "price": null, "tags": [1, "a", {}], "when": "x"}'),
    *(b'{"name": "abc", "price": NaN}', b'{"name": "\\ud800", "price": "\\udfff"}', b'{"name": ["abc"], "name": "x"}'),
    *(b'{"kind": "c", "n": 0, "more": 1}', b'{"kind": "a", "n": "1.5"}', b'{"v": 1, "below": [{"v": "x", "below": 3}]}'),
    *(b'{"item": {"name": "abc", "price": 1}}', b'{"item": 1, "other": {"kind": 1}, "n": 0, "s": null}', b'{"n": 2}'),
    *(b'[{"name": "abc", "price": 1}, {"name": 1}, 3]', b'{"item": {"name": "abc", "price": 1}, "other": {"kind": "a"}, "n": 3}'),
)  # fmt: skip
BROKEN = (
    *(b"{", b"{bad", b'{"a": }', b'{"a": 1,}', b'{"a": 1} x', b"[1, 2", b"'a'", b'{"a" 1}', b"\n\n  {,", b'"\n"', b"nul"),
    *(b'"\\x"', b'{"a": "\\u12"}', b"\xff", b'"\xff"', b'{"\xc3": 1}', b"\xef\xbb\xbf{}", b"\xef\xbb\xbf{bad", b"\x00", b"{}\x00"),
    *('{"a": 1'.encode("utf-16"), '{"name": "abc"}'.encode("utf-16-le"), '{"name": 1}'.encode("utf-32"), b"9" * 5000),
    *(b"[" * 100, b"[" * 150 + b"]" * 150, b"[" * 100_000, b'{"a":' * 100_000, '{"é": "ü" "x"}'.encode(), b"{\"a\": 01}"),
    *(b"+1", b".5", b"1.", b"0x1", b"Infinit", b'{"a": 1, "a": {"b": [}}', b"\xed\xa0\x80", b'"\xed\xa0\x80"'),
)  # fmt: skip
PATHS = ("/item", "/strict", "/tree", "/optional", "/optional?q=x", "/embedded", "/two", "/raw", "/string")
PATHS += ("/anything", "/anything?n=x", "/date", "/list")
TYPES = (None, "", "application/json", "APPLICATION/JSON; charset=x", "application/x+json", "text/json", "text/plain", "json")
TYPES += ('application/json; a="b"', "application/json, text/plain", "application/json;", "application/jsonx", "application/*", "é", ";")
BODIES = [
    *[post(path, text) for path in PATHS for text in TEXTS],
    *[post(path, text) for path in ("/item", "/two", "/anything", "/optional?q=x", "/string") for text in BROKEN],
    *[post(path, text, kind=kind) for path in ("/item", "/raw", "/string", "/embedded", "/anything?n=x")
      for kind in TYPES for text in (ITEM, b"{bad")],  # fmt: skip
    *[post(path, text, method="PUT") for path in ("/item/1", "/item/x", "/item/x?q=y") for text in (ITEM, b"{}", b"{", b"")],
    *[simple(path, "POST") for path in PATHS],
]
LENIENT = [post(path, text, kind=kind) for path in ("/in/lenient", "/lenient") for kind in TYPES for text in (ITEM, b"{}", b"{")]
QUERIES = ("", "?n=1", "?n=x", "?a=1", "?a=1&n=x", "?a=x&b=x&n=x", "?a=1&b=2&n=3", "?b=1", "?a=1&b=x", "?y=x", "?y=1&z=x&n=1")
QUERIES += ("?r=1&n=x", "?r=x", "?w=x", "?skip=x&limit=10", "?limit=10&n=1", "?s=x&n=x", "?s=1&n=x", "?y=5")
DEPENDENCIES = [
    *[
        simple(f"/dep/{path}{query}")
        for path in ("simple", "tree", "yields", "function", "swallows", "swallows/function", "turns", "raises", "page")
        + ("scopes", "bearer", "none", "waits")
        for query in QUERIES
    ],
    *[simple(f"/dep/bearer{query}", "GET", "Authorization: Bearer t") for query in ("", "?n=1", "?n=x")],
    *[
        post(f"/dep/{path}{query}", body)
        for path in ("body", "bodies", "request")
        for query in ("", "?n=x&k=x", "?n=1", "?y=x")
        for body in (ITEM, b"", b"{}", b"{bad", b'{"item": {"name": "abc", "price": 1}, "other": {"kind": "a"}}')
        + (b'{"item": {"name": "abc", "price": 1}, "other": 3}', b'{"item": 2, "other": 3}')
    ],
]
# So deep that what json.loads() says depends on the stack: FastAPI's own handler is asked.
DEEP = [text for text in BROKEN if text.count(b"[") + text.count(b"{") > 400]


@pytest.fixture(scope="module", params=["app", "handled", "behind"])
def servers(site: pathlib.Path, request, tmp_path_factory: pytest.TempPathFactory):
    env, logs = {"FASTERAPI_ENGINE": "auto"}, tmp_path_factory.mktemp("errors")
    with compare.pair(site, logs, f"compiled_errors_app:{request.param}", env=env) as found:
        yield found


@pytest.mark.parametrize("name", ["PARAMETERS", "BODIES", "LENIENT", "DEPENDENCIES"], ids=str.lower)
def test_same(servers: compare.Pair, name: str, report: compare.Report) -> None:
    compare.check(servers, f"errors {name.lower()}", globals()[name], report)


def test_answered_by_plans(servers: compare.Pair, report: compare.Report) -> None:
    """The last one for each server, as it stops it."""
    cases = [post("/item", text) for text in (*TEXTS, *BROKEN)]
    compare.check(servers, "errors of one route", cases, report)
    behind = "behind" in servers.options[0]  # without the router that is lenient
    assert compare.tiers_of(servers.ours) == ((37, 4, 0) if behind else (42, 0, 0))
    servers.ours.stop(signal.SIGINT)
    if behind:
        return  # its requests come through ASGI
    found = re.search(r"requests by tier: (.*)", servers.ours.text("err"))
    assert found is not None
    counts = {tier: int(count) for count, tier in re.findall(r"(\d+) (\w+)", found[1])}
    assert counts["compiled"] >= len(cases) - len(DEEP)
    assert counts["direct"] <= 6 * len(DEEP)
