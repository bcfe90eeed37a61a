"""ASGI without a framework: what the server itself costs."""

PIECE = b"x" * 1024
LARGE_PIECE = b"y" * 65536
JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain")
BYTES = (b"content-type", b"application/octet-stream")


async def answer(send, body, kind):
    fields = [kind, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def hello(scope, receive, send):
    await answer(send, b'{"message":"Hello, World!"}', JSON)


async def count(scope, receive, send):
    """How many bytes the body has. None of it is kept."""
    n, more = 0, True
    while more:
        message = await receive()
        n += len(message.get("body", b""))
        more = message.get("more_body", False)
    await answer(send, b"%d" % n, TEXT)


async def stream(scope, receive, send):
    """Sixteen pieces of 1 KiB, of which the server is not told how many there are."""
    await send({"type": "http.response.start", "status": 200, "headers": [BYTES]})
    for _ in range(16):
        await send({"type": "http.response.body", "body": PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def asked_bytes(scope):
    return int(scope["query_string"] or 0)


async def download(scope, receive, send):
    """As many bytes as the query says, in pieces of 64 KiB."""
    left = asked_bytes(scope)
    fields = [BYTES, (b"content-length", b"%d" % left)]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    while left > len(LARGE_PIECE):
        await send({"type": "http.response.body", "body": LARGE_PIECE, "more_body": True})
        left -= len(LARGE_PIECE)
    await send({"type": "http.response.body", "body": LARGE_PIECE[:left]})


async def not_found(scope, receive, send):
    await send({"type": "http.response.start", "status": 404, "headers": [TEXT]})
    await send({"type": "http.response.body", "body": b"no such path"})


async def echo(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") is not None:
            await send({"type": "websocket.send", "text": message["text"]})
        else:
            await send({"type": "websocket.send", "bytes": message["bytes"]})


async def lifespan(scope, receive, send):
    while (await receive())["type"] == "lifespan.startup":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})


PATHS = {
    "/": hello,
    "/count": count,
    "/stream": stream,
    "/download": download,
}


async def app(scope, receive, send):
    if scope["type"] == "http":
        await PATHS.get(scope["path"], not_found)(scope, receive, send)
    else:
        await {"websocket": echo, "lifespan": lifespan}[scope["type"]](scope, receive, send)
