"""The command line and what it makes of its options."""

import pathlib
import re
import subprocess

import patience
import peers
import pytest
from life import get

APP = "from fastapi import FastAPI\n{name} = FastAPI()\n"


def told(site: pathlib.Path, cwd: pathlib.Path, *arguments: str, **env: str):
    return subprocess.run(
        [*peers.command("fasterapi"), *arguments],
        capture_output=True,
        text=True,
        env=peers.environment(site, **env),
        cwd=cwd,
        timeout=patience.HANGS_S,
    )


def flags(text: str) -> set[str]:
    """Every spelling of an option that a help names."""
    found = re.findall(r"(?<![\w-])--?[a-z0-9][a-z0-9-]*", text.split("Options:")[1])
    return {flag for flag in found if not flag.endswith("-")}  # else broken between lines


def test_every_flag_of_uvicorn(site: pathlib.Path) -> None:
    theirs = subprocess.run(
        [*peers.command("uvicorn"), "--help"], capture_output=True, text=True, check=True
    )
    for command in ([], ["run"], ["dev"]):
        ours = told(site, peers.APPS, *command, "--help")
        assert ours.returncode == 0
        assert flags(theirs.stdout) <= flags(ours.stdout)


def test_version(site: pathlib.Path) -> None:
    done = told(site, peers.APPS, "--version")
    assert re.fullmatch(r"Running fasterapi \S+ with CPython \S+ on Linux\n", done.stdout)
    meson = (peers.TESTS.parent / "meson.build").read_text()
    assert done.stdout.split()[2] == re.search(r"version: '(.*?)'", meson)[1]


@pytest.mark.parametrize(
    "options",
    [
        ["--workers", "0"],
        ["--workers-max-rss", "0"],
        ["--timeout-worker-healthcheck", "0"],
        ["--timeout-worker-blocked", "-1"],
        ["--timeout-drain", "-1"],
        ["--reload-delay", "-1"],
        ["--uds-permissions", "1777"],
        ["--http", "zttp"],
        ["--http2"],
        ["--ws", "other"],
        ["--ws-max-size", "-1"],
        ["--ws-max-queue", "0"],
        ["--ws-ping-interval", "-1"],
        ["--ws-ping-timeout", "-1"],
        ["--ws-max-fragments", "0"],
        ["--ws-max-inflate-ratio", "-1"],
        ["--ws-close-timeout", "-1"],
        ["--interface", "wsgi"],
        ["--ssl-keyfile", "x"],
        ["--ssl-certfile", "x"],
        ["--ssl-keyfile-password", "x"],
        ["--ssl-version", "2"],
        ["--ssl-cert-reqs", "1"],
        ["--ssl-ca-certs", "x"],
        ["--ssl-ciphers", "x"],
        ["--h11-max-incomplete-event-size", "-1"],
        ["--limit-request-header-count", "1001"],
        ["--limit-request-body", "-1"],
        ["--timeout-request-header", "-0.1"],
        ["--header", "no colon"],
        ["--header", "Connection: close"],
        ["--port", "70000"],
        ["--timeout-keep-alive", "-1"],
        ["--loop", "zuvloop"],
    ],
    ids=" ".join,
)
def test_refused(site: pathlib.Path, options: list[str]) -> None:
    done = told(site, peers.APPS, "life_apps:plain", "--port", "0", *options)
    assert done.returncode == 2
    assert re.fullmatch(rf"Error: {options[0]} .+\n", done.stderr)


def test_wrong_environment(site: pathlib.Path) -> None:
    for command in ([], ["run"]):
        done = told(site, peers.APPS, *command, "life_apps:plain", WEB_CONCURRENCY="many")
        assert done.returncode == 2
        assert done.stderr == "Error: --workers of WEB_CONCURRENCY is no number: 'many'\n"


@pytest.mark.parametrize(
    ("files", "arguments", "found"),
    [
        ({"main.py": "app"}, [], "main:app"),
        ({"app.py": "api", "api.py": "app"}, [], "app:api"),
        ({"api.py": "other"}, [], "api:other"),
        ({"app/main.py": "app"}, [], "main:app"),
        ({"app/__init__.py": "", "app/api.py": "app"}, [], "app.api:app"),
        ({"main.py": "app", "pkg/mod.py": "it"}, ["pkg/mod.py"], "mod:it"),
        ({"a/__init__.py": "", "a/b/__init__.py": "app"}, ["a/b/__init__.py"], "a.b:app"),
        ({"a/__init__.py": "app"}, ["a"], "a:app"),
        ({"main.py": "app\n\nsecond"}, ["--app", "app"], "main:app"),
        ({"some.py": "app"}, ["some:app"], "some:app"),
        ({"some.py": "app"}, ["-e", "some:app"], "some:app"),
        ({"some.py": "app", "main.py": "app"}, ["pyproject"], "some:app"),
    ],
    ids=str,
)
@pytest.mark.parametrize("command", ["run", "dev"])
def test_found(
    site: pathlib.Path,
    tmp_path: pathlib.Path,
    command: str,
    files: dict[str, str],
    arguments: list[str],
    found: str,
) -> None:
    """On a port that cannot be: what was found is told before that is."""
    for name, variable in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(APP.format(name=variable.split()[0]) if variable else "")
    if arguments == ["pyproject"]:
        (tmp_path / "pyproject.toml").write_text("[tool.fastapi]\nentrypoint = 'some:app'\n")
        arguments = []
    done = told(site, tmp_path, command, *arguments, "--verbose", "--port", "99999")
    assert f"Using import string: {found}\n" in done.stderr
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("pyproject", "arguments", "error"),
    [
        ("", [], "Could not find a default file to run, please provide an explicit path"),
        ("", ["missing.py"], "Path does not exist missing.py"),
        ("", ["x:app", "--app", "app"], "Cannot use --app together with module:attribute"),
        ("", ["x.py", "-e", "x:app"], "Cannot use --entrypoint together with a path or --app"),
        ("", ["-e", "x"], "Import string must be in the format module.submodule:app_name"),
        ("[tool.fasterapi]\nnonsense = 1\n", [], "[tool.fasterapi] has no option 'nonsense'"),
        ("[tool.fasterapi\n", [], "Invalid pyproject.toml"),
    ],
)
def test_not_found(
    site: pathlib.Path, tmp_path: pathlib.Path, pyproject: str, arguments: list[str], error: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(pyproject)
    done = told(site, tmp_path, "run", *arguments)
    assert done.returncode == 2
    assert error in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_settings(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Command line over environment over pyproject.toml."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "main.py").write_text(APP.format(name="app"))
    settings = "[tool.fasterapi]\nport = 1\nroot-path = '/a'\nlog-level = 'debug'\nserver_header = false\n"
    (work / "pyproject.toml").write_text(settings)
    env = {"FASTERAPI_ROOT_PATH": "/b", "FASTERAPI_PORT": "2"}
    options = ["run", "--host", "127.0.0.1", "--port", "0"]
    with peers.serving("fasterapi", site, tmp_path / "logs", *options, cwd=work, env=env) as server:
        answer = get(server, "/openapi.json")
    assert b'"servers":[{"url":"/b"}]' in answer.body
    assert ("server", "ours") not in answer.fields


def test_hosts(site: pathlib.Path) -> None:
    """`run` is for containers, the others for the machine one sits at."""
    for command, host in (([], "127.0.0.1"), (["run"], "0.0.0.0"), (["dev"], "127.0.0.1")):
        shown = told(site, peers.APPS, *command, "--help").stdout
        assert f"[default: {host}]" in " ".join(shown.split())
