"""The same route behind middleware of each kind."""

from fastapi import FastAPI, Request
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware


def made() -> FastAPI:
    app = FastAPI()

    @app.get("/items/{item_id}")
    async def get_item(item_id: int, q: str | None = None):
        return {"item_id": item_id, "q": q}

    return app


class Pure:
    """Adds a field, as middleware without Starlette's classes does."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_field(message):
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-middleware", b"yes"))
            await send(message)

        await self.app(scope, receive, send_with_field)


async def add_field(request: Request, call_next):
    response = await call_next(request)
    response.headers["X-Middleware"] = "yes"
    return response


none, pure, function, known = made(), made(), made(), made()
pure.add_middleware(Pure)
function.middleware("http")(add_field)
known.add_middleware(CORSMiddleware, allow_origins=["*"])
known.add_middleware(GZipMiddleware)
