"""The requests of the differential test, by class: some thought of, some made by grammars
from a fixed seed (FA_SEED takes another)."""

import json
import os
import random
import urllib.parse
from collections.abc import Callable, Iterator

import apps
import http1_requests
from wire import UNTIL_BYTES_COME, Case


SEED = int(os.environ.get("FA_SEED", "1"))


def request(target: str, method: str = "GET", *fields: str, body: bytes = b"") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: test", *fields]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def simple(target: str, method: str = "GET", *fields: str) -> Case:
    return Case(f"{method} {target} {fields}", [request(target, method, *fields)], (method,))


def post(target: str, body: bytes, *fields: str) -> bytes:
    return request(target, "POST", f"Content-Length: {len(body)}", *fields, body=body)


# ---- thought of ----

# Paths whose answer depends on when the client goes; they are in the classes at the end.
UNENDING = {"/waits-for-disconnect", "/disconnected-after", "/traced", "/traced-stream"}
OWN_CLASSES = {"/respond", "/probe"}
STATUSES = [200, 201, 202, 203, 204, 206, 299, 300, 301, 302, 303, 304, 307, 308, 400, 401, 404]
STATUSES += [405, 409, 418, 422, 429, 451, 499, 500, 501, 503, 511, 599]

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


def paths(rng: random.Random) -> Iterator[Case]:
    for path in sorted(apps.PATHS.keys() - UNENDING - OWN_CLASSES):
        for method in ("GET", "HEAD", "POST"):
            yield simple(path, method)


def statuses(rng: random.Random) -> Iterator[Case]:
    for code in STATUSES:
        for method in ("GET", "HEAD"):
            yield simple(f"/status?{code}", method)


def thought_of(rng: random.Random) -> Iterator[Case]:
    yield from map(simple, TARGETS)
    for fields in FIELDS:
        yield simple("/scope", "GET", *fields)
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE", "QUERY", "M-SEARCH"):
        yield simple("/scope", method)
    for method in ("GET", "HEAD", "POST"):
        yield simple("/closes", method)


