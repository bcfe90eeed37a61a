"""Applications that use what a scope may offer beyond uvicorn's."""

import os
import pathlib

FILES = pathlib.Path(os.environ.get("EXTENSION_FILES", "."))
LENGTH = (b"content-length", b"%d")


async def start(send, *headers, status=200, **more):
    await send({"type": "http.response.start", "status": status, "headers": headers, **more})


async def offered(scope, receive, send):
    told = repr(scope.get("extensions")).encode()
    await start(send, (b"content-length", b"%d" % len(told)))
    await send({"type": "http.response.body", "body": told})


async def path(scope, receive, send):
    target = FILES / scope["query_string"].decode()
    length = target.stat().st_size if target.is_file() else 5
    await start(send, (b"content-length", b"%d" % length))
    await send({"type": "http.response.pathsend", "path": str(target)})
    print("sent", target.name, flush=True)


async def path_chunked(scope, receive, send):
    await start(send)
    await send({"type": "http.response.pathsend", "path": FILES / "large"})


async def path_of_wrong_length(scope, receive, send):
    await start(send, (b"content-length", b"%d" % (int(scope["query_string"]))))
    try:
        await send({"type": "http.response.pathsend", "path": str(FILES / "large")})
    except RuntimeError as error:
        print("refused:", error, flush=True)


async def path_twice(scope, receive, send):
    await start(send, (b"content-length", b"5"))
    await send({"type": "http.response.pathsend", "path": str(FILES / "small")})
    await send({"type": "http.response.pathsend", "path": str(FILES / "small")})


async def zero_copy(scope, receive, send):
    """Parts of a file between pieces of bytes."""
    await start(send)
    with open(FILES / "large", "rb") as file:
        for offset in (0, 500_000):
            message = {"type": "http.response.zerocopysend", "file": file, "more_body": True}
            await send({**message, "offset": offset, "count": 1000})
        await send({"type": "http.response.body", "body": b"between", "more_body": True})
        file.seek(999_990)
        await send({"type": "http.response.zerocopysend", "file": file})


async def zero_copy_wrong(scope, receive, send):
    told = []
    await start(send)
    for message in ({}, {"file": "name"}, {"file": 1, "offset": -1}, {"file": 1, "count": "x"}):
        try:
            await send({"type": "http.response.zerocopysend", **message})
        except Exception as error:
            told.append(type(error).__name__)
    await send({"type": "http.response.body", "body": repr(told).encode()})


async def with_trailers(scope, receive, send):
    await start(send, (b"trailer", b"x-sum"), trailers=True)
    await send({"type": "http.response.body", "body": b"body"})
    message = {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]}
    await send({**message, "more_trailers": True})
    await send({**message, "headers": [(b"X-Other", b"2")]})


async def without_trailers(scope, receive, send):
    """Announced, and never sent."""
    await start(send, trailers=True)
    await send({"type": "http.response.body", "body": b"body"})


async def body_behind_body(scope, receive, send):
    await start(send, trailers=True)
    await send({"type": "http.response.body", "body": b"body"})
    await send({"type": "http.response.body", "body": b"more"})


async def hints(scope, receive, send):
    await send({"type": "http.response.early_hint", "links": [b"</a>; rel=preload", b"</b>"]})
    await send({"type": "http.response.early_hint", "links": iter([b"</c>"])})
    await start(send, (b"content-length", b"0"))
    await send({"type": "http.response.body"})


async def hints_too_late(scope, receive, send):
    await start(send, (b"content-length", b"0"))
    await send({"type": "http.response.early_hint", "links": [b"</a>"]})


async def app(scope, receive, send):
    if scope["type"] == "http":
        await globals()[scope["path"][1:].replace("-", "_")](scope, receive, send)
