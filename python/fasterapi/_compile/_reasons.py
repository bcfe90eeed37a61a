"""Why something is not compiled."""

from __future__ import annotations


class NotCompiled(Exception):
    """Raised where it is found out; the text is for users."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
