"""Where an application stands: at the server itself, or mounted in another application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi.applications import FastAPI

from fasterapi._compile._releases import apply_form_limits, body_limit_of

# (object, attribute, expected, any, size or items; None: the attribute may be None, too)
Guard = tuple[Any, str, Any, bool, "int | tuple[Any, ...] | None"]
Lead = Callable[[dict[str, Any]], None]


class Builder:
    """In the place of build_middleware_stack() of an application: ours, and it builds as usual."""

    def __call__(self) -> Any:
        raise NotImplementedError


def builds_as_usual(app: FastAPI) -> bool:
    """Whether nobody else has replaced its build_middleware_stack(), as OpenTelemetry does."""
    own = vars(app).get("build_middleware_stack")
    return own is None or isinstance(own, Builder)


class Place:
    """`stack` is the built middleware of `app`; None, it is reached by middleware, and may not be
    built yet. `root` is what comes to the server's root path
    on the way to it, `prefix` to the paths of its routes in the table, `shown` where users are told
    of them. `above` is the place of the application
    that it is mounted in, and `lead` what that and its Mount do to the scope of a request; both
    None at the server itself."""

    def __init__(
        self,
        app: FastAPI,
        stack: Any,
        root: str = "",
        prefix: str = "",
        shown: str = "",
        above: Place | None = None,
        lead: Lead | None = None,
    ) -> None:
        self.app = app
        self.stack = stack
        self.root = root
        self.prefix = prefix
        self.shown = shown
        self.above = above
        self.lead = lead

    @property
    def behind(self) -> bool:
        """There is more than FastAPI itself puts around its router."""
        replaced = not builds_as_usual(self.app)
        return self.stack is None or bool(self.app.user_middleware) or replaced

    @property
    def limit(self) -> int | None:
        """Of bodies, for what says nothing of it by itself."""
        own = body_limit_of(self.app)
        return self.above.limit if own is None and self.above is not None else own

    @property
    def applications(self) -> list[FastAPI]:
        """From the outermost."""
        return [*(self.above.applications if self.above is not None else ()), self.app]

    def is_entered(self, scope: dict[str, Any]) -> bool:
        return scope.get("app") is self.app

    def enter(self, scope: dict[str, Any], handlers: Any) -> None:
        """What is done to the scope up to the application's router, that included. A second
        time it changes nothing. `handlers` are those of exceptions; None, they are there."""
        app = self.app
        if not self.is_entered(scope):
            if self.lead is not None:
                self.lead(scope)
            if app.root_path and not self.behind:  # middleware may have changed it
                scope["root_path"] = app.root_path
            scope["app"] = app
        if handlers is not None:
            scope["starlette.exception_handlers"] = handlers
        apply_form_limits(scope, app.router)
        scope.setdefault("router", app.router)  # it is the outermost application's
