"""A FastAPI application of routes that can be compiled, and of ones beside them that cannot."""

import asyncio
import datetime
import enum
import uuid
from typing import Annotated, Any, Literal

from fastapi import (
    BackgroundTasks,
    Cookie,
    Depends,
    FastAPI,
    Header,
    HTTPException,
    Query,
    Request,
    Response,
    Security,
)
from fastapi.security import HTTPBearer, OAuth2PasswordBearer, SecurityScopes
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse
from pydantic import BaseModel, Field

app = FastAPI()


class Color(enum.Enum):
    red = "red"
    blue = "blue"


class Item(BaseModel):
    name: str = Field(min_length=2)
    price: float
    tags: list[str] = []
    when: datetime.datetime | None = None
    color: Color = Color.red


class Known(Exception):
    pass


@app.exception_handler(Known)
async def known(request, exc):
    return JSONResponse({"known": request.url.path, "params": request.path_params}, 411)


RESULTS: dict[str, Any] = {
    "dict": {"a": 1, "b": [1.5, 2.5e-7, 1e22, -0.0], "c": None, "d": {"e": True}},
    "text": 'quotes " and \\ and \n and é and \x00 and \x7f and 漢',
    "none": None,
    "int": 2**70,
    "small": -5,
    "float": 0.1,
    "list": [[], {}, (), "", 0],
    "keys": {"_sa_x": 1, "_s": 2, "a": 3},
    "intkeys": {1: 2, None: 3, 1.5: 4},
    "set": {1},
    "uuid": uuid.UUID(int=1),
    "model": Item(name="ab", price=1),
    "enum": Color.blue,
    "nan": float("nan"),
    "inf": [float("inf")],
    "surrogate": "\ud800",
    "bytes": b"abc",
    "object": object(),
    "bool": [True, False],
    "date": datetime.date(2026, 1, 2),
    "deep": None,
}
deep: list[Any] = []
for _ in range(150):
    deep = [deep]
RESULTS["deep"] = deep


@app.get("/result/{name}")
async def result(name: str):
    return RESULTS[name]


@app.get("/scalar/{i}")
async def scalar(i: int, f: float = 0.5, b: bool = False, s: str = "x", n: int | None = None):
    return {"i": i, "f": f, "b": b, "s": s, "n": n}


@app.get("/lists")
async def lists(q: Annotated[list[int], Query()] = [1], h: Annotated[list[str] | None, Header()] = None):
    q.append(0)
    return {"q": q, "h": h}


@app.get("/constrained/{i}")
async def constrained(
    i: Annotated[int, Field(ge=3)],
    q: Annotated[str, Query(min_length=2, pattern="^a")] = "abc",
    kind: Literal["x", "y"] = "x",
    color: Color | None = None,
    day: datetime.date | None = None,
):
    return [i, q, kind, color, day]


@app.get("/header")
async def header(x_token: Annotated[str, Header()], user_agent: Annotated[str | None, Header()] = None):
    return [x_token, user_agent]


@app.get("/cookie")
async def cookie(a: Annotated[str | None, Cookie()] = None, b: Annotated[int, Cookie()] = 3):
    return [a, b]


@app.post("/items")
async def create(item: Item):
    return item


@app.post("/typed")
async def typed(item: Item) -> Item:
    return item


@app.post("/any")
async def anything(item: dict[str, int | list[str]]):
    return item


@app.get("/model", response_model=Item, response_model_exclude_unset=True)
async def model(bad: bool = False):
    return {"name": "x"} if bad else {"name": "abc", "price": 2, "secret": 1}


@app.get("/created", status_code=201)
async def created():
    return {"id": 1}


@app.get("/waits")
async def waits(ms: int = 5):
    await asyncio.sleep(ms / 1000)
    return {"waited": ms}


@app.get("/fails/{how}")
async def fails(how: str):
    if how.endswith("-later"):
        await asyncio.sleep(0.005)
    if how.startswith("http"):
        raise HTTPException(409, {"why": how}, {"X-Why": how})
    if how.startswith("known"):
        raise Known(how)
    raise RuntimeError(how)


@app.get("/response/{how}")
async def response(how: str):
    if how.endswith("-later"):
        await asyncio.sleep(0.005)
    if how.startswith("plain"):
        return PlainTextResponse(how, 202, {"X-How": how})
    return RedirectResponse("/elsewhere")


# ---- dependencies; what is printed shows their order ----


