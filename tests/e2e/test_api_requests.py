"""The public C API, requests: handlers, middleware, mounts, deferred answers, upgrades."""

import re
import time

import patience
import pytest
from server import Server, chunked, get, post, random_cuts, serving


@pytest.fixture(scope="module")
def server(build_dir):
    with serving(build_dir) as running:
        yield running


def events_of(server: Server, act, until: str) -> list[str]:
    """The events that `act` causes, up to the one that `until` matches."""
    before = len(server.events)
    act()
    server.wait_event(until, before)
    events = server.events[before:]
    end = next(i for i, e in enumerate(events) if re.search(until, e))
    return events[: end + 1]


# ---- handlers that do not do their part ----


@pytest.mark.parametrize("path", ["/fail", "/nothing", "/abandon", "/abandon?thread=1"])
def test_no_answer_becomes_500(server: Server, path):
    with server.connect() as client:
        answer = client.ask(get(path, "Watch: no-answer"))
        assert answer.status == 500
        assert answer.json() == {"detail": "Internal Server Error"}
        # What the handler had prepared for its own answer does not describe this one.
        assert answer.get("content-encoding") is None
        assert client.ask(get("/hello")).body == b"hello"


@pytest.mark.parametrize("path", ["/fail-late", "/short", "/abort?n=100", "/abort"])
def test_an_answer_that_cannot_be_completed_is_broken_off(server: Server, path):
    """Never as a whole answer of fewer bytes."""
    name = path.strip("/").replace("?", "-").replace("=", "-")
    with server.connect() as client:
        client.send(get(path, f"Watch: {name}") + get("/hello"))
        answer = client.head()
        assert answer.status == 200
        rest = client.rest()
        assert len(rest) < 100 and b"HTTP/1.1" not in rest
        assert not rest.endswith(b"0\r\n\r\n")
    assert server.wait_event(f"^finish {name} ")[0] == f"finish {name} "
    assert f"finish {name} 0" not in server.events


def test_fewer_bytes_than_announced_are_told(server: Server):
    after = len(server.events)
    with server.connect() as client:
        client.send(get("/short"))
        client.rest()
    server.wait_event("^short -2$", after)


def test_calls_out_of_place_are_refused(server: Server):
    def act():
        answer = server.ask(get("/misuse"))
        assert (answer.status, answer.body) == (200, b"1234")

    told = dict(e.split()[1:] for e in events_of(server, act, "misuse status "))
    state, invalid = "-3", "-2"
    assert told == {
        "read": state,
        "upgrade": state,
        "write-before": state,
        "trailer-before": state,
        "end-before": state,
        "status-99": invalid,
        "status-600": invalid,
        "204-body": invalid,
        "start-204-body": invalid,
        "start-length": invalid,
        "start": "0",
        "start-again": state,
        "respond": state,
        "interim": state,
        "header": state,
        "trailer": "0",
        "too-much": invalid,
        "write": "0",
        "one-more": invalid,
        "end": "0",
        "end-again": state,
        "write-after": state,
        "defer-after": "0",
        "status": "200",
    }


@pytest.mark.parametrize(
    ("code", "phrase"),
    [(400, "Bad Request"), (404, "Not Found"), (503, "Service Unavailable"), (599, "")],
)
def test_error_answers(server: Server, code, phrase):
    answer = server.ask(get(f"/error/{code}?detail=%22told%22%0a"))
    assert (answer.status, answer.json()) == (code, {"detail": '"told"\n'})
    assert server.ask(get(f"/error/{code}")).json() == {"detail": phrase}


# ---- header fields of answers: nothing can be split (RFC 9112, 11.1) ----


