"""The router against Starlette's own, on random tables and paths.

Every table is registered twice, as Starlette's Route and Mount objects and with
`fa__router_add()` and `fa__router_mount()` through tests/drivers/route_driver. Both must
give the same answer: the same route, the same captures, 404, 405 with the same methods,
the same redirect, the same hand-over to what is mounted, two levels deep.
"""

import pathlib
import random
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import patience
import pytest
import starlette.routing
from starlette._utils import get_route_path
from starlette.routing import Match, Mount, Route, Router, compile_path

TABLES, PATHS = 300, 200
PATTERNS = 6000
SYNTAX, CONVERTOR, PARAMETER = -200, -201, -202

LITERALS = ["a", "b", "ab", "aa", "users", "x1", "1", "1.5", "-", ".", ".json", "é", "日本"]
RARE_LITERALS = ["\n", "a\n", "{", "}", "{a b}", "%2F", "?", "$", "(", "..", "\u00df", "\x00"]
UUID = "12345678-1234-5678-9abc-DEF012345678"
VALUES = {
    "str": ["a", "b", "users", "é", "日本", "x.json", "5", "1.5", "a\n", "\n", "a-b", " "],
    "int": ["0", "7", "42", "007", "123456789012345678901234567890"],
    "float": ["1.5", "0", "10.25", "1.", ".5", "1.2.3", "007.10"],
    "uuid": [UUID, UUID.replace("-", ""), UUID[:-1], UUID.replace("-", "", 2), UUID + "0"],
    "path": ["", "a", "a/b", "a/b/c.json", "/", "a//b", "5", "é/日", "a\nb", "x/edit"],
}
CONVERTORS = ["", "", ":str", ":int", ":int", ":float", ":uuid", ":path"]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW", "X-Y"]
NOISE = ["/", "//", "\n", ".", "a", "1", "-", "é", "\u0663", "", "\r", "\x85", "\u2028"]


