"""Python that is written while routes are compiled."""

from __future__ import annotations

from typing import Any


class Source:
    """Lines of Python, and the objects that they name."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.depth = 1
        self.objects: dict[str, Any] = {}

    def add(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    def indented(self, other: Source) -> None:
        """The lines of `other`, one level below."""
        self.lines += ["    " * self.depth + line for line in other.lines]

    def add_at(self, at: int, line: str) -> None:
        self.lines.insert(at, "    " * self.depth + line)

    def name(self, prefix: str, value: Any) -> str:
        name = f"{prefix}{len(self.objects)}"
        self.objects[name] = value
        return name
