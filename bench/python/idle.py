#!/usr/bin/env python3
"""Memory of idle connections, and the time to start, beside uvicorn.

    idle.py [--connections 10000] [--strict]

Connections: each sends one request (or makes its handshake and gets one echo) and is then
left open. What counts is the resident memory of the server's processes above that after
their first request, by the number of connections. Nothing that the kernel keeps is in it.

Start: from the start of the process to the whole answer to a first request, of a trivial
application. What Python spends on imports is listed by module (-X importtime).
"""

import argparse
import base64
import contextlib
import dataclasses
import pathlib
import re
import resource
import socket
import statistics
import subprocess
import time

import servers

from servers import loadlib  # isort: skip

CONNECTION_KIB, START_S = 4.0, 0.5
REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + base64.b64encode(bytes(16)) + b"\r\n\r\n"
)
MASKED_HI = b"\x81\x82\x00\x00\x00\x00hi"  # a mask of zeros is a mask
RESULTS = loadlib.ROOT / "bench" / "results"
# Nobody is to be closed, or asked whether it is there, while we count.
PATIENT = ("--timeout-keep-alive", "600")
PATIENT_WS = (*PATIENT, "--ws-ping-interval", "600", "--ws-ping-timeout", "600")


@dataclasses.dataclass
class Row:
    what: str
    server: str
    value: float
    unit: str
    target: float | None
    met: bool


def connect(port: int) -> socket.socket:
    s = socket.create_connection(("127.0.0.1", port), 30)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return s


def read_until(s: socket.socket, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        got = s.recv(4096)
        if not got:
            raise loadlib.BenchError(f"closed after {data!r}")
        data += got
    return data


def http_connection(port: int) -> socket.socket:
    s = connect(port)
    s.sendall(REQUEST)
    if not read_until(s, b'"Hello, World!"}').startswith(b"HTTP/1.1 200 "):
        raise loadlib.BenchError("not answered with 200")
    return s


def websocket_connection(port: int) -> socket.socket:
    s = connect(port)
    s.sendall(UPGRADE)
    if not (head := read_until(s, b"\r\n\r\n")).startswith(b"HTTP/1.1 101 "):
        raise loadlib.BenchError(f"the handshake was answered {head.splitlines()[0]!r}")
    s.sendall(MASKED_HI)
    read_until(s, b"\x81\x02hi")
    return s


def alive(connections: list[socket.socket]) -> int:
    """How many the server has not closed: nothing is there to be read."""
    count = 0
    for s in connections:
        s.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            s.recv(1)
            continue
        count += 1
    return count


def memory_of(name: str, kind: str, n: int, ws: str) -> Row:
    """KiB for each of n idle connections."""
    opened: list[socket.socket] = []
    open_one = http_connection if kind == "HTTP" else websocket_connection
    more = PATIENT if kind == "HTTP" else PATIENT_WS
    with servers.running(name, "raw:app", ws=ws, more=more) as server:
        try:
            for _ in range(10):
                open_one(server.port).close()
            time.sleep(0.5)
            before = server.resident_mib()
            for _ in range(n):
                opened.append(open_one(server.port))
            time.sleep(1)
            if (left := alive(opened)) != n:
                raise loadlib.BenchError(f"{name} keeps {left} of {n} connections open")
            grown = (server.resident_mib() - before) * 1024 / n
        finally:
            for s in opened:
                s.close()
    target = CONNECTION_KIB if name == servers.OURS else None
    shown = name if name == servers.OURS or kind == "HTTP" else f"{name} {ws}"
    row = Row(f"idle {kind} connections, {n:,}", shown, grown, "KiB each", target, True)
    row.met = target is None or grown <= target
    print(f"  {row.what}  {row.server}: {grown:.2f} KiB each", flush=True)
    return row


def start_of(name: str, rounds: int) -> Row:
    """Seconds to the first answer; the median, the files being in the page cache."""
    taken = []
    for i in range(rounds + 1):
        port = loadlib.free_port()
        command = [part.replace("{port}", str(port)) for part in servers.command(name, "raw:app")]
        began = time.monotonic()
        process = subprocess.Popen(
            command, cwd=servers.HERE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            while True:
                with contextlib.suppress(ConnectionError):
                    http_connection(port).close()
                    break
                if process.poll() is not None or time.monotonic() - began > 30:
                    raise loadlib.BenchError(f"{name} does not start")
                time.sleep(0.001)
            if i > 0:  # the first one may compile
                taken.append(time.monotonic() - began)
        finally:
            process.terminate()
            process.wait(10)
    target = START_S if name == servers.OURS else None
    value = statistics.median(taken)
    print(f"  start to first answer  {name}: {value:.3f} s", flush=True)
    return Row("start to first answer", name, value, "s", target, target is None or value <= target)


def slow_imports(count: int) -> list[tuple[float, float, str]]:
    """(own ms, ms with what it imports, module), the greatest own times first."""
    code = "import fasterapi._cli, fasterapi._server"
    command = [servers.PYTHON, "-X", "importtime", "-c", code]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    line = re.compile(r"import time: +(\d+) \| +(\d+) \| *(\S+)$", re.MULTILINE)
    found = [(int(own) / 1e3, int(all_) / 1e3, name) for own, all_, name in line.findall(text)]
    return sorted(found, reverse=True)[:count]


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--connections", type=int, default=10_000, help="default %(default)s")
    p.add_argument("--servers", default="fasterapi,uvicorn", help="default %(default)s")
    p.add_argument("--only", choices=["http", "websocket", "start"], help="one of the three")
    p.add_argument("--rounds", type=int, default=7, help="starts; default %(default)s")
    p.add_argument("--json", type=pathlib.Path, default=RESULTS / "idle.json",
                   help="default %(default)s")  # fmt: skip
    p.add_argument("--strict", action="store_true", help="exit 1 when a target is missed")
    return p.parse_args()


def main() -> int:
    a = arguments()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < a.connections + 100:
        raise loadlib.BenchError(f"only {most} files may be open; fewer --connections")
    resource.setrlimit(resource.RLIMIT_NOFILE, (a.connections + 100, most))  # inherited
    machine = loadlib.machine()
    machine["versions"] = servers.versions()
    names = a.servers.split(",")
    servers.need(names, machine["versions"])
    rows = []
    for name in names:
        if a.only in (None, "http"):
            rows.append(memory_of(name, "HTTP", a.connections, "auto"))
        if a.only in (None, "websocket"):
            ws = "websockets-sansio" if name == "uvicorn" else "auto"
            rows.append(memory_of(name, "WebSocket", a.connections, ws))
        if a.only in (None, "start"):
            rows.append(start_of(name, a.rounds))
    print("\n" + loadlib.machine_lines(machine) + "\n")
    for r in rows:
        said = f"  <= {r.target:g} {'met' if r.met else 'MISSED'}" if r.target else ""
        print(f"{r.what:<36} {r.server:<26} {r.value:8.2f} {r.unit:<9}{said}")
    if a.only in (None, "start"):
        print("\nimports of the command, the slowest: own ms, with what they import")
        for own, together, name in slow_imports(12):
            print(f"{own:8.1f} {together:8.1f}  {name}")
    return loadlib.kept({"machine": machine, "rows": rows}, a, [r.met for r in rows])


if __name__ == "__main__":
    loadlib.run_program(main)
