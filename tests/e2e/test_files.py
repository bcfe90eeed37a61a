"""Answers out of files: every size, framing and reader, and files that change meanwhile."""

import os
import pathlib
import threading
import time
from urllib.parse import urlencode

import patience
import pytest
from server import Server, get, sanitized, serving

MIB = 1 << 20


@pytest.fixture(scope="module")
def server(build_dir):
    with serving(build_dir) as running:
        running.ask(get("/hello"))  # it has all descriptors that it needs itself
        yield running


@pytest.fixture(scope="module")
def pattern() -> bytes:
    """No part of it looks like another part."""
    return b"".join(b"%07x," % i for i in range(MIB // 8))


def file_of(directory: pathlib.Path, data: bytes, name: str = "data") -> pathlib.Path:
    path = directory / name
    path.write_bytes(data)
    return path


def asked(path: object, method: str = "GET", version: str = "1.1", **options) -> bytes:
    query = urlencode({"path": path, **options})
    return get(f"/file?{query}", method=method, version=version)


def descriptors(server: Server) -> int:
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def wait_for_descriptors(server: Server, n: int) -> None:
    patience.until(lambda: descriptors(server) == n, lambda: (descriptors(server), n))


SIZES = [0, 1, 100, 8192, 8193, 16384, 65536, 262144, 262145, 1_000_000]


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("patient", [0, 1])
def test_sizes_and_framings(server: Server, tmp_path, pattern, n, patient):
    path = file_of(tmp_path, pattern[:n])
    whole = b"[" + pattern[:n] + b"]"
    before = descriptors(server)
    with server.connect() as client:
        for declared in (len(whole), -1):
            for parts in (1, 3):
                want = declared * parts if declared > 0 else -1
                options = {"declared": want, "parts": parts, "patient": patient or int(parts > 1)}
                answer = client.ask(asked(path, **options))
                assert answer.complete and answer.body == whole * parts
                assert (answer.get("transfer-encoding") == "chunked") == (want < 0)
                answer = client.ask(asked(path, "HEAD", **options), method="HEAD")
                assert answer.status == 200 and answer.body == b""
        assert client.ask(get("/hello")).body == b"hello"
    answer = server.ask(asked(path, "GET", "1.0", patient=patient))
    assert answer.body == whole
    wait_for_descriptors(server, before)


@pytest.mark.parametrize(
    ("offset", "length"),
    [
        (0, 0),
        (0, 1),
        (10, -1),
        (999_990, 10),
        (1_000_000, 0),
        (1_000_000, -1),
        (5, 500_000),
        (-1, 7),
    ],
)
def test_parts(server: Server, tmp_path, pattern, offset, length):
    path = file_of(tmp_path, pattern[:1_000_000])
    begin = max(offset, 0)
    part = pattern[begin : begin + length if length >= 0 else 1_000_000]
    answer = server.ask(asked(path, offset=offset, length=length))
    assert answer.complete and answer.body == b"[" + part + b"]"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"offset": -2}, -2),
        ({"length": -2}, -2),
        ({"offset": 101}, -2),
        ({"length": 101}, -2),
        ({"offset": 1, "length": 100}, -2),
        ({"offset": 1 << 62, "length": 1 << 62}, -2),
        ({"declared": 50}, -2),
        ({"write": 1}, -2),
        ({"path": "/"}, -2),
        ({"path": "/does/not/exist"}, -2),
    ],
)
def test_what_cannot_be_sent_is_refused(server: Server, tmp_path, pattern, options, error):
    path = file_of(tmp_path, pattern[:100])
    after = len(server.events)
    before = descriptors(server)
    answer = server.ask(asked(**{"path": path, "patient": 1, **options}))
    assert not answer.complete and len(answer.body) <= 1
    server.wait_event(rf"^file-done {error}$", after)
    wait_for_descriptors(server, before)


