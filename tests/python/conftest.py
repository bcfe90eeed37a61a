"""The extension is built for the interpreter that runs the tests, in a directory of its own."""

import contextlib
import fcntl
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

# The grammar of malformed requests and the rules of what is wrong with them are in "property".
HERE = pathlib.Path(__file__).resolve().parent
sys.path += map(str, (HERE.parent / "property", HERE / "apps", HERE / "support"))
import compare  # noqa: E402

ROOT = HERE.parent.parent
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
BUILD = ROOT / f"build-python-{VERSION}"
REPORT = pytest.StashKey[compare.Report]()


def run(*command: object) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.exit(f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}", 2)


@contextlib.contextmanager
def once_a_run(run_id: str) -> Iterator[bool]:
    """Whether this process is the one of the run's that builds; the others wait for it here.
    An installation under their feet would pull modules away from servers that start."""
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / "tests-run", "a+") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        mark.seek(0)
        first = mark.read() != run_id
        yield first
        if first:
            mark.truncate(0)
            mark.write(run_id)


def build() -> None:
    site = BUILD / "site"
    if not (BUILD / "build.ninja").exists():
        run(
            *("meson", "setup", BUILD, ROOT, "--buildtype=release", "--werror"),
            *("-Dpython=true", f"-Dpython_path={sys.executable}"),
            *(f"-Dpython.platlibdir={site}", f"-Dpython.purelibdir={site}"),
            *("-Dtests=false", "-Dbenchmarks=false"),
        )
    run("ninja", "-C", BUILD)
    run("meson", "install", "-C", BUILD, "--no-rebuild", "--tags", "python-runtime")


@pytest.fixture(scope="session")
def python_build() -> pathlib.Path:
    """The Meson build directory; the package is installed in its `site`. One that is made
    already is named by FA_PYTHON_BUILD."""
    if ready := os.environ.get("FA_PYTHON_BUILD"):
        return ROOT / ready
    with once_a_run(os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))) as first:
        if first:
            build()
    return BUILD


@pytest.fixture(scope="session")
def site(python_build: pathlib.Path) -> pathlib.Path:
    """What goes into PYTHONPATH."""
    return python_build / "site"


@pytest.fixture(scope="session", params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> compare.Report:
    """What was compared with uvicorn; told at the end of the run."""
    return request.config.stash.setdefault(REPORT, compare.Report())


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process of pytest-xdist's hands its part to the one that tells."""
    found = session.config.stash.get(REPORT, None)
    if found is not None and hasattr(session.config, "workeroutput"):
        session.config.workeroutput["compared"] = found.plain()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    if part := getattr(node, "workeroutput", {}).get("compared"):
        node.config.stash.setdefault(REPORT, compare.Report()).add(part)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    found = terminalreporter.config.stash.get(REPORT, compare.Report())
    for line in [*found.lines(), *found.tables]:
        terminalreporter.write_line(line)
