"""What three parsers make of the first request of an input."""

import ast
import dataclasses
import re
import subprocess

import h11
import httptools
import patience

REJECTED, INCOMPLETE, ACCEPTED = "rejected", "incomplete", "accepted"


@dataclasses.dataclass
class Reading:
    """`verdict` is all there is of a request that was not accepted; `error` tells why.

    `url` is path and query (None: no '?'), of ours and of llhttp's only."""

    verdict: str
    error: str = ""
    method: bytes = b""
    target: bytes = b""
    version: str = ""
    fields: list[tuple[bytes, bytes]] = dataclasses.field(default_factory=list)
    body: bytes = b""
    url: tuple[bytes, bytes | None] | None = dataclasses.field(default=None, compare=False)

    def same(self, other: "Reading") -> bool:
        if self.verdict != ACCEPTED:
            return self.verdict == other.verdict
        return dataclasses.replace(self, error="") == dataclasses.replace(other, error="")


def field(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """As compared: neither names nor codings have case, and h11 lowers the latter."""
    name, value = name.lower(), value.rstrip(b" \t")
    return name, value.lower() if name == b"transfer-encoding" else value


QUOTED = r'("(?:[^"\\]|\\.)*")'
REQUEST = re.compile(
    rf"off=\d+ request {QUOTED} {QUOTED} HTTP/(1\.\d) \w+ path={QUOTED}(?: query={QUOTED})?"
)
FIELD = re.compile(r'off=\d+ field ("(?:[^"\\]|\\.)*") ("(?:[^"\\]|\\.)*")')
BODY = re.compile(r'body ("(?:[^"\\]|\\.)*")')


def unquote(text: str) -> bytes:
    return ast.literal_eval("b" + text)


def read_trace(lines: list[str]) -> Reading:
    """The first request of a trace as tests/drivers/http1_trace.c prints it."""
    reading = Reading(INCOMPLETE)
    for line in lines:
        if match := REQUEST.match(line):
            reading.method, reading.target = unquote(match[1]), unquote(match[2])
            reading.version = match[3]
            reading.url = unquote(match[4]), match[5] and unquote(match[5])
        elif match := FIELD.match(line):
            reading.fields.append(field(unquote(match[1]), unquote(match[2])))
        elif match := BODY.match(line):
            reading.body = unquote(match[1])
        elif "message complete" in line:
            reading.verdict = ACCEPTED
            return reading
        elif line.startswith("error "):
            return Reading(REJECTED, line.removeprefix("error "))
    return Reading(INCOMPLETE)


def ours(program: str, cases: list[bytes]) -> list[Reading]:
    lines = "".join(case.hex() + "\n" for case in cases)
    result = subprocess.run([program], input=lines, capture_output=True, text=True, timeout=patience.HANGS_S)
    assert result.returncode == 0, result.stderr
    blocks = result.stdout.split("\n\n") if "" in cases else re.split(r"(?<=\n)\n|^\n", result.stdout)
    readings = [read_trace(block.splitlines()) for block in blocks[: len(cases)]]
    assert len(readings) == len(cases)
    return readings


class _Callbacks:
    def __init__(self) -> None:
        self.reading = Reading(INCOMPLETE)
        self.head = False  # its fields are through: what follows are trailers
        self.parser = httptools.HttpRequestParser(self)

    def open(self) -> bool:
        return self.reading.verdict == INCOMPLETE

    def on_url(self, url: bytes) -> None:
        if self.open():
            self.reading.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.open() and not self.head:
            self.reading.fields.append(field(name, value))

    def on_headers_complete(self) -> None:
        if self.open():
            self.head = True
            self.reading.method = self.parser.get_method()
            self.reading.version = self.parser.get_http_version()

    def on_body(self, body: bytes) -> None:
        if self.open():
            self.reading.body += body

    def on_message_complete(self) -> None:
        if self.open():
            self.reading.verdict = ACCEPTED


def llhttp(case: bytes) -> Reading:
    callbacks = _Callbacks()
    try:
        callbacks.parser.feed_data(case)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        if callbacks.open():
            return Reading(REJECTED, str(error))
    if callbacks.open():
        return Reading(INCOMPLETE)
    callbacks.reading.url = split_url(callbacks.reading.target)
    return callbacks.reading


def split_url(target: bytes) -> tuple[bytes, bytes | None] | None:
    """As uvicorn does, which takes an empty query for none."""
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError:
        return None
    return url.path or b"", url.query


def read_h11(case: bytes) -> Reading:
    connection = h11.Connection(h11.SERVER)
    reading = Reading(INCOMPLETE)
    try:
        connection.receive_data(case)
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                reading.method, reading.target = event.method, event.target
                reading.version = event.http_version.decode()
                reading.fields = [field(name, value) for name, value in event.headers]
            elif isinstance(event, h11.Data):
                reading.body += event.data
            elif isinstance(event, h11.EndOfMessage):
                reading.verdict = ACCEPTED
                return reading
            else:
                return Reading(INCOMPLETE)
    except h11.RemoteProtocolError as error:
        return Reading(REJECTED, str(error))
