"""What goes out: classes and models of responses, statuses, streams, errors and their
handlers."""

import asyncio
import datetime
import pathlib
from collections.abc import AsyncIterable, Iterable
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    StreamingResponse,
)
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, computed_field, field_serializer

app = FastAPI()


def say(*words: object) -> None:
    print(" ".join(map(str, words)) + "\n", end="", flush=True)  # in one piece


class Item(BaseModel):
    name: str
    price: float = 1.5
    when: datetime.datetime | None = None

    @computed_field
    @property
    def twice(self) -> float:
        return self.price * 2


class Odd(BaseModel):
    n: int

    @field_serializer("n")
    def odd(self, n: int) -> str:
        return f"n{n}"


# ---- classes of responses ----


class OwnJSON(JSONResponse):
    media_type = "application/own+json"

    def render(self, content: Any) -> bytes:
        return b"own " + super().render(content)


@app.get("/html", response_class=HTMLResponse)
async def html(n: int = 1):
    return f"<p>é {n}"


@app.get("/html/none", response_class=HTMLResponse)
async def html_none():
    return None


@app.get("/html/wrong", response_class=HTMLResponse)
async def html_wrong():
    return {"a": 1}


@app.get("/html/bytes", response_class=HTMLResponse)
async def html_bytes():
    return b"bytes"


@app.get("/text", response_class=PlainTextResponse)
async def text(response: Response):
    response.headers["x-own"] = "1"
    return "text"


@app.get("/text/sync", response_class=PlainTextResponse, status_code=203)
def text_sync():
    return "text"


@app.get("/plain", response_class=Response)
async def plain():
    return "plain"


@app.get("/json", response_class=JSONResponse)
async def json():
    return {"a": [1.5, "é", None]}


@app.get("/json/model", response_class=JSONResponse)
async def json_model() -> Item:
    return Item(name="x", price=2.5e-7)


@app.get("/json/nan", response_class=JSONResponse, response_model=list[float])
async def json_nan():
    return [float("nan")]


@app.get("/own-json", response_class=OwnJSON)
async def own_json():
    return {"a": 1}


@app.get("/html/model", response_class=HTMLResponse)
async def html_model() -> str:
    return "<b>"


@app.get("/redirect", response_class=RedirectResponse)
async def redirect():
    return "/html?a=é"


@app.get("/redirect/status", response_class=RedirectResponse, status_code=302)
async def redirect_status():
    return "/html"


@app.get("/file", response_class=FileResponse)
async def file():
    return __file__


@app.get("/file/response")
async def file_response():
    return FileResponse(__file__, filename="x.py")


@app.get("/file/missing")
async def file_missing():
    return FileResponse(pathlib.Path("/nowhere/at/all"))


@app.get("/stream")
async def stream(n: int = 3):
    async def pieces():
        for i in range(n):
            yield f"{i}\n"
            await asyncio.sleep(0)

    return StreamingResponse(pieces(), media_type="text/plain")


@app.get("/stream/fails")
async def stream_fails():
    def pieces():
        yield "a"
        raise RuntimeError("in the middle")

    return StreamingResponse(pieces())


@app.get("/stream/raw", response_class=StreamingResponse)
async def stream_raw() -> AsyncIterable[str]:
    yield "a"
    yield "b"


@app.get("/stream/raw/sync", response_class=StreamingResponse)
def stream_raw_sync() -> Iterable[str]:
    yield "a"
    yield "b"


@app.get("/jsonl")
async def jsonl(n: int = 2) -> AsyncIterable[Item]:
    for i in range(n):
        yield Item(name=str(i))


@app.get("/jsonl/sync")
def jsonl_sync() -> Iterable[dict]:
    yield {"a": 1}
    yield {"b": float("nan")}


@app.get("/jsonl/bad")
async def jsonl_bad() -> AsyncIterable[Item]:
    yield Item(name="a")
    yield {"bad": 1}


async def leaves():
    yield "dep"
    say("left")


@app.get("/sse", response_class=EventSourceResponse)
async def sse(d: Annotated[str, Depends(leaves)]) -> AsyncIterable[Item]:
    yield Item(name=d)
    yield ServerSentEvent(data={"x": 1}, event="e", id="3", retry=5)


# ---- models of responses ----


@app.get("/model/list", response_model=list[Item])
async def model_list():
    return [{"name": "a"}, Item(name="b")]


@app.get("/model/odd")
async def model_odd() -> Odd:
    return Odd(n=3)


@app.api_route("/model/methods", methods=["GET", "POST"], response_model=Item)
async def model_methods(bad: bool = False):
    return {} if bad else {"name": "m"}


@app.get("/model/sync", response_model=Item)
def model_sync(bad: bool = False):
    return {} if bad else {"name": "m"}


@app.get("/model/except", response_model=Item, response_model_exclude={"twice", "when"})
async def model_except():
    return {"name": "m"}


@app.get("/model/response", response_model=Item)
async def model_response():
    return PlainTextResponse("past the model")


# ---- statuses ----


