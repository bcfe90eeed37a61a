"""What the load benchmarks share: servers pinned to one core, wrk on another, the
CPU time in between, and rounds in which everything that is compared takes turns."""

import contextlib
import dataclasses
import json
import os
import pathlib
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from typing import NoReturn

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
HELLO = b'{"message":"Hello, World!"}'
SERVER_CORE, CLIENT_CORE = "0", "1"


class BenchError(Exception):
    """A figure could not be taken: a tool is missing, or an answer was wrong."""


# Servers.


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A command pinned to the servers' core. {port} in it becomes the port, a free one
    if none is given. What it writes to standard output is kept only if asked for."""

    def __init__(
        self,
        name: str,
        command: list[str],
        port: int | None = None,
        *,
        cwd: pathlib.Path | None = None,
        env: dict[str, str] | None = None,
        keep_output: bool = False,
    ):
        self.name = name
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [part.replace("{port}", str(self.port)) for part in command]
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            ["taskset", "-c", SERVER_CORE, *command],
            stdout=self.log if keep_output else subprocess.DEVNULL,
            stderr=self.log,
            cwd=cwd,
            env=env,
        )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            if self.process.poll() is not None:
                raise BenchError(f"{self.name} ended with {self.process.returncode}: {self.tail()}")
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            if time.monotonic() > deadline:
                raise BenchError(f"{self.name} does not listen on port {self.port}")
            time.sleep(0.02)

    # By position: the file's offset is shared with the server, which writes at it.

    def tail(self) -> str:
        size = os.fstat(self.log.fileno()).st_size
        text = os.pread(self.log.fileno(), 2000, max(0, size - 2000))
        return text.decode(errors="replace").strip()

    def lines(self, having: bytes) -> int:
        """How many lines with these bytes it has written so far."""
        with open(f"/proc/self/fd/{self.log.fileno()}", "rb") as log:
            return sum(having in line for line in log)

    def stop(self) -> str:
        """The last that it said."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        said = self.tail()
        self.log.close()
        return said

    def _tree(self) -> list[int]:
        found = [self.process.pid]
        for pid in found:
            with contextlib.suppress(OSError):
                for task in os.listdir(f"/proc/{pid}/task"):
                    children = pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text()
                    found += map(int, children.split())
        return found

    def cpu_seconds(self) -> float:
        """User and system time of all threads of all its processes, to the nanosecond
        where the kernel keeps schedstat, else to the clock tick."""
        total = 0.0
        for pid in self._tree():
            with contextlib.suppress(OSError):
                for task in os.listdir(f"/proc/{pid}/task"):
                    total += thread_seconds(f"/proc/{pid}/task/{task}")
        return total

    def _memory_mib(self, field: str) -> float:
        total = 0
        for pid in self._tree():
            with contextlib.suppress(OSError):
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
                found = re.search(rf"{field}:\s+(\d+)", status)
                total += int(found[1]) if found else 0
        return total / 1024

    def resident_mib(self) -> float:
        return self._memory_mib("VmRSS")

    def peak_mib(self) -> float:
        return self._memory_mib("VmHWM")


