"""Many connections at once to one server: what was sent over each, and what came back.

A case is written in pieces, a few milliseconds apart. When its answers are there, a last
request asks over the same connection whether it was kept; so no test waits for silence.
"""

import asyncio
import collections
import dataclasses
import socket
import struct
import time

import patience
import peers

AT_ONCE = 48
PIECE_GAP_S = 0.003
HUNG_S = 2.0  # then a case that ended on one server only is tried again, with more time
HUNG_AGAIN_S = 10.0
IDLE_LOOKS, LOOK_S = 5, 0.05

# Every application has this path, and answers with these words.
PROBE = b"GET /probe HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
PROBED = b"the probe"

UNTIL_BYTES_COME = "until bytes come"


@dataclasses.dataclass
class Case:
    """`answers` are waited for before the probe is sent; all that come are compared."""

    name: str
    pieces: list[bytes | float | str]  # bytes to write, seconds to wait, UNTIL_BYTES_COME
    methods: tuple[str, ...] = ("GET",)  # of the requests, one an answer
    end: str = "probe"  # or "close", "reset", "half-close": after the pieces
    read_first: int = 0  # bytes to read before that end

    @property
    def sent(self) -> bytes:
        return b"".join(piece for piece in self.pieces if isinstance(piece, bytes))

    def __str__(self) -> str:
        return self.name


@dataclasses.dataclass
class Outcome:
    answers: list[peers.Answer]
    left: bytes = b""  # what was no answer
    kept: bool | None = None
    hung: bool = False
    port: int = 0  # of the client: by it the log knows the connection
    log: list[str] = dataclasses.field(default_factory=list)

    def told(self) -> tuple:
        return self.answers, self.left, self.kept, self.hung, self.log


async def open_connection(
    server: peers.Server,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if server.path is not None:
        return await asyncio.open_unix_connection(server.path, limit=1 << 24)
    return await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 24)


