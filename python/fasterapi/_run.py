"""run(): a server in this process, or a supervisor and its workers."""

from __future__ import annotations

import logging
import sys
from typing import Any

from fasterapi._config import STARTUP_FAILURE, Config
from fasterapi._server import Server
from fasterapi._systemd import Notifier

logger = logging.getLogger("uvicorn.error")


def run(app: Any, *, app_dir: str | None = None, **options: Any) -> None:
    """Serves `app` (an ASGI application or "module:attribute") until SIGINT or SIGTERM.

    Takes the keywords of Config. Ends the process with status 3 if it cannot start."""
    if app_dir is not None:
        sys.path.insert(0, app_dir)
    _refuse_within_worker()
    config = Config(app, **options)
    if config.use_subprocess:
        sys.exit(_run_processes(config, options))
    config.load_app()
    server = Server(config)
    server.notifier = Notifier()
    try:
        server.run()
    except KeyboardInterrupt:
        pass
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def _refuse_within_worker() -> None:
    from fasterapi import _worker

    if _worker.is_worker:
        raise RuntimeError(
            "fasterapi.run() was called while a worker process imported the application. "
            "Put the call under: if __name__ == '__main__':"
        )


# Of Config, but not of a worker's: the supervisor has done what they ask for.
_SUPERVISOR_OPTIONS = {
    "workers": 1,
    "workers_max_rss": None,
    "reload": False,
    "reload_dirs": None,
    "reload_includes": None,
    "reload_excludes": None,
    "env_file": None,
    "uds": None,
    "fd": None,
    "timeout_drain": 0,
}


def _run_processes(config: Config, options: dict[str, Any]) -> int:
    """The exit status of the supervisor."""
    from fasterapi._child import Launcher
    from fasterapi._reload import Reloader
    from fasterapi._supervisor import Supervisor, open_sockets

    if not isinstance(config.app, str):
        logger.warning(
            "You must pass the application as an import string to enable 'reload' or 'workers'."
        )
        return STARTUP_FAILURE
    try:
        sockets = open_sockets(config)
    except OSError as error:
        logger.error(error)
        return STARTUP_FAILURE
    config.log_address(sockets)
    launcher = Launcher(config.app, {**options, **_SUPERVISOR_OPTIONS}, sockets)
    supervisor = Reloader(config, launcher) if config.reload else Supervisor(config, launcher)
    try:
        return supervisor.run()
    finally:
        config.close_sockets(sockets)
