"""A worker: a server in a process of its own, on sockets that its supervisor holds."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import pickle
import signal
import socket
import sys
from typing import Any

from fasterapi._config import STARTUP_FAILURE, Config
from fasterapi._core import Heartbeat
from fasterapi._server import Server

# What a worker says on its channel, a byte each. The end of the channel is the end of
# who holds the other side.
READY = b"r"
READY_WITHOUT_DUMP = b"R"  # the application has taken SIGUSR2 for itself
REPLACE_ME = b"m"  # it has served as many requests as it shall

DUMP_SIGNAL = signal.SIGUSR2
BEAT_S = 0.25
ORPHAN_GRACE_S = 0.5

logger = logging.getLogger("uvicorn.error")

# Whether this process is a worker: run() is no business of an application in one.
is_worker = False


class WorkerServer(Server):
    def __init__(self, config: Config, channel: socket.socket, heart: Heartbeat) -> None:
        super().__init__(config)
        self._channel = channel
        self._heart = heart
        self._beating: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._heart.turn()
        self._heart.take_turns(self.server_state.worker)
        self._beating = asyncio.create_task(self._beat())
        asyncio.get_running_loop().add_reader(self._channel, self._orphaned)
        free = signal.getsignal(DUMP_SIGNAL) == signal.SIG_DFL
        self._tell(READY if free else READY_WITHOUT_DUMP)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._heart.take_turns(None)
        try:
            await super().shutdown(sockets)
        finally:
            asyncio.get_running_loop().remove_reader(self._channel)
            if self._beating is not None:
                self._beating.cancel()

    def limit_reached(self) -> bool:
        """Goes on until another one is there, and the supervisor says so."""
        self._limit = None
        self._tell(REPLACE_ME)
        return False

    async def _beat(self) -> None:
        while True:
            self._heart.turn()
            await asyncio.sleep(BEAT_S)

    def _orphaned(self) -> None:
        """The supervisor has gone; it never says anything."""
        asyncio.get_running_loop().remove_reader(self._channel)
        if not self.should_exit:
            logger.error("The parent process has gone, exiting.")
            self.should_exit = True

    def _tell(self, what: bytes) -> None:
        try:
            self._channel.send(what)
        except OSError:
            self._orphaned()


def main() -> None:
    """Of the process. Its arguments are its slot on the board, and descriptors: board,
    channel, payload, sockets."""
    global is_worker
    is_worker = True
    slot, board_fd, channel_fd, payload_fd, *listening = map(int, sys.argv[1:])
    Heartbeat.die_with_parent(signal.SIGTERM)
    heart = Heartbeat(board_fd, slot)
    heart.start(channel_fd, ORPHAN_GRACE_S)
    payload = pickle.loads(os.pread(payload_fd, os.fstat(payload_fd).st_size, 0))
    os.close(board_fd)
    os.close(payload_fd)
    try:
        _serve(payload, _socket(channel_fd), heart, [_socket(fd) for fd in listening])
    except KeyboardInterrupt:
        pass  # a terminal sends it to all of a group; the supervisor knows


def _socket(fd: int) -> socket.socket:
    os.set_inheritable(fd, False)  # the application may start programs
    return socket.socket(fileno=fd)


def _serve(
    payload: dict[str, Any], channel: socket.socket, heart: Heartbeat, sockets: list[socket.socket]
) -> None:
    sys.path[:], sys.argv[:] = payload["path"], payload["argv"]
    if sys.stderr is not None:
        faulthandler.register(DUMP_SIGNAL, file=sys.stderr, all_threads=True)
    # Meant for the supervisor, and sent to the whole group when a terminal goes. A
    # handler, unlike SIG_IGN, is not passed on to programs that are started.
    signal.signal(signal.SIGHUP, lambda *_: None)
    channel.setblocking(False)
    server = WorkerServer(Config(payload["app"], **payload["options"]), channel, heart)
    server.run(sockets)
    if not server.started:
        sys.exit(STARTUP_FAILURE)