def say(*words: object) -> None:
    # One write: dependencies print from several threads.
    print(" ".join(map(str, words)) + "\n", end="", flush=True)


def sync_dep(q: int = 1):
    say("sync", q)
    return q


async def async_dep(a: Annotated[int, Depends(sync_dep)], s: str = "s"):
    say("async", a, s)
    return (a, s)


async def yield_dep(a: Annotated[tuple, Depends(async_dep)]):
    say("enter", a)
    try:
        yield ["value", *a]
    except Known as error:
        say("caught", error)
        raise
    finally:
        say("exit")


def sync_yield():
    say("sync enter")
    yield 5
    say("sync exit")


class Pages:
    def __init__(self, skip: int = 0, limit: Annotated[int, Query(le=9)] = 3):
        self.skip, self.limit = skip, limit


class Checker:
    def __init__(self, word: str):
        self.word = word

    async def __call__(self, q: str = "x"):
        return self.word + q


async def function_dep():
    say("function enter")
    yield "f"
    say("function exit")


def swallows():
    try:
        yield 1
    except RuntimeError:
        say("swallowed")


async def raises():
    raise HTTPException(403, "no")


async def scoped(scopes: SecurityScopes):
    return scopes.scopes


@app.get("/dep/tree")
async def tree(
    y: Annotated[list, Depends(yield_dep)],
    again: Annotated[int, Depends(sync_dep)],
    fresh: Annotated[int, Depends(sync_dep, use_cache=False)],
    fail: str | None = None,
):
    if fail == "known":
        raise Known("in tree")
    if fail:
        raise RuntimeError(fail)
    return [y, again, fresh]


@app.get("/dep/sync")
def sync_endpoint(p: Annotated[Pages, Depends()], c: Annotated[str, Depends(Checker("w"))]):
    return [p.skip, p.limit, c]


@app.get("/dep/both")
async def both(
    a: Annotated[int, Depends(sync_yield)],
    b: Annotated[str, Depends(function_dep, scope="function")],
    tasks: BackgroundTasks,
):
    tasks.add_task(say, "background", a)
    return {"a": a, "b": b}


@app.get("/dep/swallows")
async def swallowed(a: Annotated[int, Depends(swallows)], fail: bool = True):
    if fail:
        raise RuntimeError("x")
    return a


@app.get("/dep/raises", dependencies=[Depends(raises)])
async def after_raises(y: Annotated[list, Depends(yield_dep)]):
    return y


@app.get("/dep/scopes")
async def scopes(s: Annotated[list, Security(scoped, scopes=["a", "b"])]):
    return s


@app.get("/dep/token")
async def token(t: Annotated[str, Depends(OAuth2PasswordBearer("/login"))]):
    return t


@app.get("/dep/bearer")
async def bearer(t: Annotated[Any, Depends(HTTPBearer(auto_error=False))]):
    return t


@app.get("/dep/response")
async def with_response(response: Response, code: int = 0):
    response.headers["X-Own"] = "yes"
    response.set_cookie("c", "v")
    if code:
        response.status_code = code
    return {"code": code}


@app.get("/dep/request/{x}")
async def with_request(request: Request, x: int):
    return [x, request.path_params, request.url.path, request.scope["endpoint"].__name__]


@app.post("/dep/request")
async def with_request_body(request: Request, item: Item):
    return [item.name, len(await request.body()), sorted(request.scope.keys() - {"extensions"})]


@app.get("/dep/later")
async def later(y: Annotated[list, Depends(yield_dep)], request: Request, tasks: BackgroundTasks):
    await asyncio.sleep(0.003)
    tasks.add_task(say, "background later")
    return PlainTextResponse(str(y))


@app.get("/dep/bad-background")
async def bad_background(tasks: BackgroundTasks):
    tasks.add_task(int, "x")
    return 1


@app.get("/dep/bad-exit")
async def bad_exit(a: Annotated[Any, Depends(lambda: 1)], b: Annotated[Any, Depends(sync_dep)]):
    return [a, b]


@app.get("/background")
async def background(tasks: BackgroundTasks):
    return 1


@app.get("/probe")
async def probe():
    return PlainTextResponse("the probe")


@app.get("/p/{rest:path}")
async def rest(rest: str):
    return rest


@app.get("/m")
async def m():
    return "m"


@app.get("/{x}")
async def any_segment(x: str):
    return {"x": x}
