"""Runs cases against uvicorn and us, and compares all that can be seen of them."""

import collections
import contextlib
import dataclasses
import pathlib
import re
import signal
import time
from collections.abc import Iterator

import differences
import patience
import peers
import wire

QUIET = 6  # looks, LOOK_S apart, at servers that have nothing to do and wrote nothing
LOOK_S = 0.05

# What it leaves behind of its own in the log must not depend on when it stops.
BOTH = ("--port", "0", "--timeout-graceful-shutdown", "1")


@dataclasses.dataclass
class Report:
    """Counted over the whole run, and shown at its end."""

    compared: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    differing: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    rules: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    tables: list[str] = dataclasses.field(default_factory=list)

    def plain(self) -> dict:
        """As pytest-xdist can carry it from one process to another."""
        return {n: dict(v) if isinstance(v, dict) else v for n, v in vars(self).items()}

    def add(self, part: dict) -> None:
        for name, found in part.items():
            mine = getattr(self, name)
            mine.extend(found) if name == "tables" else mine.update(found)

    def lines(self) -> list[str]:
        rows = [f"{'class':28} compared  documented difference"]
        for name, count in self.compared.items():
            rows.append(f"{name:28} {count:8}  {self.differing[name] or ''}")
        if self.compared:
            total, differing = sum(self.compared.values()), sum(self.differing.values())
            rows.append(f"{'in all':28} {total:8}  {differing}")
        for name, count in self.rules.most_common():
            rows.append(f"{count:8}  {name}")
        return rows if self.compared else []


@dataclasses.dataclass
class Pair:
    theirs: peers.Server
    ours: peers.Server
    site: pathlib.Path
    logs: pathlib.Path
    options: tuple[str, ...]

    def __iter__(self) -> Iterator[peers.Server]:
        return iter((self.theirs, self.ours))


@contextlib.contextmanager
def pair(site: pathlib.Path, logs: pathlib.Path, *options: str, **settings) -> Iterator[Pair]:
    options = (*options, "--ws", "none")
    reference = ["--http", "httptools"]
    with (
        peers.serving(
            "uvicorn", site, logs / "uvicorn", *options, *BOTH, *reference, **settings
        ) as theirs,
        peers.serving("fasterapi", site, logs / "fasterapi", *options, *BOTH, **settings) as ours,
    ):
        yield Pair(theirs, ours, site, logs, options)


def tiers_of(server: peers.Server) -> tuple[int, ...]:
    """Routes that are compiled, direct, and served through ASGI: what ours says at its start."""
    line = r"Engine: (\d+) routes compiled, (\d+) direct, (\d+) served through ASGI"
    found = re.search(line, server.text("err"))
    assert found is not None, server.text("err")
    return tuple(map(int, found.groups()))


def new_text(server: peers.Server, stream: str) -> str:
    return server.text(stream)[server.seen[stream] :]


def logs_alike(servers: Pair, pairs: list[tuple[wire.Outcome, ...]]) -> bool:
    """Puts the lines of each connection into its outcome."""
    others = [
        wire.share_out(new_text(server, "out"), [both[n] for both in pairs])
        for n, server in enumerate(servers)
    ]
    records = [records_of(server) for server in servers]
    return (
        others[0] == others[1]
        and records[0] == records[1]
        and all(theirs.log == ours.log for theirs, ours in pairs)
    )


def records_of(server: peers.Server) -> collections.Counter:
    return collections.Counter(wire.blocks_of(peers.normalised(new_text(server, "err"))))


def lines_missing(pairs: list[tuple[wire.Outcome, ...]]) -> bool:
    """Whether an access line must still come: a connection that was kept had one for each
    answer and one for the probe. (Of the others some were refused, which has none.)"""
    return any(
        outcome.kept and outcome.port and len(outcome.log) <= len(outcome.answers)
        for both in pairs
        for outcome in both
    )


