"""Heads of requests and answers: targets, Host, refusals, smuggling, and what each says."""

import email.utils
import re
import time

import pytest
from server import Server, chunked, get, post, random_cuts, serving


@pytest.fixture(scope="module")
def server(build_dir):
    with serving(build_dir) as running:
        yield running


# ---- forms of the target (RFC 9112, 3.2) ----


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/any/a", {"path": "/any/a", "raw_path": "/any/a", "query": "", "host": "test.example"}),
        ("/any/a%20b%C3%A9", {"path": "/any/a bé", "raw_path": "/any/a%20b%C3%A9"}),
        ("/any/%ff", {"path": "/any/\ufffd"}),
        ("/any/a%00b", {"path": "/any/a\0b"}),
        ("/any/../x", {"path": "/any/../x"}),
        ("/any/%2e%2e/x", {"path": "/any/../x"}),
        ("/any//x/", {"path": "/any//x/", "params": [["p", "/x/"]]}),
        ("/any/x?", {"query": "", "query_pairs": []}),
        ("/any/x?a=1&a=2&b", {"query_pairs": [["a", "1"], ["a", "2"], ["b", ""]]}),
        ("/any/x?a=%26+%2B", {"query_pairs": [["a", "& +"]]}),
        ("/any/x?a?b/c", {"query": "a?b/c"}),
        ("http://other.example:81/any/x?q", {"path": "/any/x", "host": "other.example:81"}),
        ("HTTP://other.example/any/x", {"host": "other.example"}),
        ("https://[::1]/any/x", {"host": "[::1]"}),
        ("http://other.example", {"path": "/", "raw_path": "/"}),
        ("http://other.example?q=1", {"path": "/", "query": "q=1"}),
    ],
)
def test_targets(server: Server, target, expected):
    told = server.ask(get(target)).json()
    assert told["target"] == target
    assert {key: told[key] for key in expected} == expected


def test_asterisk_form(server: Server):
    told = server.ask(get("*", method="OPTIONS")).json()
    assert (told["path"], told["method"]) == ("*", "OPTIONS")
    assert server.ask(get("*")).status == 400


@pytest.mark.parametrize(
    "method", "GET POST PUT DELETE OPTIONS TRACE PATCH QUERY BREW".split()
)
def test_methods(server: Server, method):
    answer = server.ask(get("/any/x", method=method))
    assert (answer.status, answer.json()["method"]) == (200, method)


def test_methods_are_case_sensitive(server: Server):
    for method in ("get", "Get", "brew", "BREWS"):
        answer = server.ask(get("/any/x", method=method))
        assert answer.status == 405
        allowed = {m.strip() for m in answer.get("allow").split(",")}
        assert allowed >= {"GET", "HEAD", "POST", "QUERY", "BREW"}


def test_head_lines_are_told_as_they_came(server: Server):
    fields = ("X-Empty:", "x-lower:  spaces \t", "X-Twice: 1", "X-Twice: 2", "X-Bytes: \xe9\xff")
    told = server.ask(get("/any/x", *fields)).json()
    assert told["headers"] == [
        ["Host", "test.example"],
        ["X-Empty", ""],
        ["x-lower", "spaces"],
        ["X-Twice", "1"],
        ["X-Twice", "2"],
        ["X-Bytes", "\xe9\xff"],
    ]


# ---- refusals: the status, `connection: close`, and nothing after ----

