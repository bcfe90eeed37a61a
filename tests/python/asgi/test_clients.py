"""The clients that people use: each does its usual work on both servers, with the same
results, over the same number of connections."""

import asyncio
import http.client
import itertools
import json
import pathlib
import re
import shutil
import subprocess
import urllib.request

import aiohttp
import compare
import httpx
import patience
import peers
import pytest
import requests

MEGABYTE = b"0123456789abcdef" * 65536


def read_of(body: bytes | str) -> tuple[int, str]:
    """Of what /echo has read: how much, and how it begins."""
    text = json.loads(body)[0]
    return len(text), text[:8]


def use_httpx(url: str) -> list:
    told = []
    with httpx.Client(base_url=url) as client:
        told += [client.get("/status?404").status_code, client.head("/stream").status_code]
        told.append(client.get("/stream").text)
        told.append(read_of(client.post("/echo", content=MEGABYTE).content))
        told.append(read_of(client.post("/echo", content=iter([b"one", b"two"])).content))
        with client.stream("GET", "/large") as answer:
            told.append(sum(map(len, answer.iter_bytes())))
        told.append(client.get("/status?204").content)

    async def many() -> list:
        async with httpx.AsyncClient(base_url=url) as client:
            answers = await asyncio.gather(*(client.get(f"/many/{n}") for n in range(40)))
            return [answer.status_code for answer in answers]

    return [*told, asyncio.run(many())]


def use_aiohttp(url: str) -> list:
    async def generated():
        for n in range(10):
            yield b"%d" % n * 1000

    async def work() -> list:
        told = []
        async with aiohttp.ClientSession(url) as session:
            async with session.get("/stream") as answer:
                told.append(await answer.text())
            async with session.post("/echo", data=MEGABYTE, expect100=True) as answer:
                told.append(read_of(await answer.text()))
            async with session.post("/echo", data=generated()) as answer:
                told.append(read_of(await answer.text()))
            async with session.get("/large") as answer:
                told.append(len(await answer.read()))
            async with session.head("/closes") as answer:
                told.append(answer.status)

            async def one(n: int) -> int:
                async with session.get(f"/many/{n}") as answer:
                    await answer.read()
                    return answer.status

            told.append(await asyncio.gather(*map(one, range(40))))
        return told

    return asyncio.run(work())


def use_requests(url: str) -> list:
    with requests.Session() as session:
        session.trust_env = False
        told = [session.get(url + "/stream").text, session.get(url + "/status?503").status_code]
        told.append(read_of(session.post(url + "/echo", data=MEGABYTE).content))
        told.append(read_of(session.post(url + "/echo", data=iter([b"one", b"two"])).content))
        with session.get(url + "/large", stream=True) as answer:
            told.append(sum(map(len, answer.iter_content(10_000))))
        told.append(session.get(url + "/closes").headers["connection"])
        told.append(session.options(url + "/told").status_code)
    return told


def use_http_client(url: str) -> list:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=patience.HANGS_S)
    told = []
    connection.request("POST", "/echo", iter([b"a", b"b" * 5000]), encode_chunked=True)
    told.append(read_of(connection.getresponse().read()))
    connection.putrequest("POST", "/echo")
    connection.putheader("Content-Length", "300")
    connection.endheaders()
    for n in range(100):  # odd splits
        connection.send(b"%03d" % n)
    told.append(read_of(connection.getresponse().read()))
    connection.request("HEAD", "/large")
    told.append(connection.getresponse().headers["content-length"])
    connection.close()
    with urllib.request.urlopen(url + "/stream", timeout=patience.HANGS_S) as answer:
        told.append(answer.read())
    return told


def use_1_0(url: str) -> list:
    """As old clients and health checks do."""

    class Old(http.client.HTTPConnection):
        _http_vsn, _http_vsn_str = 10, "HTTP/1.0"

    told = []
    for path in ("/stream", "/large", "/status?204", "/no-headers"):
        connection = Old(url.removeprefix("http://"), timeout=patience.HANGS_S)
        connection.request("GET", path, headers={"Connection": "keep-alive"})
        answer = connection.getresponse()
        told.append((answer.status, len(answer.read()), answer.will_close))
        connection.close()
    return told


