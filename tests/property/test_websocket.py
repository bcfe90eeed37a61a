"""WebSockets: talking to `websockets` and `wsproto`, and judging what they judge.

Conversations are random, as is where each read ends. Streams with one fault in them show
which code each side closes with; where another one differs from us, DIFFERENCES says why.
"""

import random

import pytest
from websocket_peers import NO_STATUS, PEERS, Deflate, Ours

CONVERSATIONS = 150
FAULTY_STREAMS = 25  # of each fault

TEXTS = ["", "a", "Grüße", "😀" * 40, '{"id": 1, "name": "x"}' * 30, "x" * 125, "x" * 126]


@pytest.fixture
def ours(build_dir):
    end = Ours(build_dir)
    yield end
    end.end()


def some_data(rng: random.Random, kind: str) -> bytes:
    if kind in ("ping", "pong"):
        return rng.randbytes(rng.choice([0, 1, 30, 125]))
    if kind == "text":
        return (rng.choice(TEXTS) + rng.choice(TEXTS)).encode()
    size = rng.choice([0, 1, 20, 125, 126, 1000, 65535, 65536, 70000])
    return rng.choice([rng.randbytes(size), bytes(size), (b"0123456789abcdef" * 5000)[:size]])


def deflates(rng: random.Random) -> Deflate | None:
    if rng.random() < 0.3:
        return None
    bits = [9, 10, 12, 15]  # Python's zlib makes no raw streams of 8
    return Deflate(rng.random() < 0.5, rng.random() < 0.5, rng.choice(bits), rng.choice(bits))


def deliver(rng: random.Random, source, target) -> None:
    """All of the output, in reads that end anywhere."""
    data = source.output()
    while data:
        most = rng.choice([1, 3, 50, 1000, 100_000]) if len(data) < 2000 else 100_000
        size = rng.randint(1, most)
        target.feed(data[:size])
        data = data[size:]


@pytest.mark.parametrize("role", ["server", "client"])
@pytest.mark.parametrize("peer_name", PEERS)
def test_conversations(ours, rng: random.Random, peer_name: str, role: str) -> None:
    for _ in range(CONVERSATIONS):
        deflate = deflates(rng)
        ours.begin(role, deflate, rng.choice([0, 0, 1, 100]) if rng.random() < 0.3 else 0)
        peer = PEERS[peer_name]({"server": "client", "client": "server"}[role], deflate)
        sent = {ours: [], peer: []}
        for _ in range(rng.randrange(12)):
            end = rng.choice([ours, peer])
            kind = rng.choice(["text", "text", "binary", "ping", "pong"])
            data = some_data(rng, kind)
            end.send(kind, data)
            sent[end].append((kind, data))
            if rng.random() < 0.5:
                deliver(rng, ours, peer)
                deliver(rng, peer, ours)
        deliver(rng, ours, peer)
        deliver(rng, peer, ours)
        deliver(rng, ours, peer)  # pongs
        closer, other = rng.sample([ours, peer], 2)
        code, reason = rng.choice([(1000, b""), (1001, b"bye"), (4999, "tschüß".encode())])
        closer.close(code, reason)
        deliver(rng, closer, other)
        deliver(rng, other, closer)
        check_received(ours.events, sent[peer], sent[ours])
        check_received(peer.events, sent[ours], sent[peer])
        assert other.events[-1] == ("close", code, reason)
        assert closer.events[-1] == ("close", code, reason)  # theirs repeats it
        assert not closer.output() and not other.output()


def check_received(events: list[tuple], theirs: list[tuple], own: list[tuple]) -> None:
    """All that the other end has sent, and a pong for each ping of one's own."""
    assert events[-1][0] == "close"
    messages = [event for event in events if event[0] in ("text", "binary", "ping")]
    assert messages == [event for event in theirs if event[0] != "pong"]
    pongs = [event[1] for event in events if event[0] == "pong"]
    answers = [data for kind, data in own if kind == "ping"]
    extra = [data for kind, data in theirs if kind == "pong"]
    assert sorted(pongs) == sorted(answers + extra)


def frame(first: int, payload: bytes = b"", masked: bool = True, extra: bytes | None = None):
    """`extra`: the length's bytes as they are, with the 7 bits before them."""
    if extra is None:
        size = len(payload)
        extra = (
            bytes([size])
            if size < 126
            else b"\x7e" + size.to_bytes(2, "big")
            if size < 65536
            else b"\x7f" + size.to_bytes(8, "big")
        )
    if not masked:
        return bytes([first]) + extra + payload
    key = b"\x11\x22\x33\x44"
    body = bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))
    return bytes([first, extra[0] | 0x80]) + extra[1:] + key + body


