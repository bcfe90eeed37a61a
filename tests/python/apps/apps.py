"""Applications that both servers serve. `app` is plain ASGI: one function a path."""

import asyncio
import contextvars
import http
import json
import urllib.parse

mark = contextvars.ContextVar("mark", default="unset")
TEXT = [(b"content-type", b"text/plain")]


def printable(value):
    """JSON that tells bytes, tuples and strings apart."""
    if isinstance(value, dict):
        return {key: printable(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return ["list", *map(printable, value)]
    if isinstance(value, tuple):
        return ["tuple", *map(printable, value)]
    return f"{type(value).__name__} {value!r}"


async def answer(send, body=b"", status=200, headers=TEXT, length=True):
    extra = [(b"content-length", str(len(body)).encode())] if length else []
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *extra]})
    await send({"type": "http.response.body", "body": body})


async def read_body(receive):
    body, last = b"", {"more_body": True}
    while last.get("more_body"):
        last = await receive()
        if last["type"] != "http.request":
            return body, last["type"]
        body += last["body"]
    return body, sorted(last)


def telling(scope):
    """Every key of the scope. Ports differ, their types must not."""
    told = dict(scope)
    client, server = told.pop("client"), told.pop("server")
    told["client"] = (client[0], type(client[1])) if client else client
    told["server"] = (server[0], type(server[1])) if server else server
    return printable(told)


async def scope(scope, receive, send):
    await answer(send, json.dumps(telling(scope)).encode())


async def told(scope, receive, send):
    """What any other path answers: scope and body; of messages the sum, as their number is
    a matter of when bytes come."""
    body, last = await read_body(receive)
    text = json.dumps([telling(scope), body.decode("latin-1"), last]).encode()
    await answer(send, text, headers=[*TEXT, (b"x-method", scope["method"].encode())])


async def probe(scope, receive, send):
    await answer(send, b"the probe")


async def respond(scope, receive, send):
    """Does what the query says: [[what, ...], ...] in JSON."""
    for what, *rest in json.loads(urllib.parse.unquote(scope["query_string"].decode())):
        if what == "start":
            status, headers = rest
            pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
            await send({"type": "http.response.start", "status": status, "headers": pairs})
        elif what == "body":
            size, more = rest
            await send({"type": "http.response.body", "body": b"z" * size, "more_body": more})
        elif what == "sleep":
            await asyncio.sleep(rest[0])
        elif what == "receive":
            await receive()
        else:
            raise ValueError(what)


async def traced(scope, receive, send):
    """Answers, and tells on standard output how the request ended."""
    name = scope["query_string"].decode()
    body, last = await read_body(receive)
    await send({"type": "http.response.start", "status": 200, "headers": TEXT})
    await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    if last != "http.disconnect":
        last = (await receive())["type"]
    await send({"type": "http.response.body", "body": b"ended"})
    print("traced", name, last, flush=True)


async def traced_stream(scope, receive, send):
    """Sends on for as long as it is let."""
    name = scope["query_string"].decode()
    await send({"type": "http.response.start", "status": 200, "headers": TEXT})
    for _ in range(40):
        await send({"type": "http.response.body", "body": b"s" * 30_000, "more_body": True})
    await send({"type": "http.response.body", "body": b"ended"})
    print("traced", name, (await receive())["type"], flush=True)


async def echo(scope, receive, send):
    body, last = await read_body(receive)
    await answer(send, json.dumps([body.decode("latin-1"), last]).encode())


async def count(scope, receive, send):
    total, message = 0, {"more_body": True}
    while message.get("more_body"):
        message = await receive()
        total += len(message.get("body", b""))
    await answer(send, b"%d" % total)


async def unread(scope, receive, send):
    await answer(send, b"not read")


async def one_message(scope, receive, send):
    message = await receive()
    await answer(send, repr(sorted(message)).encode())


