#!/usr/bin/env python3
"""What stays behind of requests: nothing may.

    leaks.py [--requests N] [--loop uvloop] [KIND...]

Serves each kind of request N times (default 20000) within this process, over socket pairs,
and tells by how much there is more afterwards than after a tenth of it: resident memory,
memory in use (malloc's and the interpreter's), objects, descriptors, tasks. Exits with 1 if
anything has grown. PYTHONPATH must have the package: build-python-3.11/site.
"""

import argparse
import asyncio
import collections
import contextlib
import ctypes
import dataclasses
import gc
import os
import pathlib
import socket
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "property"))
import ws_client as ws  # noqa: E402
from corpus import request  # noqa: E402

import fasterapi  # noqa: E402

AT_ONCE = 32  # connections
PIPELINED = 8  # requests on one, where it is kept
ATTEMPTS = 3
TURNS_MAX = 100_000  # of the loop, until a round must be over
ITEM = b'{"name": "abc", "price": 1.5, "tags": ["x"], "when": "2026-01-02T03:04:05Z"}'

# What may grow without anything being lost: blocks by what caches hold for the moment, pages
# by how the allocator fits things in.
BLOCKS = 60
BYTES = 16 * 1024
RESIDENT = 1024 * 1024
# Growth per request that is never noise, however many there were.
PER_REQUEST = 0.02


@dataclasses.dataclass
class Kind:
    """`pieces` are sent with a turn of the loop between them. Then the client reads until the
    server closes, and as many answers of this status must have come (0: none); with None it
    goes after some turns of the loop."""

    name: str
    app: str
    pieces: list[bytes]
    status: int | None = 200
    pipelined: bool = False  # then `pieces` is one request, without Connection: close
    turns: int = 3

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


