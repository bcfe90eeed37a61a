"""The command line: `fasterapi main:app`, `fasterapi run`, `fasterapi dev`.

Options are those of uvicorn and of `fastapi run`, in their spelling. Each may also come
from FASTERAPI_NAME in the environment or [tool.fasterapi] in pyproject.toml."""

from __future__ import annotations

import os
import platform
import ssl
import sys
from collections.abc import Callable
from typing import Any

import click

import fasterapi
from fasterapi import _commands, _discover, _logging
from fasterapi._config import workers_of_environment
from fasterapi._limits import LIMITS
from fasterapi._options import OptionError
from fasterapi._server import run as run_server

NOT_YET = "Not supported yet."
EPILOG = """\b
Other commands:
  fasterapi run [PATH]  production: finds the application, listens on 0.0.0.0
  fasterapi dev [PATH]  development: finds the application, listens on 127.0.0.1
  fasterapi routes [PATH]  which route is served how, and why
  fasterapi check [PATH]  the same for continuous integration
  fasterapi compare [PATH]  beside uvicorn: answers and speed
"""


def _print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        click.echo(
            f"Running fasterapi {fasterapi.__version__} with "
            f"{platform.python_implementation()} {platform.python_version()} "
            f"on {platform.system()}"
        )
        context.exit()


def _option(*names: str, **settings: Any) -> Callable[[Any], Any]:
    return click.option(*names, **settings)


def _switch(name: str, default: bool | None, text: str) -> Callable[[Any], Any]:
    return click.option(f"--{name}/--no-{name}", is_flag=True, default=default, help=text)


_NUMBER: dict[str, Any] = {"type": int, "show_default": True}



class _Octal(click.ParamType):  # type: ignore[type-arg]  # of new releases only
    name = "mode"

    def convert(self, value: Any, _: click.Parameter | None, __: click.Context | None) -> int:
        try:
            return int(str(value), 8)
        except ValueError:
            self.fail(f"{value!r} is not a number of octal digits")


OCTAL = _Octal()

