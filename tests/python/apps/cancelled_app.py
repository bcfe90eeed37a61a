"""Gives up receive() and send(), as asyncio.wait_for() does."""

SIZE = 8 << 20


async def app(scope, receive, send):
    import asyncio
    import gc

    if scope["type"] != "http":
        return

    async def respond(body):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    if scope["path"] == "/wrong":
        found = []
        for how in (send, lambda message: asyncio.create_task(send(message))):
            called = how({"type": "http.nonsense"})
            found.append("called")
            try:
                await called
            except Exception as error:
                found.append(repr(error))
        await respond(repr(found).encode())
    elif scope["path"] == "/receive":
        # Nothing comes: each call is given up, and must not be kept until something does.
        await receive()
        for _ in range(300):
            try:
                await asyncio.wait_for(receive(), 0.0005)
            except TimeoutError:
                pass
        gc.collect()
        futures = sum(type(o).__name__ == "Future" for o in gc.get_objects())
        await respond(b"%d" % (futures < 100))
    elif scope["path"] == "/send":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        gave_up = sent = 0
        while sent < SIZE >> 20:  # what was given up was not sent, and is sent again
            message = {"type": "http.response.body", "body": bytes(1 << 20), "more_body": True}
            try:
                await asyncio.wait_for(send(message), 0.01)
                sent += 1
            except TimeoutError:
                gave_up += 1
                print("gave up", flush=True)
        await send({"type": "http.response.body", "body": b"%d" % (gave_up > 0)})
