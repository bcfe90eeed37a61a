"""From results to answers, where the answer is another than JSON with a body."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import _is_coroutine_callable
from fastapi.routing import _extract_endpoint_context, serialize_response
from fastapi.utils import is_body_allowed_for_status_code
from starlette.responses import JSONResponse, Response

Build = Callable[..., Coroutine[Any, Any, Response]]


def needs_builder(effective: Any) -> bool:
    response_class = effective.response_class
    if not isinstance(response_class, DefaultPlaceholder):
        return True
    return response_class.value is not JSONResponse or not is_body_allowed_for_status_code(
        effective.status_code
    )


def context_of(effective: Any, run: Any) -> Any:
    """Which endpoint it was, as errors tell it."""
    context = _extract_endpoint_context(effective.dependant.call)
    if effective.dependant.path:
        root = run.root_path.rstrip("/")
        context["path"] = f"{run.method} {root}{effective.dependant.path}"
    return context


def output_options(effective: Any) -> dict[str, Any]:
    """What of the response's model is given out, as its serializer is told."""
    return {
        "include": effective.response_model_include,
        "exclude": effective.response_model_exclude,
        "by_alias": effective.response_model_by_alias,
        "exclude_unset": effective.response_model_exclude_unset,
        "exclude_defaults": effective.response_model_exclude_defaults,
        "exclude_none": effective.response_model_exclude_none,
    }


def builder_of(effective: Any) -> Build:
    """build(run, result, response, tasks): what get_request_handler() of FastAPI makes of a
    result that is no Response."""
    field, response_class = effective.response_field, effective.response_class
    by_default = isinstance(response_class, DefaultPlaceholder)
    made_by: Any = response_class.value if by_default else response_class
    options: dict[str, Any] = {
        "field": field,
        **output_options(effective),
        "is_coroutine": _is_coroutine_callable(effective.dependant.call),
        "dump_json": field is not None and by_default,
    }

    async def build(run: Any, result: Any, response: Response | None, tasks: Any) -> Response:
        arguments: dict[str, Any] = {"background": tasks}
        asked = response.status_code if response is not None else None
        if status := asked or effective.status_code:
            arguments["status_code"] = status
        context = context_of(effective, run) if field is not None else None
        content = await serialize_response(
            response_content=result, endpoint_ctx=context, **options
        )
        if options["dump_json"]:
            made = Response(content=content, media_type="application/json", **arguments)
        else:
            made = made_by(content, **arguments)
        if not is_body_allowed_for_status_code(made.status_code):
            made.body = b""
        if response is not None:
            made.headers.raw.extend(response.headers.raw)
        return made

    return build
