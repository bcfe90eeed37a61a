"""X-Forwarded-For and X-Forwarded-Proto: in every tier what uvicorn's middleware makes of them."""

import pathlib
import re
import subprocess
import sys

import compare
import peers
import pytest
from corpus import simple

# Each request goes to two workers: one that reads the fields itself, and one whose scope is then
# given to uvicorn's middleware.
AGAINST_UVICORN = r"""
import asyncio, copy, ipaddress, os, random, socket
from fasterapi import _core
from fasterapi._proxy import rules_of
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

RULES = ["*", ["*"], "", "127.0.0.1", "127.0.0.1, 10.0.0.0/8", "::1,2001:db8::/32,127.0.0.0/8", "unix:/x",
         "10.0.0.1/8,127.0.0.1", "127.0.0.1,x/y", ["127.0.0.1", "10.1.2.3"], "127.0.0.0/31,fe80::1%eth0,fe80::2",
         "0.0.0.0/0", "::/0,127.0.0.1,\xe9,::ffff:1.2.3.4", "127.0.0.1,10.128.0.0/255.192.0.0,fe80::/10,a,unknown"]
HOSTS = ["127.0.0.1", "10.1.2.3", "10.130.2.3", "10.255.0.0", "::1", "0:0::1", "2001:db8::5", "2001:DB8:0:0::5", "unix:/x",
         "x/y", "127.0.0.01", "1" * 300, "::ffff:127.0.0.1", "::ffff:1.2.3.4", "fe80::1%eth0", "fe80::2%eth0", "fe80::1%",
         "fe80::1%a%b", "fe80::1", "febf::", "fec0::", "::", ":::", "1::2::3", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::",
         "::2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8::", "1:2:3:4:5:6:7:8:9", "::1:2:3:4:5:6:1.2.3.4", "::1:2:3:4:5:1.2.3.4",
         "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3", ":1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:", "::12345",
         "::g", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.1000", "1..2.3", ".1.2.3", "1.2.3.", "+1.2.3.4", "0.0.0.0",
         "255.255.255.255", "a", "unknown", "\xe9", "", "\xb2.1.1.1", "127.0.0.1/8", "::%1/2"]
PORTS = ["", ":", ":80", ":-1", ": 80", ":0x1", ":x", ":1_0", ":\xa07", ":\xb2", ":99999999", ":" + "1" * 5000, ":1:2", "x", "]"]
PROTOS = ["http", "https", "ws", "wss", "HTTPS", " https\xa0", "gopher", "", "https,http", "httpss", "s"]
SPACES = ["", " ", "\t", "\x85", "\xa0 ", "  "]
N = int(os.environ.get("FA_FORWARDED", "400"))
rng = random.Random(int(os.environ.get("FA_SEED", "1")))

def entry():
    host = rng.choice(HOSTS)
    if rng.random() < 0.2:  # nearly an address
        host = "".join(rng.choice("0123456789abcdef::..%") for _ in range(rng.randrange(12)))
    if rng.random() < 0.1:
        host = str(ipaddress.ip_address(rng.getrandbits(rng.choice([32, 128])) & rng.getrandbits(128)))
    if rng.random() < 0.3:
        host = f"[{host}]"
    port = rng.choice(PORTS) if rng.random() < 0.4 else ""
    return rng.choice(SPACES) + host + port + rng.choice(SPACES)

def fields():
    found = [f"X-Forwarded-Proto: {rng.choice(PROTOS)}" for _ in range(rng.choice([0, 1, 1, 2]))]
    for _ in range(rng.choice([0, 1, 1, 2, 3])):
        found.append("x-forwarded-FOR: " + ",".join(entry() for _ in range(rng.randrange(1, 5))))
    found.append("X-Forwarded-Foo: 1")
    rng.shuffle(found)
    return [f.encode("latin-1") for f in found]

UPGRADE = [b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13",
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]

class Side:
    def __init__(self, loop, forwarded):
        self.loop, self.scopes = loop, []
        self.worker = _core.Worker(self.app, loop, forwarded=forwarded)
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.listener.setblocking(False)
        self.worker.listen(self.listener)
        loop.add_reader(self.worker.fileno(), self.worker.poll)

    async def app(self, scope, receive, send):
        self.scopes.append(scope)
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body"})
        else:
            await receive()
            await send({"type": "websocket.close"})

    async def ask(self, heads):
        self.scopes.clear()
        for head in heads:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.listener.getsockname()[1])
            writer.write(head)
            await reader.readuntil(b"\r\n\r\n")
            writer.close()
        return self.scopes

    def close(self):
        self.loop.remove_reader(self.worker.fileno())
        self.worker.close()
        self.listener.close()

async def nothing(*_):
    pass

async def main():
    loop = asyncio.get_running_loop()
    changed = 0
    for rule in RULES:
        ours, plain = Side(loop, rules_of(rule)), Side(loop, None)
        heads = []
        for _ in range(N // len(RULES) + 1):
            more = UPGRADE if rng.random() < 0.3 else []
            heads.append(b"\r\n".join([b"GET / HTTP/1.1", b"Host: x", *more, *fields(), b"", b""]))
        theirs = ProxyHeadersMiddleware(nothing, rule)
        for head, got, scope in zip(heads, await ours.ask(heads), await plain.ask(heads), strict=True):
            scope["client"] = (scope["client"][0], got["client"][1] if got["client"][0] == "127.0.0.1" else 0)
            wanted = copy.deepcopy(scope)
            await theirs(wanted, None, None)
            changed += wanted != scope
            for key in ("client", "scheme", "type", "headers"):
                if key == "client" and wanted[key] == scope[key] and got[key][0] == "127.0.0.1":
                    continue
                assert got[key] == wanted[key], (rule, head, key, got[key], wanted[key])
            assert list(got) == list(wanted)
        ours.close()
        plain.close()
    assert changed > N / 4, changed

asyncio.run(main())
"""


