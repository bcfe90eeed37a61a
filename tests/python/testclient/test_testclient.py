"""fasterapi.testclient.TestClient beside Starlette's: the same tests pass with both, and
each request of ours was served by the engine."""

import asyncio
import concurrent.futures

import pytest
import testclient_app
from starlette.testclient import TestClient as StockClient
from starlette.testclient import httpx
from testclient_app import app, happened
from testclient_fixtures import client, make_client, package  # noqa: F401


# ---- what the application sees ----

REQUESTS = [
    {"method": "GET", "url": "/scope"},
    {"method": "GET", "url": "/scope?a=b&c=%20d"},
    {"method": "GET", "url": "/scope/caf\u00e9/%E4%BD%A0?q=\u00fc"},
    {"method": "GET", "url": "/scope//a/../b;c=d"},
    {"method": "BREW", "url": "/scope"},
    {"method": "OPTIONS", "url": "/scope", "headers": {"origin": "http://x", "X-Upper": "As Is"}},
    {"method": "GET", "url": "/scope", "headers": [("x-a", "1"), ("x-b", "2"), ("x-a", "3")]},
    {"method": "GET", "url": "/scope", "headers": {"x-empty": "", "x-odd": "caf\u00e9".encode()}},
    {"method": "GET", "url": "/scope", "cookies": {"a": "1", "b": "two"}},
    {"method": "GET", "url": "/scope", "auth": ("user", "password")},
    {"method": "GET", "url": "https://testserver/scope"},
    {"method": "GET", "url": "http://testserver:8443/scope"},
    {"method": "GET", "url": "http://[::1]:80/scope"},
    {"method": "GET", "url": "http://\u00fcnicode.example/scope"},
    {"method": "GET", "url": "/scope", "headers": {"host": "other.example:81"}},
    {"method": "POST", "url": "/scope", "content": b"\0\xff" * 100},
    {"method": "POST", "url": "/scope", "content": b""},
    {"method": "PUT", "url": "/scope", "json": {"a": [1, "\u00e9"]}},
    {"method": "POST", "url": "/scope", "data": {"a": "1", "b": ["2", "3"]}},
    {"method": "GET", "url": "/scope", "params": {"x": ["1", "2"]}},
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda r: f"{r['method']} {r['url']}")
def test_same_scope(package, request_: dict) -> None:
    given = {"root_path": "/api", "client": ("10.0.0.1", 1234), "headers": {"x-client": "c"}}
    answers = []
    for make in (StockClient, package.TestClient):
        client = make(app, **{**given, "headers": dict(given["headers"])})
        request = {**request_, "cookies": dict(request_.get("cookies", {}))}
        client.cookies.update(request.pop("cookies"))
        answers.append(client.request(**request))
    stock, engine = answers
    assert engine.status_code == stock.status_code
    assert engine.text == stock.text
    assert engine.headers.raw == stock.headers.raw
    assert engine.request.headers.raw == stock.request.headers.raw


def test_body_from_an_iterator(client: StockClient) -> None:
    assert client.post("/echo", content=iter([b"a", b"", b"bc", b"d" * 70000])).text == "abc" + "d" * 70000


def test_body_again_after_a_redirect(client: StockClient) -> None:
    response = client.post("/redirect", content=iter([b"a", b"b"]))
    assert response.text == "ab"
    assert response.url.path == "/echo"


def test_files(client: StockClient) -> None:
    response = client.post("/echo", files={"f": ("n.txt", b"content", "text/x")})
    assert b'filename="n.txt"' in response.content and b"content" in response.content


def test_context_of_the_test(client: StockClient) -> None:
    token = testclient_app.who.set("the test")
    try:
        assert client.get("/context").text == "the test"
    finally:
        testclient_app.who.reset(token)


def test_one_task(client: StockClient) -> None:
    assert client.get("/task").text == "True"


def test_state_of_lifespan(make_client: type[StockClient]) -> None:
    with make_client(app) as client:
        assert client.get("/state").json() == {"from": "lifespan"}
        assert client.get("/state").json() == {"from": "lifespan"}
        assert happened == ["startup"]
    assert happened == ["startup", "shutdown"]


