#!/usr/bin/env python3
"""The load figures of the server in C, beside the kernel's floor and nginx, in one run.

    run.py [--build build-release] [--rounds 5] [--seconds 2] [--json FILE] [--strict]

One server is measured at a time, on core 0, by one thread of wrk on core 1; within a
figure all that it compares take turns, and every round gives a ratio of its own. The
figure is the median of those, with the least and the greatest beside it. Answers are
checked byte by byte before, and afterwards GET /stats must have counted every event.

Before it is believed, look at the load average and at the spread.
"""

import argparse
import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import shlex
import sys

import loadlib


@dataclasses.dataclass
class Figure:
    """`what` of `above` divided by that of `below`, held to `target`."""

    name: str
    what: str  # "cpu_us": lower is better; "per_second": higher is
    above: str
    below: str
    target: float | None
    ratio: loadlib.Spread
    met: bool  # true without a target


@dataclasses.dataclass
class Row:
    """One server under one load."""

    load: str
    server: str
    cpu_us: loadlib.Spread
    per_second: loadlib.Spread


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--build", default=os.environ.get("FA_BUILD_DIR", "build-release"),
                   help="build directory with floor and server; default %(default)s")  # fmt: skip
    p.add_argument("--server", help="command of the server under test, {port} in it; default: "
                   "one_million of the build, one thread")  # fmt: skip
    p.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    p.add_argument("--seconds", type=int, default=2, help="a measurement; default %(default)s")
    p.add_argument("--depth", type=int, default=16, help="of the pipeline; default %(default)s")
    p.add_argument("--json", metavar="FILE", help="the result as JSON, too")
    p.add_argument("--strict", action="store_true", help="exit 1 when a target is missed")
    return p.parse_args()


class Bench:
    def __init__(self, a: argparse.Namespace, floor, server, nginx):
        self.a, self.floor, self.server, self.nginx = a, floor, server, nginx
        self.rows: list[Row] = []
        self.figures: list[Figure] = []
        self.events = 0  # that the server must have counted

    def turns(self, subjects: list[loadlib.Subject]) -> dict:
        """Checks and measures those that are there."""
        subjects = [s for s in subjects if s[0] is not None]
        for server, load in subjects:
            event = load.path == "/event"
            load.check(server, None if event and server is self.server else loadlib.HELLO)
            self.events += server is self.server and event
        samples = loadlib.take_turns(
            subjects, self.a.rounds, self.a.seconds, lambda text: print(text, flush=True)
        )
        for (server, load), mine in samples.items():
            if server is self.server and load.path == "/event":
                self.events += sum(s.requests for s in mine)
            self.rows.append(
                Row(
                    load.name,
                    server.name,
                    loadlib.Spread.of(s.cpu_us for s in mine),
                    loadlib.Spread.of(s.per_second for s in mine),
                )
            )
        return samples

    def hold(self, samples, name, what, above, below, target) -> None:
        if above not in samples or below not in samples:
            return
        spread = loadlib.ratio(samples[above], samples[below], lambda s: getattr(s, what))
        low_is_good = what == "cpu_us"
        met = target is None or (spread.median <= target) == low_is_good
        names = [f"{s[0].name}, {s[1].name}" for s in (above, below)]
        self.figures.append(Figure(name, what, *names, target, spread, met))

    def run(self) -> None:
        get, pipelined = loadlib.get(64), loadlib.pipelined(64, self.a.depth)
        event, crowd = loadlib.event(64), loadlib.event(1000)
        floor, server, nginx = self.floor, self.server, self.nginx

        s = self.turns([(floor, get), (server, get)])
        self.hold(s, "GET / c64 against the floor", "cpu_us", (server, get), (floor, get), 1.12)
        s = self.turns([(floor, event), (server, event), (server, crowd), (floor, crowd)])
        self.hold(s, "POST /event c64 against the floor", "cpu_us",
                  (server, event), (floor, event), 1.20)  # fmt: skip
        self.hold(s, "POST /event c1000 against its own c64", "cpu_us",
                  (server, crowd), (server, event), 1.20)  # fmt: skip
        self.hold(s, "POST /event c1000 against the floor's c1000", "cpu_us",
                  (server, crowd), (floor, crowd), None)  # fmt: skip
        self.hold(s, "the floor's own c1000 against c64", "cpu_us",
                  (floor, crowd), (floor, event), None)  # fmt: skip
        s = self.turns([(floor, pipelined), (server, pipelined), (nginx, pipelined)])
        self.hold(s, f"pipelined x{self.a.depth} against nginx", "per_second",
                  (server, pipelined), (nginx, pipelined), 3.5)  # fmt: skip
        self.hold(s, f"pipelined x{self.a.depth} against the floor", "per_second",
                  (server, pipelined), (floor, pipelined), None)  # fmt: skip
        if server is not None:
            self.check_count()

    def check_count(self) -> None:
        """The server may have counted more than wrk saw answered, for the warm-up and the
        events cut off at the end of each run are not among these; never fewer."""
        c = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        c.request("GET", "/stats")
        stats = json.loads(c.getresponse().read())
        c.close()
        if stats["totalRequests"] < self.events:
            raise loadlib.BenchError(
                f"the server answered {self.events} events and counted {stats['totalRequests']}"
            )
        print(f"\nevents answered: {self.events:,}; counted: {stats['totalRequests']:,}")


