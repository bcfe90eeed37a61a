"""Compiled routes give what uvicorn and FastAPI give: bytes, connections and logs."""

import pathlib

import compare
import compiled_app
import pytest
from corpus import request, simple
from wire import Case

ITEM = b'{"name": "abc", "price": 1.5, "tags": ["x"], "when": "2026-01-02T03:04:05Z"}'


def post(path: str, body: bytes, *fields: str, kind: str = "application/json") -> Case:
    fields = (f"Content-Type: {kind}", f"Content-Length: {len(body)}", *fields)
    name = f"POST {path} {kind} {body[:40]!r}"
    return Case(name, [request(path, "POST", *fields, body=body)], ("POST",))


SCALARS = ["1", "-1", "0", "-0", "007", "+5", "1_000", "%201", "1.0", "1e3", "9" * 18, "9" * 30, "x", "1%0A"]
FLOATS = ["1", "-1.5", "0.1", ".5", "1.", "1e5", "nan", "inf", "-0", "00.5", "1_0.5", "123456789.123456789"]
BOOLS = ["true", "false", "1", "0", "True", "on", "no", "2", "", "t", "TRUE"]

CASES = [
    *[simple(f"/result/{name}") for name in compiled_app.RESULTS],
    *[simple(f"/scalar/{v}") for v in SCALARS],
    *[simple(f"/scalar/1?n={v}") for v in SCALARS],
    *[simple(f"/scalar/1?f={v}") for v in FLOATS],
    *[simple(f"/scalar/1?b={v}") for v in BOOLS],
    *[simple(f"/scalar/1?s={v}") for v in ("", "a+b", "%C3%A9", "%FF", "a&s=c", "%00", "a%26b")],
    *map(simple, ["/lists", "/lists?q=1&q=2", "/lists?q=", "/lists?q=x", "/lists?q=1&r=2"]),
    simple("/lists", "GET", "H: a", "h: b"),
    *map(simple, ["/constrained/2", "/constrained/3", "/constrained/3?q=ab", "/constrained/3?q=b"]),
    *map(simple, ["/constrained/9?kind=y&color=blue&day=2026-02-03", "/constrained/9?color=green"]),
    simple("/header"),
    *[simple("/header", "GET", f"X-Token: {v}") for v in ("a", "", "\xe9")],
    simple("/header", "GET", "X-Token: a", "X-Token: b", "User-Agent: c"),
    *[simple("/cookie", "GET", f"Cookie: {v}") for v in ("a=1", "a=1; b=2", 'a="q\\"x"', "b=x", "a", "=x; a=")],
    simple("/cookie", "GET", "Cookie: a=1", "Cookie: a=2"),
    *[
        post(path, body)
        for path in ("/items", "/typed", "/any")
        for body in (ITEM, b"{}", b"", b"[]", b"null", b'{"name": "a", "price": "x"}', b"{bad", b'{"a": 1}')
        + (b'{"a": ["x"]}', b'\xef\xbb\xbf{"a": 1}', b'{"name": "\\ud800", "price": 1}', b'{"a": 1.0}')
        + (b'{"name": "abc", "price": NaN}', b'{"name": "abc", "price": 1, "price": 2}')
        + (b'{"name": "abc", "price": 1e400}', '{"name": "äö", "price": 1}'.encode("utf-16"))
    ],
    *[
        post("/items", ITEM, kind=kind)
        for kind in ("Application/JSON", "application/json; charset=utf-8", "application/x+json")
        + ("text/json", "text/plain", "application/json;", 'application/json; a="b"', "application/jsonx")
    ],
    Case("no type", [request("/items", "POST", f"Content-Length: {len(ITEM)}", body=ITEM)], ("POST",)),
    Case(
        "chunked",
        [
            request("/items", "POST", "Content-Type: application/json", "Transfer-Encoding: chunked"),
            b"%x\r\n" % len(ITEM) + ITEM[:10],
            ITEM[10:] + b"\r\n0\r\n\r\n",
        ],
        ("POST",),
    ),
    Case(
        "later",
        [
            request("/items", "POST", "Content-Type: application/json", f"Content-Length: {len(ITEM)}"),
            ITEM[:5],
            ITEM[5:],
        ],
        ("POST",),
    ),
    *map(simple, ["/model", "/model?bad=1", "/created", "/waits", "/waits?ms=0", "/waits?ms=x"]),
    *[simple(f"/fails/{how}") for how in ("http", "known", "x", "http-later", "known-later", "x-later")],
    *[simple(f"/response/{how}") for how in ("plain", "other", "plain-later", "other-later")],
    *map(simple, ["/dep/tree", "/dep/tree?q=7&s=t", "/dep/tree?q=x", "/dep/tree?fail=known"]),
    *map(simple, ["/dep/tree?fail=other", "/dep/sync", "/dep/sync?skip=1&limit=2&q=z", "/dep/sync?limit=10"]),
    *map(simple, ["/dep/both", "/dep/swallows", "/dep/swallows?fail=0", "/dep/raises", "/dep/scopes"]),
    *map(simple, ["/dep/token", "/dep/bearer", "/dep/response", "/dep/response?code=203"]),
    simple("/dep/token", "GET", "Authorization: Bearer abc"),
    simple("/dep/bearer", "GET", "Authorization: Bearer abc"),
    simple("/dep/bearer", "GET", "Authorization: Basic abc"),
    *map(simple, ["/dep/request/3", "/dep/later", "/dep/bad-background", "/dep/bad-exit"]),
    post("/dep/request", ITEM),
    *map(simple, ["/background", "/p/", "/p/a/b", "/p", "/p/a%0Ab", "/m", "/m%0A", "/m/", "/a%2Fb", "/%0A"]),
    *map(simple, ["/openapi.json", "/docs", "//", "/", "/a/b", "/created/", "/m?x"]),
    *[simple(path, method) for path in ("/created", "/items", "/waits") for method in ("HEAD", "POST", "PUT")],
    simple("/created", "GET", "Connection: close"),
    Case("1.0", [b"GET /created HTTP/1.0\r\nHost: test\r\n\r\n"]),
    Case("pipelined", [request("/created") + request("/waits") + request("/scalar/3")], ("GET", "GET", "GET")),
]


@pytest.fixture(scope="module")
def servers(site: pathlib.Path, loop: str, tmp_path_factory: pytest.TempPathFactory):
    env = {"FASTERAPI_ENGINE": "auto"}
    logs = tmp_path_factory.mktemp("compiled")
    with compare.pair(site, logs, "compiled_app:app", "--loop", loop, env=env) as found:
        yield found


def test_compiled(servers: compare.Pair) -> None:
    """Most routes are: otherwise nothing here would be tested."""
    assert compare.tiers_of(servers.ours) == (37, 0, 0)


def test_same(servers: compare.Pair, report: compare.Report) -> None:
    compare.check(servers, "compiled routes", CASES, report)