@app.delete("/204", status_code=204)
async def no_content():
    return None


@app.get("/204/content", status_code=204)
async def no_content_at_all(response: Response):
    response.headers["x-own"] = "1"
    return {"a": 1}


@app.get("/204/set")
async def no_content_set(response: Response):
    response.status_code = 204
    return {"a": 1}


@app.get("/304", status_code=304)
async def not_modified():
    return None


@app.get("/205", status_code=205)
async def reset_content():
    return None


@app.get("/299", status_code=299)
async def odd_status():
    return 1


@app.get("/status/{code}")
async def status(code: int, response: Response):
    response.status_code = code
    return [code]


# ---- answers themselves ----


class Shouting(PlainTextResponse):
    async def __call__(self, scope, receive, send):
        say("shouting", scope["path"])
        await super().__call__(scope, receive, send)


class Forgetful(PlainTextResponse):
    """Leaves out what it is given to do afterwards."""

    def __init__(self, content: Any = None, status_code: int = 200, **options: Any) -> None:
        super().__init__(content, status_code)


@app.get("/forgets", response_class=Forgetful)
async def forgets(tasks: BackgroundTasks, own: bool = False):
    tasks.add_task(say, "not forgotten")
    return Forgetful("own") if own else "made"


class Silent(Response):
    async def __call__(self, scope, receive, send):
        pass


@app.get("/answer/{how}")
async def answer(how: str, request: Request, tasks: BackgroundTasks):
    if how == "task":
        tasks.add_task(say, "task of the answer")
        return JSONResponse({"a": 1}, 202, {"x-own": "é"})
    return answers(how)


@app.get("/answer/plain/{how}")
async def answer_plain(how: str):
    return answers(how)


@app.get("/answer/later/{how}")
async def answer_later(how: str):
    await asyncio.sleep(0.003)
    return answers(how)


def answers(how: str) -> Any:
    if how == "html":
        return HTMLResponse("<b>")
    if how == "cookie":
        response = JSONResponse({"a": 1})
        response.set_cookie("a", "b")
        response.set_cookie("c", "d")
        return response
    if how == "empty":
        return Response()
    if how == "204":
        return Response(status_code=204)
    if how == "304":
        return Response(status_code=304, headers={"etag": '"x"'})
    if how == "type":
        return Response(b"\x00\xff", media_type="application/x-own")
    if how == "shouting":
        return Shouting("loud")
    if how == "silent":
        return Silent()
    if how == "changed":
        response = PlainTextResponse("abc")
        response.body = b"other, and longer"
        return response
    if how == "headers":
        response = PlainTextResponse("abc")
        response.raw_headers = [(b"x-a", b"1"), (b"content-length", b"3")]
        return response
    return RedirectResponse("/html")


# ---- errors ----


class Known(Exception):
    pass


class Again(Exception):
    pass


@app.exception_handler(Known)
async def known(request: Request, exc: Known):
    if str(exc) == "again":
        raise Again("from the handler")
    return JSONResponse({"known": str(exc), "params": request.path_params}, 411)


@app.exception_handler(Again)
def again(request: Request, exc: Again):
    return PlainTextResponse("again", 412)


@app.exception_handler(451)
async def of_status(request: Request, exc: HTTPException):
    return PlainTextResponse(f"status {exc.detail}", exc.status_code)


class OwnHTTP(HTTPException):
    pass


@app.get("/error/any/{how}")
async def error(how: str):
    return raising(how)


@app.get("/error/sync/{how}")
def error_sync(how: str):
    return raising(how)


@app.get("/error/validated/{how}")
async def error_validated(how: str, n: Annotated[int, Query(ge=3)]):
    return raising(how)


@app.get("/error/direct/{how}")
async def error_direct(how: str) -> AsyncIterable[Item]:
    raising(how)
    yield Item(name="x")


@app.post("/error/direct/{how}")
async def error_form(how: str, request: Request):
    await request.form()
    return raising(how)


async def swallows():
    try:
        yield 1
    except RuntimeError:
        say("swallowed")


@app.get("/error/swallowed")
async def error_swallowed(
    a: Annotated[int, Depends(swallows, scope="function")], response: Response
):
    raise RuntimeError("x")


def raising(how: str) -> Any:
    if how == "http":
        raise HTTPException(409, {"why": how, "é": 1.5}, {"X-Why": how})
    if how == "http-plain":
        raise HTTPException(404)
    if how == "http-204":
        raise HTTPException(204, headers={"x-own": "1"})
    if how == "http-401":
        raise HTTPException(401, "no", {"WWW-Authenticate": "Bearer"})
    if how == "http-own":
        raise OwnHTTP(400, "own")
    if how == "451":
        raise HTTPException(451, "law")
    if how in ("known", "again"):
        raise Known(how)
    if how == "validation":
        raise RequestValidationError([{"loc": ("a",), "msg": "m", "type": "t"}], body=how)
    raise RuntimeError(how)


@app.get("/probe")
async def probe():
    return PlainTextResponse("the probe")
