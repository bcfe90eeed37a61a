"""Paths and methods that applications do not have, wherever they stand: uvicorn's answers."""

import pathlib
import re

import compare
import peers
import pytest
from corpus import request, simple
from wire import Case

PLACES = (
    *("", "/sub", "/sub/deep", "/sub/strict", "/sub/strict/loose", "/failing", "/included/in"),
    *("/included/in/mounted", "/included/more/x", "/fallback", "/odd", "/hosts", "/empty", "/cors"),
    *("/cors/deep", "/own", "/own/strict", "/of/me", "/limited", "/star", "/star/in", "/routes"),
)
PATHS = (
    *("", "/", "//", "/plain/", "/plain//", "/plain/?q=a%20b&q", "/slash", "/slash?", "/slash//"),
    *("/none", "/none/", "/none?q=%ff", "/slash?q=%ff", "/both/3", "/both/3/", "/both/x", "/both"),
    *("/any", "/any//", "/before", "/never", "/two/ab", "/two/a1", "/n%C3%B6ne", "/slash%2F"),
    *("/pl%61in/", "/plain%3F/", "/slash%0A", "/word/", "/in", "/in/word/", "/deep", "/strict", "/r"),
)
METHODS = ("HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH")
FEW = ("", "/sub", "/sub/strict", "/cors", "/own", "/included/in", "/empty")
# (name, the server's root path, requests that plans answer at least, of all)
APPS = [
    ("app", "", 0.75),
    ("app", "/base", 0.75),
    ("app", "/base/", 0.6),
    ("api", "", 0.6),
    ("behind", "", 0.75),
    ("behind", "/base", 0.75),
    ("behind_api", "", 0.5),
    ("everything", "", 0.4),
]


def cases_of(places: tuple[str, ...]) -> list[Case]:
    cases = []
    for place in places:
        cases += [simple((place + path) or "/") for path in PATHS]
        for method in METHODS:
            cases += [simple(place + path, method) for path in ("/plain", "/slash", "/none", "/both/3")]
        for host in ("a.example:8080", "other.example", "[::1]:99"):
            head = f"GET {place}/slash?x=1 HTTP/1.1\r\nHost: {host}\r\n\r\n"
            cases.append(Case(f"{place} {host}", [head.encode()]))
        body = b'{"name": "a"}'
        sent = request(place + "/none/", "POST", f"Content-Length: {len(body)}", body=body)
        cases.append(Case(f"{place} body", [sent], ("POST",)))
        for origin in ("https://a.example", "https://b.example"):
            cases.append(simple(place + "/slash", "GET", f"Origin: {origin}"))
            cases.append(simple(place + "/none", "GET", f"Origin: {origin}"))
    for root in ("/x", "/own", "/own/", "/", "/own/slash", "/base/own", "/base/own/plain/"):
        cases += [simple(f"/own{path}?root={root}") for path in PATHS if "?" not in path]
    return cases


def counts_of(server: peers.Server) -> dict[str, int]:
    """What it says at its end: requests that each tier has served."""
    found = re.search(r"requests by tier: (.*)", server.text("err"))
    return {tier: int(n) for n, tier in re.findall(r"(\d+) (\w+)", found[1])} if found else {}


@pytest.mark.parametrize("name, root, share", APPS, ids=[a + b for a, b, _ in APPS])
def test_same(
    name: str,
    root: str,
    share: float,
    site: pathlib.Path,
    tmp_path: pathlib.Path,
    report: compare.Report,
) -> None:
    loop = "uvloop" if len(name + root) % 2 else "asyncio"
    options = (f"compiled_misses_app:{name}", "--loop", loop, "--root-path", root)
    with compare.pair(site, tmp_path, *options, env={"FASTERAPI_ENGINE": "auto"}) as servers:
        cases = cases_of(PLACES if name in ("app", "behind") and root != "/base/" else FEW)
        if name.endswith("api"):
            cases += cases_of(tuple("/api" + place for place in FEW))
        compare.check(servers, f"misses {name}{root}", cases, report)
    counts = counts_of(servers.ours)
    assert counts.get("compiled", 0) >= share * sum(counts.values()), counts


@pytest.mark.parametrize("name", ["app", "behind"])
def test_changed(
    name: str, site: pathlib.Path, tmp_path: pathlib.Path, report: compare.Report
) -> None:
    options = (f"compiled_misses_app:{name}",)
    with compare.pair(site, tmp_path, *options, env={"FASTERAPI_ENGINE": "auto"}) as servers:
        for how in ("nothing", "routes", "slashes", "default"):
            compare.check(servers, f"misses {name}", [simple(f"/change/{how}")], report)
            cases = cases_of(("/sub", "/sub/deep", "/sub/strict"))
            compare.check(servers, f"misses {name} {how}", cases, report)
