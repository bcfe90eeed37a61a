"""Answers that the application frames by itself, and bodies that come with the head."""

import time
from urllib.parse import urlencode

import pytest
from server import Server, chunked, get, post, serving


@pytest.fixture(scope="module")
def server(build_dir):
    with serving(build_dir) as running:
        yield running


def path(*fields: str, status: int = 200, **more: list[str]) -> str:
    pairs = [("status", status), *(("f", f) for f in fields)]
    pairs += [(name, value) for name, values in more.items() for value in values]
    return "/gateway?" + urlencode(pairs)


def test_fields_go_out_in_their_order(server: Server):
    fields = ["X-B:2", "Content-Length:8", "x-a: 1 ", "Server:mine", "X-B:3"]
    answer = server.ask(get(path(*fields)))
    assert [name for name, _ in answer.fields] == [
        "date", "server", "x-b", "content-length", "x-a", "server", "x-b",
    ]  # fmt: skip
    assert answer.fields[4] == ("x-a", "1")
    assert answer.body == b"whole: 0"


def test_without_a_length_it_is_chunked(server: Server):
    with server.connect() as client:
        for _ in range(2):
            answer = client.ask(get(path("x-a:1")))
            assert answer.get("transfer-encoding") == "chunked"
            assert answer.body == b"whole: 0"
        answer = client.ask(get(path("Transfer-Encoding:chunked")))
        assert answer.body == b"whole: 0"


def test_http_1_0_ends_with_the_connection(server: Server):
    answer = server.ask(get(path(), version="1.0"))
    assert answer.get("transfer-encoding") is None
    assert answer.closes
    assert answer.body == b"whole: 0"


def test_connection_close_is_kept_and_obeyed(server: Server):
    with server.connect() as client:
        answer = client.ask(get(path("Connection:close", "content-length:8")))
        assert answer.closes
        client.finish_sending()
        assert client.at_end()


def test_the_server_closes_when_it_must(server: Server):
    with server.connect() as client:
        answer = client.ask(get(path("content-length:8"), "Connection: close"))
        assert answer.closes
        client.finish_sending()
        assert client.at_end()


def test_head_keeps_the_length_and_loses_the_body(server: Server):
    with server.connect() as client:
        for fields in (["content-length:8"], []):
            answer = client.ask(get(path(*fields), method="HEAD"), method="HEAD")
            assert answer.get("content-length") == ("8" if fields else None)
            assert answer.get("transfer-encoding") is None
        assert client.ask(get(path())).body == b"whole: 0"


@pytest.mark.parametrize(
    "fields",
    [
        ["content-length:x"],
        ["content-length:-1"],
        ["content-length:99999999999999999999"],
        ["content-length:8", "content-length:8"],
        ["content-length:8", "transfer-encoding:chunked"],
        ["transfer-encoding:gzip"],
        ["bad name:1"],
        [":1"],
        ["x:a\r\nset-cookie: b"],
        ["x:a\0b"],
    ],
)
def test_fields_that_would_break_the_message_are_refused(server: Server, fields):
    with server.connect() as client:
        answer = client.ask(get(path(*fields)))
        assert answer.status == 500
        assert "detail" in answer.json()
        assert client.ask(get(path("x-a:1"))).status == 200


@pytest.mark.parametrize("length", ["3", "20"])
def test_a_length_that_the_body_belies_breaks_the_connection(server: Server, length):
    with server.connect() as client:
        client.send(get(path(f"content-length:{length}")))
        answer = client.answer()
        assert not answer.complete or client.at_end()


def test_a_body_with_the_head_is_whole_and_a_later_one_is_not(server: Server):
    with server.connect() as client:
        assert client.ask(post(path(), b"12345")).body == b"whole: 5"
        assert client.ask(post(path(), b"")).body == b"whole: 0"
        assert client.ask(chunked(path(), b"123", b"45")).body == b"in pieces: 5"
        request = post(path(), b"1234567")
        client.send(request[:-3])
        time.sleep(0.05)
        client.send(request[-3:])
        assert client.answer().body == b"in pieces: 7"
        client.send(post(path(), b"12") + get(path()) + post(path(), b"123"))
        assert [client.answer().body for _ in range(3)] == [b"whole: 2", b"whole: 0", b"whole: 3"]


