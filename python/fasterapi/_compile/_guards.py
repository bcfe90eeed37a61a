"""Whether an application can be compiled at all, and what must hold while its plans serve."""

from __future__ import annotations

from typing import Any

from fastapi.applications import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.telemetry._asgi import _legacy_otel
from starlette.middleware.exceptions import ExceptionMiddleware

from fasterapi._compile._limits import within
from fasterapi._compile._misses import has_own_way, routers_of
from fasterapi._compile._place import Guard, Place
from fasterapi._compile._reasons import NotCompiled
from fasterapi._compile._releases import OUTER

_OF_EVERY_CLASS = frozenset(
    ("__annotations__", "__dict__", "__doc__", "__firstlineno__", "__init__", "__module__")
    + ("__qualname__", "__static_attributes__", "__weakref__", "openapi")
)


def check_class(app: Any) -> None:
    """A class of the user's may have more than FastAPI, but nothing else in its place."""
    if not isinstance(app, FastAPI):
        raise NotCompiled(f"{type(app).__name__} is not fastapi.FastAPI")
    kind = type(app)
    for own in kind.__mro__[: kind.__mro__.index(FastAPI)]:
        for name in vars(own):
            if hasattr(FastAPI, name) and name not in _OF_EVERY_CLASS:
                raise NotCompiled(f"{own.__name__} has a {name} of its own")


def check_application(app: Any) -> None:
    check_class(app)
    if any(map(has_own_way, routers_of(app))):
        raise NotCompiled("a router has a way of its own to find routes")
    stack = app.middleware_stack
    if app.debug or getattr(stack, "debug", False):
        raise NotCompiled("the application is in debug mode, and shows how code was called")
    if app._native_telemetry.enabled() and not (stack is not None and _legacy_otel(stack)):
        raise NotCompiled("telemetry is in use")


def check_stack(place: Place) -> None:
    """Without middleware of the user there is only FastAPI's own."""
    layers: list[type] = []
    layer = place.stack
    while layer is not place.app.router:
        layers.append(type(layer))
        layer = within(getattr(layer, "app", None))
        if layer is None:
            raise NotCompiled(f"{layers[-1].__name__} hides what is below it")
    if tuple(layers) != (*OUTER, ExceptionMiddleware, AsyncExitStackMiddleware):
        raise NotCompiled("something was put around the middleware of FastAPI")


def telemetry_guards() -> list[Guard]:
    from opentelemetry import trace
    from opentelemetry._logs import _internal as logs
    from opentelemetry.metrics import _internal as metrics

    return [
        (module, name, getattr(module, name), False, -1)
        for module, name in (
            (trace, "_TRACER_PROVIDER"),
            (metrics, "_METER_PROVIDER"),
            (logs, "_LOGGER_PROVIDER"),
        )
    ]


def guards_of(place: Place) -> list[Guard]:
    """What must hold for every request, even if FastAPI's handler of the route answers."""
    app = place.app
    guards: list[Guard] = [(app, "router", app.router, False, -1)]
    if app.root_path:
        guards.append((app, "root_path", app.root_path, False, -1))
    if place.stack is None:
        pass  # requests have come through it
    elif place.stack is app.middleware_stack:
        guards.append((app, "middleware_stack", place.stack, False, -1))
    else:  # it is taken with the first request that comes to the application itself
        handlers = app.exception_handlers
        guards.append((app, "middleware_stack", place.stack, False, None))
        guards.append((app, "user_middleware", app.user_middleware, False, ()))
        guards.append((app, "exception_handlers", handlers, False, len(handlers)))
        guards.append((app, "debug", app.debug, False, -1))
    guards.append((app.router, "middleware_stack", app.router.middleware_stack, False, -1))
    for router in routers_of(app):
        guards.append((router, "routes", router.routes, False, tuple(router.routes)))
    return guards


def calls_of(dependant: Dependant) -> list[Guard]:
    """The functions of a route and of its dependencies."""
    below = [guard for sub in dependant.dependencies for guard in calls_of(sub)]
    return [(dependant, "call", dependant.call, False, -1), *below]
