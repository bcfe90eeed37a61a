"""Middleware that the core does by itself where an answer is plain JSON: it is read from the
built stack, by exact type. Whatever else these would do (preflights, other hosts, redirects,
large bodies) goes through the application's own stack."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from fastapi.applications import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.httpsredirect import HTTPSRedirectMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from fasterapi._compile._limits import within
from fasterapi._compile._releases import HOSTS_WITHOUT_CASE, OUTER

# As in python/ext/plan/steps.h.
CORS, GZIP, HOSTS, HTTPS = range(4)
STEPS_MAX = 8
_FAR = 2**31 - 1

# (kind, fields, allows, minimum, threaded, encode, hosts)
Step = tuple[int, tuple[tuple[bytes, bytes], ...], Any, int, int, Any, tuple[bytes, ...]]


def _cors(layer: CORSMiddleware) -> Step:
    fields = tuple(
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in layer.simple_headers.items()
    )
    explicit = layer.allow_credentials or not layer.allow_all_origins
    return (CORS, fields, layer.is_allowed_origin if explicit else None, 0, 0, None, ())


def _encoder(level: int) -> Callable[[bytes], bytes]:
    def encode(body: bytes) -> bytes:
        compressor = zlib.compressobj(level, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        return compressor.compress(body) + compressor.flush()

    return encode


def _gzip(layer: GZipMiddleware) -> Step | None:
    if {"application/json", "application/*"} & set(layer.exclude_content_types):
        return None
    sizes = [min(max(n, 0), _FAR) for n in (layer.minimum_size, layer.thread_minimum_size)]
    return (GZIP, (), None, sizes[0], sizes[1], _encoder(layer.compresslevel), ())


def _hosts(layer: TrustedHostMiddleware) -> Step | None:
    if layer.allow_any:
        return None
    return (HOSTS, (), None, 0, 0, None, tuple(host.encode() for host in layer.allowed_hosts))


def steps_of(app: FastAPI) -> tuple[Step, ...] | None:
    """From the outermost to the innermost; None if there is something else."""
    layer: Any = app.middleware_stack
    steps: list[Step | None] = []
    kinds: list[type] = []
    for own in OUTER:
        if type(layer) is not own:
            return None
        layer = within(layer.app)
    while type(layer) is not ExceptionMiddleware:
        kinds.append(type(layer))
        if type(layer) is CORSMiddleware:
            steps.append(_cors(layer))
        elif type(layer) is GZipMiddleware:
            steps.append(_gzip(layer))
        elif type(layer) is TrustedHostMiddleware and HOSTS_WITHOUT_CASE:
            steps.append(_hosts(layer))
        elif type(layer) is HTTPSRedirectMiddleware:
            steps.append((HTTPS, (), None, 0, 0, None, ()))
        else:
            return None
        layer = getattr(layer, "app", None)
    # Of two that add to the same fields, nobody has shown that we do what they do.
    if len(set(kinds)) != len(kinds) or len(kinds) > STEPS_MAX:
        return None
    return tuple(step for step in steps if step is not None)
