"""Forms and files: in dependencies, models and unions, with errors of every node, files that
somebody has read before, and handlers of exceptions that look at them."""

import inspect
import time
from typing import Annotated, Any, Literal

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
    Query,
    Request,
    Response,
    Security,
    UploadFile,
)
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import (
    OAuth2PasswordBearer,
    OAuth2PasswordRequestForm,
    OAuth2PasswordRequestFormStrict,
    SecurityScopes,
)
from pydantic import AfterValidator, AliasChoices, BaseModel, Field, Json, model_validator

app = FastAPI()


def say(*words: object) -> None:
    print(" ".join(map(str, words)) + "\n", end="", flush=True)  # in one piece


class Wrong(Exception):
    pass


def shown(value: Any) -> Any:
    if hasattr(value, "multi_items"):
        return [[key, shown(item)] for key, item in value.multi_items()]
    return f"<{value.filename} {value.size}>" if hasattr(value, "filename") else repr(value)


@app.exception_handler(RequestValidationError)
async def invalid(request: Request, error: RequestValidationError) -> Response:
    """All that there is to see, and the files are open yet."""
    files: list[str] = []
    body = error.body
    if hasattr(body, "multi_items"):
        for _, item in body.multi_items():
            if hasattr(item, "read"):
                await item.seek(0)
                files.append((await item.read()).decode("latin-1")[:10])
    say("invalid", files, "form" in dir(request), shown(await request.form()))
    errors = [{**one, "input": shown(one["input"])} for one in error.errors()]
    for one in errors:
        one.pop("ctx", None)
    content = {"errors": errors, "body": shown(body), "context": str(error.endpoint_ctx)[-60:]}
    return JSONResponse(content, 422)


@app.exception_handler(Wrong)
async def wrong(request: Request, error: Wrong) -> Response:
    form = await request.form()
    say("wrong", shown(form), request.headers.get("content-type"))
    return PlainTextResponse(f"wrong {error}", 420)


# ---- fields ----


@app.post("/fields")
async def fields(
    a: Annotated[str, Form()],
    n: Annotated[int, Form(ge=1)] = 3,
    flag: Annotated[bool | None, Form()] = None,
    tags: Annotated[list[str], Form()] = ["x"],
    kinds: Annotated[set[int] | None, Form()] = None,
    price: Annotated[float, Form(alias="Price")] = 1.5,
):
    tags.append("y")
    return [a, n, flag, tags, sorted(kinds or []), price]


@app.post("/sync")
def sync(a: Annotated[str, Form(min_length=2)] = "default", b: Annotated[str, Form()] = ""):
    return [a, b]


@app.post("/aliases")
async def aliases(
    a: Annotated[str, Form(validation_alias=AliasChoices("a", "b", "c"))],
    j: Annotated[Json[list[int]], Form()] = [],
    when: Annotated[Literal["x", "y"] | None, Form()] = None,
):
    return [a, j, when]


@app.put("/mixed/{x}")
async def mixed(
    x: int,
    a: Annotated[str, Form()],
    response: Response,
    q: int = 0,
    agent: Annotated[str | None, Header(alias="x-agent")] = None,
    crumb: Annotated[str, Cookie()] = "none",
):
    response.headers["x-own"] = crumb
    response.status_code = 201
    return [x, a, q, agent]


def first(a: Annotated[str, Form()]):
    say("first", a)
    return a


async def second(b: Annotated[int, Form()], one: Annotated[str, Depends(first)]):
    say("second", b, one)
    yield b
    say("second is left", b)


async def always(tasks: BackgroundTasks, q: str = "q"):
    say("always", q)
    tasks.add_task(say, "task", q)
    try:
        yield q
    except Exception as error:
        say("always", type(error).__name__)
        raise
    finally:
        say("always is left")


@app.post("/tree")
async def tree(
    a: Annotated[str, Depends(first)],
    b: Annotated[int, Depends(second)],
    c: Annotated[str, Depends(always)],
    d: Annotated[str, Depends(first, use_cache=False)],
    e: Annotated[int, Form(le=10)] = 1,
):
    if e == 9:
        raise Wrong("nine")
    if e == 8:
        raise HTTPException(418, "eight")
    if e == 7:
        raise ValueError("seven")
    return [a, b, c, d, e]


@app.post("/token")
async def token(form: Annotated[OAuth2PasswordRequestForm, Depends()]):
    return [form.username, form.password, form.scopes, form.client_id, form.grant_type]


@app.post("/token/strict")
def strict_token(form: Annotated[OAuth2PasswordRequestFormStrict, Depends()]):
    return [form.username, form.scopes, form.grant_type]


bearer = OAuth2PasswordBearer("token", auto_error=False)


def scoped(
    scopes: SecurityScopes, held: Annotated[str | None, Depends(bearer)], a: Annotated[str, Form()]
):
    return [scopes.scopes, held, a]


@app.post("/scoped")
async def uses_scoped(x: Annotated[Any, Security(scoped, scopes=["r", "w"])]):
    return x


# ---- models ----


class Login(BaseModel):
    model_config = {"extra": "forbid"}

    name: str = Field(min_length=2)
    age: int = 3
    tags: list[str] = []


class Loose(BaseModel):
    model_config = {"extra": "allow"}

    name: str = "none"
    note: Annotated[str | None, Field(alias="Note")] = None


