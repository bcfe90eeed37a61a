"""Which files --reload looks at."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

EXCLUDED = (".*", ".py[cod]", ".sw.*", "~*")

logger = logging.getLogger("uvicorn.error")


def is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # no name a file could have
        return False


def as_list(given: list[str] | str | None) -> list[str]:
    return [given] if isinstance(given, str) else list(dict.fromkeys(given or ()))


def _split(patterns: list[str]) -> tuple[list[str], list[Path]]:
    """The patterns, and the directories that they name or match."""
    directories: list[Path] = []
    for pattern in patterns:
        if pattern == ".*":
            continue  # for files: every hidden directory is hardly meant
        if is_directory(Path(pattern)):
            directories.append(Path(pattern))
        elif not Path(pattern).is_absolute():
            directories += [path for path in Path.cwd().glob(pattern) if is_directory(path)]
    return patterns, directories


def _outermost(directories: Iterable[Path]) -> list[Path]:
    found = {directory.resolve() for directory in directories if is_directory(directory)}
    return sorted(d for d in found if not found.intersection(d.parents))


class Watched:
    """Which files count: what --reload-dir, -include and -exclude come to."""

    def __init__(
        self,
        directories: list[str] | str | None,
        includes: list[str] | str | None,
        excludes: list[str] | str | None,
    ) -> None:
        self.includes, included = _split(as_list(includes))
        self.excludes, excluded = _split(as_list(excludes))
        self.excluded_directories = _outermost(excluded)
        self.directories = [
            directory
            for directory in _outermost([*map(Path, as_list(directories)), *included])
            if not {directory, *directory.parents}.intersection(self.excluded_directories)
        ]
        if not self.directories:
            if directories:
                logger.warning(
                    "Provided reload directories %s did not contain valid directories, "
                    "watching current working directory.",
                    as_list(directories),
                )
            self.directories = [Path.cwd()]
        self._wanted = [*self.includes, *(["*.py"] if "*.py" not in self.excludes else [])]
        self._unwanted = [*self.excludes, *(e for e in EXCLUDED if e not in self.includes)]

    def has(self, path: Path) -> bool:
        if not any(path.match(pattern) for pattern in self._wanted):
            return False
        if any(path.name == pattern for pattern in self.includes):
            return True
        if any(directory in path.parents for directory in self.excluded_directories):
            return False
        return not any(path.match(pattern) for pattern in self._unwanted)
