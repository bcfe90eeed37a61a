"""What comes in: bodies of several parts, forms, models of parameters, validators that run
code, convertors, routers in routers, and dependencies that change the request."""

import asyncio
import datetime
import enum
import inspect
import uuid
from typing import Annotated, Any

from fastapi import (
    APIRouter,
    BackgroundTasks,
    Body,
    Cookie,
    Depends,
    FastAPI,
    File,
    Form,
    Header,
    HTTPException,
    Path,
    Query,
    Request,
    Response,
    UploadFile,
    WebSocket,
)
from fastapi.requests import HTTPConnection
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute
from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, Field, Json
from starlette.convertors import Convertor, register_url_convertor

app = FastAPI()


def say(*words: object) -> None:
    print(" ".join(map(str, words)) + "\n", end="", flush=True)  # in one piece


class Kind(enum.Enum):
    a = "a"
    b = "b"


class Item(BaseModel):
    name: str = Field(min_length=2)
    price: float = 1


class User(BaseModel):
    id: int
    born: datetime.date | None = None


# ---- bodies ----


@app.post("/two")
async def two(item: Item, user: User):
    return {"item": item, "user": user}


@app.post("/two/options")
async def two_options(
    item: Item | None = None,
    user: Annotated[User | None, Body(alias="who")] = None,
    n: Annotated[int, Body(ge=1)] = 5,
    tags: Annotated[list[str], Body()] = ["x"],
    q: str = "q",
):
    tags.append("y")
    return [item, user, n, tags, q]


@app.put("/embedded/{i}")
async def embedded(i: int, item: Annotated[Item, Body(embed=True)]):
    return [i, item]


@app.post("/one-scalar")
async def one_scalar(n: Annotated[int, Body()]):
    return n


@app.post("/optional")
async def optional(item: Item | None = None):
    return item


@app.post("/default")
async def default(item: Item = Item(name="default")):  # noqa: B008
    item.price += 1
    return item


@app.post("/strict")
async def strict(when: Annotated[datetime.date, Body(strict=True)]):
    return when


@app.post("/raw")
async def raw(body: Annotated[bytes, Body()]):
    return len(body)


@app.post("/lenient")
async def lenient(item: Annotated[Item, Body()], request: Request):
    return [item, await request.body(), await request.json()]


def body_dep(item: Item, n: Annotated[int, Body()] = 2):
    return (item, n)


@app.post("/shared-body")
async def shared_body(a: Annotated[tuple, Depends(body_dep)], user: User):
    return [a, user]


# ---- forms ----


@app.post("/form")
async def form(a: Annotated[str, Form()], b: Annotated[int, Form()] = 3):
    return [a, b]


class FormModel(BaseModel):
    a: str
    b: list[int] = []


@app.post("/form/model")
async def form_model(data: Annotated[FormModel, Form()]):
    return data


@app.post("/files")
async def files(
    file: Annotated[bytes, File()], up: UploadFile, more: list[UploadFile] | None = None
):
    return [len(file), up.filename, up.size, (await up.read()).decode(), len(more or [])]


# ---- models of parameters, aliases, JSON ----


class Filter(BaseModel):
    model_config = {"extra": "forbid"}

    limit: int = Field(10, gt=0, le=100)
    tags: list[str] = []
    order: str | None = None


class Loose(BaseModel):
    model_config = {"extra": "allow"}

    x_one: int
    names: list[str] = []


@app.get("/query-model")
async def query_model(f: Annotated[Filter, Query()]):
    return f


@app.get("/query-model/and")
async def query_model_and(
    request: Request, f: Annotated[Loose, Query()], h: Annotated[Loose, Header()]
):
    return [f, sorted(h.model_dump())]


@app.get("/cookie-model")
async def cookie_model(c: Annotated[Filter, Cookie()]):
    return c


@app.get("/choices")
async def choices(q: Annotated[str, Query(validation_alias=AliasChoices("q", "query", "z"))] = "-"):
    return q


@app.get("/json-parameter")
async def json_parameter(q: Annotated[Json[list[int]], Query()] = [1]):
    q.append(0)
    return q


@app.get("/lists-of-cookies")
async def lists_of_cookies(c: Annotated[list[str], Cookie()] = ["d"]):
    return c


