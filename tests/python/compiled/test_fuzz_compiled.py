"""Generated applications and requests through both tiers of the engine, and a share of them
under uvicorn: the same bytes, ends of connections, words of the application and log records."""

import os
import pathlib
import re
import subprocess
import sys

import compare
import patience
import peers
from corpus import SEED

REQUESTS = int(os.environ.get("FA_FUZZ_REQUESTS", "100000"))
LEAST_SERVED = 0.5  # of the requests, by plans


def test_tiers_are_alike(
    site: pathlib.Path, tmp_path: pathlib.Path, report: compare.Report
) -> None:
    run = subprocess.run(
        [
            *(sys.executable, "-m", "fuzz_compiled", "--seed", str(SEED), "--processes", "2"),
            *("--requests", str(REQUESTS), "--found", str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        env=peers.environment(site),
        timeout=patience.LONG_S,
    )
    told = re.sub(r"(?m)^around .*\n", "", run.stdout)  # by applications themselves
    assert run.returncode == 0, f"{told[-8000:]}\n{run.stderr[-4000:]}"
    counts = {name: int(n) for n, name in re.findall(r"^ *(\d+)  (.+)$", run.stdout, re.M)}
    assert counts["requests"] >= REQUESTS - 1
    assert counts["served"] >= LEAST_SERVED * counts["requests"], run.stdout
    assert counts["also under uvicorn"] >= 0.01 * counts["requests"], run.stdout
    report.tables.append(
        f"fuzzed applications: {counts['apps']}, requests {counts['requests']}, of which "
        f"{counts['served']} by plans and {counts['also under uvicorn']} under uvicorn, too"
    )


FAULT = """
import sys
from fasterapi._compile import _compiler
_compiler.encode = lambda result: b"{}"
from fuzz_compiled.__main__ import main
sys.exit(main())
"""


def test_a_fault_is_found(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", FAULT, "--requests", "3000", "--found", str(tmp_path)],
        capture_output=True,
        text=True,
        env=peers.environment(site),
        timeout=patience.LONG_S,
    )
    assert run.returncode == 1, f"{run.stdout}\n{run.stderr}"
    assert re.search(r"^received: compiled .*\{\}'$", run.stdout, re.M), run.stdout
    assert list(tmp_path.glob("1-*.py"))


def test_slices(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """A long run goes on where it was broken off; a slice whose process dies is a difference."""

    def run(*program: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [
                *(sys.executable, *program, "--kept", str(tmp_path), "--per-app", "100"),
                *("--slice", "100", "--requests", "200"),
            ],
            capture_output=True,
            text=True,
            env=peers.environment(site),
            timeout=patience.LONG_S,
        )

    done = run("-m", "fuzz_compiled.slices")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"(?m)^ *200  requests$", done.stdout) and "2 slices, 0 diff" in done.stdout
    first, second = sorted(tmp_path.glob("*.json"))
    before = second.stat().st_mtime_ns
    first.unlink()
    done = run("-c", DIES)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "slice 0: no result, exit code 7\n" in done.stdout
    assert second.stat().st_mtime_ns == before


DIES = """
import os, sys
from fuzz_compiled import slices
slices.share = lambda *_: os._exit(7)
sys.exit(slices.main())
"""
