"""fasterapi._core.Worker by itself: how it is made, closed, and what it keeps."""

import pathlib
import subprocess
import sys

import patience
import peers
import pytest


def run(site: pathlib.Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env=peers.environment(site),
        timeout=patience.HANGS_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("made", ["Worker.__new__(Worker)", "Worker(app, loop)"])
def test_close(site: pathlib.Path, made: str) -> None:
    """Closing is no error at any time; nothing else works after it."""
    run(
        site,
        f"""
import asyncio, gc, weakref
from fasterapi._core import Worker

async def app(scope, receive, send): ...

loop = asyncio.new_event_loop()
worker = {made}
for _ in range(2):
    worker.close()
assert worker.connections == 0
for use in (worker.fileno, worker.poll, worker.drain, worker.counters):
    try:
        use()
    except ValueError:
        continue
    raise AssertionError(use)
loop.close()
""",
    )


def test_made_once(site: pathlib.Path) -> None:
    run(
        site,
        """
import asyncio
from fasterapi._core import Worker

loop = asyncio.new_event_loop()
worker = Worker(print, loop)
for close in (False, True):
    if close:
        worker.close()
    try:
        worker.__init__(print, loop)
    except RuntimeError:
        continue
    raise AssertionError
for routes in [1, [("/", ("GET",), None)], (("x{", ("GET",), None),), (("/", ("X",), None),)]:
    try:
        Worker(print, loop, routes=routes)
    except (TypeError, ValueError):
        continue
    raise AssertionError(routes)
loop.close()
""",
    )


def test_waiting_requests_let_the_loop_go_on(site: pathlib.Path) -> None:
    """Of a thousand requests that come at once, some go on before the last has begun."""
    told = run(
        site,
        """
import asyncio, socket
from fasterapi._core import Worker

COUNT = 1000

async def main():
    begun, at_end = 0, []

    async def app(scope, receive, send):
        nonlocal begun
        begun += 1
        await asyncio.sleep(0)
        at_end.append(begun)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    loop = asyncio.get_running_loop()
    worker = Worker(app, loop)
    clients = []
    for _ in range(COUNT):
        client, served = socket.socketpair()
        worker.adopt(served.detach())
        client.send(b"GET / HTTP/1.1\\r\\nHost: test\\r\\n\\r\\n")
        clients.append(client)
    loop.add_reader(worker.fileno(), worker.poll)
    while len(at_end) < COUNT:
        await asyncio.sleep(0.01)
    for client in clients:
        client.close()
    worker.close()
    print(at_end[0])

asyncio.run(main())
""",
    )
    assert int(told) <= 512


def test_idle_tasks_are_bounded(site: pathlib.Path) -> None:
    """Tasks are kept for the next requests, but not as many as ever were at once."""
    told = run(
        site,
        """
import asyncio, socket
from fasterapi._core import Worker

COUNT = 1500

async def main():
    released = asyncio.Event()

    async def app(scope, receive, send):
        await released.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    loop = asyncio.get_running_loop()
    worker = Worker(app, loop)
    loop.add_reader(worker.fileno(), worker.poll)
    clients = []
    for _ in range(COUNT):
        client, served = socket.socketpair()
        worker.adopt(served.detach())
        client.send(b"GET / HTTP/1.1\\r\\nHost: test\\r\\n\\r\\n")
        clients.append(client)
    while len(asyncio.all_tasks()) <= COUNT:
        await asyncio.sleep(0.01)
    released.set()
    for client in clients:
        client.setblocking(False)
        assert (await loop.sock_recv(client, 1000)).startswith(b"HTTP/1.1 204")
    await asyncio.sleep(0.05)
    print(len(asyncio.all_tasks()))
    loop.remove_reader(worker.fileno())
    worker.close()
    await asyncio.sleep(0.05)
    assert len(asyncio.all_tasks()) == 1
    for client in clients:
        client.close()

import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
asyncio.run(main())
""",
    )
    assert 2 <= int(told) <= 1100


def test_current_task(site: pathlib.Path) -> None:
    """Requests of one poll run in one task, which is the current one for nothing else."""
    told = run(
        site,
        """
import asyncio, socket
from fastapi import FastAPI
from fasterapi._compile import compile_app
from fasterapi._core import Worker

api, seen = FastAPI(), []

def see(who):
    task = asyncio.current_task()
    seen.append(f"{who} {task and tasks.setdefault(task, len(tasks))}")

@api.get("/")
async def root():
    see("root")

@api.get("/turn")
async def turn():
    see("turn")
    await asyncio.sleep(0)
    see("turned")

def asgi(scope, receive, send):
    see("called")
    return answer(send)

async def answer(send):
    see("asgi")
    await send({"type": "http.response.start", "status": 204})
    await send({"type": "http.response.body"})

async def main():
    ours, theirs = socket.socketpair()
    warn = lambda message: see("warning")
    worker = Worker(asgi, loop, routes=compile_app(api).table, on_warning=warn)
    worker.adopt(ours.detach())
    loop.add_reader(worker.fileno(), poll, worker)
    theirs.setblocking(False)
    get = "GET {} HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n".format
    paths = ["/", "/", "/%0A", "/", "/turn", "/", "/"]
    await loop.sock_sendall(theirs, ("".join(map(get, paths)) + "?\\r\\n\\r\\n").encode())
    while await loop.sock_recv(theirs, 65536):
        pass
    loop.remove_reader(worker.fileno())
    worker.close()

def poll(worker):
    see("before")
    worker.poll()
    see("after")

tasks = {}
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
print("\\n".join(line for line in seen if line not in ("before None", "after None")))
""",
    )
    first = ["root 0", "root 0", "called None", "asgi 0", "root 0", "turn 0", "turned 0"]
    assert told.split("\n")[:-1] == [*first, "root 0", "root 0", "warning None"]
