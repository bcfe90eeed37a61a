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


def fastapi() -> list[Case]:
    return [
        *gets("/items/1", "/items/x", "/items/1?q=%C3%A9&limit=5", "/items/1?limit=x", "/items/1/"),
        *gets("/missing", "/sync", "/thread", "/depends", "/background", "/stream", "/group"),
        *gets("/fails", "/teapot", "/redirect", "/openapi.json", "/docs", "/redoc"),
        simple("/items/1", "HEAD"),
        simple("/items/1", "POST"),
        simple("/items/1", "OPTIONS"),
        *(sends("/items", body, JSON) for body in (ITEM, b"{}", b"not json", b"", b"[1]", b"null")),
        sends("/items", ITEM, "Content-Type: text/plain"),
        sends("/form", b"a=1&b=2", FORM),
        sends("/form", b"x" * 200_000, FORM),
        chunked("/form", b"abc", b"defg"),
    ]


CASES: dict[str, Callable[[], list[Case]]] = {
    "fastapi": fastapi,
}