# Name, what is sent, and the code that we close with (RFC 6455, 5 to 8).
FAULTS = {
    "RSV1 without an extension": (frame(0xC1, b"a"), 1002),
    "RSV2": (frame(0xA1, b"a"), 1002),
    "RSV3": (frame(0x91, b"a"), 1002),
    "RSV1 of a ping": (frame(0xC9, b"a"), 1002),
    "opcode 3": (frame(0x83, b"a"), 1002),
    "opcode 15": (frame(0x8F, b"a"), 1002),
    "no mask": (frame(0x81, b"a", masked=False), 1002),
    "ping in fragments": (frame(0x09, b"a"), 1002),
    "ping too long": (frame(0x89, b"a" * 126), 1002),
    "close too long": (frame(0x88, b"\x03\xe8" + b"a" * 124), 1002),
    "16 bits for a short length": (frame(0x82, b"abc", extra=b"\x7e\x00\x03"), 1002),
    "64 bits for a short length": (frame(0x82, b"abc", extra=b"\x7f" + bytes(7) + b"\x03"), 1002),
    "length above 63 bits": (frame(0x82, b"", extra=b"\x7f" + b"\xff" * 8), 1002),
    "message too big": (frame(0x82, b"", extra=b"\x7f\x00\x00\x00\x00\x7f\x00\x00\x00"), 1009),
    "continuation of nothing": (frame(0x80, b"a"), 1002),
    "message within a message": (frame(0x01, b"a") + frame(0x81, b"b"), 1002),
    "binary within a text": (frame(0x01, b"a") + frame(0x82, b"b"), 1002),
    "close of one byte": (frame(0x88, b"\x03"), 1002),
    "close with 999": (frame(0x88, b"\x03\xe7"), 1002),
    "close with 1004": (frame(0x88, b"\x03\xec"), 1002),
    "close with 1005": (frame(0x88, b"\x03\xed"), 1002),
    "close with 1006": (frame(0x88, b"\x03\xee"), 1002),
    "close with 1015": (frame(0x88, b"\x03\xf7"), 1002),
    "close with 2999": (frame(0x88, b"\x0b\xb7"), 1002),
    "close with 5000": (frame(0x88, b"\x13\x88"), 1002),
    "close reason not UTF-8": (frame(0x88, b"\x03\xe8\xff"), 1007),
    "text not UTF-8": (frame(0x81, b"a\xff"), 1007),
    "text with a surrogate": (frame(0x81, b"\xed\xa0\x80"), 1007),
    "text that ends within a character": (frame(0x81, b"\xe2\x82"), 1007),
    "fragments that end within a character": (frame(0x01, b"\xe2") + frame(0x80, b"\x82"), 1007),
    "fragment not UTF-8": (frame(0x01, b"\xc0"), 1007),
}

# What they do instead, a code or "accepts".
DIFFERENCES: dict[tuple[str, str], int | str] = {
    # RFC 6455, 5.2: "the minimal number of bytes MUST be used to encode the length".
    ("websockets", "16 bits for a short length"): "accepts",
    ("websockets", "64 bits for a short length"): "accepts",
    # 5.2: "the most significant bit MUST be 0"; to it that is only very long.
    ("websockets", "length above 63 bits"): 1009,
    # 8.1: its Protocol leaves texts undecoded, to the layer above.
    ("websockets", "text not UTF-8"): "accepts",
    ("websockets", "text with a surrogate"): "accepts",
    ("websockets", "text that ends within a character"): "accepts",
    ("websockets", "fragments that end within a character"): "accepts",
    ("websockets", "fragment not UTF-8"): "accepts",
    # It has no limit, and waits for the rest.
    ("wsproto", "message too big"): "accepts",
}


def valid_stream(rng: random.Random) -> bytes:
    parts = []
    for _ in range(rng.randrange(5)):
        kind = rng.choice(["text", "fragments", "binary", "ping", "pong"])
        if kind == "fragments":
            data = some_data(rng, "text")
            cut = rng.randint(0, len(data))
            while cut < len(data) and data[cut] & 0xC0 == 0x80:
                cut += 1
            parts += [frame(0x01, data[:cut]), frame(0x89), frame(0x80, data[cut:])]
        else:
            first = {"text": 0x81, "binary": 0x82, "ping": 0x89, "pong": 0x8A}[kind]
            parts.append(frame(first, some_data(rng, kind)))
    return b"".join(parts)


def run(rng: random.Random, end, stream: bytes) -> list[tuple]:
    while stream:
        size = rng.randint(1, rng.choice([1, 10, 100_000]) if len(stream) < 300 else 100_000)
        end.feed(stream[:size])
        stream = stream[size:]
        if end.events and end.events[-1][0] in ("fail", "close"):
            break
    return end.events


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(ours, rng: random.Random, fault: str) -> None:
    data, code = FAULTS[fault]
    for _ in range(FAULTY_STREAMS):
        stream = valid_stream(rng)
        ours.begin("server", None)
        events = run(rng, ours, stream + data)
        assert events[-1] == ("fail", code)
        client = PEERS["websockets"]("client", None)
        client.feed(ours.output())
        assert client.events[-1][:2] == ("close", code)
        for name, make in PEERS.items():
            theirs = run(rng, make("server", None), stream + data)
            verdict = theirs[-1][1] if theirs and theirs[-1][0] == "fail" else "accepts"
            assert verdict == DIFFERENCES.get((name, fault), code), name
            before = theirs[: len(events) - 1]
            assert before == events[:-1], name


def test_codes_of_close(ours) -> None:
    """Those of RFC 6455, 7.4; what was registered since, only newer peers know."""
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]:
        payload = code.to_bytes(2, "big") + b"why"
        data = frame(0x88, payload)
        ours.begin("server", None)
        ours.feed(data)
        assert ours.events == [("close", code, b"why")]
        assert ours.output() == frame(0x88, payload, masked=False)
        for make in PEERS.values():
            peer = make("server", None)
            peer.feed(data)
            assert peer.events == [("close", code, b"why")]


def test_close_without_code(ours) -> None:
    ours.begin("server", None)
    ours.feed(frame(0x88))
    assert ours.events == [("close", NO_STATUS, b"")]
    assert ours.output() == b"\x88\x00"
