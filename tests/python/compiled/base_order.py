"""Asks applications of base_app.py twice, as they are and with their routes compiled, in one
process: python base_order.py STACK. What they say and send must be equal, in its order."""

import asyncio
import importlib.util
import itertools
import pathlib
import sys

BASE_APP = pathlib.Path(__file__).resolve().parent.parent / "apps" / "base_app.py"
HANGS_S = 1000.0
PATHS = (
    *("/plain/3", "/plain/x", "/empty", "/string", "/waits", "/spawns", "/background"),
    *("/dependency", "/streams", "/breaks", "/returned", "/disconnect", "/none", "/docs"),
    *("/fails/http", "/fails/known", "/fails/other", "/fails/cancelled"),
)
POSTS = ("/items", "/raw", "/ignores")
BODIES = ([b'{"name": "a"}'], [b"{}"], [b""], [b'{"name"', b': "b"}'])
WITH_BODY = ("", "reads", "streams_in", "twice_read", "replaces", "in_time", "drops", "catches")
# What a client does meanwhile: nothing, goes away at once, or a little later; the server stops.
ENDS = ("", "gone", "goes", "stops")


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, BASE_APP)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


class Ask:
    def __init__(self, module, app):
        self.module, self.app = module, app

    async def __call__(self, method, path, do, body, end):
        said = self.module.said = []
        self.module.tasks.clear()
        pieces, over = list(body), asyncio.Event()

        async def receive():
            await asyncio.sleep(0)
            if pieces:
                piece = pieces.pop(0)
                if end != "gone":
                    return {"type": "http.request", "body": piece, "more_body": bool(pieces)}
            if end == "goes":
                await asyncio.sleep(0.01)
            elif end != "gone":
                await over.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            said.append(("send", {**message, "headers": list(message.get("headers", ()))}))
            if message["type"] == "http.response.body" and not message.get("more_body"):
                over.set()

        headers = [(b"host", b"test"), (b"x-do", do.encode()), (b"origin", b"http://a.example")]
        if method == "POST":
            headers.append((b"content-type", b"application/json"))
        scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "headers": headers}
        scope |= {"query_string": b"", "root_path": "", "scheme": "http", "server": ("a", 1), "client": ("b", 2)}
        scope |= {"state": {}, "http_version": "1.1", "asgi": {"version": "3.0", "spec_version": "2.3"}}
        task = asyncio.create_task(self.app(scope, receive, send))
        if end == "stops":
            await asyncio.sleep(0.01)
            task.cancel()
        done, _ = await asyncio.wait([task], timeout=HANGS_S)
        over.set()
        said.append(("ended", end_of(task) if done else "hung"))
        task.cancel()
        for _ in range(50):
            await asyncio.sleep(0)
        if do == "late":
            await asyncio.sleep(0.05)
        left = len(asyncio.all_tasks()) - 1
        said.append(("tasks left", left))
        said.append(("scope", sorted(scope), scope.get("path_params")))
        return said


def end_of(task):
    if task.cancelled():
        return "cancelled"
    error = task.exception()
    return (repr(error), repr(error.__cause__)) if error else repr(task.result())


def every(module):
    functions = ("", *module.FUNCTIONS)
    for do, path in itertools.product(functions, PATHS):
        yield "GET", path, do, [b""], ""
    for path, body, do in itertools.product(POSTS, BODIES, WITH_BODY):
        yield "POST", path, do, body, ""
    for end in ENDS[1:]:
        for do, path in itertools.product(("", "in_time", "drops", "replaces", "catches"), PATHS):
            yield "GET", path, do, [b""], end
        for do, path in itertools.product(("", "reads", "catches"), POSTS):
            yield "POST", path, do, BODIES[3], end


def cases(module):
    """An endpoint that raises CancelledError by itself also cancels a function that runs in
    another task meanwhile; nobody sees it here but in the cause of the exception. In which order
    anyio cancels two calls is by chance."""
    unlike = {("/fails/cancelled", "in_time"), ("/fails/cancelled", "at_once"), ("/waits", "twice")}
    return (case for case in every(module) if case[1:3] not in unlike)


async def main(stack):
    from fasterapi._compile import compile_app  # not where only the lists are wanted

    plain, compiled = loaded("base_plain"), loaded("base_compiled")
    app = getattr(compiled, stack)
    routes = compile_app(app).routes
    theirs, ours = Ask(plain, getattr(plain, stack)), Ask(compiled, app)
    differing = count = 0
    for case in cases(plain):
        count += 1
        wanted, got = await theirs(*case), await ours(*case)
        if wanted != got:
            differing += 1
            if differing < 6:
                print(case, *("  " + str(line) for line in wanted), "but", *("  " + str(line) for line in got), sep="\n")
    served = sum(route.requests.get("compiled", 0) for route in routes)
    print(f"{count} cases, {differing} differ, {served} requests by plans")
    assert not differing and served > count / 4


class Loop(asyncio.SelectorEventLoop):
    """Time goes on only when there is nothing else to do, and then at once: so a busy machine
    changes nothing."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.wait, self._selector.select = self._selector.select, self.select

    def time(self):
        return self.now

    def select(self, timeout=None):
        found = self.wait(0 if timeout is not None else None)
        if not found and timeout:
            self.now += timeout
        return found


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main(sys.argv[1]))
