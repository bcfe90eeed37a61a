"""WebSockets: uvicorn is the reference here, too. The same handshake and the same frames to
the same application must lead to the same answer, frames, messages and log."""

import dataclasses
import json
import pathlib
import time
import urllib.request

import patience
import peers
import pytest
import wire
import ws_client
from ws_client import BINARY, CLOSE, CONT, EOF, PING, PONG, TEXT, closing, frame, head

MAX_SIZE = 100_000
BYE = closing(1000, b"bye")
TALK = [frame(TEXT, b"one"), frame(BINARY, b"two"), BYE]
ECHOED = [TALK[0], 1, TALK[1], 1, BYE]


@dataclasses.dataclass
class Case:
    name: str
    request: bytes
    steps: list = dataclasses.field(default_factory=lambda: TALK)
    # What differs on purpose, as docs/differences-uvicorn.md tells:
    own_words: bool = False  # the reason that a fault is given
    own_log: bool = False  # uvicorn logs that a handshake was not answered, though it was

    def __str__(self) -> str:
        return self.name


def simple(target: str, steps: list | None = None, **differs: bool) -> Case:
    return Case(target, head(target), TALK if steps is None else steps, **differs)


def echo(name: str, *steps, **differs: bool) -> Case:
    return Case(f"echo: {name}", head("/echo"), list(steps), **differs)


def opening(name: str, *fields: str, target: str = "/echo", **changed: str | None) -> Case:
    return Case(f"handshake: {name}", head(target, *fields, **changed), ECHOED)


def applications() -> list[Case]:
    return [
        simple("/echo", ECHOED),
        *(simple(f"/{path}", TALK[:1]) for path in ("no-protocol", "other-protocol", "headers")),
        simple("/generated-headers", TALK[:1]),
        Case("first protocol", head("/first-protocol", "Sec-WebSocket-Protocol: a, b"), TALK[:1]),
        Case("no first protocol", head("/first-protocol")),
        simple("/protocol-as-header", TALK[:1]),
        simple("/refuses"),
        simple("/refuses-at-once"),
        simple("/refuses-and-goes-on"),
        *(simple(f"/denies?{status}", own_log=True) for status in (200, 302, 401, 403, 404, 503, 599)),
        simple("/denies?402&type", own_log=True),
        simple("/denies?400&empty", own_log=True),
        simple("/denies-with-status", own_log=True),
        simple("/denies-and-accepts", own_log=True),
        simple("/denies-without-body"),
        simple("/denies-and-raises"),
        simple("/returns-at-once"),
        simple("/returns-value"),
        simple("/raises-at-once"),
        simple("/raises-after-receive"),
        simple("/raises-after-close"),
        simple("/raises-after-disconnect"),
        simple("/exits"),
        *(simple(f"/closes?{query}") for query in ("", "1000", "1001", "1003&why", "1011", "3000")),
        simple("/closes?4999&long-" + "x" * 118),
        *(simple(f"/closes-wrongly?{code}") for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000)),
        simple("/closes-wrongly?1000&" + "x" * 124),
        simple("/closes-wrongly?70000"),
        simple("/closes-without-reason"),
        simple("/closes-twice"),
        simple("/after-disconnect"),
        simple("/after-disconnect", [closing(None)]),
        simple("/after-loss", [EOF]),
        simple("/lets-it-pass"),
        simple("/sends-first"),
        simple("/sends-oddly"),
        simple("/sends-much", [306, closing()]),
        simple("/sends-on-connect", [1, frame(TEXT, b"enough?")]),
        simple("/accepts-late"),
        simple("/many-at-once", [b"".join(frame(TEXT, b"%d" % i) for i in range(100)) + BYE]),
        simple("/receives-as-task", ECHOED),
        simple("/gives-up-receiving", [1, *TALK[:2]]),
        simple("/two-receive", [1, frame(TEXT, b"a") + frame(TEXT, b"b")]),
        simple("/context", [frame(TEXT, b"1"), frame(TEXT, b"2"), frame(TEXT, b"3")]),
        simple("/timeout", [frame(TEXT, b"1"), 1, frame(TEXT, b"2")]),
        simple("/cancels-itself", [frame(TEXT, b"1"), frame(TEXT, b"2")]),
    ]


