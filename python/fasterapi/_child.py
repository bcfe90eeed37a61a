"""Worker processes as their supervisor sees them.

They are started by exec and not by fork: whatever the caller has imported, opened or
started stays out of them, and a reload finds all code anew. Listening sockets are
inherited, so that no connection is lost while workers come and go."""

from __future__ import annotations

import contextlib
import os
import pathlib
import pickle
import pickletools
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import IO, Any

from fasterapi import _systemd, _worker
from fasterapi._core import Heartbeat
from fasterapi._options import OptionError

SLOTS = 1024  # workers at a time, those included that end
SLOT_BYTES = 64
ROOT = str(pathlib.Path(__file__).resolve().parent.parent)
BEGIN = "import sys; sys.path.insert(0, {!r}); from fasterapi._worker import main; main()"


class Child:
    """One worker process, from its start to its end."""

    def __init__(
        self, process: subprocess.Popen[bytes], channel: socket.socket, heart: Heartbeat, slot: int
    ) -> None:
        self.slot = slot
        self.process = process
        self.channel = channel
        self.heart = heart
        self.started_at = time.monotonic()
        self.ready_at: float | None = None  # when it began to accept
        self.stopping_since: float | None = None  # when it was told to end
        self.killed = False
        self.wants_replacement = False  # it said so
        self.talks = True  # until the end of its channel
        self.can_dump = False
        self.blocked = False  # it was told of, already
        self.failures = 0  # of those whose place it has, one after another
        self.replaces: Child | None = None  # which goes once this one is ready
        self.retry_at = 0.0  # when a replacement may be tried next
        self.retries = 0

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def ready(self) -> bool:
        return self.ready_at is not None

    def listen(self) -> None:
        """Takes in what it said."""
        try:
            said = self.channel.recv(64)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        self.talks = bool(said)
        for byte in said:
            what = bytes([byte])
            if what in (_worker.READY, _worker.READY_WITHOUT_DUMP):
                self.ready_at = time.monotonic()
                self.can_dump = what == _worker.READY
            elif what == _worker.REPLACE_ME:
                self.wants_replacement = True

    def stop(self) -> None:
        """In order: what it has accepted is answered."""
        if self.stopping_since is None:
            self.stopping_since = time.monotonic()
            self.process.send_signal(signal.SIGTERM)

    def force(self) -> None:
        """After stop(): what is under way is broken off."""
        self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        self.killed = True
        self.process.kill()

    def dump(self) -> bool:
        """Has it write to its standard error where every thread of it is."""
        if self.can_dump:
            self.process.send_signal(_worker.DUMP_SIGNAL)
        return self.can_dump

    def ended(self) -> int | None:
        """The exit status, minus the number of a signal; None while it runs."""
        status = self.process.poll()
        if status is not None:
            self.listen()  # its last words
        return status

    def rss_bytes(self) -> int:
        """Resident memory; 0 when it has just ended. Only on Linux."""
        try:
            with open(f"/proc/{self.pid}/statm") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError):
            return 0


class Launcher:
    """Starts workers that are all the same."""

    def __init__(self, app: str, options: dict[str, Any], sockets: Sequence[socket.socket]) -> None:
        self.sockets = list(sockets)
        payload = {"app": app, "options": options, "path": sys.path, "argv": sys.argv}
        self._payload = _anonymous_file()
        self._payload.write(_pickled(payload))
        self._payload.flush()

        self._board = _anonymous_file()
        self._board.truncate(SLOTS * SLOT_BYTES)
        self._free = set(range(SLOTS))

    def start(self) -> Child:
        slot = min(self._free)
        heart = Heartbeat(self._board.fileno(), slot)
        heart.clear()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with contextlib.ExitStack() as undo:
            undo.callback(ours.close)
            process = self._execute(slot, theirs)
            undo.pop_all()
        self._free.remove(slot)
        return Child(process, ours, heart, slot)

    def _execute(self, slot: int, channel: socket.socket) -> subprocess.Popen[bytes]:
        """`channel` is closed here, whatever comes of it."""
        with channel:
            fds = [self._board.fileno(), channel.fileno(), self._payload.fileno()]
            fds += [listener.fileno() for listener in self.sockets]
            return subprocess.Popen(
                [
                    sys.executable,
                    *subprocess._args_from_interpreter_flags(),  # type: ignore[attr-defined]
                    *("-c", BEGIN.format(ROOT), str(slot), *map(str, fds)),
                ],
                pass_fds=fds,
                env=_systemd.environment_of_children(),
            )

    def forget(self, child: Child) -> None:
        """It has ended: its place is free, and nobody counts with it any more."""
        child.channel.close()
        child.heart.clear()
        self._free.add(child.slot)


def _anonymous_file() -> IO[bytes]:
    return tempfile.TemporaryFile("w+b", buffering=0)


def _pickled(payload: dict[str, Any]) -> bytes:
    """OptionError for what another process could not have."""
    for name, value in payload["options"].items():
        try:
            told = pickle.dumps(value)
        except Exception as error:
            raise OptionError(name, f"cannot be passed to worker processes: {error}") from None
        if any(argument == "__main__" for _, argument, _ in pickletools.genops(told)):
            raise OptionError(
                name,
                "cannot be passed to worker processes: it is defined in the main program, "
                "which they do not run; put it into a module",
            )
    return pickle.dumps(payload)