@pytest.mark.parametrize(
    ("name", "value", "result"),
    [
        ("X-Name", "value", 0),
        ("X-NAME", "", 0),
        ("X-Name", "%20 trimmed %09", 0),
        ("X-Name", "caf%C3%A9", 0),
        ("X-Name", "a%0d%0aSet-Cookie: evil", -107),
        ("X-Name", "a%0aSet-Cookie: evil", -107),
        ("X-Name", "a%0dSet-Cookie: evil", -107),
        ("X-Name", "a%00b", -107),
        ("X-Name", "a%7fb", -107),
        ("X-Name", "a%1bb", -107),
        ("", "value", -106),
        ("X Name", "value", -106),
        ("X-Name:", "value", -106),
        ("X-Name%0d%0aEvil", "value", -106),
        ("X%C3%A9", "value", -106),
        ("Content-Length", "0", -2),
        ("content-length", "5", -2),
        ("Transfer-Encoding", "chunked", -2),
        ("Connection", "close", -2),
        ("Trailer", "X", -2),
        ("UPGRADE", "h2c", -2),
    ],
)
def test_fields_that_are_taken_and_that_are_not(server: Server, name, value, result):
    query = f"name={name}&value={value}".replace(" ", "+")
    with server.connect() as client:
        answer = client.ask(get(f"/header?{query}"))
        assert answer.body == str(result).encode()
        assert [n for n, _ in answer.fields if n in ("set-cookie", "evil")] == []
        if result == 0:
            assert dict(answer.fields)[name.lower()].strip() == dict(answer.fields)[name.lower()]
        else:
            assert len(answer.fields) == 4  # date, server, content-length, content-type
        assert client.ask(get("/hello")).body == b"hello"


def test_own_date_and_server(server: Server):
    for name in ("date", "server"):
        answer = server.ask(get(f"/header?name={name.upper()}&value=mine"))
        assert answer.get(name) == "mine"
        assert answer.get({"date": "server", "server": "date"}[name])


@pytest.mark.parametrize("bad", ["a%0d%0ab:+c", "a%00", "%0a"])
def test_content_types_cannot_be_split(server: Server, bad):
    assert server.ask(get(f"/status/200?type={bad}&body=x")).status == 500
    assert server.ask(get("/status/200?type=text/x&body=x")).get("content-type") == "text/x"


def test_many_fields(server: Server):
    answer = server.ask(get("/many-headers?n=3000"))
    assert [v for n, v in answer.fields if n == "set-cookie"] == [str(i) for i in range(3000)]


# ---- middleware and mounts ----


def test_middleware_in_order(server: Server):
    events = events_of(server, lambda: server.ask(get("/mw/route/7")), "mw a finish")
    assert events == [
        "mw a request",
        "mw b request",
        "mw b response 200",
        "mw a response 200",
        "mw b finish 200 0",
        "mw a finish 200 0",
    ]


def test_middleware_adds_fields(server: Server):
    answer = server.ask(get("/mw/x/in/deep/y/z"))
    assert [v for n, v in answer.fields if n == "passed"] == ["c", "b", "a"]


def test_middleware_answers_early(server: Server):
    def act():
        answer = server.ask(post("/mw/x/in/deep/y/z", b"body", "Answer-At: b"))
        assert (answer.status, answer.body) == (299, b"b")
        assert [v for n, v in answer.fields if n == "passed"] == ["b", "a"]

    assert events_of(server, act, "mw a finish") == [
        "mw a request",
        "mw b request",
        "mw b response 299",
        "mw a response 299",
        "mw b finish 299 0",
        "mw a finish 299 0",
    ]


def test_middleware_fails(server: Server):
    def act():
        answer = server.ask(get("/mw/x/in/deep/y/z", "Fail-At: c"))
        assert answer.status == 500

    assert events_of(server, act, "mw a finish")[3:6] == [
        "mw c response 500",
        "mw b response 500",
        "mw a response 500",
    ]


def test_middleware_sees_what_no_route_answers(server: Server):
    def act():
        assert server.ask(get("/mw/none")).status == 404

    assert "mw a response 404" in events_of(server, act, "mw a finish")


def test_mounts_and_their_parameters(server: Server):
    # An encoded slash is one by the time routes are looked for, as in Starlette.
    assert server.ask(get("/mw/a%20b/in/deep/y%2Fz/w")).status == 404
    told = server.ask(get("/mw/a%20b/in/deep/y/w?q=1")).json()
    assert told["params"] == [["level", "a b"], ["level", "y"], ["name", "w"]]
    assert (told["path"], told["root_path"]) == ("/mw/a b/in/deep/y/w", "/mw/a b/in")


