"""A small 1MRC server on threads, and servers that misbehave in one way each.

Everything is in this process, so that a test reads the totals where they arose.
"""

import contextlib
import json
import socket
import struct
import threading
import time


class Hangup(Exception):
    """The server closes the connection here."""


class Reset(Exception):
    """The server sends RST here."""


class Server:
    """Counts exactly and answers properly; subclasses override event() or stats()."""

    def __init__(self, family: int = socket.AF_INET, path: str | None = None):
        self.lock = threading.Lock()
        self.requests = 0  # events received whole
        self.total = 0  # events counted
        self.sum = 0
        self.users: set[str] = set()
        self.heads: list[bytes] = []
        self.stopping = False
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        if family == socket.AF_UNIX:
            self.listener.bind(path)
            self.url = f"unix:{path}"
        else:
            host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind((host, 0))
            port = self.listener.getsockname()[1]
            self.url = f"http://[::1]:{port}" if ":" in host else f"http://{host}:{port}"
        self.listener.listen(1024)
        self.open: set[socket.socket] = set()

    def start(self) -> "Server":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def stop(self) -> None:
        self.stopping = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for s in list(self.open):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> "Server":
        return self.start()

    def __exit__(self, *exc) -> None:
        self.stop()

    # What subclasses change.

    def event(self, nth: int, on_connection: int, user: str, value: int) -> bytes:
        """The answer to the nth event of all, from 1."""
        self.count(user, value)
        return self.answer(b'{"status":"ok"}')

    def stats(self) -> bytes:
        avg = self.sum / self.total if self.total else 0
        stats = {"totalRequests": self.total, "uniqueUsers": len(self.users)}
        return self.answer(json.dumps(stats | {"sum": self.sum, "avg": avg}).encode())

    def send(self, s: socket.socket, data: bytes) -> None:
        s.sendall(data)

    # What they use.

    def count(self, user: str, value: int, times: int = 1) -> None:
        with self.lock:
            self.total += times
            self.sum += value * times
            self.users.add(user)

    @staticmethod
    def answer(body: bytes, status: str = "200 OK", extra: bytes = b"") -> bytes:
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n".encode()
        return head + extra + b"content-length: %d\r\n\r\n" % len(body) + body

    def _accept(self) -> None:
        while not self.stopping:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            self.open.add(s)
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s: socket.socket) -> None:
        try:
            with contextlib.suppress(AttributeError, OSError):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._requests(s)
        except Reset:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except (Hangup, OSError):
            pass
        finally:
            self.open.discard(s)
            s.close()

    def _requests(self, s: socket.socket) -> None:
        data = b""
        on_connection = 0
        while True:
            while b"\r\n\r\n" not in data:
                data += self._recv(s)
            head, data = data.split(b"\r\n\r\n", 1)
            length = 0
            for line in head.split(b"\r\n")[1:]:
                name, value = line.split(b":", 1)
                if name.lower() == b"content-length":
                    length = int(value)
            while len(data) < length:
                data += self._recv(s)
            body, data = data[:length], data[length:]
            if head.startswith(b"GET "):
                s.sendall(self.stats())
                continue
            event = json.loads(body)
            on_connection += 1
            with self.lock:
                self.requests += 1
                self.heads.append(head)
                nth = self.requests
            self.send(s, self.event(nth, on_connection, event["userId"], event["value"]))

    @staticmethod
    def _recv(s: socket.socket) -> bytes:
        got = s.recv(65536)
        if not got:
            raise Hangup
        return got


# Proper, in unusual form.


class Chunked(Server):
    def event(self, nth, on_connection, user, value):
        self.count(user, value)
        return (
            b"HTTP/1.1 200 OK\r\nTRANSFER-ENCODING:Chunked\r\n\r\n"
            b'7;x=y\r\n{"statu\r\nA\r\ns":"okey"}\r\n0\r\nx-trailer: 1\r\n\r\n'
        )


class Interim(Server):
    def event(self, nth, on_connection, user, value):
        self.count(user, value)
        early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
        return early + self.answer(b"{}", "202 Accepted")


class Dripping(Server):
    """A few bytes at a time, cut at different places each time."""

    def send(self, s, data):
        step = 1 + self.requests % 37
        for at in range(0, len(data), step):
            s.sendall(data[at : at + step])


class OldVersion(Server):
    def event(self, nth, on_connection, user, value):
        self.count(user, value)
        return b"HTTP/1.0 200 OK\nConnection: Keep-Alive\nContent-Length: 2\n\nok"


