"""What a plan does not answer by itself: an exception, or a result that is an answer.

It goes through the application's own stack of middleware, with this in the place of the
router: so each exception meets the handlers that it would have met."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

from fastapi.exception_handlers import (
    http_exception_handler,
    request_validation_exception_handler,
)
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette._exception_handler import (
    _lookup_exception_handler,
    wrap_app_handling_exceptions,
)
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from fasterapi._compile._behind import Dispatcher
from fasterapi._compile._extract import LEFT, START, swallow
from fasterapi._compile._limits import leave_limit
from fasterapi._compile._place import Place
from fasterapi._compile._reasons import NotCompiled
from fasterapi._compile._releases import TAKES_TRACEBACK
from fasterapi._compile._select import Select, handlers_of

_OUTCOME = "fasterapi.outcome"

Finish = Callable[[Any, Any, Any, "BaseException | None", Any, bool], Coroutine[Any, Any, None]]
Quick = Callable[[BaseException], "Response | None"]
Direct = Callable[[Any], Coroutine[Any, Any, None]]


@dataclasses.dataclass(frozen=True)
class _Outcome:
    error: BaseException | None
    result: Any
    started: bool
    entered: bool  # the scope has come to the application of the endpoint before
    select: Select
    outside: bool


class _Replay:
    """The innermost application: ends as the endpoint has ended."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        outcome = scope.pop(_OUTCOME)
        error, result, started = outcome.error, outcome.result, outcome.started
        if scope.pop(LEFT, False):
            if started:
                await send(START)
            raise error
        if not started:
            outcome.select(scope)
        if outcome.outside and error is not None:
            raise error

        async def answer(scope: Any, receive: Any, send: Any) -> None:
            if started:
                await send(START)  # so that nobody above tries to answer once more
            if error is not None:
                raise error
            await result(scope, receive, send)

        request = Request(scope, receive, send)
        try:
            await wrap_app_handling_exceptions(answer, request)(scope, receive, send)
        finally:
            leave_limit(scope)  # of the route


class _Below:
    """In the place of a router that has led to another application: `stack` is of that."""

    def __init__(self, place: Place, stack: Any) -> None:
        self.place = place
        self.stack = stack

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if not scope[_OUTCOME].entered and self.place.lead is not None:
            self.place.lead(scope)
        scope["app"] = self.place.app
        await self.stack(scope, receive, send)


def _with_innermost(layer: Any, innermost: Any) -> Any:
    """A copy of the built stack around another application."""
    if type(layer) is Dispatcher:
        layer = layer.app
    if type(layer) is AsyncExitStackMiddleware:
        inner = innermost
    elif hasattr(layer, "app"):
        inner = _with_innermost(layer.app, innermost)
    else:
        raise NotCompiled(f"the middleware {type(layer).__name__} has no `app`")
    copied = copy.copy(layer)
    copied.app = inner
    return copied


def stack_of(place: Place) -> Any:
    """The application's own stack, in those of the applications that it is mounted in, for the
    outcomes of its plans."""
    stack: Any = _with_innermost(place.stack, _Replay())
    while place.above is not None:
        stack = _with_innermost(place.above.stack, _Below(place, stack))
        place = place.above
    return stack


def finish_of(place: Place, stack: Any, select: Select, outside: bool) -> Finish:
    """finish(scope, receive, send, error, result, started) of a plan; `stack` is that of
    stack_of(). `outside`: it only raises, and that in no route, so that the handlers of
    exceptions are asked once."""
    first = place.applications[0]

    async def finish(
        scope: Any,
        receive: Any,
        send: Any,
        error: BaseException | None,
        result: Any,
        started: bool,
    ) -> None:
        entered = place.is_entered(scope)
        if first.root_path and not entered:
            scope["root_path"] = first.root_path
        scope["app"] = first
        leave_limit(scope)  # the stack has its own
        scope[_OUTCOME] = _Outcome(error, result, started, entered, select, outside)
        try:
            await stack(scope, receive, swallow if started else send)
        finally:
            scope.pop(_OUTCOME, None)

    return finish


def quick_of(place: Place) -> Quick:
    """quick(error) gives the answer to an exception if its handler is FastAPI's own, which
    looks at nothing else; else None."""
    found = handlers_of(place)
    assert found is not None  # or nobody asks
    by_class, by_status = found
    known: tuple[Any, ...] = (http_exception_handler, request_validation_exception_handler)

    def quick(error: BaseException) -> Response | None:
        if not isinstance(error, Exception):
            return None
        handler: Any = None
        if isinstance(error, HTTPException):
            handler = by_status.get(error.status_code)
        if handler is None:
            handler = _lookup_exception_handler(by_class, error)
        if handler not in known:
            return None
        try:
            handler(None, error).send(None)
        except StopIteration as done:
            if TAKES_TRACEBACK:
                error.__traceback__ = None
            response: Response = done.value
            return response
        except Exception:
            return None  # it fails the same when the stack calls it
        raise RuntimeError("a handler of FastAPI waits for something")

    return quick


def request_of(select: Select) -> Callable[[Any], Request]:
    """The Request of a Run, with what the application's stack would have put into its
    scope on the way to the endpoint."""

    def make(run: Any) -> Request:
        scope, receive, send = run.asgi()
        select(scope)
        return Request(scope, receive, send)

    return make


def direct_of(handle: ASGIApp, select: Select) -> Direct:
    """direct(run) has the route itself answer, as FastAPI made it. What it raises has left
    the route already, so that only the handlers of the application are asked."""

    async def direct(run: Any) -> None:
        scope, receive, send = run.asgi()
        select(scope)
        try:
            async with AsyncExitStack() as files:
                scope["fastapi_middleware_astack"] = files
                await handle(scope, receive, send)
        except BaseException:
            scope[LEFT] = True
            raise

    return direct
