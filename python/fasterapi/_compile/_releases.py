"""What is not the same in all releases that are known: everything else in this package may
take them for one."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import MutableMapping
from typing import Any

from fastapi import routing
from fastapi.telemetry import _asgi
from fastapi.telemetry._asgi import ExceptionTelemetryMiddleware
from starlette.middleware.errors import ServerErrorMiddleware

_STARLETTE = tuple(map(int, importlib.metadata.version("starlette").split(".")[:2]))

# What FastAPI puts around the middleware of users, from the outermost.
OUTER: tuple[Any, ...] = (ServerErrorMiddleware, ExceptionTelemetryMiddleware)
try:
    from fastapi._body_limit import AppBodyLimitMiddleware
except ModuleNotFoundError:  # before FastAPI 0.164
    pass
else:
    OUTER += (AppBodyLimitMiddleware,)
_limits: Any = sys.modules.get("fastapi._body_limit")
# What AppBodyLimitMiddleware, a route and a router put around what is theirs, if they limit it.
LIMITERS: tuple[Any, ...] = ()
LIMIT_KEY = RESPONDER_KEY = ""
Responder: Any = object
if _limits is not None:
    from starlette.middleware import body_limit

    LIMITERS = (body_limit.RequestBodyLimitMiddleware, _limits._BodyLimitExceptionMiddleware)
    LIMIT_KEY = _limits.MAX_BODY_SIZE_SCOPE_KEY
    RESPONDER_KEY = body_limit._BODY_LIMIT_RESPONDER_SCOPE_KEY
    Responder = body_limit.RequestBodyLimitResponder
# What the layers within ServerErrorMiddleware do for a request that they have nothing to do for.
INACTIVE: tuple[tuple[Any, str], ...] = ((_asgi, "ExceptionTelemetryMiddleware.__call__"),)
if _limits is not None:
    INACTIVE += (
        (_limits, "AppBodyLimitMiddleware.__call__"),
        (_limits, "wrap_app_with_body_limit"),
    )

# Starlette takes the traceback off an exception that was handled.
TAKES_TRACEBACK = _STARLETTE >= (1, 10)
# TrustedHostMiddleware does not look at the case of a host, as the core does not.
HOSTS_WITHOUT_CASE = _STARLETTE >= (1, 9)


def body_limit_of(holder: Any) -> int | None:
    """Of an application, a router, a route or an inclusion; FastAPI 0.164 began with it."""
    limit: int | None = getattr(holder, "max_body_size", None)
    return limit


def body_limit_error_of(scope: MutableMapping[str, Any], error: Exception) -> Exception | None:
    """What is to be raised in place of an error of reading, if a limit of the body is behind
    it; likewise."""
    if _limits is None or _limits.MAX_BODY_SIZE_SCOPE_KEY not in scope:
        return None
    found: Exception | None = _limits.get_body_limit_error(error)
    return found


def apply_form_limits(scope: MutableMapping[str, Any], holder: Any) -> None:
    """What an APIRouter, or an inclusion, notes in a scope that it is given; FastAPI 0.165
    began with it."""
    if _apply is not None:
        _apply(scope, holder.form_limits)


def form_limits_of(scope: MutableMapping[str, Any], limits: Any) -> dict[str, Any]:
    """Keywords of Request.form() for a route with `limits`; likewise."""
    if _resolve is None:
        return {}
    found: dict[str, Any] = _resolve(scope.get(routing._FASTAPI_SCOPE_KEY, {}), limits)
    return found


_apply: Any = getattr(routing, "_apply_router_form_limits", None)
_resolve: Any = getattr(routing, "_resolve_form_limits", None)
