#!/usr/bin/env python3
"""How late answers come, and what it costs that handlers wait.

    latency.py [--only p99|wait] [--peer uvicorn|none] [--rounds 5] [--strict]

p99    30,000 POST /now on 64 connections, as fast as they are answered: the latency that
       one in a hundred exceeds. Beside it the same of examples/one_million, which is in C:
       what the machine allows at that moment.
wait   On 10,000 connections one request each, all sent at once: POST /later, whose handler
       awaits asyncio.sleep(0.005), and POST /now, which does the same without. The ideal
       is the time of the latter and 5 ms. Beside it: 10,000 tasks that do nothing but
       that sleep, without any server; what the loop itself takes for them.

The server is on core 0, fasterapi-challenge on core 1. Every event must be in the totals
afterwards. Before it is believed, look at the load average: what else runs on these cores
is in every figure but the CPU time.
"""

import argparse
import dataclasses
import json
import pathlib
import resource
import subprocess

import servers

from servers import loadlib  # isort: skip

RESULTS = loadlib.ROOT / "bench" / "results"
P99_MS, TIMES_IDEAL = 1.5, 1.5  # at most
WAIT_SECONDS = 0.005
C = "in C"
DESCRIPTORS = 200  # of each process besides its connections

BARE = """
import asyncio, sys, time, uvloop

async def main(count):
    start, cpu = time.perf_counter(), time.process_time()
    tasks = [asyncio.create_task(asyncio.sleep(%r)) for _ in range(count)]
    for task in tasks:
        await task
    print(time.perf_counter() - start, time.process_time() - cpu)

uvloop.run(main(int(sys.argv[1])))
""" % WAIT_SECONDS


@dataclasses.dataclass(frozen=True)
class Sample:
    seconds: float
    cpu_us: float  # of the server, per request
    p50_ms: float
    p99_ms: float


@dataclasses.dataclass
class Verdict:
    name: str
    target: float
    value: loadlib.Spread
    met: bool


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--build", type=pathlib.Path, default="build-release",
                   help="has the client; default %(default)s")  # fmt: skip
    p.add_argument("--engine", choices=["asgi", "auto"], default="auto",
                   help="of fasterapi; default %(default)s")  # fmt: skip
    p.add_argument("--only", choices=["p99", "wait"])
    p.add_argument("--peer", choices=[*servers.PEERS, "none"], default="uvicorn",
                   help="default %(default)s")  # fmt: skip
    p.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    p.add_argument("--connections", type=int, default=10_000, help="of wait")
    p.add_argument("--json", type=pathlib.Path, default=RESULTS / "latency.json",
                   help="default %(default)s")  # fmt: skip
    p.add_argument("--strict", action="store_true", help="exit 1 when a target is missed")
    return p.parse_args()