def scopes() -> list[Case]:
    found = [Case(f"scope {target}", head(target)) for target in TARGETS]
    found += [Case(f"scope {fields}", head("/scope", *fields)) for fields in FIELDS]
    return found


TARGETS = [
    "/scope",
    "/scope?a=1&b=%20",
    "/scope?",
    "/scope?a?b",
    "/scope?%00%ff",
    "/scope?q=a+b",
]
FIELDS = [
    ("X-Upper: Value", "x-empty:", "X-Spaces:   a  b"),
    ("Cookie: a=1", "Cookie: b=2"),
    ("x-latin: \xe9\xff",),
    ("Origin: http://test",),
    ("X-Forwarded-For: 10.1.2.3:99", "X-Forwarded-Proto: https"),
    ("X-Forwarded-Proto: http",),
    ("X-Forwarded-Proto: wss",),
    ("X-Forwarded-For: 10.1.2.3, 127.0.0.1",),
    ("Sec-WebSocket-Protocol: one",),
    ("Sec-WebSocket-Protocol: one, two,three",),
    ("Sec-WebSocket-Protocol: one", "Sec-WebSocket-Protocol: two , three"),
    ("Sec-WebSocket-Extensions: unknown; a=1",),
    tuple(f"x-{i}: {i}" for i in range(60)),
]


def handshakes() -> list[Case]:
    offers = [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=10",
        "permessage-deflate; client_max_window_bits=15",
        "permessage-deflate; server_max_window_bits=10",
        "permessage-deflate; server_max_window_bits=15",
        "permessage-deflate; server_no_context_takeover",
        "permessage-deflate; client_no_context_takeover",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16, permessage-deflate",
        "permessage-deflate; unknown_parameter",
        "permessage-deflate; unknown_parameter, permessage-deflate; client_max_window_bits",
        "x-webkit-deflate-frame",
        "other, permessage-deflate",
        'permessage-deflate; client_max_window_bits="12"',
    ]
    keys = ["short", "", "!" * 24, "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=", "A" * 40]
    found = [opening(f"offers {offer}", f"Sec-WebSocket-Extensions: {offer}") for offer in offers]
    found += [opening(f"key {key!r}", Sec_WebSocket_Key=key) for key in keys]
    found += [
        opening("no key", Sec_WebSocket_Key=None),
        opening("two keys", f"Sec-WebSocket-Key: {ws_client.KEY}"),
        opening("a query", target="/echo?x=1"),
        opening("upgrade in capitals", Upgrade="WebSocket", Connection="UPGRADE"),
        opening("connection with others", Connection="keep-alive, Upgrade"),
        opening("length 0", "Content-Length: 0"),
        opening("origin", "Origin: null"),
        opening("POST", method="POST"),
        opening("HEAD", method="HEAD"),
        opening("PUT", method="PUT"),
        opening("key with blanks", Sec_WebSocket_Key=f"  {ws_client.KEY}  "),
    ]
    return found


