#!/usr/bin/env python3
"""Large bodies over loopback, beside uvicorn: MB/s, MB per CPU second, memory.

    transfer.py [--rounds 5] [--mib 100] [--only TEXT] [--strict]

upload: the application reads the body with receive() and keeps none of it; with a length
and chunked. download: it sends pieces of 64 KiB. file: Starlette's FileResponse, which
leaves the file to a server that can send it by its path. The server is on core 0, the
client, a blocking socket, on core 1. The first transfer of each kind is compared byte by
byte and not measured. 1 MB is 1,000,000 bytes.
"""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import random
import re
import socket
import tempfile
import time

import servers

from servers import loadlib  # isort: skip

MIB = 1 << 20
PIECE = 65536
FASTER, GROWTH_MIB = 2.0, 16.0
RESULTS = loadlib.ROOT / "bench" / "results"


@dataclasses.dataclass(frozen=True)
class Sample:
    mb_per_second: float
    mb_per_cpu_second: float


@dataclasses.dataclass
class Row:
    case: str
    server: str
    mb_per_second: loadlib.Spread
    mb_per_cpu_second: loadlib.Spread
    start_mib: float
    peak_mib: float


@dataclasses.dataclass
class Verdict:
    case: str
    faster: loadlib.Spread  # MB/s
    cheaper: loadlib.Spread  # MB per CPU second
    growth_mib: float
    met: bool


class Client:
    """One connection."""

    def __init__(self, server: loadlib.Server):
        self.s = socket.create_connection(("127.0.0.1", server.port))
        self.s.settimeout(60)
        self.buffer = memoryview(bytearray(MIB))

    def head(self, text: str) -> None:
        self.s.sendall(f"{text}\r\nHost: bench\r\nConnection: close\r\n".encode())

    def body(self) -> tuple[int, bytes]:
        """The length that the answer names, and what came of its body with the head."""
        data = b""
        while b"\r\n\r\n" not in data:
            got = self.s.recv(PIECE)
            if not got:
                raise loadlib.BenchError(f"closed within the head: {data!r}")
            data += got
        head, _, rest = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if not head.startswith(b"HTTP/1.1 200 ") or not length:
            raise loadlib.BenchError(f"answered {head!r}")
        return int(length[1]), rest

    def upload(self, size: int, chunked: bool) -> int:
        """Returns how many bytes the application has counted."""
        self.head("POST /count HTTP/1.1")
        if chunked:
            self.s.sendall(b"Transfer-Encoding: chunked\r\n\r\n")
            piece, end = b"%x\r\n" % PIECE + bytes(PIECE) + b"\r\n", b"0\r\n\r\n"
        else:
            self.s.sendall(b"Content-Length: %d\r\n\r\n" % size)
            piece, end = bytes(PIECE), b""
        for _ in range(size // PIECE):
            self.s.sendall(piece)
        self.s.sendall(end)
        length, rest = self.body()
        while len(rest) < length:
            rest += self.s.recv(length - len(rest))
        return int(rest)

    def download(self, path: str, wanted: bytes | None) -> int:
        """Returns how many bytes came; compares them with repetitions of `wanted`."""
        self.head(f"GET {path} HTTP/1.1")
        self.s.sendall(b"\r\n")
        length, rest = self.body()
        at, piece = 0, memoryview(rest)
        while True:
            if wanted is not None:
                start = at % len(wanted)
                if bytes(piece) != (wanted + wanted + wanted)[start : start + len(piece)]:
                    raise loadlib.BenchError(f"{path}: wrong bytes near {at}")
            at += len(piece)
            if at >= length:
                return at
            n = self.s.recv_into(self.buffer)
            if n == 0:
                raise loadlib.BenchError(f"{path}: closed after {at} of {length} bytes")
            piece = self.buffer[:n]


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    app: str
    content: str = ""  # of what is downloaded: that of the "file", or "y"

    def transfer(self, server: loadlib.Server, size: int, wanted: bytes | None = None) -> None:
        client = Client(server)
        with contextlib.closing(client.s):
            if self.name.startswith("upload"):
                moved = client.upload(size, self.name.endswith("chunked"))
            elif self.app == "files:app":
                moved = client.download("/file", wanted)
            else:
                moved = client.download(f"/download?{size}", wanted)
        if moved != size:
            raise loadlib.BenchError(f"{server.name}, {self.name}: {moved} of {size} bytes")


CASES = [
    Case("upload, length", "raw:app"),
    Case("upload, chunked", "raw:app"),
    Case("download", "raw:app", "y"),
    Case("file", "files:app", "file"),
]


def measure(server: loadlib.Server, case: Case, size: int) -> Sample:
    before, began = server.cpu_seconds(), time.monotonic()
    case.transfer(server, size)
    wall, cpu = time.monotonic() - began, server.cpu_seconds() - before
    return Sample(size / 1e6 / wall, size / 1e6 / cpu)


def run(case: Case, names: list[str], a, env: dict, block: bytes) -> dict:
    size = a.mib * MIB
    wanted = {"file": block, "y": b"y" * MIB, "": None}[case.content]
    samples: dict[str, list[Sample]] = {name: [] for name in names}
    rows: dict[str, Row] = {}
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(servers.running(n, case.app, env=env)) for n in names]
        started = {}
        for server in running:
            started[server.name] = server.resident_mib()
            case.transfer(server, size, wanted)
        for i in range(a.rounds):
            turn = i % len(running)
            for server in running[turn:] + running[:turn]:
                sample = measure(server, case, size)
                samples[server.name].append(sample)
                print(
                    f"  round {i + 1}/{a.rounds}  {server.name:<10} {case.name:<16}"
                    f" {sample.mb_per_second:8,.0f} MB/s {sample.mb_per_cpu_second:8,.0f} MB/CPU s",
                    flush=True,
                )
        for server in running:
            mine = samples[server.name]
            rows[server.name] = Row(
                case.name,
                server.name,
                loadlib.Spread.of(s.mb_per_second for s in mine),
                loadlib.Spread.of(s.mb_per_cpu_second for s in mine),
                started[server.name],
                server.peak_mib(),
            )
    return {"rows": rows, "samples": samples}


