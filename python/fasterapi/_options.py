"""Options of uvicorn that cannot be had yet: refused by name, never ignored."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

# What the options mean when they are not given.
DEFAULTS: dict[str, Any] = {
    "http2": False,
    "ssl_keyfile": None,
    "ssl_certfile": None,
    "ssl_keyfile_password": None,
    "ssl_version": int(ssl.PROTOCOL_TLS_SERVER),
    "ssl_cert_reqs": int(ssl.CERT_NONE),
    "ssl_ca_certs": None,
    "ssl_ciphers": None,
    "ssl_context_factory": None,
}

_INSTEAD = {
    "http2": "put a proxy that speaks HTTP/2 in front",
    "ssl": "let a proxy in front do TLS",
}


class OptionError(ValueError):
    """An option that cannot be as it is given. `option` is its keyword."""

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(reason)
        self.option = option
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.option!r} {self.reason}"


class UnsupportedOption(OptionError):
    """An option that asks for what is not there."""


def refuse_unsupported(options: Mapping[str, Any]) -> None:
    """Raises UnsupportedOption for the first option that is not there yet."""
    for name, default in DEFAULTS.items():
        if options[name] != default:
            topic = name if name in _INSTEAD else name.split("_")[0]
            raise UnsupportedOption(name, f"is not supported yet: {_INSTEAD[topic]}")
    if options["ws"] not in ("auto", "none", "websockets", "websockets-sansio", "wsproto"):
        raise UnsupportedOption("ws", "is not supported: WebSockets are built in; leave it at auto")
    if options["http"] not in ("auto", "h11", "httptools"):
        raise UnsupportedOption("http", "is not supported: the parser is built in; leave it at auto")
    if options["interface"] == "wsgi":
        raise UnsupportedOption(
            "interface", "wsgi is not supported yet: wrap the application, as a2wsgi does"
        )
