"""python -m fuzz_compiled [--seed N] [--requests N] [--processes N] [--app N]

Generated applications under both tiers, in one process each. A difference is shown with the
application's source, which is kept in --found, and with the request."""

import argparse
import collections
import gc
import itertools
import logging
import multiprocessing
import pathlib
import sys
import time
import warnings
from collections.abc import Iterator

from fuzz_compiled.apps import App, app_of
from fuzz_compiled.clock import Loop, end_threads
from fuzz_compiled.sides import Engine, Seen, Uvicorn, answer_in, load
from fuzz_compiled.traffic import Exchange, Traffic
from fuzz_compiled.values import Dice

ROOT = pathlib.Path(__file__).resolve().parents[4]

EARLY = ("HTTPSRedirectMiddleware", "TrustedHostMiddleware")

SHOWN = 5  # differences of one process


class Run:
    """The share of one process."""

    def __init__(self, arguments: argparse.Namespace, number: int) -> None:
        self.arguments, self.number = arguments, number
        self.counts: collections.Counter = collections.Counter()
        self.differences: list[str] = []
        self.stray: list[str] = []

    def apps(self) -> Iterator[int]:
        if self.arguments.app is not None:
            yield self.arguments.app
            return
        end = time.monotonic() + self.arguments.seconds
        wanted = self.arguments.requests // self.arguments.processes
        for number in itertools.count(self.number, self.arguments.processes):
            if self.counts["requests"] >= wanted or len(self.differences) >= SHOWN:
                return
            if time.monotonic() > end:
                self.counts["out of time"] += 1
                return
            yield number

    def steps(self, loop: Loop) -> Iterator[None]:
        for number in self.apps():
            yield from self.one_app(f"{self.arguments.seed}:{number}", loop)

    def one_app(self, seed: str, loop: Loop) -> Iterator[None]:
        app = app_of(seed)
        try:
            # uvicorn's is that of the first; it is not asked where requests change something.
            modules = [load(app.source), load(app.source)]
            sides = [Engine(modules[0], loop, False), Engine(modules[1], loop, True)]
            reference = Uvicorn(modules[0], loop)
        except Exception as error:  # FastAPI refuses it, as it may
            self.counts["refused apps"] += 1
            if self.arguments.verbose:
                print(f"{seed}: {type(error).__name__}: {str(error)[:200]}")
            return
        self.counts["apps"] += 1
        only_look_at_what_comes()
        traffic = Traffic(Dice(f"{seed} traffic"), app)
        for at in range(self.arguments.per_app):
            exchange = traffic.exchange()
            self.counts["requests"] += 1
            for side in sides:
                yield from side.run(exchange)
                put_in_order(app, side.seen)
            name = f"{seed} request {at}"
            seen = [side.seen for side in sides]
            if exchange.plain and not app.mutates and at % self.arguments.every == 0:
                self.counts["also under uvicorn"] += 1
                yield from reference.run(exchange)
                put_in_order(app, reference.seen)
                self.judge_reference(name, app.source, exchange, [reference.seen, seen[1]])
            self.judge(name, app, exchange, seen)
            if self.hangs(exchange, seen):  # its limiters have no tokens left
                self.counts["apps that wait for ever"] += 1
                break
            if len(self.differences) >= SHOWN:
                break
        for side in (*sides, reference):
            yield from side.close()
        self.count_tiers(sides[1])

    def count_tiers(self, side: Engine) -> None:
        self.counts["plans"] += len(side.plans)
        for plan in side.plans:
            self.counts["served"] += plan.served
            self.counts["passed on"] += plan.passed_on
        if side.reason:
            self.counts[f"reason: {side.reason}"] += 1
        else:
            for route in side.routes:
                self.counts["routes"] += 1
                if route.reason:
                    self.counts[f"reason: {route.reason}"] += 1

    def judge(self, name: str, app: App, exchange: Exchange, seen: list[Seen]) -> None:
        asgi, compiled = seen
        if exchange.pipelined:
            # What is left to do of a request runs beside the next one.
            for one in seen:
                one.said.sort()
                one.logged.sort(key=repr)
        if exchange.abrupt:
            # How far they come before they learn that the client is gone is a matter of time.
            asgi, compiled = Seen(), Seen()
        if exchange.large:
            # A plan has read it; what nobody reads ends the connection.
            asgi.received = asgi.received.replace(b"\r\nconnection: close", b"")
            compiled.received = compiled.received.replace(b"\r\nconnection: close", b"")
            asgi.closed = compiled.closed
        if exchange.cut and not collections.Counter(compiled.said) - collections.Counter(asgi.said):
            # A plan begins with the whole body; without it the application is not called.
            asgi.said = compiled.said
        if exchange.cut and not compiled.received and not asgi.said and may_answer_early(app):
            asgi = compiled
        if asgi != compiled or self.stray or any(one.stuck for one in seen):
            self.tell(name, app.source, exchange, seen, ("asgi", "compiled"))

    @staticmethod
    def hangs(exchange: Exchange, seen: list[Seen]) -> bool:
        """A whole request without any answer: what comes later on the connection waits, too."""
        if exchange.ends or exchange.cut:
            return False
        return any(not one.received and not one.closed for one in seen)

    def judge_reference(
        self, name: str, source: str, exchange: Exchange, seen: list[Seen]
    ) -> None:
        """As far as docs/differences-uvicorn.md does not say otherwise."""
        reference, ours = (
            (answer_in(one.received), one.said, one.closed, one.stuck) for one in seen
        )
        if any(words[0] == "error" for words in seen[1].logged):
            reference, ours = reference[:2], ours[:2]
        if reference != ours:
            self.tell(name, source, exchange, seen, ("uvicorn", "compiled"))

    def tell(
        self,
        name: str,
        source: str,
        exchange: Exchange,
        seen: list[Seen],
        servers: tuple[str, str],
    ) -> None:
        found = pathlib.Path(self.arguments.found)
        found.mkdir(parents=True, exist_ok=True)
        kept = found / (name.split()[0].replace(":", "-") + ".py")
        kept.write_text(source)
        lines = [f"== {name}: {kept}", f"sent {b''.join(exchange.pieces)[:1500]!r} {exchange.ends=}"]
        for field in ("received", "closed", "said", "logged", "stuck"):
            for server, one in zip(servers, seen, strict=True):
                if len({repr(getattr(one, field)) for one in seen}) > 1:
                    lines.append(f"{field}: {server:8} {str(getattr(one, field))[:1500]}")
        lines += [f"stray: {text}" for text in self.stray]
        self.stray.clear()
        self.differences.append("\n".join(lines))
        print(self.differences[-1], flush=True)


