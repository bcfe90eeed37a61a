"""What becomes of functions of FastAPI, Starlette and pydantic that somebody has patched, under
uvicorn and under us: python patched.py [MODULE:FUNCTION...]. Prints a JSON object by function.

Functions are those that fingerprints.json knows, and all others of these packages that are
called under uvicorn for patched_app.REQUESTS. Each is patched before the application is made, in
a process of its own: the patch counts its calls, and its number stands beside each answer."""

import functools
import importlib
import inspect
import json
import os
import sys
import types
import warnings
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

import fastapi
import pydantic
import starlette
import uvicorn.middleware.proxy_headers  # noqa: F401
from fuzz_compiled.__main__ import take_turns
from fuzz_compiled.clock import Loop, end_threads
from fuzz_compiled.sides import Engine, Side, Uvicorn, answer_in
from fuzz_compiled.traffic import Exchange

from fasterapi._compile import _application, _fingerprint  # noqa: F401

# Plans call them: they may be patched.
BACKGROUND = {
    "starlette.background": (
        *("BackgroundTask.__init__", "BackgroundTask.__call__", "BackgroundTasks.__init__"),
        *("BackgroundTasks.add_task", "BackgroundTasks.__call__"),
    )
}
FOLDERS = {os.path.dirname(one.__file__): one.__name__ for one in (fastapi, starlette)}
Calls = dict[str, int]


def served(sides: list[Any], found: list[list[Any]], calls: Calls) -> Iterator[None]:
    """What each side has answered, said and called, request by request: the second time, as
    FastAPI prepares what is common to both when it is asked first."""
    from patched_app import REQUESTS

    for _ in range(2):
        for side, told in zip(sides, found, strict=True):
            told.clear()
            for sent in REQUESTS:
                calls["here"] = 0
                yield from side.run(Exchange([sent]))
                told.append([repr(answer_in(side.seen.received)), side.seen.said, calls["here"]])
    for side in sides:
        yield from side.close()


def both(calls: Calls) -> dict[str, Any]:
    import patched_app

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await patched_app.app(scope, receive, send)

    # uvicorn calls what it is given without arguments, to see whether it is a factory.
    plain: Any = types.SimpleNamespace(app=app, said=patched_app.said)
    loop = Loop()
    sides: list[Side] = [Uvicorn(plain, loop), Engine(patched_app, loop, True)]
    found: list[list[Any]] = [[], []]
    take_turns(loop, served(sides, found, calls))
    end_threads()
    names = [sent.split(b" HTTP")[0].decode() for sent in patched_app.REQUESTS]
    return {
        "reason": sides[1].reason,
        "by plans": sum(plan.served for plan in sides[1].plans),
        "calls": sum(told[2] for told in found[0]),
        "differs": {
            name: [theirs, ours]
            for name, theirs, ours in zip(names, *found, strict=True)
            if theirs != ours
        },
    }


def patch(module: str, name: str, calls: Calls) -> None:
    *path, last = name.split(".")
    owner: Any = importlib.import_module(module)
    for part in path:
        owner = getattr(owner, part)
    plain = vars(owner)[last]
    kind = type(plain) if isinstance(plain, (classmethod, staticmethod)) else None
    original = plain.__func__ if kind else plain

    @functools.wraps(original)
    def counts(*args: Any, **kwargs: Any) -> Any:
        calls["here"] += 1
        return original(*args, **kwargs)

    @functools.wraps(original)
    async def counts_async(*args: Any, **kwargs: Any) -> Any:
        calls["here"] += 1
        return await original(*args, **kwargs)

    patched = counts_async if inspect.iscoroutinefunction(original) else counts
    setattr(owner, last, kind(patched) if kind else patched)
    if not path:  # and wherever it was imported from there
        for other in list(sys.modules.values()):
            if getattr(other, "__name__", "").partition(".")[0] in ("fastapi", "starlette"):
                if vars(other).get(last) is plain:
                    setattr(other, last, patched)


def is_there(module: str, name: str) -> bool:
    """Or it is of another release."""
    try:
        owner: Any = importlib.import_module(module)
    except ModuleNotFoundError:
        return False
    for part in name.split("."):
        owner = vars(owner).get(part) if owner is not None else None
    return owner is not None


GUARDED = (_fingerprint.REPLICATED, _fingerprint.PASSED_BY)
KNOWN = (*GUARDED, _fingerprint.BETTERED, _fingerprint.LIMITS, BACKGROUND)


def known() -> list[tuple[str, str]]:
    return [(module, name) for table in KNOWN for module in table for name in table[module]]


def called() -> list[tuple[str, str]]:
    """All that is called for an answer, by uvicorn's way."""
    import patched_app

    codes: dict[CodeType, None] = {}

    def note(frame: Any, event: str, _: Any) -> None:
        if event == "call":
            codes[frame.f_code] = None

    loop = Loop()
    side = Uvicorn(patched_app, loop)
    sys.setprofile(note)
    take_turns(loop, served([side], [[]], {}))
    sys.setprofile(None)
    end_threads()
    return sorted({place for code in codes if (place := place_of(code))})


def place_of(code: CodeType) -> tuple[str, str] | None:
    """Where it can be patched; what is made in a call cannot."""
    package = next((f for f in FOLDERS if code.co_filename.startswith(f + os.sep)), None)
    if package is None or "<" in code.co_qualname:
        return None
    inner = code.co_filename[len(package) :].removesuffix(".py").removesuffix("/__init__")
    module = FOLDERS[package] + inner.replace(os.sep, ".")
    found: Any = sys.modules.get(module)
    for part in code.co_qualname.split("."):
        found = vars(found).get(part) if found is not None else None
    found = getattr(found, "__func__", found)
    return (module, code.co_qualname) if isinstance(found, FunctionType) else None


def apart(work: Any) -> Any:
    """In a process of its own, which has imported all but the application."""
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        status = 1
        try:
            os.close(read)
            with open(write, "w") as told:
                json.dump(work(), told)
            status = 0
        finally:
            os._exit(status)
    os.close(write)
    with open(read) as told:
        text = told.read()
    if os.waitpid(child, 0)[1] != 0:
        return {"failed": True}
    return json.loads(text)


def one(module: str, name: str) -> dict[str, Any]:
    calls: Calls = {"here": 0}
    guarded = any(name in table.get(module, ()) for table in GUARDED)
    if not is_there(module, name):
        return {"absent": True}
    patch(module, name, calls)
    return {"guarded": guarded, **both(calls)}


def main() -> None:
    warnings.simplefilter("ignore")
    if arguments := sys.argv[1:]:
        places = {tuple(place.split(":")) for place in arguments}
    else:
        places = {tuple(place) for place in apart(called)} | set(known())
    found = {"": apart(lambda: both({"here": 0}))}
    for module, name in sorted(places):
        found[f"{module}:{name}"] = apart(functools.partial(one, module, name))
    json.dump(found, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
