"""Applications for the tests of start and end."""

import asyncio

from apps import answer, app  # noqa: F401 (served as life_apps:app)


async def plain(scope, receive, send):
    """Knows nothing of lifespan, and says so."""
    assert scope["type"] == "http"
    if scope["path"] == "/slow":
        await asyncio.sleep(0.5)
    if scope["path"] == "/hangs":
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError as error:
            print("cancelled:", error, flush=True)
            raise
    await answer(send, b"plain")


def with_lifespan(startup, shutdown=None):
    async def app(scope, receive, send):
        if scope["type"] != "lifespan":
            return await plain(scope, receive, send)
        await receive()
        if isinstance(startup, BaseException):
            raise startup
        await send(startup)
        if startup["type"].endswith("failed"):
            return
        await receive()
        if isinstance(shutdown, BaseException):
            raise shutdown
        await send(shutdown)

    return app


COMPLETE = {"type": "lifespan.startup.complete"}
raises_at_start = with_lifespan(ValueError("at the start"))
fails_at_start = with_lifespan({"type": "lifespan.startup.failed", "message": "no database"})
fails_silently = with_lifespan({"type": "lifespan.startup.failed"})
sends_nonsense = with_lifespan({"type": "lifespan.nonsense.complete"})
starts_by_ending = with_lifespan({"type": "lifespan.shutdown.complete"})
raises_at_end = with_lifespan(COMPLETE, ValueError("at the end"))
starts_again = with_lifespan(COMPLETE, COMPLETE)
fails_at_end = with_lifespan(COMPLETE, {"type": "lifespan.shutdown.failed", "message": "stuck"})


def factory():
    return plain


def factory_with_argument(missing):
    return plain


class Asgi2:
    def __init__(self, scope):
        self.scope = scope

    async def __call__(self, receive, send):
        if self.scope["type"] == "lifespan":
            raise NotImplementedError
        await answer(send, repr(self.scope["asgi"]).encode())


class Container:
    app = staticmethod(plain)