def allow_descriptors(count: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < count:
        raise loadlib.BenchError(f"{count} open files are needed, {hard} allowed (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def load(a, server: loadlib.Server, path: str, requests: int, connections: int) -> Sample:
    client = loadlib.ROOT / a.build / "challenge" / "fasterapi-challenge"
    before = server.cpu_seconds()
    done = subprocess.run(
        ["taskset", "-c", loadlib.CLIENT_CORE, client, "--json", "--quiet", "--baseline",
         "--timeout", "60s", "--path", path, "-n", str(requests), "-c", str(connections), server.url],
        capture_output=True, text=True,
    )  # fmt: skip
    cpu = server.cpu_seconds() - before
    if done.returncode != 0:
        raise loadlib.BenchError(f"{server.name}, {path}: {done.stdout}{done.stderr}")
    r = json.loads(done.stdout)
    late = r["latency_us"]
    return Sample(r["seconds"], cpu * 1e6 / requests, late["p50"] / 1e3, late["p99"] / 1e3)


def bare(count: int) -> Sample:
    """10,000 tasks that wait, and no server."""
    command = ["taskset", "-c", loadlib.SERVER_CORE, str(servers.PYTHON), "-c", BARE, str(count)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise loadlib.BenchError(done.stderr)
    seconds, cpu = map(float, done.stdout.split())
    return Sample(seconds, cpu * 1e6 / count, 0.0, 0.0)


def in_c(a) -> loadlib.Server:
    program = loadlib.ROOT / a.build / "examples" / "one_million" / "one_million"
    if not program.exists():
        raise loadlib.BenchError(f"{program} is not built; run `make build`")
    return loadlib.Server(C, [str(program), "--port", "{port}"])


Samples = dict[tuple[str, str], list[Sample]]


def measure(a, running: list[loadlib.Server], beside: loadlib.Server) -> Samples:
    """By what was done and by whom."""
    samples: Samples = {}

    def note(what: str, who: str, s: Sample) -> None:
        samples.setdefault((what, who), []).append(s)
        print(f"  {what:<8} {who:<10} {s.seconds:7.3f} s {s.cpu_us:7.1f} us"
              f"  p50 {s.p50_ms:8.2f} ms  p99 {s.p99_ms:8.2f} ms", flush=True)  # fmt: skip

    for server in running:
        load(a, server, "/now", 10_000, 64)
    for i in range(a.rounds):
        if a.only != "wait":
            note("p99", C, load(a, beside, "/event", 30_000, 64))
        turn = i % len(running)
        for server in running[turn:] + running[:turn]:
            if a.only != "wait":
                note("p99", server.name, load(a, server, "/now", 30_000, 64))
            if a.only != "p99":
                n = a.connections
                note("now", server.name, load(a, server, "/now", n, n))
                note("later", server.name, load(a, server, "/later", n, n))
        if a.only != "p99":
            note("bare", "no server", bare(a.connections))
    return samples


def judge(samples: Samples) -> list[Verdict]:
    found = []
    if ours := samples.get(("p99", servers.OURS)):
        late = loadlib.Spread.of(s.p99_ms for s in ours)
        found.append(Verdict("p99 on 64 connections, ms", P99_MS, late, late.median <= P99_MS))
    if ours := samples.get(("later", servers.OURS)):
        pairs = list(zip(ours, samples["now", servers.OURS], strict=True))
        times = loadlib.Spread.of(s.seconds / (now.seconds + WAIT_SECONDS) for s, now in pairs)
        met = times.median < TIMES_IDEAL
        found.append(Verdict("waiting, times the ideal", TIMES_IDEAL, times, met))
    return found


def spread(s: loadlib.Spread) -> str:
    return f"{s.low:.2f} / {s.median:.2f} / {s.high:.2f}"


def print_report(samples: Samples, verdicts: list[Verdict], machine: dict, a) -> None:
    print()
    print(loadlib.machine_lines(machine))
    print(
        f"Method   server on core {loadlib.SERVER_CORE}, engine {a.engine}, fasterapi-challenge on "
        f"core {loadlib.CLIENT_CORE};\n         {a.rounds} rounds; all totals exact; least / "
        "median / greatest"
    )
    print(f"\n{'':<8} {'server':<10} {'seconds':>20} {'CPU us a request':>26} {'p99 ms':>26}")
    for (what, who), mine in samples.items():
        columns = [loadlib.Spread.of(getattr(s, f) for s in mine)
                   for f in ("seconds", "cpu_us", "p99_ms")]  # fmt: skip
        late = "" if who == "no server" else spread(columns[2])
        print(f"{what:<8} {who:<10} {spread(columns[0]):>20} {spread(columns[1]):>26} {late:>26}")
    print()
    for v in verdicts:
        print(f"{v.name:<32} {spread(v.value):>22}  at most {v.target:g}:"
              f" {'met' if v.met else 'MISSED'}")  # fmt: skip


def options(name: str, engine: str) -> tuple[str, ...]:
    """A slow server must not close a connection that has waited for its turn."""
    return {
        servers.OURS: ("--engine", engine, "--timeout-keep-alive", "120"),
        "uvicorn": ("--timeout-keep-alive", "120", "--backlog", "16384"),
    }.get(name, ())


def check_tier(said: str) -> None:
    if " 0 direct, 0 asgi" not in said:
        raise loadlib.BenchError(f"the compiled tier did not serve all: {said}")


def main() -> int:
    a = arguments()
    loadlib.need_tools()
    machine = loadlib.machine()
    machine["versions"] = servers.versions()
    names = [servers.OURS] + [a.peer] * (a.peer != "none")
    servers.need(names, machine["versions"])
    allow_descriptors(a.connections + DESCRIPTORS)
    running: list[loadlib.Server] = []
    said: dict[str, str] = {}
    try:
        for name in names:
            more = options(name, a.engine)
            running.append(servers.start(name, "waiting:app", more=more))
        beside = in_c(a)
        try:
            samples = measure(a, running, beside)
        finally:
            beside.stop()
    finally:
        for server in running:
            said[server.name] = server.stop()
    if a.engine == "auto":
        check_tier(said[servers.OURS])
    verdicts = judge(samples)
    print_report(samples, verdicts, machine, a)
    rows = [{"what": what, "server": who, "samples": s} for (what, who), s in samples.items()]
    result = {"machine": machine, "engine": a.engine, "rows": rows, "verdicts": verdicts}
    status = loadlib.kept(result, a, [v.met for v in verdicts])
    print(f"Written: {a.json}")
    return status


if __name__ == "__main__":
    loadlib.run_program(main)
