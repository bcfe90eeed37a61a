"""Functions of FastAPI, Starlette and pydantic that somebody has patched are called as often as
under uvicorn, and the answers are the same; those that plans stand in for are named as the reason
why nothing is compiled. patched.py patches each in turn."""

import json
import pathlib
import subprocess
import sys
from typing import Any

import patience
import peers
import pytest
from test_releases import DATA

STOOD_IN = json.loads(DATA.read_text())["functions"]
PLACES = [
    *(f"{m}:{name}" for m in STOOD_IN if not m.startswith("anyio") for name in STOOD_IN[m]),
    *("json:dumps", "json:loads"),
]
BACKGROUND = ("BackgroundTask.__call__", "BackgroundTask.__init__", "BackgroundTasks.add_task")


@pytest.fixture(scope="module")
def patched(site: pathlib.Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, pathlib.Path(__file__).with_name("patched.py")],
        capture_output=True,
        text=True,
        env=peers.environment(site),
        timeout=patience.LONG_S,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def check(place: str, found: dict[str, Any]) -> None:
    assert "failed" not in found, place
    assert found["differs"] == {}, place


def test_not_patched(patched: dict[str, Any]) -> None:
    check("", patched[""])
    assert patched[""]["reason"] == "" and patched[""]["by plans"] >= 40


@pytest.mark.parametrize("place", PLACES)
def test_stood_in(patched: dict[str, Any], place: str) -> None:
    found = patched[place]
    if "absent" in found:
        pytest.skip(f"{place} is of another release")
    check(place, found)
    if found["guarded"]:
        assert found["reason"].startswith(f"{place.replace(':', '.')} was replaced by ")
        assert found["by plans"] == 0
    else:  # of use only where it is in use, or where it is called
        assert found["reason"] == "" and found["by plans"] == patched[""]["by plans"]


def test_all_that_is_called(patched: dict[str, Any]) -> None:
    """Nothing that is called under uvicorn is passed by unseen."""
    others = {place: found for place, found in patched.items() if place not in ("", *PLACES)}
    for place, found in others.items():
        check(place, found)
    assert sum(found["calls"] > 0 for found in others.values()) > 30
    assert any(found["by plans"] for found in others.values())


@pytest.mark.parametrize("name", BACKGROUND)
def test_background(patched: dict[str, Any], name: str) -> None:
    """Plans call these."""
    found = patched[f"starlette.background:{name}"]
    assert found["calls"] >= 4 and found["reason"] == ""
    assert found["by plans"] == patched[""]["by plans"]
