"""What `import fasterapi` gives, and rules that need no process of their own. The package
under test is imported in a fresh interpreter: this one may have no build yet."""

import pathlib
import subprocess
import sys

import patience
import peers
import pytest


def python(site: pathlib.Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env=peers.environment(site),
        cwd=peers.APPS,
        timeout=patience.HANGS_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_names(site: pathlib.Path) -> None:
    code = "import fasterapi; print(*fasterapi.__all__); [getattr(fasterapi, n) for n in fasterapi.__all__]"
    assert python(site, code) == "Config OptionError Server UnsupportedOption main run"


def test_no_fastapi_nor_uvicorn_needed(site: pathlib.Path) -> None:
    code = """
import sys
sys.modules |= dict.fromkeys(("fastapi", "uvicorn", "starlette", "uvloop", "click"))
import fasterapi
fasterapi.Config("x:y").get_loop_factory()
try:
    fasterapi.FastAPI
except AttributeError as error:
    print(error)
"""
    assert python(site, code) == "module 'fasterapi' has no attribute 'FastAPI'"


def test_names_of_fastapi(site: pathlib.Path) -> None:
    code = "from fasterapi import FastAPI, Depends; import fastapi; print(FastAPI is fastapi.FastAPI)"
    assert python(site, code) == "True"


def test_same_signature(site: pathlib.Path) -> None:
    """Config takes what uvicorn's does, with the same defaults; log_config apart."""
    code = """
import inspect, fasterapi, uvicorn
ours, theirs = (inspect.signature(m.Config).parameters for m in (fasterapi, uvicorn))
told = lambda ps: [(n, p.default) for n, p in ps.items() if n != "log_config"]
more = [n for n, p in ours.items() if p.kind is p.KEYWORD_ONLY]
assert told(ours)[:len(theirs) - 1] == told(theirs), (told(ours), told(theirs))
assert len(ours) == len(theirs) + len(more)
given = fasterapi.Config("x:y")
for name in ours:
    getattr(given, name) if not name.startswith(("reload_", "env_")) else None
"""
    python(site, code)


@pytest.mark.parametrize(
    "options",
    [
        "port=70000",
        "lifespan='maybe'",
        "interface='asgi4'",
        "log_level='loud'",
        "timeout_keep_alive=-1",
        "root_path='/\\xe9'",
        "headers=[('x', 'a\\r\\nb: c')]",
        "headers=[('', 'a')]",
        "workers=0",
        "ssl_certfile='x'",
    ],
)
def test_refused(site: pathlib.Path, options: str) -> None:
    code = f"""
import fasterapi
try:
    fasterapi.Config("x:y", {options})
except ValueError as error:
    print(error)
"""
    assert f"'{options.partition('=')[0]}'" in python(site, code)


def test_limits_have_the_same_defaults_everywhere(site: pathlib.Path) -> None:
    code = """
import inspect, re, fasterapi
from fasterapi._limits import LIMITS
parameters = inspect.signature(fasterapi.Config).parameters
stub = open(fasterapi.__path__[0] + "/_core.pyi").read()
for limit in LIMITS:
    assert parameters[limit.name].default == limit.default, limit
    told = re.search(f" {limit.name}: .* = (.*),", stub)[1]
    assert told == f"{limit.default:g}" if limit.default else told == "None", limit
"""
    python(site, code)


def test_server_in_a_loop(site: pathlib.Path) -> None:
    """As tests use uvicorn's: serve() as a task, should_exit, the socket, and no task left."""
    code = r"""
import asyncio, logging, fasterapi
from life_apps import plain

async def main():
    for _ in range(2):
        server = fasterapi.Server(fasterapi.Config(plain, port=0, log_level="critical"))
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"plain")
        writer.close()
        assert server.server_state.total_requests == 1
        server.should_exit = True
        await task
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == {asyncio.current_task()}, asyncio.all_tasks()
    print("ended")

asyncio.run(main(), debug=True)
"""
    assert python(site, code).endswith("ended")


def test_run_in_a_thread(site: pathlib.Path) -> None:
    """Signals are left alone there."""
    code = r"""
import patience, threading, time, urllib.request, fasterapi
from life_apps import plain
server = fasterapi.Server(fasterapi.Config(plain, port=0, log_level="critical"))
thread = threading.Thread(target=server.run)
thread.start()
while not server.started:
    time.sleep(0.01)
port = server.servers[0].sockets[0].getsockname()[1]
print(urllib.request.urlopen(f"http://127.0.0.1:{port}/").read())
server.should_exit = True
thread.join(patience.HANGS_S)
assert not thread.is_alive()
"""
    assert python(site, code).endswith("b'plain'")
