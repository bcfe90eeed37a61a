"""Limits of the bodies of requests: of applications, routers and routes (max_body_size).

What is within a limit meets nothing of it but what it leaves in the scope. So a plan with a
limit takes requests of which it can be told at once that they are; every other one goes to the
application, body and all."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from fasterapi._compile._releases import LIMIT_KEY, LIMITERS, RESPONDER_KEY, Responder

Scope = MutableMapping[str, Any]

MAX = 2**62  # more than anybody sends


def within(layer: Any) -> Any:
    """What a limit is around, or `layer` itself."""
    while type(layer) in LIMITERS:
        layer = layer.app
    return layer


class _Seen(Responder):  # type: ignore[misc]
    """In the scope of a request that is within a limit, in the place of who enforces it."""


def enter_limit(scope: Scope, limit: int) -> None:
    """What limits put into the scope of what they are around."""
    responder = scope.get(RESPONDER_KEY)
    if responder is None:
        scope[RESPONDER_KEY] = _Seen(None, limit)
    else:
        responder.max_body_size = limit
    scope[LIMIT_KEY] = limit


def leave_limit(scope: Scope) -> None:
    """Takes out what enter_limit() has put there by itself."""
    if type(scope.get(RESPONDER_KEY)) is _Seen:
        del scope[RESPONDER_KEY]
        scope.pop(LIMIT_KEY, None)


def read_so_far(scope: Scope) -> int:
    """How much of the body a limit has seen."""
    responder = scope.get(RESPONDER_KEY)
    return 0 if responder is None else responder.total_size


def set_read_so_far(scope: Scope, size: int) -> None:
    if (responder := scope.get(RESPONDER_KEY)) is not None:
        responder.total_size = size
