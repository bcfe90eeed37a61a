"""http.response.pathsend, zerocopysend, trailers, early_hint: what they do where they are
offered, and to whom pathsend is by itself."""

import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import patience
import peers
import pytest

LARGE = bytes(range(256)) * 3906 + b"0123456789" * 10  # does not fit a socket's buffer
ALL = ["--pathsend", "on", "--early-hints", "--trailers", "--zerocopysend"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    found = tmp_path_factory.mktemp("files")
    (found / "small").write_bytes(b"small")
    (found / "empty").write_bytes(b"")
    (found / "large").write_bytes(LARGE)
    (found / "huge").write_bytes(b"h" * (20 << 20))
    return found


@pytest.fixture(scope="module")
def server(
    site: pathlib.Path, loop: str, files: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[peers.Server]:
    logs, env = tmp_path_factory.mktemp("logs"), {"EXTENSION_FILES": str(files)}
    options = ["extension_apps:app", "--port", "0", "--loop", loop, *ALL]
    with peers.serving("fasterapi", site, logs, *options, env=env) as found:
        yield found


def told(server: peers.Server, target: str, method: str = "GET", version: str = "1.1"):
    with server.connect() as s:
        s.sendall(f"{method} {target} HTTP/{version}\r\nHost: a\r\n\r\n".encode())
        return peers.answer_of(peers.Reader(s), method)


def raw(server: peers.Server, target: str, version: str = "1.1") -> bytes:
    with server.connect() as s:
        s.sendall(f"GET {target} HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        return peers.Reader(s).rest()


def log_of(server: peers.Server, text: str, stream: str = "err") -> None:
    patience.until(lambda: text in server.text(stream), lambda: server.text(stream)[-2000:])


def test_offered(server: peers.Server) -> None:
    for name in ("early_hint", "pathsend", "zerocopysend", "trailers"):
        assert f"'http.response.{name}': {{}}" in told(server, "/offered").body.decode()


@pytest.mark.parametrize("name", ["small", "empty", "large", "huge"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_path(server: peers.Server, files: pathlib.Path, name: str, method: str) -> None:
    answer = told(server, f"/path?{name}", method)
    whole = (files / name).read_bytes()
    assert dict(answer.fields)["content-length"] == str(len(whole))
    assert answer.whole and answer.body == (whole if method == "GET" else b"")
    log_of(server, f"sent {name}\n", "out")  # send() has returned


def test_paths_on_one_connection(server: peers.Server) -> None:
    with server.connect() as s:
        reader = peers.Reader(s)
        for name, size in (("large", len(LARGE)), ("small", 5), ("large", len(LARGE))) * 3:
            s.sendall(f"GET /path?{name} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert len(peers.answer_of(reader, "GET").body) == size


def test_path_of_unknown_length(server: peers.Server) -> None:
    assert told(server, "/path-chunked").body == LARGE
    assert told(server, "/path-chunked", version="1.0").body == LARGE


@pytest.mark.parametrize("target", ["missing", ".", "%00"])
def test_no_file(server: peers.Server, target: str) -> None:
    answer = told(server, f"/path?{target}")
    assert (answer.status, answer.whole) == (200, False)
    log_of(server, "Exception in ASGI application")


def test_fifo_is_no_file(server: peers.Server, files: pathlib.Path) -> None:
    if not (files / "fifo").exists():  # the fixture is for both loops
        os.mkfifo(files / "fifo")
    assert not told(server, "/path?fifo").whole
    log_of(server, "fifo is not a file.")


@pytest.mark.parametrize("length", [5, len(LARGE) - 1, len(LARGE) + 1])
def test_wrong_length(server: peers.Server, length: int) -> None:
    answer = told(server, f"/path-of-wrong-length?{length}")
    assert not answer.whole
    log_of(server, "refused:", "out")


def test_nothing_follows_a_path(server: peers.Server) -> None:
    assert told(server, "/path-twice").body == b"small"
    log_of(server, "'http.response.pathsend' sent, after response already completed.")


def test_client_goes_away(server: peers.Server) -> None:
    for _ in range(20):
        with server.connect() as s:
            s.sendall(b"GET /path?huge HTTP/1.1\r\nHost: a\r\n\r\n")
            s.recv(1000)
    assert told(server, "/path?small").body == b"small"


def test_zero_copy(server: peers.Server) -> None:
    expected = LARGE[:1000] + LARGE[500_000:501_000] + b"between" + LARGE[999_990:]
    assert told(server, "/zero-copy").body == expected
    assert told(server, "/zero-copy", version="1.0").body == expected
    assert told(server, "/zero-copy-wrong").body == (
        b"['KeyError', 'TypeError', 'ValueError', 'TypeError']"
    )


def test_trailers(server: peers.Server) -> None:
    answer = raw(server, "/with-trailers")
    assert answer.endswith(b"\r\n\r\n4\r\nbody\r\n0\r\nx-sum: 1\r\nx-other: 2\r\n\r\n")
    assert raw(server, "/with-trailers", "1.0").endswith(b"\r\n\r\nbody")
    assert b"\r\n0\r\n" not in raw(server, "/without-trailers")
    log_of(server, "ASGI callable returned without completing response.")
    assert b"\r\n0\r\n" not in raw(server, "/body-behind-body")
    log_of(server, "Expected ASGI message 'http.response.trailers', but got 'http.response.body'.")


def test_early_hints(server: peers.Server) -> None:
    answer = raw(server, "/hints")
    assert answer.startswith(
        b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\nlink: </b>\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nlink: </c>\r\n\r\nHTTP/1.1 200 OK\r\n"
    )
    assert raw(server, "/hints", "1.0").startswith(b"HTTP/1.1 200 OK\r\n")
    raw(server, "/hints-too-late")
    log_of(server, "Expected ASGI message 'http.response.body', but got 'http.response.early_hint'.")


def test_not_offered(site: pathlib.Path, files: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """As under uvicorn: no key, and such a message is one too many."""
    env = {"EXTENSION_FILES": str(files)}
    options = ["extension_apps:app", "--port", "0"]
    with peers.serving("fasterapi", site, tmp_path, *options, env=env) as server:
        assert told(server, "/offered").body == b"None"
        assert not told(server, "/path?small").whole
        log_of(server, "Expected ASGI message 'http.response.body', but got 'http.response.pathsend'.")


AUTO = """
import typing
from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.routing import Mount, Route, Router
from starlette.staticfiles import StaticFiles
from fasterapi._extensions import why_not_pathsend

def function(request): ...
async def raw(scope, receive, send): ...
class Own(FastAPI): ...
class OwnRoute(APIRoute): ...
class Raw:
    async def __call__(self, scope, receive, send): ...

def with_routes(*routes, **more): return Starlette(routes=list(routes), **more)

plain, cors, gzip, function_middleware, own_route, included = (FastAPI() for _ in range(6))
plain.get("/")(function)
cors.add_middleware(CORSMiddleware)
gzip.add_middleware(GZipMiddleware)
function_middleware.middleware("http")(function)
own_route.router.route_class = OwnRoute
own_route.get("/")(function)
includes_own = FastAPI()
includes_own.include_router(own_route.router)
router = APIRouter()
router.get("/in")(function)
included.include_router(router, prefix="/a")
included.mount("/static", StaticFiles(directory="."))
included.mount("/sub", plain)
default = FastAPI()
default.router.default = raw
CORS = [Middleware(CORSMiddleware)]
known = [plain, cors, with_routes(Route("/", function)), with_routes(Mount("/", app=Router())),
         with_routes(Mount("/", routes=[Route("/", function)]), middleware=CORS)]
unknown = [raw, Raw(), Own(), gzip, function_middleware, own_route, includes_own, default,
           with_routes(Route("/", Raw())), with_routes(Mount("/", app=raw)),
           with_routes(Route("/", function, middleware=CORS)),
           with_routes(Mount("/", app=Router(middleware=CORS)))]
for app in known: assert why_not_pathsend(app) is None, why_not_pathsend(app)
for app in unknown: assert why_not_pathsend(app), app
print(why_not_pathsend(included))
"""


def test_auto(site: pathlib.Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AUTO], capture_output=True, text=True, env=peers.environment(site)
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "None\n"
