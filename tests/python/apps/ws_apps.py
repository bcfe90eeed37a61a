"""WebSocket applications that both servers serve, one function a path. What happens to
them is noted, to be fetched by GET /notes."""

import asyncio
import contextvars
import json

from apps import answer, printable

notes = []
mark = contextvars.ContextVar("mark", default="unset")


def note(what):
    notes.append(what)


def summary(message):
    """Of a message, short even if it is long."""
    short = {}
    for key, value in sorted(message.items()):
        if isinstance(value, (str, bytes)) and len(value) > 200:
            value = f"{type(value).__name__} of {len(value)}: {value[:20]!r}"
        short[key] = value if isinstance(value, (str, int)) else repr(value)
    return short


async def attempt(awaitable):
    """Notes how it ended."""
    try:
        result = await awaitable
    except BaseException as error:
        note(f"{type(error).__name__} {isinstance(error, OSError)} {error}")
    else:
        note(f"gives {summary(result) if isinstance(result, dict) else result!r}")


class Ends(Exception):
    pass


def accept(**more):
    return {"type": "websocket.accept", **more}


def text(data):
    return {"type": "websocket.send", "text": data}


def close(**more):
    return {"type": "websocket.close", **more}


def start(status=200, headers=()):
    return {"type": "websocket.http.response.start", "status": status, "headers": headers}


def body(data=b"", more=False):
    return {"type": "websocket.http.response.body", "body": data, "more_body": more}


async def accepted(receive, send, **more):
    note(summary(await receive()))
    await send(accept(**more))


async def received(receive):
    message = await receive()
    note(summary(message))
    return message


async def echo(scope, receive, send):
    await accepted(receive, send)
    while True:
        message = await received(receive)
        if message["type"] == "websocket.disconnect":
            return
        await send({**message, "type": "websocket.send"})


async def scope(scope, receive, send):
    told = dict(scope)
    for who in ("client", "server"):
        told[who] = told[who] and (told[who][0], type(told[who][1]))
    told["headers"] = [(name, value) for name, value in told["headers"] if name != b"host"]
    await accepted(receive, send)
    await send(text(json.dumps(printable(told))))
    await send(close())


async def first_protocol(scope, receive, send):
    await accepted(receive, send, subprotocol=scope["subprotocols"][0])
    await received(receive)
    await send(close())


async def other_protocol(scope, receive, send):
    await accepted(receive, send, subprotocol="not-offered")
    await received(receive)
    await send(close())


async def no_protocol(scope, receive, send):
    await accepted(receive, send, subprotocol=None, headers=[])
    await received(receive)
    await send(close())


async def protocol_as_header(scope, receive, send):
    await accepted(receive, send, headers=[(b"Sec-WebSocket-Protocol", b"as-header")])
    await received(receive)
    await send(close())


async def headers(scope, receive, send):
    given = [(b"X-One", b"1"), [b"x-two", b"2 and \xe9"], (b"x-one", b"again"), (b"set-cookie", b"a=b")]
    await accepted(receive, send, headers=given)
    await received(receive)
    await send(close())


async def generated_headers(scope, receive, send):
    await accepted(receive, send, headers=((b"x-%d" % i, b"%d" % i) for i in range(50)))
    await received(receive)
    await send(close())


async def refuses(scope, receive, send):
    await receive()
    await send(close(code=4001, reason="not told"))


async def refuses_at_once(scope, receive, send):
    await send(close())


async def refuses_and_goes_on(scope, receive, send):
    await receive()
    await send(close())
    await attempt(send(accept()))
    await attempt(send(close()))
    await received(receive)
    await received(receive)
    await asyncio.sleep(0.01)
    await attempt(send(text("late")))


async def denies(scope, receive, send):
    status, _, more = scope["query_string"].decode().partition("&")
    await receive()
    fields = [(b"x-why", b"because"), (b"content-type", b"application/json")] if more else []
    await send(start(int(status), fields))
    await send(body(b'{"no": 1}' if more != "empty" else b""))
    await received(receive)


