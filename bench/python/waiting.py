"""Routes that wait, and the same ones that do not: what concurrency costs."""

import asyncio

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Event(BaseModel):
    userId: str
    value: float


class Totals:
    requests = 0
    sum = 0.0
    users: set[str] = set()


def count(event: Event) -> dict[str, str]:
    Totals.requests += 1
    Totals.sum += event.value
    Totals.users.add(event.userId)
    return {"status": "ok"}


@app.post("/now")
async def now(event: Event):
    return count(event)


@app.post("/later")
async def later(event: Event):
    await asyncio.sleep(0.005)
    return count(event)


@app.get("/stats")
async def stats():
    n = Totals.requests
    return {
        "totalRequests": n,
        "uniqueUsers": len(Totals.users),
        "sum": Totals.sum,
        "avg": Totals.sum / n if n else 0.0,
    }
