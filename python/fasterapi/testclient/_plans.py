"""Plans of the applications under test: compiled at the first request of a client, and again
when what they were made of has changed."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from fasterapi._compile import NotCompiled, compile_app, is_current
from fasterapi.testclient._why import ROOT_PATH

if TYPE_CHECKING:
    from fasterapi._compile._table import Compiled

# "auto": by plans, where there are any; "asgi": every request through the application.
engine = "asgi"
_compiled: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()


def plans_of(transport: Any, app: Any) -> Compiled | str:
    """Or why there are none. Kept for as long as the transport is there: plans hold their
    application, and would keep it for ever."""
    if engine == "asgi":
        return "the engine is asgi"
    if transport.root_path:
        return ROOT_PATH
    found = _compiled.get(transport)
    try:
        if found is None or not is_current(found, app):
            found = _compiled[transport] = compile_app(app)
    except NotCompiled as reason:
        _compiled.pop(transport, None)
        return reason.reason
    plans: Compiled = found
    return plans
