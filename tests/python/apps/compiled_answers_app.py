"""A FastAPI application for what is answered beside path operations: its pages, and paths
and methods that it does not have."""

import os
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.background import BackgroundTask
from starlette.routing import Route

# MOODS of these tests: whose handlers of exceptions, and where the documentation is.
MOOD = os.environ.get("FA_MOOD", "usual")
options: dict[str, Any] = {}
if MOOD == "moved":
    options = {"openapi_url": "/api/v1/schema.json", "docs_url": "/help/", "redoc_url": None}
    options |= {"swagger_ui_oauth2_redirect_url": "/back", "redirect_slashes": False}
app = FastAPI(title=f"Answers & <{MOOD}>", **options)

if MOOD == "handled":

    @app.exception_handler(404)
    async def not_here(request: Request, error: HTTPException):
        scope = {name: str(request.scope.get(name)) for name in ("path_params", "endpoint", "root_path")}
        print("404", request.method, request.url.path, sorted(request.scope))
        return JSONResponse({"no": error.detail, **scope}, 404, {"X-Own": "1"})

    @app.exception_handler(405)
    async def not_so(request: Request, error: HTTPException):
        print("405", request.scope["route"], request.path_params, sorted(request.scope))
        if "fails" in request.url.path:
            raise HTTPException(404, "from the handler")
        return PlainTextResponse(f"not so: {error.headers}", 405)


def counted_openapi() -> dict[str, Any]:
    """As documented for those who extend the schema."""
    print("openapi() is called")
    return FastAPI.openapi(app)


if MOOD == "handled":
    app.openapi = counted_openapi  # type: ignore[method-assign]


@app.get("/items/{n}")
async def item(n: int):
    return {"n": n}


@app.put("/items/{n}")
async def change(n: int):
    return {"put": n}


@app.get("/slash/")
async def slash():
    return "with a slash"


@app.get("/bare")
async def bare():
    return "without"


@app.post("/fails")
async def fails():
    return "posted"


@app.api_route("/many", methods=["GET", "POST", "DELETE"])
async def many():
    return "many"


@app.get("/files/{path:path}")
async def files(path: str):
    return path


@app.get("/replaced")
async def replaced():
    app.openapi_schema = {"replaced": True, "n": 1.5}
    return "replaced"


@app.get("/mended")
async def mended():
    app.openapi()["info"]["x-mended"] = "é"
    return "mended"


@app.get("/unversioned")
async def unversioned():
    app.openapi_schema = None
    return "made anew"


router = APIRouter()


@router.get("/deep/")
async def deep():
    return "deep"


@router.post("/items/{n}")
async def posted(n: int):
    return {"post": n}


async def page(request: Request):
    scope = {name: str(request.scope.get(name)) for name in ("path", "root_path", "path_params")}
    names = sorted(request.scope)
    return JSONResponse({**scope, "keys": names, "method": request.method})


def page_sync(request: Request):
    return PlainTextResponse("sync " + request.url.path, headers={"x-n": request.query_params.get("n", "")})


async def page_fails(request: Request):
    if request.query_params.get("how") == "http":
        raise HTTPException(402, "pay")
    if request.query_params.get("how") == "none":
        return None
    raise RuntimeError("in a page")


async def told() -> None:
    print("background of a page")


async def page_task(request: Request):
    body = await request.body()
    return PlainTextResponse(body + b"!", background=BackgroundTask(told))


class Whole:
    def __init__(self, scope: Any, receive: Any, send: Any) -> None:
        self.args = scope, receive, send

    def __await__(self) -> Any:
        return PlainTextResponse("an application").__call__(*self.args).__await__()


router.add_route("/page/{name}", page, methods=["GET", "POST"])
app.add_route("/page-sync", page_sync)
app.add_route("/page-fails", page_fails)
app.add_route("/page-task", page_task, methods=["POST"])
app.include_router(router, prefix="/in")
app.include_router(router)
app.router.routes.append(Route("/whole", Whole))
app.router.routes.append(Route("/page-own", page))


@app.get("/probe")
async def probe():
    return PlainTextResponse("the probe")
