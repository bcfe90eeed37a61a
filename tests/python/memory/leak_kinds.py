"""What leaks.py asks for; those of plans are in leak_kinds_plans.py."""

import dataclasses

import ws_client as ws
from corpus import request

PIPELINED = 8  # requests on one connection, where it is kept
ITEM = b'{"name": "abc", "price": 1.5, "tags": ["x"], "when": "2026-01-02T03:04:05Z"}'


@dataclasses.dataclass
class Kind:
    """`pieces` are sent with a turn of the loop between them. Then the client reads until the
    server closes, and as many answers of this status must have come (0: none); with None it
    goes after some turns of the loop. Before it goes, the requests' tasks may be cancelled."""

    name: str
    app: str
    pieces: list[bytes]
    status: int | None = 200
    pipelined: bool = False  # then `pieces` is one request, without Connection: close
    turns: int = 3
    cancelled: bool = False

    @property
    def requests(self) -> int:
        """On one connection."""
        return PIPELINED if self.pipelined else 1

    def sent(self) -> list[bytes]:
        if not self.pipelined:
            return self.pieces
        (one,) = self.pieces
        last = one.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        return [one * (PIPELINED - 1) + last]


def asgi(path: str, status: int | None = 200, pieces: list[bytes] | None = None, **more) -> Kind:
    kept = status is not None and pieces is None and not more
    more.setdefault("pipelined", kept)
    return Kind(path, "leak_apps:app", pieces or [request(path)], status, **more)


def body(path: str, data: bytes, *fields: str) -> bytes:
    kind = "Content-Type: application/json"
    return request(path, "POST", kind, f"Content-Length: {len(data)}", *fields, body=data)


def compiled(path: str, status: int = 200, sent: bytes | None = None, **more) -> Kind:
    more.setdefault("pipelined", True)
    pieces = [sent or request(path)]
    return Kind(f"compiled {path}", "compiled_app:app", pieces, status, **more)


def named(name: str, kind: Kind) -> Kind:
    return dataclasses.replace(kind, name=name)


def websocket(path: str, *frames: bytes, status: int | None = 101, **more) -> Kind:
    extra = ("Sec-WebSocket-Extensions: permessage-deflate",) if more.pop("deflate", 0) else ()
    pieces = [ws.head(path, *extra), *frames]
    return Kind(path, "leak_apps:app", pieces, status, **more)


CLOSE = "Connection: close"
CHUNKED = [
    request("/echo", "POST", "Transfer-Encoding: chunked", CLOSE),
    b"5\r\nhello\r\n",
    b"3\r\nyou\r\n0\r\n\r\n",
]
TEXT = ws.frame(ws.TEXT, b"hello")

KINDS = [
    # answered
    *map(asgi, ["/ok", "/later", "/stream", "/times-out", "/cancelled", "/tasks", "/after"]),
    *map(asgi, ["/context", "/context-later", "/hints", "/file", "/zero-copy"]),
    asgi("/trailers", 200, [request("/trailers", "GET", "TE: trailers", CLOSE)]),
    asgi("/missing", 404),
    named("body", asgi("/echo", 200, [body("/echo", ITEM)], pipelined=True)),
    named("body, in chunks", asgi("/echo", 200, CHUNKED)),
    named("both ways", asgi("/stream-back", 200, [CHUNKED[0].replace(b"/echo", b"/stream-back"), *CHUNKED[1:]])),
    named("body not read", asgi("/unread", 200, [body("/unread", ITEM)], pipelined=True)),
    # the application fails
    *[asgi(p, 500, [request(p)]) for p in ("/raises", "/raises-later", "/dies-cancelled")],
    asgi("/told-wrong", 0, [request("/told-wrong")]),
    *[asgi(p, 200, [request(p)]) for p in ("/raises-started", "/raises-streaming", "/returns-early")],
    # no request of the application's
    named("malformed", asgi("/", 400, [b"GET / HTTP/1.1\r\nHost : x\r\n\r\n"])),
    named("expectation", asgi("/", 417, [request("/", "GET", "Expect: nonsense", CLOSE)])),
    # the client goes
    named("gone in the head", asgi("/ok", None, [b"GET /ok HT"])),
    named("gone in the body", asgi("/echo", None, [body("/echo", ITEM)[:-9]])),
    named("gone while it waits", asgi("/waits", None)),
    named("gone at once", asgi("/waits", None, turns=0)),
    named("gone while it sends", asgi("/flood", None)),
    named("gone in a stream", asgi("/stream", None, turns=2)),
    named("gone before a raise", asgi("/raises-later", None, turns=0)),
    named("gone, with requests left", asgi("/waits", None, [request("/waits") * 3])),
    # WebSockets
    websocket("/ws-echo", *[TEXT * 4, TEXT * 3 + ws.closing()]),
    named("ws deflate", websocket("/ws-echo", ws.frame(1, ws.deflated(b"hello" * 50), rsv=4), ws.closing(), deflate=1)),
    websocket("/ws-closes", ws.closing(4000)),
    websocket("/ws-refuses", status=403),
    websocket("/ws-denies", status=401),
    websocket("/ws-raises", status=500),
    websocket("/ws-raises-open", TEXT, ws.closing(1011)),
    websocket("/ws-never-receives", TEXT * 40, ws.closing()),
    named("ws gone", websocket("/ws-echo", TEXT, status=None)),
    named("ws gone at once", websocket("/ws-echo", status=None, turns=0)),
    named("ws gone while it sends", websocket("/ws-floods", status=None)),
    named("ws gone in a frame", websocket("/ws-echo", TEXT[:-2], status=None)),
    named("ws bad frame", websocket("/ws-echo", ws.frame(1, b"\xff"))),
    named("ws wrong version", asgi("/ws-echo", 426, [ws.head("/ws-echo", Sec_WebSocket_Version="9")])),
    # routes of FastAPI that are compiled
    *map(compiled, ["/scalar/1", "/lists?q=1", "/dep/tree", "/dep/sync", "/dep/both", "/dep/later"]),
    *map(compiled, ["/waits?ms=0", "/dep/swallows?fail=0", "/dep/response", "/model", "/m", "/probe"]),
    compiled("/dep/swallows", 500),
    compiled("/created", 201),
    compiled("/scalar/x", 422),
    named("compiled body", compiled("/items", 200, body("/items", ITEM))),
    named("compiled body refused", compiled("/items", 422, body("/items", b"{}"))),
    named("compiled body malformed", compiled("/items", 422, body("/items", b"{bad"))),
    named("compiled response body", compiled("/typed", 200, body("/typed", ITEM))),
    compiled("/response/plain", 202),
    compiled("/response/other-later", 307),
    compiled("/fails/http", 409),
    compiled("/fails/known-later", 411),
    compiled("/fails/x", 500),
    compiled("/dep/raises", 403),
    compiled("/a/b/c", 404),
    named("compiled wrong method", compiled("/m", 405, request("/m", "PUT"))),
    named("compiled, gone while it waits", compiled("/waits?ms=0", None, pipelined=False, turns=1)),
    named("compiled, gone in a dependency", compiled("/dep/later", None, pipelined=False, turns=1)),
]

# What is found, if anything is: each of these leaves something behind.
PLANTED = [asgi("/keeps-scope"), asgi("/keeps-task"), asgi("/keeps-file")]
