"""FastAPI applications behind middleware of all kinds: each attribute of this module that is
named in STACKS is one, with the same routes."""

import contextvars
import functools
import importlib.metadata
import inspect
from typing import Annotated, Any

from fastapi import BackgroundTasks, Cookie, Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from pydantic import BaseModel
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.httpsredirect import HTTPSRedirectMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


class Known(Exception):
    pass


class Item(BaseModel):
    name: str
    price: float = 1.0


async def tree(q: int = 0, x_token: Annotated[str | None, Header()] = None):
    yield f"{q} {x_token}"
    print("exit", VARIABLE.get(), flush=True)


async def said(found: str) -> None:
    print("task", found, flush=True)


def routes(app: FastAPI) -> FastAPI:
    @app.exception_handler(Known)
    async def known(request: Request, exc: Exception) -> Response:
        return JSONResponse({"known": request.url.path, "params": request.path_params}, 411)

    @app.get("/")
    async def root():
        return {"message": "Hello, World!"}

    @app.get("/items/{i}")
    async def item(i: int, q: str | None = None, a: Annotated[str | None, Cookie()] = None):
        return {"i": i, "q": q, "a": a}

    @app.get("/header")
    async def header(x_token: Annotated[str, Header()]):
        return x_token

    @app.get("/variable")
    async def variable(request: Request):
        state = getattr(request.state, "set", None)
        return [VARIABLE.get(), state, sorted(request.scope.keys() - {"extensions"}), request.url.path]

    @app.post("/items")
    async def create(item: Item):
        return item

    @app.post("/raw/{n}")
    async def raw(request: Request, n: int):
        return [n, (await request.body()).decode()]

    @app.get("/large/{n}")
    async def large(n: int):
        return ["large é"] * n

    @app.get("/model", response_model=Item)
    async def model(bad: bool = False):
        return {"name": 1} if bad else {"name": "a"}

    @app.get("/dependency")
    async def dependency(found: Annotated[str, Depends(tree)], tasks: BackgroundTasks, response: Response):
        tasks.add_task(said, found)
        response.headers["x-found"] = found
        response.headers["vary"] = "x-found"
        return found

    @app.get("/sync/{i}")
    def sync(i: int):
        return {"i": i, "variable": VARIABLE.get()}

    @app.get("/fails/{how}")
    async def fails(how: str, found: Annotated[str, Depends(tree)]):
        if how == "http":
            raise HTTPException(418, "no", {"x-why": "tea"})
        raise {"known": Known, "other": ValueError}[how](how)

    @app.get("/plain/{how}")
    async def plain(how: str):
        if how == "known":
            raise Known(how)
        if how == "other":
            raise ValueError(how)
        return PlainTextResponse("x" * 2000, 203, {"vary": "*"})

    @app.get("/stream")
    async def stream():
        async def parts():
            for i in range(3):
                yield f"part {i}" * 200

        return StreamingResponse(parts(), media_type="text/plain")

    @app.get("/probe")
    async def probe():
        return PlainTextResponse("the probe")

    return app


