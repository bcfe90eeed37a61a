"""Bodies, forms, models of parameters, validators, routers and dependencies that change the
request: as under uvicorn, whether a route is compiled or left to FastAPI's handler."""

import inspect
import os
import pathlib
import subprocess
import sys

import compare
import pytest
from compare import check
from corpus import request, simple
from fastapi import FastAPI
from wire import Case

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
ITEM = b'{"name": "abc", "price": 1.5}'
TWO = b'{"item": {"name": "abc"}, "user": {"id": 3, "born": "2020-01-02"}}'


def post(path: str, body: bytes, *fields: str, kind: str = JSON, method: str = "POST") -> Case:
    fields = (f"Content-Type: {kind}", f"Content-Length: {len(body)}", *fields)
    name = f"{method} {path} {kind} {body[:40]!r}"
    return Case(name, [request(path, method, *fields, body=body)], (method,))


def multipart(*parts: tuple[str, str | None, bytes]) -> bytes:
    body = b""
    for name, filename, value in parts:
        file = f'; filename="{filename}"' if filename is not None else ""
        body += f'--b\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode()
        body += value + b"\r\n"
    return body + b"--b--\r\n"


BODIES = [
    *[
        post(path, body)
        for path in ("/two", "/two/options", "/two/options?q=z")
        for body in (TWO, b"{}", b"", b"[]", b"null", b"3", b'"x"', b"{bad", b'{"item": null}')
        + (b'{"item": {"name": "a"}, "user": 1}', b'{"item": {"name": "abc"}, "who": {"id": 1}}')
        + (b'{"n": 0}', b'{"n": 2, "tags": ["a"]}', b'{"item": {"name": "ab"}, "item": 3}')
    ],
    *[
        post("/embedded/1", body, method="PUT")
        for body in (b'{"item": {"name": "abc"}}', ITEM, b"", b"[1]", b"{}")
    ],
    post("/embedded/x", b'{"item": 1}', method="PUT"),
    *[post("/one-scalar", body) for body in (b"3", b'"3"', b'"x"', b"null", b"", b"1.0", b"1.5")],
    *[post(path, body) for path in ("/optional", "/default") for body in (b"", b"null", ITEM, b"{}")],
    simple("/optional", "POST"),
    simple("/default", "POST"),
    *[post("/strict", body) for body in (b'"2020-01-02"', b"1")],
    *[post("/raw", body, kind=k) for body in (b"abc", b"") for k in (JSON, "text/plain")],
    *[post("/lenient", ITEM, kind=k) for k in (JSON, "application/a+json", "text/plain", "")],
    *[
        post("/lenient", b'%s{"name": "abc", "price": %s%s}' % (b" " * before, sign, b"9" * digits))
        for digits in (308, 309, 400, 5000)
        for before, sign in ((0, b""), (300, b"-"))
    ],
    post("/lenient", b'{"name": "%s", "price": 1}' % (b"9" * 400)),
    post("/shared-body", b'{"item": {"name": "abc"}, "user": {"id": 1}, "n": 3}'),
    post("/shared-body", b'{"item": {"name": "abc"}, "n": "x"}'),
]
FORMS = [
    *[post("/form", body, kind=FORM) for body in (b"a=1&b=2", b"a=1", b"b=1", b"", b"a=&b=x", b"a=%FF")],
    post("/form", b"a=1", kind=JSON),
    *[post("/form/model", body, kind=FORM) for body in (b"a=1&b=2&b=3", b"b=x", b"a=1&c=2", b"")],
    post(
        "/files",
        multipart(("file", "f", b"abc"), ("up", "u.txt", b"def"), ("more", "m", b""), ("more", "n", b"1")),
        kind="multipart/form-data; boundary=b",
    ),
    post("/files", multipart(("file", None, b"abc")), kind="multipart/form-data; boundary=b"),
    post("/files", b"broken", kind="multipart/form-data; boundary=b"),
    post("/files", b"--b\r\nbroken", kind="multipart/form-data"),
]
PARAMETERS = [
    *map(simple, ["/query-model", "/query-model?limit=3&tags=a&tags=b", "/query-model?limit=0"]),
    *map(simple, ["/query-model?other=1", "/query-model?order=", "/query-model?limit=x&limit=4"]),
    *map(simple, ["/query-model/and", "/query-model/and?x_one=1&names=a&z=1&z=2"]),
    simple("/query-model/and?x_one=1", "GET", "X-One: 2", "Names: a", "names: b"),
    simple("/cookie-model", "GET", "Cookie: limit=5; order=a"),
    simple("/cookie-model", "GET", "Cookie: limit=5; tags=a"),
    *map(simple, ["/choices", "/choices?query=1", "/choices?z=1&q=2", "/choices?x=1"]),
    *map(simple, ["/json-parameter", "/json-parameter?q=[1,2]", "/json-parameter?q=[x]"]),
    simple("/lists-of-cookies"),
    simple("/lists-of-cookies", "GET", "Cookie: c=1"),
    *map(simple, ["/factory", "/factory?q=2", "/factory?q=x", "/factory/own", "/factory/own?n=x"]),
    *map(simple, ["/after?q=good", "/after?q=bad", "/after?q=good&n=x", "/after", "/before/bad"]),
    *map(simple, ["/before/good", "/before/good?n=x"]),
    *[post("/seen", body) for body in (b'{"q": "good"}', b'{"q": "bad"}', b"{}", b"")],
    *[simple(f"/as-int/{n}") for n in ("1", "0007", "1001", "x", "-1", "9" * 25)],
    *[simple(f"/as-float/{n}") for n in ("1", "1.5", "x", "1e5", ".5")],
    *[simple(f"/as-uuid/{n}") for n in ("1", "00000000-0000-0000-0000-000000000001")],
    *map(simple, ["/as-path/a/b/end", "/as-path//end", "/as-path/a", "/as-octal/0o17", "/as-octal/17"]),
    *map(simple, ["/as-octal/x", "/as-octal/0o17/x", "/as-octal/", "/as-octal/0o17%0A"]),
    *map(simple, ["/as-kind/a/1", "/as-kind/b/x", "/as-kind/c/1"]),
    *[simple("/methods", m) for m in ("GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT")],
    *[simple("/head-only", m) for m in ("GET", "HEAD")],
]
ROUTERS = [
    *map(simple, ["/outer/inner/3", "/outer/inner/x", "/again/inner/3?q=z", "/outer/plain", "/outer/none"]),
    *[post(path, b"a=1", kind=FORM) for path in ("/outer/inner/form", "/again/inner/form")],
    *map(simple, ["/scope-keys", "/starlette/3?b&a", "/sub/in/3", "/sub/in/x", "/sub/none", "/sub"]),
    *[simple("/starlette/3", m) for m in ("PUT", "HEAD", "POST")],
    *[post(path, body) for path in ("/own-route", "/limited") for body in (ITEM, b"{}", ITEM + b" " * 40)],
    Case(
        "limited, chunked",
        [request("/limited", "POST", f"Content-Type: {JSON}", "Transfer-Encoding: chunked")]
        + [b"20\r\n" + b" " * 32 + b"\r\n0\r\n\r\n"],
        ("POST",),
    ),
]
DEPENDENCIES = [
    *map(simple, ["/looks", "/looks?q=1", "/changes/3", "/changes/x", "/changes/3?n=x"]),
    *[
        simple(f"/changes/3?how={how}{more}", "GET", "X-Token: t")
        for how in ("query", "invalid", "headers", "replaced", "path", "method", "raises", "other")
        for more in ("", "&n=5&q=z", "&m=x")
    ],
    *[
        post(f"/changes/body?how={how}", body)
        for how in ("query", "invalid", "headers", "raises")
        for body in (ITEM, b"{}")
    ],
    *[post(path, body) for path in ("/reads", "/reads/unasked") for body in (ITEM, b"{}")],
]
OVERRIDES = [
    *map(simple, ["/either", "/either?q=1&n=2", "/either?n=x", "/either/alone?n=2"]),
    *map(simple, ["/needs-websocket", "/needs-websocket?n=x", "/depends-on-websocket"]),
    *map(simple, ["/replaced", "/replace?on=1", "/replaced", "/replaced?q=1", "/looks"]),
    *map(simple, ["/replace?on=0", "/replaced"]),
]


