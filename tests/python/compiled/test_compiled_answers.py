"""What an application answers beside its path operations: pages, and paths and methods that
it does not have. As under uvicorn."""

import pathlib

import compare
import pytest
from corpus import request, simple
from wire import Case

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND"]

PAGES = [
    *[
        simple(path, method)
        for path in ("/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc")
        for method in ("GET", "HEAD", "POST", "DELETE")
    ],
    *map(simple, ["/api/v1/schema.json", "/help/", "/help", "/back", "/openapi.json?x=1", "/docs/"]),
    *map(simple, ["/in/page/a", "/page/b%20c", "/page-sync", "/page-sync?n=7", "/page-own", "/whole"]),
    *map(simple, ["/page-fails", "/page-fails?how=http", "/page-fails?how=none", "/page-task"]),
    *[simple(path, method) for path in ("/page/a", "/page-sync", "/whole") for method in METHODS],
    Case("task", [request("/page-task", "POST", "Content-Length: 3", body=b"abc")], ("POST",)),
    Case("task later", [request("/page-task", "POST", "Content-Length: 3"), b"abc"], ("POST",)),
    Case("pipelined", [b"".join(map(request, ["/docs", "/openapi.json", "/page-own"]))], ("GET",) * 3),
]
# What changes the schema shows in it: one after the other.
SCHEMA = ["/openapi.json", "/mended", "/openapi.json", "/replaced", "/openapi.json", "/unversioned"]
SCHEMA += ["/openapi.json", "/api/v1/schema.json"]
PATHS = ["/items/3", "/items/x", "/items/", "/items", "/slash/", "/slash", "/bare", "/bare/", "/bare//"]
PATHS += ["/fails", "/fails/", "/many", "/many/?a=b&c", "/files", "/files/", "/files/a/", "/deep", "/deep/"]
PATHS += ["/in/deep", "/in/deep//", "/in", "/in/", "/in/items/3", "/in/items/3/", "/", "//", "///", "/none"]
PATHS += ["/none/", "/none//", "/%20", "/b%61re/", "/bare/%0A", "/bare%0A", "/bare%2F", "/%C3%A9", "/%FF"]
PATHS += ["/" + "x" * 700, "/bare?" + "q" * 30, "/docs/", "/slash?%20", "/page-own/", "/whole/", "/SLASH"]
OTHER = b"GET %s HTTP/1.1\r\nHost: other:81\r\n\r\n"
MISSES = [
    *[simple(path, method) for path in PATHS for method in METHODS],
    *[Case(f"{path} at other:81", [OTHER % path.encode()]) for path in ("/slash", "/none")],
    Case("no host", [b"GET /none HTTP/1.0\r\n\r\n"]),
    simple("http://example.com:8080/slash"),
    *[
        Case(
            f"body {path}",
            [request(path, "POST", "Content-Length: 5", body=b"hello") + request("/bare")],
            ("POST", "GET"),
        )
        for path in ("/none", "/bare", "/slash")
    ],
    Case("body later", [request("/none", "POST", "Content-Length: 5"), b"hello"], ("POST",)),
    Case("close", [request("/none", "GET", "Connection: close")]),
    Case("1.0", [b"GET /none HTTP/1.0\r\nHost: test\r\n\r\n"]),
    Case("pipelined", [b"".join(map(request, ["/none", "/bare", "/slash", "/many"]))], ("GET",) * 4),
    simple("/none", "GET", "Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
]


@pytest.fixture(scope="module", params=["usual", "handled", "moved"])
def mood(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def servers(site: pathlib.Path, loop: str, mood: str, tmp_path_factory: pytest.TempPathFactory):
    env = {"FASTERAPI_ENGINE": "auto", "FA_MOOD": mood}
    logs = tmp_path_factory.mktemp("answers")
    arguments = ("--loop", loop)
    with compare.pair(site, logs, "compiled_answers_app:app", *arguments, env=env) as found:
        yield found


def test_compiled(servers: compare.Pair, mood: str) -> None:
    """All are, but for the class: otherwise nothing here would be tested."""
    assert compare.tiers_of(servers.ours) == ({"moved": 24}.get(mood, 25), 1, 0)


def test_same_pages(servers: compare.Pair, report: compare.Report) -> None:
    compare.check(servers, "pages", PAGES, report)


def test_same_misses(servers: compare.Pair, report: compare.Report) -> None:
    compare.check(servers, "misses", MISSES, report)


def test_same_schema(servers: compare.Pair, report: compare.Report) -> None:
    for path in SCHEMA:
        compare.check(servers, "schema", [simple(path)], report)
