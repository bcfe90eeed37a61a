"""Which routes may be asked twice: those that are marked so, and those whose code does nothing
but make a value of its arguments."""

from __future__ import annotations

import dis
from types import FunctionType
from typing import Any

from fasterapi._compile._generators import is_stream
from fasterapi._compile._params import native_rows

# In openapi_extra of a path operation; True or False decides.
MARK = "x-fasterapi-safe"
# Of all that code objects can hold, what calls nothing, stores nothing and waits for nothing.
_HARMLESS: tuple[str, ...] = ("LOAD_CONST", "LOAD_FAST", "LOAD_GLOBAL", "LOAD_DEREF")
_HARMLESS += ("LOAD_SMALL_INT",)
_HARMLESS += ("RESUME", "RETURN_", "BUILD_", "LIST_EXTEND", "SET_UPDATE", "DICT_UPDATE")
_HARMLESS += ("DICT_MERGE", "FORMAT_", "CONVERT_VALUE", "POP_TOP", "COPY", "NOP", "SWAP")
_HARMLESS += ("COPY_FREE_VARS", "RETURN_GENERATOR", "IS_OP", "CACHE", "STORE_FAST", "POP_JUMP_")
_SPECIAL = ("request", "http_connection", "response", "background_tasks", "websocket")


def is_safe(effective: Any, original: Any) -> bool:
    if not set(effective.methods or ()) <= {"GET", "HEAD"}:
        return False
    if is_stream(effective):  # it may have no end
        return False
    marked = (getattr(original, "openapi_extra", None) or {}).get(MARK)
    if isinstance(marked, bool):
        return marked
    # Validators that run nothing of the application's, too.
    dependant = effective.dependant
    rows = native_rows(dependant, effective, effective._embed_body_fields)
    return rows is not None and _is_harmless(dependant)


def _is_harmless(dependant: Any) -> bool:
    call = dependant.call
    if dependant.dependencies or type(call) is not FunctionType:
        return False
    if any(getattr(dependant, f"{name}_param_name") for name in _SPECIAL):
        return False
    # What a coroutine adds for itself comes behind its table of exceptions.
    code = [i.opname for i in dis.get_instructions(call) if i.opname not in _OF_COROUTINES]
    return all(name.startswith(_HARMLESS) for name in code)


_OF_COROUTINES = frozenset({"CALL_INTRINSIC_1", "RERAISE", "PUSH_EXC_INFO"})
