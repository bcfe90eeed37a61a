"""A FastAPI application that answers as its own schema says, for tests that are made from it."""

from typing import Annotated

from fastapi import Cookie, FastAPI, File, Form, Header, HTTPException, Path, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

app = FastAPI(responses={400: {"description": "A body that is no text"}})


class Event(BaseModel):
    userId: str = Field(max_length=50)
    value: float = Field(ge=-1e9, le=1e9)


class Item(BaseModel):
    name: str
    price: float = Field(ge=0, le=1e9)
    tags: list[str] = []
    is_offer: bool | None = None


class Known(BaseModel):
    number: int
    q: str | None
    token: str | None
    crumb: str | None


@app.get("/")
async def root() -> dict[str, str]:
    return {"message": "Hello, World!"}


@app.post("/event")
async def event(e: Event) -> dict[str, str]:
    return {"status": "ok"}


@app.post("/items", status_code=201)
async def create(item: Item) -> Item:
    return item


@app.get("/items/{number}", responses={404: {"description": "Odd numbers"}})
async def read(
    number: Annotated[int, Path(ge=0, le=10**6)],
    q: Annotated[str | None, Query(max_length=20)] = None,
    x_token: Annotated[str | None, Header(pattern="^[a-z]*$")] = None,
    crumb: Annotated[str | None, Cookie(pattern="^[a-z]*$")] = None,
) -> Known:
    if number % 2:
        raise HTTPException(404, "odd")
    return Known(number=number, q=q, token=x_token, crumb=crumb)


@app.delete("/items/{number}", status_code=204)
async def remove(number: int) -> None:
    return None


@app.post("/form")
async def form(name: Annotated[str, Form()], age: Annotated[int, Form()]) -> dict[str, str | int]:
    return {"name": name, "age": age}


@app.post("/file")
async def file(data: Annotated[bytes, File()]) -> int:
    return len(data)


@app.get("/lines", response_class=StreamingResponse)
async def lines(count: Annotated[int, Query(ge=0, le=20)] = 3):
    async def found():
        for number in range(count):
            yield f"{number}\n"

    return StreamingResponse(found(), media_type="text/plain")
