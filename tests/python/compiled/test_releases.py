"""Other releases of FastAPI, Starlette and pydantic, installed beside the package: those that
are known are compiled as the one that is installed, others are left alone, with one line.
Each release by itself is held beside uvicorn by `tools/test_releases`."""

import json
import os
import pathlib
import subprocess
import sys

import patience
import peers
import pytest

DATA = peers.TESTS.parent / "python" / "fasterapi" / "_compile" / "fingerprints.json"
KNOWN = json.loads(DATA.read_text())["releases"]


@pytest.fixture
def installed(tmp_path: pathlib.Path, site: pathlib.Path):
    """installed(PACKAGE==VERSION...) is the PYTHONPATH with those first; skipped where the
    index cannot be had."""

    def install(*releases: str) -> str:
        for release in releases:
            whole = release.startswith("pydantic==")  # with its own pydantic-core
            command = [sys.executable, "-m", "pip", "install", "-q", "--only-binary=:all:", release]
            done = subprocess.run(
                [*command, "--target", str(tmp_path), *([] if whole else ["--no-deps"])],
                capture_output=True,
                text=True,
                timeout=patience.LONG_S,
            )
            if done.returncode != 0:
                pytest.skip(f"no {release}: {done.stderr.strip()[-200:]}")
        return f"{tmp_path}{os.pathsep}{site}"

    return install


def run(path: str, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "fasterapi", *arguments],
        cwd=peers.APPS,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=patience.HANGS_S,
    )


def tiers(path: str) -> tuple[str | None, dict[str, tuple[str, str]]]:
    done = run(path, "routes", "compiled_app.py", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    rows = {f"{r['methods']} {r['path']}": (r["tier"], r["reason"]) for r in found["routes"]}
    return found["reason"], rows


@pytest.mark.parametrize(
    "releases",
    [
        *[(f"fastapi=={version}",) for version in KNOWN["fastapi"][:-1]],
        tuple(f"{package}=={found[0]}" for package, found in KNOWN.items()),
    ],
    ids=" ".join,
)
def test_known(installed, site: pathlib.Path, releases: tuple[str, ...]) -> None:
    reason, rows = tiers(installed(*releases))
    assert reason is None
    assert rows == tiers(str(site))[1]


@pytest.mark.parametrize("release", ["fastapi==0.161.1", "starlette==1.6.0", "pydantic==2.12.5"])
def test_unknown(installed, release: str) -> None:
    path = installed(release)
    reason, rows = tiers(path)
    assert reason == f"{release.replace('==', ' ')} is not a release that is known"
    assert {tier for tier, _ in rows.values()} == {"asgi"}
    script = "import fasterapi._config as c; k = c.Config('compiled_app:app', engine='auto');"
    done = subprocess.run(
        [sys.executable, "-c", script + "k.load(); assert k.compile_routes() is None"],
        cwd=peers.APPS,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Engine: ") == 1
    assert f"Engine: every route is served through ASGI, since {reason}" in done.stderr
