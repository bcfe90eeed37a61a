"""httpx.ASGITransport, swapped by pytest --fasterapi, beside the stock one."""

import asyncio
import contextlib
import importlib
from collections.abc import Callable

import anyio
import pytest
import testclient_app
from testclient_app import app
from testclient_fixtures import package  # noqa: F401


@pytest.fixture(params=["httpx2", "httpx"])
def httpx(request: pytest.FixtureRequest):
    return importlib.import_module(request.param)


@pytest.fixture(params=["stock", "fasterapi"])
def run(request: pytest.FixtureRequest, package, httpx):  # noqa: F811
    """Runs a coroutine; each request in it goes the way of the parameter."""
    from fasterapi.testclient import _async_transport

    async def checked(coroutine) -> None:
        await coroutine
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    served, elsewhere = package.counters.served.total(), package.counters.elsewhere.copy()
    with contextlib.ExitStack() as stack:
        stack.callback(_async_transport.swap(engine=request.param == "fasterapi"))
        yield lambda coroutine: asyncio.run(checked(coroutine), debug=True)
    beside = package.counters.elsewhere - elsewhere
    if request.param == "fasterapi":
        assert package.counters.served.total() > served and not beside
    else:
        assert package.counters.served.total() == served
        assert list(beside) == ["httpx.ASGITransport"]


def client(httpx, application=app, **options):
    transport = httpx.ASGITransport(application, **options)
    return httpx.AsyncClient(transport=transport, base_url="http://test:81")


def test_requests(run: Callable, httpx) -> None:
    async def requests() -> None:
        async with client(httpx, client=("10.0.0.1", 5), root_path="/api") as c:
            body = bytes(range(256)) * 10000
            assert (await c.post("/echo", content=body)).content == body
            response = await c.get("/headers")
            assert (response.status_code, response.content) == (201, b"x")
            assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
            assert len(response.headers) == 5
            assert (await c.head("/headers")).content == b""
            answers = await asyncio.gather(*(c.post("/echo", content=b"%d" % n) for n in range(20)))
            assert [int(answer.text) for answer in answers] == list(range(20))

            async def pieces():
                for piece in (b"a", b"", b"b"):
                    await asyncio.sleep(0)
                    yield piece

            assert (await c.post("/echo", content=pieces())).text == "ab"

    run(requests())


def test_scope(run: Callable, httpx) -> None:
    seen = {}

    async def application(scope, receive, send) -> None:
        seen.update(scope)
        await testclient_app.pump(scope, receive, send)

    async def requests() -> None:
        async with client(httpx, application, client=("10.0.0.1", 5), root_path="/api") as c:
            await c.get("/a%20b?c=d", headers={"X-Upper": "1"})

    run(requests())
    assert (seen["path"], seen["raw_path"], seen["query_string"]) == ("/a b", b"/a%20b", b"c=d")
    assert (seen["client"], seen["server"]) == (("10.0.0.1", 5), ("test", 81))
    assert (seen["root_path"], seen["scheme"], seen["method"]) == ("/api", "http", "GET")
    assert (b"x-upper", b"1") in seen["headers"]


def test_exceptions(run: Callable, httpx) -> None:
    async def requests() -> None:
        async with client(httpx) as c:
            with pytest.raises(LookupError, match="on purpose"):
                await c.get("/fails")
            with pytest.raises(LookupError, match="too late"):
                await c.get("/fails_late")
        async with client(httpx, raise_app_exceptions=False) as c:
            response = await c.get("/fails")
            assert (response.status_code, response.text) == (500, "Internal Server Error")

    run(requests())


def test_cancelled(run: Callable, httpx) -> None:
    testclient_app.happened.clear()

    async def requests() -> None:
        async with client(httpx) as c:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await c.get("/sleeps")

    run(requests())
    assert testclient_app.happened == ["cancelled"]


def test_cancelled_by_anyio(run: Callable, httpx) -> None:
    """anyio cancels again and again; the application's cleanup is waited for all the same."""
    ended = []

    async def application(scope, receive, send) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            with anyio.CancelScope(shield=True):
                await asyncio.sleep(0.05)
            ended.append("ended")

    async def requests() -> None:
        async with client(httpx, application) as c:
            with anyio.move_on_after(0.1):
                await c.get("/")
            assert ended == ["ended"]

    run(requests())
