"""The FastAPI application that is measured: plain FastAPI, which knows no server."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI
from pydantic import BaseModel

app = FastAPI()
counted = {"requests": 0, "sum": 0.0}
users: set[str] = set()


class Event(BaseModel):
    userId: str
    value: float


class Item(BaseModel):
    name: str
    price: float
    tags: list[str] = []
    is_offer: bool | None = None


@app.get("/")
async def hello():
    return {"message": "Hello, World!"}


@app.get("/sync")
def hello_from_a_thread():
    return {"message": "Hello, World!"}


@app.get("/health")
async def health():
    return {"status": "healthy"}


@app.get("/items/{item_id}")
async def get_item(item_id: int, q: str | None = None):
    return {"item_id": item_id, "q": q}


@app.post("/items", response_model=Item)
async def post_item(item: Item):
    return item


@app.post("/event")
async def post_event(event: Event):
    counted["requests"] += 1
    counted["sum"] += event.value
    users.add(event.userId)
    return {"status": "ok"}


@app.get("/stats")
async def stats():
    n, total = counted["requests"], counted["sum"]
    return {
        "totalRequests": n,
        "uniqueUsers": len(users),
        "sum": total,
        "avg": total / n if n else 0.0,
    }


async def settings(verbose: bool = False):
    return {"verbose": verbose}


async def session(found: Annotated[dict, Depends(settings)]) -> AsyncIterator[dict]:
    yield {"open": True, **found}


async def user(opened: Annotated[dict, Depends(session)], name: str = "nobody"):
    return {"name": name, "session": opened["open"]}


@app.get("/tree")
async def tree(found: Annotated[dict, Depends(user)]):
    """Three dependencies, one below the other, one of them with yield."""
    return found


ROWS = [Item(name=f"item {i}", price=i / 4, tags=["a", "b"]) for i in range(100)]


@app.get("/rows", response_model=list[Item])
async def rows():
    return ROWS