@app.get("/factory")
async def factory(q: Annotated[list[int], Query(default_factory=list)]):
    q.append(1)
    return q


made: list[int] = []


def make() -> int:
    made.append(1)
    say("made", len(made))
    return len(made)


@app.get("/factory/own")
async def own_factory(q: Annotated[int, Query(default_factory=make)], n: int = 1):
    return q > 0


# ---- validators that run code ----


def seen(value: str) -> str:
    say("seen", value)
    if value == "bad":
        raise ValueError("bad one")
    return value.upper()


@app.get("/after")
async def after(q: Annotated[str, AfterValidator(seen)], n: int = 1):
    return [q, n]


@app.get("/before/{q}")
async def before(q: Annotated[str, BeforeValidator(seen)], n: int = 1):
    return [q, n]


class Seen(BaseModel):
    q: Annotated[str, AfterValidator(seen)]


async def told(q: str = "q"):
    say("told", q)
    return q


@app.post("/seen")
async def seen_body(item: Seen, t: Annotated[str, Depends(told)]):
    return [item, t]


# ---- paths ----


class OctalConvertor(Convertor[int]):
    regex = "0o[0-7]+"

    def convert(self, value: str) -> int:
        return int(value, 8)

    def to_string(self, value: int) -> str:
        return oct(value)


register_url_convertor("octal", OctalConvertor())


@app.get("/as-int/{n:int}")
async def as_int(n: Annotated[int, Path(le=1000)]):
    return n


@app.get("/as-float/{n:float}")
async def as_float(n: float):
    return n


@app.get("/as-uuid/{n:uuid}")
async def as_uuid(n: uuid.UUID):
    return n


@app.get("/as-path/{p:path}/end")
async def as_path(p: str):
    return p


@app.get("/as-octal/{n:octal}")
async def as_octal(n: int):
    return n


@app.get("/as-octal/{n}")
async def as_decimal(n: int):
    return [n]


@app.get("/as-kind/{kind}/{n}")
async def as_kind(kind: Kind, n: int | str):
    return [kind, n]


@app.api_route("/methods", methods=["GET", "POST", "DELETE", "OPTIONS", "HEAD"])
async def methods(request: Request):
    return request.method


@app.head("/head-only")
async def head_only(response: Response):
    response.headers["x-own"] = "1"


# ---- routers ----

inner = APIRouter(prefix="/inner", dependencies=[Depends(told)])
outer = APIRouter(prefix="/outer", default_response_class=PlainTextResponse)


@inner.get("/{x}")
async def inner_get(x: int, request: Request):
    fastapi = request.scope["fastapi"]
    return f"{x} {sorted(fastapi)} {request.url_for('inner_get', x=3)} {request.scope['route'].path}"


@inner.post("/form")
async def inner_form(a: Annotated[str, Form()]):
    return a


@outer.get("/plain")
async def outer_plain():
    return "plain"


outer.include_router(inner)
app.include_router(outer)
app.include_router(inner, prefix="/again")


async def scope_keys(request: Request):
    kept = {key: request.scope[key] for key in ("path_params", "path", "root_path", "fastapi")}
    return [sorted(request.scope.keys() - {"extensions"}), sorted(kept["fastapi"]), kept["path"]]


app.add_api_route("/scope-keys", scope_keys)


class OwnRoute(APIRoute):
    def get_route_handler(self):
        original = super().get_route_handler()

        async def handler(request: Request) -> Response:
            say("own route", request.url.path)
            response = await original(request)
            response.headers["x-own"] = "route"
            return response

        return handler


own = APIRouter(route_class=OwnRoute)


@own.post("/own-route")
async def own_route(item: Item):
    return item


app.include_router(own)


if "max_body_size" in inspect.signature(app.post).parameters:  # since FastAPI 0.164

    @app.post("/limited", max_body_size=30)
    async def limited(item: Item):
        return item


async def starlette_route(request: Request):
    return PlainTextResponse(f"{request.method} {request.path_params} {sorted(request.query_params)}")


app.add_route("/starlette/{x}", starlette_route, methods=["GET", "PUT"])

sub = FastAPI()