class FloatTotals(Server):
    """Totals as a language with doubles only would write them."""

    def stats(self):
        mantissa, exponent = f"{self.sum:e}".split("e")
        digits = f"{self.sum:.17E}"
        assert float(digits) == self.sum and mantissa and exponent
        return self.answer(
            b'{"avg":%s,"sum":%s,"uniqueUsers":%d.0,"totalRequests":%d,"more":[1,{}]}'
            % (repr(self.sum / self.total).encode(), digits.encode(), len(self.users), self.total)
        )


class AnnouncedClose(Server):
    """Every fifth answer on a connection says close; what follows is not processed."""

    def event(self, nth, on_connection, user, value):
        self.count(user, value)
        extra = b"Connection: close\r\n" if on_connection == 5 else b""
        return self.answer(b"{}", extra=extra)

    def send(self, s, data):
        s.sendall(data)
        if b"Connection: close" in data:
            # Take what is on its way, or the kernel answers it with a reset that
            # may overtake the answer.
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
            raise Hangup


class ToTheEnd(Server):
    """No Content-Length: the answer ends with the connection."""

    def event(self, nth, on_connection, user, value):
        self.count(user, value)
        return b"HTTP/1.1 200 OK\r\nserver: x\r\n\r\n" + b'{"status":"ok"}'

    def send(self, s, data):
        s.sendall(data)
        raise Hangup


class IdleClose(Server):
    """Closes each connection after an answer without a word."""

    def send(self, s, data):
        s.sendall(data)
        raise Hangup


# Wrong.


class Losing(Server):
    def event(self, nth, on_connection, user, value):
        if nth != 100:
            self.count(user, value)
        return self.answer(b"{}")


class Doubling(Server):
    def event(self, nth, on_connection, user, value):
        self.count(user, value, times=2 if nth == 100 else 1)
        return self.answer(b"{}")


class WrongSum(Server):
    def stats(self):
        self.sum += 1
        return super().stats()


class WrongAverage(Server):
    def stats(self):
        body = b'{"totalRequests":%d,"uniqueUsers":%d,"sum":%d,"avg":%r}'
        return self.answer(body % (self.total, len(self.users), self.sum, self.sum / 401))


class FailingSometimes(Server):
    def event(self, nth, on_connection, user, value):
        if nth % 50 == 0:
            return self.answer(b"oops", "500 Internal Server Error")
        return super().event(nth, on_connection, user, value)


class CountsThenResets(Server):
    """In doubt, and counted."""

    def event(self, nth, on_connection, user, value):
        answer = super().event(nth, on_connection, user, value)
        if nth in (40, 80):
            raise Reset
        return answer


class ResetsUncounted(Server):
    """In doubt, and not counted."""

    def event(self, nth, on_connection, user, value):
        if nth in (40, 80):
            raise Reset
        return super().event(nth, on_connection, user, value)


class CutsShort(Server):
    def send(self, s, data):
        if self.requests == 40:
            s.sendall(data[:-3])
            raise Hangup
        s.sendall(data)


class Garbage(Server):
    def event(self, nth, on_connection, user, value):
        answer = super().event(nth, on_connection, user, value)
        return b"\x00\xff not HTTP at all \r\n\r\n" if nth == 40 else answer


class TwoAnswers(Server):
    def event(self, nth, on_connection, user, value):
        answer = super().event(nth, on_connection, user, value)
        return answer * 2 if nth == 40 else answer


class Silent(Server):
    """Takes the 40th event and never answers."""

    def event(self, nth, on_connection, user, value):
        if nth == 40:
            while not self.stopping:
                time.sleep(0.02)
            raise Hangup
        return super().event(nth, on_connection, user, value)


class Slow(Server):
    def event(self, nth, on_connection, user, value):
        time.sleep(0.05)
        return super().event(nth, on_connection, user, value)


class StallsOnce(Server):
    def event(self, nth, on_connection, user, value):
        if nth == 5:
            time.sleep(0.6)
        return super().event(nth, on_connection, user, value)


class HangsUpAtOnce(Server):
    """Accepts and closes, but for the first connection."""

    accepted = 0

    def _requests(self, s):
        with self.lock:
            self.accepted += 1
        raise Hangup


def stats_that_answer(answer: bytes) -> type[Server]:
    class Fixed(Server):
        def stats(self):
            return answer

    return Fixed
