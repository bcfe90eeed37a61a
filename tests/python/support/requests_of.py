"""What is asked of the applications of each framework."""

from collections.abc import Callable, Iterator

from corpus import post, request, simple
from wire import Case

JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
ITEM = b'{"name": "a", "price": 1.5, "tags": ["x"]}'


def gets(*targets: str) -> Iterator[Case]:
    yield from map(simple, targets)


def sends(target: str, body: bytes, *fields: str) -> Case:
    return Case(f"POST {target} {body[:30]!r} {fields}", [post(target, body, *fields)], ("POST",))


def chunked(target: str, *pieces: bytes) -> Case:
    head = request(target, "POST", "Transfer-Encoding: chunked")
    coded = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
    return Case(f"chunked {target}", [head, *coded, b"0\r\n\r\n"], ("POST",))


def with_fields(target: str, *lists: tuple[str, ...], method: str = "GET") -> Iterator[Case]:
    for fields in lists:
        yield simple(target, method, *fields)


def multipart(target: str, *parts: tuple[str, bytes], end: bytes = b"--\r\n") -> Case:
    body = b"".join(
        b"--x\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (name.encode(), data)
        for name, data in parts
    )
    return sends(target, body + b"--x" + end, "Content-Type: multipart/form-data; boundary=x")


FILE = 'name="{}"; filename="{}"\r\nContent-Type: text/plain'


def fastapi() -> list[Case]:
    files = [
        (FILE.format("one", "a.txt"), b"one"),
        (FILE.format("more", "b.txt"), b"two" * 1000),
        (FILE.format("more", "\u00e9.bin"), b"\r\n--y\x00\xff" * 50_000),
        ('name="note"', "caf\u00e9".encode()),
    ]
    return [
        *gets("/items/1", "/items/x", "/items/1?q=%C3%A9&limit=5", "/items/1?limit=x", "/items/1/"),
        *gets("/missing", "/sync", "/thread", "/depends", "/background", "/stream", "/group"),
        *gets("/fails", "/teapot", "/redirect", "/openapi.json", "/docs", "/redoc", "/", "/?x"),
        *gets(
            "/events", "/lines", "/model/invalid", "/depends/fails", "/guarded/item", "//", "/%2F"
        ),
        *gets(
            "/docs/oauth2-redirect", "/items/%31", "/items/1%20", "/items/9999999999999999999999"
        ),
        *gets(
            "/parameters/a/b", "/parameters/toolong/b", "/parameters/a/b/c%2Fd/", "/parameters/a/"
        ),
        *gets(
            "/parameters/a/b?tags=1&tags=2&Size=2.5&flag=yes", "/parameters/a/b?Size=0&flag=maybe"
        ),
        *gets("/parameters/a/b?size=3&Size=nan", "/parameters/%C3%A9/%FF?tags=%FF", "/items/-0"),
        *with_fields(
            "/parameters/a/b",
            ("User-Agent: x", "twice: 1", "Twice: 2", "Cookie: crumb=3; other=4"),
            ("Cookie: crumb=a", "Cookie: crumb=b"),
            ('Cookie: crumb="quoted value"; ; =',),
            ("twice: \xe9",),
        ),
        *with_fields("/guarded/item", ("X-Token: right",), ("X-Token: wrong",), ("X-Token:",)),
        *(
            simple(path, method)
            for path in ("/", "/items/1", "/stream", "/missing", "/openapi.json")
            for method in ("HEAD", "POST", "OPTIONS", "DELETE", "PATCH")
        ),
        *(sends("/items", body, JSON) for body in (ITEM, b"{}", b"not json", b"", b"[1]", b"null")),
        *(
            sends("/items", ITEM, f"Content-Type: {kind}")
            for kind in (
                "text/plain",
                "application/problem+json",
                "application/json; charset=utf-8",
                "",
            )
        ),
        sends("/items", ITEM),
        *(
            sends("/event", body, JSON)
            for body in (
                b'{"userId": "u", "value": 1}',
                b'{"userId": "u", "value": "1.5"}',
                b'{"userId": 1}',
                b'{"userId": "u", "value": NaN}',
                b'{"userId": "u", "value": 1e999}',
                b"\xff",
                b'{"a"',
                b'{"userId": "\\ud800", "value": 1}',
                b'{"userId": "u", "userId": "v", "value": 1}',
                b" " * 100 + b'{"userId": "u", "value": 1}\n',
                b'"' + b"a" * 100_000,
                b"[" * 500,
            )
        ),
        *(
            sends("/stored", body, JSON)
            for body in (
                b'{"name": "abc"}',
                b'{"name": "A"}',
                b'{"name": "abc", "count": 100}',
                b'{"name": "abc", "count": "7", "inner": [' + ITEM + b"]}",
                b'{"name": "abc", "inner": [{}, 1, null]}',
            )
        ),
        Case(
            "PUT",
            [request("/unset", "PUT", JSON, "Content-Length: 15", body=b'{"name": "abc"}')],
            ("PUT",),
        ),
        *(
            sends("/fields", body, FORM)
            for body in (
                b"name=a",
                b"name=a&age=x",
                b"name=%C3%A9+b&age=7",
                b"",
                b"age=1",
                b"name=a&name=b",
                b"&&=",
            )
        ),
        sends("/fields", b'{"name": "a"}', JSON),
        multipart("/fields", ('name="name"', b"a"), ('name="age"', b"3")),
        multipart("/files", *files),
        multipart("/files", *files[:1]),
        multipart("/files", *files, end=b"\r\n"),
        sends("/files", b"no parts", "Content-Type: multipart/form-data"),
        sends("/files", b"no parts", "Content-Type: multipart/form-data; boundary=x"),
        sends("/form", b"a=1&b=2", FORM),
        sends("/form", b"x" * 200_000, FORM),
        sends("/upload", b"x" * 1_000_000),
        chunked("/upload", *[b"c" * 9_000] * 20),
        chunked("/form", b"abc", b"defg"),
    ]


