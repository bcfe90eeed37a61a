"""A server in an asyncio loop, from its start to its end in order."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import os
import random
import signal
import socket
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

from fasterapi import _app, _core, _extensions, _limits, _logging
from fasterapi._config import SERVER_NAME, STARTUP_FAILURE, Config
from fasterapi._lifespan import Lifespan, NoLifespan
from fasterapi._proxy import rules_of
from fasterapi._server_state import Listener, ServerState, is_waiting
from fasterapi._systemd import Notifier
from fasterapi._verify import Verifier
from fasterapi._websocket import handshake_reason, log_connection, log_handshake

if TYPE_CHECKING:
    from fasterapi._compile._table import Compiled

TICK_S = 0.1
HANDLED_SIGNALS = (signal.SIGINT, signal.SIGTERM)

logger = logging.getLogger("uvicorn.error")
access_logger = logging.getLogger("uvicorn.access")


def log_error(message: str, error: BaseException | None) -> None:
    logger.error(message, exc_info=error)


def log_access(scope: dict[str, Any], status: int) -> None:
    """One line, when an answer begins. The scope is the application's by now, and may
    name another client than the socket: that of a trusted proxy."""
    client = scope.get("client")
    target = urllib.parse.quote(scope["path"])
    if scope["query_string"]:
        target = f"{target}?{scope['query_string'].decode('ascii')}"
    access_logger.info(
        '%s - "%s %s HTTP/%s" %d',
        f"{client[0]}:{client[1]}" if client else "",
        scope["method"],
        target,
        scope["http_version"],
        status,
    )


class Server:
    """run() in a process of its own, or serve() in a loop that runs already."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.server_state = ServerState()
        self.started = False
        self.should_exit = False
        self.force_exit = False
        self.last_notified = 0.0
        self.servers: list[Listener] = []
        self.lifespan: Lifespan | NoLifespan = NoLifespan()
        self.verifier: Verifier | None = None
        self.notifier: Notifier | None = None  # for who runs as a service
        self._captured_signals: list[int] = []
        self._limit = config.limit_max_requests
        if self._limit is not None:
            self._limit += random.randint(0, config.limit_max_requests_jitter)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves until told to stop. SIGINT comes out as KeyboardInterrupt."""
        with asyncio.Runner(loop_factory=self.config.get_loop_factory()) as runner:
            runner.run(self.serve(sockets))

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        with self.capture_signals():
            await self._serve(sockets)

    async def _serve(self, sockets: list[socket.socket] | None) -> None:
        if not self.config.loaded:
            self.config.load()
        self.lifespan = self.config.make_lifespan()
        self._log_process("Started")
        try:
            await self.startup(sockets)
            if not self.should_exit:
                await self.main_loop()
                await self._serve_on()
            if self.started:
                await self.shutdown(sockets)
                self._log_process("Finished")
        finally:
            self._close_worker()

    def _log_process(self, what: str) -> None:
        colored = f"{what} server process [{_logging.cyan('%d')}]"
        text = f"{what} server process [%d]"
        logger.info(text, os.getpid(), extra={"color_message": colored})

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Returns with the server accepting; exits the process if it cannot."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)
        if sockets is None:
            try:
                listening = self.config.open_sockets()
            except OSError as error:
                logger.error(error)
                await self.lifespan.shutdown()
                sys.exit(STARTUP_FAILURE)
        else:
            listening = sockets
            for given in listening:
                given.listen(self.config.backlog)
        self.servers = [Listener(listening)]
        self._open_worker(listening)
        if sockets is None:
            self.config.log_address(listening)
        self.started = True
        if self.notifier is not None:
            self.notifier.ready("Serving")

    def _open_worker(self, listening: list[socket.socket]) -> None:
        config = self.config
        loop = asyncio.get_running_loop()
        compiled = self._compiled()
        app = config.loaded_app
        if compiled is not None and compiled.entrance is not None and app is config.made_app:
            app = compiled.entrance
        if config.limit_concurrency is not None:
            state = self.server_state
            app = _app.ConcurrencyLimit(app, config.limit_concurrency, lambda: state.connections)
        on_unix = listening and listening[0].family == socket.AF_UNIX
        # Requests run in copies of the context in which the worker is made.
        context = contextvars.Context() if config.reset_contextvars else contextvars.copy_context()
        worker = context.run(
            _core.Worker,
            app,
            loop,
            on_warning=logger.warning,
            on_error=log_error,
            on_access=log_access if access_logger.hasHandlers() else None,
            access_stream=_logging.access_stream,
            status_text=_logging.status_text,
            on_handshake=log_handshake,
            on_connection=log_connection,
            handshake_reason=handshake_reason,
            state=self.lifespan.state,
            routes=compiled.table if compiled is not None else None,
            forwarded=rules_of(config.forwarded_allow_ips) if config.proxy_headers else None,
            root_path=config.root_path,
            asgi_version=config.asgi_version,
            unix_path=listening[0].getsockname() if on_unix else None,
            server_header=SERVER_NAME if config.server_header else "",
            headers=config.encoded_headers,
            date_header=config.date_header,
            timeout_keep_alive=config.timeout_keep_alive,
            ws=config.ws != "none",
            ws_per_message_deflate=config.ws_per_message_deflate,
            extensions=_extensions.offered(config),
            **_limits.of(config),
        )
        self.server_state.worker = worker
        for listener in listening:
            listener.setblocking(False)
            worker.listen(listener)
        loop.add_reader(worker.fileno(), worker.poll)

    def _compiled(self) -> Compiled | None:
        compiled = self.config.compile_routes()
        if compiled is None:
            return None
        self.server_state.routes = compiled.routes
        self.server_state.misses = compiled.misses
        if self.config.verify:
            config = self.config
            self.verifier = Verifier(
                config.loaded_app,
                config.made_app,
                config.verify,
                state=self.lifespan.state,
                root_path=config.root_path,
                asgi_version=config.asgi_version,
            )
            logger.info("Engine: %d routes are verified", self.verifier.watch(compiled))
        return compiled

    def _log_tiers(self) -> None:
        """At the end, what has served the requests: each route at level debug."""
        state = self.server_state
        if not state.routes or state.worker is None:
            return
        for route in state.routes:
            if told := ", ".join(f"{count} {tier}" for tier, count in route.requests.items()):
                logger.debug("Engine: %s %s: %s", " ".join(route.methods), route.path, told)
        tiers = ", ".join(f"{count} {tier}" for tier, count in state.tiers.items())
        logger.info("Engine: requests by tier: %s", tiers)
        if self.verifier is not None:
            counts = (self.verifier.compared, self.verifier.differing)
            logger.info("Engine: %d answers compared, %d routes differed", *counts)

    def _close_worker(self) -> None:
        self._log_tiers()
        worker, self.server_state.worker = self.server_state.worker, None
        if worker is not None:
            asyncio.get_running_loop().remove_reader(worker.fileno())
            worker.close()
        for listener in self.servers:
            listener.close()

    async def main_loop(self) -> None:
        while not await self.on_tick():
            await asyncio.sleep(TICK_S)

    async def on_tick(self) -> bool:
        """Whether it is time to stop."""
        config = self.config
        if self.notifier is not None:
            self.notifier.alive()
        if config.callback_notify is not None:
            now = time.time()
            if now - self.last_notified > config.timeout_notify:
                self.last_notified = now
                await config.callback_notify()
        if self.should_exit:
            return True
        if self._limit is not None and self.server_state.total_requests >= self._limit:
            logger.info("Maximum request limit of %d exceeded. Terminating process.", self._limit)
            return self.limit_reached()
        return False

    def limit_reached(self) -> bool:
        """Whether to stop once limit_max_requests are answered."""
        return True

    async def _serve_on(self) -> None:
        """After SIGTERM, for timeout_drain: until those who route requests know of it. A
        second signal ends it."""
        if self.notifier is not None:
            self.notifier.stopping()
        delay = self.config.timeout_drain
        if not delay or self._captured_signals != [signal.SIGTERM]:
            return
        logger.info("Shutting down in %g s", delay)
        end = time.monotonic() + delay
        while time.monotonic() < end and len(self._captured_signals) == 1:
            await asyncio.sleep(TICK_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Every request that has come is answered, within timeout_graceful_shutdown."""
        logger.info("Shutting down")
        worker = self.server_state.worker
        if worker is not None:
            worker.drain()
        for listener in self.servers:
            listener.close()
        if sockets is None:
            self.config.remove_uds()
        await asyncio.sleep(TICK_S)
        try:
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                await self._wait_for_requests()
        except TimeoutError:
            tasks = self.server_state.tasks
            logger.error(
                "Cancel %s running task(s), timeout graceful shutdown exceeded", len(tasks)
            )
            for task in tasks:
                task.cancel(msg="Task cancelled, timeout graceful shutdown exceeded")
            if tasks:  # they may have something to say, not all the time in the world
                await asyncio.wait(tasks, timeout=1)
        if not self.force_exit:
            await self.lifespan.shutdown()

    async def _wait_for_requests(self) -> None:
        state = self.server_state
        if state.connections and not self.force_exit:
            logger.info("Waiting for connections to close. (CTRL+C to force quit)")
            while state.connections and not self.force_exit:
                await asyncio.sleep(TICK_S)
        if state.tasks and not self.force_exit:
            logger.info("Waiting for background tasks to complete. (CTRL+C to force quit)")
            while (tasks := state.tasks) and not self.force_exit:
                # One after the other: there may be very many, and looking at each of them in
                # every tick would keep them from running.
                while tasks and not self.force_exit:
                    if is_waiting(tasks[-1]):
                        await asyncio.sleep(TICK_S)
                    else:
                        tasks.pop()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Turns SIGINT and SIGTERM into a stop in order; what they would have done comes
        after it."""
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may set handlers
            return
        before = {number: signal.signal(number, self.handle_exit) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        for captured in reversed(self._captured_signals):
            signal.raise_signal(captured)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._captured_signals.append(sig)
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        else:
            self.should_exit = True