# ---- what the test sees ----


def test_headers(client: StockClient) -> None:
    response = client.get("/headers")
    assert response.headers.raw == [
        (b"content-length", b"1"),
        (b"content-type", b"text/x; charset=utf-8"),
        # The engine writes names in lower case.
        (b"X-Case" if type(client) is StockClient else b"x-case", b"Kept"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
    ]
    assert (response.status_code, response.reason_phrase) == (201, "Created")
    assert dict(response.cookies) == {"a": "1", "b": "2"}


def test_cookies_are_kept(client: StockClient) -> None:
    assert client.get("/cookies").json() == {}
    assert client.get("/cookies").json() == {"seen": "yes"}


@pytest.mark.parametrize("status", [204, 205, 304])
def test_no_body(client: StockClient, status: int) -> None:
    response = client.get(f"/empty/{status}")
    assert (response.status_code, response.content) == (status, b"")


def test_head(client: StockClient) -> None:
    response = client.head("/headers")
    assert (response.headers["content-length"], response.content) == ("1", b"")
    assert client.head("/numbers?n=20000").content == b""


def test_both_ways_at_once(make_client: type[StockClient]) -> None:
    """More than any buffer holds, and the application answers while it reads."""
    body = bytes(range(256)) * 20000
    assert make_client(testclient_app.pump).post("/", content=body).content == body


def test_from_many_threads(make_client: type[StockClient]) -> None:
    with make_client(app) as client, concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: client.post("/echo", content=b"%d" % n), range(100)))
    assert [int(answer.text) for answer in answers] == list(range(100))


def test_exception(client: StockClient) -> None:
    with pytest.raises(LookupError, match="on purpose") as caught:
        client.get("/fails")
    assert any(entry.name == "fails" for entry in caught.traceback)


def test_exception_not_raised(make_client: type[StockClient]) -> None:
    client = make_client(app, raise_server_exceptions=False)
    response = client.get("/fails")
    assert (response.status_code, response.text) == (500, "Internal Server Error")
    assert client.get("/fails_late").text == "begun"


def test_exception_after_the_start(client: StockClient) -> None:
    with pytest.raises(LookupError, match="too late"):
        client.get("/fails_late")


async def bare(scope, receive, send) -> None:
    """An application that does not answer, or raises without a word."""
    if scope["path"] == "/raises":
        raise LookupError("on purpose")


def test_no_answer(make_client: type[StockClient]) -> None:
    client = make_client(bare)
    with pytest.raises(AssertionError, match="did not receive any response"):
        client.get("/")
    with pytest.raises(LookupError):
        client.get("/raises")
    client = make_client(bare, raise_server_exceptions=False)
    for path in ("/", "/raises"):
        response = client.get(path)
        assert (response.status_code, response.content, response.headers.raw) == (500, b"", [])


# ---- streams ----


def test_stream_does_not_run_ahead(client: StockClient) -> None:
    with client.stream("GET", "/numbers") as response:
        assert response.status_code == 200
        pieces = response.iter_text()
        assert [next(pieces) for _ in range(3)] == ["0;", "1;", "2;"]
    # One more was made, and waited for the test; then the application was cancelled.
    assert happened[:4] == ["0", "1", "2", "3"]
    assert happened[-1] == "ended" and len(happened) == 5


def test_stream_left_unread(client: StockClient) -> None:
    with client.stream("GET", "/sleeps"):
        pass
    with client.stream("GET", "/sleeps") as response:
        assert next(response.iter_raw()) == b"one"
    assert happened == ["cancelled"]


def test_background_is_waited_for(client: StockClient) -> None:
    assert client.get("/background").text == "done"
    assert happened == ["background"]
    with client.stream("GET", "/background") as response:
        assert next(response.iter_raw()) == b"done"
    assert happened == ["background"] * 2


