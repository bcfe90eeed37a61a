"""FastAPI applications compiled: which routes the native core can serve by itself, and how.

compile_app() reads a built application and changes nothing in it. What it does not know
for certain is left to the application itself, with a reason that users can read."""

from __future__ import annotations

import operator
import sys
from typing import TYPE_CHECKING, Any

from fasterapi._compile._reasons import NotCompiled

if TYPE_CHECKING:
    from fasterapi._compile._table import Compiled

NO_FASTAPI = "it is no application of FastAPI"

__all__ = ["NO_FASTAPI", "NotCompiled", "compile_app", "is_current"]


def compile_app(app: Any, *, apart: bool = False, root_path: str = "") -> Compiled:
    """Raises NotCompiled when the application as a whole cannot be. `apart`: plans of an
    earlier call stay in use behind its middleware. `root_path` is the server's."""
    if "fastapi" not in sys.modules:  # then nothing here is an instance of its classes
        raise NotCompiled(NO_FASTAPI)
    from fasterapi._compile import _fingerprint

    _fingerprint.check()
    # It imports names that only the releases have which are known.
    from fasterapi._compile import _application

    return _application.compile_app(app, apart=apart, root_path=root_path)


def is_current(compiled: Compiled, app: Any) -> bool:
    """Whether compile_app(app) would find what it has found. Raises NotCompiled as it does
    when functions have been patched meanwhile."""
    from fasterapi._compile import _fingerprint

    _fingerprint.check()
    return compiled.app is app and all(map(_holds, compiled.guards))


def _holds(guard: tuple[Any, str, Any, bool, int | tuple[Any, ...] | None]) -> bool:
    target, attribute, expected, anything, size = guard
    if attribute == "dependency_overrides":
        return True  # plans look at it themselves, and compiling again would not help
    value: Any = getattr(target, attribute, None)
    if isinstance(size, tuple):
        return value is expected and len(value) == len(size) and all(map(operator.is_, value, size))
    if size is None:
        return value is None or value is expected
    return (anything or value is expected) and (size < 0 or len(value) == size)