async def denies_in_pieces(scope, receive, send):
    await send(start(401, [(b"content-length", b"9")]))
    for piece in (b"one", b"", b"two"):
        await send(body(piece, True))
    await asyncio.sleep(0.001)
    await send(body(b"end"))
    await received(receive)
    await received(receive)


async def denies_with_status(scope, receive, send):
    await attempt(send(start(99)))
    await attempt(send(start(600)))
    await send(start(200))
    await send(body(b"fine"))


async def denies_and_accepts(scope, receive, send):
    await send(start(403))
    await attempt(send(accept()))
    await attempt(send(start(404)))
    await attempt(send(close()))
    await send(body(b"no"))


async def denies_without_body(scope, receive, send):
    await send(start(403))


async def denies_and_raises(scope, receive, send):
    await send(start(403))
    raise Ends("between")


async def returns_at_once(scope, receive, send):
    pass


async def returns_value(scope, receive, send):
    await send(accept())
    await receive()
    await send(close())
    return "a value"


async def raises_at_once(scope, receive, send):
    raise Ends("at once")


async def raises_after_receive(scope, receive, send):
    await received(receive)
    await asyncio.sleep(0)
    raise Ends("after receive")


async def raises_after_close(scope, receive, send):
    await accepted(receive, send)
    await send(close())
    raise Ends("after close")


async def raises_after_disconnect(scope, receive, send):
    await accepted(receive, send)
    while (await received(receive))["type"] != "websocket.disconnect":
        pass
    raise Ends("after disconnect")


async def exits(scope, receive, send):
    raise SystemExit(3)


async def closes(scope, receive, send):
    await accepted(receive, send)
    code, _, reason = scope["query_string"].decode().partition("&")
    given = {"code": int(code)} if code else {}
    if reason:
        given["reason"] = reason
    await send(close(**given))
    await received(receive)
    await received(receive)


async def closes_wrongly(scope, receive, send):
    await accepted(receive, send)
    code, _, reason = scope["query_string"].decode().partition("&")
    try:
        await send(close(code=int(code), reason=reason))
    except Exception:
        note("refused")
    await send(close(code=1000))


async def closes_without_reason(scope, receive, send):
    await accepted(receive, send)
    await send(close(code=1000, reason=None))
    await received(receive)


async def closes_twice(scope, receive, send):
    await accepted(receive, send)
    await send(close(code=4000))
    await attempt(send(close(code=4001)))
    await attempt(send(text("late")))
    await attempt(send({"type": "websocket.nonsense"}))
    await received(receive)


async def after_disconnect(scope, receive, send):
    await accepted(receive, send)
    while (await received(receive))["type"] != "websocket.disconnect":
        pass
    await attempt(send(text("late")))
    await attempt(send({"type": "websocket.nonsense"}))
    await attempt(send({"type": "websocket.send"}))
    await attempt(send(close()))
    await received(receive)
    await asyncio.sleep(0.01)
    await attempt(send(text("later")))
    await attempt(send(close()))
    await attempt(send({"type": "websocket.nonsense"}))


async def after_loss(scope, receive, send):
    """In uvicorn a second receive() would wait for ever."""
    await accepted(receive, send)
    await received(receive)
    await attempt(send(text("late")))
    await attempt(send(close()))
    await attempt(send({"type": "websocket.nonsense"}))


async def lets_it_pass(scope, receive, send):
    await accepted(receive, send)
    while (await received(receive))["type"] != "websocket.disconnect":
        pass
    await send(text("to nobody"))


async def sends_first(scope, receive, send):
    await attempt(send(text("first")))
    await attempt(send(body()))
    await attempt(send({"type": "http.response.start", "status": 200}))
    await send(accept())
    await attempt(send(accept()))
    await attempt(send(start()))
    await send(close())


