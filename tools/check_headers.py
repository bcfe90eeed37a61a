#!/usr/bin/env python3
"""Every header compiles alone and twice: public ones as C11 and C++17 by gcc and
clang, strictly; internal ones as the sources of the library are compiled."""

import concurrent.futures
import os
import pathlib
import subprocess
import sys

from source_tree import ROOT, c_files

STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]
PUBLIC = [
    ["gcc", "-xc", "-std=c11", "-Wstrict-prototypes"],
    ["clang", "-xc", "-std=c11", "-Wstrict-prototypes"],
    ["g++", "-xc++", "-std=c++17"],
    ["clang++", "-xc++", "-std=c++17"],
]
INTERNAL = [["gcc", "-xc", "-std=gnu11", "-D_GNU_SOURCE", f"-I{ROOT / 'src'}"]]


def compile_alone(job: tuple[list[str], str]) -> str | None:
    compiler, name = job
    run = subprocess.run(
        [*compiler, *STRICT, f"-I{ROOT / 'include'}", "-fsyntax-only", "-"],
        # The last line is for headers of macros only: C wants a declaration.
        input=f"#include <{name}>\n#include <{name}>\ntypedef int nothing;\n",
        capture_output=True,
        text=True,
        check=False,
    )
    return None if run.returncode == 0 else f"{name} with {compiler[0]}:\n{run.stderr}"


def jobs() -> list[tuple[list[str], str]]:
    found = []
    for path in c_files():
        if path.suffix != ".h":
            continue
        folder, name = path.relative_to(ROOT).parts[0], pathlib.Path(*path.relative_to(ROOT).parts[1:])
        if folder == "include":
            found += [(compiler, str(name)) for compiler in PUBLIC]
        elif folder == "src":
            found += [(compiler, str(name)) for compiler in INTERNAL]
    return found


def main() -> int:
    todo = jobs()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = [problem for problem in pool.map(compile_alone, todo) if problem]
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"headers: {len(todo)} compiled alone, {len(problems)} failed")
    return 1 if problems or not todo else 0


if __name__ == "__main__":
    sys.exit(main())