def judge(case: Case, found: dict) -> Verdict:
    ours, theirs = found["samples"][servers.OURS], found["samples"]["uvicorn"]
    row = found["rows"][servers.OURS]
    faster = loadlib.ratio(ours, theirs, lambda s: s.mb_per_second)
    cheaper = loadlib.ratio(ours, theirs, lambda s: s.mb_per_cpu_second)
    growth = row.peak_mib - row.start_mib
    met = faster.median >= FASTER and growth <= GROWTH_MIB
    return Verdict(case.name, faster, cheaper, growth, met)


def spread(s: loadlib.Spread, digits: int = 0) -> str:
    return f"{s.low:.{digits}f} / {s.median:.{digits}f} / {s.high:.{digits}f}"


def print_report(rows: list[Row], verdicts: list[Verdict], machine: dict, a) -> None:
    found = machine["versions"]
    print()
    print(loadlib.machine_lines(machine))
    print(
        f"Servers  fasterapi {found[servers.OURS]}, uvicorn {found['uvicorn']} (httptools);"
        f" CPython {found['python']}, uvloop {found['uvloop']}\n"
        f"Method   {a.mib} MiB each, {a.rounds} rounds, in turns; least / median / greatest; memory is\n"
        "         the resident one, after the start and at its greatest\n"
    )
    print(f"{'case':<16} {'server':<10} {'MB/s':>22} {'MB per CPU second':>22} {'MiB start':>10} {'peak':>7}")
    for r in rows:
        print(f"{r.case:<16} {r.server:<10} {spread(r.mb_per_second):>22}"
              f" {spread(r.mb_per_cpu_second):>22} {r.start_mib:>10.1f} {r.peak_mib:>7.1f}")  # fmt: skip
    print(f"\n{'against uvicorn':<16} {'MB/s':>20} {'MB per CPU second':>20} {'growth':>10}")
    for v in verdicts:
        print(f"{v.case:<16} {spread(v.faster, 2):>20} {spread(v.cheaper, 2):>20}"
              f" {v.growth_mib:>6.1f} MiB   MB/s >= {FASTER:g}, growth <= {GROWTH_MIB:g} MiB"
              f" {'met' if v.met else 'MISSED'}")  # fmt: skip


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--mib", type=int, default=100, help="of a transfer; default %(default)s")
    p.add_argument("--only", default="", help="cases with this in their name")
    p.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    p.add_argument("--json", type=pathlib.Path, default=RESULTS / "transfer.json",
                   help="default %(default)s")  # fmt: skip
    p.add_argument("--strict", action="store_true", help="exit 1 when a target is missed")
    return p.parse_args()


def main() -> int:
    a = arguments()
    loadlib.need_tools()
    machine = loadlib.machine()
    machine["versions"] = servers.versions()
    names = [servers.OURS, "uvicorn"]
    servers.need(names, machine["versions"])
    os.sched_setaffinity(0, {int(loadlib.CLIENT_CORE)})
    rows, verdicts = [], []
    block = random.Random(1).randbytes(MIB)
    with tempfile.NamedTemporaryFile(prefix="bench-transfer-") as file:
        for _ in range(a.mib):
            file.write(block)
        file.flush()
        for case in CASES:
            if a.only in case.name:
                found = run(case, names, a, {"BENCH_FILE": file.name}, block)
                rows += found["rows"].values()
                verdicts.append(judge(case, found))
    if not rows:
        raise loadlib.BenchError(f"no case has {a.only!r} in its name")
    print_report(rows, verdicts, machine, a)
    result = {"machine": machine, "rows": rows, "verdicts": verdicts}
    return loadlib.kept(result, a, [v.met for v in verdicts])


if __name__ == "__main__":
    loadlib.run_program(main)