class Driver:
    """The router in C, asked in batches."""

    def __init__(self, build_dir: pathlib.Path) -> None:
        self.program = subprocess.Popen(
            [build_dir / "tests" / "drivers" / "route_driver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, commands: list[str]) -> list[str]:
        answers = []
        for start in range(0, len(commands), 100):  # less than a pipe holds
            batch = commands[start : start + 100]
            self.program.stdin.write("".join(c + "\n" for c in batch))
            self.program.stdin.flush()
            answers += [self.program.stdout.readline().rstrip("\n") for _ in batch]
        return answers

    def close(self) -> None:
        self.program.stdin.close()
        self.program.stdout.close()
        assert self.program.wait(patience.HANGS_S) == 0


@pytest.fixture
def driver(build_dir: pathlib.Path) -> Iterator[Driver]:
    driver = Driver(build_dir)
    yield driver
    driver.close()


def to_hex(text: str) -> str:
    return text.encode().hex() or "-"


def from_hex(text: str) -> str:
    return "" if text == "-" else bytes.fromhex(text).decode()


# ---- what Starlette does ----


@dataclass
class Answer:
    kind: str
    ordinal: int = -1
    values: dict[str, str] = field(default_factory=dict)
    allow: list[str] = field(default_factory=list)
    root_path: str = ""
    rest: str = ""
    location: str = ""


class Endpoint:
    """An ASGI application that keeps the scope it was called with."""

    def __init__(self) -> None:
        self.scope: dict | None = None

    async def __call__(self, scope, receive, send) -> None:
        self.scope = scope


class Redirected(Exception):
    pass


class Redirect:
    """Stands in for RedirectResponse: its quoting of the URL is none of a router's."""

    def __init__(self, url: str) -> None:
        raise Redirected(url)


@pytest.fixture(autouse=True)
def redirects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starlette.routing, "RedirectResponse", Redirect)
    monkeypatch.setattr(starlette.routing, "URL", lambda scope: scope["path"])


def finish(coroutine) -> None:
    """Nothing here waits for anything, so one step is all."""
    with pytest.raises(StopIteration):
        coroutine.send(None)


def starlette_answer(router: Router, method: str, path: str, root_path: str = "") -> Answer:
    sent, scope = [], {"type": "http", "method": method, "path": path, "headers": []}

    async def send(message) -> None:
        sent.append(message)

    if root_path:
        scope["root_path"] = root_path
    before = get_route_path(scope)
    for route in router.routes:
        route.app.scope = None
    try:
        finish(router.app(scope, None, send))
    except Redirected as redirect:
        return Answer("redirect", location=get_route_path({**scope, "path": str(redirect)}))
    if "route" not in scope:
        assert sent[0]["status"] == 404
        return Answer("not_found")
    route = scope["route"]
    captured = route.path_regex.match(before).groupdict()
    answer = Answer("found", router.routes.index(route), captured)
    # What is compared is text; it must be what the endpoint gets converted.
    wanted = {n: route.param_convertors[n].convert(v) for n, v in captured.items()}
    if isinstance(route, Mount):
        del captured["path"], wanted["path"]
        answer.kind = "mount"
        answer.root_path = scope["root_path"][len(root_path) :]
        answer.rest = get_route_path(scope)
    elif route.matches({"type": "http", "method": method, "path": before})[0] is Match.PARTIAL:
        answer.kind = "partial"
        assert sent[0]["status"] == 405
        allow = dict(sent[0]["headers"])[b"allow"].decode()
        answer.allow = sorted(allow.split(", "))
    assert scope["path_params"] == wanted
    assert (answer.kind == "partial") == (route.app.scope is None)
    return answer


# ---- what we do ----


def parse_answer(line: str, table: "Table") -> Answer:
    kind, ordinal, allow, root_path, rest, location, *values = line.split(" ")
    answer = Answer(kind, int(ordinal))
    answer.allow = from_hex(allow).split(", ") if allow != "-" else []
    answer.root_path, answer.rest = from_hex(root_path), from_hex(rest)
    answer.location = from_hex(location)
    if answer.ordinal >= 0:
        entry = table.entries[answer.ordinal]
        names = list(compile_path(entry.pattern or "/")[2])
        answer.values = dict(zip(names, map(from_hex, values), strict=True))
    if kind == "partial":  # Starlette keeps a set; we the order
        assert answer.allow == table.entries[answer.ordinal].methods
        answer.allow.sort()
    return answer


# ---- random tables and paths ----


@dataclass
class Entry:
    pattern: str
    methods: list[str]  # empty: any
    mount: bool


@dataclass
class Table:
    entries: list[Entry]
    redirect: bool

    def router(self) -> Router:
        routes = [
            Mount(e.pattern, app=Endpoint())
            if e.mount
            else Route(e.pattern, Endpoint(), methods=e.methods or None)
            for e in self.entries
        ]
        return Router(routes, redirect_slashes=self.redirect)

    def commands(self, number: int) -> Iterable[str]:
        yield f"table {number} {int(self.redirect)}"
        for e in self.entries:
            if e.mount:
                yield f"mount {to_hex(e.pattern)}"
            else:
                yield f"route {','.join(e.methods) or '*'} {to_hex(e.pattern)}"
        yield "build"


def random_segment(rng: random.Random, names: Iterator[str]) -> str:
    def parameter() -> str:
        return "{" + next(names) + rng.choice(CONVERTORS) + "}"

    def literal() -> str:
        return rng.choice(RARE_LITERALS if rng.random() < 0.06 else LITERALS)

    shape = rng.random()
    if shape < 0.45:
        return literal()
    if shape < 0.75:
        return parameter()
    if shape < 0.78:
        return ""
    return "".join(
        parameter() if rng.random() < 0.6 else literal() for _ in range(rng.randint(2, 5))
    )


def random_pattern(rng: random.Random) -> str:
    while True:
        names = (f"p{i}" for i in range(100))
        count = rng.choice([0, 1, 1, 2, 2, 3, 4])
        pattern = "/" + "/".join(random_segment(rng, names) for _ in range(count))
        if count > 0 and rng.random() < 0.2:
            pattern += "/"
        if len(compile_path(pattern)[2]) <= 16:
            return pattern


def random_methods(rng: random.Random) -> list[str]:
    methods = rng.sample(METHODS, rng.choice([0, 1, 1, 1, 2, 3]))
    if "GET" in methods and "HEAD" not in methods:
        methods.append("HEAD")  # Route() adds it
    return methods


def random_table(rng: random.Random) -> Table:
    entries: list[Entry] = []
    for _ in range(rng.choice([1, 2, 4, 8, 16, 30])):
        if entries and rng.random() < 0.25:  # the same again, perhaps other methods
            pattern = rng.choice(entries).pattern or "/"
            if rng.random() < 0.3:
                pattern = re.sub(r":\w+}", rng.choice(CONVERTORS) + "}", pattern)
        else:
            pattern = random_pattern(rng)
        mount = rng.random() < 0.15
        if mount and rng.random() < 0.1:
            pattern = ""
        entries.append(Entry(pattern, [] if mount else random_methods(rng), mount))
    return Table(entries, rng.random() < 0.6)


def filled(rng: random.Random, pattern: str) -> str:
    def value(match: re.Match[str]) -> str:
        kind = (match[2] or ":str")[1:]
        return rng.choice(VALUES[kind if rng.random() < 0.9 else "str"])

    return starlette.routing.PARAM_REGEX.sub(value, pattern)


def random_path(rng: random.Random, table: Table) -> str:
    entry = rng.choice(table.entries)
    path = filled(rng, entry.pattern)
    if entry.mount:
        path += rng.choice(["", "/", "/a", "/a/b.css", filled(rng, random_pattern(rng))])
    while rng.random() < 0.35:
        at = rng.randint(0, len(path))
        change = rng.random()
        if change < 0.5:
            path = path[:at] + rng.choice(NOISE) + path[at:]
        elif change < 0.8:
            path = path[: max(at - 1, 0)] + path[at:]
        else:
            path = path[:at] + rng.choice(["/", "\n", "/\n"])
    return path if rng.random() < 0.02 or path.startswith("/") else "/" + path


# ---- the tests ----


def describe(table: Table, method: str, path: str, root_path: str = "") -> str:
    routes = "\n".join(f"  {i}: {e}" for i, e in enumerate(table.entries))
    return f"{method} {path!r} below {root_path!r}, redirect {table.redirect}\n{routes}"


def test_answers_as_starlette_does(driver: Driver, rng: random.Random) -> None:
    seen: dict[str, int] = {}
    for _ in range(TABLES):
        table, below = random_table(rng), random_table(rng)
        router, below_router = table.router(), below.router()
        built = driver.ask([*table.commands(0), *below.commands(1)])
        assert set(built) <= {"ok", "0"}, table
        requests = [(rng.choice(METHODS + ["LOCK"]), random_path(rng, table)) for _ in range(PATHS)]
        for entry in table.entries:
            if entry.mount:
                prefix = filled(rng, entry.pattern).rstrip("/")
                requests += [("GET", prefix + random_path(rng, below)) for _ in range(5)]
        lines = driver.ask([f"match 0 {m} {to_hex(p)}" for m, p in requests])
        mounted = []
        for (method, path), line in zip(requests, lines, strict=True):
            ours, theirs = parse_answer(line, table), starlette_answer(router, method, path)
            assert ours == theirs, describe(table, method, path)
            seen[ours.kind] = seen.get(ours.kind, 0) + 1
            # A "\n" at the end that is not part of the rest: see fa__route_match.
            if ours.kind == "mount" and ours.root_path + ours.rest == path:
                mounted.append((method, path, ours))
        lines = driver.ask([f"match 1 {m} {to_hex(outer.rest)}" for m, _, outer in mounted])
        for (method, path, outer), line in zip(mounted, lines, strict=True):
            ours = parse_answer(line, below)
            if ours.kind == "mount" and ours.root_path + ours.rest != outer.rest:
                continue
            theirs = starlette_answer(below_router, method, path, outer.root_path)
            assert ours == theirs, describe(below, method, path, outer.root_path)
            seen["below"] = seen.get("below", 0) + 1
    # The tables and paths are such that every kind of answer is there in numbers.
    kinds = ("found", "partial", "not_found", "mount", "redirect", "below")
    assert all(seen[kind] >= 500 for kind in kinds), seen


def expected_error(pattern: str, mount: bool) -> int:
    if mount:
        pattern = pattern.rstrip("/") + "/{path:path}"
    try:
        if not pattern.startswith("/"):
            return SYNTAX
        names = compile_path(pattern)[2]
    except AssertionError as error:
        assert "Unknown path convertor" in str(error)
        return CONVERTOR
    except ValueError as error:
        assert "Duplicated param name" in str(error)
        return PARAMETER
    return PARAMETER if len(names) - mount > 16 else 0


def test_patterns_as_starlette_reads_them(driver: Driver, rng: random.Random) -> None:
    pieces = ["{", "}", ":", "a", "_b1", "1", "é", "/", "{a}", "{b:int}", "{a:path}", " "]
    pieces += ["{c:Int}", "{c:nope}", "{d:str}", "{_:uuid}", "{path}", "{e:float}", "\n", "-"]
    seen: dict[int, int] = {}
    for _ in range(PATTERNS):
        pattern = "".join(rng.choices(pieces, k=rng.randint(0, 7)))
        pattern = pattern if rng.random() < 0.1 else "/" + pattern
        mount = rng.random() < 0.3
        wanted = expected_error(pattern, mount)
        add = f"mount {to_hex(pattern)}" if mount else f"route * {to_hex(pattern)}"
        answers = driver.ask(["table 0 0", add])
        got = int(answers[1])
        if wanted in (CONVERTOR, PARAMETER) and got in (CONVERTOR, PARAMETER):
            pass  # of two faults either may be named first
        else:
            assert got == wanted, (pattern, mount)
        if got == 0:
            names = dict(compile_path(pattern.rstrip("/") if mount else pattern)[2])
            kinds = [f"{n}:{type(c).__name__}" for n, c in names.items()]
            ours = driver.ask(["params 0"])[0].split()
            full = {"str": "String", "int": "Integer", "float": "Float", "uuid": "UUID", "path": "Path"}
            assert [f"{n}:{full[c]}Convertor" for n, c in (p.split(":") for p in ours)] == kinds
        seen[got] = seen.get(got, 0) + 1
    assert all(seen[code] >= 50 for code in (0, SYNTAX, CONVERTOR, PARAMETER)), seen


def test_captures_of_one_hard_segment(driver: Driver, rng: random.Random) -> None:
    """Patterns of many parameters, texts of few characters: the most backtracking."""
    kinds = ["", "", ":int", ":float", ":path", ":uuid"]
    matched = 0
    for _ in range(TABLES // 2):
        parts = [
            "{p%d%s}" % (i, rng.choice(kinds)) if rng.random() < 0.65 else rng.choice("a1./-é")
            for i in range(rng.randint(1, 7))
        ]
        table = Table([Entry("/" + "".join(parts), [], False)], False)
        router = table.router()
        regex = router.routes[0].path_regex
        assert driver.ask(list(table.commands(0)))[-1] == "0"
        paths = ["/" + "".join(rng.choices("aa111..//é-\n", k=rng.randint(0, 12))) for _ in range(PATHS)]
        paths = [p.replace("-", UUID if rng.random() < 0.5 else "0" * 40, 1) for p in paths]
        lines = driver.ask([f"match 0 GET {to_hex(p)}" for p in paths])
        for path, line in zip(paths, lines, strict=True):
            match, ours = regex.match(path), parse_answer(line, table)
            assert (ours.kind == "found") == (match is not None), describe(table, "GET", path)
            if match is not None:
                assert ours.values == match.groupdict(), describe(table, "GET", path)
                matched += 1
    assert matched >= 1000
