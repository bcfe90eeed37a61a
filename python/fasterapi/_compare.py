"""`fasterapi compare`: an application under uvicorn and under us, side by side."""

from __future__ import annotations

import contextlib
import dataclasses
import html
import http.client
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

START_S = 60.0
REQUEST_S = 30.0
CONNECTIONS = 16
# Who answered and when: no part of the answer.
OF_THE_SERVER = frozenset({"date", "server"})

Answer = tuple[int, list[tuple[str, str]], bytes]


class CannotCompare(Exception):
    """The text is for users."""


@dataclasses.dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: bytes | None = None

    @property
    def name(self) -> str:
        return f"{self.method} {self.target}"


@dataclasses.dataclass
class Result:
    request: Request
    difference: str = ""  # empty: none
    unsteady: bool = False  # uvicorn does not give the same answer twice: nobody can tell
    # Requests per second, and microseconds of the server's CPU per request.
    speed: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Server:
    name: str
    process: subprocess.Popen[bytes]
    port: int

    def ask(self, request: Request) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=REQUEST_S)
        with contextlib.closing(connection):
            connection.request(request.method, request.target, request.body, request.headers)
            answer = connection.getresponse()
            fields = [(k.lower(), v) for k, v in answer.getheaders()]
            shown = sorted(field for field in fields if field[0] not in OF_THE_SERVER)
            return answer.status, shown, answer.read()

    def cpu_s(self) -> float:
        text = Path(f"/proc/{self.process.pid}/stat").read_text()
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---- what is asked ----


def requests_of(app: Any) -> tuple[list[Request], list[str]]:
    """GET of each path whose parameters all have an example, and the paths left out."""
    openapi = getattr(app, "openapi", None)
    schema = openapi() if callable(openapi) else {}
    found, left_out = [], []
    for path, operations in schema.get("paths", {}).items():
        if "get" not in operations:
            continue
        try:
            found.append(Request("GET", _target(path, operations["get"].get("parameters", ()))))
        except LookupError as missing:
            left_out.append(f"GET {path}: no example of {missing.args[0]}")
    return found, left_out


def _target(path: str, parameters: Any) -> str:
    query = []
    for parameter in parameters:
        where, name = parameter["in"], parameter["name"]
        if where != "path" and not parameter.get("required"):
            continue
        value = _example(parameter)
        if where == "path":
            path = re.sub(r"{%s(:\w+)?}" % re.escape(name), urllib.parse.quote(value), path)
        elif where == "query":
            query.append((name, value))
        else:
            raise LookupError(f"{where} {name}")
    return path + ("?" + urllib.parse.urlencode(query) if query else "")


def _example(parameter: dict[str, Any]) -> str:
    for holder in (parameter, parameter.get("schema", {})):
        if "example" in holder:
            return str(holder["example"])
        if examples := holder.get("examples"):
            first = next(iter(examples.values())) if isinstance(examples, dict) else examples[0]
            return str(first["value"] if isinstance(first, dict) and "value" in first else first)
    raise LookupError(parameter["name"])


def read_requests(path: str) -> list[Request]:
    """A JSON list of objects: path, and if need be method, headers, body or json."""
    try:
        rows = json.loads(Path(path).read_text())
        return [_request(row) for row in rows]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CannotCompare(f"{path}: {type(error).__name__}: {error}") from None


def _request(row: dict[str, Any]) -> Request:
    headers, body = dict(row.get("headers", {})), row.get("body")
    if "json" in row:
        headers.setdefault("Content-Type", "application/json")
        body = json.dumps(row["json"])
    encoded = body.encode() if body is not None else None
    return Request(row.get("method", "GET"), row["path"], headers, encoded)


# ---- the servers ----


@contextlib.contextmanager
def serving(name: str, app: str, folder: str, factory: bool) -> Iterator[Server]:
    if not _is_there(name):
        raise CannotCompare(f"{name} is not installed: pip install {name}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", name, app, "--port", str(port), "--log-level", "warning"]
    command += ["--no-access-log", "--app-dir", folder, *(["--factory"] if factory else [])]
    command += ["--engine", "auto"] if name == "fasterapi" else []
    process = subprocess.Popen(command, stdout=sys.stderr)
    try:
        _wait_until_it_listens(name, process, port)
        yield Server(name, process, port)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # somebody has put None into sys.modules
        return False


