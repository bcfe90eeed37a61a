"""What a plan does not answer by itself: an exception, or a result that is an answer.

It goes through the application's own stack of middleware, with this in the place of the
router: so each exception meets the handlers that it would have met."""

from __future__ import annotations

import copy
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import _IncludedRouter, _update_scope
from starlette._exception_handler import wrap_app_handling_exceptions
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.routing import Match

from fasterapi._compile._reasons import NotCompiled

_OUTCOME = "fasterapi.outcome"

Finish = Callable[[Any, Any, Any, "BaseException | None", Any, bool], Coroutine[Any, Any, None]]

_START = {"type": "http.response.start", "status": 200, "headers": []}


def _select(router: Any, scope: Any) -> None:
    """Puts into the scope what routing puts there."""
    scope.setdefault("router", router)
    for route in router.routes:
        match, child_scope = route.matches(scope)
        if match != Match.FULL:
            continue
        _update_scope(scope, child_scope)
        while isinstance(route, _IncludedRouter):
            _, child_scope, route, context = route._match(scope)
            _update_scope(scope, child_scope)
        return


class _Replay:
    """The innermost application: ends as the endpoint has ended."""

    def __init__(self, router: Any) -> None:
        self.router = router

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        error, result, started = scope.pop(_OUTCOME)
        if not started:
            _select(self.router, scope)

        async def answer(scope: Any, receive: Any, send: Any) -> None:
            if started:
                await send(_START)  # so that nobody above tries to answer once more
            if error is not None:
                raise error
            await result(scope, receive, send)

        request = Request(scope, receive, send)
        await wrap_app_handling_exceptions(answer, request)(scope, receive, send)


def _with_innermost(layer: Any, innermost: Any) -> Any:
    """A copy of the built stack around another application."""
    if type(layer) is AsyncExitStackMiddleware:
        inner = innermost
    elif hasattr(layer, "app"):
        inner = _with_innermost(layer.app, innermost)
    else:
        raise NotCompiled(f"the middleware {type(layer).__name__} has no `app`")
    copied = copy.copy(layer)
    copied.app = inner
    return copied


async def _swallow(message: Any) -> None:
    """The `send` of an answer that has been sent."""


def finish_of(app: Any) -> Finish:
    """finish(scope, receive, send, error, result, started) of a plan."""
    stack = _with_innermost(app.middleware_stack, _Replay(app.router))

    async def finish(
        scope: Any,
        receive: Any,
        send: Any,
        error: BaseException | None,
        result: Any,
        started: bool,
    ) -> None:
        scope["app"] = app
        scope[_OUTCOME] = (error, result, started)
        try:
            await stack(scope, receive, _swallow if started else send)
        finally:
            scope.pop(_OUTCOME, None)

    return finish


def request_of(app: Any, effective: Any) -> Callable[[Any], Request]:
    """The Request of a Run, with what the application's stack would have put into its
    scope on the way to the endpoint."""
    exceptions = app.middleware_stack
    while not isinstance(exceptions, ExceptionMiddleware):
        exceptions = exceptions.app
    handlers = (exceptions._exception_handlers, exceptions._status_handlers)

    def make(run: Any) -> Request:
        scope, receive, send = run.asgi()
        scope["app"] = app
        scope["starlette.exception_handlers"] = handlers
        _select(app.router, scope)
        return Request(scope, receive, send)

    return make