def thought_of_bodies(rng: random.Random) -> Iterator[Case]:
    for path in ("/echo", "/unread", "/one-message", "/raises-at-once", "/receive-as-task"):
        for body in (b"", b"short", b"m" * 70_000 if path == "/echo" else b"medium"):
            yield Case(f"{path} {len(body)}", [post(path, body)], ("POST",))
    for path in ("/echo", "/timeout", "/unread"):
        chunked = request(path, "POST", "Transfer-Encoding: chunked")
        for name, coded in (
            ("chunked", b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n"),
            ("chunked, trailer", b"3\r\nabc\r\n0\r\nx: y\r\n\r\n"),
            ("chunked, none", b"0\r\n\r\n"),
        ):
            yield Case(f"{path} {name}", [chunked + coded], ("POST",))
    length = request("/echo", "POST", "Content-Length: 12")
    chunked = request("/echo", "POST", "Transfer-Encoding: chunked")
    expects = request("/echo", "POST", "Content-Length: 5", "Expect: 100-continue")
    unread = request("/unread", "POST", "Content-Length: 5", "Expect: 100-continue")
    found = {
        "body after head": [length, b"hello, world"],
        "body in pieces": [length, b"hel", b"lo, ", b"world"],
        "body byte by byte": [length, *(bytes([b]) for b in b"hello, world")],
        "chunks in pieces": [chunked, b"3\r", b"\nab", b"c\r\n0\r\n", b"\r\n"],
        "head in pieces": [length[:9], length[9:30], length[30:] + b"x" * 12],
        "expect": [expects, UNTIL_BYTES_COME, b"12345"],
        "expect, body at once": [expects + b"12345"],
        "expect, unread": [unread + b"12345"],
        "get with a body": [request("/echo", "GET", "Content-Length: 3", body=b"abc")],
        "large, unread": [request("/unread", "POST", "Content-Length: 400000") + b"u" * 400_000],
        "large, in pieces": [request("/echo", "POST", "Content-Length: 400000")]
        + [b"%d" % (n % 10) * 50_000 for n in range(8)],
    }
    for name, pieces in found.items():
        yield Case(name, pieces, ("POST",))


def versions(rng: random.Random) -> Iterator[Case]:
    for path in ("/scope", "/stream", "/stream-with-length", "/raises-at-once"):
        for method in ("GET", "HEAD"):
            for fields in (b"", b"Connection: keep-alive\r\n", b"Host: test\r\n"):
                head = f"{method} {path} HTTP/1.0\r\n".encode() + fields + b"\r\n"
                yield Case(f"1.0 {method} {path} {fields!r}", [head], (method,))
    for name, body in (("none", b""), ("short", b"abc")):
        head = b"POST /echo HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body)
        yield Case(f"1.0 POST {name}", [head + body], ("POST",))


# ---- made by grammars ----

METHODS = ["GET"] * 6 + ["POST"] * 3 + ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"]
BODY_METHODS = ["POST"] * 4 + ["PUT", "PATCH", "DELETE", "GET", "OPTIONS"]
SEGMENT = [
    "a",
    "B",
    "items",
    "42",
    "-",
    ".",
    "..",
    "~x",
    "%20",
    "%2F",
    "%C3%A9",
    "%e2%82%ac",
    "%FF",
]
SEGMENT += ["%00", "%25", "%3F", "%zz", "%", "a;b=c", "a,b", "a:b@c", "!$&'()*+", "x" * 90, ""]
QUERY = [
    "a=1",
    "b",
    "=",
    "&",
    "&&",
    "q=%20+",
    "x=%C3%A9",
    "?",
    "/",
    "a=b=c",
    ";",
    "%",
    "%gg",
    "[]=1",
]
NAMES = [
    "X-One",
    "x-two",
    "ACCEPT",
    "Cookie",
    "User-Agent",
    "x_under",
    "X-!#$%&'*+.^`|~",
    "Referer",
]
NAMES += ["If-None-Match", "Range", "x-" + "n" * 60, "Content-Type", "Date", "Server", "Via"]
VALUES = [
    "",
    "a",
    "a b",
    "\ta",
    "a, b",
    '"quoted"',
    "caf\xe9",
    "\xff\xfe",
    "v" * 500,
    "0",
    ";=,/?:@",
]
VALUES += ["  leading", "text/html;q=0.9, */*;q=0.1", "bytes=0-1", "Mon, 01 Jan 2024 00:00:00 GMT"]


def made_targets(rng: random.Random) -> Iterator[Case]:
    for _ in range(240):
        target = "".join("/" + rng.choice(SEGMENT) for _ in range(rng.randrange(1, 5)))
        if rng.random() < 0.5:
            target += "?" + "".join(rng.choices(QUERY, k=rng.randrange(4)))
        if rng.random() < 0.1:
            target = (
                rng.choice(["http://test", "http://test:80", "HTTP://TEST", "https://h"]) + target
            )
        yield simple("/x" + target if target[0] == "/" else target, rng.choice(METHODS))


def made_fields(rng: random.Random) -> Iterator[Case]:
    for number in range(240):
        fields = [f"{rng.choice(NAMES)}:{rng.choice(['', ' '])}{rng.choice(VALUES)}"
                  for _ in range(rng.randrange(12))]  # fmt: skip
        if rng.random() < 0.3:
            connection = ["close", "keep-alive", "Close", "te", "x, close", "keep-alive, x"]
            fields.append("Connection: " + rng.choice(connection))
        rng.shuffle(fields)
        method = rng.choice(METHODS)
        yield Case(f"fields {number}", [request(f"/f/{number}", method, *fields)], (method,))


def chunked(rng: random.Random, body: bytes) -> bytes:
    coded = b""
    while body:
        n = min(rng.choice([1, 2, 7, 15, 16, 17, 100, 4000]), len(body))
        size = rng.choice(["%x", "%X", "0%x", "00%x"]) % n + rng.choice([""] * 5 + [";a", ";a=b"])
        coded += size.encode() + b"\r\n" + body[:n] + b"\r\n"
        body = body[n:]
    return coded + b"0\r\n" + rng.choice([b""] * 4 + [b"Sum: 1\r\n", b"A: b\r\nC: d\r\n"]) + b"\r\n"


def made_request(rng: random.Random, name: str) -> tuple[bytes, str]:
    """One that every server should take, with a body or without."""
    method = rng.choice(BODY_METHODS)
    body = rng.randbytes(rng.choice([0, 1, 2, 10, 100, 5000]))
    kind = rng.randrange(4)
    if kind == 0:
        return request(f"/m/{name}", method), method
    if kind == 1:
        fields = (rng.choice(["Content-Length: ", "content-length:"]) + str(len(body)),)
        return request(f"/m/{name}", method, *fields, body=body), method
    if kind == 2:
        coding = rng.choice(["Transfer-Encoding: chunked", "transfer-encoding:chunked"])
        return request(f"/m/{name}", method, coding, body=chunked(rng, body)), method
    path = rng.choice(
        ["/stream", "/context", "/timeout", "/task", "/thread", "/raises-after-end"][:5]
    )
    return request(path), "GET"


def split(rng: random.Random, data: bytes, most: int) -> list[bytes | float | str]:
    cuts = sorted(rng.randrange(1, len(data)) for _ in range(rng.randrange(most)))
    edges = [0, *dict.fromkeys(cuts), len(data)]
    return [data[a:b] for a, b in zip(edges, edges[1:])]


def made_bodies(rng: random.Random) -> Iterator[Case]:
    for number in range(400):
        data, method = made_request(rng, str(number))
        yield Case(f"made {number}", split(rng, data, 6), (method,))


def made_pipelines(rng: random.Random) -> Iterator[Case]:
    for number in range(160):
        parts = [made_request(rng, f"{number}/{n}") for n in range(rng.randrange(2, 8))]
        data = b"".join(part for part, _ in parts)
        yield Case(f"pipeline {number}", split(rng, data, 5), tuple(m for _, m in parts))


def every_split(rng: random.Random) -> Iterator[Case]:
    """Where a read ends must not be seen."""
    for name, data, method in (
        ("get", request("/split?a=b", "GET", "X-A: b"), "GET"),
        ("length", post("/split", b"hello, world"), "POST"),
        ("chunked", request("/split", "POST", "Transfer-Encoding: chunked", body=b"3\r\nabc\r\n"
                            b"a;x=\"y\"\r\n0123456789\r\n0\r\n\r\n"), "POST"),
        ("two", request("/stream") + request("/split"), "GET"),
    ):  # fmt: skip
        for cut in range(1, len(data)):
            methods = (method,) * (2 if name == "two" else 1)
            yield Case(f"{name} split at {cut}", [data[:cut], data[cut:]], methods)


def responding(steps: list[list]) -> str:
    return "/respond?" + urllib.parse.quote(json.dumps(steps))


def made_answers(rng: random.Random) -> Iterator[Case]:
    """Applications of all sorts: the request says what is to be sent."""
    for number in range(360):
        sizes = [rng.choice([0, 1, 5, 100, 20_000, 70_000]) for _ in range(rng.randrange(1, 5))]
        headers = [["x-case", str(number)]]
        kind = rng.random()
        if kind < 0.4:
            wrong = rng.choice([0] * 8 + [-1, 1, 10])
            headers.append(
                [rng.choice(["content-length", "Content-Length"]), str(max(0, sum(sizes) + wrong))]
            )
        elif kind < 0.5:
            headers.append(["transfer-encoding", "chunked"])
        if rng.random() < 0.15:
            headers.append(["connection", rng.choice(["close", "keep-alive", "Close"])])
        if rng.random() < 0.15:
            headers.append([rng.choice(["date", "server", "Set-Cookie", "X-\xe9", "x y"]), "set"])
        status = rng.choice([200] * 8 + [201, 204, 206, 301, 304, 400, 404, 500, 503])
        steps: list[list] = [["start", status, headers]]
        steps += [["body", size, n + 1 < len(sizes)] for n, size in enumerate(sizes)]
        # One receive() gets the empty body; a second one would wait for the client to go.
        for what in rng.sample([["sleep", 0], ["sleep", 0.002], ["receive"]], rng.randrange(3)):
            steps.insert(rng.randrange(len(steps)), what)
        if rng.random() < 0.2:
            steps.insert(rng.randrange(len(steps)), ["raise", number])
        if rng.random() < 0.05:
            steps.pop()
        method = rng.choice(["GET"] * 4 + ["HEAD", "POST"])
        yield Case(f"answer {number}: {steps}", [request(responding(steps), method)], (method,))


def malformed(rng: random.Random) -> Iterator[Case]:
    """The grammar of tests/property: most are right, some odd, some have bytes changed."""
    generator = http1_requests.Generator(rng)
    made = 0
    while made < 600:
        data = generator.request().encode("latin-1")
        while data and rng.random() < 0.4:
            data = generator.mutate(data)
        if data:
            made += 1
            yield Case(f"malformed {made}", [data])


def limits(rng: random.Random) -> Iterator[Case]:
    """Below and above what --limit-request-... says."""
    for size in (1000, 8000, 8300, 20_000, 70_000):
        yield Case(f"target of {size}", [request("/told?" + "t" * size)])
    for size in (1000, 30_000, 33_000, 70_000):
        yield Case(f"a field of {size}", [request("/told", "GET", "X: " + "f" * size)])
        many = [f"x-{n}: " + "f" * 990 for n in range(size // 1000)]
        yield Case(f"fields of {size}", [request("/told", "GET", *many)])
    for count in (50, 99, 100, 300):
        fields = [f"x-{n}: {n}" for n in range(count)]
        yield Case(f"{count} fields", [request("/told", "GET", *fields)])
    for size in (10, 200, 300, 5000):
        coded = b"3;a=%b\r\nabc\r\n0\r\n\r\n" % (b"e" * size)
        chunked = request("/told", "POST", "Transfer-Encoding: chunked", body=coded)
        yield Case(f"extension of {size}", [chunked], ("POST",))


# ---- clients that go away ----


def gone_while_sending(rng: random.Random) -> Iterator[Case]:
    """At every byte of the request, in order and with a reset. The application that has been
    called sees the disconnect, and nothing else is told of it."""
    for name, data in (
        ("get", request("/traced?get-{}", "GET", "X-A: b")),
        ("length", post("/traced?length-{}", b"hello, world")),
        ("chunked", request("/traced?chunked-{}", "POST", "Transfer-Encoding: chunked",
                            body=b"3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n")),
    ):  # fmt: skip
        for end in ("close", "reset"):
            for cut in range(1, len(data) + 1):
                piece = data[:cut].replace(b"{}", f"{cut}-{end}".encode())
                whole = 1 if cut == len(data) else 0
                yield Case(f"{name} gone at {cut}, {end}", [piece, 0.02], (), end, whole)


def gone_while_reading(rng: random.Random) -> Iterator[Case]:
    for end in ("close", "reset"):
        for read in (1, 100, 30_000, 200_000, 700_000):
            for n in range(5):
                name = f"{read}-{end}-{n}"
                target = f"/traced-stream?{name}"
                yield Case(f"gone after {name}", [request(target)], (), end, read)
    for path in ("/waits-for-disconnect", "/disconnected-after"):
        yield Case(f"gone, {path}", [request(path), 0.05], (), "close")


def half_closed(rng: random.Random) -> Iterator[Case]:
    for path in ("/scope", "/told", "/large"):
        yield Case(f"half-close {path}", [request(path)], ("GET",), "half-close")
    for cut in (1, 10, 40):
        yield Case(
            f"half-close at {cut}", [request("/told", "GET", "X-A: b")[:cut]], (), "half-close"
        )
    length = request("/told", "POST", "Content-Length: 9")
    yield Case("half-close in a body", [length, b"part"], ("POST",), "half-close")


CLASSES: dict[str, Callable[[random.Random], Iterator[Case]]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        paths,
        statuses,
        thought_of,
        thought_of_bodies,
        versions,
        made_targets,
        made_fields,
        made_bodies,
        made_pipelines,
        every_split,
        made_answers,
        malformed,
        limits,
        gone_while_sending,
        gone_while_reading,
        half_closed,
    )
}


def cases_of(name: str) -> list[Case]:
    return list(CLASSES[name](random.Random(f"{SEED} {name}")))
