"""What a route's tree of dependencies asks of the plan that serves it."""

from __future__ import annotations

from typing import Any

from fastapi.dependencies.models import Dependant, _is_coroutine_callable
from fastapi.security.base import SecurityBase

from fasterapi._compile._build import needs_builder
from fasterapi._compile._params import native_rows


def is_scheme(sub: Dependant) -> bool:
    """One of FastAPI's own, which only look at the Request, and show it to nobody."""
    home = type(sub.call).__module__
    return isinstance(sub.call, SecurityBase) and home.startswith("fastapi.security.")


def may_change_request(sub: Dependant) -> bool:
    """Whether values that are taken from the Request after its call may differ."""
    takes = sub.request_param_name or sub.http_connection_param_name
    return takes is not None and not is_scheme(sub)


def shows_scope(effective: Any, dependant: Dependant) -> bool:
    """Whether the application sees the scope and the stacks in it, or something that the
    runner leaves to FastAPI needs them."""
    embed = effective._embed_body_fields
    return (
        bool(dependant.request_param_name or dependant.http_connection_param_name)
        or (dependant.concurrency is not None)
        or native_rows(dependant, effective, embed) is None
        or any(
            not is_scheme(sub) and shows_scope(effective, sub) for sub in dependant.dependencies
        )
    )


def needs_runner(effective: Any) -> bool:
    """Whether there is more to do than one call of a coroutine function."""
    dependant = effective.dependant
    special = ("request", "http_connection", "response", "background_tasks", "security_scopes")
    return (
        bool(dependant.dependencies)
        or needs_builder(effective)
        or not _is_coroutine_callable(dependant.call)
        or native_rows(dependant, effective, effective._embed_body_fields) is None
        or any(getattr(dependant, f"{name}_param_name") for name in special)
    )