def print_report(b: Bench, machine: dict) -> None:
    a = b.a
    print()
    print(loadlib.machine_lines(machine))
    print(
        f"Method   server on core {loadlib.SERVER_CORE}, wrk -t1 on core {loadlib.CLIENT_CORE}; "
        f"{a.rounds} rounds of {a.seconds} s, in turns, after 1 s of warm-up;\n"
        "         CPU is user + system time of the server's processes; ratios are taken\n"
        "         within a round; min / median / max\n"
    )
    print(f"{'load':<18} {'server':<12} {'CPU us a request':>24} {'requests/s':>12}")
    for r in b.rows:
        cpu = f"{r.cpu_us.low:.2f} / {r.cpu_us.median:.2f} / {r.cpu_us.high:.2f}"
        print(f"{r.load:<18} {r.server:<12} {cpu:>24} {r.per_second.median:>12,.0f}")
    print(f"\n{'figure':<44} {'ratio':>24}   target")
    for f in b.figures:
        ratio = f"{f.ratio.low:.3f} / {f.ratio.median:.3f} / {f.ratio.high:.3f}"
        if f.target is None:
            target = "-"
        else:
            sign = "<=" if f.what == "cpu_us" else ">="
            target = f"{sign} {f.target:g}  {'met' if f.met else 'MISSED'}"
        print(f"{f.name:<44} {ratio:>24}   {target}")


def main() -> int:
    a = arguments()
    build = loadlib.ROOT / a.build
    program = build / "examples/one_million/one_million"
    command = a.server or f"{program} --port {{port}} --threads 1"
    loadlib.need_tools()
    machine = loadlib.machine()
    with contextlib.ExitStack() as stack:

        def start(name: str, *parts: str) -> loadlib.Server:
            server = loadlib.Server(name, list(parts))
            stack.callback(server.stop)
            return server

        floor = start("floor", str(build / "bench/load/floor"), "{port}")
        server = None
        if a.server or program.exists():
            server = start("one_million", *shlex.split(command))
        else:
            print(f"{program} is not there: the floor and nginx only")
        nginx = stack.enter_context(loadlib.nginx())
        if nginx is None:
            print("nginx is not installed (Debian: nginx-light): left out")
        bench = Bench(a, floor, server, nginx)
        bench.run()
        print_report(bench, machine)
        if server is not None:
            print(f"\npeak memory of the server: {server.peak_mib():.1f} MiB")
    if a.json:
        result = {"machine": machine, "rows": bench.rows, "figures": bench.figures}
        pathlib.Path(a.json).write_text(loadlib.as_json(result) + "\n")
    return 1 if a.strict and not all(f.met for f in bench.figures) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (loadlib.BenchError, OSError) as e:
        sys.exit(f"run: {e}")
