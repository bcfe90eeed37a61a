"""Forms of the usual kind: short, percent-encoded, with nothing in them of which parsers
could think differently. All others are left to Starlette."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import unquote_plus

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import FormParser, MultiPartException
from starlette.requests import Request

_LONGEST = 65536  # of which it does not matter that all of it is read first
_MAX_FIELDS, _MAX_PART_SIZE = 1000, 1024 * 1024  # by default, of Request.form()


def is_usual(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether a body may be read at once, as a percent-encoded form."""
    kind = length = None
    for name, value in headers:
        if name == b"content-type" and kind is None:
            kind = value
        elif name == b"content-length":
            length = value
    return (
        kind == b"application/x-www-form-urlencoded"
        and length is not None
        and length.isdigit()
        and len(length) < 6
        and int(length) <= _LONGEST
    )


def _pairs(body: bytes, limits: dict[str, Any]) -> list[tuple[str, str | UploadFile]] | None:
    if not body:
        return []
    found: list[tuple[str, str | UploadFile]] = []
    parts = body.decode("latin-1").split("&")
    longest = min(len(body), limits.get("max_part_size", _MAX_PART_SIZE))
    if len(parts) > limits.get("max_fields", _MAX_FIELDS) or b";" in body:
        return None
    for part in parts:
        name, separator, value = part.partition("=")
        if not separator or len(part) > longest:
            return None
        found.append((unquote_plus(name), unquote_plus(value)))
    return found


async def read_usual(request: Request, limits: dict[str, Any]) -> FormData:
    """What request.form(**limits) gives and leaves behind, if is_usual()."""
    chunks = [chunk async for chunk in request.stream()]
    pairs = _pairs(b"".join(chunks), limits)
    if pairs is not None:
        request._form = FormData(pairs)
        return request._form

    async def again() -> AsyncGenerator[bytes, None]:
        for chunk in chunks:
            yield chunk

    try:
        request._form = await FormParser(request.headers, again(), **_of_text(limits)).parse()
    except MultiPartException as error:
        raise HTTPException(status_code=400, detail=error.message) from error
    return request._form


def _of_text(limits: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in limits.items() if name != "max_files"}
