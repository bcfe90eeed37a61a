"""Log lines as uvicorn writes them, under its logger names: users' own configurations
and log parsers keep working."""

from __future__ import annotations

import copy
import http
import json
import logging
import logging.config
import os
import sys
from typing import IO, Any, Literal

TRACE = 5

LEVELS: dict[str, int] = {
    "critical": logging.CRITICAL,
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": TRACE,
}

LOGGING_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "default": {
            "()": "fasterapi._logging.DefaultFormatter",
            "fmt": "%(levelprefix)s %(message)s",
            "use_colors": None,
        },
        "access": {
            "()": "fasterapi._logging.AccessFormatter",
            "fmt": '%(levelprefix)s %(client_addr)s - "%(request_line)s" %(status_code)s',
        },
    },
    "handlers": {
        "default": {
            "formatter": "default",
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stderr",
        },
        "access": {
            "formatter": "access",
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
        },
    },
    "loggers": {
        "uvicorn": {"handlers": ["default"], "level": "INFO", "propagate": False},
        "uvicorn.error": {"level": "INFO"},
        "uvicorn.access": {"handlers": ["access"], "level": "INFO", "propagate": False},
    },
}

# SGR codes of ECMA-48 for a level, and for a class of statuses.
_LEVEL_COLORS = {
    TRACE: 34,
    logging.DEBUG: 36,
    logging.INFO: 32,
    logging.WARNING: 33,
    logging.ERROR: 31,
    logging.CRITICAL: 91,
}
_STATUS_COLORS = {1: 97, 2: 32, 3: 33, 4: 31, 5: 91}


def colored(text: str, code: int | None) -> str:
    return text if code is None else f"\033[{code}m{text}\033[0m"


def bold(text: str) -> str:
    return colored(text, 1)


def cyan(text: str) -> str:
    return colored(text, 36)


class DefaultFormatter(logging.Formatter):
    """Offers `levelprefix`: the level and a colon, padded to one width. A record's
    `color_message` replaces its message where colours are shown."""

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: Literal["%", "{", "$"] = "%",
        use_colors: bool | None = None,
    ) -> None:
        super().__init__(fmt=fmt, datefmt=datefmt, style=style)
        self.use_colors = sys.stdout.isatty() if use_colors is None else use_colors

    def formatMessage(self, record: logging.LogRecord) -> str:
        return super().formatMessage(self.prepared(copy.copy(record)))

    def prepared(self, record: logging.LogRecord) -> logging.LogRecord:
        name = record.levelname
        padding = " " * (8 - len(name))
        if self.use_colors:
            name = colored(name, _LEVEL_COLORS.get(record.levelno))
            if hasattr(record, "color_message"):
                record.msg = record.color_message
                record.message = record.getMessage()
        record.levelprefix = f"{name}:{padding}"
        return record


class AccessFormatter(DefaultFormatter):
    """For records whose arguments are address, method, target, version and status."""

    def prepared(self, record: logging.LogRecord) -> logging.LogRecord:
        address, method, target, version, status = record.args  # type: ignore[misc]
        line = f"{method} {target} HTTP/{version}"
        answer = status_text(int(status))  # type: ignore[call-overload]
        if self.use_colors:
            line = bold(line)
            answer = colored(answer, _STATUS_COLORS.get(int(status) // 100))  # type: ignore[call-overload]
        record.client_addr, record.request_line, record.status_code = address, line, answer
        return super().prepared(record)


def status_text(status: int) -> str:
    try:
        return f"{status} {http.HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} "


def fill_standard_streams() -> None:
    """Whoever starts us may have closed them. Then the next sockets would get their numbers,
    and what a library prints would go to a client."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))


LogConfig = dict[str, Any] | str | os.PathLike[str] | IO[Any] | None


def configure(
    config: LogConfig, level: str | int | None, access_log: bool, use_colors: bool | None
) -> None:
    """Applies a dictConfig, or a file of one (.json, .yaml), or an .ini for fileConfig."""
    fill_standard_streams()
    logging.addLevelName(TRACE, "TRACE")
    if isinstance(config, os.PathLike):
        config = os.fspath(config)
    if isinstance(config, dict):
        logging.config.dictConfig(_with_colors(config, use_colors))
    elif isinstance(config, str) and config.endswith((".json", ".yaml", ".yml")):
        logging.config.dictConfig(_read(config))
    elif config is not None:
        logging.config.fileConfig(config, disable_existing_loggers=False)
    if level is not None:
        number = LEVELS[level.lower()] if isinstance(level, str) else level
        for name in ("uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
            logging.getLogger(name).setLevel(number)
    if not access_log:
        access = logging.getLogger("uvicorn.access")
        access.handlers = []
        access.propagate = False


def _with_colors(config: dict[str, Any], use_colors: bool | None) -> dict[str, Any]:
    if use_colors is None:
        return config
    config = copy.deepcopy(config)
    for name in ("default", "access"):
        config["formatters"][name]["use_colors"] = use_colors
    return config


def _read(path: str) -> dict[str, Any]:
    with open(path) as file:
        if path.endswith(".json"):
            loaded = json.load(file)
        else:
            try:
                import yaml
            except ImportError as error:
                raise ImportError("a --log-config in YAML needs PyYAML installed") from error
            loaded = yaml.safe_load(file)
    return loaded
