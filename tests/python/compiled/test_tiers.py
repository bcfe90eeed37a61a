"""What is told of tiers is true: `fasterapi routes` and `check`, patched functions."""

import json
import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as xml

import patience
import peers
import pytest



def command(site: pathlib.Path, *arguments: str, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "fasterapi", *arguments],
        cwd=peers.APPS,
        env={**os.environ, "PYTHONPATH": str(site), "COLUMNS": "200", **env},
        capture_output=True,
        text=True,
        timeout=patience.HANGS_S,
    )


def routes_of(site: pathlib.Path, **env: str) -> dict:
    done = command(site, "routes", "tiers_app.py", "--json", **env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # what the application prints is not in it


def test_routes_json(site: pathlib.Path) -> None:
    found = routes_of(site)
    rows = {row["path"]: row for row in found["routes"]}
    assert found["reason"] is None
    assert rows["/"] == {
        **{"methods": ["GET"], "path": "/", "kind": "operation", "tier": "compiled"},
        **{"reason": "", "hint": ""},
    }
    assert rows["/api/items/{item_id}"]["tier"] == "compiled"
    assert rows["/own"]["tier"] == "direct"
    assert "Unknown" in rows["/own"]["reason"]
    assert rows["/ws"]["kind"] == "websocket"
    assert rows["/sub/docs"]["tier"] == "compiled"
    assert rows["/star"]["kind"] == "mount"
    assert rows["/star"]["reason"] == "it is a Starlette, which is not looked into"
    assert rows["/openapi.json"]["kind"] == "page"
    operations = [row for row in found["routes"] if row["kind"] == "operation"]
    compiled = [row for row in operations if row["tier"] in ("native", "compiled")]
    assert found["percent_compiled"] == round(100 * len(compiled) / len(operations), 2)
    assert all(row["reason"] for row in found["routes"] if row["tier"] != "compiled")


def test_routes_unbuilt(site: pathlib.Path) -> None:
    done = command(site, "routes", "compiled_found_app:unbuilt", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["reason"] == "its middleware cannot be built: LookupError: no secret is set"
    assert {row["tier"] for row in found["routes"]} == {"asgi"}


def test_routes_patching(site: pathlib.Path) -> None:
    """What middleware patches when it is made is told as `run` will find it."""
    found = json.loads(command(site, "routes", "compiled_found_app:patching", "--json").stdout)
    assert "ServerErrorMiddleware.__call__ was replaced by Patching." in found["reason"]


def test_routes_table(site: pathlib.Path) -> None:
    done = command(site, "routes", "tiers_app.py", "--explain")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["METHOD", "PATH", "TIER", "REASON"]
    assert any(line.split() == ["GET", "/api/items/{item_id}", "compiled"] for line in lines)
    assert any(line.startswith("POST") and "Unknown" in line for line in lines)
    assert "path operations compiled" in lines[-1]


@pytest.mark.parametrize("where", [("tiers_app:make", "--factory"), ("-e", "tiers_app:app")])
def test_found_as_by_run(site: pathlib.Path, where: tuple[str, ...]) -> None:
    assert command(site, "routes", *where).stdout.count("compiled") > 3


def test_check(site: pathlib.Path) -> None:
    share = routes_of(site)["percent_compiled"]
    assert 0 < share < 100
    enough = command(site, "check", "tiers_app.py", "--min-compiled", f"{share - 1}%")
    assert (enough.returncode, enough.stderr) == (0, "imported\n")
    few = command(site, "check", "tiers_app.py", "--min-compiled", "100")
    assert few.returncode == 1
    assert "POST /own: " in few.stderr
    assert "At least 100% were asked for." in few.stderr


def test_check_without_operations(site: pathlib.Path) -> None:
    done = command(site, "check", "starlette_app.py", "--min-compiled", "0")
    assert done.returncode == 1
    assert "no application of FastAPI" in done.stdout


@pytest.mark.parametrize("value", ["x", "-1", "101%", "nan"])
def test_check_wants_a_percentage(site: pathlib.Path, value: str) -> None:
    done = command(site, "check", "tiers_app.py", "--min-compiled", value)
    assert done.returncode == 2
    assert "is not a percentage" in done.stderr


@pytest.mark.parametrize(
    "patch",
    [
        "fastapi.routing:get_request_handler",
        "fastapi.routing:run_endpoint_function",
        "fastapi.routing:solve_dependencies",  # as routing has imported it
        "fastapi.concurrency:contextmanager_in_threadpool",
        "fastapi.routing:APIRoute.get_route_handler",
        "fastapi.applications:FastAPI.__call__",
        "fastapi.dependencies.utils:request_params_to_args",
        "starlette.middleware.exceptions:ExceptionMiddleware.__call__",
        "starlette.requests:Request.body",
        "starlette.requests:Request.json",
        "starlette.responses:JSONResponse.render",
        "starlette.middleware.cors:CORSMiddleware.send",
        "json:dumps",
    ],
)
def test_patched(site: pathlib.Path, patch: str) -> None:
    found = routes_of(site, TIERS_PATCH=patch)
    assert f"{patch.replace(':', '.')} was replaced by patched() of " in found["reason"]
    assert found["percent_compiled"] == 0
    assert {row["tier"] for row in found["routes"]} == {"asgi"}


@pytest.mark.parametrize(
    "patch",
    [
        "fastapi.routing:run_endpoint_function",
        "fastapi.applications:FastAPI.build_middleware_stack",
        "starlette.middleware.errors:ServerErrorMiddleware.__call__",
    ],
)
def test_wrapped(site: pathlib.Path, patch: str) -> None:
    """A wrapper of wrapt, which agents patch with, passes itself off for what it wraps."""
    found = routes_of(site, TIERS_PATCH=patch, TIERS_WRAPT="yes")
    told = f"{patch.replace(':', '.')} was replaced by wrapper() of {peers.APPS}"
    assert found["reason"].startswith(told)
    assert {row["tier"] for row in found["routes"]} == {"asgi"}


def test_told_at_the_end(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """A request behind middleware is one of its plan's, and of nobody else."""
    options = ("forwarded_app:behind", "--engine", "auto", "--port", "0")
    with peers.serving("fasterapi", site, tmp_path, *options) as server:
        for path in (b"/who", b"/q?i=1", b"/missing", b"/who%0A"):
            with server.connect() as s:
                s.sendall(b"GET %s HTTP/1.1\r\nHost: test\r\n\r\n" % path)
                peers.answer_of(peers.Reader(s), "GET")
    assert "requests by tier: 3 compiled, 0 direct, 1 asgi\n" in server.text("err")


def test_patched_is_told_at_start(site: pathlib.Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-c"),
            "import fasterapi._config as c; k = c.Config('tiers_app:app', engine='auto');"
            "k.load(); assert k.compile_routes() is None",
        ],
        cwd=peers.APPS,
        env={
            **os.environ,
            "PYTHONPATH": str(site),
            "TIERS_PATCH": "fastapi.routing:get_request_handler",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Engine: every route is served through ASGI, since fastapi.routing.") == 1


def test_compare(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    asked = tmp_path / "asked.json"
    asked.write_text(
        '[{"path": "/echo/abc"}, {"path": "/api/items/x"}, {"method": "PUT", "path": "/never?a=3"}]'
    )
    plot = tmp_path / "plot.svg"
    where = ("compare", "tiers_app.py", "--request", str(asked), "--seconds", "0.3")
    done = command(site, *where, "--plot", str(plot))
    rows = {tuple(line.split()[:2]): line.split()[2:] for line in done.stdout.splitlines()}
    assert done.returncode == 1  # GET /pid is another in each process
    assert "differs: GET /pid: body: b'" in done.stderr
    assert done.stderr.count("differs: ") == 1
    assert rows["GET", "/clock"][0] == "unsteady"
    for path in ("/", "/echo/abc", "/api/items/x"):
        assert rows["GET", path][0] == "yes"
        assert float(rows["GET", path][1]) > 0 and float(rows["GET", path][2]) > 0
    assert rows["PUT", "/never?a=3"] == ["yes"]  # answers only
    assert "left out: GET /day: no example of d" in done.stdout
    svg = xml.fromstring(plot.read_text())
    assert len(svg.findall("{http://www.w3.org/2000/svg}rect")) == 1 + 2 * 5


def test_compare_without_uvicorn(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    hidden = "import sys; sys.modules['uvicorn'] = None; from fasterapi._cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", hidden, "compare", "tiers_app.py"],
        cwd=peers.APPS,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "Error: uvicorn is not installed: pip install uvicorn" in done.stderr


CLASSES = """
import sys
from fastapi import FastAPI
from fasterapi._compile import NotCompiled, compile_app

class More(FastAPI):
    kept = 1

    def __init__(self):
        super().__init__()
        self.more = []

    def openapi(self):
        return {}

class Other(More):
    def build_middleware_stack(self):
        return super().build_middleware_stack()

def counts(app):
    @app.get("/")
    async def root():
        return 1
    return compile_app(app).counts["compiled"]

assert counts(More()) == 5
try:
    counts(Other())
except NotCompiled as error:
    assert str(error) == "Other has a build_middleware_stack of its own", error
else:
    raise AssertionError
app = More()
app.build_middleware_stack = lambda: More.build_middleware_stack(app)
assert counts(app) == 1  # behind what it may have put around
"""


def test_classes(site: pathlib.Path) -> None:
    """Classes of the user's that add to FastAPI are no reason; those that replace are."""
    done = subprocess.run(
        [sys.executable, "-c", CLASSES], env=peers.environment(site), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
