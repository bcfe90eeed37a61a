"""Values that FastAPI's own functions take from a Request, in the midst of a runner.

C finds the values of a node of the tree of dependencies before any code of the application
runs. Where that cannot be (forms, validators that run code of the application, parameters
that come after a dependency which may have changed the Request), the runner does it where
solve_dependencies() does, and goes on as that does when something is not valid."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_body_to_args
from pydantic_core import PydanticUndefined
from starlette._exception_handler import wrap_app_handling_exceptions
from starlette.exceptions import HTTPException
from starlette.requests import Request

from fasterapi._compile._build import context_of
from fasterapi._compile._errors import bad_body, bad_json, handler_cells, says_json_of
from fasterapi._compile._fields import form_readers, param_reader
from fasterapi._compile._form_text import is_usual, read_usual
from fasterapi._compile._params import has_form
from fasterapi._compile._releases import body_limit_error_of, form_limits_of

Read = Callable[[Any, Request, AsyncExitStack], Coroutine[Any, Any, Any]]
Extract = Callable[[Request, Any, list[Any]], Coroutine[Any, Any, dict[str, Any]]]

# Set in the scope of an exception that the handlers of its route have seen already.
LEFT = "fasterapi.left"
START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": []}


def prime(request: Request) -> None:
    """Before the first dependency is called, these have been asked for: what it changes in
    the scope does not change them."""
    request.path_params, request.query_params, request.headers, request.cookies  # noqa: B018


def extractor_of(effective: Any, dependant: Dependant, embed: bool) -> Extract:
    """extract(request, body, errors) gives the values of one node; what is wrong with them
    is added to `errors`."""
    readers = [
        (attribute, param_reader(field, attribute))
        for attribute, fields in (
            ("path_params", dependant.path_params),
            ("query_params", dependant.query_params),
            ("headers", dependant.header_params),
            ("cookies", dependant.cookie_params),
        )
        for field in fields
    ]
    body_fields = dependant.body_params
    of_form = form_readers(body_fields) if has_form(effective) else None

    async def extract(request: Request, body: Any, errors: list[Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for attribute, read in readers:
            read(getattr(request, attribute), values, errors)
        if of_form is not None:
            for read in of_form:
                read(body, values, errors)
        elif body_fields:
            found, wrong = await request_body_to_args(
                body_fields=body_fields, received_body=body, embed_body_fields=embed
            )
            values.update(found)
            errors += wrong
        return values

    return extract


def _unreadable(request: Request, error: Exception) -> Exception:
    return body_limit_error_of(request.scope, error) or bad_body()


def _form_reader(effective: Any) -> Read:
    limits = handler_cells(effective).get("form_limits")

    async def read(run: Any, request: Request, files: AsyncExitStack) -> Any:
        try:
            asked = form_limits_of(request.scope, limits)
            if is_usual(request.scope["headers"]):
                return await read_usual(request, asked)
            form = await request.form(**asked)
            files.push_async_callback(form.close)
        except HTTPException:
            raise
        except Exception as error:
            raise _unreadable(request, error) from error
        return form

    return read


def _body_reader(effective: Any) -> Read:
    says_json = says_json_of(effective)

    async def parsed(request: Request) -> Any:
        body = await request.body()
        if not body:
            return PydanticUndefined
        return await request.json() if says_json(request.headers.get("content-type")) else body

    async def read(run: Any, request: Request, files: AsyncExitStack) -> Any:
        try:
            return await parsed(request)
        except json.JSONDecodeError as error:
            raise bad_json(error, context_of(effective, run)) from error
        except HTTPException:
            raise
        except Exception as error:
            raise _unreadable(request, error) from error

    return read


def reader_of(effective: Any) -> Read:
    """read(run, request, files) gives the body, as a form or as what JSON says; raises what
    FastAPI answers when it is neither. `files` closes the form's."""
    return _form_reader(effective) if has_form(effective) else _body_reader(effective)


async def swallow(message: Any) -> None:
    """The `send` of an answer that has begun."""


async def answer_error(run: Any, request: Request, error: Exception) -> None:
    """As the route does: its handlers see the Request that the endpoint has seen, and the
    files of its form are open yet."""
    started = run.started

    async def fail(scope: Any, receive: Any, send: Any) -> None:
        if started:
            await send(START)
        raise error

    scope, receive, send = run.asgi()
    try:
        await wrap_app_handling_exceptions(fail, request)(
            scope, receive, swallow if started else send
        )
    except BaseException:
        scope[LEFT] = True
        raise