@pytest.fixture(scope="module")
def servers(site: pathlib.Path, loop: str, tmp_path_factory: pytest.TempPathFactory):
    env = {"FASTERAPI_ENGINE": "auto"}
    logs = tmp_path_factory.mktemp("inputs")
    with compare.pair(site, logs, "compiled_inputs_app:app", "--loop", loop, env=env) as found:
        yield found


def test_compiled(servers: compare.Pair) -> None:
    """Most routes are: otherwise nothing here would be tested."""
    limited = "max_body_size" in inspect.signature(FastAPI).parameters  # since 0.164
    assert compare.tiers_of(servers.ours) == (60 + limited, 1, 1)


@pytest.mark.parametrize(
    "name", ["BODIES", "FORMS", "PARAMETERS", "ROUTERS", "DEPENDENCIES"], ids=str.lower
)
def test_same(servers: compare.Pair, name: str, report: compare.Report) -> None:
    check(servers, f"compiled {name.lower()}", globals()[name], report)


def test_overrides(servers: compare.Pair, report: compare.Report) -> None:
    for case in OVERRIDES:  # one after the other
        check(servers, "compiled overrides", [case], report)


PLUGINS = """
from pydantic.plugin import SchemaTypePath
from pydantic.plugin._schema_validator import PluggableSchemaValidator
from pydantic_core import SchemaValidator
from fasterapi._compile._params import _unwrapped

class Handler:
    def on_enter(self, *args, **kwargs): pass

class Plugin:
    def __init__(self, *handlers): self.handlers = handlers
    def new_schema_validator(self, *args): return self.handlers

def made(*handlers):
    where = SchemaTypePath("a", "b")
    plugins = [Plugin(*handlers)]
    return PluggableSchemaValidator({"type": "int"}, int, where, "BaseModel", None, plugins, {})

silent = made(None, None, None)
assert type(silent) is not SchemaValidator
assert type(_unwrapped(silent)) is SchemaValidator
for handlers in ((Handler(), None, None), (None, Handler(), None)):
    listening = made(*handlers)
    assert _unwrapped(listening) is listening
"""


def test_plugins_of_pydantic(site: pathlib.Path) -> None:
    """Those that listen to a validator keep its route from being compiled, others do not."""
    env = {**os.environ, "PYTHONPATH": str(site)}
    subprocess.run([sys.executable, "-c", PLUGINS], env=env, check=True)
