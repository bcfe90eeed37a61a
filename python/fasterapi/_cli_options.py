"""Options of the commands that serve: uvicorn's and those of `fastapi run`, in their spelling."""

from __future__ import annotations

import platform
import ssl
from collections.abc import Callable
from typing import Any

import click

import fasterapi
from fasterapi import _logging
from fasterapi._commands import SHARE
from fasterapi._limits import LIMITS

NOT_YET = "Not supported yet."


def _print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        click.echo(
            f"Running fasterapi {fasterapi.__version__} with "
            f"{platform.python_implementation()} {platform.python_version()} "
            f"on {platform.system()}"
        )
        context.exit()


def option(*names: str, **settings: Any) -> Callable[[Any], Any]:
    return click.option(*names, **settings)


def switch(name: str, default: bool | None, text: str) -> Callable[[Any], Any]:
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
    option("--uds", help="Bind to a UNIX domain socket."),
    option(
        "--uds-permissions",
        type=OCTAL,
        metavar="MODE",
        help="Permissions of the UNIX domain socket, such as 660. [default: 666, or as before]",
    ),
    option("--fd", type=int, help="Bind to the socket that is open as this descriptor."),
    option(
        "--reload-dir",
        "reload_dirs",
        multiple=True,
        type=click.Path(exists=True),
        help="Directory to watch with --reload; may be repeated. [default: the current one]",
    ),
    option(
        "--reload-include",
        "reload_includes",
        multiple=True,
        help="Pattern of files to watch besides *.py; may be repeated. Needs watchfiles.",
    ),
    option(
        "--reload-exclude",
        "reload_excludes",
        multiple=True,
        help="Pattern of files or directory not to watch, besides '.*, .py[cod], .sw.*, ~*'; "
        "may be repeated. Needs watchfiles.",
    ),
    option(
        "--reload-delay",
        type=float,
        default=0.25,
        show_default=True,
        help="Seconds between two looks at the files.",
    ),
    option(
        "--workers",
        type=int,
        help="Worker processes. [default: $WEB_CONCURRENCY or 1] Not used with --reload.",
    ),
    option(
        "--workers-max-rss",
        type=int,
        metavar="MIB",
        help="A worker whose resident memory is above it is replaced, the new one first.",
    ),
    option(
        "--engine",
        type=click.Choice(["auto", "asgi"]),
        default="auto",
        show_default=True,
        help="auto: routes of FastAPI that are understood are called straight from C; asgi: "
        "everything goes through the application.",
    ),
    option(
        "--verify",
        type=SHARE,
        default=0.0,
        metavar="PERCENT",
        help="So many of the requests of safe GET routes are answered by both tiers; a route "
        "that differs is logged and served through ASGI. [default: 0%]",
    ),
    option(
        "--loop",
        default="auto",
        metavar="[none|auto|asyncio|uvloop|zuvloop|MODULE:FACTORY]",
        show_default=True,
        help="Event loop; auto is uvloop where it is installed.",
    ),
    option(
        "--http",
        default="auto",
        metavar="[auto|h11|httptools]",
        show_default=True,
        help="Accepted for uvicorn's sake: the parser is built in.",
    ),
    option("--http2", is_flag=True, help=NOT_YET),
    option(
        "--ws",
        default="auto",
        metavar="[auto|none|websockets|websockets-sansio|wsproto]",
        show_default=True,
        help="none: no WebSockets. The others are one: the implementation is built in.",
    ),
    option(
        "--ws-max-size",
        default=16777216,
        **_NUMBER,
        help="Bytes of a WebSocket message; above it the connection closes with 1009.",
    ),
    option(
        "--ws-max-queue",
        default=32,
        **_NUMBER,
        help="WebSocket messages that may wait for the application.",
    ),
    option(
        "--ws-ping-interval",
        type=float,
        default=20.0,
        show_default=True,
        help="Seconds without a sign of a WebSocket client until it is pinged; 0: never.",
    ),
    option(
        "--ws-ping-timeout",
        type=float,
        default=20.0,
        show_default=True,
        help="Seconds for the answer, then the connection closes with 1011; 0: any time.",
    ),
    option(
        "--ws-per-message-deflate",
        type=bool,
        default=True,
        show_default=True,
        help="Compress WebSocket messages for clients that can.",
    ),
    option(
        "--lifespan",
        type=click.Choice(["auto", "on", "off"]),
        default="auto",
        show_default=True,
        help="Whether the application is told of start and end.",
    ),
    option(
        "--interface",
        type=click.Choice(["auto", "asgi3", "asgi2", "wsgi"]),
        default="auto",
        show_default=True,
        help="What the application is. wsgi is not supported yet.",
    ),
    option("--env-file", type=click.Path(exists=True), help="Environment configuration file."),
    option(
        "--log-config",
        type=click.Path(exists=True),
        help="Logging configuration file: .ini, .json, .yaml.",
    ),
    option("--log-level", type=click.Choice(list(_logging.LEVELS)), help="Log level. [default: info]"),
    switch("access-log", True, "A line for each request."),
    switch("use-colors", None, "Colours in the log; by default on a terminal."),
    switch("proxy-headers", True, "Take client and scheme from X-Forwarded-For and -Proto."),
    switch("server-header", True, "Send the field Server."),
    switch("date-header", True, "Send the field Date."),
    option(
        "--forwarded-allow-ips",
        help="Proxies that are trusted: addresses, networks, unix socket paths, with commas; "
        "'*' is all. Default $FORWARDED_ALLOW_IPS or '127.0.0.1,::1'.",
    ),
    option("--root-path", default="", help="Path under which a proxy serves the application."),
    option(
        "--limit-concurrency",
        type=int,
        help="Connections, or requests, above which the answer is 503.",
    ),
    option("--backlog", default=2048, **_NUMBER, help="Connections waiting to be accepted."),
    option(
        "--limit-max-requests",
        type=int,
        help="Requests after which the process ends; with workers, after which a worker is "
        "replaced, the new one first.",
    ),
    option(
        "--limit-max-requests-jitter",
        default=0,
        **_NUMBER,
        help="At most so many more, at random.",
    ),
    option(
        "--timeout-keep-alive",
        default=5,
        **_NUMBER,
        help="Seconds until a connection without a request is closed.",
    ),
    option(
        "--timeout-graceful-shutdown",
        type=int,
        help="Seconds that requests have to end at the stop; default: all they need.",
    ),
    option(
        "--timeout-drain",
        type=float,
        default=0,
        show_default=True,
        help="Seconds to serve on after SIGTERM, until a load balancer knows of it.",
    ),
    option(
        "--timeout-worker-healthcheck",
        default=5,
        **_NUMBER,
        help="Seconds without a sign of life after which a worker process is killed and "
        "replaced; one that lives, but whose event loop is blocked so long, is told of.",
    ),
    option(
        "--timeout-worker-blocked",
        default=300,
        **_NUMBER,
        help="Seconds after which a worker whose event loop is blocked is killed and "
        "replaced; 0: never.",
    ),
    option("--ssl-keyfile", help=NOT_YET),
    option("--ssl-certfile", help=NOT_YET),
    option("--ssl-keyfile-password", help=NOT_YET),
    option("--ssl-version", default=int(ssl.PROTOCOL_TLS_SERVER), **_NUMBER, help=NOT_YET),
    option("--ssl-cert-reqs", default=int(ssl.CERT_NONE), **_NUMBER, help=NOT_YET),
    option("--ssl-ca-certs", help=NOT_YET),
    option("--ssl-ciphers", help=NOT_YET),
    option("--header", "headers", multiple=True, help="Name:Value that every answer begins with."),
    option(
        "--version",
        is_flag=True,
        callback=_print_version,
        expose_value=False,
        is_eager=True,
        help="Print the version and exit.",
    ),
    option("--app-dir", default="", help="Directory in which APP is looked for."),
    option(
        "--h11-max-incomplete-event-size",
        type=int,
        help="Sets --limit-request-line and --limit-request-headers, unless those are set.",
    ),
    option("--reset-contextvars", is_flag=True, help="Run requests in an empty context."),
    option("--factory", is_flag=True, help="APP is a function that makes the application."),
    # Beyond uvicorn's.
    option(
        "--pathsend",
        type=click.Choice(["auto", "on", "off"]),
        default="auto",
        show_default=True,
        help="Let the application send files by their path (http.response.pathsend); auto: if "
        "nothing in it can tell the difference.",
    ),
    switch("early-hints", False, "Offer http.response.early_hint (103) to the application."),
    switch("trailers", False, "Offer http.response.trailers to the application."),
    switch("zerocopysend", False, "Offer http.response.zerocopysend to the application."),
    *(
        option(
            "--" + limit.name.replace("_", "-"),
            type=limit.type,
            default=limit.default,
            show_default=limit.default is not None,
            help=limit.help,
        )
        for limit in LIMITS
    ),
]


def address(host: str, *port_variables: str) -> list[Callable[[Any], Any]]:
    variables = {"envvar": list(port_variables)} if port_variables else {}
    return [
        option("--host", default=host, show_default=True, help="Bind to this host."),
        option(
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
    option("--app", "name", help="The variable that holds the application."),
    option("--entrypoint", "-e", help="The application as module:attribute."),
    option("--verbose", "-v", is_flag=True, help="Tell how the application was found."),
]
RELOAD = option("--reload", is_flag=True, help="Restart when files change.")


def with_parameters(parameters: list[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        for parameter in reversed(parameters):
            function = parameter(function)
        return function

    return decorate
