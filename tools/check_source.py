#!/usr/bin/env python3
"""Sizes and plain hygiene of the source.

Fails on C files over 600 lines, on functions over 100, on tabs, trailing blanks, CRLF
or a missing last newline, and on the host name of a package registry anywhere. Names
what exceeds the house's aims (400 and 60 lines) without failing. Generated files are
exempt from the sizes.
"""

import pathlib
import re
import sys

from source_tree import ROOT, files, is_generated

FILE_AIM, FILE_LIMIT = 400, 600
FUNCTION_AIM, FUNCTION_LIMIT = 60, 100
# A body opens with a brace of its own in column 0 (.clang-format), after a line that
# ends a parameter list or an attribute.
FUNCTION = re.compile(r"^[A-Za-z_][^;{}#]*?\b(\w+)\([^;{}#]*\)[^;{}#]*\n\{\n(.*?)^\}", re.M | re.S)
# Where packages come from is the business of the machine, not of this project. Kept
# in parts, so that this file holds none either.
REGISTRIES = [
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("deb", "debian", "org"),
    ("security", "debian", "org"),
    ("crates", "io"),
    ("npmjs", "org"),
    ("proxy", "golang", "org"),
    ("maven", "org"),
    ("repo", "maven", "apache", "org"),
]
FORBIDDEN = re.compile("|".join(r"\.".join(parts) for parts in REGISTRIES), re.I)
# Bytes that matter are kept as they are.
RAW = ("fuzz/", "tests/wire/")


def sizes(name: str, text: str) -> tuple[list[str], list[str]]:
    """(problems, remarks) about the lengths of one C file."""
    problems, remarks = [], []
    lines = text.count("\n")
    if lines > FILE_LIMIT and name.endswith(".c"):
        problems.append(f"{name}: {lines} lines; the limit is {FILE_LIMIT}")
    elif lines > FILE_AIM:
        remarks.append(f"{name}: {lines} lines")
    for match in FUNCTION.finditer(text):
        body = match[2].count("\n")
        if body > FUNCTION_LIMIT:
            problems.append(f"{name}: {match[1]}() has {body} lines; limit {FUNCTION_LIMIT}")
        elif body > FUNCTION_AIM:
            remarks.append(f"{name}: {match[1]}() has {body} lines")
    return problems, remarks


def hygiene(path: pathlib.Path, name: str, text: str) -> list[str]:
    problems = []
    if match := FORBIDDEN.search(text):
        line = text.count("\n", 0, match.start()) + 1
        problems.append(f"{name}:{line}: names a package registry")
    if name.startswith(RAW) and path.suffix not in (".c", ".h"):
        return problems
    if text and not text.endswith("\n"):
        problems.append(f"{name}: no newline at the end")
    for number, line in enumerate(text.split("\n"), 1):
        if line.endswith((" ", "\t", "\r")):
            problems.append(f"{name}:{number}: blank or CR at the end of the line")
        if "\t" in line and path.suffix in (".c", ".h", ".py"):
            problems.append(f"{name}:{number}: tab")
    return problems


def main() -> int:
    problems, remarks, count = [], [], 0
    for path in files():
        name = str(path.relative_to(ROOT))
        try:
            text = path.read_bytes().decode()
        except UnicodeDecodeError:  # a corpus or a picture
            continue
        count += 1
        problems += hygiene(path, name, text)
        if path.suffix in (".c", ".h") and not is_generated(text):
            more, notes = sizes(name, text)
            problems += more
            remarks += notes
    for remark in remarks:
        print(f"long: {remark}")
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"source: {count} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
