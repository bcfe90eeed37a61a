"""The package as users get it: the source archive is whole, pip installs it in an environment
with nothing in it, and the base installation serves an ASGI application by itself.

pip takes what it needs from its index here, as it does for a user."""

import contextlib
import email.parser
import os
import pathlib
import re
import socket
import subprocess
import sys
import tarfile
import time
import zipfile

import patience
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILDER = ROOT / ".venv-challenge" / "bin"

RAW_APP = """
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"raw"})
"""


def run(*command: object, **settings) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **settings)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Made of the last commit, as a release is."""
    folder = tmp_path_factory.mktemp("sdist")
    build = f"import mesonpy; mesonpy.build_sdist({str(folder)!r})"
    path = f"{BUILDER}:{os.environ['PATH']}"
    run(BUILDER / "python", "-c", build, cwd=ROOT, env={**os.environ, "PATH": path})
    (archive,) = folder.iterdir()
    return archive


@pytest.fixture(scope="session")
def wheel(sdist: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Built from the source archive, apart from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    run(*pip, "--wheel-dir", folder, sdist, cwd=folder)
    (found,) = folder.iterdir()
    return found


@pytest.fixture(scope="session")
def bare(wheel: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The programs of an environment with the base installation, and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    run(sys.executable, "-m", "venv", folder)
    run(folder / "bin" / "python", "-m", "pip", "install", "--quiet", wheel, cwd=folder)
    return folder / "bin"


def metadata(wheel: pathlib.Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        return email.parser.Parser().parsestr(archive.read(name).decode())


def test_source_archive_is_whole(sdist: pathlib.Path) -> None:
    committed = set(run("git", "ls-tree", "-r", "--name-only", "HEAD", cwd=ROOT).splitlines())
    with tarfile.open(sdist) as archive:
        files = {m.name.partition("/")[2] for m in archive.getmembers() if not m.isdir()}
    assert committed - files == set()
    assert files - committed == {"PKG-INFO"}


def test_wheel_has_every_module(wheel: pathlib.Path) -> None:
    """The list in python/fasterapi/meson.build is kept by hand."""
    source = ROOT / "python"
    every = run("git", "ls-tree", "-r", "--name-only", "HEAD", "fasterapi", cwd=source).splitlines()
    kinds = (".py", ".pyi", ".json", "py.typed")
    wanted = {name for name in every if name.endswith(kinds)}
    with zipfile.ZipFile(wheel) as archive:
        names = {n for n in archive.namelist() if ".dist-info/" not in n}
    (extension,) = (n for n in names if re.fullmatch(r"fasterapi/_core\.cpython-.*\.so", n))
    assert names - {extension} == wanted


def test_extras(wheel: pathlib.Path) -> None:
    told = metadata(wheel)
    needs: dict[str, set[str]] = {}
    for line in told.get_all("Requires-Dist", []):
        extra = re.search(r"extra == ['\"](\w+)['\"]", line)
        needs.setdefault(extra[1] if extra else "", set()).add(re.split(r"[ <>=!;\[]", line)[0])
    assert needs == {
        "": {"click"},
        "fastapi": {"fastapi"},
        "standard": {"uvloop", "watchfiles", "rich"},
        "testclient": {"starlette", "httpx2", "websockets"},
    }
    assert told["Requires-Python"] == ">=3.11"


def test_base_installation(bare: pathlib.Path) -> None:
    listed = run(bare / "python", "-m", "pip", "list", "--format=freeze").lower()
    assert {line.partition("==")[0] for line in listed.split()} - {"pip", "setuptools", "wheel"} == {
        "click",
        "fasterapi-server",
    }
    assert "fasterapi" in run(bare / "fasterapi", "--version")
    assert "--port" in run(bare / "fasterapi", "--help")


def test_base_installation_serves(bare: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "raw.py").write_text(RAW_APP)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command = [bare / "fasterapi", "raw:app", "--port", str(port), "--app-dir", tmp_path]
    server = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        answer = b""
        for _ in range(400):
            with contextlib.suppress(ConnectionError), socket.create_connection(
                ("127.0.0.1", port), 10
            ) as s:
                s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                while piece := s.recv(4096):
                    answer += piece
                break
            time.sleep(0.05)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), server.poll()
        assert answer.endswith(b"\r\n3\r\nraw\r\n0\r\n\r\n")  # of no length that was told
    finally:
        server.terminate()
        _, said = server.communicate(timeout=patience.HANGS_S)
    assert "Finished server process" in said
