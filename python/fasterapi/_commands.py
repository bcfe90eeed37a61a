"""Commands that look at an application: routes, check, compare."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click

from fasterapi import _compare, _discover, _tiers
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


def fail(text: str) -> NoReturn:
    click.echo(f"Error: {text}", err=True)
    sys.exit(2)


def found_name(path: str | None, name: str | None, entrypoint: str | None, app_dir: str) -> str:
    """The import string of the application, found as by `fasterapi run`."""
    if app_dir:
        sys.path.insert(0, app_dir)
    try:
        return _discover.find(path, name, entrypoint)
    except _discover.NotFound as error:
        fail(str(error))


def _loaded(
    path: str | None, name: str | None, entrypoint: str | None, app_dir: str, factory: bool
) -> tuple[str, Any]:
    """The import string, and the application."""
    with contextlib.redirect_stdout(sys.stderr):  # what the application says is no answer
        app = found_name(path, name, entrypoint, app_dir)
        try:
            config = Config(app, factory=factory, engine="auto", log_level="warning")
        except OptionError as error:
            fail(str(error))
        config.load()
    return app, config.made_app


def _surveyed(**where: Any) -> _tiers.Survey:
    _, app = _loaded(**where)
    with contextlib.redirect_stdout(sys.stderr):
        return _tiers.survey(app)


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


class _Percent(click.ParamType):  # type: ignore[type-arg]  # of new releases only
    name = "percent"

    def convert(self, value: Any, _: click.Parameter | None, __: click.Context | None) -> float:
        try:
            percent = float(str(value).removesuffix("%"))
        except ValueError:
            percent = -1.0
        if not 0 <= percent <= 100:
            self.fail(f"{value!r} is not a percentage from 0 to 100")
        return percent


class _Share(_Percent):
    def convert(self, value: Any, *where: Any) -> float:
        # The default, and [tool.fasterapi], are passed through here, too: percents as well.
        return super().convert(value, *where) / 100


PERCENT = _Percent()
SHARE = _Share()


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


@click.command("compare", context_settings={"auto_envvar_prefix": "FASTERAPI"})
@_searching
@click.option(
    "--request",
    "request_file",
    type=click.Path(exists=True, dir_okay=False),
    help="A JSON list of requests to compare: path, and if need be method, headers, body or json.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    help="Load on each server and GET request; 0: compare the answers only.",
)
@click.option("--plot", default="fasterapi-compare.svg", show_default=True, help="SVG file to write.")
def compare(request_file: str | None, seconds: float, plot: str, **where: Any) -> None:
    """Serve an application with uvicorn and with fasterapi, side by side, and compare.

    Asked are the paths with GET whose parameters have examples, and the requests of a file.
    The status is 1 when an answer differs. The application runs twice: mind what it writes."""
    name, app = _loaded(**where)
    try:
        requests, left_out = _compare.requests_of(app)
        if request_file is not None:
            requests += _compare.read_requests(request_file)
        if not requests:
            raise _compare.CannotCompare("there is nothing to ask for; name requests by --request")
        results = _compared(name, where["factory"], requests, seconds)
    except _compare.CannotCompare as error:
        fail(str(error))
    for line in [*_compare.table(results), *(f"left out: {why}" for why in left_out)]:
        click.echo(line)
    differing = [result for result in results if result.difference]
    for result in differing:
        click.echo(f"differs: {result.request.name}: {result.difference}", err=True)
    if seconds:
        with open(plot, "w") as file:
            file.write(_compare.plot(results))
        click.echo(f"Plot: {plot}")
    sys.exit(FAILED if differing else 0)


def _compared(
    name: str, factory: bool, requests: list[_compare.Request], seconds: float
) -> list[_compare.Result]:
    folder = sys.path[0]  # where the application was found
    with (
        _compare.serving("uvicorn", name, folder, factory) as theirs,
        _compare.serving("fasterapi", name, folder, factory) as ours,
    ):
        results = [_compare.compared(theirs, ours, request) for request in requests]
        for result in results if seconds else ():
            if result.request.method != "GET":
                continue  # thousands of times more than was asked for
            for server in (theirs, ours):
                result.speed[server.name] = _compare.measure(server, result.request, seconds)
    return results
