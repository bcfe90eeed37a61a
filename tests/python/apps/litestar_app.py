"""Litestar: routes, dependency injection, validation, streams, uploads, hooks."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from litestar import Litestar, MediaType, Request, Response, delete, get, post
from litestar.datastructures import UploadFile
from litestar.di import Provide
from litestar.enums import RequestEncodingType
from litestar.exceptions import HTTPException
from litestar.params import Body
from litestar.response import Redirect, ServerSentEvent, Stream


@dataclass
class Item:
    name: str
    price: float
    tags: list[str]


async def user(request: Request) -> str:
    return request.headers.get("x-user", "nobody")


@get("/probe", media_type=MediaType.TEXT)
async def probe() -> str:
    return "the probe"


@get("/items/{number:int}")
async def item(number: int, q: str | None = None, limit: int = 10) -> dict:
    return {"number": number, "q": q, "limit": limit}


@get("/paths/{rest:path}")
async def paths(rest: str, request: Request) -> dict:
    return {"rest": rest, "url": request.url.path, "headers": sorted(request.headers.items())}


@get("/user", dependencies={"user": Provide(user)})
async def whose(user: str) -> dict:
    return {"user": user}


@get("/sync", sync_to_thread=True)
def sync(q: str = "") -> dict:
    return {"q": q}


@post("/items")
async def create(data: Item) -> Item:
    return data


@delete("/items/{number:int}")
async def remove(number: int) -> None:
    return None


@post("/form")
async def form(
    data: Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)],
) -> dict:
    return data


@post("/upload")
async def upload(
    data: Annotated[UploadFile, Body(media_type=RequestEncodingType.MULTI_PART)],
) -> dict:
    return {"name": data.filename, "type": data.content_type, "size": len(await data.read())}


@get("/stream")
async def stream() -> Stream:
    async def pieces():
        for number in range(20):
            yield f"{number}\n"
            await asyncio.sleep(0)

    return Stream(pieces(), media_type="text/plain")


@get("/events")
async def events() -> ServerSentEvent:
    async def found():
        for number in range(3):
            yield {"data": str(number), "event": "count"}

    return ServerSentEvent(found())


@get("/cookies")
async def cookies() -> Response[str]:
    response = Response("cookies", media_type=MediaType.TEXT)
    response.set_cookie("a", "1", httponly=True)
    return response


@get("/redirect", status_code=302)
async def redirect() -> Redirect:
    return Redirect("/items/1")


@get("/refuses")
async def refuses() -> None:
    raise HTTPException("not you", status_code=403, headers={"x-why": "test"})


@get("/fails")
async def fails() -> None:
    raise RuntimeError("in a handler")


async def starts() -> None:
    print("starts", flush=True)


async def ends() -> None:
    print("ends", flush=True)


app = Litestar(
    [probe, item, paths, whose, sync, create, remove, form, upload, stream, events, cookies]
    + [redirect, refuses, fails],
    on_startup=[starts],
    on_shutdown=[ends],
)
