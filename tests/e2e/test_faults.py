"""What goes wrong around a server: descriptors run out, clients crash, stderr is gone."""

import contextlib
import os
import socket
import subprocess
import time

import pytest
from life import get, post, sanitized, serving

THREADS = pytest.mark.parametrize("threads", [1, 2])


@THREADS
def test_no_descriptors_left(build_dir, threads):
    """No spinning, those who are in are served, and later the others too."""
    with serving(build_dir, f"--threads={threads}", descriptors=40) as server:
        old = server.connect()
        assert old.ask(get())[0] == 200
        crowd = [server.connect() for _ in range(60)]  # the kernel completes them all
        time.sleep(0.2)
        assert server.descriptors() <= 40
        before = server.cpu_seconds()
        for _ in range(10):
            assert old.ask(get())[0] == 200
            time.sleep(0.1)
        assert server.cpu_seconds() - before < (0.5 if sanitized(build_dir) else 0.2)
        served = 0
        for client in crowd:  # as those who are in leave, the next come in
            assert client.ask(get())[0] == 200
            client.socket.close()
            served += 1
        assert served == 60
        assert old.ask(get())[0] == 200
        old.socket.close()
        assert server.get()[0] == 200


def settled(server) -> int:
    """Descriptors once the server has noticed who is gone, the one who asks included."""
    server.wait_for(lambda n: n["connections_open"] == 1 and n["active"] == 1)
    samples = []
    for _ in range(10):
        time.sleep(0.02)
        samples.append(server.descriptors())
    return min(samples)


@THREADS
def test_clients_that_crash(build_dir, threads):
    """RST at every stage, thousands of times: descriptors and memory come back."""

    def crash(i: int) -> None:
        client = server.connect()
        kinds = [
            lambda: client.send(get()[:20]),
            lambda: client.send(post("/", b"x" * 1000)[:-500]),
            lambda: client.send(post("/upload", b"x" * 100_000)[:-500]),
            lambda: client.send(get("/large?bytes=3000000")),
            lambda: client.send(get("/stream?bytes=3000000")),
            lambda: client.send(get("/deferred?ms=20")),
            lambda: client.send(get() * 20),
            lambda: client.send(get("/upgrade", "connection: upgrade", "upgrade: echo") + b"x"),
        ]
        kinds[i % len(kinds)]()
        if i % 3 == 0:
            with contextlib.suppress(OSError):
                client.socket.settimeout(0.002)
                client.socket.recv(1000)
        client.reset()

    with serving(build_dir, f"--threads={threads}") as server:
        many = 800 if sanitized(build_dir) else 3000
        for i in range(many):
            crash(i)
        descriptors, memory = settled(server), server.rss_kib()
        for i in range(many):
            crash(i)
        assert settled(server) == descriptors
        if not sanitized(build_dir):
            assert server.rss_kib() < memory + 4096
        assert server.get()[0] == 200


def test_half_closed_client_is_answered(build_dir):
    """A client that ends its side after the request is not gone yet."""
    with serving(build_dir) as server:
        with server.connect() as client:
            client.send(get() * 3)
            client.socket.shutdown(socket.SHUT_WR)
            assert [client.read()[0] for _ in range(3)] == [200] * 3
            assert client.closed_within()


def test_closed_stderr(build_dir):
    """Warnings that nobody can read must not end the server, nor reach a client."""
    with serving(build_dir, before=lambda: os.close(2)) as server:
        for _ in range(20):
            with server.connect() as client:
                client.send(b"rubbish\r\n\r\n")
                assert client.read()[0] == 400
                assert client.closed_within()
            assert server.get() == (200, b"ok")


def test_stderr_without_reader(build_dir):
    """The reader of the log has gone: no SIGPIPE."""
    if sanitized(build_dir):
        pytest.skip("the sanitizer's reports need somebody who reads them")
    reader, writer = os.pipe()
    with serving(build_dir, stderr=writer) as server:
        os.close(writer)
        os.close(reader)
        for _ in range(20):
            with server.connect() as client:
                client.send(b"rubbish\r\n\r\n")
                assert client.read()[0] == 400
        assert server.get() == (200, b"ok")


def test_stopped_and_continued(build_dir):
    """Interrupted system calls (EINTR) all over the place."""
    with serving(build_dir, "--threads=2") as server:
        with server.connect() as client:
            for _ in range(50):
                subprocess.run(["kill", "-STOP", str(server.process.pid)], check=True)
                client.send(get("/large?bytes=300000"))
                subprocess.run(["kill", "-CONT", str(server.process.pid)], check=True)
                assert client.read() == (200, b"l" * 300000)
