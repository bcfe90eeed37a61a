"""Large bodies both ways: pieces of every kind, and what the server still holds of them."""

import asyncio
import random
import sys

SIZES = [1, 8191, 16384, 16385, 65536, 3, 200_000, 0, 40_000, 16_000, 131_072, 9]
HELD = b"h" * 65536  # sent over and over to clients that do not read
BASE = sys.getrefcount(HELD)
state = {"sent": 0, "ended": 0}


def pieces() -> list[bytes]:
    """The same in every process."""
    made = random.Random(7)
    return [made.randbytes(size) for size in SIZES * 4]


async def start(send, *fields: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": list(fields)})


async def piece(send, body: object, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def kinds(send, length: bool) -> None:
    """bytes, and what is changed as soon as send() has returned."""
    all_of_it = pieces()
    fields = [(b"content-length", b"%d" % sum(map(len, all_of_it)))] if length else []
    await start(send, *fields)
    for i, body in enumerate(all_of_it):
        kind = (bytes, bytearray, lambda b: memoryview(bytearray(b)))[i % 3](body)
        await piece(send, kind)
        if not isinstance(kind, bytes):
            kind[:] = bytes(len(kind))
        if i % 7 == 0:
            await asyncio.sleep(0)
    await piece(send, b"", more=False)


async def endless(send) -> None:
    await start(send)
    try:
        while True:
            await piece(send, HELD)
            state["sent"] += 1
            if state["sent"] % 10_000 == 0:
                await asyncio.sleep(0)  # of a client that is gone, too, one can be rid
            if state["sent"] > 1_000_000:
                break
    finally:
        state["ended"] += 1


async def whole(send) -> None:
    await start(send, (b"content-length", b"%d" % (8 << 20)))
    await piece(send, bytes(range(256)) * (8 << 12), more=False)


async def copy(receive, send) -> None:
    """Each message is sent back when it comes; of which task, and its context, is told."""
    await start(send, (b"x-task", str(id(asyncio.current_task())).encode()))
    task, more, same = asyncio.current_task(), True, True
    while more:
        message = await receive()
        more = message["more_body"]
        same = same and asyncio.current_task() is task
        await piece(send, message["body"])
    await piece(send, b"same" if same else b"another", more=False)


async def timed(receive, send) -> None:
    """receive() by wait_for(), by a task that is cancelled, and by two at once."""
    got = [await asyncio.wait_for(receive(), 10)]
    late = asyncio.create_task(receive())
    await asyncio.sleep(0)
    late.cancel()
    try:
        got.append(await late)
    except asyncio.CancelledError:
        pass
    while got[-1]["more_body"]:
        got.append(await asyncio.wait_for(receive(), 10))
    await start(send)
    await piece(send, b"".join(m["body"] for m in got), more=False)


async def app(scope, receive, send) -> None:
    if scope["type"] == "lifespan":
        while (await receive())["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    path = scope["path"]
    if path in ("/chunked", "/length"):
        await kinds(send, path == "/length")
    elif path == "/endless":
        await endless(send)
    elif path == "/whole":
        await whole(send)
    elif path == "/copy":
        await copy(receive, send)
    elif path == "/timed":
        await timed(receive, send)
    else:
        await start(send)
        text = f"{state['sent']} {state['ended']} {sys.getrefcount(HELD) - BASE}"
        await piece(send, text.encode(), more=False)
