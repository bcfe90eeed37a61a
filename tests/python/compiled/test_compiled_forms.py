"""Forms, files and other values that a plan takes from a Request: as under uvicorn."""

import pathlib

import compare
import pytest
from compare import check
from corpus import request, simple
from test_compiled_inputs import FORM, JSON, multipart, post
from wire import Case

MULTI = "multipart/form-data; boundary=b"


def chunked(path: str, kind: str, *pieces: bytes) -> Case:
    head = request(path, "POST", f"Content-Type: {kind}", "Transfer-Encoding: chunked")
    coded = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
    return Case(f"{path} in pieces", [head, *coded, b"0\r\n\r\n"], ("POST",))


def sent(path: str, *bodies: bytes, kind: str = FORM, method: str = "POST") -> list[Case]:
    return [post(path, body, kind=kind, method=method) for body in bodies]


FILE = ("file", "f.txt", b"abc" * 10)
FIELDS = [
    *sent("/fields", b"a=1", b"", b"a=", b"a=1&n=0", b"a=1&n=x&flag=maybe", b"a=1&a=2&n=+7"),
    *sent("/fields", b"a=%C3%A9+%00&flag=on&tags=1&tags=2&kinds=3&kinds=3", b"a=1&tags=&kinds="),
    *sent("/fields", b"a=%FF&Price=2.5e3&n=1_0", b"a=1&price=2&Price=", b"&&a=1&=&;", b"a", b"=a"),
    *sent("/fields", b"a=%zz&n=%31", b"a=1;n=2", b"a=1&n=" + b"1" * 5000, b"x=1&" * 1100 + b"a=1"),
    *sent("/fields", b"a=" + b"x" * 1_100_000, b"a=1&tags=" + b"t" * 70_000),
    *[
        post("/fields", b"a=1&n=2", kind=kind)
        for kind in (JSON, "", "text/plain", FORM.upper(), FORM + "; charset=latin-1", FORM + "x")
    ],
    post("/fields", multipart(("a", None, b"1"), ("n", None, b"5")), kind=MULTI),
    post("/fields", multipart(("a", "f", b"1"), ("n", "", b"")), kind=MULTI),
    chunked("/fields", FORM, b"a=%", b"41&", b"n", b"=", b"5"),
    *sent("/sync", b"", b"a=x", b"a=xy&b=", b"b=1&b=2"),
    *sent("/aliases", b"a=1", b"b=1&j=[1,2]", b"c=1&j=[x]", b"c=1&b=&when=y", b"when=z"),
    *sent("/mixed/3?q=1", b"a=1", b"", method="PUT"),
    *sent("/mixed/x?q=y", b"a=1", b"", method="PUT"),
    post("/mixed/3", b"a=1", "X-Agent: me", "Cookie: crumb=c", kind=FORM, method="PUT"),
    post("/mixed/3", b"a=1", "Expect: 100-continue", kind=FORM, method="PUT"),
]
TREES = [
    *sent("/tree", b"a=1&b=2", b"a=1", b"b=2", b"", b"a=1&b=2&e=11", b"e=11", b"a=1&b=x&e=x"),
    *sent("/tree?q=z", b"a=1&b=2&e=9", b"a=1&b=2&e=8", b"a=1&b=2&e=7"),
    *sent("/token", b"username=u&password=p", b"username=u", b"", b"grant_type=x&username=u"),
    *sent("/token", b"username=u&password=p&scope=a+b&client_id=c&grant_type=password"),
    *sent("/token/strict", b"username=u&password=p", b"username=u&password=p&grant_type=password"),
    *sent("/scoped", b"a=1", b""),
    post("/scoped", b"a=1", "Authorization: Bearer t", kind=FORM),
    *sent("/sees", b"a=1&b=2", b""),
]
MODELS = [
    *sent("/model", b"name=ab", b"name=a", b"name=ab&age=x&tags=1&tags=2", b"name=ab&other=1", b""),
    *sent("/model/loose", b"", b"name=&Note=1&x=1&x=2", b"note=1"),
    *sent("/model/optional", b"", b"name=ab", b"other=1", b"name=", b"age=4"),
    *sent("/model/and", b"a=2&name=n&z=1", b"a=x", b""),
    *sent("/union", b"kind=cat", b"kind=dog&names=a&names=b", b"kind=dog", b"kind=cow", b""),
    *sent("/checked", b"a=1&q=good", b"a=1&q=bad", b"q=good", b"q=bad", b""),
    *map(simple, ["/checked/query?a=good", "/checked/query?a=bad&d=bad", "/checked/query?b=x"]),
    *sent("/checked/body?q=1", b'{"q": "good"}', b'{"q": "bad"}', b"{}", b"", b"[", kind=JSON),
    *sent("/checked/body", b'{"q": "good"}', b'{"q": "bad"}', b'{"q": 1', kind=JSON),
    *sent("/checked/body?q=1", b'{"q": "good"}', kind="text/plain"),
    *sent("/checked/body?q=1", b'{"q": "good"}', b'{"q"', kind="application/x+json"),
    *sent("/checked/body?q=1", b"\xff\xfe", b"\xff", kind=JSON),
]
FILES = [
    post(path, body, kind=MULTI)
    for path, bodies in {
        "/files": (
            multipart(("one", "f", b"abc")),
            multipart(("one", None, b"text"), ("up", "", b"")),
            multipart(("one", "f", b"1"), ("some", "a", b"22"), ("some", None, b"333")),
            multipart(("one", "f", b"1"), ("more", "\u00e9", b"\xff"), ("more", "", b"")),
            multipart(("up", "f", b"x" * 2_000_000), ("one", "g", b""), ("note", None, b"n")),
            multipart(("up", None, b"text"), ("note", "f", b"n")),
            multipart(),
            b"--b--\r\n",
            b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n",
            b"--b\r\nContent-Disposition: form-data; name=\"one\"; filename=\"f\"\r\n\r\nx",
        ),
        "/files/twice": (multipart(("up", "u.txt", b"0123456789")), multipart(("up", None, b"1"))),
        "/files/twice?say_no=1": (multipart(("up", "u.txt", b"0123456789")),),
        "/files/twice?say_no=x": (multipart(("up", "u.txt", b"0123456789")),),
        "/files/sync": (multipart(("up", "u.txt", b"\x00\xff")), multipart(("u", "u.txt", b""))),
        "/files/later": (multipart(("up", "u.txt", b"later")),),
        "/model/files": (
            multipart(("title", None, b"t"), FILE, ("more", "m", b"1"), ("more", "n", b"2")),
            multipart(("title", None, b""), ("file", None, b"text")),
        ),
        "/limited/files": (
            multipart(("up", "u", b"1")),
            multipart(("up", "u", b"1"), ("up", "v", b"2")),
            multipart(("up", "u", b"1" * 200), ("note", None, b"n" * 101)),
        ),
    }.items()
    for body in bodies
] + [
    *sent("/limited/fields", b"a=1&b=2", b"a=1&b=2&c=3"),
    chunked("/files/sync", MULTI, *[bytes([c]) for c in multipart(("up", "u", b"in pieces"))]),
    post("/files", b"--b--\r\n", kind="multipart/form-data"),
    post("/files", b"", kind=MULTI),
]
REQUESTS = [
    *[
        post(f"/alters?how={how}{more}", body, "Cookie: n=4", kind=JSON)
        for how in ("", "body", "json", "cookie", "stale")
        for more in ("", "&q=old")
        for body in (b'{"n": 1}', b'{"n": "x", "m": 3}', b"{}")
    ],
    *[post("/alters?how=body", body) for body in (b"", b"[1]", b"{", b"3")],
    post("/alters?how=body", b'{"n": 1}', kind="text/plain"),
    *map(simple, ["/alone", "/alone?n=2", "/alone?n=x"]),
]


@pytest.fixture(scope="module")
def servers(site: pathlib.Path, loop: str, tmp_path_factory: pytest.TempPathFactory):
    logs = tmp_path_factory.mktemp("forms")
    env = {"FASTERAPI_ENGINE": "auto"}
    with compare.pair(site, logs, "compiled_forms_app:app", "--loop", loop, env=env) as found:
        yield found


def test_compiled(servers: compare.Pair) -> None:
    assert compare.tiers_of(servers.ours) == (31, 0, 0)


@pytest.mark.parametrize(
    "name", ["FIELDS", "TREES", "MODELS", "FILES", "REQUESTS"], ids=str.lower
)
def test_same(servers: compare.Pair, name: str, report: compare.Report) -> None:
    check(servers, f"forms: {name.lower()}", globals()[name], report)