class Upload(BaseModel):
    title: str
    file: UploadFile
    more: list[UploadFile] = []


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    names: list[str]


@app.post("/model")
async def model(data: Annotated[Login, Form()]):
    return data


@app.post("/model/loose")
def loose(data: Annotated[Loose, Form()]):
    return data


@app.post("/model/optional")
async def optional(data: Annotated[Login | None, Form()] = None):
    return data


@app.post("/model/and")
async def model_and(data: Annotated[Loose, Form()], a: Annotated[int, Form()] = 1):
    return [data, a]


@app.post("/model/files")
async def model_files(data: Annotated[Upload, Form()]):
    return [data.title, data.file.filename, (await data.file.read()).decode(), len(data.more)]


@app.post("/union")
async def union(pet: Annotated[Cat | Dog, Form()]):
    return pet


def seen(value: str) -> str:
    say("seen", value)
    if value == "bad":
        raise ValueError("bad one")
    return value.upper()


class Checked(BaseModel):
    q: Annotated[str, AfterValidator(seen)]

    @model_validator(mode="after")
    def check(self):
        say("checked", self.q)
        return self


@app.post("/checked")
async def checked(
    first: Annotated[str, Depends(first)],
    data: Annotated[Checked, Form()],
    c: Annotated[str, Depends(always)],
):
    return [first, data, c]


@app.get("/checked/query")
async def checked_query(
    a: Annotated[str, AfterValidator(seen)],
    c: Annotated[str, Depends(always)],
    b: Annotated[int, Query(default_factory=lambda: 3)],
    d: Annotated[str, AfterValidator(seen), Query(validate_default=True)] = "default",
):
    return [a, b, c, d]


@app.post("/checked/body")
async def checked_body(
    data: Annotated[Checked, Body()], q: str, c: Annotated[str, Depends(always)]
):
    return [data, q, c]


# ---- files ----


async def takes(up: UploadFile):
    say("takes", up.filename, len(await up.read(3)))
    return up


@app.post("/files")
async def files(
    one: Annotated[bytes, File()],
    some: Annotated[list[bytes], File()] = [],
    up: UploadFile | None = None,
    more: list[UploadFile] = [],
    note: Annotated[str, Form()] = "none",
):
    contents = [(await each.read()).decode("latin-1")[:20] for each in more]
    return [len(one), [len(x) for x in some], up and up.size, contents, note]


@app.post("/files/twice")
async def files_twice(
    taken: Annotated[UploadFile, Depends(takes)],
    up: Annotated[bytes, File()],
    request: Request,
    say_no: bool = False,
):
    if say_no:
        raise Wrong(taken.filename)
    form = await request.form()
    return [taken.size, up.decode("latin-1")[:10], shown(form), (await taken.read()).decode()[:10]]


@app.post("/files/sync")
def files_sync(up: Annotated[UploadFile, File()]):
    return [up.filename, up.content_type, up.file.read().decode("latin-1")[:20]]


def close_later(up: UploadFile) -> None:
    say("later", up.file.closed)


@app.post("/files/later")
async def files_later(up: UploadFile, tasks: BackgroundTasks):
    tasks.add_task(close_later, up)
    return "later"


LIMITS = "form_limits" in inspect.signature(app.post).parameters  # since FastAPI 0.165


def limits(**found: int) -> dict[str, Any]:
    return {"form_limits": found} if LIMITS else {}


limited = APIRouter(prefix="/limited", **limits(max_fields=3))


@limited.post("/fields", **limits(max_fields=2))
async def limited_fields(a: Annotated[str, Form()], b: Annotated[str, Form()] = ""):
    return [a, b]


@limited.post("/files", **limits(max_files=1, max_part_size=100))
async def limited_files(up: UploadFile, note: Annotated[str, Form()] = ""):
    return [up.size, note]


app.include_router(limited)


# ---- with the request, and not many at once ----


async def sees(request: Request):
    form = await request.form()
    say("sees", shown(form))
    return len(form)


@app.post("/sees")
async def uses_sees(n: Annotated[int, Depends(sees)], a: Annotated[str, Form()] = "-"):
    return [n, a]


async def alters(request: Request, how: str = ""):
    data = await request.json() if how else None
    if how == "body" and isinstance(data, dict):
        data["n"] = 77
    elif how == "json":
        request._json = {"n": 78}
    elif how == "cookie":
        request.cookies["n"] = "79"
    elif how == "stale":
        request.scope["query_string"] = b"q=new"
        say(request.query_params.get("q"))
    return how


@app.post("/alters")
async def uses_alters(
    how: Annotated[str, Depends(alters)],
    n: Annotated[int, Body()],
    m: Annotated[int, Body()] = 2,
    q: str = "-",
    cookie: Annotated[str, Cookie(alias="n")] = "-",
):
    return [how, n, m, q, cookie]


async def alone(n: int = 1):
    say("alone", n)
    return n


def alone_in_thread(n: int = 1):
    time.sleep(0.001)
    return n


async def alone_yields(n: int = 1):
    yield n
    say("alone is left", n)


@app.get("/alone")
async def uses_alone(
    a: Annotated[int, Depends(alone, max_concurrency=1)],
    b: Annotated[int, Depends(alone_in_thread, max_concurrency=2)],
    c: Annotated[int, Depends(alone_yields, max_concurrency=1)],
):
    return [a, b, c]


@app.get("/probe")
async def probe():
    return PlainTextResponse("the probe")
