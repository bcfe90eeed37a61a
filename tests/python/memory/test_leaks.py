"""The short version of leaks.py; docs/TESTING.md has the figures of long ones."""

import pathlib
import re
import subprocess
import sys

import patience
import peers
import pytest

REQUESTS = 64  # of each kind, after 256 that fill what is filled once: 80,000 in all


def run(site: pathlib.Path, *options: object) -> subprocess.CompletedProcess:
    command = [sys.executable, str(pathlib.Path(__file__).with_name("leaks.py")), *map(str, options)]
    return subprocess.run(
        command, env=peers.environment(site), capture_output=True, text=True, timeout=patience.LONG_S
    )


def test_nothing_stays_behind(site: pathlib.Path, loop: str) -> None:
    done = run(site, "--requests", REQUESTS, "--loop", loop)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(" kinds, 0 grown\n")
    # Those in whose tasks something else has failed said so.
    assert "never retrieved" not in done.stderr and "destroyed" not in done.stderr
    found = re.findall(r"^(\S+) by tier: (\d+) compiled, (\d+) direct, (\d+) asgi$", done.stdout, re.M)
    tiers = {app: tuple(map(int, counts)) for app, *counts in found}
    assert tiers.pop("leak_apps:app")[0] == 0
    assert tiers.pop("compiled_app:app")[0] > 0
    for compiled, direct, _ in tiers.values():
        assert compiled > direct > 0, tiers


@pytest.mark.parametrize(
    ("kind", "what"),
    [("/keeps-scope", "blocks"), ("/keeps-task", "tasks"), ("/keeps-file", "descriptors")],
)
def test_what_stays_is_found(site: pathlib.Path, kind: str, what: str) -> None:
    done = run(site, "--requests", 100, kind)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f" {what} +" in done.stdout.partition("GROWN:")[2]
