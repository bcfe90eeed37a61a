"""An application that prints, alters its scope, and sets logging up as SETUP says."""

import http
import logging
import os
import sys

access = logging.getLogger("uvicorn.access")


class Status(int):
    pass


ALTERATIONS = {
    "/path": {"path": "/other \u20ac?"},
    "/surrogate": {"path": "/\udc80"},
    "/no-client": {"client": None},
    "/list-client": {"client": ["list", 1]},
    "/odd-client": {"client": ("\u20ac", "port")},
    "/method": {"method": "M\u20acTHOD"},
    "/query": {"query_string": b"a=%20&b"},
    "/text": {"path": type("Text", (str,), {})("/text")},
}
STATUSES = {"/enum": http.HTTPStatus.CREATED, "/subclass": Status(202), "/unknown": 598, "/299": 299}


def seen(record):
    print("seen", record.levelname, record.args[1:], flush=True)
    return record.args[2] != "/dropped"


def factory(*args, **more):
    record = logging.LogRecord(*args, **more)
    record.msg = "made: " + record.msg if record.name == "uvicorn.access" else record.msg
    return record


def patched(call_handlers):
    def call(self, record):
        if self is access:
            print("called", flush=True)
        return call_handlers(self, record)

    return call


def set_up(kind):
    handler = access.handlers[0]
    if kind == "filter":
        access.addFilter(seen)
    elif kind == "handler filter":
        handler.addFilter(seen)
    elif kind == "factory":
        logging.setLogRecordFactory(factory)
    elif kind == "patched":
        logging.Logger.callHandlers = patched(logging.Logger.callHandlers)
    elif kind == "two handlers":
        access.addHandler(logging.StreamHandler(sys.stdout))
    elif kind == "formatter":
        handler.setFormatter(logging.Formatter("own %(message)s"))
    elif kind == "level":
        access.setLevel(logging.WARNING)
    elif kind == "handler level":
        handler.setLevel(logging.WARNING)
    elif kind == "propagate":
        access.propagate = True
        logging.basicConfig(stream=sys.stdout, format="root %(message)s")
    elif kind == "terminator":
        handler.terminator = "|\n"
    elif kind == "level name":
        logging.addLevelName(logging.INFO, "NOTE")
    elif kind == "disabled":
        logging.disable(logging.INFO)
    elif kind == "own emit":
        emit = handler.emit
        handler.emit = lambda record: (print("emits", flush=True), emit(record))


if "SETUP" in os.environ:
    set_up(os.environ["SETUP"])


async def app(scope, receive, send):
    path = scope["path"]
    if path == "/set-up":
        set_up(scope["query_string"].decode().replace("+", " "))
    print("before", ascii(path))
    scope.update(ALTERATIONS.get(path, {}))
    await send({"type": "http.response.start", "status": STATUSES.get(path, 200)})
    print("between")
    await send({"type": "http.response.body", "body": b"x"})
    print("after", flush=path in ("/flushed", "/surrogate", "/\udc80"))