# In the order of uvicorn's help.
COMMON = [
    _option("--uds", help="Bind to a UNIX domain socket."),
    _option(
        "--uds-permissions",
        type=OCTAL,
        metavar="MODE",
        help="Permissions of the UNIX domain socket, such as 660. [default: 666, or as before]",
    ),
    _option("--fd", type=int, help="Bind to the socket that is open as this descriptor."),
    _option(
        "--reload-dir",
        "reload_dirs",
        multiple=True,
        type=click.Path(exists=True),
        help="Directory to watch with --reload; may be repeated. [default: the current one]",
    ),
    _option(
        "--reload-include",
        "reload_includes",
        multiple=True,
        help="Pattern of files to watch besides *.py; may be repeated. Needs watchfiles.",
    ),
    _option(
        "--reload-exclude",
        "reload_excludes",
        multiple=True,
        help="Pattern of files or directory not to watch, besides '.*, .py[cod], .sw.*, ~*'; "
        "may be repeated. Needs watchfiles.",
    ),
    _option(
        "--reload-delay",
        type=float,
        default=0.25,
        show_default=True,
        help="Seconds between two looks at the files.",
    ),
    _option(
        "--workers",
        type=int,
        help="Worker processes. [default: $WEB_CONCURRENCY or 1] Not used with --reload.",
    ),
    _option(
        "--workers-max-rss",
        type=int,
        metavar="MIB",
        help="A worker whose resident memory is above it is replaced, the new one first.",
    ),
    _option(
        "--engine",
        type=click.Choice(["auto", "asgi"]),
        default="auto",
        show_default=True,
        help="auto: routes of FastAPI that are understood are called straight from C; asgi: "
        "everything goes through the application.",
    ),
    _option(
        "--verify",
        type=_commands.SHARE,
        default=0.0,
        metavar="PERCENT",
        help="So many of the requests of safe GET routes are answered by both tiers; a route "
        "that differs is logged and served through ASGI. [default: 0%]",
    ),
    _option(
        "--loop",
        default="auto",
        metavar="[none|auto|asyncio|uvloop|zuvloop|MODULE:FACTORY]",
        show_default=True,
        help="Event loop; auto is uvloop where it is installed.",
    ),
    _option(
        "--http",
        default="auto",
        metavar="[auto|h11|httptools]",
        show_default=True,
        help="Accepted for uvicorn's sake: the parser is built in.",
    ),
    _option("--http2", is_flag=True, help=NOT_YET),
    _option(
        "--ws",
        default="auto",
        metavar="[auto|none|websockets|websockets-sansio|wsproto]",
        show_default=True,
        help="none: no WebSockets. The others are one: the implementation is built in.",
    ),
    _option(
        "--ws-max-size",
        default=16777216,
        **_NUMBER,
        help="Bytes of a WebSocket message; above it the connection closes with 1009.",
    ),
    _option(
        "--ws-max-queue",
        default=32,
        **_NUMBER,
        help="WebSocket messages that may wait for the application.",
    ),
    _option(
        "--ws-ping-interval",
        type=float,
        default=20.0,
        show_default=True,
        help="Seconds without a sign of a WebSocket client until it is pinged; 0: never.",
    ),
    _option(
        "--ws-ping-timeout",
        type=float,
        default=20.0,
        show_default=True,
        help="Seconds for the answer, then the connection closes with 1011; 0: any time.",
    ),
    _option(
        "--ws-per-message-deflate",
        type=bool,
        default=True,
        show_default=True,
        help="Compress WebSocket messages for clients that can.",
    ),
    _option(
        "--lifespan",
        type=click.Choice(["auto", "on", "off"]),
        default="auto",
        show_default=True,
        help="Whether the application is told of start and end.",
    ),
    _option(
        "--interface",
        type=click.Choice(["auto", "asgi3", "asgi2", "wsgi"]),
        default="auto",
        show_default=True,
        help="What the application is. wsgi is not supported yet.",
    ),
    _option("--env-file", type=click.Path(exists=True), help="Environment configuration file."),
    _option(
        "--log-config",
        type=click.Path(exists=True),
        help="Logging configuration file: .ini, .json, .yaml.",
    ),
    _option("--log-level", type=click.Choice(list(_logging.LEVELS)), help="Log level. [default: info]"),
    _switch("access-log", True, "A line for each request."),
    _switch("use-colors", None, "Colours in the log; by default on a terminal."),
    _switch("proxy-headers", True, "Take client and scheme from X-Forwarded-For and -Proto."),
    _switch("server-header", True, "Send the field Server."),
    _switch("date-header", True, "Send the field Date."),
    _option(
        "--forwarded-allow-ips",
        help="Proxies that are trusted: addresses, networks, unix socket paths, with commas; "
        "'*' is all. Default $FORWARDED_ALLOW_IPS or '127.0.0.1,::1'.",
    ),
    _option("--root-path", default="", help="Path under which a proxy serves the application."),
    _option(
        "--limit-concurrency",
        type=int,
        help="Connections, or requests, above which the answer is 503.",
    ),
    _option("--backlog", default=2048, **_NUMBER, help="Connections waiting to be accepted."),
    _option(
        "--limit-max-requests",
        type=int,
        help="Requests after which the process ends; with workers, after which a worker is "
        "replaced, the new one first.",
    ),
    _option(
        "--limit-max-requests-jitter",
        default=0,
        **_NUMBER,
        help="At most so many more, at random.",
    ),
    _option(
        "--timeout-keep-alive",
        default=5,
        **_NUMBER,
        help="Seconds until a connection without a request is closed.",
    ),
    _option(
        "--timeout-graceful-shutdown",
        type=int,
        help="Seconds that requests have to end at the stop; default: all they need.",
    ),
    _option(
        "--timeout-drain",
        type=float,
        default=0,
        show_default=True,
        help="Seconds to serve on after SIGTERM, until a load balancer knows of it.",
    ),
    _option(
        "--timeout-worker-healthcheck",
        default=5,
        **_NUMBER,
        help="Seconds without a sign of life after which a worker process is killed and "
        "replaced; one that lives, but whose event loop is blocked so long, is told of.",
    ),
    _option(
        "--timeout-worker-blocked",
        default=300,
        **_NUMBER,
        help="Seconds after which a worker whose event loop is blocked is killed and "
        "replaced; 0: never.",
    ),
    _option("--ssl-keyfile", help=NOT_YET),
    _option("--ssl-certfile", help=NOT_YET),
    _option("--ssl-keyfile-password", help=NOT_YET),
    _option("--ssl-version", default=int(ssl.PROTOCOL_TLS_SERVER), **_NUMBER, help=NOT_YET),
    _option("--ssl-cert-reqs", default=int(ssl.CERT_NONE), **_NUMBER, help=NOT_YET),
    _option("--ssl-ca-certs", help=NOT_YET),
    _option("--ssl-ciphers", help=NOT_YET),
    _option("--header", "headers", multiple=True, help="Name:Value that every answer begins with."),
    _option(
        "--version",
        is_flag=True,
        callback=_print_version,
        expose_value=False,
        is_eager=True,
        help="Print the version and exit.",
    ),
    _option("--app-dir", default="", help="Directory in which APP is looked for."),
    _option(
        "--h11-max-incomplete-event-size",
        type=int,
        help="Sets --limit-request-line and --limit-request-headers, unless those are set.",
    ),
    _option("--reset-contextvars", is_flag=True, help="Run requests in an empty context."),
    _option("--factory", is_flag=True, help="APP is a function that makes the application."),
    # Beyond uvicorn's.
    _option(
        "--pathsend",
        type=click.Choice(["auto", "on", "off"]),
        default="auto",
        show_default=True,
        help="Let the application send files by their path (http.response.pathsend); auto: if "
        "nothing in it can tell the difference.",
    ),
    _switch("early-hints", False, "Offer http.response.early_hint (103) to the application."),
    _switch("trailers", False, "Offer http.response.trailers to the application."),
    _switch("zerocopysend", False, "Offer http.response.zerocopysend to the application."),
    *(
        _option(
            "--" + limit.name.replace("_", "-"),
            type=limit.type,
            default=limit.default,
            show_default=limit.default is not None,
            help=limit.help,
        )
        for limit in LIMITS
    ),
]


