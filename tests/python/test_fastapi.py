"""A FastAPI application under uvicorn and under us: nothing tells them apart."""

import pathlib
import signal
import time

import peers
import pytest
from test_differential import Case, exchange, request, same_logs, simple

ITEM = b'{"name": "a", "price": 1.5, "tags": ["x"]}'


def post(path: str, body: bytes, kind: str = "application/json") -> Case:
    fields = (f"Content-Type: {kind}", f"Content-Length: {len(body)}")
    return Case(f"POST {path} {body[:20]!r}", [request(path, "POST", *fields, body=body)], "POST")


CASES = [
    *map(simple, ["/items/1", "/items/x", "/items/1?q=%C3%A9&limit=5", "/items/1?limit=x"]),
    *map(simple, ["/items/1/", "/missing", "/sync", "/thread", "/depends", "/background"]),
    *map(simple, ["/stream", "/group", "/fails", "/teapot", "/redirect", "/openapi.json", "/docs"]),
    simple("/items/1", "HEAD"),
    simple("/items/1", "POST"),
    simple("/items/1", "OPTIONS"),
    post("/items", ITEM),
    post("/items", b"{}"),
    post("/items", b"not json"),
    post("/items", b""),
    post("/items", ITEM, "text/plain"),
    post("/form", b"a=1&b=2", "application/x-www-form-urlencoded"),
    post("/form", b"x" * 200_000),
    Case("chunked", [request("/form", "POST", "Transfer-Encoding: chunked"), b"3\r\nabc\r\n0\r\n\r\n"]),
]


@pytest.fixture(scope="module")
def both(site: pathlib.Path, loop: str, tmp_path_factory: pytest.TempPathFactory):
    logs = tmp_path_factory.mktemp("fastapi")
    options = ["fastapi_app:app", "--port", "0", "--loop", loop]
    with (
        peers.serving("uvicorn", site, logs / "uvicorn", *options) as theirs,
        peers.serving("fasterapi", site, logs / "fasterapi", *options) as ours,
    ):
        yield theirs, ours
        for server in (theirs, ours):
            server.stop(signal.SIGINT)
        assert theirs.text("out").endswith("ends\n")
        assert ours.text("out").endswith("ends\n")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_same(both: tuple[peers.Server, peers.Server], case: Case) -> None:
    expected, answers = [], []
    for server, found in zip(both, (expected, answers)):
        with server.connect() as s:
            found += exchange(s, case)[0]
    for answer in expected + answers:
        if answer.status == 422:
            answer.reason = ""
        if answer.status == 200:
            assert answer.whole
    assert answers == expected
    if case.name.startswith(("GET /background", "GET /depends")):
        time.sleep(0.1)  # what comes after the answer must not fall into the next case
    same_logs(both)