def test_files_without_a_size(server: Server):
    answer = server.ask(asked("/proc/self/status"))
    assert answer.complete and b"VmRSS" in answer.body
    with pytest.raises(ConnectionResetError):
        server.ask(asked("/proc/self/status", declared=1_000_000))
    assert server.ask(asked("/dev/zero", declared=1_000_002, length=1_000_000)).body == (
        b"[" + bytes(1_000_000) + b"]"
    )


def test_second_file_has_to_wait(server: Server, tmp_path, pattern):
    """More than sockets hold, so that it is surely under way."""
    data = pattern * 20
    path = file_of(tmp_path, data)
    after = len(server.events)
    with server.connect(rcvbuf=4096) as client:
        client.send(asked(path) + get("/hello"))
        server.wait_event(r"^second -3$", after)
        assert client.answer().body == b"[" + data + b"]"
        server.wait_event(r"^file-done 0$", after)
        assert client.answer().body == b"hello"


@pytest.mark.parametrize("patient", [0, 1])
def test_pipelined_behind_files(server: Server, tmp_path, pattern, patient):
    large, small = file_of(tmp_path, pattern), file_of(tmp_path, b"small", "small")
    with server.connect(rcvbuf=4096) as client:
        for _ in range(3):
            client.send(
                asked(large, patient=patient)
                + get("/hello")
                + asked(small, patient=patient)
                + asked(large, declared=MIB + 2, patient=patient)
                + get("/hello")
            )
        for _ in range(3):
            assert client.answer().body == b"[" + pattern + b"]"
            assert client.answer().body == b"hello"
            assert client.answer().body == b"[small]"
            assert client.answer().body == b"[" + pattern + b"]"
            assert client.answer().body == b"hello"


def test_100_mib_flat(server: Server, build_dir, tmp_path, pattern):
    count = 10 if sanitized(build_dir) else 100
    path = file_of(tmp_path, pattern * count)
    before = server.peak_memory_kib()
    for declared in (-1, count * MIB + 2):
        with server.connect() as client:
            client.send(asked(path, declared=declared))
            answer = client.answer()
            assert len(answer.body) == count * MIB + 2
            assert answer.body[1:-1] == pattern * count
    assert server.peak_memory_kib() - before < 4096


def test_slow_readers_do_not_hold_up_others(server: Server, tmp_path, pattern):
    path = file_of(tmp_path, pattern * 8)
    clients = [server.connect(rcvbuf=4096) for _ in range(20)]
    for client in clients:
        client.send(asked(path))
    begin = time.monotonic()
    assert server.ask(get("/hello")).body == b"hello"
    assert time.monotonic() - begin < 2
    for client in clients[:4]:
        assert client.answer().body == b"[" + pattern * 8 + b"]"
    for client in clients:
        client.close()


@pytest.mark.parametrize("patient", [0, 1])
def test_half_closed_clients_get_all(server: Server, tmp_path, pattern, patient):
    path = file_of(tmp_path, pattern * 8)
    with server.connect(rcvbuf=4096) as client:
        client.send(asked(path, patient=patient) + get("/hello"))
        client.finish_sending()
        assert client.answer().body == b"[" + pattern * 8 + b"]"
        assert client.answer().body == b"hello"
        assert client.at_end()


@pytest.mark.parametrize("reset", [False, True])
def test_client_gone_in_the_middle(server: Server, tmp_path, pattern, reset):
    path = file_of(tmp_path, pattern * 20)
    before = descriptors(server)
    after = len(server.events)
    for patient in (0, 1):
        for _ in range(10):
            client = server.connect(rcvbuf=4096)
            client.send(asked(path, patient=patient))
            assert client.take(1000)
            client.reset() if reset else client.close()
    wait_for_descriptors(server, before)
    server.wait_event(r"^file-finish -6$", after)
    assert server.ask(get("/hello")).body == b"hello"


