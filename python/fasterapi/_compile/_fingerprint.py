"""Whether the functions that plans stand in for are those that they were written after.

fingerprints.json holds, for each of them, what its source looked like in the releases that
were compared; tools/fingerprint makes it. A function that another package has replaced, or
a release that nobody has looked at, is no reason to guess: the application then serves
everything by itself."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import importlib.metadata
import json
import sys
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from fasterapi._compile._reasons import NotCompiled

DATA = Path(__file__).with_name("fingerprints.json")

# What plans do in place of, by the module in which it is written.
REPLICATED: dict[str, tuple[str, ...]] = {
    "fastapi._compat.shared": (
        *("_annotation_is_sequence", "field_annotation_is_sequence", "lenient_issubclass"),
    ),
    "fastapi._compat.v2": (
        *("ModelField.validate", "ModelField.serialize", "ModelField.serialize_json"),
        *("ModelField.__post_init__", "_regenerate_error_with_loc", "get_missing_field_error"),
        *("ModelField.get_default", "asdict", "get_model_fields"),
    ),
    "fastapi.applications": ("FastAPI.__call__", "FastAPI.build_middleware_stack"),
    "fastapi.concurrency": (
        *("contextmanager_in_threadpool", "_asynccontextmanager_with_shielded_exit"),
    ),
    "fastapi.dependencies.models": (
        *("_get_cache_key", "_get_oauth_scopes", "_get_computed_scope", "_uses_scopes"),
        *("_is_gen_callable", "_is_gen_callable_cached", "_is_coroutine_callable"),
        *("_is_coroutine_callable_cached", "_is_async_gen_callable"),
        *("_is_async_gen_callable_cached", "_CallIdentity.__eq__", "_CallIdentity.__hash__"),
        *("_CallIdentity.__init__", "_impartial", "_is_security_scheme", "_unwrapped_call"),
    ),
    "fastapi.dependencies.utils": (
        *("solve_dependencies", "_solve_generator", "request_params_to_args"),
        *("request_body_to_args", "_validate_value_with_model_field", "_get_multidict_value"),
        *("_get_multidict_extras", "_request_param_model_to_args", "_get_param_model"),
        *("_get_param_aliases", "get_validation_alias", "_is_json_field", "_extract_form_body"),
        *("_extract_form_items", "_extract_form_model", "_get_form_models"),
        *("_get_form_union_models", "_is_empty_file_input", "_get_model_type"),
        "_should_embed_body_fields",
    ),
    "fastapi.encoders": ("jsonable_encoder", "generate_encoders_by_class_tuples"),
    "fastapi.middleware.asyncexitstack": ("AsyncExitStackMiddleware.__call__",),
    "fastapi.routing": (
        *("request_response", "get_request_handler", "run_endpoint_function", "serialize_response"),
        *("_build_response_args", "_extract_endpoint_context", "_update_scope"),
        *("_get_scope_effective_route_context", "_get_scope_included_router"),
        *("_restore_fastapi_scope_key", "_populate_api_route_state", "iter_route_contexts"),
        *("APIRoute.get_route_handler", "APIRoute.matches", "APIRoute.handle"),
        *("_EffectiveRouteContext.from_api_route", "_EffectiveRouteContext.matches"),
        *("_IncludedRouter._match", "_IncludedRouter.matches", "_IncludedRouter.handle"),
        *("_IncludedRouter._handle_selected", "_IncludedRouter.effective_candidates"),
        *("_IncludedRouter._build_effective_context", "APIRouter.app"),
        *("APIRouter._get_routes_version", "APIRouter._iter_low_priority_routes"),
        *("APIRouter._match_low_priority", "APIRouter.handle", "APIRouter.matches"),
        *("_IncludedRouter.effective_low_priority_routes", "_apply_router_form_limits"),
        *("_get_fastapi_scope", "_normalize_non_finite_floats", "_resolve_form_limits"),
    ),
    "fastapi.telemetry._api": (
        *("_get_request_telemetry", "_operation", "_route_selected", "_unconfigured"),
        *("_validation_failed", "get_telemetry_data"),
    ),
    "fastapi.utils": ("is_body_allowed_for_status_code",),
    "json": ("dumps", "loads"),
    "pydantic.type_adapter": (
        *("TypeAdapter.validate_python", "TypeAdapter.dump_json", "TypeAdapter.dump_python"),
    ),
    "starlette._exception_handler": ("wrap_app_handling_exceptions", "_lookup_exception_handler"),
    "starlette._utils": (
        *("get_route_path", "AwaitableOrContextManagerWrapper.__await__"),
        *("AwaitableOrContextManagerWrapper.__init__", "is_async_callable"),
    ),
    "starlette.concurrency": ("run_in_threadpool",),
    "starlette.convertors": (
        *("StringConvertor.convert", "PathConvertor.convert", "IntegerConvertor.convert"),
        *("FloatConvertor.convert", "UUIDConvertor.convert"),
    ),
    "starlette.datastructures": (
        *("FormData.close", "Headers.__contains__", "Headers.__getitem__", "Headers.__init__"),
        *("Headers.getlist", "ImmutableMultiDict.__contains__", "ImmutableMultiDict.__getitem__"),
        *("ImmutableMultiDict.__init__", "ImmutableMultiDict.getlist"),
        *("ImmutableMultiDict.multi_items", "MutableHeaders.__delitem__", "QueryParams.__init__"),
    ),
    "starlette.formparsers": (
        *("FormParser.__init__", "FormParser.on_field_start", "FormParser.on_field_name"),
        *("FormParser.on_field_data", "FormParser.on_field_end", "FormParser.parse"),
    ),
    "starlette.middleware.cors": (
        *("CORSMiddleware.__init__", "CORSMiddleware.__call__", "CORSMiddleware.send"),
        *("CORSMiddleware.is_allowed_origin", "CORSMiddleware.simple_response"),
    ),
    "starlette.middleware.errors": ("ServerErrorMiddleware.__call__",),
    "starlette.middleware.exceptions": ("ExceptionMiddleware.__call__",),
    "starlette.middleware.gzip": (
        *("GZipMiddleware.__call__", "IdentityResponder.__call__"),
        *("IdentityResponder.send_with_compression", "GZipResponder.__init__"),
        *("GZipResponder.apply_compression", "GZipResponder._compress_body"),
    ),
    "starlette.middleware.httpsredirect": ("HTTPSRedirectMiddleware.__call__",),
    "starlette.middleware.trustedhost": (
        *("TrustedHostMiddleware.__init__", "TrustedHostMiddleware.__call__"),
    ),
    "starlette.requests": (
        *("cookie_parser", "Request.body", "Request.form", "Request._get_form", "Request.json"),
        *("Request.stream", "HTTPConnection.__init__", "Request.__init__"),
    ),
    "starlette.responses": (
        *("Response.__init__", "Response.__call__", "Response.init_headers", "Response.render"),
        *("JSONResponse.__init__", "JSONResponse.render"),
    ),
    "starlette.routing": (
        *("compile_path", "request_response", "Route.matches", "Route.handle", "Router.__call__"),
        *("Router.not_found", "Mount.handle", "Mount.matches"),
    ),
}
# Where the core does better than what is there, if that is known.
BETTERED: dict[str, tuple[str, ...]] = {
    "fastapi.telemetry._asgi": ("ExceptionTelemetryMiddleware.__call__",),
    "starlette.applications": ("Starlette.__call__",),
    "starlette.middleware.base": ("BaseHTTPMiddleware.__call__",),
}
# What requests of plans pass by, as it does nothing then: asked is only whether somebody has
# put something in its place.
PASSED_BY: dict[str, tuple[str, ...]] = {
    "fastapi._body_limit": ("AppBodyLimitMiddleware.__call__",),
    "fastapi.telemetry._asgi": (
        *("ExceptionTelemetryMiddleware.__call__", "NativeTelemetry.enabled"),
    ),
    "starlette.applications": ("Starlette.__call__",),
}
# What the threads of runners do in place of anyio. Where it is not known, anyio does it.
THREADS: dict[str, tuple[str, ...]] = {
    "anyio._backends._asyncio": (
        *("AsyncIOBackend.run_sync_in_worker_thread", "AsyncIOBackend.checkpoint"),
        *("AsyncIOBackend.current_default_thread_limiter", "AsyncIOBackend.check_cancelled"),
        *("AsyncIOBackend.run_async_from_thread", "AsyncIOBackend.run_sync_from_thread"),
        *("CapacityLimiter.acquire_on_behalf_of", "CapacityLimiter.release_on_behalf_of"),
        *("CapacityLimiter.acquire_on_behalf_of_nowait", "CapacityLimiter._notify_next_waiter"),
        *("WorkerThread.__init__", "WorkerThread.run", "WorkerThread._report_result"),
    ),
    "anyio.to_thread": ("run_sync",),
}
# What limits the bodies of requests; asked about where one is in use.
LIMITS: dict[str, tuple[str, ...]] = {
    "fastapi._body_limit": (
        *("get_body_size_limit", "wrap_app_with_body_limit"),
        *("_BodyLimitExceptionMiddleware.__call__", "AppBodyLimitMiddleware.__init__"),
        "AppBodyLimitMiddleware.__call__",
    ),
    "starlette.middleware.body_limit": (
        *("RequestBodyLimitMiddleware.__call__", "RequestBodyLimitResponder.__init__"),
        *("RequestBodyLimitResponder.__call__", "RequestBodyLimitResponder.receive_with_limit"),
        *("RequestBodyLimitResponder.send_with_limit", "_get_content_length"),
    ),
}
# They come with Python, whose releases are not for us to judge: only that they are its own.
ANY_SOURCE = frozenset({"json"})
PACKAGES = ("fastapi", "starlette", "pydantic")
ABSENT = "absent"  # in the place of a source: a release has no such function

HINT = "docs/tiers.md tells what to do about releases and patches"


def block_of(lines: list[str], first: int) -> str:
    """The source of a function whose decorators or `def` begin in line `first` (from 0): up
    to the next line that is indented no more."""
    indent = len(lines[first]) - len(lines[first].lstrip())
    at = first
    while at + 1 < len(lines) and not lines[at].lstrip().startswith(("def ", "async def ")):
        at += 1  # over its decorators
    for end in range(at + 1, len(lines)):
        line = lines[end]
        if line.strip() and len(line) - len(line.lstrip()) <= indent and line.strip()[0] != ")":
            return "".join(lines[first:end]).rstrip()
    return "".join(lines[first:]).rstrip()


def hash_of(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()[:20]


def check() -> None:
    """Raises NotCompiled, with the first reason that is found."""
    _check(PACKAGES, REPLICATED)
    for name, functions in PASSED_BY.items():
        if (module := _imported(name)) is not None:
            for function in functions:
                if (found := _found(module, function)) is not None:
                    _check_own(module, function, found)


def check_threads() -> None:
    """The same of what threads are used for."""
    _check(("anyio",), THREADS)


def _check(packages: tuple[str, ...], functions: dict[str, tuple[str, ...]]) -> None:
    data = _data()
    for package in packages:
        version = _version(package)
        if version not in data["releases"][package]:
            raise NotCompiled(f"{package} {version} is not a release that is known", HINT)
    imported = {name: _imported(name) for name in functions}
    for name in [name for name, module in imported.items() if module is None]:
        if any(ABSENT not in known for known in data["functions"].get(name, {"": ()}).values()):
            raise NotCompiled(f"there is no {name}", HINT)
    modules = {name: module for name, module in imported.items() if module is not None}
    for name, module in modules.items():
        for function in functions[name]:
            known = () if name in ANY_SOURCE else data["functions"][name][function]
            found = _found(module, function)
            if found is None and ABSENT in known:
                continue
            if found is None:
                raise NotCompiled(f"there is no {name}.{function}", HINT)
            _check_own(module, function, found)
            if name not in ANY_SOURCE and _hash(found.__code__) not in known:
                raise NotCompiled(f"{name}.{function} is not as in any known release", HINT)
    if functions is REPLICATED:
        _check_bound(modules)


def _imported(name: str) -> ModuleType | None:
    """None: this release has no such module."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        return None