def _address(host: str, *port_variables: str) -> list[Callable[[Any], Any]]:
    variables = {"envvar": list(port_variables)} if port_variables else {}
    return [
        _option("--host", default=host, show_default=True, help="Bind to this host."),
        _option(
            "--port",
            type=int,
            default=8000,
            show_default=True,
            help="Bind to this port; 0 takes a free one.",
            **variables,
        ),
    ]


SEARCH = [
    click.argument("path", required=False),
    _option("--app", "name", help="The variable that holds the application."),
    _option("--entrypoint", "-e", help="The application as module:attribute."),
    _option("--verbose", "-v", is_flag=True, help="Tell how the application was found."),
]


def _with(parameters: list[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        for parameter in reversed(parameters):
            function = parameter(function)
        return function

    return decorate


SETTINGS = {"auto_envvar_prefix": "FASTERAPI"}
RELOAD = _option("--reload", is_flag=True, help="Restart when files change.")


@click.command("fasterapi", context_settings=SETTINGS, epilog=EPILOG)
@click.argument("app", envvar="FASTERAPI_APP")
@_with([*_address("127.0.0.1"), RELOAD, *COMMON])
def serve(app: str, app_dir: str, **options: Any) -> None:
    """Serve the ASGI application APP, written as module:attribute."""
    _serve(app, app_dir, options)


@click.command("run", context_settings=SETTINGS)
@_with([*SEARCH, *_address("0.0.0.0", "FASTERAPI_PORT", "PORT"), RELOAD, *COMMON])
def run(**options: Any) -> None:
    """Serve an application in production.

    PATH is a Python file or package, or module:attribute. Without it, the application is
    the entrypoint in [tool.fastapi] of pyproject.toml, or that in main.py, app.py, api.py,
    here or in app/."""
    os.environ.setdefault("FASTAPI_ENV", "production")
    _search_and_serve(options)


@click.command("dev", context_settings=SETTINGS)
@_with(
    [
        *SEARCH,
        *_address("127.0.0.1", "FASTERAPI_PORT", "PORT"),
        _switch("reload", True, "Restart when files change."),
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