@sub.get("/in/{x}")
async def in_sub(x: int, request: Request):
    return [x, request.scope["root_path"], str(request.url)]


app.mount("/sub", sub)


# ---- dependencies with the request ----


async def looks(request: Request):
    say("looks", request.url.path, request.headers.get("x-a"))
    return request.query_params.get("q")


def looks_in_thread(connection: HTTPConnection, q: str = "d"):
    return [connection.url.path, q]


def of_either(request: Request = None, ws: WebSocket = None, q: str = "d"):  # type: ignore
    return [str((request or ws).url), ws is None, q]


@app.get("/either")
async def either(
    a: Annotated[Any, Depends(of_either)], ws: WebSocket = None, n: int = 1  # type: ignore
):
    return [a, ws is None, n]


@app.get("/either/alone")
async def either_alone(n: int = 1, ws: WebSocket = None):  # type: ignore
    return [ws is None, n]


@app.get("/needs-websocket")
async def needs_websocket(ws: WebSocket, n: int = 1):
    raise AssertionError("FastAPI has no WebSocket to give")


@app.get("/depends-on-websocket")
async def depends_on_websocket(a: Annotated[Any, Depends(needs_websocket)], n: int = 1):
    raise AssertionError("nor here")


async def sets_state(request: Request):
    request.state.user = "user"
    yield request.state.user
    say("state", request.state.user)


async def changes_query(request: Request, how: str = ""):
    say("changes", how)
    if how == "query":
        request.scope["query_string"] = b"q=changed&n=7"
    elif how == "invalid":
        request.scope["query_string"] = b"n=x&m=y"
    elif how == "headers":
        request.scope["headers"].append((b"x-token", b"added"))
    elif how == "replaced":
        request.scope["headers"] = [(b"x-token", b"replaced")]
    elif how == "path":
        request.scope["path_params"]["x"] = "11"
    elif how == "method":
        request.scope["method"] = "PURGE"
    elif how == "raises":
        raise HTTPException(418, "raised")
    return how


async def behind(n: int = 1, q: str = "-"):
    say("behind", n, q)
    return [n, q]


async def yields_behind(b: Annotated[list, Depends(behind)], tasks: BackgroundTasks):
    tasks.add_task(say, "task", b)
    yield b
    say("left", b)


@app.get("/looks")
async def looks_at(
    a: Annotated[Any, Depends(looks)],
    b: Annotated[Any, Depends(looks_in_thread)],
    c: Annotated[Any, Depends(sets_state)],
    q: str = "q",
):
    return [a, b, c, q]


@app.get("/changes/{x}")
async def changes(
    x: int,
    before: Annotated[list, Depends(behind)],
    how: Annotated[str, Depends(changes_query)],
    fresh: Annotated[list, Depends(behind, use_cache=False)],
    again: Annotated[list, Depends(behind)],
    left: Annotated[list, Depends(yields_behind)],
    response: Response,
    n: int = 2,
    m: int = 3,
    x_token: Annotated[str | None, Header()] = None,
):
    response.headers["x-changed"] = how
    return [x, before, how, fresh, again, left, n, m, x_token]


@app.post("/changes/body")
async def changes_body(
    how: Annotated[str, Depends(changes_query)], item: Item, request: Request, n: int = 2
):
    return [how, item, n, len(await request.body())]


async def reads_body(request: Request):
    say("body", await request.body(), await request.is_disconnected())
    pieces = [piece async for piece in request.stream()]
    return [len(b"".join(pieces)), await request.json()]


@app.post("/reads")
async def reads(a: Annotated[list, Depends(reads_body)], item: Item, request: Request):
    return [a, item, [len(piece) async for piece in request.stream()]]


@app.post("/reads/unasked")
async def reads_unasked(a: Annotated[list, Depends(reads_body)]):
    await asyncio.sleep(0.002)
    return a


# ---- overrides ----


def replaced():
    return "original"


@app.get("/replaced")
async def uses_replaced(a: Annotated[str, Depends(replaced)]):
    return a


@app.get("/replace")
async def replace(on: bool):
    if on:
        app.dependency_overrides[replaced] = lambda q="-": "other"
    else:
        app.dependency_overrides.clear()
    return on


@app.get("/probe")
async def probe():
    return PlainTextResponse("the probe")
