"""Applications mounted in applications, and root paths: the same routes in every place."""

import warnings
from typing import Annotated

from fastapi import (
    APIRouter,
    BackgroundTasks,
    Depends,
    FastAPI,
    Header,
    HTTPException,
    Request,
    Response,
)
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import Route

warnings.simplefilter("ignore")


class Known(Exception):
    pass


class Item(BaseModel):
    name: str
    price: float = 1.5


def say(*words: object) -> None:
    print(" ".join(map(str, words)) + "\n", end="", flush=True)  # whole: threads print, too


async def held(request: Request):
    say("enter", request.scope["root_path"], request.url.path)
    try:
        yield request.app.title
    except Exception as error:
        say("held sees", repr(error))
        raise
    finally:
        say("exit")


def plain(q: int = 1) -> int:
    return q


def about(request: Request) -> dict:
    scope = request.scope
    names = ("path", "root_path", "app_root_path", "path_params", "endpoint", "route", "type")
    told = {name: repr(scope.get(name)).partition(" at ")[0] for name in names}
    return {
        **told,
        "app": scope["app"].title,
        "router": scope["router"] is scope["app"].router,
        "raw": scope["raw_path"].decode(),
        "url": str(request.url),
        "base": str(request.base_url),
        "keys": sorted(scope.keys() - {"extensions"}),
        "handlers": [sorted(map(str, handlers)) for handlers in scope["starlette.exception_handlers"]],
    }


async def probe() -> PlainTextResponse:
    return PlainTextResponse("the probe")


def routes(app: FastAPI | APIRouter) -> None:
    @app.get("/")
    async def start():
        return {"start": True}

    @app.get("/items/{i}")
    async def item(i: int, q: str = "x", x_token: Annotated[str | None, Header()] = None):
        return {"i": i, "q": q, "token": x_token}

    @app.post("/items")
    async def create(item: Item) -> Item:
        if item.name == "bad":
            return {"name": 3}  # type: ignore[return-value]
        return item

    @app.get("/about/{word}")
    async def told(request: Request, word: str):
        return about(request)

    @app.get("/named/{n}")
    def named(request: Request, n: str):
        return [str(request.url_for("item", i=4))]

    @app.get("/held")
    async def holds(title: Annotated[str, Depends(held)], q: Annotated[int, Depends(plain)], fail: str = ""):
        if fail == "http":
            raise HTTPException(409, "held")
        if fail:
            raise Known(fail)
        return [title, q]

    @app.get("/thread/{i}")
    def thread(i: int, q: Annotated[int, Depends(plain)]):
        return [i, q]

    @app.get("/fails/{how}")
    async def fails(how: str):
        if how == "http":
            raise HTTPException(418, "tea", {"x-a": "b"})
        if how == "known":
            raise Known("k")
        if how == "group":
            raise ExceptionGroup("g", [Known("in")])
        raise ValueError(how)

    @app.get("/plain/{how}")
    async def answers(how: str):
        return PlainTextResponse(how)

    @app.get("/stream")
    async def streams():
        async def parts():
            yield b"a"
            yield b"b"

        return StreamingResponse(parts())

    @app.get("/fails-late")
    async def fails_late():
        async def parts():
            yield b"a"
            raise Known("late")

        return StreamingResponse(parts())

    @app.get("/tasks")
    async def tasks(tasks: BackgroundTasks, response: Response):
        tasks.add_task(say, "task")
        response.headers["x-tasks"] = "1"
        return 1


def made(title: str, **options) -> FastAPI:
    app = FastAPI(title=title, **options)
    routes(app)
    return app


def handles(app: FastAPI) -> None:
    @app.exception_handler(Known)
    async def known(request: Request, error: Exception):
        say("handler of", app.title, repr(error), request.scope["root_path"], request.url.path)
        return JSONResponse({"known": str(error), "by": app.title}, 411)

    @app.exception_handler(404)
    def none(request: Request, error: HTTPException):
        return PlainTextResponse(f"none in {app.title}: {request.url.path} {error.detail}", 404)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError):
        return PlainTextResponse(f"{app.title} {error}", 422)


def with_router(title: str, **options) -> FastAPI:
    app = FastAPI(title=title, **options)
    router = APIRouter(prefix="/part")
    routes(router)
    app.include_router(router, dependencies=[Depends(plain)])
    return app


async def star(request: Request) -> Response:
    return PlainTextResponse(request.url.path)


class Telling:
    """Middleware that says when it is made, and changes the scope."""

    def __init__(self, app) -> None:
        say("made")
        self.app = app

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "http" and scope["query_string"] == b"q=moved":
            scope = {**scope, "path": scope["root_path"] + "/items/7", "query_string": b"q=here"}
        await self.app(scope, receive, send)


def stacked() -> FastAPI:
    app = made("stacked")
    handles(app)
    app.add_middleware(Telling)

    @app.middleware("http")
    async def timed(request: Request, call_next):
        response = await call_next(request)
        response.headers["x-timed"] = request.scope["root_path"]
        return response

    app.mount("/deep", made("below"))
    return app


def whole(**options) -> FastAPI:
    app = made("top", **options)
    app.get("/probe")(probe)
    handles(app)

    sub = made("sub")
    handles(sub)
    deep = made("deep", redirect_slashes=False)
    sub.mount("/deep", deep)
    app.mount("/sub", sub)

    bare = made("bare")  # no handlers: those of `top` are not asked within it
    app.mount("/bare", bare)

    fails = made("fails")

    @fails.exception_handler(Exception)
    async def any_other(request: Request, error: Exception):
        say("any", repr(error))
        return PlainTextResponse("any", 500)

    app.mount("/fails-own", fails)

    router = APIRouter()
    router.mount("/inner", with_router("inner", docs_url=None))
    app.include_router(router, prefix="/v1")

    app.mount("/{tenant}/app", made("tenant"))
    cors = made("cors")
    cors.add_middleware(CORSMiddleware, allow_origins=["*"])
    app.mount("/cors", cors)
    app.mount("/again", cors)
    app.mount("/stacked", stacked())
    app.mount("/rooted", made("rooted", root_path="/rooted"))
    app.mount("/elsewhere", made("elsewhere", root_path="/other"))
    app.mount("/star", Starlette(routes=[Route("/x", star)]))

    @app.get("/sub/after")
    async def never():
        return "never"

    return app


app = whole()
api = whole(root_path="/api")

behind = whole()
behind.add_middleware(CORSMiddleware, allow_origins=["*"])
behind_api = whole(root_path="/api")


@behind_api.middleware("http")
async def around(request: Request, call_next):
    if not request.url.path.endswith("/probe"):  # it is asked where a connection was kept
        say("around", request.scope["root_path"])
    response = await call_next(request)
    response.headers["x-around"] = "1"
    return response


behind.host("other.example", made("host"))

last = made("last")
last.get("/probe")(probe)
last.mount("", with_router("everything"))
