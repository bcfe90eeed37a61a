"""A process that keeps workers running: it starts, watches, replaces and ends them, and
holds the listening sockets. It never imports the application."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import time
from collections.abc import Callable

from fasterapi import _logging
from fasterapi._child import SLOTS, Child, Launcher
from fasterapi._config import STARTUP_FAILURE, Config
from fasterapi._signals import Signals, name_of
from fasterapi._systemd import Notifier

TICK_S = 0.25
RSS_EVERY_S = 1.0
# A worker that ends is followed at once by another; when that ends too soon, the next
# waits, twice as long each time.
BACKOFF_S, BACKOFF_MAX_S = 0.5, 30.0
HEALTHY_S = 10.0
FORCE_S = 2.0  # from "end now" to SIGKILL
END_S = 10.0  # what timeout_graceful_shutdown leaves for the rest of an end
ADDRESS_RETRY_S = 1.0

logger = logging.getLogger("uvicorn.error")


def log_with_pid(text: str, pid: int, *more: object, level: int = logging.INFO) -> None:
    """`text` has %d where the process id belongs."""
    colored = text.replace("[%d]", f"[{_logging.cyan('%d')}]")
    logger.log(level, text, pid, *more, extra={"color_message": colored})


def open_sockets(config: Config) -> list[socket.socket]:
    """Orphans of a supervisor that was killed let go of the address within a moment."""
    deadline = time.monotonic() + ADDRESS_RETRY_S
    while True:
        try:
            return config.open_sockets()
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def how_ended(status: int) -> str:
    return f"killed by {name_of(-status)}" if status < 0 else f"exit status {status}"


def backoff(failures: int) -> float:
    return min(BACKOFF_S * 2 ** (failures - 1), BACKOFF_MAX_S) if failures else 0.0


class Supervisor:
    def __init__(self, config: Config, launcher: Launcher) -> None:
        self.config = config
        self.launcher = launcher
        self.target = config.workers
        self.children: list[Child] = []
        self.due: list[tuple[float, int]] = []  # workers to start: when, failures before
        self.to_replace: list[Child] = []
        self.rolling = False  # for SIGHUP
        self.was_ready = False  # all of them, once
        self.status = 0
        self.stop_at: float | None = None  # told to, and serving on for timeout_drain
        self.kill_at: float | None = None
        self.stopping = False
        self.forced = False
        self.notifier = Notifier()
        self._next_rss = 0.0
        self._watching_since = self._last_tick = time.monotonic()
        self._handlers: dict[int, Callable[[], None]] = {
            signal.SIGINT: self._on_interrupt,
            signal.SIGTERM: self._on_terminate,
            signal.SIGQUIT: self._on_quit,
            signal.SIGHUP: self._on_hangup,
            signal.SIGTTIN: self._on_more,
            signal.SIGTTOU: self._on_less,
            signal.SIGUSR1: self._on_tell,
            signal.SIGUSR2: self._on_dump,
            signal.SIGCHLD: lambda: None,  # whoever has ended is found each time
        }

    def run(self) -> int:
        """Until told to stop, or no worker can start. The exit status."""
        log_with_pid("Started parent process [%d]", os.getpid())
        with Signals(self._handlers) as signals:
            for _ in range(self.target):
                self._start(0)
            while self.children or not self.stopping:
                channels = [child.channel for child in self.children if child.talks]
                for number in signals.wait(TICK_S, *channels):
                    self._handlers[number]()
                self._tick()
        log_with_pid("Stopping parent process [%d]", os.getpid())
        return self.status

    def _tick(self) -> None:
        now = time.monotonic()
        if now - self._last_tick > 4 * TICK_S:
            # We were stopped, as by Ctrl+Z, and so were they: nobody is late.
            self._watching_since = now
        self._last_tick = now
        self.notifier.alive()
        for child in list(self.children):
            self._look_at(child, now)
        if self.stop_at is not None and now >= self.stop_at:
            self._stop()
        if self.stopping:
            self._press(now)
            return
        self._check_memory(now)
        self._start_due(now)
        self._replace_next(now)
        if not self.was_ready and all(child.ready for child in self.children) and not self.due:
            self.was_ready = True
            self.notifier.ready(f"{len(self.children)} workers")

    # ---- one worker ----

    def _start(self, failures: int, replaces: Child | None = None) -> None:
        try:
            child = self.launcher.start()
        except OSError as error:  # no descriptors, no memory, too many processes
            logger.error("Cannot start a child process: %s; trying again", error)
            now = time.monotonic()
            if replaces is None:
                self.due.append((now + backoff(failures + 1), failures + 1))
            else:
                replaces.retries += 1
                replaces.retry_at = now + backoff(replaces.retries)
            return
        child.failures = failures
        child.replaces = replaces
        self.children.append(child)

    def _look_at(self, child: Child, now: float) -> None:
        was_ready = child.ready
        child.listen()
        status = child.ended()
        if status is not None:
            self.children.remove(child)
            self.launcher.forget(child)
            self._on_end(child, status, now)
            return
        if child.ready and not was_ready and child.replaces is not None:
            old, child.replaces = child.replaces, None
            self._retire(old)
        if child.wants_replacement:
            self._plan_replacement(child)
        self._check_beat(child, now)

    def _retire(self, child: Child) -> None:
        if child in self.to_replace:
            self.to_replace.remove(child)
        if child in self.children and child.stopping_since is None:
            log_with_pid("Terminated child process [%d]", child.pid)
            child.stop()

    def _on_end(self, child: Child, status: int, now: float) -> None:
        if child in self.to_replace:
            self.to_replace.remove(child)
        if child.stopping_since is not None or self.stopping:
            return
        if child.replaces is not None:
            self._on_failed_replacement(child, child.replaces, status, now)
            return
        if not self.was_ready and not child.ready and status > 0:
            # It would be the same with the next one.
            log_with_pid(
                "Child process [%d] failed to start, stopping the parent process.",
                child.pid,
                level=logging.ERROR,
            )
            self.status = STARTUP_FAILURE
            self._stop()
            return
        for other in self.children:
            if other.replaces is child:
                other.replaces = None
                log_with_pid("Child process [%d] died (%s)", child.pid, how_ended(status))
                return
        healthy = child.ready_at is not None and now - child.ready_at >= HEALTHY_S
        failures = 0 if healthy else child.failures
        delay = backoff(failures)
        when = f"another in {delay:g} s" if delay else "starting another"
        log_with_pid("Child process [%d] died (%s), %s", child.pid, how_ended(status), when)
        self.due.append((now + delay, failures + 1))

    def _start_due(self, now: float) -> None:
        for entry in [entry for entry in self.due if entry[0] <= now]:
            if len(self.children) < SLOTS:
                self.due.remove(entry)
                self._start(entry[1])

    # ---- new before old ----

    def _plan_replacement(self, child: Child) -> None:
        if child not in self.to_replace and child.stopping_since is None:
            self.to_replace.append(child)

    def _replace_next(self, now: float) -> None:
        """One at a time: there is never more than one worker too many that starts."""
        if any(child.replaces is not None for child in self.children):
            return
        if len(self.children) >= SLOTS:
            return  # so many old ones still have requests to answer
        for old in self.to_replace:
            if now >= old.retry_at:
                self._start(0, replaces=old)
                return
        if self.rolling and not self.to_replace:
            self._end_rolling()

    def _end_rolling(self) -> None:
        self.rolling = False
        self.notifier.ready(f"{self.target} workers")

    def _on_failed_replacement(self, child: Child, old: Child, status: int, now: float) -> None:
        log_with_pid(
            "New child process [%d] failed to start (%s), keeping worker [%d]%s",
            child.pid,
            how_ended(status),
            old.pid,
            " and aborting the restart." if self.rolling else "",
            level=logging.ERROR,
        )
        if self.rolling:
            self.to_replace = [other for other in self.to_replace if other.wants_replacement]
            self._end_rolling()
        old.retries += 1
        old.retry_at = now + backoff(old.retries)

    def _check_memory(self, now: float) -> None:
        most = self.config.workers_max_rss
        if most is None or now < self._next_rss:
            return
        self._next_rss = now + RSS_EVERY_S
        for child in self.children:
            mib = child.rss_bytes() >> 20
            if child.ready and mib > most and child not in self.to_replace:
                if child.stopping_since is None:
                    text = "Child process [%d] has %d MiB, above --workers-max-rss: replacing it"
                    log_with_pid(text, child.pid, mib, level=logging.WARNING)
                self._plan_replacement(child)

    # ---- heartbeats ----

    def _check_beat(self, child: Child, now: float) -> None:
        """A process that does not beat is stopped or broken, and killed. A loop that does
        not turn may be at work: it is told of first."""
        watched = now - self._watching_since
        process, loop = child.heart.process_age(), child.heart.loop_age()
        if child.killed:
            return
        limit = self.config.timeout_worker_healthcheck
        if process is not None and min(process, watched) > limit:
            text = "Child process [%d] has not given a sign of life for %.0f s, killing it"
            log_with_pid(text, child.pid, process, level=logging.ERROR)
            child.kill()
            return
        if loop is None:
            return  # it starts, and may take its time
        late = min(loop, watched)
        most = self.config.timeout_worker_blocked
        if most and late > most:
            text = "Child process [%d] has been blocked for %.0f s, killing it"
            log_with_pid(text, child.pid, loop, level=logging.ERROR)
            child.kill()
        elif late > limit and not child.blocked:
            child.blocked = True
            text = "Child process [%d] is blocked: its event loop has not turned for %.0f s"
            log_with_pid(text, child.pid, loop, level=logging.WARNING)
            child.dump()
        elif late <= 1 and child.blocked:
            child.blocked = False
            log_with_pid("Child process [%d] is not blocked any more", child.pid)

    # ---- signals ----

    def _on_interrupt(self) -> None:
        if self.stopping:
            self._force()
        else:
            logger.info("Received SIGINT, exiting.")
            self._stop()

    def _on_terminate(self) -> None:
        if self.stopping or self.stop_at is not None:
            if not self.stopping:
                self._stop()
            return
        delay = self.config.timeout_drain
        if delay:
            logger.info("Received SIGTERM, exiting in %g s.", delay)
            self.stop_at = time.monotonic() + delay
            self.notifier.stopping()
        else:
            logger.info("Received SIGTERM, exiting.")
            self._stop()

    def _on_quit(self) -> None:
        logger.info("Received SIGQUIT, exiting at once.")
        if not self.stopping:
            self._stop()
        self._force()

    def _on_hangup(self) -> None:
        if self.stopping:
            return
        logger.info("Received SIGHUP, restarting processes.")
        self.rolling = True
        self.notifier.reloading()
        for child in self.children:
            self._plan_replacement(child)

    def _on_more(self) -> None:
        if self.stopping:
            return
        logger.info("Received SIGTTIN, increasing the number of processes.")
        if len(self.children) >= SLOTS // 2:
            logger.warning("There are %d processes, no more can be had.", len(self.children))
            return
        self.target += 1
        self._start(0)

    def _on_less(self) -> None:
        if self.stopping:
            return
        logger.info("Received SIGTTOU, decreasing number of processes.")
        if self.target <= 1:
            logger.info(
                "Already reached one process, cannot decrease the number of processes anymore."
            )
            return
        self.target -= 1
        if self.due:
            self.due.pop()
            return
        *_, last = (c for c in self.children if c.stopping_since is None and c.replaces is None)
        for other in self.children:
            if other.replaces is last:
                self._retire(other)
        self._retire(last)

    def _on_tell(self) -> None:
        logger.info("%d workers wanted, %d to be started", self.target, len(self.due))
        for child in self.children:
            state = "serving" if child.ready else "starting"
            if child.stopping_since is not None:
                state = "ending"
            age, mib = time.monotonic() - child.started_at, child.rss_bytes() >> 20
            log_with_pid("Child process [%d] %s, %.0f s old, %d MiB", child.pid, state, age, mib)

    def _on_dump(self) -> None:
        for child in self.children:
            child.dump()

    # ---- the end ----

    def _stop(self) -> None:
        """Our sockets close first: the last worker to accept from one takes all that have
        come, and nobody waits at a door behind which nobody is left."""
        self.stopping, self.stop_at = True, None
        self.due.clear()
        self.to_replace.clear()
        self.notifier.stopping()
        self.config.close_sockets(self.launcher.sockets)
        for child in self.children:
            if child.stopping_since is None:
                log_with_pid("Terminated child process [%d]", child.pid)
                child.stop()
        for child in self.children:
            log_with_pid("Waiting for child process [%d]", child.pid)
        limit = self.config.timeout_graceful_shutdown
        if limit is not None:
            self.kill_at = time.monotonic() + limit + END_S

    def _force(self) -> None:
        """What is under way is broken off; who does not even do that is killed."""
        if self.forced:
            return
        self.forced = True
        self.kill_at = time.monotonic() + FORCE_S
        for child in self.children:
            child.force()

    def _press(self, now: float) -> None:
        if self.kill_at is None or now < self.kill_at:
            return
        for child in self.children:
            text = "Child process [%d] did not exit in time, killing it"
            log_with_pid(text, child.pid, level=logging.ERROR)
            child.kill()
        self.kill_at = None
