#!/usr/bin/env python3
"""The one-million-request challenge of several servers, in one run, on one core each.

    run.py [--only c,auto,asgi,uvicorn,go,rust] [--requests 200000] [--rounds 5] [--strict]

In each round every server is started afresh on core 0, gets the requests of
fasterapi-challenge from core 1 on a thousand connections, is judged by its totals and
stopped; the rounds begin with another server each time, and each gives ratios of its own.
Before that, each must accept events, refuse what is none with 400 or 422, and write
GET /stats in the same bytes.

Before it is believed, look at the load average, at the spread, and at how busy the client
was: near 100% it was the client that was measured.
"""

import argparse
import dataclasses
import http.client
import json
import os
import pathlib
import re
import subprocess
import sys

import picture
import references
from references import loadlib

PYTHON = loadlib.ROOT / ".venv-bench" / "bin" / "python"
APP = loadlib.ROOT / "examples" / "one_million" / "app.py"
RESULTS = loadlib.ROOT / "bench" / "results"

OURS = ("c", "auto", "asgi")
# LATE: some requests had no answer for ten seconds; what came of them is counted right.
EXACT, LATE, WRONG = "exact", "late", "WRONG"
# What `auto` does against others, in requests per second.
TARGETS = (("go", 3.0), ("rust", 1.1), ("c", 0.75))
NAMES = {
    "c": "FasterAPI, C",
    "auto": "FasterAPI, FastAPI code",
    "asgi": "FasterAPI, engine asgi",
    "uvicorn": "uvicorn, FastAPI code",
    "go": "Go, net/http",
    "rust": "Rust, warp",
}
GOOD = (b'{"userId":"user_1","value":7}', b'{"value":0.5,"more":[],"userId":"user_2"}')
BAD = (
    b"",
    b"[]",
    b'{"userId":"user_1"}',
    b'{"userId":7,"value":7}',
    b'{"userId":"user_1","value":"much"}',
    b'{"userId":"user_1","value":null}',
    b'{"userId":"user_1","value":7',
    b'{"userId":"user_1","value":7} 7',
)
STATS = b'{"totalRequests":2,"uniqueUsers":2,"sum":7.5,"avg":3.75}'


@dataclasses.dataclass(frozen=True)
class Sample:
    per_second: float
    cpu_us: float  # of the server, per request
    peak_mib: float
    p99_ms: float
    client_busy: float  # the share of its core
    totals: str  # EXACT, LATE or WRONG


@dataclasses.dataclass
class Row:
    server: str
    per_second: loadlib.Spread
    cpu_us: loadlib.Spread
    peak_mib: float
    p99_ms: loadlib.Spread
    client_busy: float
    totals: str


@dataclasses.dataclass
class Verdict:
    peer: str
    target: float
    ratio: loadlib.Spread  # of requests per second
    cpu_ratio: loadlib.Spread  # the peer's CPU time by ours
    met: bool


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--build", type=pathlib.Path, default="build-release",
                   help="has the client and the server in C; default %(default)s")  # fmt: skip
    p.add_argument("--only", default=",".join(NAMES), help="default %(default)s")
    p.add_argument("-n", "--requests", type=int, default=200_000,
                   help="a round; default %(default)s")  # fmt: skip
    p.add_argument("-c", "--connections", type=int, default=1000, help="default %(default)s")
    p.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    p.add_argument("--json", type=pathlib.Path, default=RESULTS / "challenge.json",
                   help="default %(default)s")  # fmt: skip
    p.add_argument("--svg", type=pathlib.Path, default=RESULTS / "challenge.svg",
                   help="default %(default)s")  # fmt: skip
    p.add_argument("--strict", action="store_true", help="exit 1 when a target is missed")
    a = p.parse_args()
    a.only = a.only.split(",")
    if unknown := set(a.only) - set(NAMES):
        p.error(f"no such server: {', '.join(sorted(unknown))}")
    return a


