"""What clients may send, and how slowly. Each limit is a keyword of Config and of Worker,
and an option of the command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from fasterapi._options import OptionError


@dataclasses.dataclass(frozen=True)
class Limit:
    name: str
    type: type[int] | type[float]
    default: int | float | None
    help: str
    most: int = 2**32 - 1
    least: int = 0
    optional: bool = False  # None is taken, too


LIMITS = (
    Limit("limit_request_line", int, 8192, "Bytes of a request line; above it 414."),
    Limit("limit_request_headers", int, 32768, "Bytes of all header fields; above it 431."),
    Limit("limit_request_header_count", int, 100, "Header fields; above it 431.", most=1000),
    Limit(
        "limit_request_body",
        int,
        None,
        "Bytes of a body; above it 413. [default: any]",
        most=2**63 - 1,
        optional=True,
    ),
    Limit(
        "limit_min_rate",
        int,
        240,
        "Bytes per second below which a body that comes, or an answer that goes, is broken off; "
        "0 is no limit.",
    ),
    Limit(
        "timeout_request_header",
        float,
        10.0,
        "Seconds until the head of a request is complete, then 408; 0 is no limit.",
        most=4_000_000,
    ),
    Limit(
        "timeout_request_body",
        float,
        30.0,
        "Seconds without a byte of a body, then 408; 0 is no limit.",
        most=4_000_000,
    ),
    Limit(
        "timeout_write",
        float,
        30.0,
        "Seconds without the client taking a byte of an answer, then it is broken off; "
        "0 is no limit.",
        most=4_000_000,
    ),
    Limit(
        "ws_max_fragments",
        int,
        262144,
        "Frames of a WebSocket message; above it the connection closes with 1008.",
        least=1,
    ),
    Limit(
        "ws_max_inflate_ratio",
        int,
        100,
        "Bytes that one of a compressed WebSocket message may become, once they are 1 MiB; "
        "above it 1009.",
    ),
    Limit(
        "ws_close_timeout",
        float,
        10.0,
        "Seconds for a WebSocket client to answer a Close.",
        most=4_000_000,
    ),
)

# Those that uvicorn has, too.
WEBSOCKET = (
    Limit("ws_max_size", int, 16 * 1024 * 1024, "", most=2**63 - 1),
    Limit("ws_max_queue", int, 32, "", least=1),
    Limit("ws_ping_interval", float, 20.0, "", most=4_000_000, optional=True),
    Limit("ws_ping_timeout", float, 20.0, "", most=4_000_000, optional=True),
)


def check(given: Mapping[str, Any]) -> None:
    """Raises OptionError for the first limit that makes no sense."""
    for limit in (*LIMITS, *WEBSOCKET):
        value = given[limit.name]
        if value is None and limit.optional:
            continue
        if value is None or not limit.least <= value <= limit.most:
            raise OptionError(limit.name, f"must be from {limit.least} to {limit.most}")


def of(config: Any) -> dict[str, Any]:
    """The keywords of Worker. A size for h11's buffer is one for the head of a request,
    as far as its parts are not limited by themselves."""
    limits = {limit.name: getattr(config, limit.name) for limit in (*LIMITS, *WEBSOCKET)}
    size = config.h11_max_incomplete_event_size
    if size is not None:
        for limit in LIMITS:
            if limit.name in ("limit_request_line", "limit_request_headers"):
                if limits[limit.name] == limit.default:
                    limits[limit.name] = size
    return limits
