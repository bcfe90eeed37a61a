"""The extension is built for the interpreter that runs the tests, in a directory of its own."""

import pathlib
import subprocess
import sys

import peers
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
BUILD = ROOT / f"build-python-{VERSION}"


def run(*command: object) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.exit(f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}", 2)


@pytest.fixture(scope="session")
def python_build() -> pathlib.Path:
    """The Meson build directory; the package is installed in its `site`."""
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
    return BUILD


@pytest.fixture(scope="session")
def site(python_build: pathlib.Path) -> pathlib.Path:
    """What goes into PYTHONPATH."""
    return python_build / "site"


@pytest.fixture(scope="session", params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def both(site: pathlib.Path, loop: str, tmp_path_factory: pytest.TempPathFactory):
    """(uvicorn, ours) with the applications of apps.py."""
    logs = tmp_path_factory.mktemp("logs")
    options = ["apps:app", "--port", "0", "--interface", "asgi3", "--loop", loop]
    reference = ["--http", "httptools", "--ws", "none"]
    with (
        peers.serving("uvicorn", site, logs / "uvicorn", *options, *reference) as theirs,
        peers.serving("fasterapi", site, logs / "fasterapi", *options) as ours,
    ):
        yield theirs, ours