def comparable(fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without Date, our name for uvicorn's. The members of Allow are a set (RFC 9110, 10.2.1),
    and frameworks have them in one."""
    found = []
    for name, value in fields:
        if name == "server":
            value = "ours"
        if name == "allow":
            value = ", ".join(sorted(value.split(", ")))
        if name != "date":
            found.append((name, value))
    return found


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.buffer = bytearray()
        self.eof = False

    async def more(self) -> bool:
        try:
            piece = await self.reader.read(1 << 18)
        except ConnectionError:
            piece = b""
        self.eof = self.eof or not piece
        self.buffer += piece
        return bool(piece)

    async def until(self, end: bytes) -> bytes | None:
        while end not in self.buffer:
            if self.eof or not await self.more():
                return None
        found, _, rest = bytes(self.buffer).partition(end)
        self.buffer = bytearray(rest)
        return found

    async def exactly(self, n: int) -> bytes:
        while len(self.buffer) < n and not self.eof and await self.more():
            pass
        taken = bytes(self.buffer[:n])
        del self.buffer[:n]
        return taken

    async def rest(self) -> bytes:
        while not self.eof and await self.more():
            pass
        taken, self.buffer = bytes(self.buffer), bytearray()
        return taken

    async def chunks(self) -> tuple[bool, bytes]:
        body = bytearray()
        while (line := await self.until(b"\r\n")) is not None:
            size = int(line, 16)
            if size == 0:
                return await self.until(b"\r\n") is not None, bytes(body)
            body += await self.exactly(size)
            if await self.until(b"\r\n") != b"":
                break
        return False, bytes(body)

    async def answer(self, method: str) -> peers.Answer | None:
        """The next one; None if the connection ended, or something else came."""
        interim: list[int] = []
        while True:
            if not self.buffer and not await self.more():
                return None
            if not bytes(self.buffer[:5]) == b"HTTP/"[: len(self.buffer)]:
                return None
            head = await self.until(b"\r\n\r\n")
            if head is None:
                return None
            line, *lines = head.decode("latin-1").split("\r\n")
            version, code, reason = line.split(" ", 2)
            assert version == "HTTP/1.1", line
            if int(code) >= 200 or int(code) == 101:
                break
            interim.append(int(code))
        every = [(n.lower(), v.strip()) for n, _, v in (f.partition(":") for f in lines)]
        named = dict(every)
        # What the request was is told by the application, when bytes were not what they seemed.
        bodiless = named.get("x-method", method) == "HEAD" or int(code) in (204, 304)
        whole, body = True, b""
        if not bodiless and named.get("transfer-encoding") == "chunked":
            whole, body = await self.chunks()
        elif not bodiless and "content-length" in named:
            body = await self.exactly(int(named["content-length"]))
            whole = len(body) == int(named["content-length"])
        elif not bodiless:
            body = await self.rest()
        return peers.Answer(interim, int(code), reason, comparable(every), body, whole)


async def write(connection: Connection, case: Case) -> None:
    for number, piece in enumerate(case.pieces):
        if piece == UNTIL_BYTES_COME:
            await connection.more()
        elif isinstance(piece, float):
            await asyncio.sleep(piece)
        else:
            if number > 0:
                await asyncio.sleep(PIECE_GAP_S)
            connection.writer.write(piece)
            await connection.writer.drain()


async def talk(connection: Connection, case: Case, outcome: Outcome) -> None:
    try:
        await write(connection, case)
    except ConnectionError:
        pass  # refused before it was all sent; the answer may be there
    if case.end != "probe":
        await connection.exactly(case.read_first)
    if case.end in ("close", "reset"):
        return
    if case.end == "half-close":
        connection.writer.write_eof()
    for method in case.methods:
        answer = await connection.answer(method)
        if answer is None:
            break
        outcome.answers.append(answer)
    if case.end == "probe" and not connection.eof:
        try:
            connection.writer.write(PROBE)
            await connection.writer.drain()
        except ConnectionError:
            pass
    while (answer := await connection.answer("GET")) is not None:
        outcome.answers.append(answer)
    outcome.left = await connection.rest()
    outcome.kept = bool(outcome.answers) and outcome.answers[-1].body == PROBED
    if outcome.kept:
        outcome.answers.pop()


def reset_on_close(writer: asyncio.StreamWriter) -> None:
    s = writer.get_extra_info("socket")
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def unseen_connection(server: peers.Server, ports: set[int]):
    """From a port that no other case of the run had: the log tells them apart by it."""
    reader, writer = await open_connection(server)
    name = writer.get_extra_info("sockname")
    port = name[1] if isinstance(name, tuple) else 0
    if port not in ports or port == 0:
        ports.add(port)
        return reader, writer, port
    found = await unseen_connection(server, ports)
    writer.close()
    return found


async def hangs(server: peers.Server, talking: asyncio.Future) -> bool:
    """Whether no more will come: on a busy machine a server may long wait for its turn, so
    that only one that has had nothing to do for a while lets a case hang."""
    idle, deadline = 0, time.monotonic() + patience.HANGS_S
    while not talking.done() and idle < IDLE_LOOKS and time.monotonic() < deadline:
        await asyncio.wait({talking}, timeout=LOOK_S)
        idle = idle + 1 if peers.is_idle(server) else 0
    return not talking.done()


async def run_case(server: peers.Server, case: Case, patience: float, ports: set[int]) -> Outcome:
    reader, writer, port = await unseen_connection(server, ports)
    outcome = Outcome([], port=port)
    connection = Connection(reader, writer)
    talking = asyncio.ensure_future(talk(connection, case, outcome))
    await asyncio.wait({talking}, timeout=patience)
    if await hangs(server, talking):
        talking.cancel()
        await asyncio.wait({talking})
        outcome.hung = True
        outcome.left = bytes(connection.buffer)
    else:
        await talking
    if case.end == "reset":
        reset_on_close(writer)
    writer.close()
    try:
        await writer.wait_closed()
    except ConnectionError:
        pass
    return outcome


async def run_all(
    server: peers.Server, cases: list[Case], patience: float, ports: set[int]
) -> list[Outcome]:
    """The outcomes in the order of the cases."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(case: Case) -> Outcome:
        async with slots:
            return await run_case(server, case, patience, ports)

    return await asyncio.gather(*map(one, cases))


def run(servers: tuple[peers.Server, ...], cases: list[Case]) -> list[tuple[Outcome, ...]]:
    """Each case on each server. A pair that hung differently is tried again with more time."""

    async def every() -> list[tuple[Outcome, ...]]:
        ports: list[set[int]] = [set() for _ in servers]
        both = list(zip(servers, ports))
        found = await asyncio.gather(*(run_all(s, cases, HUNG_S, seen) for s, seen in both))
        pairs = list(zip(*found, strict=True))
        again = [
            n
            for n, pair in enumerate(pairs)
            if any(outcome.hung for outcome in pair) and len({repr(o.told()) for o in pair}) > 1
        ]
        for n in again:
            pairs[n] = tuple([await run_case(s, cases[n], HUNG_AGAIN_S, seen) for s, seen in both])
        return pairs

    return asyncio.run(every())


LOG_START = peers.re.compile(r"(?:DEBUG|INFO|WARNING|ERROR|CRITICAL|TRACE): +|socket\.send|/")
CLIENT = peers.re.compile(r"INFO: +127\.0\.0\.1:(\d+) - ")


def blocks_of(log: str) -> list[str]:
    """Records of the log; the lines of a traceback belong to the one above them."""
    blocks: list[str] = []
    for line in log.splitlines(keepends=True):
        if blocks and not LOG_START.match(line):
            blocks[-1] += line
        else:
            blocks.append(line)
    return blocks


def share_out(log: str, outcomes: list[Outcome]) -> collections.Counter:
    """Gives each outcome its access lines, in order; returns how often came what else there is."""
    by_port = {outcome.port: outcome for outcome in outcomes}
    others: collections.Counter = collections.Counter()
    for outcome in outcomes:
        outcome.log = []
    for line in log.splitlines(keepends=True):
        client = CLIENT.match(line)
        if not client:
            others[line] += 1
        elif int(client[1]) in by_port:  # else of a case that was tried again
            by_port[int(client[1])].log.append(peers.normalised(line))
    return others
