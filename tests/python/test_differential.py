"""uvicorn is the reference: the same bytes to the same application must give the same
answer, the same scope and the same log."""

import dataclasses
import socket
import time

import apps
import peers
import pytest


# Where we differ on purpose; what is not listed here is the same.
# The reasons of RFC 9110, which http.HTTPStatus has since Python 3.13 only; 418 has none.
OLD_REASONS = {413, 414, 416, 418, 422}
# An application that does wrong after its answer: the answer stands, and the connection with it.
KEPT_OPEN = {b"/raises-after-end", b"/returns-value", b"/ends-twice"}


@dataclasses.dataclass
class Case:
    name: str
    pieces: list[bytes]  # each written by itself, after a pause
    method: str = "GET"
    answers: int = 1

    def __str__(self) -> str:
        return self.name


def request(target: str, method: str = "GET", *fields: str, body: bytes = b"") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: test", *fields]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def simple(target: str, method: str = "GET", *fields: str) -> Case:
    return Case(f"{method} {target} {fields}", [request(target, method, *fields)], method)


def cases() -> list[Case]:
    found = [simple(path, method) for path in sorted(apps.PATHS) for method in METHODS[path in ENDS]]
    found += [simple(target) for target in TARGETS]
    found += [simple(f"/status?{code}", method) for code in STATUSES for method in ("GET", "HEAD")]
    found += [simple("/scope", "GET", *fields) for fields in FIELDS]
    found += [simple("/scope", method) for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "PURGE")]
    found += [simple("/closes", method) for method in ("GET", "HEAD", "POST")]
    found += bodies() + versions() + pipelined()
    return found


# These have tests of their own.
ENDS = {"/waits-for-disconnect", "/disconnected-after", "/no-status"}
METHODS = {True: (), False: ("GET", "HEAD", "POST")}

TARGETS = [
    "/scope/",
    "/scope?",
    "/scope?a=1&b=2",
    "/scope?a=%20%2F&b",
    "/scope?a=1?b=2",
    "/scope?q=a+b",
    "/scope/%20space",
    "/scope/%2Fslash",
    "/scope/%2f",
    "/scope/%25",
    "/scope/%C3%A9",
    "/scope/%c3%a9",
    "/scope/%E2%82%AC/%F0%9F%98%80",
    "/scope/%FF",
    "/scope/%C3",
    "/scope/%ED%A0%80",
    "/scope/%00",
    "/scope/%0A",
    "/scope/%0d%0aset-cookie:x",
    "/scope/%41%7a",
    "/scope/a%3Fb",
    "/scope/a%23b",
    "/scope//double",
    "/scope/./dot/../dots",
    "/scope/;semi=1,comma",
    "/scope/~tilde_-.!$&'()*+,;=:@",
    "/scope/%7Etilde",
    "/scope/100%25",
    "/scope/+plus",
    "/scope/a=b",
    "/scope/" + "long/" * 300,
    "/scope?" + "q" * 2000,
    "http://test/scope",
    "http://other:8080/scope/a?b=c",
    "/?path=root",
    "/scope?%00",
    "/scope?%E2%82%AC",
    "/scope?a#fragment",
    "/scope#fragment",
]
STATUSES = [200, 201, 202, 203, 204, 206, 299, 300, 301, 302, 303, 304, 307, 308, 400, 401, 404]
STATUSES += [405, 409, 418, 422, 429, 451, 499, 500, 501, 503, 511, 599]
FIELDS = [
    ("X-Upper: Value",),
    ("x-empty:",),
    ("X-Spaces:   a  b",),
    ("x-tabs:\ta\tb",),
    ("x-twice: 1", "x-twice: 2", "X-Twice: 3"),
    ("Cookie: a=1", "Cookie: b=2"),
    ("x-latin: \xe9\xff",),
    ("x-long: " + "v" * 6000,),
    ("Connection: keep-alive",),
    ("Connection: close",),
    ("Connection: Close",),
    ("Connection: keep-alive, close",),
    ("Authorization: Basic dXNlcjpwYXNz", "Accept: */*", "Accept-Encoding: gzip, br"),
    ("X-Forwarded-For: 10.1.2.3",),
    ("X-Forwarded-For: 10.1.2.3:99", "X-Forwarded-Proto: https"),
    ("X-Forwarded-For: 10.1.2.3, 127.0.0.1", "X-Forwarded-For: ::1"),
    ("X-Forwarded-For: [2001:db8::1]:443",),
    ("X-Forwarded-For: [broken",),
    ("X-Forwarded-For: ",),
    ("X-Forwarded-For: unknown, , 127.0.0.1",),
    ("X-Forwarded-Proto:  https",),
    ("X-Forwarded-Proto: wss",),
    ("X-Forwarded-Proto: gopher",),
    ("X-Forwarded-Proto: http", "X-Forwarded-Proto: https"),
    tuple(f"x-{i}: {i}" for i in range(60)),
]


