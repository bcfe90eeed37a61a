"""From "module:attribute" to an ASGI 3 application, and what is put around it."""

from __future__ import annotations

import importlib
import inspect
import logging
from collections.abc import Callable
from typing import Any

from fasterapi._logging import TRACE


class ImportFromStringError(Exception):
    """The text names nothing that can be had."""


def import_from_string(name: Any) -> Any:
    """The object that "module:attribute.attribute" names; what is no text, as it is."""
    if not isinstance(name, str):
        return name
    module_name, _, attributes = name.partition(":")
    if not module_name or not attributes:
        raise ImportFromStringError(
            f'Import string "{name}" must be in format "<module>:<attribute>".'
        )
    try:
        found = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name:  # the module is there, and lacks one itself
            raise
        raise ImportFromStringError(f'Could not import module "{module_name}".') from None
    try:
        for attribute in attributes.split("."):
            found = getattr(found, attribute)
    except AttributeError:
        raise ImportFromStringError(
            f'Attribute "{attributes}" not found in module "{module_name}".'
        ) from None
    return found


def is_asgi3(app: Any) -> bool:
    """app(scope, receive, send) is a coroutine; ASGI 2 is app(scope) first."""
    if inspect.isclass(app):
        return hasattr(app, "__await__")
    if inspect.isfunction(app):
        return inspect.iscoroutinefunction(app)
    return inspect.iscoroutinefunction(getattr(app, "__call__", None))


def from_asgi2(app: Any) -> Any:
    async def asgi3(scope: Any, receive: Any, send: Any) -> None:
        await app(scope)(receive, send)

    return asgi3


class ConcurrencyLimit:
    """Answers 503 instead of `app` while there are `limit` connections, or requests."""

    def __init__(self, app: Any, limit: int, connections: Callable[[], int]) -> None:
        self.app = app
        self.limit = limit
        self.connections = connections
        self.running = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        # As uvicorn: WebSockets count, but are not refused.
        full = self.connections() >= self.limit or self.running >= self.limit
        if full and scope["type"] == "http":
            logging.getLogger("uvicorn.error").warning("Exceeded concurrency limit.")
            await self._refuse(send)
            return None
        self.running += 1
        try:
            return await self.app(scope, receive, send)
        finally:
            self.running -= 1

    @staticmethod
    async def _refuse(send: Any) -> None:
        text = b"Service Unavailable"
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(text)).encode()),
            (b"connection", b"close"),
        ]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": text, "more_body": False})


class MessageLog:
    """Logs what goes between server and application, at level TRACE."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.count = 0
        self.logger = logging.getLogger("uvicorn.asgi")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.count += 1
        client = scope.get("client")
        label = f"{client[0]}:{client[1]} - ASGI" if client else "ASGI"
        label = f"{label} [{self.count}]"

        async def logged_receive() -> Any:
            message = await receive()
            self.logger.log(TRACE, "%s Receive %s", label, _shortened(message))
            return message

        async def logged_send(message: Any) -> None:
            self.logger.log(TRACE, "%s Send %s", label, _shortened(message))
            await send(message)

        self.logger.log(TRACE, "%s Started scope=%s", label, _shortened(scope))
        try:
            await self.app(scope, logged_receive, logged_send)
        except BaseException:
            self.logger.log(TRACE, "%s Raised exception", label)
            raise
        self.logger.log(TRACE, "%s Completed", label)


def _shortened(message: Any) -> dict[str, Any]:
    """Without what may be long, or secret."""
    short = dict(message)
    for key, unit in (("body", "bytes"), ("bytes", "bytes"), ("text", "chars")):
        if short.get(key) is not None:
            short[key] = f"<{len(short[key])} {unit}>"
    if short.get("headers") is not None:
        short["headers"] = "<...>"
    return short
