"""The lifespan protocol of ASGI: what an application does before the first request and
after the last one."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

STATE_TRANSITION_ERROR = "Got invalid state transition on lifespan protocol."

logger = logging.getLogger("uvicorn.error")


class NoLifespan:
    """The application is not asked."""

    def __init__(self) -> None:
        self.should_exit = False
        self.state: dict[str, Any] = {}

    async def startup(self) -> None:
        """Nothing to wait for."""

    async def shutdown(self) -> None:
        """Nothing to wait for."""


class Lifespan:
    """`required`: an application that raises on the lifespan scope cannot start; without
    it, such an application is taken to know nothing of the protocol."""

    def __init__(self, app: Any, asgi_version: str, *, required: bool) -> None:
        self.app = app
        self.asgi_version = asgi_version
        self.required = required
        self.state: dict[str, Any] = {}
        self.should_exit = False
        self.raised = False
        self.startup_failed = False
        self.shutdown_failed = False
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.started = asyncio.Event()
        self.stopped = asyncio.Event()
        self.task: asyncio.Task[None] | None = None  # held, or it might be collected

    async def startup(self) -> None:
        logger.info("Waiting for application startup.")
        self.task = asyncio.get_running_loop().create_task(self._run())
        await self.events.put({"type": "lifespan.startup"})
        await self.started.wait()
        if self.startup_failed or (self.raised and self.required):
            logger.error("Application startup failed. Exiting.")
            self.should_exit = True
        else:
            logger.info("Application startup complete.")

    async def shutdown(self) -> None:
        if self.raised:
            return
        logger.info("Waiting for application shutdown.")
        await self.events.put({"type": "lifespan.shutdown"})
        await self.stopped.wait()
        if self.shutdown_failed or (self.raised and self.required):
            logger.error("Application shutdown failed. Exiting.")
            self.should_exit = True
        else:
            logger.info("Application shutdown complete.")

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": self.asgi_version, "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self.app(scope, self.events.get, self._send)
        except BaseException as error:
            self.raised = True
            if self.startup_failed or self.shutdown_failed:
                return  # it has said so
            if self.required:
                logger.error("Exception in 'lifespan' protocol\n", exc_info=error)
            else:
                logger.info("ASGI 'lifespan' protocol appears unsupported.")
        finally:
            self.started.set()
            self.stopped.set()

    async def _send(self, message: dict[str, Any]) -> None:
        phase, _, outcome = message["type"].removeprefix("lifespan.").partition(".")
        if not message["type"].startswith("lifespan.") or outcome not in ("complete", "failed"):
            raise AssertionError
        if phase == "startup":
            assert not self.started.is_set() and not self.stopped.is_set(), STATE_TRANSITION_ERROR
            self.started.set()
            self.startup_failed = outcome == "failed"
        else:
            assert phase == "shutdown"
            assert self.started.is_set() and not self.stopped.is_set(), STATE_TRANSITION_ERROR
            self.stopped.set()
            self.shutdown_failed = outcome == "failed"
        if outcome == "failed" and message.get("message"):
            logger.error(message["message"])
