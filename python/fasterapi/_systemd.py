"""What systemd and its kind pass to a service, and want to be told (sd_listen_fds(3),
sd_notify(3)). Without them, nothing here does anything."""

from __future__ import annotations

import os
import socket
import time

FIRST_FD = 3
LISTEN_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
NOTIFY_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


def listening_fds() -> list[int]:
    """Descriptors of the sockets that were passed to this very process."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    try:
        count = int(os.environ.get("LISTEN_FDS", ""))
    except ValueError:
        return []
    return list(range(FIRST_FD, FIRST_FD + max(count, 0)))


def environment_of_children() -> dict[str, str]:
    """Without what was meant for this process alone."""
    mine = {*LISTEN_VARIABLES, *NOTIFY_VARIABLES}
    return {name: value for name, value in os.environ.items() if name not in mine}


class Notifier:
    """Tells the service manager how this service is. It may have asked for a sign of life
    every so often: alive() gives one when it is due."""

    def __init__(self) -> None:
        path = os.environ.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the zero byte of Linux's abstract names (sd_notify(3)).
        self.address = "\0" + path[1:] if path.startswith("@") else path
        self.interval = self._watchdog_interval() / 2
        self.next_sign = 0.0

    @staticmethod
    def _watchdog_interval() -> float:
        """Seconds within which it wants to hear from us; 0: it does not."""
        if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
            return 0
        try:
            return max(int(os.environ.get("WATCHDOG_USEC", "0")), 0) / 1e6
        except ValueError:
            return 0

    def ready(self, status: str) -> None:
        self._tell(f"READY=1\nSTATUS={status}\nMAINPID={os.getpid()}")

    def reloading(self) -> None:
        micros = time.monotonic_ns() // 1000
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={micros}\nSTATUS=Replacing workers")

    def stopping(self) -> None:
        self._tell("STOPPING=1\nSTATUS=Shutting down")

    def alive(self) -> None:
        now = time.monotonic()
        if self.interval and now >= self.next_sign:
            self.next_sign = now + self.interval
            self._tell("WATCHDOG=1")

    def _tell(self, text: str) -> None:
        if not self.address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
                s.setblocking(False)
                s.connect(self.address)
                s.send(text.encode())
        except OSError:
            pass  # nobody listens, or is slow: no reason to end or to wait
