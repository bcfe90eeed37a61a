"""Values that are missing or not valid, of every kind, and what dependencies see of that."""

import asyncio
import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, BackgroundTasks, Body, Cookie, Depends, FastAPI, Header
from fastapi import HTTPException, Path, Query, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import HTTPBearer, SecurityScopes
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, Json


class Item(BaseModel):
    name: str = Field(min_length=2)
    price: float
    tags: list[str] = []
    when: datetime.datetime | None = None


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["a", "b"]
    n: int = Field(1, ge=1)


class Tree(BaseModel):
    v: int
    below: list["Tree"] = []


class Filter(BaseModel):
    model_config = ConfigDict(extra="forbid")
    limit: int = Field(10, gt=0, le=100)
    order_by: Literal["a", "b"] = "a"
    tags: list[int] = []


def say(*words: object) -> None:
    print(" ".join(map(str, words)) + "\n", end="", flush=True)  # in one piece


api = APIRouter()
lenient = APIRouter(strict_content_type=False)


@api.get("/probe")
async def probe():
    return PlainTextResponse("the probe")


# ---- parameters ----


@api.get("/all/{p}/{q}")
async def all_kinds(
    p: int,
    q: Annotated[str, Path(min_length=3)],
    n: int,
    x_h: Annotated[float, Header()],
    c: Annotated[bool, Cookie()],
    l: Annotated[list[int], Query(alias="L")],
    e: Annotated[int, Query(ge=3, lt=9)] = 5,
    d: datetime.date | None = None,
    hs: Annotated[list[int] | None, Header(alias="X-Many")] = None,
):
    return [p, q, n, x_h, c, l, e, d, hs]


@api.get("/query-model")
async def query_model(f: Annotated[Filter, Query()]):
    return f


@api.get("/header-model")
async def header_model(f: Annotated[Filter, Header()], n: int):
    return [f, n]


@api.get("/cookie-model")
async def cookie_model(f: Annotated[Filter, Cookie()]):
    return f


@api.get("/choices")
async def choices(
    a: Annotated[int, Query(validation_alias=AliasChoices("x", "y"))],
    j: Annotated[Json[list[int]], Query()],
):
    return [a, j]


@api.api_route("/methods", methods=["GET", "HEAD", "POST"])
async def methods(n: int):
    return n


@api.get("/status", status_code=204)
async def status(n: int):
    return None


@api.get("/text", response_class=PlainTextResponse)
def text(n: int):
    return str(n)


# ---- bodies ----


@api.post("/item")
async def item(item: Item):
    return item


@api.put("/item/{n}")
async def item_and(n: int, item: Item, q: int = 1):
    return [n, item, q]


@api.post("/strict")
async def strict(body: Strict):
    return body


@api.post("/tree")
async def tree(body: Tree):
    return body


@api.post("/optional")
async def optional(item: Item | None = None, q: int = 1):
    return [item, q]


@api.post("/embedded")
async def embedded(item: Annotated[Item, Body(embed=True)]):
    return item


@api.post("/two")
async def two(item: Item, other: Strict, n: Annotated[int, Body(gt=0)], s: Annotated[str, Body()] = "s"):
    return [item, other, n, s]


@api.post("/raw")
async def raw(body: Annotated[bytes, Body()]):
    return len(body)


@api.post("/string")
async def string(body: Annotated[str, Body()]):
    return body


@api.post("/anything")
async def anything(body: Any = Body(), n: int = 1):
    return [repr(body), n]


@api.post("/date")
async def date(when: Annotated[datetime.date, Body()]):
    return when


@api.post("/list")
async def list_of(items: list[Item]):
    return len(items)


@lenient.post("/lenient")
async def no_type(item: Item):
    return item


# ---- dependencies ----


async def first(a: int):
    say("first", a)
    return a


def second(b: int, a: Annotated[int, Depends(first)]):
    say("second", a, b)
    return [a, b]


async def yields(y: int = 1):
    say("enter", y)
    try:
        yield y
    except RequestValidationError as error:
        say("seen", error.errors(), error.body, str(error))
        raise
    finally:
        say("exit", y)


def yields_too(y: Annotated[int, Depends(yields)], z: int = 2):
    say("enter too", y, z)
    try:
        yield z
    finally:
        say("exit too")


async def swallows(w: int = 0):
    try:
        yield w
    except RequestValidationError:
        say("swallowed")


