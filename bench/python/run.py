#!/usr/bin/env python3
"""CPU time per request of ASGI servers on the same applications, beside the kernel's floor.

    run.py [--engine asgi|auto] [--rounds 5] [--seconds 2] [--log off|on|both]
           [--only TEXT] [--strict]

One server is measured at a time, on core 0, by one thread of wrk with 64 connections on
core 1. All servers take turns within each round, the floor among them, and each round
gives ratios of its own; a figure is their median, with the least and the greatest beside
it. Before anything is measured, status, type and body of all servers' answers are
compared; with access logs on, there must be a line for each request afterwards.

Before it is believed, look at the load average and at the spread.
"""

import argparse
import contextlib
import dataclasses
import http.client
import pathlib

import chart
import servers

from servers import loadlib  # isort: skip

CONNECTIONS = 64
ITEM = '{"name":"a thing","price":4.5,"tags":["red","round"]}'
EVENT = '{"userId":"user_42","value":7}'
RESULTS = loadlib.ROOT / "bench" / "results"


@dataclasses.dataclass(frozen=True)
class Case:
    """One load on one application. The targets are how many times our CPU time others need:
    those of the asgi engine, and with `--engine auto` of the compiled one. The floor's is
    how many times its CPU time we may need; `requests/s` is what we must serve."""

    app: str
    path: str
    body: str | None = None
    kind: str = "application/json"
    targets: tuple[tuple[str, float], ...] = ()
    compiled: tuple[tuple[str, float], ...] = ()
    depth: int = 1  # requests in one write

    def targets_of(self, engine: str) -> tuple[tuple[str, float], ...]:
        return self.compiled if engine == "auto" else self.targets

    @property
    def name(self) -> str:
        module, _, name = self.app.partition(":")
        kind = {"raw": "raw", "middleware": f"behind {name}"}.get(module, "FastAPI")
        depth = f" x{self.depth}" if self.depth > 1 else ""
        return f"{kind} {'GET' if self.body is None else 'POST'} {self.path}{depth}"

    @property
    def load(self) -> loadlib.Load:
        if self.depth > 1:
            return loadlib.pipelined(CONNECTIONS, self.depth)
        if self.body is None:
            return loadlib.Load(self.name, CONNECTIONS, self.path)
        script = str(servers.HERE / "post.lua")
        return loadlib.Load(self.name, CONNECTIONS, self.path, script, (self.kind, self.body))

    def ask(self, port: int) -> tuple[int, str | None, bytes]:
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        fields = {} if self.body is None else {"Content-Type": self.kind}
        c.request("GET" if self.body is None else "POST", self.path, self.body, fields)
        answer = c.getresponse()
        found = answer.status, answer.headers["Content-Type"], answer.read()
        c.close()
        return found


PER_SECOND = "requests/s"
FASTER = (("uvicorn", 1.0), ("granian", 1.0))
CASES = [
    Case("raw:app", "/", targets=(("uvicorn", 2.5), ("granian", 2.2))),
    Case("raw:app", "/count", "z" * 1024, "application/octet-stream"),
    Case("raw:app", "/stream"),
    Case("app:app", "/", targets=FASTER, compiled=(("floor", 1.3), ("uvicorn", 16.0))),
    Case("app:app", "/", compiled=((PER_SECOND, 700_000.0),), depth=16),
    Case("app:app", "/sync", targets=FASTER, compiled=(("uvicorn", 4.0),)),
    Case("app:app", "/health", targets=FASTER),
    Case("app:app", "/items/42?q=hi", targets=FASTER,
         compiled=(("floor", 1.35), ("uvicorn", 21.0))),
    Case("app:app", "/items", ITEM, targets=FASTER),
    Case("app:app", "/event", EVENT, targets=FASTER,
         compiled=(("floor", 1.55), ("uvicorn", 20.0))),
    Case("app:app", "/stats", targets=FASTER),
    Case("app:app", "/tree", targets=FASTER, compiled=(("uvicorn", 15.0),)),
    Case("app:app", "/rows", targets=FASTER, compiled=(("uvicorn", 2.0),)),
    Case("middleware:none", "/items/42?q=hi"),
    Case("middleware:known", "/items/42?q=hi"),
    Case("middleware:pure", "/items/42?q=hi", compiled=(("uvicorn", 6.0),)),
    Case("middleware:function", "/items/42?q=hi", compiled=(("uvicorn", 2.0),)),
]


