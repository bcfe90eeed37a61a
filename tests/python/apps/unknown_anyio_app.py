"""As if anyio were a release that nobody has looked at."""

import importlib.metadata
import sys

version = importlib.metadata.version
importlib.metadata.version = lambda name: "0.1" if name == "anyio" else version(name)

from compiled_threads_app import app  # noqa: E402


@app.get("/own")
def own() -> bool:
    """Whether threads of FasterAPI's have ever been thought of."""
    return "fasterapi._own_threads" in sys.modules
