"""Log lines: one a request, and none that a client has forged."""

import json
import re

import pytest
from server import Server, chunked, get, post, serving

LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \[(\w+)\] \[(\w+)\] (.*)$")
ACCESS = re.compile(r'^(\S+):(\d+) - "([^" ]+) ([^" ]+) HTTP/(\d\.\d)" (\d{3}) (\d+) \d+\.\d{3}ms$')


@pytest.fixture(scope="module")
def server(build_dir):
    with serving(build_dir, "--access-log") as running:
        yield running


def access_line(server: Server, path: str) -> re.Match:
    server.wait_log(re.escape(path))
    found = [m for line in server.log if (m := LINE.match(line)) and path in m[3]]
    assert len(found) == 1 and (found[0][1], found[0][2]) == ("INFO", "Access")
    match = ACCESS.match(found[0][3])
    assert match, found[0][3]
    return match


def test_every_line_has_the_form(server: Server):
    server.ask(get("/hello?form"))
    server.wait_log("form")
    assert all(LINE.match(line) for line in server.log), server.log


@pytest.mark.parametrize(
    ("request_bytes", "method", "status", "sent"),
    [
        (get("/hello?one"), "GET", 200, 5),
        (get("/hello?two", method="HEAD"), "HEAD", 200, 0),
        (get("/strict/none?three"), "GET", 404, 22),
        (post("/any/posted", b"body"), "POST", 200, None),
        (chunked("/upload?five", b"body"), "POST", 200, None),
        (get("/download?n=1000&chunked=1&six"), "GET", 200, 1000),
        (get("/fail?seven"), "GET", 500, 34),
        (get("/status/204?eight"), "GET", 204, 0),
        (get("/later?ms=1&nine"), "GET", 200, 15),
        (get("/any/ten", method="BREW"), "BREW", 200, None),
    ],
)
def test_the_access_log(server: Server, request_bytes, method, status, sent):
    with server.connect() as client:
        client.ask(request_bytes, method)
        host, port = client.socket.getsockname()
    path = request_bytes.split()[1].decode()
    match = access_line(server, path)
    assert (match[1], int(match[2])) == (host, port)
    assert (match[3], match[4], match[5], int(match[6])) == (method, path, "1.1", status)
    assert sent is None or int(match[7]) == sent


def test_an_interrupted_answer_is_logged_with_what_it_was(server: Server):
    with server.connect() as client:
        client.send(get("/abort?interrupted"))
        client.rest()
    assert access_line(server, "/abort?interrupted")[6] == "200"


def test_handlers_that_fail_are_logged(server: Server):
    server.ask(get("/fail"))
    line = server.wait_log(r"\[ERROR\] \[App\] GET /fail")
    assert "handler failed: out of memory" in line.string
    server.ask(get("/nothing"))
    line = server.wait_log(r"\[ERROR\] \[App\] GET /nothing")
    assert "returned without an answer" in line.string


def test_refused_requests_are_logged_but_not_as_accesses(server: Server):
    before = len(server.log)
    assert server.ask(b"BAD /refused\r\n\r\n").status == 400
    line = server.wait_log(r"\[WARNING\] \[Http\]", before)
    assert "127.0.0.1" in line.string and "answered 400" in line.string
    assert server.ask(get("/hello?after")).status == 200
    access_line(server, "/hello?after")
    assert not any("refused HTTP" in line for line in server.log)


FORGERIES = [
    "/any/a%0d%0a2026-01-01%2000:00:00.000%20[INFO]%20[Access]%20forged",
    "/any/b%0A[ERROR]",
    "/any/c%1b[31mred",
    "/any/d%E2%80%AEdrawkcab",
    "/any/e%C2%85next-line",
    '/any/f"HTTP/1.1"200"',
    "/any/g\\x",
]


@pytest.mark.parametrize("target", FORGERIES)
def test_no_forged_lines_by_the_target(server: Server, target):
    assert server.ask(get(target)).status == 200
    server.wait_log(re.escape(target[:6]))
    (line,) = [line for line in server.log if target[:6] in line]
    match = ACCESS.match(LINE.match(line)[3])
    assert match, line  # even a quote cannot end the target early


@pytest.mark.parametrize("path", ["/fail/", "/nothing/"])
def test_no_forged_lines_by_the_decoded_path(server: Server, path):
    # Routes do not match these; what is logged decoded is the path of failed handlers.
    before = len(server.log)
    server.ask(get(path + "%0aforged%1b"))
    server.ask(get("/hello?path-done"))
    server.wait_log("path-done", before)
    assert not any(line.startswith("forged") for line in server.log)
    assert all(line.isprintable() for line in server.log)


def test_many_refusals_do_not_fill_the_disk(server: Server):
    before = len(server.log)
    for _ in range(200):
        assert server.ask(b"\r\r\n").status == 400
    server.ask(get("/hello?flooded"))
    server.wait_log("flooded", before)
    assert len([line for line in server.log[before:] if "[WARNING]" in line]) < 100


def test_json_lines(build_dir):
    with serving(build_dir, "--access-log", "--json-log") as server:
        server.ask(get("/hello"))
        server.ask(get('/any/x"\\%0a'))
        server.ask(b"BAD\r\n\r\n")
        server.ask(get("/fail"))
        server.wait_log("handler failed")
    records = [json.loads(line) for line in server.log]
    assert all(set(r) == {"time", "level", "source", "message"} for r in records)
    levels = {(r["level"], r["source"]) for r in records}
    assert levels >= {("INFO", "Access"), ("WARNING", "Http"), ("ERROR", "App"), ("INFO", "Server")}
    messages = [r["message"] for r in records if r["source"] == "Access"]
    assert ACCESS.match(messages[0]) and "/hello" in messages[0]
    assert ACCESS.match(messages[1])