HOST = b"Host: x\r\n"
REFUSALS = [
    (b"GET /\r\n\r\n", 400),
    (b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n", 400),
    (b"G@T / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET any HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET / http/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505)),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", 400),
    (b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"GET http:/// HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + HOST + b"A : b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n c\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n A: b\r\n" + HOST + b"\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\rc\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\0c\r\n\r\n", 400),
    (b"GET / HTTP/1.1\n" + HOST + b"\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + HOST + b"no colon\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + HOST + b": x\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\n" + HOST + b"Expect: the-spanish-inquisition\r\n\r\n", 417),
    (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: br, chunked\r\n\r\n", 501),
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    (b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"b" * 40_000 + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 200 + b"\r\n", 431),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # a TLS handshake
    (b"\0" * 100, 400),
    (b"CONNECT / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"CONNECT a.example HTTP/1.1\r\n" + HOST + b"\r\n", 400),
]

# Whoever forwarded one of these may have seen another end of the request.
SMUGGLING = [
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    b"Content-Length: 5\r\nContent-Length: 6\r\n",
    b"Content-Length: 5\r\nContent-Length: 5\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Content-Length: +5\r\n",
    b"Content-Length: -5\r\n",
    b"Content-Length: 0x5\r\n",
    b"Content-Length: 5 5\r\n",
    b"Content-Length: 5\x0b\r\n",
    b"Content-Length:\r\n",
    b"Content-Length: 18446744073709551621\r\n",
    b"Content-Length : 5\r\n",
    b"Content-Length: 5\r\n Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked, chunked\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked, identity\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"Transfer-Encoding: xchunked\r\n",
    b"Transfer-Encoding: chunked;q=1\r\n",
    b"Transfer-Encoding: \x0bchunked\r\n",
    b"Transfer-Encoding: \"chunked\"\r\n",
    b"Transfer-Encoding\t: chunked\r\n",
    b"Transfer-Encoding:\r\n chunked\r\n",
    b"Transfer-Encoding: chunked,\r\n",
    b"Transfer-Encoding: ,chunked\r\n",
    b"Transfer-Encoding:\r\n",
    b"X: a\nTransfer-Encoding: chunked\r\n",
    b"X: a\rTransfer-Encoding: chunked\r\n",
]
CHUNKS = [
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b"5\nhello\r\n0\r\n\r\n",
    b"5\rhello\r\n0\r\n\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello0\r\n\r\n",
    b"5\r\nhello\n0\r\n\r\n",
    b"5;\r\nhello\r\n0\r\n\r\n",
    b"5;a=\x00\r\nhello\r\n0\r\n\r\n",
    b"FFFFFFFFFFFFFFFFF\r\n",
    b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    b"\r\nhello\r\n",
    b"0\r\nContent-Length: 5\r\n\r\n",
    b"0\r\nA : b\r\n\r\n",
    b"0\r\n folded\r\n\r\n",
    b"0\r\n\nGET / HTTP/1.1\r\n\r\n",
    b"5;" + b"x" * 1000 + b"\r\nhello\r\n0\r\n\r\n",
]
SMUGGLED = get("/any/smuggled", "Watch: smuggled")


def refused(server: Server, request: bytes, statuses) -> None:
    with server.connect() as client:
        client.send(request)
        answer = client.answer()
        assert answer.status in statuses and answer.closes, answer
        assert answer.json()["detail"]
        assert client.at_end()


@pytest.mark.parametrize(("request_bytes", "status"), REFUSALS)
def test_refusals(server: Server, request_bytes, status):
    statuses = status if isinstance(status, tuple) else (status,)
    refused(server, request_bytes, statuses)
    refused(server, request_bytes + SMUGGLED, statuses)


@pytest.mark.parametrize("fields", SMUGGLING)
def test_smuggling_by_fields(server: Server, fields):
    request = b"POST /any/x HTTP/1.1\r\n" + HOST + fields + b"\r\n"
    for body in (b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\n"):
        refused(server, request + body + SMUGGLED, (400, 501))
    assert "finish smuggled 0" not in server.events


@pytest.mark.parametrize("body", CHUNKS)
@pytest.mark.parametrize("path", ["/any/x", "/upload"])
def test_smuggling_by_chunks(server: Server, body, path):
    request = get(path, "Transfer-Encoding: chunked", method="POST")
    refused(server, request + body + SMUGGLED, (400,))
    assert "finish smuggled 0" not in server.events


def test_the_same_in_random_pieces(server: Server, rng):
    cases = [(r, s if isinstance(s, tuple) else (s,)) for r, s in REFUSALS if len(r) < 2000]
    post_head = b"POST /any/x HTTP/1.1\r\n" + HOST
    cases += [(post_head + f + b"\r\nhello", (400, 501)) for f in SMUGGLING]
    chunk_head = get("/upload", "Transfer-Encoding: chunked", method="POST")
    cases += [(chunk_head + b, (400,)) for b in CHUNKS]
    for request, statuses in cases:
        with server.connect() as client:
            try:
                client.send_pieces(request, random_cuts(rng, len(request)))
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before its end: that is early, not wrong
            answer = client.answer()
            assert answer.status in statuses and answer.closes, (request, answer)


def test_a_refusal_behind_good_requests(server: Server):
    with server.connect() as client:
        client.send(get("/later?ms=20") + get("/hello") + b"BAD\r\n\r\n" + get("/hello"))
        assert client.answer().body == b"later /later []"
        assert client.answer().body == b"hello"
        assert client.answer().status == 400
        assert client.at_end()


def test_a_refusal_reaches_a_client_that_goes_on_sending(server: Server):
    for begin in (b"BAD\r\n\r\n", get("/any/x", "Content-Length: x", method="POST")):
        with server.connect() as client:
            client.send(begin)
            for _ in range(50):
                client.send(b"x" * 20_000)
                time.sleep(0.002)
            answer = client.answer()
            assert answer.status == 400 and answer.closes
            assert client.at_end()


def test_a_head_may_be_as_large_as_the_limits(build_dir):
    options = ["max_request_line_bytes=100", "max_header_bytes=200", "max_headers=5"]
    with serving(build_dir, *(x for o in options for x in ("--limit", o))) as server:
        line = len("GET  HTTP/1.1\r\n")
        path = "/any/"
        assert server.ask(get(path + "a" * (100 - line - len(path)))).status == 200
        assert server.ask(get(path + "a" * (101 - line - len(path)))).status == 414
        used = len("Host: test.example\r\nA: \r\n\r\n")
        assert server.ask(get("/hello", "A: " + "b" * (200 - used))).status == 200
        assert server.ask(get("/hello", "A: " + "b" * (201 - used))).status == 431
        assert server.ask(get("/hello", *["A: b"] * 4)).status == 200
        assert server.ask(get("/hello", *["A: b"] * 5)).status == 431


def test_a_head_that_does_not_end_is_408(build_dir):
    with serving(build_dir, "--limit", "header_timeout_ms=200") as server:
        with server.connect() as client:
            client.send(b"GET /hel")
            answer = client.answer()
            assert answer.status == 408 and answer.closes
            assert client.at_end()


def test_a_body_that_does_not_come_is_408(build_dir):
    with serving(build_dir, "--limit", "body_timeout_ms=200") as server:
        for path in ("/any/x", "/upload"):
            with server.connect() as client:
                client.send(get(path, "Content-Length: 10", method="POST") + b"12345")
                answer = client.answer()
                assert answer.status == 408 and answer.closes
                assert client.at_end()


# ---- routes ----


def test_not_found_and_not_allowed(server: Server):
    answer = server.ask(get("/strict/none"))
    assert (answer.status, answer.json()) == (404, {"detail": "Not Found"})
    answer = server.ask(get("/strict/known", method="DELETE"))
    assert (answer.status, answer.json()) == (405, {"detail": "Method Not Allowed"})
    # RFC 9110, 15.5.6: all that the resource supports, whichever route answers them.
    assert answer.get("allow") == "GET, HEAD, POST"
    answer = server.ask(get("/items/x"))  # no int: the root application has a fallback
    assert answer.json()["params"] == []


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/slash", "http://test.example/slash/"),
        ("/slash?a=b&c", "http://test.example/slash/?a=b&c"),
        ("/no-slash/", "http://test.example/no-slash"),
        ("http://evil.example/slash", "http://evil.example/slash/"),
        ("/mw/x/in/slash", "http://test.example/mw/x/in/slash/"),
        ("/mw/%C3%A9%22%0d/in/slash", "http://test.example/mw/%C3%A9%22%0D/in/slash/"),
    ],
)
def test_redirects(server: Server, target, location):
    for method in ("GET", "HEAD"):
        with server.connect() as client:
            answer = client.ask(get(target, method=method), method)
            assert (answer.status, answer.get("location"), answer.body) == (307, location, b"")
            assert client.ask(get("/hello")).body == b"hello"
    assert server.ask(get("/strict/slash")).status == 404


# ---- HEAD (RFC 9110, 9.3.2) ----


@pytest.mark.parametrize(
    "path",
    [
        "/hello",
        "/bytes?n=100000",
        "/strict/none",
        "/error/418",
        "/fail",
        "/download?n=50000",
        "/download?n=50000&chunked=1",
        "/download?n=50000&chunked=1&trailers=1",
        "/later?ms=1",
        "/later-stream?ms=1",
        "/items/7",
        "/slash",
        "/status/204",
        "/mw/route/1",
    ],
)
def test_head_is_get_without_the_body(server: Server, path):
    same = ("date", "content-length")  # the echo of HEAD is one byte longer
    with server.connect() as client:
        full = client.ask(get(path))
        head = client.ask(get(path, method="HEAD"), "HEAD")
        assert head.status == full.status
        assert [f for f in head.fields if f[0] not in same] == [
            f for f in full.fields if f[0] not in same
        ]
        assert (head.get("content-length") is None) == (full.get("content-length") is None)
        assert client.ask(get("/hello")).body == b"hello"  # nothing was in between


def test_head_of_an_answer_that_was_never_written(server: Server):
    with server.connect() as client:
        answer = client.ask(get("/head-only", method="HEAD"), "HEAD")
        assert (answer.status, answer.get("content-length")) == (200, "1000")
        assert client.ask(get("/hello")).body == b"hello"


# ---- fields of answers ----


@pytest.mark.parametrize("status", [200, 201, 204, 205, 304, 299, 404, 418, 500, 599])
def test_statuses_and_their_length(server: Server, status):
    with server.connect() as client:
        answer = client.ask(get(f"/status/{status}"))
        assert answer.status == status and answer.body == b""
        assert answer.get("content-length") == (None if status in (204, 304) else "0")
        assert answer.get("transfer-encoding") is None
        assert client.ask(get("/hello")).body == b"hello"


@pytest.mark.parametrize("status", [204, 205, 304])
def test_no_body_for_answers_that_have_none(server: Server, status):
    after = len(server.events)
    assert server.ask(get(f"/status/{status}?body=x")).status == 500
    server.wait_event(f"^status {status} -2$", after)
    with server.connect() as client:
        answer = client.ask(get(f"/download?n=0&chunked=1&status={status}"))
        assert answer.status == status and answer.body == b""
        assert answer.get("transfer-encoding") is None
        assert client.ask(get("/hello")).body == b"hello"


def test_date_and_server(server: Server):
    answer = server.ask(get("/hello"))
    assert answer.get("server") == "fasterapi"
    date = answer.get("date")
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", date)
    now = time.time()
    assert abs(email.utils.parsedate_to_datetime(date).timestamp() - now) < 3
    with server.connect() as client:  # it goes on with the clock
        for _ in range(12):
            date = client.ask(get("/hello")).get("date")
            assert abs(email.utils.parsedate_to_datetime(date).timestamp() - time.time()) < 2
            time.sleep(0.1)


def test_date_and_server_by_option(build_dir):
    with serving(build_dir, "--no-date", "--server", "") as server:
        assert server.ask(get("/hello")).fields == [
            ("content-length", "5"),
            ("content-type", "text/plain"),
        ]
    with serving(build_dir, "--server", "other/1.0") as server:
        assert server.ask(get("/hello")).get("server") == "other/1.0"


def test_refusals_have_date_and_server_too(server: Server):
    answer = server.ask(b"BAD\r\n\r\n")
    assert answer.get("date") and answer.get("server") == "fasterapi"
    assert answer.get("content-type") == "application/json"


def test_interim_answers(server: Server):
    after = len(server.events)
    with server.connect() as client:
        client.send(get("/early-hints"))
        assert client.answer().fields == [
            ("link", "</a.css>; rel=preload"),
            ("date", "of the hint"),
        ]
        second = client.answer()
        assert (second.status, second.fields) == (103, [("link", "</b.css>; rel=preload")])
        last = client.answer()
        assert (last.status, last.body) == (200, b"hinted")
        assert last.get("link") is None
        assert "GMT" in last.get("date") and last.get("server") == "fasterapi"
    server.wait_event("^interim 101 -2$", after)
    server.wait_event("^interim 200 -2$", after)
    # An HTTP/1.0 client knows no interim answers (RFC 9110, 15.2).
    assert server.ask(get("/early-hints", version="1.0")).status == 200


def test_upgrade_needs_to_be_asked_for(server: Server):
    assert server.ask(get("/upgrade")).status == 426
    assert server.ask(get("/upgrade", "Upgrade: echo")).status == 426
    assert server.ask(get("/upgrade", "Connection: upgrade")).status == 426
    fields = ("Connection: upgrade", "Upgrade: echo")
    assert server.ask(get("/upgrade", *fields, version="1.0")).status == 426


def test_a_served_path_after_every_kind_of_request(server: Server):
    """The counters add up: each request was answered once."""
    before = server.counters()
    with server.connect() as client:
        client.send(get("/hello") + get("/strict/none") + get("/slash") + post("/any/x", b"b"))
        client.send(chunked("/any/x", b"b") + get("/fail") + get("/early-hints"))
        assert [client.answer().status for _ in range(6)] == [200, 404, 307, 200, 200, 500]
        assert [client.answer().status for _ in range(3)] == [103, 103, 200]
    server.ask(b"BAD\r\n\r\n")
    after = server.counters()
    grown = {key: after[key] - before[key] for key in after}
    assert grown["requests"] == 7 + 1  # with the one for the counters, which counts itself
    assert grown["malformed"] == 1
    assert grown["responses_2xx"] == 4 + 1 and grown["responses_3xx"] == 1
    assert grown["responses_4xx"] == 2 and grown["responses_5xx"] == 1
    assert grown["responses_1xx"] == 2
    assert after["active"] == 1 and grown["connections"] == 3
    assert grown["bytes_in"] > 400 and grown["bytes_out"] > 800
