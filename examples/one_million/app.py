"""The One Million Request Challenge in plain FastAPI: nothing here knows the server.

    fasterapi run examples/one_million/app.py --no-access-log
"""

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


@app.post("/event")
async def event(event: Event):
    Totals.requests += 1
    Totals.sum += event.value
    Totals.users.add(event.userId)
    return {"status": "ok"}


@app.get("/stats")
async def stats():
    count = Totals.requests
    return {
        "totalRequests": count,
        "uniqueUsers": len(Totals.users),
        "sum": Totals.sum,
        "avg": Totals.sum / count if count else 0.0,
    }