async def stream(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": TEXT})
    for piece in range(5):
        await send({"type": "http.response.body", "body": b"%d" % piece * 10, "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body"})


async def stream_with_length(scope, receive, send):
    headers = [(b"content-length", b"50")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for piece in range(5):
        await send({"type": "http.response.body", "body": b"%d" % piece * 10, "more_body": True})
        await asyncio.sleep(0.001)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def large(scope, receive, send):
    await answer(send, b"x" * 3_000_000)


async def large_stream(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": TEXT})
    for _ in range(64):
        await send({"type": "http.response.body", "body": b"y" * 65536, "more_body": True})
    await send({"type": "http.response.body"})


async def empty_pieces(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": TEXT})
    for body in (b"", b"a", b"", b"b"):
        await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def bytes_like(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": TEXT})
    await send({"type": "http.response.body", "body": bytearray(b"array"), "more_body": True})
    await send({"type": "http.response.body", "body": memoryview(b"view")})


async def no_headers(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"none"})


async def lists_as_headers(scope, receive, send):
    await answer(send, b"lists", headers=[[b"x-one", b"1"], [b"X-Two", b"2"], (b"x-one", b"again")])


async def generated_headers(scope, receive, send):
    headers = ((b"x-%d" % i, b"%d" % i) for i in range(40))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"generated"})


async def chunked_itself(scope, receive, send):
    headers = [(b"transfer-encoding", b"chunked")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"chunk", "more_body": True})
    await send({"type": "http.response.body", "body": b"last"})


async def closes(scope, receive, send):
    await answer(send, b"bye", headers=[(b"connection", b"close")])


async def status(scope, receive, send):
    code = int(scope["query_string"])
    bodiless = code in (204, 304)
    await answer(send, b"" if bodiless else b"status", status=code, length=not bodiless)


async def raises_at_once(scope, receive, send):
    raise ValueError("at once")


async def raises_later(scope, receive, send):
    await asyncio.sleep(0.001)
    raise ValueError("later")


async def raises_after_start(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": TEXT})
    raise ValueError("after the start")


async def raises_in_body(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": TEXT})
    await send({"type": "http.response.body", "body": b"part", "more_body": True})
    await asyncio.sleep(0.001)
    raise ValueError("in the body")


async def raises_after_end(scope, receive, send):
    await answer(send, b"whole")
    raise ValueError("after the end")


async def raises_base(scope, receive, send):
    raise BaseException("no Exception")


async def raises_system_exit(scope, receive, send):
    raise SystemExit(7)


async def raises_system_exit_later(scope, receive, send):
    await asyncio.sleep(0.001)
    raise SystemExit(7)


async def raises_keyboard_interrupt(scope, receive, send):
    raise KeyboardInterrupt


async def status_of_enum(scope, receive, send):
    await answer(send, b"enum", status=http.HTTPStatus.CREATED)


async def receives_at_once(scope, receive, send):
    """Two who wait for the same: the body has come, so neither waits."""
    both = await asyncio.gather(receive(), asyncio.wait_for(receive(), 0.01), return_exceptions=True)
    await answer(send, repr([type(each).__name__ for each in both]).encode())


async def outlives(scope, receive, send):
    """A task goes on when the request is over, and may say what nobody hears."""

    async def goes_on():
        await asyncio.sleep(0.005)
        try:
            await send({"type": "http.response.body", "body": b"late"})
        except RuntimeError as error:
            print("late:", error, flush=True)

    asyncio.get_running_loop().outliving = asyncio.create_task(goes_on())
    await answer(send, b"over")


async def bytearray_headers(scope, receive, send):
    await answer(send, b"odd", headers=[(bytearray(b"X-Odd"), bytearray(b"value"))])


async def raises_chained(scope, receive, send):
    try:
        {}["missing"]
    except KeyError as error:
        raise RuntimeError("chained") from error


async def raises_group(scope, receive, send):
    raise ExceptionGroup("both", [ValueError("one"), TypeError("two")])


def no_coroutine(scope, receive, send):
    raise ValueError("before there is a coroutine")


def returns_none_at_once(scope, receive, send):
    return None


async def never_starts(scope, receive, send):
    return None


async def never_ends(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": TEXT})


async def ends_early(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": TEXT})
    await send({"type": "http.response.body", "body": b"part", "more_body": True})


async def returns_value(scope, receive, send):
    await answer(send, b"and a value")
    return "a value"


async def returns_value_only(scope, receive, send):
    return {"a": "dict"}


async def body_first(scope, receive, send):
    await send({"type": "http.response.body", "body": b"first"})


async def starts_twice(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": TEXT})
    await send({"type": "http.response.start", "status": 200, "headers": TEXT})


async def ends_twice(scope, receive, send):
    await answer(send, b"once")
    await send({"type": "http.response.body", "body": b"twice"})


async def caught(scope, receive, send):
    """What send() raises reaches the application, and the answer can go on."""
    told = []
    for message in (
        {"type": "http.response.body"},
        {"type": "nonsense"},
        {"type": "websocket.accept"},
        {"status": 200},
    ):
        try:
            await send(message)
        except Exception as error:
            told.append(f"{type(error).__name__}: {error}")
    await answer(send, "\n".join(told).encode())


async def no_status(scope, receive, send):
    await send({"type": "http.response.start"})


async def bad_header_value(scope, receive, send):
    await answer(send, b"x", headers=[(b"x-bad", b"a\r\nset-cookie: b")])


async def bad_header_name(scope, receive, send):
    await answer(send, b"x", headers=[(b"x bad", b"value")])


async def too_long(scope, receive, send):
    headers = [(b"content-length", b"3")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"four"})


async def too_short(scope, receive, send):
    headers = [(b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"four"})


async def disconnected_after(scope, receive, send):
    await read_body(receive)
    await answer(send, b"done")
    print("then", await receive(), flush=True)


async def waits_for_disconnect(scope, receive, send):
    await read_body(receive)
    print("waited", await receive(), flush=True)
    await send({"type": "http.response.start", "status": 200, "headers": TEXT})
    await send({"type": "http.response.body", "body": b"nobody reads it"})
    print("sent into the void", flush=True)


async def context(scope, receive, send):
    """A request must not see what another one set."""
    before = mark.get()
    mark.set("set by a request")
    await asyncio.sleep(0)
    await answer(send, f"{before} {mark.get()}".encode())


async def context_at_once(scope, receive, send):
    before = mark.get()
    mark.set("set by a request")
    await answer(send, f"{before} {mark.get()}".encode())


async def task(scope, receive, send):
    first = asyncio.current_task()
    told = [isinstance(first, asyncio.Task), first in asyncio.all_tasks(), first.done()]
    await asyncio.sleep(0.001)
    told += [asyncio.current_task() is first, first.cancelling()]
    await answer(send, repr(told).encode())


async def timeout(scope, receive, send):
    told = []
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(30)
    except TimeoutError:
        told.append("timeout")
    try:
        await asyncio.wait_for(receive(), 5)
        await asyncio.wait_for(receive(), 0.01)
    except TimeoutError:
        told.append("wait_for")
    async with asyncio.timeout(5):
        await asyncio.sleep(0)
    await answer(send, repr(told).encode())


async def cancels_itself(scope, receive, send):
    asyncio.current_task().cancel("by itself")
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError as error:
        asyncio.current_task().uncancel()
        await answer(send, f"cancelled {error}".encode())


async def dies_of_cancellation(scope, receive, send):
    asyncio.current_task().cancel()
    await asyncio.sleep(0)


async def cancelled_by_other(scope, receive, send):
    loop = asyncio.get_running_loop()
    loop.call_later(0.005, asyncio.current_task().cancel, "by a timer")
    try:
        await loop.create_future()
    except asyncio.CancelledError as error:
        await answer(send, f"cancelled {error}".encode())


async def task_group(scope, receive, send):
    done = []

    async def child(number):
        await asyncio.sleep(0.001 * number)
        done.append((number, mark.get()))

    mark.set("parent")
    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(child(number))
    await answer(send, repr(done).encode())


async def task_group_fails(scope, receive, send):
    async def fails():
        raise ValueError("child")

    async with asyncio.TaskGroup() as group:
        group.create_task(fails())
        await asyncio.sleep(5)


async def receive_as_task(scope, receive, send):
    message = await asyncio.create_task(receive())
    await asyncio.create_task(send({"type": "http.response.start", "status": 200}))
    await asyncio.gather(send({"type": "http.response.body", "body": repr(message).encode()}))


async def gathered(scope, receive, send):
    told = await asyncio.gather(*(asyncio.sleep(0.001, n) for n in range(3)))
    await answer(send, repr(told).encode())


async def thread(scope, receive, send):
    told = await asyncio.to_thread(lambda: mark.get())
    await answer(send, told.encode())


async def state(scope, receive, send):
    """The state is copied for each request, its values are shared."""
    scope["state"]["list"].append(1)
    scope["state"]["own"] = scope["state"].get("own", 0) + 1
    await answer(send, repr((sorted(scope["state"]), scope["state"]["own"])).encode())


PATHS = {
    "/" + name.replace("_", "-"): function
    for name, function in list(globals().items())
    if getattr(function, "__module__", "") == __name__
    and function.__code__.co_varnames[:3] == ("scope", "receive", "send")
}


async def lifespan(scope, receive, send):
    scope["state"]["list"] = []
    while True:
        message = await receive()
        print(message["type"], sorted(scope), scope["asgi"], flush=True)
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


def app(scope, receive, send):
    """Not a coroutine function, so that what it calls need not be one either."""
    if scope["type"] == "lifespan":
        return lifespan(scope, receive, send)
    path = scope["path"].removeprefix(scope["root_path"])
    first = path.split("/")[1] if path.startswith("/") else ""  # not so in asterisk-form
    return PATHS.get("/" + first, told)(scope, receive, send)
