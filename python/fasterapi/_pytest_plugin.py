"""pytest --fasterapi: the test clients of Starlette and FastAPI send their requests through
the engine, and the run ends with a count of them. docs/testing-your-app.md tells more."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

VARIABLES = {"fasterapi": "FASTERAPI_PYTEST", "fasterapi_async": "FASTERAPI_PYTEST_ASYNC"}
ENGINES = ("auto", "asgi")  # the default first
OFF = ("", "0", "false", "no", "off")


def pytest_addoption(parser: pytest.Parser) -> None:
    told = "send the requests of test clients through the engine of FasterAPI"
    told_async = "as --fasterapi, and those of httpx.ASGITransport too"
    group = parser.getgroup("fasterapi")
    group.addoption("--fasterapi", action="store_true", help=told)
    group.addoption("--fasterapi-async", action="store_true", help=told_async)
    parser.addini("fasterapi", f"{told} (as --fasterapi)", type="bool", default=False)
    parser.addini("fasterapi_async", told_async, type="bool", default=False)
    told_engine = "auto: routes that are understood are served by plans; asgi: none"
    group.addoption("--fasterapi-engine", choices=ENGINES, default=None, help=told_engine)
    parser.addini("fasterapi_engine", told_engine, default=ENGINES[0])


def _wanted(config: pytest.Config, name: str) -> bool:
    variable = os.environ.get(VARIABLES[name])
    if config.getoption(name):
        return True
    return variable.lower() not in OFF if variable is not None else config.getini(name)


def _engine(config: pytest.Config) -> str:
    engine = config.getoption("fasterapi_engine") or os.environ.get("FASTERAPI_ENGINE")
    engine = engine or config.getini("fasterapi_engine")
    if engine not in ENGINES:
        raise pytest.UsageError(f"fasterapi_engine must be one of {', '.join(ENGINES)}")
    return engine


def pytest_configure(config: pytest.Config) -> None:
    asynchronous = _wanted(config, "fasterapi_async")
    if not asynchronous and not _wanted(config, "fasterapi"):
        return
    try:
        from fasterapi.testclient import _plans, _swap
    except (ImportError, RuntimeError) as error:  # Starlette raises the latter without httpx
        raise pytest.UsageError(f"--fasterapi: {error}") from error
    _plans.engine = _engine(config)
    config.pluginmanager.register(Engine(_swap.swap(asynchronous=asynchronous)), "fasterapi-engine")


def _plans_are_used() -> bool:
    from fasterapi.testclient import _plans

    return _plans.engine != "asgi"


class Engine:
    """There only while requests go through the engine."""

    def __init__(self, take_back: Callable[[], None]) -> None:
        from fasterapi.testclient import counters

        self.take_back = take_back
        self.counters = counters
        self.served: Counter[str] = Counter()
        self.by_asgi: Counter[str] = Counter()
        self.elsewhere: Counter[str] = Counter()

    def _add(
        self, served: dict[str, int], by_asgi: dict[str, int], elsewhere: dict[str, int]
    ) -> None:
        self.served.update(served)
        self.by_asgi.update(by_asgi)
        self.elsewhere.update(elsewhere)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        found = self.counters
        counts = [dict(found.served), dict(found.by_asgi), dict(found.elsewhere)]
        output = getattr(session.config, "workeroutput", None)
        if output is not None:  # a process of pytest-xdist: its parent adds them up
            output["fasterapi"] = counts
        else:
            self._add(*counts)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        counted = getattr(node, "workeroutput", {}).get("fasterapi")
        if counted is not None:
            self._add(*counted)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        write = terminalreporter.write_line
        terminalreporter.section("fasterapi", "-")
        tiers = ", ".join(f"{tier} {n}" for tier, n in sorted(self.served.items()))
        write(f"requests through the engine: {self.served.total()}" + (f" ({tiers})" if tiers else ""))
        for why, n in self.by_asgi.most_common() if _plans_are_used() else ():
            write(f"  asgi {n}: {why}")
        others = ", ".join(f"{why} {n}" for why, n in sorted(self.elsewhere.items()))
        write(f"requests another way: {self.elsewhere.total()}" + (f" ({others})" if others else ""))

    def pytest_unconfigure(self) -> None:
        self.take_back()
