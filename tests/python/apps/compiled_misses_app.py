"""Applications in each other, for paths and methods that they do not have: redirects, 404, 405."""

import warnings

from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import PlainTextResponse
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.routing import Mount, Route

warnings.simplefilter("ignore")


def say(*words: object) -> None:
    print(" ".join(map(str, words)) + "\n", end="", flush=True)


class Two(Convertor[str]):
    regex = "[a-z]{2}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("two", Two())


async def word(request: Request) -> PlainTextResponse:
    return PlainTextResponse("word " + request.url.path)


def routes(app: FastAPI | APIRouter) -> None:
    @app.get("/plain")
    async def plain():
        return 1

    @app.get("/slash/")
    async def slash():
        return 2

    @app.post("/plain")
    async def posted():
        return 3

    @app.put("/both/{i:int}")
    @app.patch("/both/{s}/")
    async def both():
        return 4

    @app.get("/any/{rest:path}")
    async def rest(rest: str):
        return rest


def made(title: str, **options) -> FastAPI:
    app = FastAPI(title=title, docs_url=None, redoc_url=None, openapi_url=None, **options)
    routes(app)
    return app


def telling(title: str, **options) -> FastAPI:
    """Its handlers tell all that there is to see."""
    app = made(title, **options)

    async def none(request: Request, error: HTTPException):
        scope = request.scope
        say(title, repr(error), sorted(scope.keys() - {"extensions"}))
        names = ("root_path", "app_root_path", "path", "path_params", "endpoint", "route")
        told = [repr(scope.get(name)).partition(" at ")[0] for name in names]
        of = scope["app"].title, scope["router"] is scope["app"].router, str(request.url)
        text = f"{title} {error.status_code} {told} {of}"
        return PlainTextResponse(text, error.status_code + 100, error.headers)

    app.add_exception_handler(404, none)
    app.add_exception_handler(405, none)

    @app.exception_handler(UnicodeDecodeError)
    async def odd(request: Request, error: UnicodeDecodeError):
        say(title, "odd", request.scope["root_path"])
        return PlainTextResponse("odd", 499)

    return app


class Own:
    """Middleware that has a look, and sees answers go by."""

    def __init__(self, app) -> None:
        self.app = app

    async def __call__(self, scope, receive, send) -> None:
        async def told(message) -> None:
            if message["type"] == "http.response.start" and not scope["path"].endswith("/probe"):
                say("own", message["status"], scope["root_path"], scope["path"])
            await send(message)

        if scope["type"] == "http" and scope["query_string"].startswith(b"root="):
            scope = {**scope, "root_path": scope["query_string"][5:].decode()}
        await self.app(scope, receive, told if scope["type"] == "http" else send)


def failing(title: str) -> FastAPI:
    app = made(title)

    @app.exception_handler(404)
    async def none(request: Request, error: HTTPException):
        raise HTTPException(410, "worse") from error

    return app


async def lost(scope, receive, send) -> None:
    await PlainTextResponse("lost " + scope["path"], 404)(scope, receive, send)


def whole(**options) -> FastAPI:
    app = telling("top", **options)

    @app.get("/probe")
    async def probe():
        return PlainTextResponse("the probe")

    @app.get("/sub/before/")
    async def before():
        return "before"

    @app.get("/sub/plain/")
    async def hides():
        return "the sub has it, but without a slash"

    sub = telling("sub")
    deep = made("deep")
    sub.mount("/deep", deep)
    strict = telling("strict", redirect_slashes=False)
    strict.mount("/loose", made("loose"))
    sub.mount("/strict", strict)
    app.mount("/sub", sub)
    app.mount("/failing", failing("failing"))
    included = FastAPI(title="included")
    router = APIRouter(redirect_slashes=False)
    routes(router)
    included.include_router(router, prefix="/in")
    router.mount("/mounted", made("of a router"))
    included.include_router(router, prefix="/more/{way}")
    app.mount("/included", included)
    fallback = made("fallback")
    fallback.router.default = lost
    app.mount("/fallback", fallback)
    odd = made("odd")
    odd.get("/two/{word:two}/")(probe)
    app.mount("/odd", odd)
    hosts = made("hosts")
    hosts.host("other.example", made("host"))
    app.mount("/hosts", hosts)
    empty = FastAPI(title="empty", docs_url=None, redoc_url=None, openapi_url=None)
    empty.add_api_route("", probe)
    app.mount("/empty", empty)
    cors = telling("cors")
    cors.add_middleware(CORSMiddleware, allow_origins=["*"])
    cors.mount("/deep", made("below cors"))
    app.mount("/cors", cors)
    own = telling("own")
    own.add_middleware(Own)
    own.mount("/strict", made("below own", redirect_slashes=False))
    app.mount("/own", own)
    app.mount("/of/{tenant}", telling("tenant"))
    app.mount("/limited", made("limited", max_body_size=5))
    star = [Route("/word", word), Route("/slash/", word), Mount("/in", routes=[Route("/word", word)])]
    app.mount("/star", Starlette(routes=star))
    app.mount("/routes", Mount("/r", routes=star))

    @app.get("/sub/never")
    async def never():
        return "never"

    @app.get("/change/{how}")
    async def change(how: str):
        if how == "routes":
            deep.get("/none")(probe)
        if how == "slashes":
            sub.router.redirect_slashes = False
        if how == "default":
            sub.router.default = lost
        return how

    return app


app = whole()
api = whole(root_path="/api")
behind = whole()
behind.add_middleware(Own)
behind_api = whole(root_path="/api")
behind_api.add_middleware(CORSMiddleware, allow_origins=["https://a.example"])
everything = made("top")
everything.get("/probe")(word)
everything.mount("", telling("everything"))