@dataclasses.dataclass
class Row:
    case: str
    log: bool
    server: str
    cpu_us: loadlib.Spread
    per_second: loadlib.Spread
    to_floor: loadlib.Spread
    to_ours: loadlib.Spread  # this server's CPU time divided by ours


@dataclasses.dataclass
class Verdict:
    case: str
    log: bool
    peer: str
    target: float
    ratio: loadlib.Spread
    met: bool


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--build", type=pathlib.Path, default="build-release", help="has the floor")
    p.add_argument("--engine", choices=["asgi", "auto"], default="asgi",
                   help="of fasterapi; default %(default)s")  # fmt: skip
    p.add_argument("--peers", default="uvicorn,granian",
                   help=f"of {', '.join(servers.PEERS)}; default %(default)s")  # fmt: skip
    p.add_argument("--log", choices=["off", "on", "both"], default="both",
                   help="access logs, to a file; default %(default)s")  # fmt: skip
    p.add_argument("--only", default="", help="cases with this in their name")
    p.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    p.add_argument("--seconds", type=int, default=2, help="a measurement; default %(default)s")
    p.add_argument("--json", type=pathlib.Path, default=RESULTS / "python.json",
                   help="default %(default)s")  # fmt: skip
    p.add_argument("--svg", type=pathlib.Path, default=RESULTS / "python.svg",
                   help="default %(default)s")  # fmt: skip
    p.add_argument("--strict", action="store_true", help="exit 1 when a target is missed")
    return p.parse_args()


def compare_answers(cases: list[Case], running: list[loadlib.Server]) -> None:
    for case in cases:
        wanted = case.ask(running[0].port)
        if wanted[0] != 200:
            raise loadlib.BenchError(f"{running[0].name}: {case.name} was answered {wanted}")
        for server in running[1:]:
            if (got := case.ask(server.port)) != wanted:
                raise loadlib.BenchError(
                    f"{case.name}: {running[0].name} answers {wanted}, {server.name} {got}"
                )


def check_logs(requests: dict[loadlib.Server, int], log: bool) -> None:
    for server, answered in requests.items():
        lines = server.lines(b'" 200')
        if log and lines < answered:
            raise loadlib.BenchError(
                f"{server.name} answered {answered} requests and logged {lines} lines"
            )
        if not log and lines > 0:
            raise loadlib.BenchError(f"{server.name} was told not to log: {server.tail()}")


def measure(app: str, log: bool, a: argparse.Namespace, floor, rows: list[Row]) -> None:
    """All cases of one application. The servers are started afresh."""
    cases = [c for c in CASES if c.app == app and a.only in c.name]
    if not cases:
        return
    print(f"\n{app}, access log {'to a file' if log else 'off'}", flush=True)
    names = [servers.OURS, *a.peers]
    with contextlib.ExitStack() as stack:
        running = []
        for name in names:
            more = ("--engine", a.engine) if name == servers.OURS else ()
            running.append(servers.start(name, app, log=log, more=more))
            stack.callback(running[-1].stop)
        compare_answers(cases, running)
        requests = dict.fromkeys(running, 0)
        for case in cases:
            beside = case.load if case.depth > 1 else loadlib.get(CONNECTIONS)
            subjects = [(floor, beside), *((s, case.load) for s in running)]
            samples = loadlib.take_turns(
                subjects, a.rounds, a.seconds, lambda text: print(text, flush=True)
            )
            base, ours = samples[subjects[0]], samples[subjects[1]]
            for subject in subjects[1:]:
                mine = samples[subject]
                requests[subject[0]] += sum(s.requests for s in mine)
                rows.append(
                    Row(
                        case.name,
                        log,
                        subject[0].name,
                        loadlib.Spread.of(s.cpu_us for s in mine),
                        loadlib.Spread.of(s.per_second for s in mine),
                        loadlib.ratio(mine, base, lambda s: s.cpu_us),
                        loadlib.ratio(mine, ours, lambda s: s.cpu_us),
                    )
                )
        check_logs(requests, log)


