"""Development: one worker, started again whenever files change."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fasterapi._child import Child, Launcher
from fasterapi._config import Config
from fasterapi._signals import Signals
from fasterapi._supervisor import log_with_pid
from fasterapi._watched import Watched

# An answer that never ends (events for a page that is open) must not hold a reload up.
PATIENCE_S = 3.0
FORCE_S = 2.0

logger = logging.getLogger("uvicorn.error")


class StatWatcher:
    """Looks at the times of all Python files, each time it is asked."""

    name = "StatReload"

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        if watched.includes or watched.excludes:
            logger.warning(
                "--reload-include and --reload-exclude have no effect unless watchfiles is "
                "installed."
            )
        self.times = self._look()

    def _look(self) -> dict[Path, int]:
        times = {}
        for directory in self.watched.directories:
            for path in directory.rglob("*.py"):
                with contextlib.suppress(OSError):  # it went meanwhile
                    times[path] = path.stat().st_mtime_ns
        return times

    def changes(self) -> list[Path]:
        before, self.times = self.times, self._look()
        return [path for path, at in self.times.items() if path in before and at > before[path]]

    def close(self) -> None:
        pass


class WatchFilesWatcher:
    """Has a thread of watchfiles be told by the system."""

    name = "WatchFiles"

    def __init__(self, watched: Watched, watch: Any) -> None:
        self._stop = threading.Event()
        self._found: queue.SimpleQueue[Path] = queue.SimpleQueue()
        changes = watch(
            *watched.directories,
            watch_filter=None,
            stop_event=self._stop,
            rust_timeout=500,
            raise_interrupt=False,
            ignore_permission_denied=True,
        )
        self._thread = threading.Thread(target=self._run, args=(watched, changes), daemon=True)
        self._thread.start()

    def _run(self, watched: Watched, changes: Iterator[set[tuple[Any, str]]]) -> None:
        for batch in changes:
            for path in sorted({Path(path) for _, path in batch}):
                if watched.has(path):
                    self._found.put(path)

    def changes(self) -> list[Path]:
        found: list[Path] = []
        while not self._found.empty():
            found.append(self._found.get())
        return list(dict.fromkeys(found))

    def close(self) -> None:
        self._stop.set()
        self._thread.join(2)


def make_watcher(watched: Watched) -> StatWatcher | WatchFilesWatcher:
    try:
        from watchfiles import watch
    except ImportError:
        return StatWatcher(watched)
    return WatchFilesWatcher(watched, watch)


def shown(path: Path) -> str:
    try:
        return f"'{path.relative_to(Path.cwd())}'"
    except ValueError:
        return f"'{path}'"


class Reloader:
    def __init__(self, config: Config, launcher: Launcher) -> None:
        self.config = config
        self.launcher = launcher

    def run(self) -> int:
        """Until SIGINT or SIGTERM. The exit status."""
        watcher = make_watcher(self.config.watched)
        text = f"Started reloader process [%d] using {watcher.name}"
        log_with_pid(text, os.getpid())
        with Signals([signal.SIGINT, signal.SIGTERM, signal.SIGCHLD]) as signals:
            child = self.launcher.start()
            while not self._told_to_stop(signals.wait(self.config.reload_delay)):
                # Reaped as soon as it ends; it stays down until a file changes.
                child.process.poll()
                if changes := watcher.changes():
                    logger.warning(
                        "%s detected changes in %s. Reloading...",
                        watcher.name,
                        ", ".join(map(shown, changes)),
                    )
                    self._end(child)
                    self.launcher.forget(child)
                    child = self.launcher.start()
            self._end(child)
        watcher.close()
        log_with_pid("Stopping reloader process [%d]", os.getpid())
        return 0

    @staticmethod
    def _told_to_stop(numbers: list[int]) -> bool:
        return any(number != signal.SIGCHLD for number in numbers)

    def _end(self, child: Child) -> None:
        """In order if it can, within our patience if need be."""
        limit = self.config.timeout_graceful_shutdown
        child.stop()
        for patience, then in (
            (PATIENCE_S if limit is None else limit + 1, child.force),
            (FORCE_S, child.kill),
        ):
            try:
                child.process.wait(patience)
                return
            except subprocess.TimeoutExpired:
                then()
        child.process.wait()
