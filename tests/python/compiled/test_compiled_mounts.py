"""Mounted applications and root paths give what uvicorn and FastAPI give, in each combination."""

import pathlib
import re

import compare
import peers
import pytest
from corpus import request, simple
from wire import Case

ITEM = b'{"name": "a", "price": 2}'
PLACES = (
    *("", "/sub", "/sub/deep", "/bare", "/fails-own", "/v1/inner/part", "/v1/inner", "/x/app"),
    *("/cors", "/again", "/stacked", "/stacked/deep", "/rooted", "/elsewhere", "/part"),
)
PATHS = (
    *("/", "/items/3", "/items/3?q=a+b", "/items/x", "/items/3/", "/none", "/items", "/about/a%2Fb"),
    *("/about/%C3%A9?q=1", "/named/a", "/held", "/held?fail=http", "/held?fail=x", "/held?q=x"),
    *("/thread/3", "/thread/x?q=y", "/fails/http", "/fails/known", "/fails/group", "/fails/other"),
    *("/plain/ok", "/stream", "/tasks", "/openapi.json", "/docs", "/redoc", "", "//items/3"),
    *("/items/3%0A", "/fails-late"),
)
# In front of all paths, where the application says its root path itself.
ROOTS = ("", "/api", "/api/api", "/apix", "/api/")
FEW = ("", "/sub", "/rooted")


def post(path: str, body: bytes) -> Case:
    fields = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    return Case(f"POST {path} {body!r}", [request(path, "POST", *fields, body=body)], ("POST",))


def cases_of(root: str, places: tuple[str, ...] = PLACES) -> list[Case]:
    return [
        *[simple((root + place + path) or "/", "GET") for place in places for path in PATHS],
        *[post(f"{root}{place}/items", body) for place in places for body in (ITEM, b"{}", b"{bad", b'{"name": "bad"}')],
        *[simple(f"{root}{place}/items/3", method) for place in places for method in ("HEAD", "POST", "OPTIONS")],
        simple(f"{root}/items/3", "GET", "X-Token: t"),
        simple(f"{root}/sub/items/3", "GET", "X-Token: t", "Origin: https://a.example"),
        Case("host", [b"GET /items/3 HTTP/1.1\r\nHost: other.example:80\r\n\r\n"]),
        simple(f"{root}/stacked/none?q=moved"),
        *map(simple, [f"{root}/star/x", f"{root}/star/y", f"{root}/star", f"{root}/sub/after"]),
        *map(simple, [f"{root}/sub/deep", f"{root}/subx", f"{root}/sub/sub/items/3", root or "/"]),
    ]  # fmt: skip


# Name of the application, the server's root path, routes that are compiled, and how many of
# the requests plans answer at least.
APPS = [
    ("app", "", 172, 0.7),
    ("app", "/api", 168, 0.7),
    ("app", "/sub", 168, 0.7),
    ("api", "", 168, 0.5),
    ("api", "/api", 168, 0.7),
    ("api", "/other", 0, 0),
    ("behind", "", 158, 0.5),
    ("behind", "/api", 158, 0.5),
    ("behind_api", "", 146, 0.3),
    ("last", "", 33, 0.5),
]


def counts_of(server: peers.Server) -> dict[str, int]:
    """What it says at its end: requests that each tier has served."""
    found = re.search(r"requests by tier: (.*)", server.text("err"))
    return {tier: int(n) for n, tier in re.findall(r"(\d+) (\w+)", found[1])} if found else {}


@pytest.mark.parametrize("name, root, compiled, share", APPS, ids=[a + b for a, b, _, _ in APPS])
def test_same(
    name: str,
    root: str,
    compiled: int,
    share: float,
    site: pathlib.Path,
    tmp_path: pathlib.Path,
    report: compare.Report,
) -> None:
    loop = "uvloop" if len(name + root) % 2 else "asyncio"
    where = ("--root-path", root) if root else ()
    options = (f"compiled_mounts_app:{name}", "--loop", loop, *where)
    with compare.pair(site, tmp_path, *options, env={"FASTERAPI_ENGINE": "auto"}) as servers:
        cases = cases_of("", PLACES if name == "app" or root == "" else FEW)
        if "api" in name:
            cases += [case for asked in ROOTS for case in cases_of(asked, FEW)]
        told = servers.ours.text("err")
        compare.check(servers, f"mounted {name}{root}", cases, report)
        assert f"Engine: {compiled or 'every'} route" in told, told
    counts = counts_of(servers.ours)
    assert counts.get("compiled", 0) >= share * sum(counts.values())
