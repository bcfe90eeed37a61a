"""How results become the bodies of answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi._compat.v2 import _regenerate_error_with_loc
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import ResponseValidationError
from pydantic_core import SchemaSerializer, ValidationError
from starlette.responses import JSONResponse

from fasterapi._compile._build import context_of, needs_builder, output_options
from fasterapi._compile._reasons import NotCompiled


def model_of(effective: Any) -> tuple[Any, ...] | None:
    """How a result is validated and written, when there is a response model."""
    field = effective.response_field
    if field is None or needs_builder(effective):
        return None
    serializer = field._type_adapter.serializer
    if type(serializer) is not SchemaSerializer:
        raise NotCompiled("the serializer of the response is not pydantic-core's own")
    options = output_options(effective)
    validate = field._type_adapter.validator.validate_python
    refuse = _refusal_of(effective)
    return (validate, serializer.to_json, tuple(options), tuple(options.values()), refuse)


def _refusal_of(effective: Any) -> Callable[[Exception, Any, Any], Exception]:
    """What FastAPI raises for a result that is not valid."""

    def refuse(error: Exception, result: Any, run: Any) -> Exception:
        if not isinstance(error, ValidationError):
            return error
        context = context_of(effective, run)
        errors = _regenerate_error_with_loc(
            errors=error.errors(include_url=False), loc_prefix=("response",)
        )
        return ResponseValidationError(errors=errors, body=result, endpoint_ctx=context)

    return refuse


def encode(result: Any) -> bytes:
    """Without a response model, what the core cannot write itself."""
    return bytes(JSONResponse(jsonable_encoder(result)).body)
