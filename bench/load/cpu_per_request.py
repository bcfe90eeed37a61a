#!/usr/bin/env python3
"""CPU time of a server per request, beside the kernel's floor.

    cpu_per_request.py 'build-release/examples/one_million/one_million --port {port}'
    cpu_per_request.py --load event --connections 1000 'some-server {port}'

The server and the floor are started on core 0, wrk runs on core 1. Both are checked
for right answers and warmed up; then they take turns, and each round gives a ratio.
What is printed is the least, the median and the greatest of them. On a busy machine
microseconds and requests/s mean little, the ratio much.
"""

import argparse
import contextlib
import shlex
import sys

import loadlib


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("server", nargs="?", help="its command; {port} becomes the port to listen on")
    p.add_argument("--floor", default="build-release/bench/load/floor {port}", help="%(default)s")
    p.add_argument("--load", choices=["get", "event", "pipeline"], default="get")
    p.add_argument("--connections", type=int, default=64, help="default %(default)s")
    p.add_argument("--depth", type=int, default=16, help="of the pipeline; default %(default)s")
    p.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    p.add_argument("--seconds", type=int, default=2, help="a measurement; default %(default)s")
    p.add_argument("--body", help="what the server must answer; default: for get and pipeline "
                   "the floor's body, for event any body")  # fmt: skip
    p.add_argument("--json", action="store_true", help="the result as JSON")
    return p.parse_args()


def load_of(a: argparse.Namespace) -> loadlib.Load:
    if a.load == "event":
        return loadlib.event(a.connections)
    if a.load == "pipeline":
        return loadlib.pipelined(a.connections, a.depth)
    return loadlib.get(a.connections)


def report(subjects, samples, machine: dict) -> dict:
    floor = samples[subjects[0]]
    servers = {}
    for subject in subjects:
        mine = samples[subject]
        servers[subject[0].name] = {
            "cpu_us": loadlib.Spread.of(s.cpu_us for s in mine),
            "per_second": loadlib.Spread.of(s.per_second for s in mine),
            "ratio": loadlib.ratio(mine, floor, lambda s: s.cpu_us),
            "peak_mib": subject[0].peak_mib(),
        }
    return {"machine": machine, "load": subjects[0][1].name, "servers": servers}


def print_report(result: dict) -> None:
    print(loadlib.machine_lines(result["machine"]))
    print(f"Load     {result['load']}; CPU us a request: min / median / max of the rounds\n")
    for name, s in result["servers"].items():
        cpu, rate, ratio = s["cpu_us"], s["per_second"], s["ratio"]
        print(
            f"{name:<10} {cpu.low:6.2f} / {cpu.median:6.2f} / {cpu.high:6.2f} us"
            f"   {rate.median:11,.0f}/s   {s['peak_mib']:6.1f} MiB"
            f"   {ratio.low:.3f} / {ratio.median:.3f} / {ratio.high:.3f} x floor"
        )


def main() -> int:
    a = arguments()
    loadlib.need_tools()
    machine = loadlib.machine()
    load = load_of(a)
    with contextlib.ExitStack() as stack:
        commands = {"floor": a.floor} | ({"server": a.server} if a.server else {})
        subjects = []
        for name, command in commands.items():
            server = loadlib.Server(name, shlex.split(command))
            stack.callback(server.stop)
            body = loadlib.HELLO if name == "floor" or a.load != "event" else None
            if name == "server" and a.body is not None:
                body = a.body.encode()
            load.check(server, body)
            subjects.append((server, load))
        say = (lambda _: None) if a.json else (lambda text: print(text, flush=True))
        samples = loadlib.take_turns(subjects, a.rounds, a.seconds, say)
        result = report(subjects, samples, machine)
    if a.json:
        print(loadlib.as_json(result))
    else:
        print_report(result)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (loadlib.BenchError, OSError) as e:
        sys.exit(f"cpu_per_request: {e}")