PREFIXES = ["", "/adds", "/reads", "/gzip", "/cors", "/hosts"]
RANGES = [
    "bytes=0-9",
    "bytes=5-",
    "bytes=-7",
    "bytes=0-0",
    "bytes=9-5",
    "bytes=99999999-",
    "lines=1-2",
]
RANGES += ["bytes=", "bytes=a-b", "bytes=0-99999999", "bytes= 1-2"]


def starlette() -> list[Case]:
    found = []
    for prefix in PREFIXES:
        for path in (
            "/seen?a=1&b=%20&a=2",
            "/items/5",
            "/items/x",
            "/paths/a/b%2Fc",
            "/slash",
            "/slash/",
            "/threaded?a=1",
            "/stream",
            "/stream-in-thread",
            "/background",
            "/cookies",
            "/file",
            "/empty",
            "/redirect",
            "/not-allowed",
            "/known",
            "/nothing",
            "/body",
        ):
            found += [simple(prefix + path), simple(prefix + path, "HEAD")]
        found += [
            sends(prefix + path, b"b" * size)
            for path in ("/body", "/pieces")
            for size in (0, 10, 200_000)
        ]
        found += [chunked(prefix + path, b"one", b"two" * 5000) for path in ("/body", "/pieces")]
        found.append(sends(prefix + "/form", b"a=1&a=2&b=%C3%A9", FORM))
        found.append(multipart(prefix + "/form", (FILE.format("f", "n.txt"), b"data" * 5000)))
    for path in ("/fails", "/stream/fails", "/background/fails", "/adds/fails"):
        found.append(simple(path))
    encodings = ["gzip", "identity", "gzip;q=0", "br, gzip", "GZIP", "*"]
    for path in ("/gzip/stream", "/gzip/file", "/gzip/seen", "/gzip/empty"):
        found += with_fields(path, *((f"Accept-Encoding: {e}",) for e in encodings))
    for origin in ("https://a.test", "https://b.test", "null"):
        asks = "Access-Control-Request-Method: "
        found += with_fields("/cors/seen", (f"Origin: {origin}",))
        found += with_fields(
            "/cors/seen",
            (f"Origin: {origin}", asks + "PUT"),
            (f"Origin: {origin}", asks + "POST"),
            (f"Origin: {origin}",),
            method="OPTIONS",
        )
    for host in ("test", "a.good.test", "bad.test", "test:80", "TEST", "other.test"):
        for path in ("/hosts/seen", "/https/seen?a=b", "/where", "/redirect", "/slash"):
            sent = request(path).replace(b"Host: test", b"Host: " + host.encode())
            found.append(Case(f"host {host} {path}", [sent]))
    found += with_fields("/https/seen", ("X-Forwarded-Proto: https",))
    static = "/static/apps.py"
    found += with_fields(static, *((f"Range: {r}",) for r in RANGES))
    found += with_fields(static, ("Range: bytes=0-9",), ("If-None-Match: *",), method="HEAD")
    found += with_fields(
        static,
        ("If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT",),
        ('If-None-Match: "x"',),
        ("If-Range: x", "Range: bytes=0-3"),
        ("If-Modified-Since: nonsense",),
    )
    found += gets(
        "/static", "/static/", "/static/missing", "/static/../apps.py", "/static/%2e%2e/x"
    )
    found += [simple(static, "POST"), *gets("/static/%00", "/session/", "/session/forget")]
    found += with_fields(
        "/session/", ("Cookie: session=broken",), ("Cookie: session=e30=.ZVPxAA.x",)
    )
    found += [simple("/seen", method) for method in ("PUT", "DELETE", "POST", "PATCH", "OPTIONS")]
    found += with_fields(
        "/seen", ("Cookie: a=1; b=2", "Cookie: c=3"), ("X-Forwarded-For: 10.0.0.1",)
    )
    return found


