"""The sockets that the server opens by itself."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest

# The system has chosen `choice`, or lets nobody ask (null). Says what the listener, and what it
# accepts, really has; null where there is no such address.
CODE = r"""
import _socket, json, socket, sys
from fasterapi import _bind

real = _socket.socket.getsockopt
asked = socket.IPPROTO_TCP, getattr(socket, "TCP_CONGESTION", None)
host, choice = json.loads(sys.argv[1])

class Socket(socket.socket):
    def getsockopt(self, level, name, *room):
        if (level, name) != asked:
            return real(self, level, name, *room)
        if choice is None:
            raise OSError(92, "Protocol not available")
        return choice.encode()

def congestion_of(s):
    return real(s, *asked, 16).rstrip(b"\0").decode()

own = congestion_of(socket.socket())
socket.socket = Socket
try:
    (listener,) = _bind.tcp(host, 0, 16)
except OSError:
    print("null")
else:
    client = socket.create_connection(listener.getsockname()[:2])
    print(json.dumps([own, congestion_of(listener), congestion_of(listener.accept()[0])]))
"""


@pytest.mark.skipif(
    not hasattr(socket, "TCP_CONGESTION"), reason="a system without congestion controls to choose"
)
@pytest.mark.parametrize(
    ("host", "choice", "changes"),
    [
        ("127.0.0.1", "bbr", True),
        ("127.8.9.10", "bbr", True),
        ("::1", "bbr", True),
        ("127.0.0.1", "cubic", False),
        ("127.0.0.1", None, False),
        ("0.0.0.0", "bbr", False),
        ("::", "bbr", False),
    ],
)
def test_no_pacing_on_loopback(
    site: pathlib.Path, host: str, choice: str | None, changes: bool
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps([host, choice])],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    if found is None and ":" in host:
        pytest.skip("no IPv6 here")
    own, listening, accepted = found
    assert listening == accepted == ("reno" if changes else own)
