"""Finds the application when it is not named in full, by the rules of `fastapi run`."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from fasterapi._app import is_asgi3

DEFAULT_PATHS = ("main.py", "app.py", "api.py", "app/main.py", "app/app.py", "app/api.py")
PREFERRED_NAMES = ("app", "api")


class NotFound(Exception):
    """There is no application where one was looked for."""


def settings(tool: str) -> dict[str, Any]:
    """The table [tool.NAME] of the pyproject.toml in the working directory."""
    path = Path("pyproject.toml")
    if not path.is_file():
        return {}
    import tomllib  # most servers start where there is no such file

    try:
        loaded = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise NotFound(f"Invalid pyproject.toml: {error}") from None
    table = loaded.get("tool", {}).get(tool, {})
    if not isinstance(table, dict):
        raise NotFound(f"Invalid pyproject.toml: [tool.{tool}] is not a table")
    return table


def find(
    target: str | None, name: str | None, entrypoint: str | None, apart: bool = False
) -> str:
    """The import string of the application; its directory is on sys.path afterwards.

    `target` is a path, or "module:attribute"; `name` the variable in the module. Neither
    given, it is `entrypoint`, that of [tool.fastapi], or a usual place. A module that has
    to be looked into is imported: `apart`, in another process."""
    if entrypoint is not None and (target is not None or name is not None):
        raise NotFound("Cannot use --entrypoint together with a path or --app")
    if target is not None and ":" in target and not Path(target).exists():
        if name is not None:
            raise NotFound("Cannot use --app together with module:attribute")
        entrypoint, target = target, None
    elif target is None and name is None and entrypoint is None:
        entrypoint = settings("fastapi").get("entrypoint")
        if not isinstance(entrypoint, str | None):
            raise NotFound("Invalid pyproject.toml: [tool.fastapi] entrypoint is not a string")
    if entrypoint is not None:
        return _of_import_string(entrypoint)
    return _of_path(Path(target) if target is not None else _default_path(), name, apart)


def _of_import_string(text: str) -> str:
    module, _, attribute = text.partition(":")
    if not module or not attribute:
        raise NotFound("Import string must be in the format module.submodule:app_name")
    sys.path.insert(0, str(Path().resolve()))
    return text


def _default_path() -> Path:
    for name in DEFAULT_PATHS:
        if Path(name).is_file():
            return Path(name)
    raise NotFound("Could not find a default file to run, please provide an explicit path")


def _of_path(path: Path, name: str | None, apart: bool) -> str:
    if not path.exists():
        raise NotFound(f"Path does not exist {path}")
    module_path = path.resolve()
    if module_path.name == "__init__.py":
        module_path = module_path.parent
    parts = [module_path.stem]
    directory = module_path.parent
    while (directory / "__init__.py").is_file():  # inside a package
        parts.insert(0, directory.name)
        directory = directory.parent
    sys.path.insert(0, str(directory))
    module = ".".join(parts)
    return f"{module}:{(_name_in_apart if apart else _name_in)(module, name)}"


def _name_in_apart(module: str, name: str | None) -> str:
    """As _name_in(), by another process: this one will not have imported the application."""
    code = (
        "import os, sys; fd, module, name, *sys.path = sys.argv[1:]; sys.argv = sys.argv[:1]\n"
        "from fasterapi import _discover as d\n"
        "try: told = '+' + d._name_in(module, name or None)\n"
        "except d.NotFound as error: told = '-' + str(error)\n"
        "os.write(int(fd), told.encode())"
    )
    reader, writer = os.pipe()
    with open(reader, "rb") as pipe:
        try:
            command = [sys.executable, "-c", code, str(writer), module, name or "", *sys.path]
            process = subprocess.Popen(command, pass_fds=[writer])
        finally:
            os.close(writer)
        told = pipe.read().decode()
    status = process.wait()
    if not told:
        sys.exit(status or 1)  # it has said why
    if told.startswith("-"):
        raise NotFound(told[1:])
    return told[1:]


def _name_in(module_name: str, name: str | None) -> str:
    module = importlib.import_module(module_name)
    if name is not None:
        if not hasattr(module, name):
            raise NotFound(f"Could not find app name {name} in {module_name}")
        return name
    others = sorted(set(vars(module)) - set(PREFERRED_NAMES))
    for candidate in (*PREFERRED_NAMES, *others):
        if _is_fastapi(getattr(module, candidate, None)):
            return candidate
    # Other ASGI applications only under a usual name: too much else can be called.
    for candidate in (*PREFERRED_NAMES, "application"):
        found = getattr(module, candidate, None)
        if callable(found) and is_asgi3(found):
            return candidate
    raise NotFound(f"Could not find an application in {module_name}, try using --app")


def _is_fastapi(found: Any) -> bool:
    """Whoever has made an instance has imported the class: nothing is imported here."""
    fastapi = sys.modules.get("fastapi")
    return fastapi is not None and isinstance(found, fastapi.FastAPI)