def thread_seconds(task: str) -> float:
    try:
        return int(pathlib.Path(task, "schedstat").read_text().split()[0]) / 1e9
    except FileNotFoundError:
        fields = pathlib.Path(task, "stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def nginx():
    """nginx, one worker, `return 200` with the floor's body; None where there is none."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="bench-nginx-") as folder:
        temp_paths = "\n".join(
            f"    {kind}_temp_path {folder}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        config = pathlib.Path(folder, "nginx.conf")
        port = free_port()
        config.write_text(f"""
daemon off;
worker_processes 1;
{"user root;" if os.geteuid() == 0 else ""}
pid {folder}/pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    default_type application/json;
{temp_paths}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ return 200 '{HELLO.decode()}'; }}
    }}
}}
""")
        server = Server("nginx", [program, "-p", folder, "-c", str(config)], port)
        try:
            yield server
        finally:
            server.stop()


# Answers.


def exchange(port: int, request: bytes, answers: int) -> list[tuple[int, bytes]]:
    """Sends `request` and reads so many answers with Content-Length: (status, body)."""
    found = []
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.sendall(request)
        data = b""
        while len(found) < answers:
            head, blank, rest = data.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            if blank and length and len(rest) >= int(length[1]):
                size = int(length[1])
                found.append((int(head.split()[1]), rest[:size]))
                data = rest[size:]
                continue
            if blank and not length:
                raise BenchError(f"an answer without Content-Length: {head!r}")
            got = s.recv(65536)
            if not got:
                raise BenchError(f"closed after {len(found)} of {answers} answers: {data!r}")
            data += got
    return found


@dataclasses.dataclass(frozen=True)
class Load:
    """What wrk is told to send, and how an answer to it must look."""

    name: str
    connections: int
    path: str = "/"
    script: str | None = None
    arguments: tuple[str, ...] = ()
    probe: bytes = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"
    depth: int = 1

    def check(self, server: Server, body: bytes | None) -> None:
        """The right status and bytes, one at a time and as many as the load pipelines."""
        for status, got in exchange(server.port, self.probe * self.depth, self.depth):
            if status not in (200, 201, 202) or (body is not None and got != body):
                raise BenchError(f"{server.name}: {self.name} was answered {status} {got!r}")


EVENT = b'{"userId":"user_7","value":7}'
EVENT_PROBE = (
    b"POST /event HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(EVENT), EVENT)
)


def get(connections: int) -> Load:
    return Load(f"GET / c{connections}", connections)


def event(connections: int) -> Load:
    return Load(
        f"POST /event c{connections}", connections, "/event", "event.lua", probe=EVENT_PROBE
    )


def pipelined(connections: int, depth: int) -> Load:
    return Load(
        f"GET / c{connections} x{depth}", connections, "/", "pipeline.lua", (str(depth),),
        depth=depth,
    )  # fmt: skip


# Measurements.


@dataclasses.dataclass(frozen=True)
class Sample:
    requests: int
    seconds: float
    cpu_us: float  # of the server, per request

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def measure(server: Server, load: Load, seconds: float) -> Sample:
    command = ["taskset", "-c", CLIENT_CORE, "wrk", "-t1", f"-c{load.connections}"]
    command += [f"-d{max(1, round(seconds))}s", "--timeout", "10s"]
    if load.script:
        command += ["-s", str(HERE / load.script)]
    command += [server.url + load.path]
    if load.arguments:
        command += ["--", *load.arguments]
    before = server.cpu_seconds()
    done = subprocess.run(command, capture_output=True, text=True)
    cpu = server.cpu_seconds() - before
    count = re.search(r"(\d+) requests in", done.stdout)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if done.returncode != 0 or not count or not rate or int(count[1]) == 0:
        raise BenchError(f"wrk failed on {server.name}: {done.stdout}{done.stderr}")
    for trouble in (r"Non-2xx or 3xx responses: .*", r"Socket errors: .*"):
        if said := re.search(trouble, done.stdout):
            raise BenchError(f"{server.name}, {load.name}: {said[0]}")
    requests = int(count[1])
    return Sample(requests, requests / float(rate[1]), cpu * 1e6 / requests)


Subject = tuple[Server, Load]


def take_turns(subjects: list[Subject], rounds: int, seconds: float, say=lambda _: None):
    """Samples of every subject, one a round. All are warmed up first; in each round
    all are measured one after the other, beginning with another one each time, so
    that what disturbs the machine disturbs them all alike."""
    samples: dict[Subject, list[Sample]] = {subject: [] for subject in subjects}
    for server, load in subjects:
        measure(server, load, 1)
    for i in range(rounds):
        turn = i % len(subjects)
        for server, load in subjects[turn:] + subjects[:turn]:
            sample = measure(server, load, seconds)
            samples[server, load].append(sample)
            say(
                f"  round {i + 1}/{rounds}  {server.name:<12} {load.name:<18}"
                f" {sample.cpu_us:6.2f} us  {sample.per_second:11,.0f}/s"
            )
    return samples


@dataclasses.dataclass(frozen=True)
class Spread:
    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values) -> "Spread":
        values = list(values)
        return cls(min(values), statistics.median(values), max(values))


def ratio(above: list[Sample], below: list[Sample], what) -> Spread:
    """The quotient within each round, then its spread over the rounds."""
    return Spread.of(what(a) / what(b) for a, b in zip(above, below, strict=True))


# The machine.


def need_tools() -> None:
    for tool in ("wrk", "taskset"):
        if shutil.which(tool) is None:
            raise BenchError(f"{tool} is not installed (tools/setup bench installs it)")
    if len(os.sched_getaffinity(0)) < 2:
        raise BenchError("two cores are needed: one for the server and one for wrk")


def machine() -> dict:
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True
    ).stdout.strip()
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "load_before": os.getloadavg()[0],
        "commit": commit or "unknown",
    }


def machine_lines(m: dict) -> str:
    text = (
        f"Machine  {m['cpu']}, {m['cores']} cores, Linux {m['kernel']}, commit {m['commit']}\n"
        f"         load average before: {m['load_before']:.2f}"
    )
    if m["load_before"] > 0.5:
        text += "  (busy: trust the ratios, and those only with a small spread)"
    return text


def as_json(value) -> str:
    return json.dumps(value, indent=2, default=dataclasses.asdict)


def kept(result: dict, a, met: Iterable[bool]) -> int:
    """Writes the file that `--json` names; the exit status, of `--strict`, too."""
    a.json.parent.mkdir(parents=True, exist_ok=True)
    a.json.write_text(as_json(result) + "\n")
    return 1 if a.strict and not all(met) else 0


def run_program(main: Callable[[], int]) -> NoReturn:
    try:
        sys.exit(main())
    except (BenchError, OSError) as e:
        sys.exit(f"{pathlib.Path(sys.argv[0]).stem}: {e}")
