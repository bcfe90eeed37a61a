"""How many requests of test clients went where, in this process."""

from __future__ import annotations

import threading
from collections import Counter


class Counters:
    """`served`: by the engine, per tier; "server" is what it answered by itself, without
    the application. `by_asgi`: those of tier "asgi", per reason. `elsewhere`: what went another
    way, per reason."""

    def __init__(self) -> None:
        self.served: Counter[str] = Counter()
        self.by_asgi: Counter[str] = Counter()
        self.elsewhere: Counter[str] = Counter()
        self._lock = threading.Lock()  # every test client has a thread of its own

    def count(self, tier: str) -> None:
        with self._lock:
            self.served[tier] += 1

    def count_asgi(self, reason: str) -> None:
        with self._lock:
            self.served["asgi"] += 1
            self.by_asgi[reason] += 1

    def count_elsewhere(self, reason: str) -> None:
        with self._lock:
            self.elsewhere[reason] += 1


counters = Counters()
