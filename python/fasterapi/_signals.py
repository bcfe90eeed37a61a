"""Signals as events, for processes that supervise others."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Any


def name_of(number: int) -> str:
    return signal.Signals(number).name


class Signals:
    """While it is entered, these signals do nothing but come out of wait(). Only in the
    main thread."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self._numbers = list(numbers)
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._fd_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, self._ignore) for number in self._numbers}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._fd_before)
        os.close(self._reader)
        os.close(self._writer)

    @staticmethod
    def _ignore(number: int, frame: FrameType | None) -> None:
        pass

    def wait(self, timeout: float, *others: Any) -> list[int]:
        """Up to `timeout` seconds, or until one of the `others` is readable. The signals
        that came, in order."""
        poll = select.poll()
        for fd in (self._reader, *others):
            poll.register(fd, select.POLLIN)
        poll.poll(max(timeout, 0) * 1000)
        try:
            return [number for number in os.read(self._reader, 4096) if number in self._before]
        except BlockingIOError:
            return []
