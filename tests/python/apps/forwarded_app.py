"""FastAPI applications that tell the client and the scheme, with and without middleware."""

from fastapi import FastAPI, HTTPException, Request
from starlette.middleware.httpsredirect import HTTPSRedirectMiddleware


def routes(app: FastAPI) -> FastAPI:
    @app.get("/")
    async def root():
        return "root"

    @app.get("/who")
    async def who(request: Request):
        return [request.client and request.client.host, request.scope["scheme"], request.url.hostname]

    @app.get("/sync")
    def sync(request: Request):
        return [request.client and request.client.host, str(request.url_for("root").scheme)]

    @app.get("/slash/")
    async def slash():
        return "slash"

    @app.get("/q")
    async def number(i: int):
        return i

    @app.get("/fails")
    async def fails():
        raise HTTPException(418)

    return app


class Middleware:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        print(scope["type"], scope.get("scheme"), scope.get("client", ("",))[0], flush=True)
        await self.app(scope, receive, send)


compiled = routes(FastAPI())
behind = routes(FastAPI())
behind.add_middleware(Middleware)
https = routes(FastAPI())
https.add_middleware(HTTPSRedirectMiddleware)
