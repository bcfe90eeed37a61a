"""Whose X-Forwarded-For and X-Forwarded-Proto are believed: for the core, which reads them."""

from __future__ import annotations

import ipaddress

# (everybody, addresses with their scope, networks, other texts)
Rules = tuple[bool, frozenset[bytes], tuple[tuple[bytes, int], ...], frozenset[str]]


def rules_of(hosts: list[str] | str) -> Rules:
    """Addresses, networks and other texts (unix socket paths) that are trusted; "*": all.

    IP addresses are compared as such, for there are many ways to write one."""
    if hosts in ("*", ["*"]):
        return True, frozenset(), (), frozenset()
    addresses: set[bytes] = set()
    networks: list[tuple[bytes, int]] = []
    texts: set[str] = set()
    for host in [part.strip() for part in hosts.split(",")] if isinstance(hosts, str) else hosts:
        try:
            if "/" in host:
                network = ipaddress.ip_network(host)
                networks.append((network.network_address.packed, network.prefixlen))
            else:
                address = ipaddress.ip_address(host)
                scope = getattr(address, "scope_id", None) or ""
                addresses.add(address.packed + scope.encode())
        except ValueError:
            texts.add(host)
    return False, frozenset(addresses), tuple(networks), frozenset(texts)