def frames() -> list[Case]:
    long = b"x" * 4000
    deep = b"".join(frame(CONT, b"%d" % i, fin=False) for i in range(50))
    return [
        echo("nothing said", BYE),
        echo("empty messages", frame(TEXT), frame(BINARY), 2, BYE),
        *(echo(f"{n} bytes", frame(BINARY, b"y" * n), 1, BYE) for n in (125, 126, 65535, 65536, MAX_SIZE)),
        echo("unicode", frame(TEXT, "é€\N{SNOWMAN}\U0001f600\x00".encode()), 1, BYE),
        echo("fragments", frame(TEXT, b"a", fin=False), frame(CONT, b"b", fin=False), frame(CONT, b"c"), 1, BYE),
        echo("many fragments", frame(BINARY, b"", fin=False) + deep + frame(CONT), 1, BYE),
        echo("split character", frame(TEXT, b"\xe2", fin=False), frame(CONT, b"\x82\xac"), 1, BYE),
        echo("ping", frame(PING, b"are you there"), 1, BYE),
        echo("empty ping", frame(PING), 1, BYE),
        echo("longest ping", frame(PING, b"p" * 125), 1, BYE),
        echo("pong unasked", frame(PONG, b"here"), frame(TEXT, b"a"), 1, BYE),
        echo("ping between fragments", frame(TEXT, b"a", fin=False), frame(PING, b"x"), 1, frame(CONT), 1, BYE),
        echo("byte by byte", *(bytes([b]) for b in frame(TEXT, b"slow")), 1, BYE),
        echo("all at once", b"".join(TALK[:2]), 2, BYE),
        echo("many at once", b"".join(frame(TEXT, b"%d" % i) for i in range(200)), 200, BYE),
        echo("a frame behind Close", BYE + frame(TEXT, b"late")),
        *(echo(f"close {code}", closing(code)) for code in (1001, 1002, 1003, 1007, 1011, 1014, 3000, 4999)),
        echo("close without a code", closing(None)),
        echo("close with a reason", closing(4000, "grün".encode())),
        echo("longest reason", closing(4000, b"r" * 123)),
        *(echo(f"close {code}", closing(code), own_words=True) for code in (0, 999, 1004, 1005, 1006, 1015)),
        echo("close 5000", closing(5000), own_words=True),
        echo("close, one byte", frame(CLOSE, b"\x03"), own_words=True),
        echo("close, reason no UTF-8", closing(1000, b"\xff"), own_words=True),
        echo("not masked", frame(TEXT, b"open", mask=False), own_words=True),
        *(echo(f"reserved bit {bit}", frame(TEXT, b"a", rsv=bit), own_words=True) for bit in (1, 2, 4)),
        *(echo(f"opcode {opcode}", frame(opcode, b"a"), own_words=True) for opcode in (3, 7, 11, 15)),
        echo("ping in fragments", frame(PING, b"a", fin=False), own_words=True),
        echo("ping too long", frame(PING, b"p" * 126), own_words=True),
        echo("close too long", frame(CLOSE, b"\x03\xe8" + b"r" * 124), own_words=True),
        echo("continues nothing", frame(CONT, b"a"), own_words=True),
        echo("text within text", frame(TEXT, b"a", fin=False), frame(TEXT, b"b"), own_words=True),
        echo("too big", frame(BINARY, b"y" * (MAX_SIZE + 1)), own_words=True),
        echo(
            "too big in fragments",
            *(frame(TEXT if i == 0 else CONT, b"y" * 60_000, fin=i == 1) for i in range(2)),
            own_words=True,
        ),
        echo("messages, then a fault", *TALK[:2], 2, frame(3), own_words=True),
        echo("gone", EOF),
        echo("gone after a message", frame(TEXT, long), 1, EOF),
        echo("gone within a frame", frame(TEXT, long)[:100], EOF),
        echo("gone within a message", frame(TEXT, b"a", fin=False), EOF),
    ]


def deflate() -> list[Case]:
    offer = head("/echo", "Sec-WebSocket-Extensions: permessage-deflate")
    small = ws_client.deflated(b"small")
    big = ws_client.deflated(b"z" * MAX_SIZE)
    bomb = ws_client.deflated(b"z" * (MAX_SIZE + 1))
    other = head("/echo", "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover")
    return [
        Case("deflate", offer, [frame(TEXT, small, rsv=4), 1, BYE]),
        Case("deflate, not used", offer, [frame(TEXT, b"plain"), 1, BYE]),
        Case("deflate, longest", offer, [frame(BINARY, big, rsv=4), 1, BYE]),
        Case("deflate, too big", offer, [frame(BINARY, bomb, rsv=4)], own_words=True),
        Case("deflate, no context", other, [frame(TEXT, small, rsv=4) * 2, 2, BYE]),
        Case(
            "deflate, fragments",
            offer,
            [frame(TEXT, small[:3], fin=False, rsv=4), frame(CONT, small[3:]), 1, BYE],
        ),
        Case("deflate, broken", offer, [frame(TEXT, b"\xff\xff\xff\xff", rsv=4)], own_words=True),
        Case("deflate, bit in continuation", offer, [frame(CONT, small, rsv=4)], own_words=True),
    ]