@pytest.mark.parametrize(("version", "declared"), [("1.1", 20 * MIB + 2), ("1.1", -1), ("1.0", -1)])
def test_a_file_that_gets_shorter(server: Server, tmp_path, pattern, version, declared):
    path = file_of(tmp_path, pattern * 20)
    before = descriptors(server)
    with server.connect(rcvbuf=4096) as client:
        client.send(asked(path, "GET", version, declared=declared))
        assert client.take(1000)
        os.truncate(path, 1000)
        # Even where the end of the connection would end the answer.
        with pytest.raises(ConnectionResetError):
            while client.take(1 << 16):
                pass
    server.wait_log(r"broken off: the file ended too early")
    wait_for_descriptors(server, before)


# ---- pipes ----


@pytest.fixture
def fifo(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def test_a_pipe_goes_out_as_it_comes(server: Server, fifo, pattern):
    before = descriptors(server)
    with server.connect() as client:
        client.send(asked(fifo) + get("/hello"))
        with open(fifo, "wb", buffering=0) as pipe:
            answer = client.head()
            assert answer.get("transfer-encoding") == "chunked"
            assert client.take(6) == b"1\r\n[\r\n"
            assert client.silent()
            for piece in (b"one", b"two"):
                pipe.write(piece)
                assert client.take(8) == b"3\r\n%b\r\n" % piece
                assert client.silent()
        assert client.take(11) == b"1\r\n]\r\n0\r\n\r\n"
        assert client.answer().body == b"hello"
    wait_for_descriptors(server, before)


@pytest.mark.parametrize("declared", [-1, 3 * MIB + 2])
@pytest.mark.parametrize("rcvbuf", [0, 4096])
def test_much_through_a_pipe(server: Server, fifo, pattern, declared, rcvbuf):
    def fill() -> None:
        with open(fifo, "wb") as pipe:
            pipe.write(pattern * 3)

    writer = threading.Thread(target=fill)
    with server.connect(rcvbuf=rcvbuf) as client:
        length = declared - 2 if declared > 0 else -1
        client.send(asked(fifo, declared=declared, length=length, patient=1))
        writer.start()
        assert client.answer().body == b"[" + pattern * 3 + b"]"
        writer.join()


def test_a_pipe_that_ends_too_early(server: Server, fifo):
    with server.connect() as client:
        client.send(asked(fifo, declared=100))
        with open(fifo, "wb") as pipe:
            pipe.write(b"short")
        with pytest.raises(ConnectionResetError):
            client.answer()
            client.at_end()


def test_client_gone_while_a_pipe_is_silent(server: Server, fifo):
    before = descriptors(server)
    with server.connect() as client:
        client.send(asked(fifo, patient=1))
        with open(fifo, "wb"):
            client.head()
            client.reset()
            wait_for_descriptors(server, before)


def test_a_silent_pipe_is_not_the_clients_slowness(build_dir, fifo):
    whole = b"1\r\n[\r\n4\r\nlate\r\n1\r\n]\r\n0\r\n\r\n"
    with (
        serving(build_dir, "--limit", "write_timeout_ms=300") as server,
        server.connect() as client,
    ):
        client.send(asked(fifo))
        with open(fifo, "wb", buffering=0) as pipe:
            client.head()
            time.sleep(0.8)
            pipe.write(b"late")
        assert client.take(len(whole)) == whole


def test_a_reader_that_stops_is_cut(build_dir, tmp_path, pattern):
    path = file_of(tmp_path, pattern * 20)
    with serving(build_dir, "--limit", "write_timeout_ms=300") as server:
        server.ask(get("/hello"))  # it has all that it needs itself
        time.sleep(0.1)
        before = descriptors(server)
        with server.connect(rcvbuf=4096) as client:
            client.send(asked(path))
            wait_for_descriptors(server, before + 3)  # the socket, and two of the file
            wait_for_descriptors(server, before)
            with pytest.raises(ConnectionResetError):
                client.rest()