def bodies() -> list[Case]:
    found = []
    for path in ("/echo", "/unread", "/one-message", "/raises-at-once", "/receive-as-task"):
        for body in (b"", b"short", b"m" * 70_000 if path == "/echo" else b"medium"):
            length = f"Content-Length: {len(body)}"
            found.append(
                Case(f"{path} {len(body)}", [request(path, "POST", length, body=body)], "POST")
            )
    for path in ("/echo", "/timeout", "/unread"):
        chunked = request(path, "POST", "Transfer-Encoding: chunked")
        found += [
            Case(f"{path} chunked", [chunked + b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n"], "POST"),
            Case(f"{path} chunked, trailer", [chunked + b"3\r\nabc\r\n0\r\nx: y\r\n\r\n"], "POST"),
            Case(f"{path} chunked, none", [chunked + b"0\r\n\r\n"], "POST"),
        ]
    with_length = request("/echo", "POST", "Content-Length: 12")
    chunked = request("/echo", "POST", "Transfer-Encoding: chunked")
    expects = request("/echo", "POST", "Content-Length: 5", "Expect: 100-continue")
    unread = request("/unread", "POST", "Content-Length: 5", "Expect: 100-continue")
    found += [
        Case("body after head", [with_length, b"hello, world"], "POST"),
        Case("body in pieces", [with_length, b"hel", b"lo, ", b"world"], "POST"),
        Case("body byte by byte", [with_length, *(bytes([b]) for b in b"hello, world")], "POST"),
        Case("chunks in pieces", [chunked, b"3\r", b"\nab", b"c\r\n0\r\n", b"\r\n"], "POST"),
        Case("head in pieces", [with_length[:9], with_length[9:30], with_length[30:] + b"x" * 12]),
        Case("expect", [expects, b"12345"], "POST"),
        Case("expect, body at once", [expects + b"12345"], "POST"),
        Case("expect, unread", [unread + b"12345"], "POST"),
        Case("get with a body", [request("/echo", "GET", "Content-Length: 3", body=b"abc")]),
    ]
    return found


def versions() -> list[Case]:
    found = []
    for path in ("/scope", "/stream", "/stream-with-length", "/raises-at-once"):
        for method in ("GET", "HEAD"):
            for fields in (b"", b"Connection: keep-alive\r\n"):
                head = f"{method} {path} HTTP/1.0\r\n".encode() + fields + b"\r\n"
                found.append(Case(f"1.0 {method} {path} {fields!r}", [head], method))
    return found


def pipelined() -> list[Case]:
    several = b"".join(request(f"/scope/{i}") for i in range(5))
    mixed = request("/stream") + request("/timeout") + request("/echo") + request("/large")
    return [
        Case("pipelined", [several], answers=5),
        Case("pipelined, some slow", [mixed], answers=4),
        Case("one after the other", [request("/context"), request("/context")], answers=2),
    ]


def exchange(s: socket.socket, case: Case) -> tuple[list[peers.Answer], peers.Reader]:
    for number, piece in enumerate(case.pieces):
        if number > 0:
            time.sleep(0.005)
        s.sendall(piece)
    reader = peers.Reader(s)
    return [peers.answer_of(reader, case.method) for _ in range(case.answers)], reader


def differences(case: Case, answers: list[peers.Answer]) -> None:
    """Takes out of `answers` what may differ for this case, and nothing else."""
    for answer in answers:
        if answer.status in OLD_REASONS:
            answer.reason = ""
        if case.name.startswith("1.0 GET /stream b"):
            answer.fields = [field for field in answer.fields if field[0] != "transfer-encoding"]
        if case.name == "expect, body at once":
            answer.interim = []


def same_logs(both: tuple[peers.Server, peers.Server]) -> None:
    """Since the last comparison. Lines of a request under way may still come: they get ten
    seconds, or are found by the next comparison."""
    for stream in ("out", "err"):
        deadline = time.monotonic() + 10
        while True:
            whole = [server.text(stream) for server in both]
            new = [text[server.seen[stream] :] for server, text in zip(both, whole)]
            left, right = map(peers.normalised, new)
            if left == right or time.monotonic() > deadline:
                break
            time.sleep(0.005)
        for server, text in zip(both, whole):
            server.seen[stream] = len(text)
        assert right == left, stream


@pytest.mark.parametrize("case", cases(), ids=str)
def test_same(both: tuple[peers.Server, peers.Server], case: Case) -> None:
    theirs, ours = both
    with theirs.connect() as left, ours.connect() as right:
        expected, their_reader = exchange(left, case)
        answers, our_reader = exchange(right, case)
        differences(case, expected)
        differences(case, answers)
        assert answers == expected
        if case.pieces[0].split()[1] not in KEPT_OPEN:
            closed = their_reader.ended(0)
            if closed != our_reader.ended(0):  # one may be late, not both have to wait
                assert our_reader.ended(5) == their_reader.ended(5)
    same_logs(both)


@pytest.mark.parametrize("path", ["/waits-for-disconnect", "/disconnected-after"])
def test_disconnect(both: tuple[peers.Server, peers.Server], path: str) -> None:
    for server in both:
        with server.connect() as s:
            s.sendall(request(path))
            time.sleep(0.05)
    same_logs(both)


def test_start_without_status(both: tuple[peers.Server, peers.Server]) -> None:
    """uvicorn closes without a word; from us the client gets its 500."""
    for server, status in zip(both, (None, 500)):
        with server.connect() as s:
            answers, reader = exchange(s, simple("/no-status"))
            assert answers[0].status == status
            assert reader.ended(5)
        assert "KeyError: 'status'" in server.text("err")
