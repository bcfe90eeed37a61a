"""Parameters of FastAPI as rows of a native Plan."""

from __future__ import annotations

from typing import Any

from fastapi import params
from fastapi._compat import field_annotation_is_sequence
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import _get_param_aliases, _get_param_model, _is_json_field
from pydantic_core import SchemaValidator

from fasterapi._compile._reasons import NotCompiled
from fasterapi._compile._schemas import is_pure, is_same_in_json

# As in python/ext/plan.h.
PATH, QUERY, HEADER, COOKIE, BODY = range(5)
ANY, STR, INT, FLOAT, BOOL, JSON, PARSED = range(7)

_SCALARS = {"str": STR, "int": INT, "float": FLOAT, "bool": BOOL}
_UNCHANGED = (str, int, float, bool, bytes, type(None))

# (source, form, index, key, validate, required, default, copied, many)
Row = tuple[int, int, int, str, Any, bool, Any, bool, bool]


def validator_of(field: Any) -> SchemaValidator:
    """That of a field, if it is pydantic's own and changes nothing in the world."""
    validator = field._type_adapter.validator
    if type(validator) is not SchemaValidator:
        raise NotCompiled(f"the validator of {field.name!r} is not pydantic-core's own")
    if not is_pure(field._type_adapter.core_schema):
        raise NotCompiled(
            f"validating {field.name!r} runs code of the application",
            "plain types and constraints need none",
        )
    return validator


def _default(field: Any) -> tuple[bool, Any, bool]:
    """(required, default, copied)"""
    info = field.field_info
    if info.is_required():
        return True, None, False
    if info.default_factory is not None or info.validate_default:
        raise NotCompiled(f"the default of {field.name!r} is made by code or validated")
    default = info.get_default(call_default_factory=False)
    return False, default, not isinstance(default, _UNCHANGED)


def _form(field: Any) -> int:
    """The type whose usual spellings are read in C: one without any constraint."""
    schema = field._type_adapter.core_schema
    if schema["type"] == "default":
        schema = schema["schema"]
    if schema["type"] == "nullable":
        schema = schema["schema"]
    plain = not set(schema) - {"type", "metadata"}
    return _SCALARS.get(schema["type"], ANY) if plain else ANY


def _row(source: int, field: Any, index: int, convertor: Any = None) -> Row:
    if _get_param_model(field) is not None:
        raise NotCompiled(f"{field.name!r} is a model of several parameters")
    aliases = _get_param_aliases(field)
    if len(aliases) != 1 or not isinstance(aliases[0][1], str):
        raise NotCompiled(f"{field.name!r} has more than one name")
    validator = validator_of(field)
    form = _form(field)
    many = field_annotation_is_sequence(field.field_info.annotation)
    if many and (_is_json_field(field) or source not in (QUERY, HEADER)):
        raise NotCompiled(f"{field.name!r} is a list where FastAPI reads none")
    if _is_json_field(field):
        raise NotCompiled(f"{field.name!r} is JSON within a parameter")
    kind = type(convertor).__name__
    if convertor is not None and kind not in ("StringConvertor", "PathConvertor"):
        if kind != "IntegerConvertor" or form != INT:
            raise NotCompiled(f"{field.name!r} comes from the convertor {kind}")
    validate = None if form == STR else validator.validate_python
    required, default, copied = _default(field)
    return (source, form, index, aliases[0][1], validate, required, default, copied, many)


def _body_row(field: Any) -> Row:
    info = field.field_info
    if isinstance(info, params.Form):
        raise NotCompiled("the body is a form")
    validator = validator_of(field)
    if is_same_in_json(field._type_adapter.core_schema):
        form, validate = JSON, validator.validate_json
    else:
        form, validate = PARSED, validator.validate_python
    # Without a body, or with a wrong one, the application answers.
    return (BODY, form, 0, field.alias, validate, True, None, False, False)


def rows_of(
    dependant: Dependant, convertors: dict[str, Any], embed: bool
) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    """The keywords of the endpoint, and where their values come from."""
    if embed:
        raise NotCompiled("the body is an object with a parameter for each key")
    captures = {name: i for i, name in enumerate(convertors)}
    named: list[tuple[str, Row]] = []
    for field in dependant.path_params:
        alias = _get_param_aliases(field)[0][1]
        if alias not in captures:
            raise NotCompiled(f"{field.name!r} is not in the path")
        named.append((field.name, _row(PATH, field, captures[alias], convertors[alias])))
    for source, fields in (
        (QUERY, dependant.query_params),
        (HEADER, dependant.header_params),
        (COOKIE, dependant.cookie_params),
    ):
        named += [(field.name, _row(source, field, 0)) for field in fields]
    if len(dependant.body_params) > 1:
        raise NotCompiled("the body has several parameters")
    named += [(field.name, _body_row(field)) for field in dependant.body_params]
    return tuple(name for name, _ in named), tuple(row for _, row in named)
