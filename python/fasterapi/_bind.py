"""Listening sockets: where the server can be reached."""

from __future__ import annotations

import contextlib
import os
import socket
import stat


def tcp(host: str | None, port: int, backlog: int) -> list[socket.socket]:
    """One socket for each address of `host`; None is every interface. OSError names the
    address that could not be had."""
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    bound: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            try:
                listener = socket.socket(family, kind, protocol)
            except OSError:
                continue  # a family that this system does not have
            bound.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                # 0.0.0.0 is a socket of its own; ours must not take its place.
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                listener.bind(address)
            except OSError as error:
                text = (error.strerror or "").lower()
                raise OSError(
                    error.errno,
                    f"error while attempting to bind on address {address!r}: {text}",
                ) from None
            if str(address[0]).startswith("127.") or address[0] == "::1":
                _stop_pacing(listener)
            listener.listen(backlog)
        if not bound:
            raise OSError(f"could not bind on any address of {host!r}")
    except BaseException:
        for listener in bound:
            listener.close()
        raise
    return bound


def _stop_pacing(listener: socket.socket) -> None:
    """BBR, where the system has chosen it, sends at the rate that it takes the line for, by a
    timer. On loopback there is no line: that took half of the time of large files. Connections
    inherit what their listener has. A system without that choice is as it is."""
    if not hasattr(socket, "TCP_CONGESTION"):
        return
    with contextlib.suppress(OSError):
        name = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
        if name.startswith(b"bbr"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")


def unix(path: str, backlog: int, permissions: int | None = None) -> socket.socket:
    """A socket at `path`, in the place of a stale one; without permissions given with
    those it had, else 0666."""
    if os.path.exists(path):
        mode = os.stat(path).st_mode
        if permissions is None:
            permissions = stat.S_IMODE(mode)
        if stat.S_ISSOCK(mode):
            os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
        os.chmod(path, 0o666 if permissions is None else permissions)
        listener.listen(backlog)
    except BaseException:
        listener.close()
        raise
    return listener


def inherited(fd: int, backlog: int) -> socket.socket:
    """The socket that is open as descriptor `fd`, which stays open."""
    listener = socket.socket(fileno=os.dup(fd))
    try:
        listener.listen(backlog)
    except BaseException:
        listener.close()
        raise
    return listener
