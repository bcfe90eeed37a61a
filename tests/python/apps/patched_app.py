"""Routes of every kind that plans serve, for patched.py: every function that FastAPI and
Starlette call for its REQUESTS is patched in turn."""

from typing import Annotated, Any

from fastapi import (
    APIRouter,
    BackgroundTasks,
    Cookie,
    Depends,
    FastAPI,
    Form,
    Header,
    HTTPException,
    Query,
    Request,
    Response,
    Security,
    UploadFile,
)
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, StreamingResponse
from fastapi.security import APIKeyHeader, HTTPBearer, OAuth2PasswordBearer, SecurityScopes
from pydantic import BaseModel

said: list[Any] = []
app = FastAPI()
router = APIRouter(prefix="/router")


class Item(BaseModel):
    name: str
    price: float = 1.5


class Filters(BaseModel):
    limit: int = 10
    word: str | None = None


class Known(Exception):
    pass


@app.exception_handler(Known)
async def known(request: Request, error: Known):
    return PlainTextResponse(f"{error!r} at {request.url.path}", 418)


def in_thread(q: int = 1):
    return q


async def entered(a: Annotated[int, Depends(in_thread)]):
    said.append("enter")
    yield a
    said.append("exit")


def entered_in_thread():
    yield "t"


async def scopes_of(scopes: SecurityScopes):
    return scopes.scopes


@app.get("/scalar/{i}")
async def scalar(i: int, f: float = 0.5, h: Annotated[str | None, Header()] = None):
    return {"i": i, "f": f, "h": h}


@app.get("/lists")
async def lists(q: Annotated[list[int], Query()], c: Annotated[str | None, Cookie()] = None):
    return [q, c]


@app.get("/filters")
async def filters(filters: Annotated[Filters, Query()]):
    return filters


@router.post("/items")
async def create(item: Item) -> Item:
    return item


@router.post("/both")
async def both(item: Item, other: Item, tasks: BackgroundTasks):
    tasks.add_task(said.append, "background")
    return [item, other]


@app.get("/model", response_model=Item, response_model_exclude_unset=True)
async def model():
    return {"name": "abc"}


@app.get("/thread")
def thread(x: Annotated[Any, Depends(entered)], y: Annotated[str, Depends(entered_in_thread)]):
    return [x, y]


@app.post("/form")
async def form(a: Annotated[str, Form()], f: UploadFile | None = None):
    return [a, f and f.filename]


@app.get("/secured")
async def secured(
    token: Annotated[str, Depends(OAuth2PasswordBearer("/login"))],
    bearer: Annotated[Any, Depends(HTTPBearer())],
    key: Annotated[Any, Depends(APIKeyHeader(name="x-key", auto_error=False))],
    scopes: Annotated[list[str], Security(scopes_of, scopes=["a"])],
):
    return [token, bearer, key, scopes]


@app.get("/request/{x}")
async def with_request(request: Request, response: Response, x: str):
    response.headers["x-own"] = "yes"
    response.set_cookie("c", "v")
    return [x, request.url.path, request.query_params.get("q"), await request.body()]


@app.get("/answers/{kind}")
async def answers(kind: str, tasks: BackgroundTasks):
    tasks.add_task(said.append, "background")
    if kind == "http":
        raise HTTPException(409, {"why": kind}, {"x-why": kind})
    if kind == "known":
        raise Known(kind)
    made = {"plain": PlainTextResponse, "redirect": RedirectResponse, "stream": StreamingResponse}
    return made[kind]("/x")


@app.get("/page", response_class=HTMLResponse)
async def page():
    return "<p>"


@app.get("/lines")
async def lines():
    yield {"n": 1}
    yield Item(name="x")


app.include_router(router)
sub = FastAPI()


@sub.get("/in/{n}")
async def within(n: int):
    return n


app.mount("/sub", sub)


def get(path: str, *fields: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: a", *fields, "", ""]).encode()


def post(path: str, body: str, kind: str = "application/json") -> bytes:
    fields = f"Host: a\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return f"POST {path} HTTP/1.1\r\n{fields}{body}".encode()


PART = '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\nv\r\n'
REQUESTS = [
    *(get("/scalar/1?f=2", "h: v"), get("/scalar/x"), get("/lists?q=1&q=2", "Cookie: c=d")),
    *(get("/filters?limit=3&word=w"), get("/filters?limit=x"), get("/model"), get("/thread?q=4")),
    *(post("/router/items", '{"name": "n"}'), post("/router/items", "{"), post("/router/items", "{}")),
    post("/router/both", '{"item": {"name": "n"}, "other": {"name": "o"}}'),
    post("/form", "a=b", "application/x-www-form-urlencoded"),
    post("/form", PART.format("a") + "--b--\r\n", "multipart/form-data; boundary=b"),
    *(get("/secured"), get("/secured", "Authorization: Bearer t", "x-key: k")),
    *(get("/request/y?q=z"), get("/page"), get("/lines"), get("/sub/in/3"), get("/sub/nowhere")),
    *(get(f"/answers/{kind}") for kind in ("http", "known", "plain", "redirect", "stream")),
    *(get("/nowhere"), get("/model/"), post("/model", "")),
]
