"""Log lines as uvicorn writes them, under its logger names: users' own configurations
and log parsers keep working."""

from __future__ import annotations

import copy
import http
import io
import json
import logging
import logging.config
import os
import sys
from typing import IO, Any, Literal, TextIO

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
        arguments: Any = record.args
        address, method, target, version, status = arguments
        line = f"{method} {target} HTTP/{version}"
        answer = status_text(int(status))
        if self.use_colors:
            line = bold(line)
            answer = colored(answer, _STATUS_COLORS.get(int(status) // 100))
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


def access_stream() -> TextIO | None:
    """Where the lines of "uvicorn.access" go, if nothing but this module's default has a say
    in what they look like and whether they are written. What would see or change a record,
    or may do so by being something else than it is by default, makes it None. Asked for in
    each round of requests, so a set-up may change at any time."""
    logger = _ACCESS
    if (
        len(logger.handlers) != 1
        or logger.filters
        or logger.propagate
        or not logger.isEnabledFor(logging.INFO)
        or len(logger.__dict__) != _LOGGER_KEYS
        or logging.getLogRecordFactory() is not logging.LogRecord
        or logging.getLevelName(logging.INFO) != "INFO"
        or _methods() != _UNTOUCHED
    ):
        return None
    handler: Any = logger.handlers[0]
    if (
        type(handler) is not logging.StreamHandler
        or len(handler.__dict__) != _HANDLER_KEYS
        or handler.filters
        or handler.level > logging.INFO
        or handler.terminator != "\n"
        or type(handler.stream) is not io.TextIOWrapper
    ):
        return None
    formatter = handler.formatter
    if (
        type(formatter) is not AccessFormatter
        or len(formatter.__dict__) != _FORMATTER_KEYS
        or formatter.use_colors
        or formatter._fmt != _ACCESS_FORMAT
    ):
        return None
    return handler.stream


def _methods() -> tuple[Any, ...]:
    """What a record goes through; some put their own function there to see it go by."""
    logger, handler = logging.Logger, logging.StreamHandler
    return (
        *(logger.info, logger._log, logger.makeRecord, logger.handle, logger.callHandlers),
        *(handler.handle, handler.emit, handler.format, handler.flush, AccessFormatter.format),
        *(AccessFormatter.formatMessage, AccessFormatter.prepared),
    )


def _untouched() -> tuple[Any, ...]:
    """Empty, so that nothing is equal to it, if they were not logging's and ours already."""
    ours = (logging.getLogger.__code__.co_filename, _methods.__code__.co_filename)
    files = [getattr(getattr(each, "__code__", None), "co_filename", None) for each in _methods()]
    return _methods() if all(file in ours for file in files) else ()


_ACCESS = logging.getLogger("uvicorn.access")
_ACCESS_FORMAT = LOGGING_CONFIG["formatters"]["access"]["fmt"]
_LOGGER_KEYS = len({*logging.Logger("").__dict__, "parent", "manager"})
_HANDLER_KEYS = len(logging.StreamHandler().__dict__)
_FORMATTER_KEYS = len(AccessFormatter(use_colors=False).__dict__)
_UNTOUCHED = _untouched() if type(_ACCESS) is logging.Logger else ()

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
    configuration: dict[str, Any] = loaded
    return configuration
