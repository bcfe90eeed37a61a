"""An application that opentelemetry-instrumentation-fastapi traces; GET /spans tells what of it
came to an exporter. TRACED says how it is instrumented."""

import os
from typing import Annotated, Any

import fastapi
from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException
from fastapi.responses import PlainTextResponse, StreamingResponse
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import BaseModel

HOW = os.environ.get("TRACED", "global")
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
if HOW != "own":
    trace.set_tracer_provider(provider)
if HOW == "class":
    FastAPIInstrumentor().instrument(excluded_urls="probe")
tracer = provider.get_tracer("traced")


class Item(BaseModel):
    name: str


class Known(Exception):
    pass


def current() -> str:
    return getattr(trace.get_current_span(), "name", "none")


def depends() -> str:
    with tracer.start_as_current_span("dependency"):
        return current()


async def known(request: fastapi.Request, error: Known) -> PlainTextResponse:
    return PlainTextResponse(f"{error!r} in {current()}", 418)


app = fastapi.FastAPI(exception_handlers={Known: known})
router = APIRouter(prefix="/router")


@app.get("/")
async def root():
    return current()


@app.get("/items/{n}")
async def item(n: int, found: Annotated[str, Depends(depends)]):
    with tracer.start_as_current_span("endpoint"):
        return [n, found]


@app.post("/items")
async def post(item: Item) -> Item:
    return item


@router.get("/in-thread/{n}")
def in_thread(n: int):
    return current()


@app.get("/tasks")
async def tasks(tasks: BackgroundTasks):
    tasks.add_task(print, "in the background", flush=True)
    return 1


@app.get("/stream")
async def stream():
    return StreamingResponse(iter(["a", "b"]))


@app.get("/fails/{kind}")
async def fails(kind: str):
    raise {"http": HTTPException(404), "known": Known(), "other": KeyError("x")}[kind]


@app.get("/probe")
async def probe() -> PlainTextResponse:
    return PlainTextResponse("the probe")


def told(attributes: Any) -> dict[str, str]:
    """Without what no two servers have in common."""
    left_out = ("port", "http.host", "http.url", "stacktrace")
    return {k: str(v) for k, v in attributes.items() if not any(part in k for part in left_out)}


@app.get("/spans")
def spans() -> list[Any]:
    found = exporter.get_finished_spans()
    exporter.clear()
    names = {span.context.span_id: span.name for span in found}
    lines = [
        [
            *(span.name, span.kind.name, span.status.status_code.name, span.status.description),
            told(span.attributes),
            names.get(span.parent.span_id, "later") if span.parent else None,
            [[event.name, told(event.attributes)] for event in span.events],
        ]
        for span in found
    ]
    return sorted(lines, key=str)  # those of a task may end after those of the next request


app.include_router(router)
sub = fastapi.FastAPI()


@sub.get("/in/{n}")
async def within(n: int):
    return current()


app.mount("/sub", sub)
if HOW == "global":
    FastAPIInstrumentor.instrument_app(app, excluded_urls="probe")
if HOW == "own":
    FastAPIInstrumentor.instrument_app(
        app, tracer_provider=provider, exclude_spans=["send"], excluded_urls="probe"
    )
