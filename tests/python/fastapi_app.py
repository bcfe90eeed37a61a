"""A FastAPI application with a bit of everything that reaches into the server."""

import contextlib
from contextvars import ContextVar
from typing import Annotated

import anyio
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse, RedirectResponse, StreamingResponse
from pydantic import BaseModel

user: ContextVar[str] = ContextVar("user", default="nobody")


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI):
    print("starts", flush=True)
    yield {"shared": "from lifespan"}
    print("ends", flush=True)


app = FastAPI(lifespan=lifespan)


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
    tasks.add_task(print, "background in a thread", flush=True)
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
