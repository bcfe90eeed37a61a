"""pytest --fasterapi on a suite that knows nothing of it."""

import importlib
import pathlib
import subprocess
import sys
import tomllib

import patience
import peers
import pytest

SUITE = """
import asyncio

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

app = FastAPI()
BACKENDS = {backends}

@app.get("/")
def root():
    return "here"

@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("number", range(3))
def test_root(number, backend):
    assert TestClient(app, backend=backend).get("/").json() == "here"

def test_refused():
    TestClient(app).get("/", headers={{"host": "a b"}})

def test_asynchronous():
    async def get():
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as client:
            assert (await client.get("http://x/")).json() == "here"

    asyncio.run(get())
"""


def run(
    site: pathlib.Path,
    folder: pathlib.Path,
    *options: str,
    backends: str = "['asyncio']",
    **variables: str,
) -> str:
    (folder / "test_it.py").write_text(SUITE.format(backends=backends))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "fasterapi._pytest_plugin", *options],
        capture_output=True,
        text=True,
        cwd=folder,
        # Of the other plugins that happen to be here none is wanted; they take seconds.
        env={**peers.environment(site, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"), **variables},
        timeout=patience.LONG_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_counts(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    said = run(site, tmp_path, "--fasterapi", backends="['asyncio', 'trio']")
    assert "requests through the engine: 4 (asgi 3, server 1)\n" in said
    assert "requests another way: 4 (backend trio 3, httpx.ASGITransport 1)\n" in said


def test_several_processes(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    said = run(site, tmp_path, "--fasterapi", "-p", "xdist", "-n", "2")
    assert "requests through the engine: 4 (asgi 3, server 1)\n" in said
    assert "requests another way: 1 (httpx.ASGITransport 1)\n" in said


def test_asynchronous_too(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    said = run(site, tmp_path, "--fasterapi-async")
    assert "requests through the engine: 5 (asgi 4, server 1)\n" in said
    assert "requests another way: 0\n" in said


def test_not_asked_for(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    assert "engine" not in run(site, tmp_path)


def test_by_configuration(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nfasterapi = true\n")
    assert "through the engine: 4 " in run(site, tmp_path)
    assert "engine" not in run(site, tmp_path, FASTERAPI_PYTEST="0")


@pytest.mark.parametrize(("value", "wanted"), [("1", True), ("off", False), ("", False)])
def test_by_environment(
    site: pathlib.Path, tmp_path: pathlib.Path, value: str, wanted: bool
) -> None:
    said = run(site, tmp_path, FASTERAPI_PYTEST=value)
    assert ("through the engine: 4 " in said) is wanted


def test_entry_point(site: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an installed package tells pytest is there."""
    root = pathlib.Path(__file__).resolve().parents[3]
    told = tomllib.loads((root / "pyproject.toml").read_text())
    monkeypatch.syspath_prepend(str(site))
    plugin = importlib.import_module(told["project"]["entry-points"]["pytest11"]["fasterapi"])
    assert callable(plugin.pytest_addoption)


def test_plans(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Routes of FastAPI are served by plans on request; the same tests pass."""
    suite = pathlib.Path(__file__).with_name("plans_suite.py")
    asgi = run_suite(site, tmp_path, suite, "--fasterapi")
    auto = run_suite(site, tmp_path, suite, "--fasterapi", "--fasterapi-engine", "auto")
    variable = run_suite(site, tmp_path, suite, "--fasterapi", FASTERAPI_ENGINE="auto")
    assert "requests through the engine: 27 (asgi 27)\n" in asgi
    # Patched; overridden.
    for said in (auto, variable):
        assert "requests through the engine: 27 (asgi 1, compiled 25, direct 1)\n" in said
        assert "\n  asgi 1: fastapi.routing.run_endpoint_function was replaced by " in said, said


LATE = """
import asyncio
import time

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient
from fasterapi.testclient._exchange import HttpExchange

app = FastAPI()


@app.get("/")
async def waits():
    await asyncio.sleep(0.01)
    return PlainTextResponse("late")


def test_told_late(monkeypatch):
    told = HttpExchange.run_answers

    def late(exchange):
        time.sleep(0.1)
        told(exchange)

    monkeypatch.setattr(HttpExchange, "run_answers", late)
    client = TestClient(app)
    assert [client.get("/").text for _ in range(3)] == ["late"] * 3
"""


def test_told_late(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """A plan tells of its answer when the test may have the answer's head already."""
    suite = tmp_path / "test_late.py"
    suite.write_text(LATE)
    said = run_suite(site, tmp_path, suite, "--fasterapi", "--fasterapi-engine", "auto")
    assert "requests through the engine: 3 (compiled 3)\n" in said


def run_suite(
    site: pathlib.Path, folder: pathlib.Path, suite: pathlib.Path, *options: str, **variables: str
) -> str:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-p", "fasterapi._pytest_plugin", *options, suite],
        capture_output=True,
        text=True,
        cwd=folder,
        # A wheel names the plugin as an entry point; pytest refuses one that is named twice.
        env={**peers.environment(site, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"), **variables},
        timeout=patience.LONG_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
