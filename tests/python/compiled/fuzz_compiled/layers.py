"""Middleware of generated applications: Starlette's, classes of their own, functions."""

from fuzz_compiled.values import Dice

# What is named in the source of applications.
PRELUDE = '''
from starlette.middleware.httpsredirect import HTTPSRedirectMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

class Layer:
    def __init__(self, app, word="layer"):
        self.app, self.word = app, word

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            await self.http(scope, receive, send)
        else:
            await self.app(scope, receive, send)

class Stamping(Layer):
    async def http(self, scope, receive, send):
        async def stamped(message):
            say(self.word, message["type"], message.get("status"), message.get("more_body", False))
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-stamp", self.word.encode())]
            await send(message)
        await self.app(scope, receive, stamped)

class Reading(Layer):
    async def http(self, scope, receive, send):
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())
        body = b"".join(message.get("body", b"") for message in messages)
        say(self.word, "read", len(body))
        async def again():
            if messages:
                messages.clear()
                return {"type": "http.request", "body": body, "more_body": False}
            return await receive()
        await self.app(scope, again, send)

class Catching(Layer):
    async def http(self, scope, receive, send):
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            say(self.word, "caught", repr(error))
            raise
        finally:
            say(self.word, "over", var.get())

class Waiting(Layer):
    async def http(self, scope, receive, send):
        await asyncio.sleep(0)
        var.set(self.word)
        await self.app(scope, receive, send)
        await asyncio.sleep(0)
        say(self.word, "waited", var.get(), sorted(scope))

class Changing(Layer):
    async def http(self, scope, receive, send):
        scope = dict(scope, state={"own": self.word})
        if scope["method"] == "PUT":
            scope.update(query_string=b"do=1&a=5", headers=scope["headers"][:2])
        if scope["path"].endswith("/"):
            scope.update(path=scope["path"] + "x", raw_path=b"/odd")
        await self.app(scope, receive, send)

class Answering(Layer):
    async def http(self, scope, receive, send):
        if scope["method"] == "DELETE":
            await PlainTextResponse(self.word, 403)(scope, receive, send)
        else:
            await self.app(scope, receive, send)
'''

KNOWN = (
    "CORSMiddleware, allow_origins=['https://a.example'], allow_credentials=True",
    "CORSMiddleware, allow_origins=['*'], allow_headers=['X-A'], expose_headers=['X-B']",
    "CORSMiddleware, allow_origin_regex='https://.*', allow_methods=['GET', 'PUT']",
    *("GZipMiddleware, minimum_size=20", "GZipMiddleware, minimum_size=0, compresslevel=1"),
    *("TrustedHostMiddleware, allowed_hosts=['test']", "TrustedHostMiddleware, allowed_hosts=['*.other']"),
    "HTTPSRedirectMiddleware",
)
OWN = ("Stamping", "Stamping, word='other'", "Reading", "Catching", "Waiting", "Changing", "Answering")
FUNCTIONS = (
    ("response = await call_next(request)", "response.headers['x-around'] = str(response.status_code)",
     "say('around ends', response.status_code)", "return response"),
    ("body = await request.body()", "say('around', len(body))", "return await call_next(request)"),
    ("try:", "    return await call_next(request)", "except Exception as error:",
     "    say('around', repr(error))", "    return PlainTextResponse('caught', 599)"),
    ("response = await call_next(request)", "body = b''.join([piece async for piece in response.body_iterator])",
     "say('around', len(body))", "return Response(body, response.status_code, dict(response.headers))"),
    ("async with asyncio.timeout(5):", "    return await call_next(request)"),
    ("request.state.own = 1", "var.set('around')", "response = await call_next(request)", "say(var.get())", "return response"),
    ("if request.method == 'PUT':", "    return PlainTextResponse('no', 403)", "return await call_next(request)"),
    ("response = await call_next(request)", "response.background = BackgroundTask(later, 'around')", "return response"),
)  # fmt: skip


def lines(dice: Dice, app: str) -> list[str]:
    """Added one by one: the last one is asked first."""
    added = []
    for at in range(dice.choice((0,) * 8 + (1, 1, 1, 2))):
        how = dice.random()
        if how < 0.35:
            added.append(f"{app}.add_middleware({dice.choice(KNOWN[:6] if dice.chance(0.9) else KNOWN)})")
        elif how < 0.65:
            added.append(f"{app}.add_middleware({dice.choice(OWN)})")
        else:
            added += [f"@{app}.middleware('http')", f"async def around_{app}{at}(request, call_next):"]
            added += ["    say('around', request.method, request.url.path)"]
            added += ["    " + line for line in dice.choice(FUNCTIONS)]
    return added
