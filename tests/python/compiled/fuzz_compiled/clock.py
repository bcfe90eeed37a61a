"""The loop of a run: its time passes only when nothing else is left to do.

So no timeout of an application ends because the machine is busy, and nobody waits for a timer."""

import asyncio
import select
import threading
import time

from anyio._backends._asyncio import WorkerThread

from fasterapi._own_threads import WorkerThread as Own

NEAR_S = 1.0  # timers that are due later than this wait for what never comes
THREAD_S = 300.0  # a call in a thread has ended then, however busy the machine
LOOK_MS = 1  # a thread that has told the loop is busy for a moment more


class Loop(asyncio.SelectorEventLoop):
    now = 0.0

    def time(self) -> float:
        return self.now

    def has_work(self) -> bool:
        """Whether a turn would do something: callbacks that are due; or, if no thread works, those
        of the next timer, to which the clock is moved."""
        if self._ready:
            return True
        near = self.now + NEAR_S
        if not self._scheduled or self._scheduled[0].when() > near or threads_are_busy():
            return False
        due = min((t.when() for t in self._scheduled if not t.cancelled()), default=float("inf"))
        if due > near:
            return False
        self.now = max(self.now, due)
        return True

    def wait(self, other: int) -> bool:
        """Until threads have told the loop something, or `other`, a descriptor or -1; or until
        none works. False: one hangs."""
        told = select.poll()
        told.register(self._ssock, select.POLLIN)
        if other >= 0:
            told.register(other, select.POLLIN)
        end = time.monotonic() + THREAD_S
        while threads_are_busy() and time.monotonic() < end:
            if told.poll(LOOK_MS):
                return True
        return not threads_are_busy()


def threads_are_busy() -> bool:
    """Those of anyio and of ours, in which `def` functions run. One that has its task done
    has told the loop before."""
    if threading.active_count() == 1:
        return False
    return any(
        thread.pool.unfinished if isinstance(thread, Own) else thread.queue.unfinished_tasks
        for thread in threading.enumerate()
        if isinstance(thread, WorkerThread)
    )


def end_threads() -> None:
    """anyio's end with the task that they were started for; one that waits for ever has not."""
    for thread in threading.enumerate():
        if isinstance(thread, WorkerThread) and not isinstance(thread, Own):
            thread.stop()
