"""A FastAPI application with a bit of everything that reaches into the server."""

import contextlib
import json
import sys
from contextvars import ContextVar
from typing import Annotated

import anyio
from fastapi import (
    APIRouter,
    BackgroundTasks,
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
)
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse, RedirectResponse, StreamingResponse
from pydantic import BaseModel, Field

user: ContextVar[str] = ContextVar("user", default="nobody")


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI):
    print("starts", flush=True)
    yield {"shared": "from lifespan"}
    print("ends", flush=True)


app = FastAPI(lifespan=lifespan)


def tell(text: str) -> None:
    """In one write, as other threads write too."""
    sys.stdout.write(text)
    sys.stdout.flush()


class Item(BaseModel):
    name: str
    price: float
    tags: list[str] = []


@app.middleware("http")
async def adds_header(request: Request, call_next):
    response = await call_next(request)
    response.headers["x-middleware"] = "seen"
    return response


async def in_and_out():
    token = user.set("somebody")
    yield "dependency"
    user.reset(token)
    print("dependency closed", flush=True)


@app.get("/items/{item_id}")
async def read(item_id: int, q: str | None = None, limit: int = 10):
    return {"item_id": item_id, "q": q, "limit": limit}


@app.post("/items")
async def create(item: Item) -> Item:
    return item


@app.post("/form")
async def form(request: Request):
    return {"body": (await request.body()).decode()}


@app.get("/sync")
def sync(request: Request):
    return {"user": user.get(), "shared": request.state.shared}


@app.get("/thread")
async def thread():
    return {"thread": await run_in_threadpool(user.get)}


@app.get("/depends")
async def depends(value: Annotated[str, Depends(in_and_out)]):
    return {"value": value, "user": user.get()}


@app.get("/background")
async def background(tasks: BackgroundTasks):
    async def later():
        await anyio.sleep(0.001)
        print("background done", flush=True)

    tasks.add_task(later)
    tasks.add_task(tell, "background in a thread\n")
    return {"sent": "first"}


@app.get("/stream")
async def stream():
    async def pieces():
        for number in range(20):
            yield f"{number}\n"
            await anyio.sleep(0)

    return StreamingResponse(pieces(), media_type="text/plain")


@app.get("/group")
async def group():
    done = []

    async def child(number: int):
        await anyio.sleep(0.001 * number)
        done.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(child, number)
    with anyio.move_on_after(0.005) as scope:
        await anyio.sleep(10)
    return {"done": done, "cancelled": scope.cancelled_caught}


@app.get("/fails")
async def fails():
    raise RuntimeError("in a handler")


@app.get("/teapot")
async def teapot():
    raise HTTPException(409, "conflict", {"x-why": "test"})


@app.get("/redirect")
async def redirect():
    return RedirectResponse("/items/1")


@app.get("/probe")
async def probe():
    return PlainTextResponse("the probe")


# ---- the routes that figures are measured on ----


class Event(BaseModel):
    userId: str
    value: float


@app.get("/")
async def root():
    return {"message": "Hello, World!"}


@app.post("/event")
async def event(e: Event):
    return {"status": "ok", "seen": e}


# ---- parameters ----


class Stored(BaseModel):
    name: str = Field(min_length=2, max_length=10, pattern="^[a-z]+$")
    count: int = Field(default=1, ge=0, lt=100)
    secret: str = "hidden"
    inner: list[Item] | None = None


class Shown(BaseModel):
    name: str
    count: int


@app.post("/stored", response_model=Shown, status_code=201)
async def stored(one: Stored, response: Response):
    response.headers["x-name"] = one.name
    return one


@app.put("/unset", response_model=Stored, response_model_exclude_unset=True)
async def unset(one: Stored):
    return one


@app.get("/parameters/{kind}/{rest:path}")
async def parameters(
    kind: Annotated[str, Path(max_length=5)],
    rest: str,
    tags: Annotated[list[str], Query()] = [],
    size: Annotated[float, Query(gt=0, alias="Size")] = 1.0,
    flag: bool = False,
    agent: Annotated[str | None, Header(alias="User-Agent")] = None,
    twice: Annotated[list[str] | None, Header()] = None,
    crumb: Annotated[str | None, Cookie()] = None,
):
    return [kind, rest, tags, size, flag, agent, twice, crumb]


@app.post("/fields")
async def fields(name: Annotated[str, Form()], age: Annotated[int, Form()] = 1):
    return {"name": name, "age": age}


@app.post("/files")
async def files(
    one: Annotated[bytes, File()], more: list[UploadFile], note: Annotated[str, Form()] = ""
):
    told = [[f.filename, f.content_type, len(await f.read())] for f in more]
    return {"one": len(one), "more": told, "note": note}


async def needs_token(x_token: Annotated[str, Header()]):
    if x_token != "right":
        raise HTTPException(401, "wrong token", {"WWW-Authenticate": "Bearer"})
    return x_token


router = APIRouter(prefix="/guarded", dependencies=[Depends(needs_token)])


@router.get("/item")
async def guarded():
    return "in"


app.include_router(router)


async def fails_in_the_end():
    yield "value"
    raise RuntimeError("in the end of a dependency")


@app.get("/depends/fails")
async def depends_fails(value: Annotated[str, Depends(fails_in_the_end)]):
    return value


# ---- streams ----


@app.get("/events")
async def events():
    async def found():
        for number in range(5):
            yield f"event: count\ndata: {number}\n\n"
            await anyio.sleep(0)

    return StreamingResponse(found(), media_type="text/event-stream")


@app.get("/lines")
async def lines():
    async def found():
        for number in range(5):
            yield json.dumps({"number": number}) + "\n"

    return StreamingResponse(found(), media_type="application/jsonl")


@app.post("/upload")
async def upload(request: Request):
    total = 0
    async for piece in request.stream():
        total += len(piece)
    return {"total": total}


@app.get("/model/invalid", response_model=Shown)
async def invalid():
    return {"name": "only"}
