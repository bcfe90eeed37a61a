"""WebSockets of FastAPI and Starlette: dependencies, validation, exceptions."""

from typing import Annotated

from fastapi import Depends, FastAPI, Query, WebSocket, WebSocketDisconnect, WebSocketException
from starlette.endpoints import WebSocketEndpoint
from starlette.responses import PlainTextResponse

app = FastAPI()
seen = []


@app.get("/seen")
def get_seen() -> list[str]:
    return seen


async def who(websocket: WebSocket, token: Annotated[str | None, Query()] = None):
    if token is None:
        raise WebSocketException(code=1008, reason="no token")
    yield token
    seen.append(f"dependency of {token} ends")


Who = Annotated[str, Depends(who)]


@app.websocket("/items/{number}")
async def items(websocket: WebSocket, number: int, name: Who) -> None:
    await websocket.accept(subprotocol=next(iter(websocket.scope["subprotocols"]), None))
    try:
        while True:
            await websocket.send_json([number, name, await websocket.receive_text()])
    except WebSocketDisconnect as error:
        seen.append(f"{name} went with {error.code} {error.reason}")


@app.websocket("/raises")
async def raises(websocket: WebSocket) -> None:
    await websocket.accept()
    raise WebSocketException(code=4000, reason="after accept")


@app.websocket("/denies")
async def denies(websocket: WebSocket) -> None:
    await websocket.send_denial_response(PlainTextResponse("not you", status_code=401))


@app.websocket("/late")
async def late(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.receive_text()
    await websocket.close(3001, "enough")
    try:
        await websocket.send_text("late")
    except RuntimeError as error:
        seen.append(str(error))


@app.websocket_route("/endpoint")
class Endpoint(WebSocketEndpoint):
    encoding = "bytes"

    async def on_receive(self, websocket: WebSocket, data: bytes) -> None:
        await websocket.send_bytes(data[::-1])

    async def on_disconnect(self, websocket: WebSocket, close_code: int) -> None:
        seen.append(f"endpoint {close_code}")
