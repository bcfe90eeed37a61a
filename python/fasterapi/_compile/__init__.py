"""FastAPI applications compiled: which routes the native core can serve by itself, and how.

compile_app() reads a built application and changes nothing in it. What it does not know
for certain is left to the application itself, with a reason that users can read."""

from __future__ import annotations

from fasterapi._compile._application import Compiled, Route, compile_app
from fasterapi._compile._reasons import NotCompiled

__all__ = ["Compiled", "NotCompiled", "Route", "compile_app"]