def turns(w: int = 0):
    try:
        yield w
    except RequestValidationError as error:
        raise HTTPException(418, "turned") from error


def raises(r: int = 0):
    if r == 1:
        raise HTTPException(409, "first")
    return r


class Page:
    def __init__(self, response: Response, tasks: BackgroundTasks, skip: int = 0, limit: Annotated[int, Query(le=9)] = 5):
        say("page", skip, limit)
        response.headers["X-Page"] = "1"
        tasks.add_task(say, "task")


def scoped(scopes: SecurityScopes, s: int = 0):
    say("scoped", scopes.scopes, s)
    return s


async def with_body(item: Item, k: int = 0):
    say("with body", item.name, k)
    return item


@api.get("/dep/simple")
async def dep_simple(v: Annotated[int, Depends(first)], n: int):
    return [v, n]


@api.get("/dep/tree")
async def dep_tree(
    v: Annotated[list, Depends(second)],
    u: Annotated[int, Depends(first)],
    w: Annotated[int, Depends(first, use_cache=False)],
    n: int = 1,
):
    return [v, u, w, n]


@api.get("/dep/yields")
async def dep_yields(y: Annotated[int, Depends(yields)], z: Annotated[int, Depends(yields_too)], n: int):
    return [y, z, n]


@api.get("/dep/function")
async def dep_function(y: Annotated[int, Depends(yields, scope="function")], n: int):
    return [y, n]


@api.get("/dep/swallows")
async def dep_swallows(w: Annotated[int, Depends(swallows)], n: int):
    return n


@api.get("/dep/swallows/function")
async def dep_swallows_function(w: Annotated[int, Depends(swallows, scope="function")], n: int):
    return n


@api.get("/dep/turns")
def dep_turns(w: Annotated[int, Depends(turns)], n: int):
    return n


@api.get("/dep/raises")
async def dep_raises(r: Annotated[int, Depends(raises)], n: int):
    return n


@api.get("/dep/page")
async def dep_page(page: Annotated[Page, Depends()], n: int):
    return n


@api.get("/dep/scopes")
async def dep_scopes(
    a: Annotated[int, Security(scoped, scopes=["a"])],
    b: Annotated[int, Security(scoped, scopes=["b"])],
    n: int,
):
    return [a, b, n]


@api.get("/dep/bearer")
async def dep_bearer(token: Annotated[Any, Depends(HTTPBearer())], n: int):
    return token.credentials


@api.post("/dep/body")
async def dep_body(item: Annotated[Item, Depends(with_body)], n: int):
    return [item, n]


@api.post("/dep/bodies")
async def dep_bodies(item: Annotated[Item, Depends(with_body)], other: Strict, y: Annotated[int, Depends(yields)]):
    return [item, other]


@api.post("/dep/request")
async def dep_request(request: Request, item: Item, y: Annotated[int, Depends(yields)]):
    return [await request.json(), request.url.path]


@api.get("/dep/none", dependencies=[Depends(first), Depends(yields)])
async def dep_none(n: int = 0):
    return n


async def waits(a: int = 0):
    await asyncio.sleep(0.01)
    return a


@api.get("/dep/waits")
async def dep_waits(n: int, a: Annotated[int, Depends(waits)], y: Annotated[int, Depends(yields)]):
    return n


# ---- applications ----

app = FastAPI()
app.include_router(api)
app.include_router(lenient, prefix="/in")

handled = FastAPI()
handled.include_router(api)
handled.include_router(lenient)


@handled.exception_handler(RequestValidationError)
async def on_invalid(request: Request, error: RequestValidationError):
    body = await request.body() if request.method == "POST" else b""
    return JSONResponse(
        {
            "errors": error.errors(),
            "body": repr(error.body),
            "text": str(error),
            "cause": [repr(error.__cause__), repr(error.__context__)],
            "of": [error.endpoint_function, error.endpoint_path, error.endpoint_line],
            "request": [str(request.url), request.path_params, request.scope["route"].path, len(body)],
        },
        420,
    )


@handled.exception_handler(HTTPException)
async def on_http(request: Request, error: HTTPException):
    return PlainTextResponse(f"{error.status_code} {error.detail} {error.__cause__!r}", 499)


behind = FastAPI()
behind.include_router(api)


@behind.middleware("http")
async def counted(request: Request, call_next):
    response = await call_next(request)
    response.headers["X-Counted"] = request.url.path
    return response


behind.add_exception_handler(RequestValidationError, on_invalid)