def test_a_mounted_request_with_a_body_in_pieces(server: Server, rng):
    data = post("/mw/one/in/deep/two/three", b"x" * 200)
    for _ in range(10):
        with server.connect() as client:
            client.send_pieces(data, random_cuts(rng, len(data)))
            told = client.answer().json()
            assert told["body"] == "x" * 200
            assert told["params"] == [["level", "one"], ["level", "two"], ["name", "three"]]
            assert told["root_path"] == "/mw/one/in"


def test_the_fallback_gets_what_no_route_matches(server: Server):
    told = server.ask(get("/unknown/%41", method="BREW")).json()
    assert (told["path"], told["method"], told["params"]) == ("/unknown/A", "BREW", [])


def test_the_first_route_answers(server: Server):
    assert server.ask(get("/any/x")).json()["handler"] == "any"


# ---- answers from other threads ----


@pytest.mark.threads
def test_answers_of_another_thread(server: Server):
    with server.connect() as client:
        assert client.ask(get("/later?ms=10")).body == b"later /later []"
        assert client.ask(post("/later?ms=10", b"kept")).body == b"later /later [kept]"
        assert client.ask(chunked("/later?ms=10", b"kept", b" too")).body == b"later /later [kept too]"
        assert client.ask(get("/later-stream?ms=5")).body == b"piece piece piece "
        assert client.ask(get("/later-stream?ms=5", version="1.0")).body == b"piece piece piece "


@pytest.mark.threads
def test_two_answers_are_one(server: Server):
    after = len(server.events)
    with server.connect() as client:
        assert client.ask(get("/both?ms=20")).body == b"first"
        assert client.ask(get("/hello")).body == b"hello"
        server.wait_event("^later gone$", after)
        assert client.ask(get("/hello")).body == b"hello"


@pytest.mark.threads
def test_many_at_once_on_several_workers(build_dir):
    with serving(build_dir, "--threads", "3") as server:
        clients = [server.connect() for _ in range(40)]
        for i, client in enumerate(clients):
            client.send(get(f"/later?ms={i % 7}") + post("/later?ms=3", b"%d" % i))
            if i % 3 == 0:
                client.send(get(f"/later-stream?ms={i % 4}") + get("/abandon?thread=1&ms=2"))
        for i, client in enumerate(clients):
            assert client.answer().body == b"later /later []"
            assert client.answer().body == b"later /later [%d]" % i
            if i % 3 == 0:
                assert client.answer().body == b"piece piece piece "
                assert client.answer().status == 500
        for client in clients:
            client.close()
        deadline = time.monotonic() + patience.HANGS_S
        while server.counters()["connections_open"] != 1:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.mark.threads
def test_clients_go_while_threads_answer(build_dir):
    with serving(build_dir, "--threads", "2") as server:
        for i in range(60):
            client = server.connect()
            client.send(get(f"/later-stream?ms={i % 5}") + get("/later?ms=1"))
            time.sleep(0.003 * (i % 4))
            if i % 2:
                client.reset()
            else:
                client.close()
        assert server.ask(get("/later?ms=1")).body == b"later /later []"


@pytest.mark.threads
def test_stopped_while_an_answer_is_under_way(build_dir):
    with serving(build_dir) as server:
        with server.connect() as waiting:
            waiting.send(get("/later?ms=300"))
            time.sleep(0.05)
            assert server.ask(post("/stop", b"")).status == 202
            server.wait_event("^drain$")
            answer = waiting.answer()
            assert answer.body == b"later /later []" and answer.closes
        server.process.wait(patience.HANGS_S)
        server.wait_event("^end 0$")
    assert server.events[-2:] == ["stop", "end 0"]


# ---- upgrades ----

UPGRADE = ("Connection: keep-alive, Upgrade", "Upgrade: websocket, echo")