class Pure:
    """Adds a header, sets state and a context variable, and tells what it sees."""

    def __init__(self, app: Any, name: str = "pure") -> None:
        self.inner, self.name, self.count = app, name, 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] == "/probe":  # of wire.py
            await self.inner(scope, receive, send)
            return
        self.count += 1
        VARIABLE.set(VARIABLE.get() + " " + self.name)
        scope["state"]["set"] = self.name

        async def counted(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-count", b"yes" if self.count else b"no"))
                print(self.name, message["status"], flush=True)
            await send(message)

        try:
            await self.inner(scope, receive, counted)
        except Exception as error:
            print(self.name, "sees", repr(error), flush=True)
            raise
        finally:
            print(self.name, sorted(scope.keys() - {"extensions"}), scope.get("path_params"), flush=True)


def closure(app: Any) -> Any:
    async def changing(scope: Any, receive: Any, send: Any) -> None:
        """Changes what the request asks for, as its header X-Change says."""
        how = dict(scope.get("headers", ())).get(b"x-change", b"").decode("latin-1")
        if scope["type"] != "http" or not how:
            await app(scope, receive, send)
        elif how == "path":
            await app({**scope, "path": "/items/77"}, receive, send)
        elif how == "odd-path":
            await app({**scope, "path": "/items/\udc80"}, receive, send)
        elif how == "query":
            await app({**scope, "query_string": b"q=changed&q=%C3%A9+x"}, receive, send)
        elif how == "odd-query":
            await app({**scope, "query_string": "q=text"}, receive, send)
        elif how == "raw-query":
            await app({**scope, "query_string": b"q=\xc3\xa9"}, receive, send)
        elif how == "method":
            scope["method"] = "POST" if scope["method"] == "GET" else "GET"
            await app(scope, receive, send)
        elif how == "odd-method":
            await app({**scope, "method": "BREW"}, receive, send)
        elif how == "headers":
            scope["headers"] += [(b"x-token", b"added \xe9"), (b"cookie", b"a=added")]
            await app(scope, receive, send)
        elif how == "upper":
            scope["headers"] = [[b"X-Token", b"upper"], *scope["headers"]]
            await app(scope, receive, send)
        elif how == "tuple":
            scope["headers"] = tuple(scope["headers"])
            await app(scope, receive, send)
        elif how == "root":
            await app({**scope, "root_path": "/root", "path": "/root" + scope["path"]}, receive, send)
        elif how == "answers":
            await PlainTextResponse("answered by middleware", 402)(scope, receive, send)
        elif how == "before":
            raise ValueError("before")
        elif how == "known-before":
            raise Known("before")
        elif how == "after":
            await app(scope, receive, send)
            raise ValueError("after")
        elif how == "reads":
            messages = [await receive()]
            while messages[-1].get("more_body"):
                messages.append(await receive())
            print([(m["type"], len(m["body"])) for m in messages], flush=True)

            async def again() -> Any:
                return messages.pop(0) if messages else await receive()

            await app(scope, again, send)
        elif how == "eats":
            await receive()
            await app(scope, receive, send)
        elif how == "disconnects":

            async def gone() -> Any:
                return {"type": "http.disconnect"}

            await app(scope, gone, send)
        elif how in ("refuses", "breaks"):

            async def raises() -> Any:
                raise HTTPException(413, "refused") if how == "refuses" else ValueError(how)

            await app(scope, raises, send)
        elif how == "pieces":
            message = await receive()
            parts = [message["body"][i : i + 5] for i in range(0, len(message["body"]), 5)]

            async def piecewise() -> Any:
                part = parts.pop(0) if parts else b""
                return {"type": "http.request", "body": part, "more_body": bool(parts)}

            await app(scope, piecewise, send)
        elif how == "swallows":
            try:
                await app(scope, receive, send)
            except Exception as error:
                await PlainTextResponse(repr(error), 500)(scope, receive, send)

    return changing


async def dispatch(request: Request, call_next: Any) -> Response:
    VARIABLE.set("dispatch")
    request.state.set = "by dispatch"
    if request.headers.get("x-change") == "reads":
        print(len(await request.body()), flush=True)
    response = await call_next(request)
    response.headers["x-dispatch"] = str(request.scope.get("path_params"))
    return response


class Base(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Any) -> Response:
        if request.headers.get("x-change") == "answers":
            return PlainTextResponse("no", 403)
        if request.headers.get("x-change") == "swallows":
            try:
                return await call_next(request)
            except ValueError as error:
                return PlainTextResponse(repr(error), 500)
        return await call_next(request)


def make(*stack: Any, **options: Any) -> FastAPI:
    """`stack` from the outermost to the innermost."""
    app = FastAPI(**options)
    for middleware in reversed(stack):
        if isinstance(middleware, tuple):
            app.add_middleware(middleware[0], **middleware[1])
        else:
            app.add_middleware(middleware)
    return routes(app)


CORS = (CORSMiddleware, {"allow_origins": ["https://a.example"], "allow_credentials": True})
CORS_ALL = (CORSMiddleware, {"allow_origins": ["*"], "expose_headers": ["x-count", "x-found"]})
CORS_ANY = (CORSMiddleware, {"allow_origins": ["*"], "allow_credentials": True})
CORS_REGEX = (CORSMiddleware, {"allow_origin_regex": r"https://.*\.example", "allow_methods": ["*"]})
GZIP = (GZipMiddleware, {"minimum_size": 300})
GZIP_FAST = (GZipMiddleware, {"minimum_size": 0, "compresslevel": 1, "thread_minimum_size": 5000})
HOSTS = (TrustedHostMiddleware, {"allowed_hosts": ["test", "*.example", "www.away"]})
SESSION = (SessionMiddleware, {"secret_key": "s"})

pure = make(Pure)
changing = make(closure)
dispatched = make()
dispatched.middleware("http")(dispatch)
based = make(Base, Pure)
pure_changing = make(Pure, closure)
changing_pure = make(closure, functools.partial(Pure, name="inner"))
session = make(SESSION, GZIP, Pure)
cors = make(CORS)
cors_all = make(CORS_ALL)
cors_any_gzip = make(CORS_ANY, GZIP)
gzip_cors = make(GZIP, CORS)
hosts_gzip_cors = make(HOSTS, GZIP_FAST, CORS_REGEX)
cors_hosts_gzip = make(CORS_ALL, HOSTS, GZIP)
https = make(HTTPSRedirectMiddleware, CORS)
LIMITED: tuple[str, ...] = ()
if "max_body_size" in inspect.signature(FastAPI).parameters:  # since 0.164
    limited = make(max_body_size=20)
    limited_cors = make(CORS_ALL, Pure, max_body_size=20)
    LIMITED = ("limited", "limited_cors")

STACKS = (
    *("pure", "changing", "dispatched", "based", "pure_changing", "changing_pure", "session"),
    *("cors", "cors_all", "cors_any_gzip", "gzip_cors", "hosts_gzip_cors", "cors_hosts_gzip"),
    *("https", *LIMITED),
)
# Those of which the core does all that there is to do around a plain answer.
KNOWN = tuple(
    name
    for name in STACKS
    if name.startswith(("cors", "gzip", "hosts", "https"))
    and ("hosts" not in name or importlib.metadata.version("starlette") not in ("1.7.0", "1.8.0"))
)
CHANGES = (
    *("path", "odd-path", "query", "odd-query", "raw-query", "method", "odd-method", "headers"),
    *("upper", "tuple", "root", "answers", "before", "known-before", "after", "reads", "eats"),
    *("disconnects", "refuses", "breaks", "pieces", "swallows"),
)
