"""python -m fuzz_compiled.slices --kept DIR [--seed N] [--requests N] [--seconds N] [--slice N]

A long run in slices of so many requests. What came of each is a file in DIR; a slice that has its
file is not run again, so that the same command goes on where a run was broken off."""

import argparse
import collections
import json
import multiprocessing
import os
import pathlib
import signal
import sys
import time

from fuzz_compiled.__main__ import parser_of, share

STRIDE = 1_000_000  # between the applications of two slices
HOUR = 3600.0  # for a slice, however busy the machine


def options() -> argparse.Namespace:
    parser = parser_of()
    parser.description = __doc__
    parser.add_argument("--kept", type=pathlib.Path, required=True)
    parser.add_argument("--slice", type=int, default=20_000, help="requests")
    parser.set_defaults(per_app=2000, processes=2, requests=10_000_000)
    return parser.parse_args()


class Slice:
    def __init__(self, arguments: argparse.Namespace, number: int) -> None:
        self.arguments, self.number = arguments, number
        self.file = arguments.kept / f"{arguments.seed}-{number}.json"
        self.began = 0.0
        self.process = multiprocessing.Process(target=self.run, daemon=True)

    def start(self) -> None:
        self.began = time.monotonic()
        self.process.start()

    def run(self) -> None:
        """In a process of its own: what a thousand applications leave in caches goes with it."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)  # applications print, too
        alone = {**vars(self.arguments), "processes": 1, "requests": self.arguments.slice}
        alone |= {"found": self.arguments.kept / "found", "seconds": float("inf")}
        counts, differences = share(argparse.Namespace(**alone), self.number * STRIDE)
        self.write(counts, differences)

    def write(self, counts: collections.Counter, differences: list[str]) -> None:
        found = {"counts": counts, "differences": differences}
        unfinished = self.file.with_suffix(".part")
        unfinished.write_text(json.dumps(found, indent=1))
        unfinished.rename(self.file)

    def is_over(self) -> bool:
        if self.process.is_alive() and time.monotonic() < self.began + HOUR:
            return False
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        if not self.file.exists():
            end = f"slice {self.number}: no result, exit code {self.process.exitcode}"
            self.write(collections.Counter(), [end])
        for text in json.loads(self.file.read_text())["differences"]:
            print(text, flush=True)
        return True


def run(arguments: argparse.Namespace) -> None:
    arguments.kept.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + arguments.seconds
    slices = (Slice(arguments, n) for n in range(arguments.requests // arguments.slice))
    left = [one for one in slices if not one.file.exists()][::-1]
    running: list[Slice] = []
    while running or (left and time.monotonic() < end):
        while left and len(running) < arguments.processes and time.monotonic() < end:
            running.append(left.pop())
            running[-1].start()
        time.sleep(0.2)
        running = [one for one in running if not one.is_over()]
        if time.monotonic() > end:  # these are run again the next time
            for one in running:
                one.process.kill()
                one.process.join()
            return


def tell(kept: pathlib.Path) -> int:
    """Of all slices that are there, whichever run they are of; how many differences."""
    total: collections.Counter = collections.Counter()
    differences = slices = 0
    for file in sorted(kept.glob("*.json")):
        found = json.loads(file.read_text())
        total.update(found["counts"])
        differences += len(found["differences"])
        slices += 1
    for name, count in total.most_common():
        print(f"{count:9}  {name}")
    print(f"{slices} slices, {differences} differences")
    return differences


def main() -> int:
    arguments = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and no slice goes on alone
    run(arguments)
    return 1 if tell(arguments.kept) else 0


if __name__ == "__main__":
    sys.exit(main())