def test_upgraded_connections_carry_bytes_both_ways(server: Server):
    after = len(server.events)
    with server.connect() as client:
        client.send(get("/upgrade", *UPGRADE) + b"early bytes")
        answer = client.head()
        assert (answer.status, answer.get("upgrade")) == (101, "echo")
        assert answer.get("connection") == "upgrade"
        assert answer.get("x-greeting") == "hi"
        assert answer.get("content-length") is None
        assert client.take(19) == b"welcome\nearly bytes"
        client.send(b"GET / HTTP/1.1\r\n\r\n")
        assert client.take(18) == b"GET / HTTP/1.1\r\n\r\n"
        client.send(b"bye")
        assert client.rest() == b"bye"
    server.wait_event("^stream closed 0$", after)


def test_an_upgraded_connection_in_pieces(server: Server, rng):
    data = get("/upgrade", *UPGRADE) + rng.randbytes(300).replace(b"bye", b"b") + b"--bye"
    body = data.split(b"\r\n\r\n", 1)[1]
    for _ in range(10):
        with server.connect() as client:
            cuts = random_cuts(rng, len(data) - len(b"bye"))  # which ends it in one piece
            client.send_pieces(data, cuts)
            assert client.head().status == 101
            assert client.rest() == b"welcome\n" + body


def test_an_upgrade_after_the_body(server: Server):
    with server.connect() as client:
        client.send(post("/upgrade", b"the body", *UPGRADE) + b"echoed")
        assert client.head().status == 101
        assert client.take(14) == b"welcome\nechoed"
    with server.connect() as client:  # on a route that streams, not before it was read
        assert client.ask(post("/stream-upgrade", b"12345678", *UPGRADE)).status == 426
    with server.connect() as client:
        client.send(get("/stream-upgrade", *UPGRADE))
        assert client.head().status == 101


def test_connect_makes_a_tunnel(server: Server):
    with server.connect() as client:
        client.send(get("tunnel.example:443", method="CONNECT") + b"tls")
        answer = client.head()
        assert answer.status == 200
        assert answer.get("content-length") is None and answer.get("upgrade") is None
        assert client.take(11) == b"welcome\ntls"
        client.finish_sending()
        assert client.at_end()


@pytest.mark.parametrize(("how", "expected"), [("finish_sending", 0), ("reset", -6)])
def test_the_client_ends_the_stream(build_dir, how, expected):
    # A server of its own: the end of another test's stream may come at any time.
    with serving(build_dir) as server:
        client = server.connect()
        client.send(get("/upgrade", *UPGRADE))
        assert client.head().status == 101
        assert client.take(8) == b"welcome\n"
        getattr(client, how)()
        assert int(server.wait_event(r"^stream closed (-?\d+)$")[1]) == expected
        client.close()


def test_a_closed_stream_ended_well_even_if_the_client_stays(server: Server):
    after = len(server.events)
    with server.connect() as client:
        client.send(get("/upgrade", *UPGRADE) + b"bye")
        assert client.head().status == 101
        assert client.rest() == b"welcome\nbye"
        assert server.wait_event(r"^stream closed (-?\d+)$", after)[1] == "0"


def test_a_stream_that_nobody_reads_has_back_pressure(build_dir):
    with serving(build_dir, "--limit", "max_pending_bytes=50000") as server:
        with server.connect(rcvbuf=4096) as client:
            client.send(get("/upgrade", *UPGRADE))
            assert client.head().status == 101
            client.send(b"x" * 300_000)
            assert client.take(300_008) == b"welcome\n" + b"x" * 300_000


def test_streams_hear_of_the_shutdown(build_dir):
    with serving(build_dir) as server:
        with server.connect() as client:
            client.send(get("/upgrade", *UPGRADE))
            assert client.head().status == 101
            assert client.take(8) == b"welcome\n"
            server.ask(post("/stop", b""))
            assert client.rest() == b"server stops"
        server.process.wait(patience.HANGS_S)
        server.wait_event("^stream closed 0$")


def test_life_of_the_application(build_dir):
    with serving(build_dir) as server:
        server.ask(get("/hello"))
        server.ask(post("/stop", b""))
        server.process.wait(patience.HANGS_S)
        server.wait_event("^end 0$")
    told = [e for e in server.events if e in ("start", "drain", "stop", "end 0")]
    assert told == ["start", "drain", "stop", "end 0"]
