"""Endpoints that are generators: the same pieces, and what happens around them in the same
order, as under uvicorn."""

import pathlib
import socket
import struct
import time
import urllib.request

import compare
import patience
import pytest
from corpus import request, simple
from wire import Case

ITEMS = b'[{"name": "a"}, {"name": "b", "price": 2}]'
JSON = "Content-Type: application/json"
FORM = "Content-Type: multipart/form-data; boundary=b"
FILE = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    b"what it holds\r\n--b--\r\n"
)
FLOODS = ("/flood", "/flood/sync", "/flood/events", "/flood/raw")
CASES = [
    *map(simple, ["/events/kinds", "/events/sync", "/events/sync?n=0", "/events/sync?n=x"]),
    *map(simple, ["/events/full", "/events/full?q=7", "/events/full?q=x", "/events/slow"]),
    *map(simple, ["/events/none", "/lines/3?q=4"]),
    *[simple(f"/events/fails/{n}?how={how}") for n in (0, 1, 9, "x") for how in ("known", "http")],
    *map(simple, ["/lines/0", "/lines/x", "/plain/fails", "/lines-early", "/lines-early?fail=1"]),
    simple("/raw"),
    *map(simple, ["/raw/sync", "/raw/fails?fail=1", "/raw/plain", "/raw/forgets", "/text/forgets"]),
    *map(simple, ["/text/forgets?own=1", "/bad/fails", "/events/sync/fails", "/events/number"]),
    *[simple(path, "HEAD") for path in ("/raw", "/lines/3")],
    *[
        Case(f"{body!r}", [request("/lines", "POST", JSON, length, body=body)], ("POST",))
        for body in (ITEMS, b"{}")
        for length in (f"Content-Length: {len(body)}",)
    ],
    Case("pipelined", [b"".join(map(request, ["/lines/2", "/raw", "/events/none"]))], ("GET",) * 3),
    *[
        Case(f"{end} {path}", [request(f"{path}?q=5")], ("GET",), end, 200)
        for path in ("/endless", "/events/endless")
        for end in ("close", "reset")
    ],
    *[simple(f"/lines/fails/{n}?how={how}") for n in (0, 1, 9) for how in ("known", "http")],
    *map(simple, ["/lines-catch?q=2", "/both", "/bodiless", "/bodiless?status=200"]),
    simple("/both", "HEAD"),
    *[simple(f"/inner/{path}") for path in ("object?n=3", "object?n=x", "partial", "fails")],
    simple("/lines/3", "GET", "Accept-Encoding: gzip"),
    simple("/events/sync", "GET", "Accept-Encoding: gzip"),
    Case("file", [request("/file?q=3", "POST", FORM, f"Content-Length: {len(FILE)}", body=FILE)]),
    Case("1.0", [b"GET /events/sync HTTP/1.0\r\nHost: test\r\n\r\n"]),
]


@pytest.fixture(scope="module", params=["", "own", "function", "known"])
def servers(
    request: pytest.FixtureRequest,
    site: pathlib.Path,
    loop: str,
    tmp_path_factory: pytest.TempPathFactory,
):
    env = {"FASTERAPI_ENGINE": "auto", "STACK": request.param}
    logs = tmp_path_factory.mktemp("streams")
    with compare.pair(site, logs, "compiled_streams_app:app", "--loop", loop, env=env) as found:
        yield found


def test_compiled(servers: compare.Pair) -> None:
    compiled, direct, _ = compare.tiers_of(servers.ours)
    assert (compiled, direct) in ((39, 0), (35, 4))  # the pages, behind something


def test_same(servers: compare.Pair, report: compare.Report) -> None:
    for case in CASES:
        compare.check(servers, "generators", [case], report)


def ended(port: int) -> int:
    url = f"http://127.0.0.1:{port}/ended"
    return int(urllib.request.urlopen(url, timeout=patience.HANGS_S).read())


def wait_until_ended(ports: list[int], want: list[int]) -> list[int]:
    deadline = time.monotonic() + patience.HANGS_S
    while (found := [ended(port) for port in ports]) != want and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def test_ended(servers: compare.Pair) -> None:
    """Generators whose client has gone do not stay behind."""
    gone = sum(case.end in ("close", "reset") for case in CASES) * 2  # a dependency each
    assert wait_until_ended([server.port for server in servers], [gone] * 2) == [gone] * 2


@pytest.mark.parametrize("path", FLOODS)
def test_flood(servers: compare.Pair, path: str) -> None:
    """A client that reads nothing goes: the generator stands at its yield."""
    for server in servers:
        before = ended(server.port)
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                client.sendall(request(path))
                assert client.recv(1)
                time.sleep(0.05)  # until nothing more goes out
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert wait_until_ended([server.port], [before + 3]) == [before + 3]
