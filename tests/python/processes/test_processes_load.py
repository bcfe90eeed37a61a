"""What is lost, counted by the challenge's client, when workers go under load. All workers
count in memory that they share, so that nothing they acknowledged can hide."""

import collections
import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import time

import peers
from patience import HANGS_S, until
from test_processes import alive, answering, has

OPTIONS = [
    *("process_apps:counter", "--port", "0", "--interface", "asgi3", "--lifespan", "off"),
    "--no-access-log",
]


@dataclasses.dataclass
class Load:
    server: peers.Server
    client: subprocess.Popen

    def workers(self) -> list[int]:
        """Of those that serve, in the order of their start."""
        children = pathlib.Path(f"/proc/{self.server.process.pid}/task/{self.server.process.pid}")
        return [int(pid) for pid in (children / "children").read_text().split()]

    def result(self) -> dict:
        out, err = self.client.communicate(timeout=HANGS_S)
        assert out, err
        return json.loads(out)


@contextlib.contextmanager
def load(
    site: pathlib.Path, build: pathlib.Path, tmp_path: pathlib.Path, *more: str, requests: int,
    rate: int, connections: int = 32, options: tuple[str, ...] = ("--workers", "2"),
):
    env = {"FA_TOTALS": str(tmp_path / "totals")}
    with peers.serving("fasterapi", site, tmp_path / "logs", *OPTIONS, *options, env=env) as server:
        until(lambda: server.text("err").count("Started server") == 2)
        time.sleep(0.5)
        command = [build / "challenge" / "fasterapi-challenge", f"http://127.0.0.1:{server.port}"]
        command += ["-n", requests, "-r", rate, "-c", connections, "--json", "--progress", 0, *more]
        client = subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            time.sleep(0.5)
            yield Load(server, client)
        finally:
            client.kill()
            client.communicate()


def replacements(server: peers.Server) -> int:
    return server.text("err").count("Terminated child process")


# FA_HANGUPS=20 makes it a soak.
HANGUPS = int(os.environ.get("FA_HANGUPS", "3"))


def test_hangups_lose_nothing(site, python_build, tmp_path) -> None:
    requests = 4000 + 2500 * HANGUPS
    with load(site, python_build, tmp_path, requests=requests, rate=2000) as under:
        for count in range(1, HANGUPS + 1):
            under.server.process.send_signal(signal.SIGHUP)
            until(lambda: replacements(under.server) == 2 * count)
        assert under.client.poll() is None, "the load ended too soon to tell"
        result = under.result()
    assert result["verdict"] == "exact", result
    assert result["acknowledged"] == requests
    assert result["errors"]["total"] == result["in_doubt"] == result["resent"] == 0
    assert result["reopened"] > 0  # they were asked to, and did


def test_max_requests_lose_nothing(site, python_build, tmp_path) -> None:
    options = ("--workers", "2", "--limit-max-requests", "1000")
    with load(site, python_build, tmp_path, requests=8000, rate=2000, options=options) as under:
        result = under.result()
        assert replacements(under.server) >= 3
    assert result["verdict"] == "exact", result
    assert result["errors"]["total"] == result["in_doubt"] == 0


def test_killed_worker_loses_what_it_was_at(site, python_build, tmp_path) -> None:
    """Each connection has one request under way: no more than those are in doubt, and
    what was acknowledged is counted."""
    with load(site, python_build, tmp_path, "--retry", requests=8000, rate=2000) as under:
        for _ in range(3):
            os.kill(under.workers()[0], signal.SIGKILL)
            time.sleep(0.6)
        assert under.client.poll() is None, "the load ended too soon to tell"
        result = under.result()
        assert has(under.server, "killed by SIGKILL")
    assert result["acknowledged"] == 8000, result
    assert result["in_doubt"] <= 3 * 32
    assert result["errors"]["connect"] == result["errors"]["refused"] == 0
    total = result["totals"]["totalRequests"]
    assert 8000 <= total["got"] <= 8000 + result["in_doubt"], result
    assert result["verdict"] == "exact", result


def test_stop_under_load_acknowledges_what_it_counts(site, python_build, tmp_path) -> None:
    """Whoever got an answer was counted, and whoever was counted got one, though the
    connections of the clients come and go."""
    with load(site, python_build, tmp_path, requests=20000, rate=2000) as under:
        time.sleep(0.5)
        under.server.stop()
        result = under.result()
    rows = (tmp_path / "totals").read_bytes()[: 1000 * 16]
    counted = sum(int.from_bytes(rows[at : at + 8], "little") for at in range(0, len(rows), 16))
    assert counted == result["acknowledged"] > 500, result
    assert result["in_doubt"] == 0


def test_connections_are_spread(site, tmp_path) -> None:
    """Over workers that share a socket, though one of them is always awake first."""
    options = ["process_apps:app", *OPTIONS[1:], "--workers", "4"]
    with (
        contextlib.ExitStack() as stack,
        peers.serving("fasterapi", site, tmp_path, *options) as server,
    ):
        until(lambda: len(answering(server)) == 4)
        clients = [stack.enter_context(server.connect()) for _ in range(100)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        found = collections.Counter(
            peers.answer_of(peers.Reader(client), "GET").body for client in clients
        )
    assert len(found) == 4
    assert min(found.values()) >= 10 and max(found.values()) <= 50, found


def test_no_descriptors_left(site, python_build, tmp_path) -> None:
    """More clients than descriptors: no spinning, and all is well when they go."""
    env = {"FA_TOTALS": str(tmp_path / "totals")}
    limited = ["bash", "-c", 'ulimit -n 64; exec "$@"', "bash"]
    with (
        contextlib.ExitStack() as stack,
        peers.serving(
            "fasterapi", site, tmp_path, *OPTIONS, "--workers", "2", env=env, prefix=limited
        ) as server,
    ):
        until(lambda: server.text("err").count("Started server") == 2)
        crowd = [stack.enter_context(server.connect()) for _ in range(200)]
        until(lambda: has(server, "no file descriptors left"))
        under = Load(server, None)
        ticks = sum(map(cpu_ticks, under.workers()))
        time.sleep(1)
        used = sum(map(cpu_ticks, under.workers())) - ticks
        assert used < 0.2 * os.sysconf("SC_CLK_TCK"), "spins"
        assert server.text("err").count("no file descriptors left") < 100
        for client in crowd:
            client.close()
        with server.connect() as s:
            s.settimeout(HANGS_S)
            s.sendall(b"GET /stats HTTP/1.1\r\nHost: x\r\n\r\n")
            assert peers.answer_of(peers.Reader(s), "GET").status == 200
        assert all(map(alive, under.workers()))


def cpu_ticks(pid: int) -> int:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