def test_a_body_of_which_it_is_told_that_it_is_short_is_waited_for(server: Server):
    """"whole_bytes" of the route is 20."""
    with server.connect() as client:
        for size, whole in ((1, True), (20, True), (21, False)):
            request = post("/gateway/waits", b"1" * size, "Expect: 100-continue")
            head = request[:-size]
            client.send(head)
            assert client.answer().status == 100
            client.send(request[len(head) :])
            told = b"whole: %d" if whole else b"in pieces: %d"
            assert client.answer().body == told % size
        assert client.ask(post("/gateway/waits", b"1" * 21)).body == b"whole: 21"
        assert client.ask(chunked("/gateway/waits", b"1")).body == b"in pieces: 1"


def test_http_1_0_connections_may_be_refused_to_persist(build_dir):
    request = get(path("content-length:8"), "Connection: keep-alive", version="1.0")
    with serving(build_dir) as server, server.connect() as client:
        assert client.ask(request).get("connection") == "keep-alive"
        assert client.ask(request).get("connection") == "keep-alive"
    with serving(build_dir, "--no-keep-alive-1.0") as server, server.connect() as client:
        assert client.ask(request).closes


def test_trailers_announced_by_the_application(server: Server):
    trailers = ["X-Sum:12", "x-sum: 13", "server-timing:a;dur=1"]
    asked = path("Trailer:x-sum, server-timing", trailer=trailers)
    with server.connect() as client:
        answer = client.ask(get(asked))
        assert answer.get("trailer") == "x-sum, server-timing"
        assert answer.body == b"whole: 0"
        assert answer.trailers == [("x-sum", "12"), ("x-sum", "13"), ("server-timing", "a;dur=1")]
        answer = client.ask(get(asked, method="HEAD"), method="HEAD")
        assert answer.get("trailer") == "x-sum, server-timing"
        # Where there is no room for them they are dropped.
        answer = client.ask(get(path("content-length:8", trailer=trailers)))
        assert answer.body == b"whole: 0"
        assert client.ask(get(path())).trailers == []
    assert server.ask(get(asked, version="1.0")).body == b"whole: 0"


@pytest.mark.parametrize(
    ("trailer", "error"),
    [
        ("content-length:5", -2),
        ("Transfer-Encoding:chunked", -2),
        ("a b:1", -106),
        ("x:a\r\nb: c", -107),
    ],
)
def test_trailers_that_would_break_the_message(server: Server, trailer, error):
    after = len(server.events)
    answer = server.ask(get(path(trailer=[trailer, "x-good:1"])))
    assert answer.complete and answer.trailers == [("x-good", "1")]
    server.wait_event(rf"^trailer {error}$", after)


def test_early_hints(server: Server):
    hints = ["Link:</a.css>; rel=preload", "link: </b.js>; rel=preload"]
    asked = path("x-own:1", hint=hints)
    with server.connect() as client:
        interim = client.ask(get(asked))
        assert (interim.status, interim.reason) == (103, "Early Hints")
        assert interim.fields == [
            ("link", "</a.css>; rel=preload"),
            ("link", "</b.js>; rel=preload"),
        ]
        answer = client.answer()
        assert answer.body == b"whole: 0"
        assert answer.get("link") is None and answer.get("x-own") == "1"
    assert server.ask(get(asked, version="1.0")).status == 200


@pytest.mark.parametrize(
    "hint", ["bad name:1", "x:a\r\nb: c", "content-length:1", "Connection:close"]
)
def test_hints_that_would_break_the_message(server: Server, hint):
    with server.connect() as client:
        answer = client.ask(get(path(hint=["link:a", hint])))
        assert answer.status == 500 and answer.get("link") is None
        assert client.ask(get(path(hint=["link:b"]))).fields == [("link", "b")]
        assert client.answer().status == 200