def put_in_order(app: App, seen: Seen) -> None:
    """The last word of a function of middleware comes beside the thread in which a `def`
    generator is streamed."""
    if "call_next" in app.source:
        seen.said.sort(key=lambda words: len(words) == 1)


def may_answer_early(app: App) -> bool:
    """Whether a request may be answered that has not come whole: without a route that has been
    taken away since, or by middleware. A plan waits for the body before it looks."""
    return app.mutates or any(layer in app.source for layer in EARLY)


def take_turns(loop: Loop, steps: Iterator[None]) -> None:
    """Outside of any task: a guest's poll() steps coroutines as tasks of their own."""

    def turn() -> None:
        try:
            next(steps)
        except StopIteration:
            loop.stop()
        except BaseException:
            loop.stop()
            raise
        else:
            loop.call_soon(turn)

    loop.call_soon(turn)
    loop.run_forever()


def only_look_at_what_comes() -> None:
    """The collector, that is, and not at imported modules and built applications each time; of
    those the ones before are over."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def share(arguments: argparse.Namespace, number: int) -> tuple[collections.Counter, list[str]]:
    run = Run(arguments, number)
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    loop = Loop()
    loop.set_exception_handler(lambda _, context: run.stray.append(str(context)))
    sys.unraisablehook = lambda what: run.stray.append(f"{what.err_msg} {what.exc_value!r} {what.object!r}")
    take_turns(loop, run.steps(loop))
    gc.collect()
    end_threads()
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    run.differences += [f"stray: {text}" for text in run.stray]
    return run.counts, run.differences


def parser_of() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="no new ones then")
    parser.add_argument("--per-app", type=int, default=400)
    parser.add_argument("--every", type=int, default=20, help="so many go to uvicorn, too")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--app", type=int, help="this one only")
    parser.add_argument("--found", default=ROOT / "fuzz/found/compiled")
    parser.add_argument("--verbose", action="store_true")
    return parser


def main() -> int:
    arguments = parser_of().parse_args()
    began = time.monotonic()
    if arguments.processes == 1:
        shares = [share(arguments, 0)]
    else:
        with multiprocessing.Pool(arguments.processes) as pool:
            shares = pool.starmap(share, [(arguments, n) for n in range(arguments.processes)])
    counts = sum((found for found, _ in shares), collections.Counter())
    problems = [text for _, found in shares for text in found]
    for name, count in counts.most_common():
        print(f"{count:9}  {name}")
    print(f"{time.monotonic() - began:.1f} s, {len(problems)} differences")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