def is_known(module: ModuleType, name: str) -> bool:
    """Whether a function of BETTERED is that of a release that was looked at."""
    try:
        found = _found(module, name)
        _check_own(module, name, found)
        return _hash(found.__code__) in _data()["functions"][module.__name__][name]
    except NotCompiled:
        return False


@functools.cache
def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise NotCompiled(f"it cannot be told which release of {package} this is", HINT) from None


@functools.cache
def _data() -> Any:
    return json.loads(DATA.read_text())


@functools.cache
def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines(keepends=True)
    except (OSError, UnicodeDecodeError):
        raise NotCompiled(f"the source {path} cannot be read", HINT) from None


@functools.cache
def _hash(code: CodeType) -> str:
    """Once for each function: test clients compile many applications."""
    lines, first = _lines(code.co_filename), code.co_firstlineno - 1
    return hash_of(block_of(lines, first)) if first < len(lines) else ""


def _found(module: ModuleType, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = vars(found).get(part) if isinstance(found, type) else getattr(found, part, None)
        if found is None:
            return None
    if isinstance(found, (classmethod, staticmethod)):
        return found.__func__
    if type(found) is type(functools.lru_cache(len)) or _is_context_manager(found):
        return found.__wrapped__
    return found


def _is_context_manager(found: Any) -> bool:
    """What contextlib.asynccontextmanager() makes."""
    made = contextlib.asynccontextmanager.__code__.co_consts
    return getattr(found, "__code__", None) in made and hasattr(found, "__wrapped__")


def _check_own(module: ModuleType, name: str, found: Any) -> None:
    if type(found) is FunctionType:
        code = found.__code__
        here = code.co_filename == module.__file__ and code.co_qualname == name
        if here and code.co_freevars in ((), ("__class__",)):  # of super()
            return
    raise NotCompiled(f"{module.__name__}.{name} was replaced by {_origin(found)}", HINT)


def _origin(found: Any) -> str:
    """Of a wrapper of wrapt, which passes itself off for what it wraps, what it calls instead."""
    code = getattr(getattr(found, "_self_wrapper", found), "__code__", None)
    if isinstance(code, CodeType):
        return f"{code.co_qualname}() of {code.co_filename}"
    kind = type(found)
    return f"a {kind.__module__}.{kind.__qualname__}"


def _check_bound(modules: dict[str, ModuleType]) -> None:
    """Those that a module has imported from another one, and uses, are the same ones."""
    homes = {
        function: vars(module).get(function)
        for name, module in modules.items()
        for function in REPLICATED[name]
        if "." not in function and name not in ANY_SOURCE
    }
    for name in [n for n in sys.modules if n.partition(".")[0] in ("fastapi", "starlette")]:
        module = sys.modules[name]
        for function, original in homes.items():
            bound = vars(module).get(function)
            if bound is None or bound is original or _is_of(module, function, bound):
                continue
            raise NotCompiled(f"{name}.{function} was replaced by {_origin(bound)}", HINT)


def _is_of(module: ModuleType, name: str, found: Any) -> bool:
    """The module has a function of its own under that name."""
    code = getattr(found, "__code__", None)
    return isinstance(code, CodeType) and code.co_filename == module.__file__


def check_limits() -> None:
    """The same of limits of bodies."""
    _check(("fastapi", "starlette"), LIMITS)


def check_handler(app: Any) -> None:
    """That the `app` of a route is what FastAPI has made, of what FastAPI has made."""
    routing = sys.modules["fastapi.routing"]
    code = getattr(app, "__code__", None)
    if code is None or code not in routing.request_response.__code__.co_consts:
        raise NotCompiled(f"what serves the route was replaced by {_origin(app)}", HINT)
    cells = dict(zip(code.co_freevars, app.__closure__, strict=True))
    handler = cells["f"].cell_contents
    code = getattr(handler, "__code__", None)
    if code is None or code not in routing.get_request_handler.__code__.co_consts:
        raise NotCompiled(f"the handler of the route was replaced by {_origin(handler)}", HINT)
