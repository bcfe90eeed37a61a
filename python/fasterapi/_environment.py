"""What the environment says to a server."""

from __future__ import annotations

import logging
import os

from fasterapi._options import OptionError, UnsupportedOption

logger = logging.getLogger("uvicorn.error")


def workers_of_environment() -> int:
    text = os.environ.get("WEB_CONCURRENCY") or "1"
    try:
        return int(text)
    except ValueError:
        raise OptionError("workers", f"of WEB_CONCURRENCY is no number: {text!r}") from None


def load_environment(path: str | os.PathLike[str]) -> None:
    try:
        from dotenv import load_dotenv
    except ImportError:
        raise UnsupportedOption(
            "env_file", "needs python-dotenv: pip install python-dotenv"
        ) from None
    logger.info("Loading environment from '%s'", path)
    load_dotenv(dotenv_path=path)
