"""Starlette: routing, mounts, files, sessions and its middleware, each under a path."""

import asyncio
import contextlib
import pathlib
import sys

import itsdangerous
from starlette.applications import Starlette
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.httpsredirect import HTTPSRedirectMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Host, Mount, Route
from starlette.staticfiles import StaticFiles

HERE = pathlib.Path(__file__).resolve().parent

# The cookie of a session tells the time; both servers have to tell the same.
itsdangerous.TimestampSigner.get_timestamp = lambda self: 1_700_000_000


def tell(text: str) -> None:
    """In one write, as other threads write too."""
    sys.stdout.write(text)
    sys.stdout.flush()


async def probe(request):
    return PlainTextResponse("the probe")


async def seen(request):
    """What Starlette makes of the request."""
    return JSONResponse(
        {
            "url": str(request.url).replace(str(request.url.port), "PORT"),
            "base": str(request.base_url).replace(str(request.url.port), "PORT"),
            "path": request.path_params,
            "query": request.query_params.multi_items(),
            "headers": request.headers.items(),
            "cookies": request.cookies,
            "root_path": request.scope.get("root_path"),
            "state": request.state._state if hasattr(request.state, "_state") else None,
        }
    )


def threaded(request):
    return PlainTextResponse(f"thread {request.query_params.get('a')}")


async def body(request):
    return JSONResponse({"length": len(await request.body())})


async def pieces(request):
    total = 0
    async for piece in request.stream():
        total += len(piece)
    return PlainTextResponse(str(total))


async def form(request):
    async with request.form() as found:
        told = []
        for name, value in found.multi_items():
            if isinstance(value, str):
                told.append([name, value])
            else:
                told.append([name, value.filename, value.content_type, len(await value.read())])
    return JSONResponse(told)


async def stream(request):
    async def numbers():
        for number in range(30):
            yield f"{number}\n"
            await asyncio.sleep(0)

    return StreamingResponse(numbers(), media_type="text/plain")


async def stream_in_thread(request):
    return StreamingResponse((b"x" * 1000 for _ in range(10)), media_type="text/plain")


async def stream_fails(request):
    async def numbers():
        yield "one"
        raise RuntimeError("in the stream")

    return StreamingResponse(numbers())


async def background(request):
    tasks = BackgroundTasks()
    tasks.add_task(tell, "background in a thread\n")
    tasks.add_task(asyncio.sleep, 0)
    return PlainTextResponse("sent first", background=tasks)


async def background_fails(request):
    async def later():
        raise ValueError("in the background")

    return PlainTextResponse("sent first", background=BackgroundTask(later))


async def cookies(request):
    response = PlainTextResponse("cookies")
    response.set_cookie("a", "1", max_age=60, httponly=True, samesite="strict")
    response.set_cookie("b", 'quoted "value"; with, odd')
    return response


async def session(request):
    request.session["count"] = request.session.get("count", 0) + 1
    return JSONResponse(dict(request.session))


async def forget(request):
    request.session.clear()
    return PlainTextResponse("forgotten")


async def file(request):
    return FileResponse(HERE / "apps.py", filename="größe.py")


async def empty(request):
    return Response(status_code=204)


async def redirect(request):
    return RedirectResponse(request.url_for("item", number=7).path)


async def fails(request):
    raise RuntimeError("in an endpoint")


async def not_allowed(request):
    raise HTTPException(403, "not you", {"x-why": "test"})


class Known(Exception):
    pass


async def known(request):
    raise Known("handled")


async def handles_known(request, error):
    return PlainTextResponse(f"known: {error}", 418)


class Adds(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        response = await call_next(request)
        response.headers["x-adds"] = request.method
        return response


class Reads(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        read = await request.body()
        response = await call_next(request)
        response.headers["x-read"] = str(len(read))
        return response


ENDPOINTS = [
    Route("/probe", probe),
    Route("/seen", seen, methods=["GET", "PUT", "DELETE"]),
    Route("/items/{number:int}", seen, name="item"),
    Route("/paths/{rest:path}", seen),
    Route("/slash/", seen),
    Route("/threaded", threaded),
    Route("/body", body, methods=["POST"]),
    Route("/pieces", pieces, methods=["POST"]),
    Route("/form", form, methods=["POST"]),
    Route("/stream", stream),
    Route("/stream-in-thread", stream_in_thread),
    Route("/background", background),
    Route("/cookies", cookies),
    Route("/file", file),
    Route("/empty", empty),
    Route("/redirect", redirect),
    Route("/not-allowed", not_allowed),
    Route("/known", known),
]
FAILING = [
    Route("/fails", fails),
    Route("/stream/fails", stream_fails),
    Route("/background/fails", background_fails),
]


def under(path, *middleware, routes=ENDPOINTS):
    return Mount(path, routes=list(routes), middleware=list(middleware))


@contextlib.asynccontextmanager
async def lifespan(app):
    print("starts", flush=True)
    yield {"shared": "from lifespan"}
    print("ends", flush=True)


app = Starlette(
    routes=[
        *FAILING,
        under("/adds", Middleware(Adds), routes=[*ENDPOINTS, *FAILING]),
        under("/reads", Middleware(Reads)),
        under("/gzip", Middleware(GZipMiddleware, minimum_size=100)),
        under(
            "/cors",
            Middleware(CORSMiddleware, allow_origins=["https://a.test"], allow_methods=["PUT"]),
        ),
        under("/hosts", Middleware(TrustedHostMiddleware, allowed_hosts=["test", "*.good.test"])),
        under("/https", Middleware(HTTPSRedirectMiddleware)),
        Mount(
            "/session",
            routes=[Route("/", session), Route("/forget", forget)],
            middleware=[Middleware(SessionMiddleware, secret_key="secret", max_age=None)],
        ),
        Mount("/static", StaticFiles(directory=HERE)),
        Host("other.test", app=Starlette(routes=[Route("/where", seen)])),
        *ENDPOINTS,
    ],
    exception_handlers={Known: handles_known},
    lifespan=lifespan,
)
