"""Between the task of a BaseHTTPMiddleware and that of what it calls: an event and a stream that
wait where those of anyio do, as often, and wake in the same order, but need no more than a
future each."""

from __future__ import annotations

import asyncio
import collections
from typing import Any

import anyio


class Event(asyncio.Event):
    async def wait(self) -> Any:
        if self.is_set():
            await asyncio.sleep(0)  # anyio never returns without a checkpoint
        else:
            await super().wait()


def _wake(waiters: Any, result: Any = None) -> None:
    for future in waiters:
        if future is not None and not future.done():
            future.set_result(result)


class Stream:
    """Of messages, without room for any: each waits with its sender."""

    __slots__ = ("receivers", "receiving", "senders", "sending", "withdrawn")

    def __init__(self) -> None:
        self.senders: collections.deque[tuple[asyncio.Future[Any] | None, Any]]
        self.senders = collections.deque()
        self.receivers: collections.deque[asyncio.Future[tuple[Any] | None]]
        self.receivers = collections.deque()
        self.withdrawn: list[Any] = []  # those of `senders` when sending was closed
        self.sending = self.receiving = True

    def _handed_over(self, message: Any) -> bool:
        """Whether somebody waits for it."""
        if not self.sending:
            raise anyio.ClosedResourceError
        if not self.receiving:
            raise anyio.BrokenResourceError
        while self.receivers:
            receiver = self.receivers.popleft()
            if not receiver.done():  # else it was cancelled
                receiver.set_result((message,))
                return True
        return False

    def leave(self, message: Any) -> None:
        """Sends what nobody waits for to be taken."""
        if not self._handed_over(message):
            self.senders.append((None, message))

    async def send(self, message: Any) -> None:
        await asyncio.sleep(0)
        if self._handed_over(message):
            return
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        waiting = (future, message)
        self.senders.append(waiting)
        try:
            await future
        finally:
            left = waiting in self.senders
            if left:
                self.senders.remove(waiting)
        if left:
            raise anyio.BrokenResourceError
        if waiting in self.withdrawn:
            raise anyio.ClosedResourceError

    async def receive(self) -> Any:
        await asyncio.sleep(0)
        if not self.receiving:
            raise anyio.ClosedResourceError
        if self.senders:
            sender, message = self.senders.popleft()
            _wake((sender,))
            return message
        if not self.sending:
            raise anyio.EndOfStream
        future: asyncio.Future[tuple[Any] | None] = asyncio.get_running_loop().create_future()
        self.receivers.append(future)
        try:
            found = await future
        finally:
            if future in self.receivers:
                self.receivers.remove(future)
        if found is None:
            raise anyio.EndOfStream if self.receiving else anyio.ClosedResourceError
        return found[0]

    def close_sending(self) -> None:
        if self.sending:
            self.sending = False
            self._wake_all()
            self.withdrawn.extend(self.senders)
            self.senders.clear()

    def close_receiving(self) -> None:
        if self.receiving:
            self.receiving = False
            self._wake_all()

    def _wake_all(self) -> None:
        _wake(self.receivers)
        self.receivers.clear()
        _wake(future for future, _ in self.senders)
