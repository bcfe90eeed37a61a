#!/usr/bin/env python3
"""CPU time per echoed WebSocket message, beside uvicorn's.

    websocket.py [--rounds 5] [--seconds 2] [--only TEXT] [--strict]

64 connections; each sends a message, waits for its echo, compares it, and sends the next
one. The client is a C program on core 1, the server is on core 0. uvicorn is run with each
of its implementations; the target is held against the one that is the fastest in that case.
"""

import argparse
import contextlib
import dataclasses
import json
import pathlib
import subprocess

import servers

from servers import loadlib  # isort: skip

CONNECTIONS = 64
TARGET = 3.0
RESULTS = loadlib.ROOT / "bench" / "results"
UVICORNS = ("websockets", "websockets-sansio", "wsproto")


@dataclasses.dataclass(frozen=True)
class Case:
    kind: str
    size: int
    deflate: bool

    @property
    def name(self) -> str:
        how = "deflate" if self.deflate else "plain"
        return f"{self.kind} {self.size} {how}"


CASES = [
    Case(kind, size, deflate)
    for deflate in (False, True)
    for kind, size in (("text", 32), ("binary", 1024))
]


@dataclasses.dataclass
class Row:
    case: str
    server: str
    cpu_us: loadlib.Spread
    per_second: loadlib.Spread
    to_ours: loadlib.Spread | None  # this server's CPU time divided by ours


@dataclasses.dataclass
class Verdict:
    case: str
    peer: str
    target: float
    ratio: loadlib.Spread
    met: bool


def measure(program: pathlib.Path, server: loadlib.Server, case: Case, seconds: int) -> loadlib.Sample:
    command = ["taskset", "-c", loadlib.CLIENT_CORE, program, server.port, CONNECTIONS, seconds]
    command += [case.kind, case.size, "deflate" if case.deflate else "plain"]
    before = server.cpu_seconds()
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    cpu = server.cpu_seconds() - before
    if done.returncode != 0:
        raise loadlib.BenchError(f"{server.name}, {case.name}: {done.stderr.strip()}\n{server.tail()}")
    found = json.loads(done.stdout)
    return loadlib.Sample(found["messages"], found["seconds"], cpu * 1e6 / found["messages"])


def take_turns(program, running: list[loadlib.Server], case: Case, a) -> dict:
    samples: dict[str, list[loadlib.Sample]] = {s.name: [] for s in running}
    for server in running:
        measure(program, server, case, 1)
    for i in range(a.rounds):
        turn = i % len(running)
        for server in running[turn:] + running[:turn]:
            sample = measure(program, server, case, a.seconds)
            samples[server.name].append(sample)
            print(
                f"  round {i + 1}/{a.rounds}  {server.name:<26} {case.name:<20}"
                f" {sample.cpu_us:7.2f} us  {sample.per_second:9,.0f}/s",
                flush=True,
            )
    return samples


def rows_of(case: Case, samples: dict) -> list[Row]:
    ours = samples.get(servers.OURS)
    cpu = lambda s: s.cpu_us  # noqa: E731
    return [
        Row(
            case.name,
            name,
            loadlib.Spread.of(s.cpu_us for s in mine),
            loadlib.Spread.of(s.per_second for s in mine),
            loadlib.ratio(mine, ours, cpu) if ours and mine is not ours else None,
        )
        for name, mine in samples.items()
    ]


def judge(rows: list[Row]) -> list[Verdict]:
    found = []
    for case in dict.fromkeys(r.case for r in rows):
        peers = [r for r in rows if r.case == case and r.server.startswith("uvicorn")]
        if peers and any(r.case == case and r.server == servers.OURS for r in rows):
            best = min(peers, key=lambda r: r.cpu_us.median)
            met = best.to_ours.median >= TARGET
            found.append(Verdict(case, best.server, TARGET, best.to_ours, met))
    return found


def spread(s: loadlib.Spread) -> str:
    return f"{s.low:.2f} / {s.median:.2f} / {s.high:.2f}"


def print_report(rows: list[Row], verdicts: list[Verdict], machine: dict, a) -> None:
    found = machine["versions"]
    print()
    print(loadlib.machine_lines(machine))
    print(
        f"Servers  fasterapi {found[servers.OURS]}; uvicorn {found['uvicorn']} with websockets"
        f" {found['websockets']} and wsproto {found['wsproto']};\n"
        f"         CPython {found['python']}, uvloop {found['uvloop']}\n"
        f"Method   server on core {loadlib.SERVER_CORE}, {CONNECTIONS} connections from core"
        f" {loadlib.CLIENT_CORE}, one message each at a time, every echo compared;\n"
        f"         {a.rounds} rounds of {a.seconds} s, in turns; CPU is user + system time;"
        " least / median / greatest\n"
    )
    print(f"{'messages':<22} {'server':<26} {'CPU us a message':>24} {'messages/s':>11} {'x fasterapi':>20}")
    for r in rows:
        ours = spread(r.to_ours) if r.to_ours else ""
        print(f"{r.case:<22} {r.server:<26} {spread(r.cpu_us):>24}"
              f" {r.per_second.median:>11,.0f} {ours:>20}")  # fmt: skip
    print()
    for v in verdicts:
        said = "met" if v.met else "MISSED"
        print(f"{v.case + ', ' + v.peer:<50} {spread(v.ratio):>22}   >= {v.target:g} {said}")


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--build", type=pathlib.Path, default="build-release", help="has ws_load")
    p.add_argument("--servers", default="fasterapi,uvicorn", help="default %(default)s")
    p.add_argument("--only", default="", help="cases with this in their name")
    p.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    p.add_argument("--seconds", type=int, default=2, help="a measurement; default %(default)s")
    p.add_argument("--json", type=pathlib.Path, default=RESULTS / "websocket.json",
                   help="default %(default)s")  # fmt: skip
    p.add_argument("--strict", action="store_true", help="exit 1 when a target is missed")
    return p.parse_args()


def main() -> int:
    a = arguments()
    loadlib.need_tools()
    program = loadlib.ROOT / a.build / "bench" / "load" / "ws_load"
    if not program.exists():
        raise loadlib.BenchError(f"{program} is not built; run `make build`")
    machine = loadlib.machine()
    machine["versions"] = servers.versions()
    names = a.servers.split(",")
    servers.need(names, machine["versions"])
    rows: list[Row] = []
    with contextlib.ExitStack() as stack:
        running = []
        for name in names:
            for ws in UVICORNS if name == "uvicorn" else ("auto",):
                server = servers.start(name, "raw:app", ws=ws)
                stack.callback(server.stop)
                if name == "uvicorn":
                    server.name = f"uvicorn {ws}"
                running.append(server)
        for case in CASES:
            if a.only in case.name:
                rows += rows_of(case, take_turns(program, running, case, a))
    verdicts = judge(rows)
    print_report(rows, verdicts, machine, a)
    result = {"machine": machine, "rows": rows, "verdicts": verdicts}
    return loadlib.kept(result, a, [v.met for v in verdicts])


if __name__ == "__main__":
    loadlib.run_program(main)