class Malloc(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks".split()] + [
        (name, ctypes.c_size_t) for name in "hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    ]


mallinfo = ctypes.CDLL(None).mallinfo2
mallinfo.restype = Malloc


@dataclasses.dataclass
class State:
    resident: int
    allocated: int  # bytes, by malloc
    blocks: int  # of the interpreter's allocator
    references: int  # 0 where the interpreter does not count them
    descriptors: int
    tasks: int
    types: collections.Counter


def state() -> State:
    gc.collect()
    gc.collect()  # what the first one has found may have let go of more
    types = collections.Counter(type(o).__name__ for o in gc.get_objects())
    now = mallinfo()
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return State(
        pages * os.sysconf("SC_PAGE_SIZE"),
        now.uordblks + now.hblkhd,
        sys.getallocatedblocks(),
        getattr(sys, "gettotalrefcount", lambda: 0)(),
        len(os.listdir("/proc/self/fd")),
        len(asyncio.all_tasks()),
        types,
    )


class Client:
    """One connection of a round."""

    def __init__(self, worker, sent: list[bytes]) -> None:
        self.left = sent[::-1]
        self.came = bytearray()
        mine, other = socket.socketpair()
        worker.adopt(other)
        other.detach()
        mine.setblocking(False)
        self.socket = mine

    def send(self) -> None:
        if self.left:
            try:
                self.socket.send(self.left.pop())
            except ConnectionError:
                self.left.clear()  # refused; the answer may be there

    def ended(self) -> bool:
        """Whether the server has closed."""
        try:
            while piece := self.socket.recv(1 << 18):
                self.came += piece
        except BlockingIOError:
            return False
        except ConnectionError:
            pass
        return True


async def settled(server) -> None:
    """No request runs any more."""
    for _ in range(TURNS_MAX):
        if not server.server_state.tasks:
            return
        await asyncio.sleep(0)
    raise AssertionError("requests are left")


async def round_of(server, kind: Kind, connections: int) -> None:
    worker = server.server_state.worker
    clients = [Client(worker, kind.sent()) for _ in range(connections)]
    for _ in kind.sent():
        for client in clients:
            client.send()
        await asyncio.sleep(0)
    if kind.status is None:
        for _ in range(kind.turns):
            await asyncio.sleep(0)
        for client in clients:
            client.socket.close()
        await settled(server)
    else:
        waiting = clients
        for _ in range(TURNS_MAX):
            waiting = [client for client in waiting if not client.ended()]
            if not waiting:
                break
            await asyncio.sleep(0)
        assert not waiting, f"{kind.name}: no end of {bytes(waiting[0].came)!r}"
        for client in clients:
            came = client.came.count(b"HTTP/1.1 %d " % kind.status)
            assert came == (kind.requests if kind.status else 0), f"{kind.name}: {bytes(client.came)!r}"
            client.socket.close()
    for _ in range(TURNS_MAX):
        if not worker.connections:
            break
        await asyncio.sleep(0)
    assert not worker.connections, f"{kind.name}: connections are left"


async def serve(kind: Kind, count: int, server) -> None:
    left = -(-count // kind.requests)
    while left > 0:
        connections = min(left, AT_ONCE)
        await round_of(server, kind, connections)
        left -= connections


def grown(before: State, after: State, count: int) -> list[str]:
    """What has, by more than what is no leak."""
    found = []
    for name, slack in (
        ("descriptors", 0),
        ("tasks", 0),
        ("blocks", max(BLOCKS, count * PER_REQUEST)),
        ("references", max(BLOCKS, count * PER_REQUEST)),
        ("allocated", max(BYTES, count * PER_REQUEST * 16)),
        ("resident", max(RESIDENT, count * PER_REQUEST * 16)),
    ):
        more = getattr(after, name) - getattr(before, name)
        if more > slack:
            found.append(f"{name} +{more}")
    for name, more in (after.types - before.types).items():
        if more > max(BLOCKS, count * PER_REQUEST):
            found.append(f"{name} objects +{more}")
    return found


def server_of(app: str) -> fasterapi.Server:
    config = fasterapi.Config(
        app,
        engine="auto" if app == "compiled_app:app" else "asgi",
        lifespan="off",
        log_level="critical",
        pathsend="on",
        early_hints=True,
        trailers=True,
        zerocopysend=True,
    )
    return fasterapi.Server(config)


async def measure(kind: Kind, count: int, server) -> tuple[State, State, list[str]]:
    """The states before and after so many requests, and what has grown. What is filled once,
    pools and buffers, does not grow a second time: then there are as many requests more."""
    await serve(kind, max(count // 10, 256), server)
    await settled(server)
    like_before = state()  # takes as much room, while it is measured, as that will later
    before = state()
    del like_before
    for attempt in range(1, ATTEMPTS + 1):
        await serve(kind, count, server)
        await settled(server)
        after = state()
        found = grown(before, after, count)
        if not found or attempt == ATTEMPTS:
            break
        before = after
    return before, after, found


def told(kind: Kind, count: int, seconds: float, before: State, after: State) -> str:
    return (
        f"{kind.name:32} {count:8} {seconds:6.1f} s  resident {after.resident // 1024} KiB "
        f"{(after.resident - before.resident) // 1024:+} KiB  malloc "
        f"{after.allocated - before.allocated:+}  blocks {after.blocks - before.blocks:+}  "
        f"objects {after.types.total() - before.types.total():+}  "
        f"descriptors {after.descriptors - before.descriptors:+}"
    )


async def run(app: str, kinds: list[Kind], count: int) -> int:
    """How many have grown; one line each."""
    server = server_of(app)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started:
        await asyncio.sleep(0.001)
    gc.collect()
    gc.freeze()  # what was imported need not be looked through each time
    failed = 0
    for kind in kinds:
        began = time.monotonic()
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            before, after, found = await measure(kind, count, server)
        line = told(kind, count, time.monotonic() - began, before, after)
        print(line, *(["GROWN:", ", ".join(found)] if found else []), flush=True)
        failed += bool(found)
    server.should_exit = True
    await serving
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(k.name for k in KINDS)}")
    options = parser.parse_args()
    known = {kind.name: kind for kind in [*KINDS, *PLANTED]}
    kinds = [known[name] for name in options.kinds] or KINDS
    factory = None
    if options.loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    failed = 0
    for app in dict.fromkeys(kind.app for kind in kinds):
        with asyncio.Runner(loop_factory=factory) as runner:
            mine = [kind for kind in kinds if kind.app == app]
            failed += runner.run(run(app, mine, options.requests))
    print(f"{len(kinds)} kinds, {failed} grown")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
