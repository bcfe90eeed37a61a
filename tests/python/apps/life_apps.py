"""Applications for the tests of start and end."""

import asyncio

from apps import answer, app  # noqa: F401 (served as life_apps:app)


async def plain(scope, receive, send):
    """Knows nothing of lifespan, and says so."""
    assert scope["type"] == "http"
    if scope["path"] == "/slow":
        await asyncio.sleep(0.5)
    if scope["path"] == "/streams":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(10):
            await send({"type": "http.response.body", "body": b"piece", "more_body": True})
            await asyncio.sleep(0.06)
        return await send({"type": "http.response.body", "body": b"last"})
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


def telling_state(state_of):
    """Tells what of the state of lifespan a request sees, and what requests leave in it."""

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            state_of(scope)
            print("startup", sorted(scope), flush=True)
            await send(COMPLETE)
            await receive()
            print("shutdown", sorted(scope.get("state", {}).items()), flush=True)
            await send({"type": "lifespan.shutdown.complete"})
        else:
            state = scope.get("state")
            print("request", state, flush=True)
            if state is not None:
                state["request"] = scope["path"]
                state.setdefault("shared", []).append(scope["path"])
            await answer(send, repr(state).encode())

    return app


stateful = telling_state(lambda scope: scope["state"].update(shared=["startup"], number=1))
stateless = telling_state(lambda scope: scope.pop("state"))
state_untouched = telling_state(lambda scope: None)


async def lifespan_returns(scope, receive, send):
    """Without a word."""
    if scope["type"] != "lifespan":
        await plain(scope, receive, send)


async def lifespan_ends_early(scope, receive, send):
    if scope["type"] != "lifespan":
        return await plain(scope, receive, send)
    await receive()
    await send(COMPLETE)


async def lifespan_goes_on(scope, receive, send):
    """What runs in it goes on beside requests, and is told of the end by cancellation or not
    at all, as the server likes."""
    if scope["type"] != "lifespan":
        return await plain(scope, receive, send)

    async def beside():
        try:
            await asyncio.sleep(60)
        finally:
            print("beside ends", flush=True)

    await receive()
    task = asyncio.ensure_future(beside())
    await send(COMPLETE)
    await receive()
    task.cancel()
    await asyncio.wait([task])
    await send({"type": "lifespan.shutdown.complete"})
    print("after the last word", flush=True)
