"""Waits for what nobody else knows."""

import asyncio
import gc
import weakref

from fastapi import FastAPI

waiting: weakref.WeakSet[asyncio.Event] = weakref.WeakSet()
app = FastAPI()


@app.get("/waits")
async def waits():
    event = asyncio.Event()
    waiting.add(event)
    await event.wait()
    return "set"


@app.get("/sets")
async def sets():
    gc.collect()
    found = list(waiting)
    for event in found:
        event.set()
    return len(found)
