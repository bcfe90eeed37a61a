"""Applications for the tests of worker processes."""

import asyncio
import ctypes
import json
import mmap
import os
import pathlib
import signal
import struct
import time

import apps

hold_gil = ctypes.PyDLL(None).usleep  # keeps the GIL while it sleeps
started = time.monotonic()
ballast = []

if "FA_FAIL_IF" in os.environ and pathlib.Path(os.environ["FA_FAIL_IF"]).exists():
    raise SystemExit(3)


async def app(scope, receive, send):
    """Tells what process answers; does to it what the path says."""
    assert scope["type"] == "http"
    query = dict(pair.split("=") for pair in scope["query_string"].decode().split("&") if pair)
    seconds = float(query.get("s", "0"))
    if scope["path"] == "/sleep":
        await asyncio.sleep(seconds)
    elif scope["path"] == "/block":
        time.sleep(seconds)
    elif scope["path"] == "/gil":
        hold_gil(int(seconds * 1e6))
    elif scope["path"] == "/exit":
        os._exit(int(query["status"]))
    elif scope["path"] == "/stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif scope["path"] == "/grow":
        ballast.append(bytearray(int(query["mib"]) << 20))
    elif scope["path"] == "/break":
        breakpoint()
    elif scope["path"] == "/connections":
        seen.add(scope["client"][1])
        await apps.answer(send, f"{os.getpid()} {len(seen)}".encode())
        return
    await apps.answer(send, str(os.getpid()).encode())


seen = set()


class Shared:
    """What all workers together have counted: each has a row of its own, so that nothing
    is locked, and what was counted outlives who counted it."""

    ROWS, USERS = 1000, 100_000

    def __init__(self) -> None:
        path = pathlib.Path(os.environ["FA_TOTALS"])
        with open(path, "a+b") as file:  # made by whoever comes first
            file.truncate(self.ROWS * 16 + self.USERS)
            self.map = mmap.mmap(file.fileno(), 0)
        self.requests = self.sum = 0
        for row in range(self.ROWS):
            try:
                os.close(os.open(f"{path}.{row}", os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                continue
            self.row = row
            return
        raise AssertionError("too many workers")

    def count(self, user: int, value: int) -> None:
        self.requests += 1
        self.sum += value
        struct.pack_into("=QQ", self.map, self.row * 16, self.requests, self.sum)
        self.map[self.ROWS * 16 + user] = 1

    def totals(self) -> dict[str, float]:
        rows = list(struct.iter_unpack("=QQ", self.map[: self.ROWS * 16]))
        count, total = sum(row[0] for row in rows), sum(row[1] for row in rows)
        users = self.map[self.ROWS * 16 :].count(b"\1")
        avg = total / count if count else 0
        return {"totalRequests": count, "uniqueUsers": users, "sum": total, "avg": avg}


shared = Shared() if "FA_TOTALS" in os.environ else None


async def counter(scope, receive, send):
    """The challenge, by all workers together."""
    if scope["path"] == "/stats":
        await apps.answer(send, json.dumps(shared.totals()).encode())
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    event = json.loads(body)
    shared.count(int(event["userId"][5:]), int(event["value"]))
    await apps.answer(send, b'{"status":"ok"}')