def django() -> list[Case]:
    found = []
    for path in (
        "/seen",
        "/seen?a=1&a=2&b=%C3%A9",
        "/seen/5/",
        "/seen/5",
        "/sync",
        "/sync?q=%FF",
        "/stream",
        "/stream-sync",
        "/cookies",
        "/fails",
        "/missing",
        "/nothing",
        "/redirect",
        "/status/204",
        "/status/304",
        "/status/418",
        "/%C3%A9",
        "/seen%2F5",
        "//seen",
    ):
        found += [simple(path), simple(path, "HEAD")]
    for path in ("/body", "/posted"):
        found += [sends(path, b"b" * size) for size in (0, 10, 299_999, 300_001, 700_000)]
        found.append(chunked(path, b"one", b"two" * 5000))
    found += [sends("/posted", body, FORM) for body in (b"a=1&a=2", b"%C3%A9=%FF", b"", b"&=&")]
    parts = [(FILE.format("f", "n.txt"), b"data" * 50_000), ('name="t"', b"text")]
    found += [multipart("/posted", *parts), multipart("/posted", *parts, end=b"\r\n")]
    found.append(sends("/posted", b"no parts", "Content-Type: multipart/form-data; boundary=x"))
    found += with_fields(
        "/seen",
        ("Cookie: a=1", "Cookie: b=2"),
        ("X-Two: 1", "x-two: 2"),
        ("x_under: 1",),
        ("X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: https"),
        ("X-Latin: \xe9",),
        ("Content-Type: text/plain", "Content-Length: 0"),
    )
    found += with_fields("/cookies", ('If-None-Match: "x"',), ("If-None-Match: *",))
    found += [simple("/seen", method) for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "PURGE")]
    bad = request("/seen").replace(b"Host: test", b"Host: bad.test")
    return [*found, Case("another host", [bad])]


def litestar() -> list[Case]:
    found = []
    for path in (
        "/items/1",
        "/items/x",
        "/items/1?q=%C3%A9&limit=3",
        "/items/1?limit=x",
        "/items/1/",
        "/paths/a/b",
        "/paths/",
        "/user",
        "/sync?q=a",
        "/stream",
        "/events",
        "/cookies",
        "/redirect",
        "/refuses",
        "/fails",
        "/missing",
        "/",
        "/schema/openapi.json",
        "/items",
        "/items/%31",
    ):
        found += [simple(path), simple(path, "HEAD"), simple(path, "OPTIONS")]
    found += with_fields("/user", ("X-User: me",), ("x-user: a", "x-user: b"), ("X-User: \xe9",))
    found += [
        sends("/items", body, JSON) for body in (ITEM, b"{}", b"not json", b"", b"[1]", b"null")
    ]
    found += [sends("/form", body, FORM) for body in (b"a=1&b=2", b"", b"a=%C3%A9", b"a=1&a=2")]
    upload = (FILE.format("data", "n.txt"), b"data" * 50_000)
    found += [multipart("/upload", upload), multipart("/upload", upload, end=b"\r\n")]
    found += [simple("/items/1", "DELETE"), simple("/items/1", "PATCH")]
    found += [chunked("/items", ITEM[:10], ITEM[10:])]
    return found


CASES: dict[str, Callable[[], list[Case]]] = {
    "fastapi": fastapi,
    "starlette": starlette,
    "django": django,
    "litestar": litestar,
}
