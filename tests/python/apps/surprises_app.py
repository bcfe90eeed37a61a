"""What FastAPI does and few expect, a path operation or two for each."""

import sys
from typing import Annotated, Any

from fastapi import BackgroundTasks, Cookie, Depends, FastAPI, Form, Header, Query
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    a: int = 0
    f: float = 0


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")  # at once: lines come from threads, too
    sys.stdout.flush()


@app.get("/probe")
async def probe():
    return PlainTextResponse("the probe")


# ---- 1: dependencies run although a parameter is not valid, and learn of it ----


async def first(word: str = "w"):
    say("first runs", word)
    try:
        yield word
    except RequestValidationError as error:
        say("first caught", [e["loc"] for e in error.errors()])
        raise


@app.get("/first")
async def invalid(n: int, word: Annotated[str, Depends(first)]):
    return [n, word]


# ---- 2: errors of JSON come before dependencies, errors of the schema after ----


async def second(word: str):
    say("second runs", word)


@app.post("/second")
async def body_errors(item: Item, word: Annotated[None, Depends(second)]):
    return item


# ---- 3: tasks run before the dependencies of the request end ----


async def third(word: str = "w"):
    yield word
    say("third exits", word)


@app.get("/third")
async def background(tasks: BackgroundTasks, word: Annotated[str, Depends(third)]):
    tasks.add_task(say, "third in the background", word)
    return word


# ---- 4: two kinds of JSON ----


@app.get("/annotated/{f}")
async def annotated(f: float) -> Item:
    return Item(f=f)


@app.get("/annotated-keys")
async def annotated_keys() -> dict[str, int]:
    return {"_sa_state": 1, "b": 2}


@app.get("/plain/{f}")
async def plain(f: float):
    return {"f": f}


@app.get("/plain-keys")
async def plain_keys():
    return {"_sa_state": 1, "b": 2}


# ---- 5: what counts as JSON ----


@app.post("/fifth")
async def media(item: Item):
    return item


# ---- 6: newlines, slashes and long numbers in paths ----


@app.get("/m")
async def m():
    return "m"


@app.get("/path/{p:path}")
async def path(p: str):
    return p


@app.get("/two/{a}/{b}")
async def two(a: str, b: str):
    return [a, b]


@app.get("/int/{p:int}")
async def whole(p: int):
    return p


# ---- 7: which of several; blanks; defaults ----


@app.get("/which")
async def which(
    q: str = "default",
    h: Annotated[str, Header()] = "default",
    c: Annotated[str, Cookie()] = "default",
):
    return [q, h, c]


@app.post("/form")
async def form(q: Annotated[str, Form()]):
    return q


@app.get("/defaults")
async def defaults(many: Annotated[list[int], Query()] = ["no number"]):  # type: ignore  # noqa: B006
    many.append(1)
    return many


# ---- 8: a dependency that is called once is validated as often as it is wanted ----


async def eighth(n: int = 1):
    say("eighth runs")
    return n


async def between(n: Annotated[Any, Depends(eighth)]):
    return n


@app.get("/eighth")
async def twice(a: Annotated[Any, Depends(eighth)], b: Annotated[Any, Depends(between)]):
    return [a, b]


# ---- 9: connections ----


@app.get("/fails")
async def fails():
    raise RuntimeError("fails")


# ---- 10: methods ----


@app.get("/partial")
async def get_partial():
    return "get"


@app.api_route("/partial", methods=["PUT", "DELETE", "PATCH"])
async def put_partial():
    return "put"


@app.api_route("/several", methods=["PUT", "DELETE", "PATCH"])
async def several():
    return "several"
