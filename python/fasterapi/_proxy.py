"""X-Forwarded-For and X-Forwarded-Proto, from proxies that are trusted and no others."""

from __future__ import annotations

import functools
import ipaddress
from typing import Any

SCHEMES = ("http", "https", "ws", "wss")
# A cached verdict keeps its key; what a client can make long is not cached.
LONGEST_HOST = 253


class TrustedHosts:
    """Addresses, networks and other texts (unix socket paths) that are trusted; "*": all.

    IP addresses are compared as such, for there are many ways to write one."""

    def __init__(self, hosts: list[str] | str) -> None:
        self.all = hosts in ("*", ["*"])
        self.addresses: set[Any] = set()
        self.networks: set[Any] = set()
        self.texts: set[str] = set()
        self.cached = functools.lru_cache(maxsize=4096)(self._look_up)
        if not self.all:
            for host in _split(hosts) if isinstance(hosts, str) else hosts:
                self._add(host)

    def _add(self, host: str) -> None:
        try:
            if "/" in host:
                self.networks.add(ipaddress.ip_network(host))
            else:
                self.addresses.add(ipaddress.ip_address(host))
        except ValueError:
            self.texts.add(host)

    def _look_up(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return host in self.texts
        return address in self.addresses or any(address in network for network in self.networks)

    def __contains__(self, host: str | None) -> bool:
        if self.all or not host:
            return self.all
        return self.cached(host) if len(host) <= LONGEST_HOST else self._look_up(host)

    def client_of(self, forwarded_for: str) -> tuple[str, int]:
        """Who the request came from. Each proxy appends whom it saw, so from the end it is
        the first that is not trusted; what stands before may be the client's invention."""
        entries = _split(forwarded_for)
        if not self.all:
            for entry in reversed(entries):
                host, port = _host_and_port(entry)
                if host not in self:
                    return host, port
        return _host_and_port(entries[0])


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _host_and_port(entry: str) -> tuple[str, int]:
    """`1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]`, `[::1]:80`. What has none of these forms is
    kept whole, with port 0, lest a crooked value pass for a trusted one."""
    if entry.startswith("["):
        host, bracket, rest = entry[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            return entry, 0
        return host, _port(rest[1:]) or 0
    host, colon, rest = entry.partition(":")
    if colon and ":" not in rest:
        port = _port(rest)
        return (host, port) if port is not None else (entry, 0)
    return entry, 0


def _port(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


class ProxyHeaders:
    """An application around `app`: `client` and `scheme` are what a trusted proxy says."""

    def __init__(self, app: Any, trusted: list[str] | str) -> None:
        self.app = app
        self.trusted = TrustedHosts(trusted)

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        if scope["type"] != "lifespan":
            client = scope.get("client")
            if (client[0] if client else None) in self.trusted:
                self._apply(scope)
        return self.app(scope, receive, send)

    def _apply(self, scope: Any) -> None:
        proto: bytes | None = None
        forwarded: list[bytes] = []
        for name, value in scope["headers"]:
            if name == b"x-forwarded-proto":
                proto = value
            elif name == b"x-forwarded-for":
                forwarded.append(value)
        if proto is not None:
            scheme = proto.decode("latin-1").strip()
            if scheme in SCHEMES:
                if scope["type"] == "websocket":
                    scheme = scheme.replace("http", "ws")
                scope["scheme"] = scheme
        if forwarded:
            host, port = self.trusted.client_of(b", ".join(forwarded).decode("latin-1"))
            if host:
                scope["client"] = (host, port)
