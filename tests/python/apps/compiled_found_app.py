"""What the fuzzer of the compiled tier has found, each as small as it gets."""

import asyncio
from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict
from starlette.middleware.errors import ServerErrorMiddleware

app = FastAPI()


def say(*words: object) -> None:
    print(*words, flush=True)


class Known(Exception):
    pass


@app.exception_handler(Known)
async def known(request, exc):
    say("handler", exc)
    return JSONResponse({}, 411)


@app.get("/probe")
async def probe():
    return PlainTextResponse("the probe")


# A handler is not asked when the answer is out.
async def fails(word: str):
    raise Known(word)


@app.get("/task-fails")
async def task_fails(tasks: BackgroundTasks):
    tasks.add_task(fails, "late")
    return 1


# The log tells the path that the application has left in the scope.
@app.get("/rewritten")
async def rewritten(request: Request):
    request.scope["path"] = "/other"
    return 1


@app.get("/rewritten-later")
async def rewritten_later(request: Request):
    request.scope["query_string"] = b"a=1"
    await asyncio.sleep(0.002)
    raise HTTPException(409)


# A convertor takes more digits than int() does, even if nobody wants the number.
@app.get("/digits/{n:int}")
async def digits():
    return 1


# The name of a variable of FastAPI is told when a dependency swallows what was raised.
async def swallows():
    try:
        yield
    except RuntimeError:
        pass


async def tells():
    try:
        yield
    except UnboundLocalError as error:
        say(error)
        raise


@app.get("/swallowed")
async def swallowed(
    response: Response,
    a: Annotated[None, Depends(tells)],
    b: Annotated[None, Depends(swallows, scope="function")],
):
    response.headers["X-Own"] = "yes"
    raise RuntimeError


# The name of a field was made lower in bytes that the whole process shares.
class Fields(BaseModel):
    model_config = ConfigDict(extra="allow")


@app.get("/fields")
async def fields(all: Annotated[Fields, Header()]):
    return [sorted(all.model_extra or {}), bytes.fromhex("42")]


# The order of the routes may change while there are as many as before.
@app.get("/order/first")
async def order_first():
    return "first"


@app.get("/order/{name}")
async def order_any(name: str):
    return "any " + name


@app.get("/reorder")
async def reorder():
    app.router.routes.sort(key=lambda route: getattr(route, "path", "") == "/order/first")


# Their answers show the code that was gone through.
debug = FastAPI(debug=True)
debug.get("/probe")(probe)


@debug.get("/fails/{how}")
async def fails(how: str):
    raise KeyError(how)


app.mount("/debug", debug)


class Unbuilt:
    """Middleware that lacks a setting."""

    def __init__(self, app):
        raise LookupError("no secret is set")


unbuilt = FastAPI()
unbuilt.add_middleware(Unbuilt)
unbuilt.get("/probe")(probe)


class Patching:
    """Middleware that patches what is around it when it is made, as agents' does."""

    def __init__(self, app):
        self.app = app
        original = ServerErrorMiddleware.__call__

        async def traced(self, scope, receive, send):
            say("traced", scope["type"])
            await original(self, scope, receive, send)

        ServerErrorMiddleware.__call__ = traced

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


patching = FastAPI()
patching.add_middleware(Patching)
patching.get("/probe")(probe)
