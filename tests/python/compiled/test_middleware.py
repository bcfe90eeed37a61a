"""Compiled routes behind middleware give what uvicorn and FastAPI give, for each of the stacks
of middleware_app.py."""

import pathlib
import re
import subprocess
import sys

import compare
import middleware_app
import peers
import pytest
from corpus import request, simple
from wire import Case

ITEM = b'{"name": "a", "price": 2}'
PLAIN = (
    *("/", "/items/3", "/items/3?q=a+b&q=%C3%A9", "/items/x", "/items/3%0A", "/none", "/header"),
    *("/variable", "/large/3", "/large/40", "/large/2000", "/large/20000", "/model", "/model?bad=1"),
    *("/dependency", "/dependency?q=4", "/dependency?q=x", "/sync/3", "/fails/http", "/fails/known"),
    *("/fails/other", "/plain/ok", "/plain/known", "/plain/other", "/stream", "/openapi.json", "/items"),
)
FIELDS: dict[str, tuple[str, ...]] = {
    "": (),
    "origin": ("Origin: https://a.example", "Accept-Encoding: br, gzip;q=0.5", "Cookie: a=1; b=2"),
    "other origin": ("Origin: https://b.example", "X-Token: t"),
    "gzip": ("Accept-Encoding: gzip", "x-forwarded-proto: https"),
    "no origin": ("Origin: null", "Accept-Encoding: identity"),
}
PREFLIGHT = ("Origin: https://a.example", "Access-Control-Request-Method: GET")


def post(path: str, body: bytes, *fields: str) -> Case:
    kind = "Content-Type: application/json"
    head = request(path, "POST", kind, f"Content-Length: {len(body)}", *fields)
    return Case(f"POST {path} {body[:30]!r} {fields}", [head, body], ("POST",))


CASES = [
    *[simple(path, "GET", *fields) for path in PLAIN for fields in FIELDS.values()],
    *[simple(path, "OPTIONS", *PREFLIGHT) for path in ("/", "/items", "/none")],
    simple("/", "OPTIONS"),
    simple("/", "HEAD"),
    *[post("/items", body) for body in (ITEM, b"{}", b"{bad", b"", b'{"name":"a"}', b"x" * 3000)],
    *[post("/raw/1", body) for body in (ITEM, b"", b"short", b"x" * 3000)],
    post("/raw/x", ITEM),
    *[simple("/", "GET", f"X-Change: {how}") for how in middleware_app.CHANGES],
    *[simple("/items/3?q=1", "GET", f"X-Change: {how}") for how in middleware_app.CHANGES],
    *[simple("/header", "GET", f"X-Change: {how}") for how in middleware_app.CHANGES],
    *[simple("/fails/other", "GET", f"X-Change: {how}") for how in ("swallows", "after", "path")],
    *[post("/items", ITEM, f"X-Change: {how}") for how in middleware_app.CHANGES],
    *[post("/raw/3", ITEM, f"X-Change: {how}") for how in middleware_app.CHANGES],
    Case("pipelined", [request("/") + request("/items/1") + request("/large/40")], ("GET",) * 3),
    *[
        Case(f"host {host!r}", [f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode("latin-1")])
        for host in ("test", "TEST:80", "a.example", "example", "away", "[::1]", "a_b.example", "a.b:99999")
    ],
]


@pytest.mark.parametrize("stack", middleware_app.STACKS)
def test_same(
    stack: str, site: pathlib.Path, tmp_path: pathlib.Path, report: compare.Report
) -> None:
    loop = "uvloop" if middleware_app.STACKS.index(stack) % 2 else "asyncio"
    options = (f"middleware_app:{stack}", "--loop", loop)
    with compare.pair(site, tmp_path, *options, env={"FASTERAPI_ENGINE": "auto"}) as servers:
        found = re.search(r"Engine: (\d+) routes compiled", servers.ours.text("err"))
        assert found is not None
        # A limit alone is no middleware: there the pages of the documentation are compiled, too.
        assert int(found[1]) == (18 if stack == "limited" else 14)
        # It redirects the probe, too, and where there is no Host to the port of the server.
        cases = [c for c in CASES if stack != "https" or not re.search(r"host|bad=1|other", c.name)]
        compare.check(servers, f"middleware {stack}", cases, report)


BEHIND_LIMITS = [stack for stack in middleware_app.STACKS if stack == "limited_cors"]


@pytest.mark.parametrize("stack", [s for s in middleware_app.STACKS if s != "limited"])
def test_counted(stack: str, site: pathlib.Path) -> None:
    """Plans answer, and nobody else: otherwise nothing above would be tested."""
    script = f"""
import asyncio, middleware_app
from fasterapi._compile import compile_app

app = middleware_app.{stack}
compiled = compile_app(app)
known = {stack!r} in middleware_app.KNOWN
assert bool(compiled.table) == known

async def ask():
    sent = []
    async def send(message):
        sent.append(message)
    async def receive():
        return {{"type": "http.request", "body": b""}}
    headers = [(b"host", b"test")]
    scope = dict(type="http", method="GET", path="/items/3", raw_path=b"/items/3", headers=headers)
    scope |= dict(query_string=b"", root_path="", scheme="https", server=("a", 1), client=None)
    await app(scope | dict(state={{}}, http_version="1.1", asgi={{}}), receive, send)
    return sent[0]["status"]

assert asyncio.run(ask()) == 200
(route,) = [route for route in compiled.routes if route.path == "/items/{{i}}"]
assert route.requests == {{"compiled": 1}}, route.requests
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=peers.environment(site), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


ENTRANCE = """
import asyncio, sys, middleware_app
from fasterapi._compile import compile_app

app = getattr(middleware_app, sys.argv[1])
entrance = compile_app(app).entrance
if sys.argv[1].startswith("limited"):
    assert entrance is None  # there is more before its middleware
    sys.exit()
asked = []
enabled = app._native_telemetry.enabled
app._native_telemetry.enabled = lambda: asked.append(1) or enabled()

def ask(target, path, kind="http"):
    messages = []
    async def send(message):
        messages.append(message)
    async def receive():
        return {"type": "websocket.connect" if kind == "websocket" else "http.request", "body": b""}
    scope = dict(type=kind, method="GET", path=path, raw_path=path.encode(), headers=[(b"host", b"test")])
    scope |= dict(query_string=b"", root_path="", scheme="https", server=("a", 1), client=None)
    scope |= dict(state={}, http_version="1.1", asgi={})
    async def run():
        try:
            await target(scope, receive, send)
        except Exception as error:
            return messages, repr(error), sorted(scope)
        return messages, None, sorted(scope)
    return asyncio.run(run())

for path in ("/items/3", "/items/x", "/none", "/plain/other", "/fails/http"):
    wanted = ask(app, path)
    asked.clear()
    assert ask(entrance, path) == wanted, path
    assert not asked  # by FastAPI, which was passed by

assert ask(entrance, "/ws", "websocket") == ask(app, "/ws", "websocket") and asked
asked.clear()
app.router.routes.append(app.router.routes[0])
assert ask(entrance, "/items/3")[0][0]["status"] == 200 and asked  # something has changed
"""


@pytest.mark.parametrize("stack", ["pure", "dispatched", "pure_changing", "cors", *BEHIND_LIMITS])
def test_entrance(stack: str, site: pathlib.Path) -> None:
    """The layers before the middleware are passed by, as long as nothing has changed."""
    command = [sys.executable, "-c", ENTRANCE, stack]
    done = subprocess.run(command, env=peers.environment(site), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
