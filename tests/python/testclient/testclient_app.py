"""The application of the test client's tests: it tells what it is given, and does what a
test asks of it."""

import asyncio
import contextlib
import contextvars
import threading

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

who = contextvars.ContextVar("who", default="nobody")
# What other servers have as well, and Starlette's client has not.
SERVERS_OWN = {"asgi"}
happened: list[str] = []
finished = threading.Event()


def told(scope: dict) -> str:
    kept = {k: v for k, v in scope.items() if k not in SERVERS_OWN and not k.startswith("starlette.")}
    for name in ("app", "router", "endpoint", "route", "path_params"):
        kept.pop(name, None)
    kept["extensions"] = sorted(kept["extensions"])
    return repr(sorted(kept.items()))


async def scope(request: Request) -> Response:
    body = await request.body()
    return Response(f"{told(dict(request.scope))} {body!r}")


async def fails(request: Request) -> Response:
    raise LookupError("on purpose")


async def fails_late(request: Request) -> Response:
    async def body():
        yield b"begun"
        raise LookupError("too late")

    return StreamingResponse(body())


async def context(request: Request) -> Response:
    return Response(who.get())


async def task(request: Request) -> Response:
    mine = asyncio.current_task()
    await asyncio.sleep(0)
    return Response(repr(mine is asyncio.current_task()))


async def numbers(request: Request) -> Response:
    async def body():
        try:
            for number in range(int(request.query_params.get("n", "1000000"))):
                happened.append(str(number))
                yield f"{number};"
        finally:
            happened.append("ended")

    return StreamingResponse(body())


async def background(request: Request) -> Response:
    async def later() -> None:
        await asyncio.sleep(0.05)
        happened.append("background")

    return Response("done", background=BackgroundTask(later))


async def sleeps(request: Request) -> Response:
    async def body():
        yield b"one"
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            happened.append("cancelled")
            raise

    return StreamingResponse(body())


async def headers(request: Request) -> Response:
    response = Response(b"x", 201, media_type="text/x")
    response.raw_headers += [(b"X-Case", b"Kept"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    return response


async def echo(request: Request) -> Response:
    return Response(await request.body())


async def cookies(request: Request) -> Response:
    response = JSONResponse(request.cookies)
    response.set_cookie("seen", "yes")
    return response


async def redirect(request: Request) -> Response:
    await request.body()
    return RedirectResponse("/echo", 307)


async def state(request: Request) -> Response:
    return JSONResponse(dict(request.state._state))


async def empty(request: Request) -> Response:
    return Response(status_code=int(request.path_params["status"]))


@contextlib.asynccontextmanager
async def lifespan(app):
    happened.append("startup")
    yield {"from": "lifespan"}
    happened.append("shutdown")


async def pump(scope, receive, send) -> None:
    """Sends each piece of the body as it comes."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        await send({"type": "http.response.body", "body": message["body"], "more_body": more})


# ---- WebSockets ----


async def ws_echo(socket: WebSocket) -> None:
    await socket.accept(subprotocol=next(iter(socket.scope["subprotocols"]), None), headers=[(b"x-a", b"1")])
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            happened.append(f"{message['code']} {message.get('reason') or ''}".strip())
            return
        await socket.send({**message, "type": "websocket.send"})


async def ws_scope(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(told(dict(socket.scope)))
    await socket.close(4002, "told")


async def ws_refuses(socket: WebSocket) -> None:
    await socket.close(4003, "not you")


async def ws_denies(socket: WebSocket) -> None:
    await socket.send_denial_response(JSONResponse({"no": "entry"}, 418, {"x-why": "because"}))


async def ws_fails(socket: WebSocket) -> None:
    if "late" in socket.query_params:
        await socket.accept()
        await socket.receive_text()
    raise LookupError("on purpose")


async def ws_waits(socket: WebSocket) -> None:
    await socket.accept()
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        happened.append("cancelled")
        raise


HTTP = (scope, fails, fails_late, context, task, numbers, background, sleeps, headers, echo, cookies, redirect)
SOCKETS = (ws_echo, ws_scope, ws_refuses, ws_denies, ws_fails, ws_waits)
ANY = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"]
routes = [Route(f"/{handler.__name__}", handler, methods=ANY) for handler in HTTP]
routes += [Route("/state", state), Route("/empty/{status}", empty)]
routes += [Route("/scope/{rest:path}", scope, methods=ANY)]
routes += [WebSocketRoute(f"/{handler.__name__}", handler) for handler in SOCKETS]
app = Starlette(routes=routes, lifespan=lifespan)
