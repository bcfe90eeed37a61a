"""Endpoints that are generators: lines of JSON, server-sent events, and streams that the
endpoint writes itself."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from fastapi import routing
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import _is_async_gen_callable, _is_gen_callable
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import ResponseValidationError
from fastapi._compat import lenient_issubclass
from fastapi.routing import _normalize_non_finite_floats
from fastapi.sse import (
    KEEPALIVE_COMMENT,
    EventSourceResponse,
    ServerSentEvent,
    format_sse_event,
)
from starlette.concurrency import iterate_in_threadpool
from starlette.responses import Response, StreamingResponse

from fasterapi._compile._build import context_of

# stream(run, generator, request_stack, response, tasks)
Stream = Callable[..., Coroutine[Any, Any, Response]]
Encode = Callable[[Any], bytes]


def _class_of(effective: Any) -> Any:
    by_default = isinstance(effective.response_class, DefaultPlaceholder)
    return effective.response_class.value if by_default else effective.response_class


def _sends_events(effective: Any) -> bool:
    """As get_request_handler() asks: of the class alone, whatever the endpoint is."""
    return lenient_issubclass(_class_of(effective), EventSourceResponse)


def is_stream(effective: Any) -> bool:
    call = effective.dependant.call
    return bool(
        _sends_events(effective)
        or effective.is_json_stream
        or _is_gen_callable(call)
        or _is_async_gen_callable(call)
    )


def _options_of(effective: Any) -> dict[str, Any]:
    names = ("include", "exclude", "by_alias", "exclude_unset", "exclude_defaults", "exclude_none")
    return {name: getattr(effective, f"response_model_{name}") for name in names}


def _plain(item: Any) -> str:
    return json.dumps(_normalize_non_finite_floats(jsonable_encoder(item)))


def _encoder_of(effective: Any) -> Callable[[Any], Encode]:
    """encoder(run): one item as JSON, by the model of items if there is one."""
    field, options = effective.stream_item_field, _options_of(effective)

    def encode_plain(item: Any) -> bytes:
        return _plain(item).encode("utf-8")

    def encoder(run: Any) -> Encode:
        if not field:
            return encode_plain
        context = context_of(effective, run)

        def encode(item: Any) -> bytes:
            value, errors = field.validate(item, {}, loc=("response",))
            if errors:
                raise ResponseValidationError(errors=errors, body=item, endpoint_ctx=context)
            encoded: bytes = field.serialize_json(value, **options)
            return encoded

        return encode

    return encoder


def _event(item: Any, encode: Encode) -> bytes:
    if not isinstance(item, ServerSentEvent):
        return format_sse_event(data_str=encode(item).decode("utf-8"))
    data: str | None = None
    if item.raw_data is not None:
        data = item.raw_data
    elif item.data is not None:
        by_itself = hasattr(item.data, "model_dump_json")
        data = item.data.model_dump_json() if by_itself else _plain(item.data)
    return format_sse_event(
        data_str=data, event=item.event, id=item.id, retry=item.retry, comment=item.comment
    )


# ---- events: two tasks, so that a silent generator is heard of ----


async def _produce(
    items: AsyncIterator[Any], encode: Encode, made: MemoryObjectSendStream[bytes]
) -> None:
    async with made:
        async for item in items:
            await made.send(_event(item, encode))


async def _pass_on(
    made: MemoryObjectReceiveStream[bytes], out: MemoryObjectSendStream[bytes]
) -> None:
    """With a comment whenever nothing has come for a while."""
    async with out, made:
        try:
            while True:
                try:
                    with anyio.fail_after(routing._PING_INTERVAL):  # type: ignore[attr-defined]
                        event = await made.receive()
                    await out.send(event)
                except TimeoutError:
                    await out.send(KEEPALIVE_COMMENT)
        except anyio.EndOfStream:
            pass


@asynccontextmanager
async def _events(
    items: AsyncIterator[Any], encode: Encode
) -> AsyncIterator[MemoryObjectReceiveStream[bytes]]:
    made_in, made_out = anyio.create_memory_object_stream[bytes](max_buffer_size=1)
    sent_in, sent_out = anyio.create_memory_object_stream[bytes](max_buffer_size=1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_produce, items, encode, made_in)
        tasks.start_soon(_pass_on, made_out, sent_in)
        yield sent_out
        tasks.cancel_scope.cancel()


# ---- what is sent ----


async def _checked(items: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """Lets a cancellation through even if nothing ever waits."""
    async for item in items:
        yield item
        await anyio.sleep(0)


async def _lines(items: AsyncIterator[Any], encode: Encode) -> AsyncIterator[bytes]:
    async for item in items:
        yield encode(item) + b"\n"
        await anyio.sleep(0)


def _lines_sync(items: Iterator[Any], encode: Encode) -> Iterator[bytes]:
    for item in items:
        yield encode(item) + b"\n"


def stream_of(effective: Any) -> Stream:
    """stream(run, generator, request_stack, response, tasks): the Response that
    get_request_handler() of FastAPI makes of a generator."""
    made_by, sends_events = _class_of(effective), _sends_events(effective)
    of_loop = _is_async_gen_callable(effective.dependant.call)
    encoder = _encoder_of(effective)

    async def events(generator: Any, encode: Encode, stack: AsyncExitStack) -> AsyncIterator[Any]:
        items = generator.__aiter__() if of_loop else iterate_in_threadpool(generator)
        events = await stack.enter_async_context(_events(items, encode))
        stack.push_async_callback(events.aclose)
        return _checked(events)

    async def stream(
        run: Any, generator: Any, stack: AsyncExitStack, response: Response | None, tasks: Any
    ) -> Response:
        encode = encoder(run)
        arguments: dict[str, Any] = {"background": tasks}
        asked = response.status_code if response is not None else None
        if status := asked or effective.status_code:
            arguments["status_code"] = status
        made: Response
        if sends_events:
            content = await events(generator, encode, stack)
            made = StreamingResponse(content, media_type="text/event-stream", **arguments)
            made.headers["Cache-Control"] = "no-cache"
            made.headers["X-Accel-Buffering"] = "no"
        elif effective.is_json_stream:
            lines: Any = _lines(generator, encode) if of_loop else _lines_sync(generator, encode)
            made = StreamingResponse(lines, media_type="application/jsonl", **arguments)
        else:
            made = made_by(content=_checked(generator) if of_loop else generator, **arguments)
        if response is not None:
            made.headers.raw.extend(response.headers.raw)
        return made

    return stream