def wait_for_logs(servers: Pair, pairs: list[tuple[wire.Outcome, ...]]) -> None:
    """Until they are alike; or all lines that must come are there, and both servers had
    nothing to do for a while. On a busy machine one may long wait for its turn."""
    deadline, quiet = time.monotonic() + patience.HANGS_S, 0
    before = None
    while not logs_alike(servers, pairs) and time.monotonic() < deadline:
        if quiet >= QUIET and not lines_missing(pairs):
            return
        now = [len(server.text(stream)) for server in servers for stream in ("out", "err")]
        idle = now == before and all(peers.is_idle(server) for server in servers)
        quiet = quiet + 1 if idle else 0
        before = now
        time.sleep(LOOK_S)


def second_opinion(servers: Pair, cases: list[wire.Case]) -> list[wire.Outcome]:
    """What uvicorn's other parser makes of them."""
    options = (*servers.options, *BOTH, "--http", "h11", "--ws", "none")
    with peers.serving("uvicorn", servers.site, servers.logs / "h11", *options) as h11:
        return [found for (found,) in wire.run((h11,), cases)]


def brief(name: str, outcome: wire.Outcome) -> str:
    answers = [
        f"{a.interim or ''}{a.status} {a.reason} {a.fields} {a.body[:120]!r}"
        f" ({len(a.body)}{'' if a.whole else ', cut'})"
        for a in outcome.answers
    ]
    end = "hung" if outcome.hung else "kept" if outcome.kept else "closed"
    return (
        f"  {name}: {end} left={outcome.left[:60]!r} log={str(outcome.log)[-160:]}\n    "
        + "\n    ".join(answers)
    )


def check(
    servers: Pair, name: str, cases: list[wire.Case], report: Report
) -> list[wire.Outcome]:
    """What uvicorn made of the cases; an error unless we have done the same."""
    pairs = wire.run(tuple(servers), cases)
    wait_for_logs(servers, pairs)
    fired: collections.Counter = collections.Counter()
    differing = []
    for case, (theirs, ours) in zip(cases, pairs, strict=True):
        report.compared[name] += 1
        rules, left, right = differences.apply(case, theirs, ours)
        fired.update(rules)
        if left.told() != right.told():
            differing.append((case, theirs, ours))
        elif rules:
            report.differing[name] += 1
    report.rules.update(fired)
    problems = [
        f"{case.name}: {case.sent[:200]!r}\n"
        + "\n".join(map(brief, ("uvicorn", "ours", "h11"), found))
        for case, *found in with_opinion(servers, differing[:5])
    ]
    others = [
        wire.share_out(new_text(server, "out"), [both[n] for both in pairs])
        for n, server in enumerate(servers)
    ]
    in_logs = differences.records_of_cases(cases, pairs)
    *records, used = differences.unexplained_records(*map(records_of, servers), fired + in_logs)
    report.rules.update({name: in_logs[name] for name in used & in_logs.keys()})
    for what, left, right in (
        ("standard output", others[0] - others[1], others[1] - others[0]),
        ("standard error", *records),
    ):
        if left or right:
            problems.append(f"{what}: only uvicorn {dict(left)}\nonly ours {dict(right)}")
    for server in servers:
        for stream in ("out", "err"):
            server.seen[stream] = len(server.text(stream))
    assert not problems, f"{len(differing)} of {len(cases)} differ\n" + "\n".join(problems)
    return [theirs for theirs, _ in pairs]


def stopped_alike(servers: Pair) -> None:
    """Both end on SIGINT with the same words and status."""
    told = []
    for server in servers:
        status = server.stop(signal.SIGINT)
        err = peers.normalised(new_text(server, "err"))
        told.append((status, err, peers.normalised(new_text(server, "out"))))
    assert told[1] == told[0]


def with_opinion(servers: Pair, differing: list[tuple]) -> list[tuple]:
    if not differing:
        return []
    opinions = second_opinion(servers, [case for case, *_ in differing])
    return [(*found, opinion) for found, opinion in zip(differing, opinions, strict=True)]
