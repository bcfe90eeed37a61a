"""What a server is to do. Keywords, defaults and attributes are those of uvicorn.Config."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal

from fasterapi import _app, _bind, _config_values, _limits, _logging, _systemd
from fasterapi._environment import load_environment, workers_of_environment
from fasterapi._lifespan import Lifespan, NoLifespan
from fasterapi._options import DEFAULTS, UnsupportedOption, refuse_unsupported
from fasterapi._watched import Watched

if TYPE_CHECKING:
    from fasterapi._compile._table import Compiled

STARTUP_FAILURE = 3
SERVER_NAME = "fasterapi"

logger = logging.getLogger("uvicorn.error")


class Config:
    """Raises UnsupportedOption for what is not there yet, OptionError for what makes no
    sense. Logging is set up here, the application loaded by load()."""

    def __init__(
        self,
        app: Any,
        host: str | None = "127.0.0.1",
        port: int = 8000,
        uds: str | None = None,
        fd: int | None = None,
        loop: str = "auto",
        http: Any = "auto",
        http2: bool = False,
        ws: Any = "auto",
        ws_max_size: int = 16 * 1024 * 1024,
        ws_max_queue: int = 32,
        ws_ping_interval: float | None = 20.0,
        ws_ping_timeout: float | None = 20.0,
        ws_per_message_deflate: bool = True,
        lifespan: Literal["auto", "on", "off"] = "auto",
        env_file: str | os.PathLike[str] | None = None,
        log_config: _logging.LogConfig = _logging.LOGGING_CONFIG,
        log_level: str | int | None = None,
        access_log: bool = True,
        use_colors: bool | None = None,
        interface: Literal["auto", "asgi3", "asgi2", "wsgi"] = "auto",
        reload: bool = False,
        reload_dirs: list[str] | str | None = None,
        reload_delay: float = 0.25,
        reload_includes: list[str] | str | None = None,
        reload_excludes: list[str] | str | None = None,
        workers: int | None = None,
        proxy_headers: bool = True,
        server_header: bool = True,
        date_header: bool = True,
        forwarded_allow_ips: list[str] | str | None = None,
        root_path: str = "",
        limit_concurrency: int | None = None,
        limit_max_requests: int | None = None,
        limit_max_requests_jitter: int = 0,
        backlog: int = 2048,
        timeout_keep_alive: int = 5,
        timeout_notify: int = 30,
        timeout_graceful_shutdown: int | None = None,
        timeout_worker_healthcheck: int = 5,
        callback_notify: Callable[[], Awaitable[None]] | None = None,
        ssl_keyfile: str | os.PathLike[str] | None = None,
        ssl_certfile: str | os.PathLike[str] | None = None,
        ssl_keyfile_password: str | None = None,
        ssl_version: int = ssl.PROTOCOL_TLS_SERVER,
        ssl_cert_reqs: int = ssl.CERT_NONE,
        ssl_ca_certs: str | os.PathLike[str] | None = None,
        ssl_ciphers: str | None = None,
        ssl_context_factory: Any = None,
        headers: list[tuple[str, str]] | None = None,
        factory: bool = False,
        h11_max_incomplete_event_size: int | None = None,
        reset_contextvars: bool = False,
        *,
        uds_permissions: int | None = None,
        workers_max_rss: int | None = None,
        timeout_worker_blocked: int = 300,
        timeout_drain: float = 0,
        engine: Literal["auto", "asgi"] = "auto",
        verify: float = 0,
        pathsend: Literal["auto", "on", "off"] = "auto",
        early_hints: bool = False,
        trailers: bool = False,
        zerocopysend: bool = False,
        limit_request_line: int = 8192,
        limit_request_headers: int = 32768,
        limit_request_header_count: int = 100,
        limit_request_body: int | None = None,
        limit_min_rate: int = 240,
        timeout_request_header: float = 10.0,
        timeout_request_body: float = 30.0,
        timeout_write: float = 30.0,
        ws_max_fragments: int = 262144,
        ws_max_inflate_ratio: int = 100,
        ws_close_timeout: float = 10.0,
    ) -> None:
        given = dict(locals())
        if workers is None:
            # Defaults of the environment count as if they had been given.
            given["workers"] = workers = workers_of_environment()
        refuse_unsupported(given)
        _config_values.check(given)
        self.app = app
        self.host = host
        self.port = port
        self.uds = uds
        self.fd = fd
        self.loop = loop
        self.http = http
        self.engine = engine
        self.verify = verify
        self.ws = ws
        self.ws_max_size = ws_max_size
        self.ws_max_queue = ws_max_queue
        self.ws_ping_interval = ws_ping_interval
        self.ws_ping_timeout = ws_ping_timeout
        self.ws_per_message_deflate = ws_per_message_deflate
        self.lifespan = lifespan
        self.log_config = log_config
        self.log_level = log_level
        self.access_log = access_log
        self.use_colors = use_colors
        self.interface = interface
        self.reload = reload
        self.reload_delay = reload_delay
        self.workers = workers
        self.workers_max_rss = workers_max_rss
        self.uds_permissions = uds_permissions
        self.proxy_headers = proxy_headers
        self.server_header = server_header
        self.date_header = date_header
        self.root_path = root_path
        self.limit_concurrency = limit_concurrency
        self.limit_max_requests = limit_max_requests
        self.limit_max_requests_jitter = limit_max_requests_jitter
        self.backlog = backlog
        self.timeout_keep_alive = timeout_keep_alive
        self.timeout_notify = timeout_notify
        self.timeout_graceful_shutdown = timeout_graceful_shutdown
        self.timeout_worker_healthcheck = timeout_worker_healthcheck
        self.timeout_worker_blocked = timeout_worker_blocked
        self.timeout_drain = timeout_drain
        self.callback_notify = callback_notify
        self.headers = headers or []
        self.encoded_headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers
        ]
        self.factory = factory
        self.h11_max_incomplete_event_size = h11_max_incomplete_event_size
        self.reset_contextvars = reset_contextvars
        self.pathsend = pathsend
        self.early_hints = early_hints
        self.trailers = trailers
        self.zerocopysend = zerocopysend
        for limit in _limits.LIMITS:
            setattr(self, limit.name, given[limit.name])
        for name in DEFAULTS:  # all at their defaults, for those who look
            setattr(self, name, given[name])

        self._passed = _systemd.listening_fds()
        self.loaded = False
        self.app_object: Any = None  # as it was found
        self.loaded_app: Any = None
        self.made_app: Any = None
        self.configure_logging()
        if self.should_reload:
            self._watch(reload_dirs, reload_includes, reload_excludes)
        elif reload_dirs or reload_includes or reload_excludes:
            logger.warning(
                "Current configuration will not reload as not all conditions are met, "
                "please refer to documentation."
            )
        if env_file is not None:
            load_environment(env_file)
        if forwarded_allow_ips is None:
            forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")
        self.forwarded_allow_ips = forwarded_allow_ips
        if reload and workers > 1:
            logger.warning('"workers" flag is ignored when reloading is enabled.')

    def _watch(
        self,
        directories: list[str] | str | None,
        includes: list[str] | str | None,
        excludes: list[str] | str | None,
    ) -> None:
        self.watched = Watched(directories, includes, excludes)
        self.reload_dirs = self.watched.directories
        self.reload_dirs_excludes = self.watched.excluded_directories
        self.reload_includes, self.reload_excludes = self.watched.includes, self.watched.excludes
        logger.info(
            "Will watch for changes in these directories: %s", list(map(str, self.reload_dirs))
        )

    @property
    def should_reload(self) -> bool:
        return isinstance(self.app, str) and self.reload

    @property
    def use_subprocess(self) -> bool:
        """Whether the server runs in other processes than this one."""
        return bool(self.reload or self.workers > 1 or self.workers_max_rss is not None)

    @property
    def asgi_version(self) -> str:
        return "2.0" if self.interface == "asgi2" else "3.0"

    def configure_logging(self) -> None:
        _logging.configure(self.log_config, self.log_level, self.access_log, self.use_colors)

    def load_app(self) -> Any:
        """The object that `app` names; ends the process if there is none."""
        try:
            return _app.import_from_string(self.app)
        except _app.ImportFromStringError as error:
            logger.error("Error loading ASGI app. %s", error)
            sys.exit(STARTUP_FAILURE)

    def load(self) -> None:
        """Makes `loaded_app` what the server calls."""
        assert not self.loaded
        app = self.app_object = self._made(self.load_app())
        self.made_app = app
        if self.interface == "auto":
            self.interface = "asgi3" if _app.is_asgi3(app) else "asgi2"
        if self.interface == "asgi2":
            app = _app.from_asgi2(app)
        if logger.getEffectiveLevel() <= _logging.TRACE:
            app = _app.MessageLog(app)
        self.loaded_app = app
        self.loaded = True

    def _made(self, app: Any) -> Any:
        """What a factory gives. An application is told from one by a call without
        arguments, which it does not take."""
        try:
            made = app()
        except TypeError as error:
            if self.factory:
                logger.error("Error loading ASGI app factory: %s", error)
                sys.exit(STARTUP_FAILURE)
            return app
        if not self.factory:
            logger.warning(
                "ASGI app factory detected. Using it, but please consider setting the "
                "--factory flag explicitly."
            )
        return made

    def compile_routes(self) -> Compiled | None:
        """What the core may answer without the application; called after the startup of
        the lifespan, which may still add routes. None: nothing."""
        if self.engine == "asgi":
            return None
        from fasterapi._compile import NO_FASTAPI, NotCompiled, compile_app

        try:
            compiled = compile_app(self.made_app, root_path=self.root_path)
        except NotCompiled as reason:
            # Of frameworks that have no plans, nobody expects any.
            level = logging.INFO if reason.reason != NO_FASTAPI else logging.DEBUG
            logger.log(level, "Engine: every route is served through ASGI, since %s", reason)
            return None
        except Exception:
            # A fault of ours must not keep an application from being served.
            logger.exception("Engine: every route is served through ASGI: the compiler failed")
            return None
        counts = compiled.counts
        logger.info(
            "Engine: %d routes compiled, %d direct, %d served through ASGI",
            counts["compiled"],
            counts["direct"],
            counts["asgi"],
        )
        return compiled

    def make_lifespan(self) -> Lifespan | NoLifespan:
        if self.lifespan == "off":
            return NoLifespan()
        return Lifespan(self.loaded_app, self.asgi_version, required=self.lifespan == "on")

    def get_loop_factory(self) -> Callable[[], asyncio.AbstractEventLoop] | None:
        if self.loop == "none":
            return None
        if self.loop in ("auto", "uvloop", "zuvloop"):
            name = "uvloop" if self.loop == "auto" else self.loop
            try:
                made: Callable[[], asyncio.AbstractEventLoop]
                made = _app.import_from_string(f"{name}:new_event_loop")
                return made
            except _app.ImportFromStringError:
                if self.loop != "auto":
                    raise UnsupportedOption(
                        "loop", f"{name} is not installed: pip install {name}"
                    ) from None
        if self.loop in ("auto", "asyncio"):
            return asyncio.SelectorEventLoop
        try:
            made = _app.import_from_string(self.loop)
            return made
        except _app.ImportFromStringError as error:
            logger.error("Error loading custom loop setup function. %s", error)
            sys.exit(STARTUP_FAILURE)

    def open_sockets(self) -> list[socket.socket]:
        """Those that a service manager passed, unless another place was asked for."""
        if self.fd is not None:
            return [_bind.inherited(self.fd, self.backlog)]
        if self.uds is not None:
            return [_bind.unix(self.uds, self.backlog, self.uds_permissions)]
        if self._passed:
            return [_bind.inherited(fd, self.backlog) for fd in self._passed]
        return _bind.tcp(self.host, self.port, self.backlog)

    def close_sockets(self, sockets: list[socket.socket]) -> None:
        """Those of open_sockets(): from now on nobody finds us."""
        for listener in sockets:
            listener.close()
        self.remove_uds()

    def remove_uds(self) -> None:
        if self.uds is not None and self.fd is None:
            with contextlib.suppress(OSError):
                os.unlink(self.uds)

    def bind_socket(self) -> socket.socket:
        """One listening socket, for those who start the server with serve(sockets=)."""
        try:
            first, *others = self.open_sockets()
        except OSError as error:
            logger.error(error)
            sys.exit(STARTUP_FAILURE)
        for other in others:
            other.close()
        first.set_inheritable(True)
        self.log_address([first])
        return first

    def log_address(self, sockets: list[socket.socket]) -> None:
        passed = bool(self._passed) and self.uds is None
        if self.fd is not None or passed:
            what: tuple[Any, ...] = (", ".join(str(s.getsockname()) for s in sockets),)
            where = "socket %s"
        elif self.uds is not None:
            what, where = (self.uds,), "unix socket %s"
        else:
            host = self.host or "0.0.0.0"
            what = ("http", host, self.port or sockets[0].getsockname()[1])
            where = "%s://[%s]:%d" if ":" in host else "%s://%s:%d"
        shown = _logging.bold(where) if where.startswith("%s:") else where
        logger.info(
            f"FasterAPI running on {where} (Press CTRL+C to quit)",
            *what,
            extra={"color_message": f"FasterAPI running on {shown} (Press CTRL+C to quit)"},
        )
