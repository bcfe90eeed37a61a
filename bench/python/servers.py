"""The servers that are compared, as their users start them for speed: one process, uvloop,
pinned to one core."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "load"))

import loadlib  # noqa: E402

PYTHON = loadlib.ROOT / ".venv-bench" / "bin" / "python"
OURS = "fasterapi"
PEERS = ("uvicorn", "granian", "hypercorn")


def command(
    name: str, app: str, *, log: bool = False, ws: str = "auto", more: tuple[str, ...] = ()
) -> list[str]:
    """What serves `app` on port {port}, with its default access log or without one."""
    return [*_command(name, app, log, ws), *more]


def _command(name: str, app: str, log: bool, ws: str) -> list[str]:
    python = [str(PYTHON), "-m"]
    if name in (OURS, "uvicorn"):
        parser = ["--http", "httptools"] if name == "uvicorn" else []
        quiet = [] if log else ["--no-access-log"]
        options = ["--port", "{port}", "--loop", "uvloop", "--ws", ws, *parser, *quiet]
        return [*python, name, app, *options]
    if name == "granian":
        quiet = ["--access-log" if log else "--no-access-log"]
        fixed = ["--interface", "asgi", "--workers", "1", "--runtime-threads", "1"]
        return [*python, name, app, "--port", "{port}", "--loop", "uvloop", *fixed, *quiet]
    if name == "hypercorn":
        quiet = ["--access-logfile", "-"] if log else []
        return [*python, name, app, "--bind", "127.0.0.1:{port}", "-k", "uvloop", *quiet]
    raise ValueError(name)


def start(name: str, app: str, *, env: dict[str, str] | None = None, **options) -> loadlib.Server:
    return loadlib.Server(
        name,
        command(name, app, **options),
        cwd=HERE,
        env={**os.environ, **(env or {})},
        keep_output=True,
    )


def floor(build: pathlib.Path) -> loadlib.Server:
    program = build / "bench" / "load" / "floor"
    if not program.exists():
        raise loadlib.BenchError(f"{program} is not built; run `make build`")
    return loadlib.Server("floor", [str(program), "{port}"])


@contextlib.contextmanager
def running(name: str, app: str, **options):
    server = start(name, app, **options)
    try:
        yield server
    finally:
        server.stop()


def versions() -> dict[str, str]:
    """Of what is installed in the environment that the servers run in."""
    if not PYTHON.exists():
        raise loadlib.BenchError(f"{PYTHON} is not there; tools/setup bench makes it")
    code = (
        "import json, platform, importlib.metadata as m;"
        "print(json.dumps({'python': platform.python_version()} |"
        " {d.metadata['Name'].lower(): d.version for d in m.distributions()}))"
    )
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    found[OURS] = found.get("fasterapi-server", "?")
    return found


def need(names: list[str], found: dict[str, str]) -> None:
    for name in names:
        if name not in found and name != OURS or found[OURS] == "?":
            raise loadlib.BenchError(f"{name} is not installed in {PYTHON.parent.parent}")
