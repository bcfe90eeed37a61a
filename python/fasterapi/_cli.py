"""The command line: `fasterapi main:app`, `fasterapi run`, `fasterapi dev`.

Options are those of uvicorn and of `fastapi run`, in their spelling. Each may also come
from FASTERAPI_NAME in the environment or [tool.fasterapi] in pyproject.toml."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from fasterapi import _commands, _discover, _logging
from fasterapi._cli_options import COMMON, RELOAD, SEARCH, address, switch, with_parameters
from fasterapi._environment import workers_of_environment
from fasterapi._options import OptionError
from fasterapi._run import run as run_server

EPILOG = """\b
Other commands:
  fasterapi run [PATH]  production: finds the application, listens on 0.0.0.0
  fasterapi dev [PATH]  development: finds the application, listens on 127.0.0.1
  fasterapi routes [PATH]  which route is served how, and why
  fasterapi check [PATH]  the same for continuous integration
  fasterapi compare [PATH]  beside uvicorn: answers and speed
"""
SETTINGS = {"auto_envvar_prefix": "FASTERAPI"}


@click.command("fasterapi", context_settings=SETTINGS, epilog=EPILOG)
@click.argument("app", envvar="FASTERAPI_APP")
@with_parameters([*address("127.0.0.1"), RELOAD, *COMMON])
def serve(app: str, app_dir: str, **options: Any) -> None:
    """Serve the ASGI application APP, written as module:attribute."""
    _serve(app, app_dir, options)


@click.command("run", context_settings=SETTINGS)
@with_parameters([*SEARCH, *address("0.0.0.0", "FASTERAPI_PORT", "PORT"), RELOAD, *COMMON])
def run(**options: Any) -> None:
    """Serve an application in production.

    PATH is a Python file or package, or module:attribute. Without it, the application is
    the entrypoint in [tool.fastapi] of pyproject.toml, or that in main.py, app.py, api.py,
    here or in app/."""
    os.environ.setdefault("FASTAPI_ENV", "production")
    _search_and_serve(options)


@click.command("dev", context_settings=SETTINGS)
@with_parameters(
    [
        *SEARCH,
        *address("127.0.0.1", "FASTERAPI_PORT", "PORT"),
        switch("reload", True, "Restart when files change."),
        *COMMON,
    ]
)
def dev(**options: Any) -> None:
    """Serve an application in development. It is found as by `fasterapi run`.

    With --no-reload there is one process, as debuggers like it."""
    os.environ.setdefault("FASTAPI_ENV", "development")
    _search_and_serve(options)


COMMANDS = {"run": run, "dev": dev, "routes": _commands.routes, "check": _commands.check}
COMMANDS["compare"] = _commands.compare


def _search_and_serve(options: dict[str, Any]) -> None:
    path, name = options.pop("path"), options.pop("name")
    entrypoint, verbose = options.pop("entrypoint"), options.pop("verbose")
    app_dir = options.pop("app_dir")
    if app_dir:
        sys.path.insert(0, app_dir)
    try:
        if options["workers"] is None:
            options["workers"] = workers_of_environment()
        # Who supervises does not import the application.
        apart = options["reload"] or options["workers"] > 1 or options["workers_max_rss"]
        app = _discover.find(path, name, entrypoint, bool(apart))
    except OptionError as error:
        _fail_option(error)
    except _discover.NotFound as error:
        _fail(str(error))
    if verbose:
        click.echo(f"Importing from {sys.path[0]}", err=True)
    if verbose or path is None:
        click.echo(f"Using import string: {app}", err=True)
    _serve(app, None, options)


def _serve(app: str, app_dir: str | None, options: dict[str, Any]) -> None:
    headers = []
    for header in options["headers"]:
        name, colon, value = header.partition(":")
        if not colon:
            _fail(f"--header {header!r} is not Name:Value")
        headers.append((name, value.strip()))
    options["headers"] = headers
    for name in ("reload_dirs", "reload_includes", "reload_excludes"):
        options[name] = list(options[name]) or None
    if options["log_config"] is None:
        options["log_config"] = _logging.LOGGING_CONFIG
    try:
        run_server(app, app_dir=app_dir, **options)
    except OptionError as error:
        _fail_option(error)


def _fail_option(error: OptionError) -> Any:
    option = {"headers": "header"}.get(error.option, error.option)
    _fail(f"--{option.replace('_', '-')} {error.reason}")


def _fail(text: str) -> Any:
    click.echo(f"Error: {text}", err=True)
    sys.exit(2)


def _defaults(command: click.Command) -> dict[str, Any]:
    """[tool.fasterapi], whose keys are names of options."""
    known = {}
    for parameter in command.params:
        for name in (parameter.name, *(option.lstrip("-") for option in parameter.opts)):
            known[str(name).replace("-", "_")] = str(parameter.name)
    found = {}
    for key, value in _discover.settings("fasterapi").items():
        option = known.get(key.replace("-", "_"))
        if option is None:
            if any(_takes(other, key) for other in (serve, *COMMANDS.values())):
                continue  # for another command
            raise _discover.NotFound(f"pyproject.toml: [tool.fasterapi] has no option {key!r}")
        found[option] = value
    return found


def _takes(command: click.Command, key: str) -> bool:
    option = key.replace("_", "-")
    return any(
        key == parameter.name or f"--{option}" in parameter.opts for parameter in command.params
    )


def main(arguments: list[str] | None = None, prog_name: str = "fasterapi") -> None:
    """The command line. Ends the process."""
    arguments = sys.argv[1:] if arguments is None else arguments
    command = COMMANDS.get(arguments[0] if arguments else "", serve)
    if command is not serve:
        arguments = arguments[1:]
        prog_name = f"{prog_name} {command.name}"
    try:
        defaults = _defaults(command)
    except _discover.NotFound as error:
        _fail(str(error))
    command.main(arguments, prog_name=prog_name, default_map=defaults)
