"""A suite that knows nothing of engines; test_testclient_plugin.py runs it by plans."""

import asyncio

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient

app = FastAPI()
said: list[str] = []
client = TestClient(app)
quiet = TestClient(app, raise_server_exceptions=False)


def number() -> int:
    return 1


@app.get("/")
async def root():
    return {"a": 1}


@app.get("/scope")
async def scope(request: Request):
    return [request.client.host, request.url.scheme, request.url.hostname]


@app.get("/background")
async def background(tasks: BackgroundTasks, fail: bool = False):
    async def task():
        await asyncio.sleep(0.02)
        said.append("background")
        if fail:
            raise KeyError("background")

    tasks.add_task(task)
    return 1


@app.get("/raises/{how}")
async def raises(how: str):
    if how == "http":
        raise HTTPException(404, "no")
    raise ValueError(how)


@app.get("/thread")
def thread(n: int = Depends(number)):
    return n


@app.get("/waits")
async def waits():
    await asyncio.sleep(0.01)
    return 1


@app.get("/text")
async def text():
    return PlainTextResponse("text", 202)


def test_answers() -> None:
    answer = client.get("/")
    assert answer.json() == {"a": 1}
    assert dict(answer.headers) == {"content-length": "7", "content-type": "application/json"}
    assert client.get("/scope").json() == ["testclient", "http", "testserver"]
    assert (client.get("/text").status_code, client.get("/text").text) == (202, "text")
    assert client.get("/waits").json() == 1
    assert client.get("/background?fail=x").status_code == 422


def test_background_is_waited_for() -> None:
    said.clear()
    assert client.get("/background").json() == 1
    assert said == ["background"]


def test_exceptions() -> None:
    assert client.get("/raises/http").json() == {"detail": "no"}
    with pytest.raises(ValueError, match="later"):
        client.get("/raises/later")
    assert quiet.get("/raises/x").status_code == 500
    with pytest.raises(KeyError):
        client.get("/background?fail=1")
    assert quiet.get("/background?fail=1").json() == 1


def test_overrides() -> None:
    assert client.get("/thread").json() == 1
    app.dependency_overrides[number] = lambda: 2
    assert client.get("/thread").json() == 2
    app.dependency_overrides.clear()
    assert client.get("/thread").json() == 1


class Around:
    def __init__(self, below):
        self.below = below

    async def __call__(self, scope, receive, send):
        await self.below(scope, receive, send)


def test_behind_middleware() -> None:
    inner = FastAPI(routes=app.routes)
    inner.add_middleware(Around)
    behind = TestClient(inner)
    assert behind.get("/waits").json() == 1
    assert behind.get("/missing").status_code == 404


def test_new_routes() -> None:
    assert client.get("/new").status_code == 404

    @app.get("/new")
    async def new():
        return "new"

    assert client.get("/new").json() == "new"


def test_patched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans do not call run_endpoint_function(): while it is patched, there are none."""
    from fastapi import routing

    original, called = routing.run_endpoint_function, []

    async def patched(**kwargs):
        called.append(1)
        return await original(**kwargs)

    assert client.get("/").json() == {"a": 1}
    monkeypatch.setattr(routing, "run_endpoint_function", patched)
    assert client.get("/").json() == {"a": 1}
    assert called == [1]


def test_with_lifespan() -> None:
    with client:
        assert client.get("/waits").json() == 1
    with client.stream("GET", "/"):
        pass


def test_misses() -> None:
    assert client.get("/none").json() == {"detail": "Not Found"}
    assert client.post("/scope").headers["allow"] == "GET"
    answer = client.get("/scope/?a=b", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "http://testserver/scope?a=b")
    assert client.get("/openapi.json").json()["openapi"] == "3.1.0"
