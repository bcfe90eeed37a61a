"""Where the listening sockets of a server come from, and what it tells those who manage
services."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import time

import peers
import pytest
from life import get
from patience import HANGS_S, until
from test_processes import OPTIONS, answering, has, workers

WORKERS = [[], ["--workers", "2"]]


@pytest.mark.parametrize("more", WORKERS, ids=str)
@pytest.mark.parametrize(("given", "mode"), [([], 0o666), (["--uds-permissions", "660"], 0o660)])
def test_uds(
    site: pathlib.Path, tmp_path: pathlib.Path, more: list[str], given: list[str], mode: int
) -> None:
    path = tmp_path / "server.sock"
    with workers(site, tmp_path / "logs", "--uds", str(path), *given, *more) as server:
        assert len(answering(server)) == (2 if more else 1)
        assert stat.S_IMODE(path.stat().st_mode) == mode
        if more:
            server.process.send_signal(signal.SIGHUP)
            until(lambda: server.text("err").count("Terminated child") == 2)
            until(lambda: len(answering(server)) == 2)
        server.stop()
    assert not path.exists()


@contextlib.contextmanager
def started(site: pathlib.Path, logs: pathlib.Path, sockets: list[socket.socket], *options, **env):
    """A server that gets these sockets as a service manager passes them: from 3 on. Two of
    its variables name the process, so it is a shell that starts it."""
    logs.mkdir(exist_ok=True)
    fds = [s.fileno() for s in sockets]
    # Out of the way first: one of them may be where another belongs.
    moves = [f"{30 + i}<&{fd}" for i, fd in enumerate(fds)]
    moves += [f"{3 + i}<&{30 + i}" for i in range(len(fds))]
    script = "exec " + " ".join(moves) + '; export LISTEN_PID=$$ WATCHDOG_PID=$$; exec "$@"'
    command = ["bash", "-c", script, "bash", *peers.command("fasterapi"), *options]
    with open(logs / "out", "w") as out, open(logs / "err", "w") as err:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=err,
            cwd=peers.APPS,
            env=peers.environment(site, LISTEN_FDS=str(len(fds)), **env),
            pass_fds=fds,
        )
    server = peers.Server(process, logs, 0)
    try:
        until(lambda: process.poll() is not None or "(Press CTRL+C" in server.text("err"))
        assert process.poll() is None, server.text("err")
        yield server
    finally:
        if process.poll() is None:
            server.stop()


def listening() -> socket.socket:
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen()
    return s


@pytest.mark.parametrize("more", WORKERS, ids=str)
def test_socket_activation(site: pathlib.Path, tmp_path: pathlib.Path, more: list[str]) -> None:
    with listening() as first, listening() as second:
        ports = [s.getsockname()[1] for s in (first, second)]
        with started(site, tmp_path, [first, second], *OPTIONS, *more) as server:
            for server.port in ports:
                found = answering(server)
                assert found
                assert str(server.port) in server.text("err")
                # What was for the server is not for the programs that workers start.
                worker = pathlib.Path(f"/proc/{found.pop()}/environ").read_bytes()
                assert (b"LISTEN_PID" in worker) is (not more)
        with socket.create_connection(("127.0.0.1", ports[0])):
            pass  # the manager's socket stays open


def test_sockets_for_others_are_left_alone(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    env = {"LISTEN_PID": "1", "LISTEN_FDS": "1"}
    with workers(site, tmp_path, env=env) as server:
        assert server.port != 0
        assert get(server, "/").status == 200


@pytest.mark.parametrize("more", WORKERS, ids=str)
def test_fd(site: pathlib.Path, tmp_path: pathlib.Path, more: list[str]) -> None:
    with listening() as given:
        options = [*OPTIONS, "--fd", str(given.fileno()), *more]
        with open(tmp_path / "err", "w") as err, open(tmp_path / "out", "w") as out:
            process = subprocess.Popen(
                [*peers.command("fasterapi"), *options],
                pass_fds=[given.fileno()],
                env=peers.environment(site),
                cwd=peers.APPS,
                stderr=err,
                stdout=out,
            )
        server = peers.Server(process, tmp_path, given.getsockname()[1])
        try:
            assert len(answering(server)) >= 1
            if more:
                until(lambda: len(answering(server)) == 2)
        finally:
            server.stop()
        assert has(server, "running on socket ('127.0.0.1', ")


def test_not_a_socket(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    for more in WORKERS:
        with open(tmp_path / "file", "w") as file:
            done = subprocess.run(
                [*peers.command("fasterapi"), *OPTIONS, "--fd", str(file.fileno()), *more],
                pass_fds=[file.fileno()],
                env=peers.environment(site),
                cwd=peers.APPS,
                capture_output=True,
                text=True,
                timeout=HANGS_S,
            )
        assert done.returncode == 3
        assert "Socket operation on non-socket" in done.stderr
        assert "Traceback" not in done.stderr


class Manager:
    """Whom NOTIFY_SOCKET leads to."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + path[1:] if path.startswith("@") else path)
        self.socket.settimeout(HANGS_S)

    def next(self, *, but: str = "WATCHDOG=1") -> str:
        while (told := self.socket.recv(4096).decode()) == but:
            pass
        return told


@pytest.mark.parametrize("abstract", [False, True])
def test_notify(site: pathlib.Path, tmp_path: pathlib.Path, abstract: bool) -> None:
    path = f"@fasterapi-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    manager = Manager(path)
    options = [*OPTIONS, "--workers", "2"]
    env = {"NOTIFY_SOCKET": path}
    with manager.socket, started(site, tmp_path / "logs", [], *options, **env) as server:
        assert manager.next().startswith("READY=1\nSTATUS=2 workers\nMAINPID=")
        assert server.text("err").count("Started server") == 2
        server.process.send_signal(signal.SIGHUP)
        assert re.match(r"RELOADING=1\nMONOTONIC_USEC=\d+\n", manager.next())
        assert manager.next().startswith("READY=1\n")
        assert server.text("err").count("Terminated child") == 2
        server.stop()
        assert manager.next().startswith("STOPPING=1\n")


def test_notify_by_one_process(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """WATCHDOG=1 comes from the event loop: a blocked one does not send it."""
    path = str(tmp_path / "notify")
    manager = Manager(path)
    env = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "600000"}
    with manager.socket, started(site, tmp_path / "logs", [], *OPTIONS, **env) as server:
        assert manager.next().startswith("READY=1\nSTATUS=Serving\n")
        assert manager.next(but="") == "WATCHDOG=1"
        port = int(re.search(r":(\d+) \(Press", server.text("err"))[1])
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.sendall(b"GET /block?s=1.5 HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.3)
            manager.socket.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    manager.socket.recv(4096)
            time.sleep(0.8)
            with pytest.raises(BlockingIOError):
                manager.socket.recv(4096)
            s.settimeout(HANGS_S)
            assert s.recv(100)
        manager.socket.settimeout(HANGS_S)
        assert manager.next(but="") == "WATCHDOG=1"
        server.stop()
        assert manager.next().startswith("STOPPING=1\n")


def test_watchdog_of_the_supervisor(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "notify")
    manager = Manager(path)
    env = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "600000"}
    options = [*OPTIONS, "--workers", "2"]
    with manager.socket, started(site, tmp_path / "logs", [], *options, **env):
        assert manager.next().startswith("READY=1\n")
        for _ in range(3):
            assert manager.next(but="") == "WATCHDOG=1"
