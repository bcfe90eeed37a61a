#!/usr/bin/env python3
"""Holds every folder to including only downward (the table in docs/ARCHITECTURE.md).

Also: no file includes itself over others, what is meant for users includes public
headers only, and every C file of src/ is listed in its folder's meson.build.
"""

import pathlib
import re
import sys

from source_tree import ROOT, c_files

# What a layer may include directly; what those may include comes with them.
MAY_INCLUDE = {
    "base": [],
    "event": ["base"],
    "net": ["event"],
    "tls": ["base"],
    "http": ["base"],
    "http1": ["http"],
    "http2": ["http"],
    "http3": ["http", "tls"],
    "websocket": ["http"],
    "json": ["base"],
    "schema": ["json"],
    "route": ["http"],
    "params": ["route", "schema"],
    "openapi": ["params"],
    "app": ["openapi"],
}
PUBLIC_ONLY = ("include", "examples", "python/ext")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def closure(layer: str) -> set[str]:
    """The layer itself and all below it."""
    if layer == "server":  # puts everything together
        return {*MAY_INCLUDE, "server"}
    below = {layer}
    for direct in MAY_INCLUDE[layer]:
        below |= closure(direct)
    return below


def resolve(file: pathlib.Path, name: str) -> pathlib.Path | None:
    """The project's file that `name` means, None for a header of the system."""
    own = "python/ext" if folder_of(file) == "python/ext" else "src"
    for base in (file.parent, ROOT / own, ROOT / "include"):
        if (base / name).is_file():
            return (base / name).resolve()
    return None


def folder_of(file: pathlib.Path) -> str:
    parts = file.relative_to(ROOT).parts
    return "/".join(parts[:2]) if parts[0] in ("src", "python") else parts[0]


def check_include(file: pathlib.Path, target: pathlib.Path | None, name: str) -> str | None:
    """What is wrong with `file` including `target`, or None."""
    folder = folder_of(file)
    if folder in PUBLIC_ONLY:
        own = target is not None and folder != "include" and folder_of(target) == folder
        public = target is not None and folder_of(target) == "include"
        internal = target is None and pathlib.Path(name).parts[0] in MAY_INCLUDE
        if (target is not None and not own and not public) or internal:
            return f"{folder}/ may include public headers only"
        return None
    if not folder.startswith("src/") or target is None:
        return None
    layer, other = folder.removeprefix("src/"), folder_of(target)
    if layer not in MAY_INCLUDE and layer != "server":
        return f"src/{layer} is not in the table of layers"
    if other == "include":
        return None
    if not other.startswith("src/"):
        return "src/ includes nothing of the rest of the project"
    if other.removeprefix("src/") not in closure(layer):
        return f"{layer}/ may include {', '.join(sorted(closure(layer)))} only"
    return None


def find_cycle(graph: dict[pathlib.Path, list[pathlib.Path]]) -> list[pathlib.Path] | None:
    done: set[pathlib.Path] = set()
    for start in graph:
        path: list[pathlib.Path] = []
        stack = [(start, False)]
        while stack:
            node, leaving = stack.pop()
            if leaving:
                path.pop()
                done.add(node)
            elif node in path:
                return [*path[path.index(node) :], node]
            elif node not in done:
                path.append(node)
                stack.append((node, True))
                stack += [(other, False) for other in graph.get(node, [])]
    return None


def unlisted() -> list[str]:
    """C files of src/ that no build compiles, so that no test could fail on them."""
    return [
        f"{file.relative_to(ROOT)}: not listed in its folder's meson.build"
        for file in c_files()
        if folder_of(file).startswith("src/")
        and file.suffix == ".c"
        and f"'{file.name}'" not in (file.parent / "meson.build").read_text()
    ]


def main() -> int:
    problems = unlisted()
    graph: dict[pathlib.Path, list[pathlib.Path]] = {}
    includes = 0
    for file in c_files():
        for match in INCLUDE.finditer(text := file.read_text()):
            quoted, name = match[1] == '"', match[2]
            target = resolve(file, name)
            if target is None and quoted and folder_of(file).startswith(("src/", "include")):
                problem = f'"{name}" is not there'
            else:
                problem = check_include(file, target, name)
            if target is not None:
                graph.setdefault(file, []).append(target)
            includes += 1
            if problem:
                line = text.count("\n", 0, match.start()) + 1
                problems.append(f"{file.relative_to(ROOT)}:{line}: {name}: {problem}")
    if cycle := find_cycle(graph):
        problems.append("cycle: " + " -> ".join(str(f.relative_to(ROOT)) for f in cycle))
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"layers: {includes} includes in {len(graph)} files, {len(problems)} wrong")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
