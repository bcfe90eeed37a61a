"""The package's types: mypy, strictly, and what `_core.pyi` says of the extension."""

import os
import pathlib
import subprocess
import sys

import patience

ROOT = pathlib.Path(__file__).resolve().parents[3]


def mypy(module: str, *arguments: str, cwd: pathlib.Path, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=cwd,
        env={**os.environ, "MYPY_CACHE_DIR": str(cwd / "cache"), "NO_COLOR": "1", **env},
        capture_output=True,
        text=True,
        timeout=patience.LONG_S,
    )
    return done.stdout + done.stderr


def test_strict(tmp_path: pathlib.Path) -> None:
    settings = f"--config-file={ROOT / 'pyproject.toml'}"
    said = mypy("mypy", settings, str(ROOT / "python" / "fasterapi"), cwd=tmp_path)
    assert said.startswith("Success: no issues found in "), said


def test_extension(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Every name of either is in the other, with the arguments that can be told."""
    said = mypy("mypy.stubtest", "fasterapi._core", cwd=tmp_path, PYTHONPATH=str(site))
    assert said.startswith("Success: no issues found in 1 module"), said


def test_faults_are_found(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from fasterapi import _core\n_core.PlanTable(3).find('')\n_core.Plan.nothing\n")
    settings = f"--config-file={ROOT / 'pyproject.toml'}"
    said = mypy("mypy", settings, str(wrong), cwd=tmp_path, MYPYPATH=str(ROOT / "python"))
    assert said.count("error: ") == 3, said