async def extended(scope, receive, send) -> None:
    start = {"type": "http.response.start", "status": 200, "headers": [], "trailers": True}
    await send({"type": "http.response.debug", "info": {"template": "t", "context": {"a": 1}}})
    await send(start)
    await send({"type": "http.response.body", "body": b"x"})
    await send({"type": "http.response.trailers", "headers": [(b"x-t", b"1")]})


def test_extensions(make_client: type[StockClient]) -> None:
    response = make_client(extended).get("/")
    assert (response.template, response.context) == ("t", {"a": 1})
    assert response.extensions["http.response.trailers"] == [(b"x-t", b"1")]
    assert "x-t" not in response.headers


# ---- ours only ----


@pytest.mark.parametrize(
    "request_",
    [
        {"headers": {"x-a": "1\r\nx-b: 2"}},
        {"headers": {"x-a": "1\n"}},
        {"headers": {"x-a": "\0"}},
        {"headers": {"content-length": "5"}, "content": b"abc"},
        {"headers": {"content-length": "2"}, "content": b"abc"},
    ],
)
def test_cannot_be_sent(package, request_: dict) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        package.TestClient(app).post("/echo", **request_)


def test_refused_by_the_engine(package) -> None:
    before = package.counters.served.copy()
    assert package.TestClient(app).get("/scope", headers={"host": "a b"}).status_code == 400
    assert package.counters.served - before == {"server": 1}


def test_trio_is_counted_apart(package) -> None:
    served, elsewhere = package.counters.served.total(), package.counters.elsewhere.copy()
    client = package.TestClient(app, backend="trio")
    assert client.get("/empty/204").status_code == 204
    assert package.counters.served.total() == served
    assert package.counters.elsewhere - elsewhere == {"backend trio": 1}


@pytest.mark.parametrize("uvloop", [False, True])
def test_event_loops(package, uvloop: bool) -> None:
    loops = []

    async def application(scope, receive, send) -> None:
        loops.append(type(asyncio.get_running_loop()).__module__)
        await asyncio.sleep(0)
        await testclient_app.pump(scope, receive, send)

    client = package.TestClient(application, backend_options={"use_uvloop": uvloop})
    assert client.post("/", content=b"x" * 300000).content == b"x" * 300000
    assert ("uvloop" in loops[0]) is uvloop


def test_swapped_and_back(package) -> None:
    from fasterapi.testclient import _swap

    class Subclass(StockClient):
        __test__ = False

    served = package.counters.served["asgi"]
    take_back = _swap.swap()
    try:
        assert Subclass(app).get("/empty/204").status_code == 204
    finally:
        take_back()
    assert package.counters.served["asgi"] == served + 1
    assert Subclass(app).get("/empty/204").status_code == 204
    assert package.counters.served["asgi"] == served + 1
    assert "send" not in vars(StockClient)


# ---- what a connection cannot carry; docs/testing-your-app.md has the table ----


def answering(status: int = 200, *, headers: dict[str, str] | None = None, more: bool = False):
    fields = [(k.encode(), v.encode()) for k, v in (headers or {}).items()]

    async def application(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": b"abc", "more_body": more})

    return application


@pytest.mark.parametrize("length", ["2", "4"])
def test_answer_unlike_its_content_length(package, length: str) -> None:
    application = answering(headers={"content-length": length})
    assert StockClient(application).get("/").text == "abc"
    with pytest.raises(RuntimeError, match="Response content (longer|shorter) than Content-Length"):
        package.TestClient(application).get("/")


def test_answer_without_an_end(package) -> None:
    application = answering(more=True)
    assert StockClient(application).get("/").text == "abc"
    with pytest.raises(httpx.RemoteProtocolError, match="returned without completing response"):
        package.TestClient(application).get("/")


def test_interim_answer_is_none(package) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        package.TestClient(answering(123)).get("/")


def test_path_is_decoded_once(package) -> None:
    paths = []

    async def application(scope, receive, send) -> None:
        paths.append(scope["path"])
        await answering()(scope, receive, send)

    for make in (StockClient, package.TestClient):
        make(application).get("/a%2520b")
    assert paths == ["/a b", "/a%20b"]
