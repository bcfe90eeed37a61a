#!/usr/bin/env python3
"""Whether the interpreter itself withstands failing allocations, with nothing of ours in it:
CPython 3.12.1 and 3.13.0 crash in calls with keywords, and where functions are made.

    LD_PRELOAD=failing_malloc.so PYTHONMALLOC=malloc no_memory_control.py
"""

import ctypes
import gc

memory = ctypes.PyDLL(None)
memory.failing_malloc_call.argtypes = (ctypes.py_object, ctypes.c_ulong, ctypes.c_ulong)
memory.failing_malloc_call.restype = ctypes.c_ulong


def keywords() -> None:
    def take(**given: int) -> None:
        pass

    take(a=1, b=2)


def closure():
    x = 1

    def inner(y: int = 2, *, z: int = 3) -> int:
        return x

    return inner


for call in (keywords, closure):
    for many in (1, 25):
        first = 0
        while memory.failing_malloc_call(call, first, many) > first:
            gc.collect()
            first += 1
    print(f"{call.__name__}: {first} places")
