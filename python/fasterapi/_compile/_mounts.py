"""Applications of FastAPI that are mounted in another one, and root paths."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.routing import Mount

from fasterapi._compile._place import Guard, Place
from fasterapi._compile._reasons import NotCompiled
from fasterapi._compile._releases import body_limit_of
from fasterapi._compile._select import select_of, way_to


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


def mounted_in(above: Place, context: Any, server_root: str) -> tuple[Place, list[Guard]]:
    """The place of what a Mount leads to, and what must hold to get there."""
    mount = context._effective_route
    app = mount.app
    if type(mount) is not Mount:
        raise NotCompiled(f"the route is a {type(mount).__name__}")
    if type(app) is not FastAPI:
        raise NotCompiled(f"it is a {type(app).__name__}, which is not looked into")
    if mount.param_convertors.keys() != {"path"}:
        raise NotCompiled("the path to the application has parameters")
    if any(app is other for other in above.applications):
        raise NotCompiled("the application is mounted in itself")
    if any(body_limit_of(way.include_context) is not None for way in way_to(above.app, mount)):
        raise NotCompiled("a router limits the body of what it includes")
    if app.root_path not in ("", server_root + above.root + mount.path):
        raise NotCompiled("the application has a root_path of its own")
    if app.user_middleware or body_limit_of(app) is not None:
        raise NotCompiled("the application has middleware of its own")
    # That of an application which nobody has called yet is not built: it may still get more.
    stack = app.middleware_stack or app.build_middleware_stack()
    root, prefix = above.root + mount.path, above.prefix + mount.path
    place = Place(app, stack, root, prefix, above, select_of(above, context))
    return place, [(mount, "app", app, False, -1)]
