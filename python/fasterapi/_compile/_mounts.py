"""Applications of FastAPI that are mounted in another one, and root paths."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from fastapi.applications import FastAPI
from starlette.routing import Mount

from fasterapi._compile import _fingerprint
from fasterapi._compile._place import Builder, Guard, Place, builds_as_usual
from fasterapi._compile._reasons import NotCompiled
from fasterapi._compile._releases import body_limit_of
from fasterapi._compile._select import select_of, way_to

Install = Callable[[Any], None]  # gets the built middleware of an application


def root_of(app: FastAPI, server_root: str) -> str:
    """What an application puts to the server's root path; it can only take its place."""
    if app.root_path in ("", server_root):
        return ""
    if server_root:
        raise NotCompiled("the application and the server have different root paths")
    if not app.root_path.startswith("/") or app.root_path.endswith("/"):
        raise NotCompiled("the application's root_path does not begin, or ends, with a slash")
    if "{" in app.root_path or "}" in app.root_path:
        raise NotCompiled("the application's root_path has braces")
    return app.root_path


def application_of(route: Any, above: Place) -> FastAPI:
    """What a Mount, or a Host, leads to in the end."""
    app = getattr(route, "_base_app", route.app)
    if not isinstance(app, FastAPI):
        raise NotCompiled(f"it is a {type(app).__name__}, which is not looked into")
    if any(app is other for other in above.applications):
        raise NotCompiled("the application is mounted in itself")
    return app


def mounted_in(above: Place, context: Any, server_root: str) -> tuple[Place, list[Guard]]:
    """The place of what a Mount leads to, and what must hold to get there, if nothing is on the
    way but what the core does."""
    mount = context._effective_route
    app = mount.app
    if above.behind:
        raise NotCompiled("it is mounted behind middleware")
    if type(mount) is not Mount or not isinstance(app, FastAPI):
        raise NotCompiled("there is more on the way to the application")
    if mount.param_convertors.keys() != {"path"}:
        raise NotCompiled("the path to the application has parameters")
    if any(body_limit_of(way.include_context) is not None for way in way_to(above.app, mount)):
        raise NotCompiled("a router limits the body of what it includes")
    if app.root_path not in ("", server_root + above.root + mount.path):
        raise NotCompiled("the application has a root_path of its own")
    if app.user_middleware or not builds_as_usual(app):
        raise NotCompiled("the application has middleware of its own")
    # That of an application which nobody has called yet is not built: it may still get more.
    stack = app.middleware_stack or _Ready.of(app)
    root, prefix = above.root + mount.path, above.prefix + mount.path
    shown = above.shown + mount.path
    place = Place(app, stack, root, prefix, shown, above, select_of(above, context))
    return place, [(mount, "app", app, False, -1)]


class _Ready(Builder):
    """In the place of build_middleware_stack() of an application that nobody has called yet, and
    that the core leads to: what its plans go by is what it then has, if that is still right."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.stack = app.build_middleware_stack()
        self.built_of = self.found()

    @classmethod
    def of(cls, app: FastAPI) -> Any:
        """The stack that will be its."""
        vars(app).pop("build_middleware_stack", None)
        ready = cls(app)
        vars(app)["build_middleware_stack"] = ready
        return ready.stack

    def found(self) -> tuple[Any, ...]:
        app = self.app
        return app.debug, dict(app.exception_handlers), list(app.user_middleware), app.router

    def __call__(self) -> Any:
        vars(self.app).pop("build_middleware_stack", None)
        return self.stack if self.found() == self.built_of else self.app.build_middleware_stack()


class _Build(Builder):
    """In the place of build_middleware_stack() of an application that nobody has called yet."""

    def __init__(self, app: FastAPI, install: Install) -> None:
        self.app = app
        self.install = install
        own = vars(app).get("build_middleware_stack")
        self.before: Any = own.before if isinstance(own, _Build) else own

    def __call__(self) -> Any:
        vars(self.app).pop("build_middleware_stack", None)
        if self.before is not None and not isinstance(self.before, Builder):
            vars(self.app)["build_middleware_stack"] = self.before
        stack = self.app.build_middleware_stack()
        # What hides the rest of the stack hides it for this application alone.
        with contextlib.suppress(NotCompiled):
            _fingerprint.check()  # again: an agent's middleware may patch when it is made
            self.install(stack)
        return stack


def when_built(app: FastAPI, install: Install) -> None:
    """Calls install(stack) with the built middleware of a mounted application: now, or when the
    first request comes to it. It may get more middleware until then, which is made no sooner."""
    if app.middleware_stack is not None:
        install(app.middleware_stack)
    else:
        vars(app)["build_middleware_stack"] = _Build(app, install)
