"""What FastAPI says of values that are missing or not valid, and of bodies that are no JSON.

The core collects a Fault for each such value (python/ext/plan/check.c); in the end they are
raised where get_request_handler() of FastAPI raises them."""

from __future__ import annotations

import email.message
import json
from collections.abc import Callable
from typing import Any, NoReturn

from fastapi._compat.v2 import _regenerate_error_with_loc, get_missing_field_error
from fastapi.dependencies.utils import _validate_value_with_model_field
from fastapi.exceptions import RequestValidationError
from pydantic_core import PydanticUndefined as Undefined, ValidationError, from_json
from starlette.exceptions import HTTPException

from fasterapi._compile._build import context_of
from fasterapi._compile._limits import within

Errors = list[Any]
# Above so many brackets a body may be nested deeper than the stack allows, which depends on
# how deep the stack is already.
_BRACKETS_MAX = 400


class Fault:
    """Stands in the place of a value: `errors` are those of it; or, in the place of a body,
    `cause` is why it cannot be read."""

    __slots__ = ("cause", "errors")

    def __init__(self, errors: Errors, cause: Exception | None = None) -> None:
        self.errors = errors
        self.cause = cause


class Invalid(Exception):
    """What a function of FastAPI, in the place of a validator, has found."""

    def __init__(self, errors: Errors) -> None:
        self.errors = errors


Check = Callable[[Any], Any]


# ---- single values ----


def check_of_param(loc: tuple[str, str]) -> Check:
    """check(error) gives the Fault; None as the error: it is missing."""

    def check(error: Exception | None) -> Fault:
        if error is None:
            return Fault([get_missing_field_error(loc)])
        if isinstance(error, Invalid):
            return Fault(error.errors)
        if not isinstance(error, ValidationError):
            raise error
        errors = error.errors(include_url=False)
        return Fault(_regenerate_error_with_loc(errors=errors, loc_prefix=loc))

    return check


def _checked(field: Any, value: Any, loc: tuple[str, ...]) -> Any:
    found, errors = _validate_value_with_model_field(
        field=field, value=value, values={}, loc=loc
    )
    return Fault(errors) if errors else found


def check_of_body(field: Any) -> Check:
    """check(body) gives the value or its Fault, as request_body_to_args() of FastAPI."""

    def check(body: Any) -> Any:
        return _checked(field, body, ("body",))

    return check


def check_of_member(field: Any, key: str) -> Check:
    """The same of one member of the body."""
    loc = ("body", key)

    def check(body: Any) -> Any:
        value = Undefined
        if body is not Undefined and not isinstance(body, bytes):
            try:
                value = body.get(key, Undefined)
            except AttributeError:
                return Fault([get_missing_field_error(loc)])
        return _checked(field, value, loc)

    return check


# ---- the body ----


def handler_cells(effective: Any) -> dict[str, Any]:
    """What the handler of a route was made with; check_handler() has seen it."""

    def cells_of(function: Any) -> dict[str, Any]:
        names = function.__code__.co_freevars
        return {n: c.cell_contents for n, c in zip(names, function.__closure__, strict=True)}

    return cells_of(cells_of(within(effective.app))["f"])


def says_json_of(effective: Any) -> Callable[[str | None], bool]:
    """says_json(content_type): whether the body is JSON."""
    strict = handler_cells(effective)["actual_strict_content_type"]

    def says_json(kind: str | None) -> bool:
        if not kind:
            return not strict
        message = email.message.Message()
        message["content-type"] = kind
        if message.get_content_maintype() != "application":
            return False
        subtype = message.get_content_subtype()
        return subtype == "json" or subtype.endswith("+json")

    return says_json


def read_of(effective: Any) -> Callable[[bytes, Any], Any]:
    """read(bytes, kind) gives the body as FastAPI takes it, or the Fault of it; `kind` is
    True for JSON, or the Content-Type."""
    says_json = says_json_of(effective)

    def read(body: bytes, kind: Any) -> Any:
        if not body:
            return Undefined
        if body.count(b"[") + body.count(b"{") > _BRACKETS_MAX:
            from_json(body)  # it refuses what is nested too deep
        try:
            return json.loads(body) if kind is True or says_json(kind) else body
        except Exception as error:
            return Fault([], error)

    return read


def bad_json(error: json.JSONDecodeError, context: Any) -> RequestValidationError:
    wrong = {
        "type": "json_invalid",
        "loc": ("body", error.pos),
        "msg": "JSON decode error",
        "input": {},
        "ctx": {"error": error.msg},
    }
    return RequestValidationError([wrong], body=error.doc, endpoint_ctx=context)


def bad_body() -> HTTPException:
    return HTTPException(status_code=400, detail="There was an error parsing the body")


def _raise_unreadable(error: Exception, context: Any) -> NoReturn:
    try:
        raise error
    except json.JSONDecodeError as cause:
        raise bad_json(cause, context) from cause
    except Exception as cause:
        raise bad_body() from cause


# ---- the end ----


def add_faults(errors: Errors, *values: Any) -> None:
    for value in values:
        if type(value) is Fault:
            errors += value.errors


def refusal_of(effective: Any) -> Callable[[Any, Any, Errors], Exception]:
    """refuse(run, body, errors): what is raised when there are errors."""

    def refuse(run: Any, body: Any, errors: Errors) -> Exception:
        return RequestValidationError(
            errors,
            body=None if body is Undefined else body,
            endpoint_ctx=context_of(effective, run),
        )

    return refuse


def reject_of(effective: Any, checked: Any) -> Callable[..., Any]:
    """reject(run, body, *values), when there are faults; `checked`, if there are
    dependencies, gives the coroutine that calls those whose own values are valid."""
    refuse = refusal_of(effective)

    def reject(run: Any, body: Any, *values: Any) -> Any:
        if type(body) is Fault:
            assert body.cause is not None
            _raise_unreadable(body.cause, context_of(effective, run))
        if checked is not None:
            return checked(run, body, *values)
        errors: Errors = []
        add_faults(errors, *values)
        raise refuse(run, body, errors)

    return reject