def commands(a: argparse.Namespace) -> dict[str, list[str]]:
    build = loadlib.ROOT / a.build
    python = [str(PYTHON), "-m"]
    app = ["--app-dir", str(APP.parent), "app:app"]
    options = ["--port", "{port}", "--loop", "uvloop", "--no-access-log"]
    ours = [*python, "fasterapi", *app, *options]
    made = {
        "c": lambda: [str(build / "examples" / "one_million" / "one_million"), "--port", "{port}"],
        "auto": lambda: [*ours, "--engine", "auto"],
        "asgi": lambda: [*ours, "--engine", "asgi"],
        "uvicorn": lambda: [*python, "uvicorn", *app, *options, "--http", "httptools"],
        "go": lambda: [str(references.go(dict(os.environ))), "-port", "{port}"],
        "rust": lambda: [str(references.rust(dict(os.environ))), "--port", "{port}"],
    }
    return {name: made[name]() for name in a.only}


def check_answers(server: loadlib.Server) -> None:
    c = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)

    def ask(method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        c.request(method, path, body, {"Content-Type": "application/json"})
        answer = c.getresponse()
        return answer.status, answer.read()

    for body in GOOD:
        if (got := ask("POST", "/event", body)) != (200, b'{"status":"ok"}'):
            raise loadlib.BenchError(f"{server.name}: {body!r} was answered {got}")
    for body in BAD:
        if (got := ask("POST", "/event", body))[0] not in (400, 422):
            raise loadlib.BenchError(f"{server.name}: {body!r} was answered {got}")
    if (got := ask("GET", "/stats")) != (200, STATS):
        raise loadlib.BenchError(f"{server.name}: GET /stats was answered {got}, not {STATS!r}")
    c.close()


def totals_of(result: dict) -> str:
    if result["verdict"] == "exact":
        return EXACT
    errors = result["errors"]
    right = all(total["ok"] for total in result["totals"].values())
    return LATE if right and errors["total"] == errors["timeout"] > 0 else WRONG


def one_round(name: str, command: list[str], a: argparse.Namespace) -> Sample:
    client = loadlib.ROOT / a.build / "challenge" / "fasterapi-challenge"
    server = loadlib.Server(name, command)
    try:
        before = server.cpu_seconds()
        done = subprocess.run(
            ["taskset", "-c", loadlib.CLIENT_CORE, client, "--json", "--quiet",
             "-n", str(a.requests), "-c", str(a.connections), server.url],
            capture_output=True, text=True,
        )  # fmt: skip
        cpu = server.cpu_seconds() - before
        peak = server.peak_mib()
    finally:
        said = server.stop()
    if done.returncode not in (0, 1):  # 1: it was answered, and not exactly
        raise loadlib.BenchError(f"{name}: {done.stderr}{said}")
    if name == "auto":
        check_tier(said, a.requests)
    r = json.loads(done.stdout)
    totals = totals_of(r)
    if totals == LATE:
        print(f"{name}: {r['errors']['timeout']:,} requests unanswered in time; totals right")
    elif totals == WRONG:
        print(f"{name}: {done.stdout}{said}")
    busy = r["client_cpu_us"] * 1e-6 * r["per_second"]
    p99 = r["latency_us"]["p99"] / 1e3
    return Sample(r["per_second"], cpu * 1e6 / a.requests, peak, p99, busy, totals)


def check_tier(said: str, requests: int) -> None:
    """GET /stats is compiled, too."""
    found = re.search(r"requests by tier: (\d+) compiled", said)
    if not found or int(found[1]) < requests:
        raise loadlib.BenchError(f"the compiled tier did not serve all events: {said}")


def measure(a: argparse.Namespace) -> dict[str, list[Sample]]:
    wanted = commands(a)
    for name, command in wanted.items():
        server = loadlib.Server(name, command)
        try:
            check_answers(server)
        finally:
            server.stop()
    samples: dict[str, list[Sample]] = {name: [] for name in wanted}
    for i in range(a.rounds):
        turn = i % len(wanted)
        for name in [*list(wanted)[turn:], *list(wanted)[:turn]]:
            s = one_round(name, wanted[name], a)
            samples[name].append(s)
            print(f"  round {i + 1}/{a.rounds}  {name:<8} {s.per_second:11,.0f}/s"
                  f" {s.cpu_us:7.2f} us  p99 {s.p99_ms:7.2f} ms", flush=True)  # fmt: skip
    return samples


def judge(samples: dict[str, list[Sample]]) -> list[Verdict]:
    found = []
    ours = samples.get("auto")
    for peer, target in TARGETS:
        if ours is not None and peer in samples:
            ratio = loadlib.ratio(ours, samples[peer], lambda s: s.per_second)
            cpu = loadlib.ratio(samples[peer], ours, lambda s: s.cpu_us)
            found.append(Verdict(peer, target, ratio, cpu, ratio.median >= target))
    return found


def rows_of(samples: dict[str, list[Sample]]) -> list[Row]:
    return [
        Row(
            name,
            loadlib.Spread.of(s.per_second for s in mine),
            loadlib.Spread.of(s.cpu_us for s in mine),
            max(s.peak_mib for s in mine),
            loadlib.Spread.of(s.p99_ms for s in mine),
            loadlib.Spread.of(s.client_busy for s in mine).median,
            max((s.totals for s in mine), key=(EXACT, LATE, WRONG).index),
        )
        for name, mine in samples.items()
    ]


def spread(s: loadlib.Spread) -> str:
    return f"{s.low:.2f} / {s.median:.2f} / {s.high:.2f}"


def print_report(rows: list[Row], verdicts: list[Verdict], machine: dict, a) -> None:
    print()
    print(loadlib.machine_lines(machine))
    for said in machine["versions"].values():
        print(f"         {said}")
    print(
        f"Method   server on core {loadlib.SERVER_CORE}, started afresh for each round; "
        f"fasterapi-challenge on\n         core {loadlib.CLIENT_CORE}: {a.requests:,} POST /event "
        f"on {a.connections:,} connections; {a.rounds} rounds, in turns;\n"
        "         ratios are taken within a round; least / median / greatest"
    )
    print(f"\n{'server':<24} {'requests/s':>11} {'CPU us a request':>24} {'p99 ms':>8}"
          f" {'peak MiB':>9} {'client busy':>12} {'totals':>7}")  # fmt: skip
    for r in rows:
        print(f"{NAMES[r.server]:<24} {r.per_second.median:>11,.0f} {spread(r.cpu_us):>24}"
              f" {r.p99_ms.median:>8.2f} {r.peak_mib:>9.1f} {r.client_busy:>12.0%}"
              f" {r.totals:>7}")  # fmt: skip
    print(f"\n{'FastAPI code, compiled, against':<34} {'requests/s':>20} {'CPU time':>20}")
    for v in verdicts:
        print(f"{NAMES[v.peer]:<34} {spread(v.ratio):>20} {spread(v.cpu_ratio):>20}"
              f"   >= {v.target:g} {'met' if v.met else 'MISSED'}")  # fmt: skip


def main() -> int:
    a = arguments()
    loadlib.need_tools()
    machine = loadlib.machine()
    machine["versions"] = references.versions(set(a.only))
    samples = measure(a)
    rows, verdicts = rows_of(samples), judge(samples)
    print_report(rows, verdicts, machine, a)
    a.json.parent.mkdir(parents=True, exist_ok=True)
    method = {"requests": a.requests, "connections": a.connections, "rounds": a.rounds}
    result = {"machine": machine, "method": method, "rows": rows, "verdicts": verdicts}
    a.json.write_text(loadlib.as_json(result) + "\n")
    a.svg.write_text(picture.bars([(NAMES[r.server], r) for r in rows], machine, method))
    print(f"Written: {a.json} and {a.svg}")
    # A peer may be too slow for the client's patience; we may not.
    if any(r.totals == WRONG or (r.totals == LATE and r.server in OURS) for r in rows):
        return 1
    return 1 if a.strict and not all(v.met for v in verdicts) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (loadlib.BenchError, OSError) as e:
        sys.exit(f"challenge: {e}")
