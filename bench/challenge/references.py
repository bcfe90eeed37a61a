"""The reference servers of bench/reference, built once their sources have changed."""

import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "load"))

import loadlib  # noqa: E402

SOURCES = HERE.parent / "reference"
BUILT = loadlib.ROOT / "build-reference"


NEEDED = {"go": "Go 1.22 or later", "cargo": "Rust 1.85 or later"}


def tool(name: str) -> str:
    """Where it is: in PATH, or where its own installer puts it."""
    places = (None, "/usr/local/go/bin", pathlib.Path.home() / ".cargo" / "bin")
    for place in places:
        if found := shutil.which(name, path=place):
            return found
    raise loadlib.BenchError(
        f"{name} is not installed; {NEEDED[name]} builds the reference server "
        f"(bench/README.md says how), or leave it out with --only"
    )


def run(command: list[str], folder: pathlib.Path, env: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise loadlib.BenchError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")


def go(env: dict[str, str]) -> pathlib.Path:
    program = BUILT / "one_million_go"
    # Without cgo: of the C library nothing is needed.
    env = {**env, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    command = [tool("go"), "build", "-trimpath", "-o", str(program), "."]
    run(command, SOURCES / "go", env)
    return program


def rust(env: dict[str, str]) -> pathlib.Path:
    target = BUILT / "rust"
    cargo = tool("cargo")
    run([cargo, "build", "--release", "--quiet", "--target-dir", str(target)],
        SOURCES / "rust", env)  # fmt: skip
    return target / "release" / "one_million_rust"


def versions(names: set[str]) -> dict[str, str]:
    asked = {"go": ["go", "version"], "rust": ["cargo", "--version"]}
    found = {}
    for name in sorted(names & set(asked)):
        program, argument = asked[name]
        command = [tool(program), argument]
        found[name] = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return found