async def sends_oddly(scope, receive, send):
    await accepted(receive, send)
    await attempt(send({"type": "websocket.send"}))
    await attempt(send({"type": "websocket.send", "text": None, "bytes": None}))
    await attempt(send({"type": "websocket.send", "text": "both", "bytes": b"win"}))
    await attempt(send({"type": "websocket.send", "text": "", "bytes": None}))
    await attempt(send({"type": "websocket.send", "bytes": b""}))
    await attempt(send({"type": "websocket.send", "bytes": bytearray(b"array")}))
    await attempt(send({"type": "websocket.send", "bytes": memoryview(b"view")}))
    await attempt(send({"type": "websocket.send", "text": "\ud800"}))
    await attempt(send({"type": "websocket.send", "text": "\N{SNOWMAN}\x00\U0001f600"}))
    await attempt(send({}))
    await send(close())


async def sends_much(scope, receive, send):
    await accepted(receive, send)
    for size in (125, 126, 65535, 65536, 3_000_000):
        await send(text("x" * size))
    for number in range(300):
        await send(text(f"message {number}"))
    await send(close())


async def sends_on_connect(scope, receive, send):
    await send(accept())
    await send(text("hello"))
    await received(receive)
    await received(receive)
    await send(close(code=3000, reason="enough"))


async def accepts_late(scope, receive, send):
    await received(receive)
    await asyncio.sleep(0.05)
    await send(accept())
    await received(receive)
    await received(receive)
    await received(receive)


async def waits_for_disconnect(scope, receive, send):
    await received(receive)
    await received(receive)
    await attempt(send(accept()))


async def many_at_once(scope, receive, send):
    """Everything has come before it begins to receive."""
    await accepted(receive, send)
    await asyncio.sleep(0.1)
    while (await received(receive))["type"] != "websocket.disconnect":
        pass


async def receives_as_task(scope, receive, send):
    await accepted(receive, send)
    while True:
        message = await asyncio.create_task(receive())
        note(summary(message))
        if message["type"] == "websocket.disconnect":
            return
        await asyncio.create_task(send({**message, "type": "websocket.send"}))


async def gives_up_receiving(scope, receive, send):
    """A receive() that is cancelled takes nothing with it."""
    await accepted(receive, send)
    for _ in range(3):
        try:
            await asyncio.wait_for(receive(), 0.01)
        except TimeoutError:
            note("timeout")
    await send(text("go on"))
    task = asyncio.create_task(receive())
    task.cancel()
    for _ in range(2):
        await received(receive)
    await send(close())


async def ends_open(scope, receive, send):
    await accepted(receive, send)
    if scope["query_string"]:
        raise Ends("open")


async def two_receive(scope, receive, send):
    await accepted(receive, send)

    async def one():
        return (await receive())["text"]

    both = asyncio.gather(one(), one())
    await asyncio.sleep(0)
    await send(text("go on"))
    note(sorted(await both))
    await send(close())


async def context(scope, receive, send):
    note(mark.get())
    mark.set("of this one")
    await accepted(receive, send)
    task = asyncio.current_task()
    for _ in range(3):
        await receive()
        note([mark.get(), asyncio.current_task() is task, task in asyncio.all_tasks()])
        async with asyncio.timeout(5):
            await asyncio.sleep(0)
        note(asyncio.current_task() is task)
    await send(close())


async def timeout(scope, receive, send):
    await accepted(receive, send)
    try:
        async with asyncio.timeout(0.02):
            while True:
                await received(receive)
    except TimeoutError:
        await send(text("timeout"))
    await received(receive)
    await send(close())


async def cancels_itself(scope, receive, send):
    await accepted(receive, send)
    await received(receive)
    asyncio.current_task().cancel()
    await attempt(receive())
    asyncio.current_task().uncancel()
    await received(receive)
    await send(close())


PATHS = {
    f"/{name.replace('_', '-')}": function
    for name, function in list(globals().items())
    if asyncio.iscoroutinefunction(function)
    and function.__code__.co_varnames[:3] == ("scope", "receive", "send")
}


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["made"] = "in lifespan"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return None
    if scope["type"] == "http":
        noted = json.dumps(notes).encode()
        if scope["path"] == "/notes" and notes and notes[-1] == "end":
            notes.clear()
        return await answer(send, noted)
    try:
        return await PATHS[scope["path"].removeprefix("/root")](scope, receive, send)
    except BaseException as error:
        note(f"ends with {type(error).__name__}")
        raise
    finally:
        note("end")
