"""The FastAPI application that is measured: plain FastAPI, which knows no server."""

from fastapi import FastAPI
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
