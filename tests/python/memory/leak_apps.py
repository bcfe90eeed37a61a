"""Applications that leaks.py asks for things: each path is a way in which a request goes on
and ends. What they wait for comes within a few turns of the loop."""

import asyncio
import contextvars
import pathlib

from apps import TEXT, answer, read_body

FILE = str(pathlib.Path(__file__).resolve())
mark = contextvars.ContextVar("mark", default=None)
background = set()  # of tasks, for as long as they run


def start(headers=TEXT, **more):
    return {"type": "http.response.start", "status": 200, "headers": headers, **more}


def part(data, more=True):
    return {"type": "http.response.body", "body": data, "more_body": more}


async def ok(scope, receive, send):
    await answer(send, b"ok")


async def later(scope, receive, send):
    await asyncio.sleep(0)
    await answer(send, b"later")


async def missing(scope, receive, send):
    await answer(send, b"no", 404)


async def echo(scope, receive, send):
    body, _ = await read_body(receive)
    await answer(send, body)


async def unread(scope, receive, send):
    await answer(send, b"unread")


async def stream(scope, receive, send):
    await send(start())
    for _ in range(5):
        await send(part(b"piece" * 100))
        await asyncio.sleep(0)
    await send(part(b"", more=False))


async def stream_back(scope, receive, send):
    await send(start())
    message = {"more_body": True}
    while message.get("more_body"):
        message = await receive()
        await send(part(message.get("body", b"")))
    await send(part(b"", more=False))


async def flood(scope, receive, send):
    """More than the client reads: send() waits until the client is gone."""
    await send(start())
    for _ in range(40):
        await send(part(b"y" * 65536))
    await send(part(b"", more=False))


async def raises(scope, receive, send):
    raise ValueError("at once")


async def raises_later(scope, receive, send):
    await asyncio.sleep(0)
    raise ValueError("later")


async def raises_started(scope, receive, send):
    await send(start())
    raise ValueError("started")


async def raises_streaming(scope, receive, send):
    await send(start())
    await send(part(b"part"))
    await asyncio.sleep(0)
    raise ValueError("streaming")


async def returns_early(scope, receive, send):
    await send(start())


async def told_wrong(scope, receive, send):
    for message in ({}, {"type": "nonsense"}, {"type": "http.response.start"}, start([(b"x y", b"")])):
        try:
            await send(message)
        except Exception:
            pass
    raise ValueError("told wrong")


async def waits(scope, receive, send):
    """Until the client is gone."""
    await read_body(receive)
    await receive()
    await answer(send, b"to nobody")


async def times_out(scope, receive, send):
    await read_body(receive)
    try:
        async with asyncio.timeout(0):
            await receive()
    except TimeoutError:
        pass
    await answer(send, b"late")


async def cancelled(scope, receive, send):
    asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)
    try:
        await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:
        await answer(send, b"cancelled")


async def dies_cancelled(scope, receive, send):
    asyncio.current_task().cancel()
    await asyncio.sleep(0)


async def tasks(scope, receive, send):
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(asyncio.sleep(0))
    await answer(send, b"tasks")


async def after(scope, receive, send):
    """A task of its own goes on when the answer is out."""
    await answer(send, b"after")
    task = asyncio.create_task(asyncio.sleep(0))
    background.add(task)
    task.add_done_callback(background.discard)
    await asyncio.sleep(0)


async def context(scope, receive, send):
    mark.set(object())
    await answer(send, b"context")


async def context_later(scope, receive, send):
    mark.set(object())
    await asyncio.sleep(0)
    await answer(send, b"context")


async def hints(scope, receive, send):
    await send({"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]})
    await answer(send, b"hinted")


async def file(scope, receive, send):
    await send(start())
    await send({"type": "http.response.pathsend", "path": FILE})


async def zero_copy(scope, receive, send):
    with open(FILE, "rb") as opened:
        await send(start([(b"content-length", b"500")]))
        await send({"type": "http.response.zerocopysend", "file": opened, "count": 500})


async def trailers(scope, receive, send):
    await send(start([(b"trailer", b"x-sum")], trailers=True))
    await send(part(b"body", more=False))
    await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"4")]})


# ---- what is found ----

kept = []


async def keeps_scope(scope, receive, send):
    kept.append(scope)
    await answer(send, b"kept")


async def keeps_task(scope, receive, send):
    kept.append(asyncio.create_task(asyncio.sleep(3600)))
    await answer(send, b"kept")


async def keeps_file(scope, receive, send):
    if len(kept) < 900:  # as many as there may be
        kept.append(open(FILE, "rb"))
    await answer(send, b"kept")


# ---- WebSockets ----


async def ws_echo(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def ws_closes(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept", "headers": [(b"x-a", b"b")]})
    await send({"type": "websocket.close", "code": 4000, "reason": "enough"})
    await receive()


async def ws_refuses(scope, receive, send):
    await receive()
    await send({"type": "websocket.close"})


async def ws_denies(scope, receive, send):
    await receive()
    await send({"type": "websocket.http.response.start", "status": 401, "headers": TEXT})
    await send({"type": "websocket.http.response.body", "body": b"denied"})


async def ws_raises(scope, receive, send):
    raise ValueError("before the answer")


async def ws_raises_open(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    await receive()
    raise ValueError("open")


async def ws_never_receives(scope, receive, send):
    """Messages are queued; then all of them are dropped."""
    await receive()
    await send({"type": "websocket.accept"})
    for _ in range(5):
        await asyncio.sleep(0)


async def ws_floods(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    for _ in range(40):
        await send({"type": "websocket.send", "bytes": b"z" * 65536})


PATHS = {
    f"/{name.replace('_', '-')}": function
    for name, function in list(globals().items())
    if asyncio.iscoroutinefunction(function)
    and function.__code__.co_varnames[:3] == ("scope", "receive", "send")
}


async def app(scope, receive, send):
    await PATHS[scope["path"]](scope, receive, send)