def curl(*arguments: str, data: bytes = b"") -> str:
    done = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--max-time", str(patience.HANGS_S), *arguments],
        input=data,
        capture_output=True,
    )
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout.decode()


def use_curl(url: str) -> list:
    data = ("--data-binary", "@-")
    told = [curl(url + "/stream", url + "/context", "-w", "%{num_connects} %{http_code}\n")]
    told.append(read_of(curl(*data, url + "/echo", data=MEGABYTE)))  # with Expect
    told.append(read_of(curl("-T", "-", "-X", "POST", url + "/echo", data=MEGABYTE)))  # chunked
    expects = curl("-H", "Expect: 100-continue", "-i", *data, url + "/echo", data=b"small")
    told.append(expects.splitlines()[0])
    told.append(curl("-I", url + "/large").splitlines()[0])
    told.append(len(curl("--http1.0", url + "/stream")))
    told.append(curl("--path-as-is", url + "/told/../a%2Fb?c#d")[-20:])
    told.append(curl("-X", "PURGE", "-o", "/dev/null", "-w", "%{http_code}", url + "/told"))
    told.append(curl("-F", "a=1", "-F", "f=@-;filename=n", url + "/echo", data=b"x")[:3])
    return told


def use_ab(url: str) -> list:
    told = []
    for options in (["-k"], [], ["-k", "-p", str(peers.APPS / "apps.py"), "-T", "text/plain"]):
        done = subprocess.run(
            ["ab", "-q", "-n", "200", "-c", "8", *options, url + "/told"],
            capture_output=True,
            text=True,
            timeout=patience.HANGS_S,
        )
        assert done.returncode == 0, done.stderr
        found = r"(Complete requests|Failed requests|Non-2xx responses|Keep-Alive requests): +(\d+)"
        told.append(dict(re.findall(found, done.stdout)))
        assert told[-1]["Complete requests"] == "200"
    return told


CLIENTS = {
    "httpx": use_httpx,
    "aiohttp": use_aiohttp,
    "requests": use_requests,
    "http.client": use_http_client,
    "HTTP/1.0": use_1_0,
    "curl": use_curl,
    "ab": use_ab,
}
POOLS = ("httpx", "aiohttp")  # 40 requests at once
COUNTS = ("ab",)  # says itself what was kept; the kernel gives so many connections a port twice
PROGRAMS = ("curl", "ab")


@pytest.fixture(scope="module")
def servers(site: pathlib.Path, tmp_path_factory: pytest.TempPathFactory):
    logs = tmp_path_factory.mktemp("clients")
    with compare.pair(site, logs, "apps:app", "--interface", "asgi3") as found:
        yield found


def ports(server: peers.Server) -> list[str]:
    """Of the requests since the last time, by the log; it is written before the answer is."""
    log = compare.new_text(server, "out")
    server.seen["out"] += len(log)
    return re.findall(r"127\.0\.0\.1:(\d+) - ", log)


def connections(ports: list[str]) -> int:
    """Of a client that opens one after the other: the kernel may give a port again, but not to
    the next."""
    return sum(1 for _ in itertools.groupby(ports))


@pytest.mark.parametrize("name", CLIENTS)
def test_client(servers: compare.Pair, name: str) -> None:
    if name in PROGRAMS and shutil.which(name) is None:
        pytest.skip(f"{name} is not installed: its requests not made")
    results, used = [], []
    for server in servers:
        results.append(CLIENTS[name](f"http://127.0.0.1:{server.port}"))
        used.append(ports(server))
    assert results[1] == results[0]
    if name in POOLS:  # it may take one of them twice
        assert 2 <= len(set(used[1])) <= 41
    elif name not in COUNTS:
        assert connections(used[1]) == connections(used[0]) > 0