def test_rules(site: pathlib.Path) -> None:
    """All kinds of addresses and networks, right and nearly right."""
    done = subprocess.run(
        [sys.executable, "-c", AGAINST_UVICORN],
        env=peers.environment(site),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize(
    "wrong",
    [
        *("1", "()", "(1, frozenset(), (), frozenset())", "(True, set(), (), frozenset())"),
        *("(True, frozenset(), [], frozenset())", "(True, frozenset(), (), ())"),
        *("(True, frozenset(), (1,), frozenset())", "(True, frozenset(), ((b'1234', 33),), frozenset())"),
        *("(True, frozenset(), ((b'12345', 3),), frozenset())", "(True, frozenset(), ((b'1234', -1),), frozenset())"),
    ],
)
def test_wrong_rules(site: pathlib.Path, wrong: str) -> None:
    script = f"""
import asyncio
from fasterapi import _core
try:
    _core.Worker(print, asyncio.new_event_loop(), forwarded={wrong})
except TypeError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=peers.environment(site), capture_output=True, text=True
    )
    assert re.match("forwarded must be|a network is", done.stdout), (done.stdout, done.stderr)


FIELDS: tuple[tuple[str, ...], ...] = (
    (),
    ("X-Forwarded-For: 10.1.2.3",),
    ("X-Forwarded-For: 1.2.3.4:99, 10.1.2.3", "X-Forwarded-Proto: https"),
    ("X-Forwarded-Proto: wss", "x-forwarded-for: [2001:db8::1]:443"),
    ("X-Forwarded-For: unknown, 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Proto: https"),
)


@pytest.mark.parametrize("allowed", ["127.0.0.1,10.0.0.0/8", "*", "10.0.0.1"])
@pytest.mark.parametrize("app", ["compiled", "behind", "https"])
def test_tiers(
    app: str, allowed: str, site: pathlib.Path, tmp_path: pathlib.Path, report: compare.Report
) -> None:
    """The client and the scheme, in answers, redirects and the access log."""
    options = (f"forwarded_app:{app}", "--forwarded-allow-ips", allowed)
    paths = ("/", "/who", "/sync", "/slash", "/slash/", "/missing", "/q?i=x", "/fails")
    cases = [simple(path, "GET", *fields) for path in paths for fields in FIELDS]
    with compare.pair(site, tmp_path, *options, env={"FASTERAPI_ENGINE": "auto"}) as servers:
        # Pages of the documentation are compiled where no middleware is around them.
        assert compare.tiers_of(servers.ours)[0] == (10 if app == "compiled" else 6)
        compare.check(servers, f"forwarded {app}", cases, report)


def test_off(site: pathlib.Path, tmp_path: pathlib.Path, report: compare.Report) -> None:
    options = ("forwarded_app:compiled", "--no-proxy-headers")
    cases = [simple("/who", "GET", *fields) for fields in FIELDS]
    with compare.pair(site, tmp_path, *options, env={"FASTERAPI_ENGINE": "auto"}) as servers:
        compare.check(servers, "forwarded off", cases, report)
