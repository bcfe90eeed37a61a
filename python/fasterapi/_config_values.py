"""Which values options may have: those that would only fail later, or never be noticed."""

from __future__ import annotations

import os
from typing import Any

from fasterapi import _limits, _logging
from fasterapi._options import OptionError

# They say where a message ends, and what becomes of the connection.
FRAMING = frozenset(["connection", "content-length", "trailer", "transfer-encoding", "upgrade"])
CONTROL = frozenset([*range(0x20), 0x7F]) - {0x09}


def check(given: dict[str, Any]) -> None:
    """Raises OptionError for the first that is wrong."""
    for name, choices in (
        ("lifespan", ("auto", "on", "off")),
        ("pathsend", ("auto", "on", "off")),
        ("interface", ("auto", "asgi3", "asgi2")),
        ("engine", ("auto", "asgi")),
    ):
        if given[name] not in choices:
            raise OptionError(name, f"must be one of {', '.join(choices)}")
    if not 0 <= given["verify"] <= 1:
        raise OptionError("verify", "must be a share, from 0 to 1")
    level = given["log_level"]
    if isinstance(level, str) and level.lower() not in _logging.LEVELS:
        raise OptionError("log_level", f"must be one of {', '.join(_logging.LEVELS)}")
    if not 0 <= given["port"] <= 65535:
        raise OptionError("port", "must be from 0 to 65535")
    if given["timeout_keep_alive"] < 0:
        raise OptionError("timeout_keep_alive", "must not be negative")
    if given["limit_max_requests_jitter"] < 0:
        raise OptionError("limit_max_requests_jitter", "must not be negative")
    for name in ("timeout_worker_blocked", "timeout_drain", "reload_delay"):
        if not given[name] >= 0:
            raise OptionError(name, "must not be negative")
    for name in ("workers", "timeout_worker_healthcheck"):
        if given[name] < 1:
            raise OptionError(name, "must be at least 1")
    if given["workers"] > 256:
        raise OptionError("workers", "must be at most 256")
    if given["workers_max_rss"] is not None:
        if given["workers_max_rss"] < 1:
            raise OptionError("workers_max_rss", "must be at least 1 MiB")
        if not os.path.exists("/proc/self/statm"):
            raise OptionError("workers_max_rss", "needs /proc, which this system does not have")
    mode = given["uds_permissions"]
    if mode is not None and not 0 <= mode <= 0o777:
        raise OptionError("uds_permissions", "must be from 0 to 777, in octal digits")
    if not given["root_path"].isascii():
        raise OptionError("root_path", "must be ASCII, percent-encoded where need be")
    for name, value in given["headers"] or ():
        # RFC 9110, section 5.5: they would end the field, or the head.
        if not name or not name.isascii() or CONTROL & {*name.encode(), *value.encode()}:
            raise OptionError("headers", f"has {name!r}, which is no field of HTTP")
        if name.lower() in FRAMING:
            raise OptionError("headers", f"has {name!r}, which is for the server to say")
    size = given["h11_max_incomplete_event_size"]
    if size is not None and not 0 <= size < 2**32:
        raise OptionError("h11_max_incomplete_event_size", f"must be from 0 to {2**32 - 1}")
    _limits.check(given)
