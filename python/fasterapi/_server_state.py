"""What a server has and shows while it runs: its listening sockets, its tasks, its figures."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fasterapi import _core

if TYPE_CHECKING:
    from fasterapi._compile._table import Route


class Listener:
    """A listening socket, in the shape of an asyncio.Server."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self.sockets = tuple(sockets)

    def is_serving(self) -> bool:
        return bool(self.sockets)

    def close(self) -> None:
        for listening in self.sockets:
            listening.close()
        self.sockets = ()

    async def wait_closed(self) -> None:
        """Closed it is."""


def is_waiting(task: asyncio.Task[Any]) -> bool:
    """Whether a request runs in it that is waiting for something."""
    carrier = task.get_coro()
    return isinstance(carrier, _core.Carrier) and carrier.cr_await is not None


def tasks_of(worker: _core.Worker) -> list[asyncio.Task[Any]]:
    """Those in which a request runs that is waiting for something."""
    found: list[asyncio.Task[Any]] = []
    for task in asyncio.all_tasks():
        carrier = task.get_coro()
        if isinstance(carrier, _core.Carrier) and carrier.worker is worker and is_waiting(task):
            found.append(task)
    return found


def by_plans(routes: Iterable[Route], misses: Iterable[_core.Plan]) -> dict[str, int]:
    """Requests that the plans of these routes have served, by tier, and those for what no route
    has."""
    found = {"compiled": sum(plan.served for plan in misses), "direct": 0}
    for route in routes:
        for tier in found:
            found[tier] += route.requests.get(tier, 0)
    return found


class ServerState:
    """Figures of a running server; zero before and after."""

    def __init__(self) -> None:
        self.worker: _core.Worker | None = None
        self.routes: list[Route] = []  # with the requests of each by tier: Route.requests
        self.misses: list[_core.Plan] = []  # for paths and methods that no route has

    @property
    def connections(self) -> int:
        return self.worker.connections if self.worker is not None else 0

    @property
    def total_requests(self) -> int:
        """Those that are answered."""
        if self.worker is None:
            return 0
        counters = self.worker.counters()
        return counters["requests"] - counters["active"]

    @property
    def tasks(self) -> list[asyncio.Task[Any]]:
        """Those in which a request runs that is waiting for something."""
        return [] if self.worker is None else tasks_of(self.worker)

    @property
    def tiers(self) -> dict[str, int]:
        """Requests by the tier that has served them, behind middleware or not."""
        if self.worker is None:
            return {}
        found = by_plans(self.routes, self.misses)
        # Middleware may call what is behind it more than once for a request.
        behind = sum(route.behind for route in self.routes)
        behind += sum(plan.behind for plan in self.misses)
        return {**found, "asgi": max(0, self.worker.counters()["through_asgi"] - behind)}