def _wait_until_it_listens(name: str, process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise CannotCompare(f"{name} did not start: status {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise CannotCompare(f"{name} did not start within {START_S:g} s")


# ---- parity ----


def difference(theirs: Answer, ours: Answer) -> str:
    """What is not the same, in a line."""
    if theirs[0] != ours[0]:
        return f"status {theirs[0]} under uvicorn, {ours[0]} under fasterapi"
    only_theirs = [field for field in theirs[1] if field not in ours[1]]
    only_ours = [field for field in ours[1] if field not in theirs[1]]
    if only_theirs or only_ours or len(theirs[1]) != len(ours[1]):
        return f"headers: only uvicorn {only_theirs}, only fasterapi {only_ours}"
    if theirs[2] != ours[2]:
        return f"body: {theirs[2][:60]!r} under uvicorn, {ours[2][:60]!r} under fasterapi"
    return ""


def compared(uvicorn: Server, fasterapi: Server, request: Request) -> Result:
    """An answer that uvicorn does not give twice says nothing about us, but by its status."""
    try:
        theirs, ours = uvicorn.ask(request), fasterapi.ask(request)
        told = difference(theirs, ours)
        if told and theirs[0] == ours[0] and difference(theirs, uvicorn.ask(request)):
            return Result(request, unsteady=True)
    except (OSError, http.client.HTTPException) as error:
        told = f"{type(error).__name__}: {error}"
    return Result(request, told)


# ---- speed ----


def measure(server: Server, request: Request, seconds: float) -> tuple[float, float]:
    """Requests per second, and microseconds of CPU per request."""
    load = _wrk if shutil.which("wrk") else _threads
    load(server, request, 0.2)
    before, began = server.cpu_s(), time.monotonic()
    count = load(server, request, seconds)
    elapsed, used = time.monotonic() - began, server.cpu_s() - before
    return count / elapsed, 1e6 * used / max(count, 1)


def _wrk(server: Server, request: Request, seconds: float) -> int:
    # Of headers and methods a script is told; it takes whole seconds.
    headers = [part for k, v in request.headers.items() for part in ("-H", f"{k}: {v}")]
    url = f"http://127.0.0.1:{server.port}{request.target}"
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", *headers, url]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    count = re.search(r"(\d+) requests in", told)
    return int(count[1]) if count else 0


def _threads(server: Server, request: Request, seconds: float) -> int:
    """A client of our own, slower than what it measures: it shows CPU, not the limit."""
    counts = [0] * 4
    end = time.monotonic() + seconds

    def ask(n: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=REQUEST_S)
        with contextlib.closing(connection):
            while time.monotonic() < end:
                connection.request(request.method, request.target, request.body, request.headers)
                connection.getresponse().read()
                counts[n] += 1

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(counts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


# ---- what is shown ----


def table(results: list[Result]) -> list[str]:
    rows = [["REQUEST", "SAME", "UVICORN/s", "FASTERAPI/s", "CPU us", "CPU us", "TIMES LESS CPU"]]
    for result in results:
        same = "no" if result.difference else "unsteady" if result.unsteady else "yes"
        cells = [result.request.name, same]
        if result.speed:
            (theirs, their_us), (ours, our_us) = result.speed["uvicorn"], result.speed["fasterapi"]
            cells += [f"{theirs:.0f}", f"{ours:.0f}", f"{their_us:.1f}", f"{our_us:.1f}"]
            cells.append(f"{their_us / our_us:.1f}" if our_us else "-")
        rows.append([*cells, *[""] * (7 - len(cells))])
    widths = [max(len(row[n]) for row in rows) for n in range(7)]
    return ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def plot(results: list[Result]) -> str:
    """Bars of CPU per request as SVG: shorter is better."""
    measured = [result for result in results if result.speed]
    most = max((r.speed[n][1] for r in measured for n in r.speed), default=1.0) or 1.0
    height = 50 + 52 * len(measured)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="800" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="800" height="{height}" fill="white"/>',
        '<text x="10" y="22" font-size="15">CPU per request in microseconds, less is better</text>',
    ]
    for n, result in enumerate(measured):
        y = 44 + 52 * n
        lines.append(f'<text x="10" y="{y}">{html.escape(result.request.name[:110])}</text>')
        for k, (name, color) in enumerate((("uvicorn", "#b0b0b0"), ("fasterapi", "#00897b"))):
            speed, cpu = result.speed[name]
            width, top = max(1.0, 480 * cpu / most), y + 5 + 16 * k
            text = f"{name} {cpu:.1f} ({speed:.0f} requests/s)"
            lines.append(
                f'<rect x="10" y="{top}" width="{width:.1f}" height="13" fill="{color}"/>'
                f'<text x="{width + 15:.1f}" y="{top + 11}">{text}</text>'
            )
    return "\n".join([*lines, "</svg>", ""])
