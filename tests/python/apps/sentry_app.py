"""An application that Sentry's SDK watches, with errors, transactions and breadcrumbs; GET
/events tells what would have been sent. WATCHED: the integrations."""

import logging
import os
import re
from typing import Annotated, Any

import sentry_sdk
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel
from sentry_sdk.integrations.fastapi import FastApiIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.integrations.starlette import StarletteIntegration
from sentry_sdk.transport import Transport

STYLE = os.environ.get("WATCHED", "endpoint")
events: list[Any] = []
log = logging.getLogger("sentry_app")


class Memory(Transport):
    def capture_envelope(self, envelope: Any) -> None:
        events.extend(item.payload.json for item in envelope.items if item.payload.json)


sentry_sdk.init(
    dsn="http://key@127.0.0.1:9/1",
    transport=Memory,
    traces_sample_rate=1.0,
    send_default_pii=True,
    default_integrations=False,
    auto_enabling_integrations=False,
    integrations=[
        FastApiIntegration(transaction_style=STYLE),
        StarletteIntegration(transaction_style=STYLE),
        LoggingIntegration(),
    ],
)


class Item(BaseModel):
    name: str


class Known(Exception):
    pass


app = FastAPI()
router = APIRouter(prefix="/router")


@app.exception_handler(Known)
async def known(request: Request, error: Known):
    sentry_sdk.capture_exception(error)
    return PlainTextResponse(f"{error!r}", 418)


async def depends(word: str = "w"):
    with sentry_sdk.start_span(op="depends", name=word):
        log.info("in the dependency")
        yield word
    log.info("after it")


@app.get("/")
async def root():
    sentry_sdk.add_breadcrumb(message="a crumb", category="own")
    return 1


@app.get("/items/{n}")
async def item(n: int, word: Annotated[str, Depends(depends)]):
    log.error("told of %s", n)
    return [n, word]


@app.post("/items")
async def post(item: Item) -> Item:
    if item.name == "bad":
        raise ValueError(item)
    return item


@router.get("/in-thread/{n}")
def in_thread(n: int):
    sentry_sdk.capture_message(f"thread {n}")
    return n


@app.get("/tasks")
async def tasks(tasks: BackgroundTasks):
    tasks.add_task(sentry_sdk.capture_message, "in the background")
    return 1


@app.get("/stream")
async def stream():
    return StreamingResponse(iter(["a", "b"]))


@app.get("/fails/{kind}")
async def fails(kind: str):
    log.warning("about to fail")
    raise {"http": HTTPException(500), "known": Known(), "other": KeyError("x")}[kind]


@app.get("/probe")
async def probe() -> PlainTextResponse:
    return PlainTextResponse("the probe")


def told(what: Any) -> Any:
    """Without what no two runs have in common: times, ids, ports, frames of the server, and
    the crumbs of its start."""
    if isinstance(what, dict):
        kept = {k: v for k, v in what.items() if not LEFT_OUT.search(k)}
        if "stacktrace" in kept:
            frames = kept["stacktrace"]["frames"]
            own = [f for f in frames if f["module"] == __name__]
            kept["stacktrace"] = [[f["function"], f["lineno"]] for f in own]
        return {k: told(v) for k, v in kept.items()}
    if isinstance(what, list):
        own = [v for v in what if not isinstance(v, dict) or v.get("category") != "uvicorn.error"]
        return [told(v) for v in own]
    return re.sub(r"127\.0\.0\.1:\d+| at 0x\w+", "", what) if isinstance(what, str) else what


LEFT_OUT = re.compile("timestamp|_id$|^(host|trace|modules|sdk|server_name|REMOTE_PORT|thread.*)$")


@app.get("/events")
def told_events() -> list[Any]:
    """Those of the requests before; a background task may end later."""
    asked = re.compile("/(events|probe)'")  # by the test itself
    found = [event for event in events if not asked.search(str(event.get("request")))]
    events.clear()
    return sorted(map(told, found), key=str)


app.include_router(router)
sub = FastAPI()


@sub.get("/in/{n}")
async def within(n: int):
    return n


app.mount("/sub", sub)
