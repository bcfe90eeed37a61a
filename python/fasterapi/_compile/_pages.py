"""Plain routes of Starlette, FastAPI's own pages among them: functions of a Request that
give a Response."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

from starlette.requests import Request

from fasterapi._compile._reasons import NotCompiled

Page = Callable[[Any], Coroutine[Any, Any, None]]


def _endpoint_of(app: Any) -> Any:
    """What Starlette has wrapped to make the `app` of a route."""
    routing = sys.modules["starlette.routing"]
    code = getattr(app, "__code__", None)
    if code is None or code not in routing.request_response.__code__.co_consts:
        raise NotCompiled("it is no path operation of FastAPI, and no function")
    cells = dict(zip(code.co_freevars, app.__closure__, strict=True))
    return cells["f"].cell_contents  # a plain function is in it with its hop to a thread


def page_of(route: Any, request_of: Callable[[Any], Request]) -> Page:
    """page(run) does what request_response() of Starlette does, but for exceptions."""
    function = _endpoint_of(route.app)

    async def page(run: Any) -> None:
        request = request_of(run)
        async with AsyncExitStack() as files:
            request.scope["fastapi_middleware_astack"] = files
            response = await function(request)
            if not run.answer(response):
                await response(*run.asgi())
            elif response.background is not None:
                await response.background()

    return page
