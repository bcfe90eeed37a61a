"""What is logged of WebSockets, and what a client is told whose handshake is wrong: in
uvicorn's words (--ws websockets-sansio), so that log parsers keep working."""

from __future__ import annotations

import base64
import binascii
import logging
import urllib.parse
from typing import Any

from fasterapi._logging import status_text

logger = logging.getLogger("uvicorn.error")


def log_handshake(scope: dict[str, Any], status: int) -> None:
    """The application has answered: 0 is that it accepts."""
    client = scope.get("client")
    path = urllib.parse.quote(scope["path"])
    if scope["query_string"]:
        path = f"{path}?{scope['query_string'].decode('ascii')}"
    address = "%s:%d" % client if client else ""
    if status == 0:
        logger.info('%s - "WebSocket %s" [accepted]', address, path)
    else:
        logger.info('%s - "WebSocket %s" %d', address, path, status)


def log_connection(status: int) -> None:
    """The answer to a handshake goes out."""
    if status == 101:
        logger.info("connection open")
    else:
        logger.info("connection rejected (%s)", status_text(status))


def handshake_reason(method: str, headers: list[tuple[bytes, bytes]], status: int) -> str:
    """Why it is refused with that status, as plain text. The server has judged; this looks
    for what it may have seen, in the order in which a handshake is read."""
    return f"Failed to open a WebSocket connection: {_fault(method, headers)}.\n"


def _fault(method: str, headers: list[tuple[bytes, bytes]]) -> str:
    if method != "GET":
        return f"unsupported HTTP method: {method}"
    keys = _values(headers, b"sec-websocket-key")
    if len(keys) != 1:
        return _not_one("Sec-WebSocket-Key", keys)
    fault = _fault_of_key(keys[0])
    if fault is not None:
        return fault
    versions = _values(headers, b"sec-websocket-version")
    if len(versions) != 1:
        return _not_one("Sec-WebSocket-Version", versions)
    if versions[0] != "13":
        return _invalid("Sec-WebSocket-Version", versions[0])
    return "invalid handshake"


def _values(headers: list[tuple[bytes, bytes]], wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in headers if name == wanted]


def _not_one(name: str, values: list[str]) -> str:
    return f"invalid {name} header: multiple values" if values else f"missing {name} header"


def _invalid(name: str, value: str) -> str:
    return f"invalid {name} header: {value}" if value else f"empty {name} header"


def _fault_of_key(key: str) -> str | None:
    """It is 16 bytes in base64 (RFC 6455, 4.2.1)."""
    try:
        size = len(base64.b64decode(key.encode(), validate=True))
    except binascii.Error as error:
        return f"{_invalid('Sec-WebSocket-Key', key)}; {error}"
    return None if size == 16 else _invalid("Sec-WebSocket-Key", key)