def judge(rows: list[Row], engine: str) -> list[Verdict]:
    found = []
    for case in CASES:
        for peer, target in case.targets_of(engine):
            # What is only of ours, or of the floor, stands in our own row.
            server = servers.OURS if peer in ("floor", PER_SECOND) else peer
            for row in rows:
                if (row.case, row.server) == (case.name, server):
                    figure = {"floor": row.to_floor, PER_SECOND: row.per_second}.get(
                        peer, row.to_ours
                    )
                    met = figure.median <= target if peer == "floor" else figure.median >= target
                    found.append(Verdict(case.name, row.log, peer, target, figure, met))
    return found


def spread(s: loadlib.Spread) -> str:
    return f"{s.low:.2f} / {s.median:.2f} / {s.high:.2f}"


def print_report(rows: list[Row], verdicts: list[Verdict], machine: dict, a) -> None:
    print()
    print(loadlib.machine_lines(machine))
    found = machine["versions"]
    listed = [f"{name} {found[name]}" for name in a.peers]
    print(f"Servers  fasterapi {found[servers.OURS]} (engine {a.engine}), {', '.join(listed)};")
    print(f"         CPython {found['python']}, uvloop {found['uvloop']}, fastapi {found['fastapi']}")
    print(
        f"Method   server on core {loadlib.SERVER_CORE}, wrk -t1 -c{CONNECTIONS} on core "
        f"{loadlib.CLIENT_CORE}; {a.rounds} rounds of {a.seconds} s, in turns, after\n"
        "         1 s of warm-up; CPU is user + system time of all the server's processes; the\n"
        "         floor is a C loop that parses nothing; ratios are taken within a round;\n"
        "         least / median / greatest"
    )
    for log in sorted({r.log for r in rows}):
        print(f"\nAccess log {'to a file' if log else 'off'}")
        print(f"{'case':<28} {'server':<10} {'CPU us a request':>24} {'requests/s':>11}"
              f" {'x floor':>8} {'x fasterapi':>20}")  # fmt: skip
        for r in rows:
            if r.log == log:
                ours = "" if r.server == servers.OURS else spread(r.to_ours)
                print(f"{r.case:<28} {r.server:<10} {spread(r.cpu_us):>24}"
                      f" {r.per_second.median:>11,.0f} {r.to_floor.median:>8.2f} {ours:>20}")  # fmt: skip
    print(f"\n{'target: CPU a request against ours; ours against the floor':<52} {'ratio':>20}")
    for v in verdicts:
        log = ", logged" if v.log else ""
        bound = "<=" if v.peer == "floor" else ">="
        print(f"{v.case + log + ', ' + v.peer:<52} {spread(v.ratio):>20}"
              f"   {bound} {v.target:g} {'met' if v.met else 'MISSED'}")  # fmt: skip
    missed = sum(not v.met for v in verdicts)
    print(f"\n{len(verdicts) - missed} of {len(verdicts)} targets met")


def main() -> int:
    a = arguments()
    a.peers = a.peers.split(",")
    if unknown := set(a.peers) - set(servers.PEERS):
        raise loadlib.BenchError(f"no such peer: {', '.join(sorted(unknown))}")
    loadlib.need_tools()
    machine = loadlib.machine()
    machine["versions"] = servers.versions()
    servers.need([servers.OURS, *a.peers], machine["versions"])
    floor = servers.floor(loadlib.ROOT / a.build)
    rows: list[Row] = []
    try:
        for log in {"off": [False], "on": [True], "both": [False, True]}[a.log]:
            for app in dict.fromkeys(case.app for case in CASES):
                measure(app, log, a, floor, rows)
    finally:
        floor.stop()
    if not rows:
        raise loadlib.BenchError(f"no case has {a.only!r} in its name")
    verdicts = judge(rows, a.engine)
    print_report(rows, verdicts, machine, a)
    method = {"engine": a.engine, "rounds": a.rounds, "seconds": a.seconds}
    method["connections"] = CONNECTIONS
    result = {"machine": machine, "method": method, "rows": rows, "verdicts": verdicts}
    status = loadlib.kept(result, a, [v.met for v in verdicts])
    a.svg.write_text(chart.bars(rows, machine, method))
    print(f"Written: {a.json} and {a.svg}")
    return status


if __name__ == "__main__":
    loadlib.run_program(main)
