"""How long tests wait for what must come. No test says how quick something is, as the machine
may be busy: these limits only tell what hangs. Benchmarks measure times."""

import time
from collections.abc import Callable
from typing import TypeVar

HANGS_S = 120.0
LONG_S = 3600.0  # for programs that work all that time, such as fuzzers

Found = TypeVar("Found")


def until(what: Callable[[], Found], told: Callable[[], object] = lambda: "") -> Found:
    """What `what()` gives, once it is true; `told()` is shown if it never is."""
    deadline = time.monotonic() + HANGS_S
    while not (found := what()):
        assert time.monotonic() < deadline, f"hangs: {told()}"
        time.sleep(0.02)
    return found
