"""Commands that look at an application and do not serve it: routes, check."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from typing import Any

import click

from fasterapi import _discover, _tiers
from fasterapi._config import Config
from fasterapi._options import OptionError

FAILED = 1

_SEARCH: list[Callable[[Any], Any]] = [
    click.argument("path", required=False),
    click.option("--app", "name", help="The variable that holds the application."),
    click.option("--entrypoint", "-e", help="The application as module:attribute."),
    click.option("--app-dir", default="", help="Directory in which it is looked for."),
    click.option("--factory", is_flag=True, help="It is a function that makes the application."),
]


def _searching(function: Any) -> Any:
    for parameter in reversed(_SEARCH):
        function = parameter(function)
    return function


def fail(text: str) -> Any:
    click.echo(f"Error: {text}", err=True)
    sys.exit(2)


def found_name(path: str | None, name: str | None, entrypoint: str | None, app_dir: str) -> str:
    """The import string of the application, found as by `fasterapi run`."""
    if app_dir:
        sys.path.insert(0, app_dir)
    try:
        return _discover.find(path, name, entrypoint)
    except _discover.NotFound as error:
        return fail(str(error))


def _surveyed(
    path: str | None, name: str | None, entrypoint: str | None, app_dir: str, factory: bool
) -> _tiers.Survey:
    with contextlib.redirect_stdout(sys.stderr):  # what the application says is no answer
        app = found_name(path, name, entrypoint, app_dir)
        try:
            config = Config(app, factory=factory, engine="auto", log_level="warning")
        except OptionError as error:
            fail(str(error))
        config.load()
        return _tiers.survey(config.made_app)


@click.command("routes", context_settings={"auto_envvar_prefix": "FASTERAPI"})
@_searching
@click.option("--explain", is_flag=True, help="Tell what would make a route faster, too.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def routes(explain: bool, as_json: bool, **where: Any) -> None:
    """Tell which tier serves each route of an application, and why no faster one.

    The application is found as by `fasterapi run`. It is imported, and not started: routes
    that its lifespan adds are not seen."""
    found = _surveyed(**where)
    if as_json:
        click.echo(json.dumps(found.as_dict(), indent=2))
    else:
        _tiers.write(found, explain=explain)


class _Percent(click.ParamType):
    name = "percent"

    def convert(self, value: Any, _: click.Parameter | None, __: click.Context | None) -> float:
        try:
            percent = float(str(value).removesuffix("%"))
        except ValueError:
            percent = -1.0
        if not 0 <= percent <= 100:
            self.fail(f"{value!r} is not a percentage from 0 to 100")
        return percent


PERCENT = _Percent()


@click.command("check", context_settings={"auto_envvar_prefix": "FASTERAPI"})
@_searching
@click.option(
    "--min-compiled",
    type=PERCENT,
    default=100.0,
    metavar="PERCENT",
    help="The share of path operations that must be compiled. [default: 100%]",
)
def check(min_compiled: float, **where: Any) -> None:
    """Fail, with status 1, when too few routes are compiled: for continuous integration.

    Path operations are counted, not the pages of the documentation, WebSockets and mounts."""
    found = _surveyed(**where)
    click.echo(_tiers.summary(found))
    if not found.operations:
        click.echo("There is no path operation.", err=True)
        sys.exit(FAILED)
    if found.share >= min_compiled:
        return
    for row in found.operations:
        if row.tier not in _tiers.FAST:
            hint = f" ({row.hint})" if row.hint else ""
            click.echo(f"{' '.join(row.methods)} {row.path}: {row.reason}{hint}", err=True)
    click.echo(f"At least {min_compiled:g}% were asked for.", err=True)
    sys.exit(FAILED)
