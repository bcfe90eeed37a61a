"""FasterAPI serves ASGI applications, FastAPI's first, on a native core.

`fasterapi run` on the command line, or run() here. Config and Server are used as
uvicorn's. FastAPI's own names can be imported from here too, if it is installed."""

from __future__ import annotations

from typing import Any

from fasterapi._config import Config
from fasterapi._options import OptionError, UnsupportedOption
from fasterapi._run import run
from fasterapi._server import Server

__version__ = "0.1.0"
__all__ = ["Config", "OptionError", "Server", "UnsupportedOption", "main", "run"]


def __getattr__(name: str) -> Any:
    if name == "main":  # click is needed for the command line only
        from fasterapi._cli import main

        return main
    if not name.startswith("_"):
        try:
            import fastapi
        except ImportError:
            fastapi = None  # type: ignore[assignment]
        if hasattr(fastapi, name):
            return getattr(fastapi, name)
    raise AttributeError(f"module 'fasterapi' has no attribute {name!r}")