CASES = [*applications(), *scopes(), *handshakes(), *frames(), *deflate()]


def noted(server: peers.Server, wanted: bool) -> list:
    """What the application noted, once it has ended."""
    deadline = time.monotonic() + patience.HANGS_S
    while True:
        url = f"http://127.0.0.1:{server.port}/notes"
        with urllib.request.urlopen(url) as answer:
            found = json.load(answer)
        if not wanted or (found and found[-1] == "end"):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.005)


def inflated(found: ws_client.Conversation) -> list:
    """Frames as they are meant: how a sender compresses is its own business."""
    engine = ws_client.zlib.decompressobj(wbits=-15)
    reads = []
    for fin, rsv, opcode, payload in filter(None, found.frames):
        if rsv == 4:
            payload = engine.decompress(payload + b"\0\0\xff\xff")
        reads.append((fin, opcode, payload))
    return reads


def compared(case: Case, found: ws_client.Conversation) -> tuple:
    """What must be the same."""
    answer = found.answer
    fields = sorted(field for field in answer.fields if field[0] != "date")
    if answer.status != 101:
        fields = [field for field in fields if field[0] != "server"]
    frames = inflated(found)
    if case.own_words:
        frames = [(f, o, p[:2] if o == CLOSE else p) for f, o, p in frames]
    return answer.status, answer.reason, fields, answer.body, answer.whole, frames


def without_reason(notes: list) -> list:
    return [{**n, "reason": "..."} if isinstance(n, dict) and n.get("reason") else n for n in notes]


UNANSWERED = "ERROR:    ASGI callable returned without completing handshake.\n"


def same_logs(both: tuple[peers.Server, peers.Server], *, unanswered: bool) -> None:
    """Since the last comparison. Lines of the end of a connection may still come."""
    deadline = time.monotonic() + patience.HANGS_S
    while True:
        whole = [server.text("err") for server in both]
        new = [text[server.seen["err"] :] for server, text in zip(both, whole, strict=True)]
        left, right = (sorted(wire.blocks_of(peers.normalised(text))) for text in new)
        if unanswered:
            assert UNANSWERED not in right
            left = [line for line in left if line != UNANSWERED]
        if left == right or time.monotonic() > deadline:
            break
        time.sleep(0.01)
    for server, text in zip(both, whole, strict=True):
        server.seen["err"] = len(text)
    assert right == left


@pytest.fixture(scope="module")
def servers(site: pathlib.Path, loop: str, tmp_path_factory: pytest.TempPathFactory):
    """(uvicorn, ours)"""
    logs = tmp_path_factory.mktemp("websockets")
    options = ["ws_apps:app", "--port", "0", "--loop", loop, "--no-access-log"]
    options += ["--ws-max-size", str(MAX_SIZE), "--ws", "websockets-sansio"]
    with (
        peers.serving("uvicorn", site, logs / "uvicorn", *options, "--http", "httptools") as theirs,
        peers.serving("fasterapi", site, logs / "fasterapi", *options) as ours,
    ):
        yield theirs, ours


@pytest.mark.parametrize("case", CASES, ids=str)
def test_same(servers: tuple[peers.Server, peers.Server], case: Case) -> None:
    results, told = [], []
    for server in servers:
        with server.connect() as s:
            found = ws_client.converse(s, case.request, case.steps)
        results.append(compared(case, found))
        refused = found.answer.body.startswith(b"Failed to open")
        told.append(noted(server, wanted=not refused and not case.request.startswith(b"HEAD")))
    assert results[1] == results[0]
    if case.own_words:
        told = [without_reason(notes) for notes in told]
    assert told[1] == told[0]
    same_logs(servers, unanswered=case.own_log)
