"""Parameters of FastAPI as rows of a native Plan."""

from __future__ import annotations

from typing import Any

from fastapi import params
from fastapi._compat import field_annotation_is_sequence
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import (
    _get_param_aliases,
    _get_param_model,
    _is_json_field,
    request_params_to_args,
)
from pydantic.plugin._schema_validator import PluggableSchemaValidator
from pydantic_core import SchemaValidator
from starlette.convertors import (
    FloatConvertor,
    IntegerConvertor,
    PathConvertor,
    StringConvertor,
    UUIDConvertor,
)
from starlette.datastructures import Headers, QueryParams

from fasterapi import _core
from fasterapi._compile._errors import (
    Check,
    Invalid,
    check_of_body,
    check_of_member,
    check_of_param,
)
from fasterapi._compile._reasons import NotCompiled
from fasterapi._compile._schemas import is_pure, is_same_in_json
from fasterapi._compile._shapes import shape_of

# As in python/ext/plan/plan.h.
PATH, QUERY, HEADER, COOKIE, BODY, MEMBER = range(6)
ANY, STR, INT, FLOAT, BOOL, JSON, PARSED, RAW = range(8)

_SCALARS = {"str": STR, "int": INT, "float": FLOAT, "bool": BOOL}
_UNCHANGED = (str, int, float, bool, bytes, type(None))

# (source, form, index, key, validate, required, default, copied, many, check, shape)
Row = tuple[int, int, int, str, Any, bool, Any, bool, bool, Check, _core.Shape | None]


def _unwrapped(validator: Any) -> Any:
    """What is below a validator that plugins of pydantic know of, if none has a say in it:
    then its methods are those of what is below."""
    inner = getattr(validator, "_schema_validator", None)
    if type(validator) is PluggableSchemaValidator and all(
        getattr(validator, name) == getattr(inner, name)
        for name in ("validate_python", "validate_json")
    ):
        return inner
    return validator


def validator_of(field: Any) -> SchemaValidator:
    """That of a field, if it is pydantic's own and changes nothing in the world."""
    validator = _unwrapped(field._type_adapter.validator)
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


def _received(source: int, raw: Any) -> Any:
    """What a Request has for the raw values of a source."""
    if source == QUERY:
        return QueryParams(raw)  # pairs of text
    return Headers(raw=raw) if source == HEADER else raw


def _raw_row(source: int, field: Any) -> Row:
    """One that FastAPI's own function puts together: models, aliases, JSON."""
    validator_of(field)

    def validate(raw: Any) -> Any:
        values, errors = request_params_to_args([field], _received(source, raw))
        if errors:
            raise Invalid(errors)
        return values[field.name]

    check = check_of_param((field.field_info.in_.value, field.name))
    return (source, RAW, 0, field.name, validate, True, None, False, False, check, None)


def _is_special(source: int, field: Any) -> bool:
    aliases = _get_param_aliases(field)
    many = field_annotation_is_sequence(field.field_info.annotation)
    return (
        _get_param_model(field) is not None
        or len(aliases) != 1
        or not isinstance(aliases[0][1], str)
        or _is_json_field(field)
        or (many and source == COOKIE)
        or field.field_info.default_factory is not None
    )


def _row(source: int, field: Any) -> Row:
    if _is_special(source, field):
        return _raw_row(source, field)
    validator, form = validator_of(field), _form(field)
    validate = None if form == STR else validator.validate_python
    required, default, copied = _default(field)
    alias = _get_param_aliases(field)[0][1]
    many = field_annotation_is_sequence(field.field_info.annotation)
    check = check_of_param((field.field_info.in_.value, alias))
    return (source, form, 0, alias, validate, required, default, copied, many, check, None)


def _path_row(field: Any, index: int, convertor: Any) -> Row:
    if _is_special(PATH, field) or field_annotation_is_sequence(field.field_info.annotation):
        raise NotCompiled(f"{field.name!r} is of a kind that paths have not")
    validator, form = validator_of(field), _form(field)
    validate: Any = None if form == STR else validator.validate_python
    kind = type(convertor)
    if kind not in (StringConvertor, PathConvertor) and (kind, form) != (IntegerConvertor, INT):
        if kind not in (IntegerConvertor, FloatConvertor, UUIDConvertor):
            raise NotCompiled(f"{field.name!r} comes from the convertor {kind.__name__}")
        form, validate = ANY, _converted(convertor, validator)
    check = check_of_param(("path", _get_param_aliases(field)[0][1]))
    return (PATH, form, index, field.alias, validate, True, None, False, False, check, None)


def _converted(convertor: Any, validator: SchemaValidator) -> Any:
    def validate(text: str, *, from_attributes: bool) -> Any:
        return validator.validate_python(
            convertor.convert(text), from_attributes=from_attributes
        )

    return validate


def _body_row(field: Any) -> Row:
    validator, schema, shape = validator_of(field), field._type_adapter.core_schema, None
    if is_same_in_json(schema):
        form, validate, shape = JSON, validator.validate_json, shape_of(schema)
    else:
        form, validate = PARSED, validator.validate_python
    check = check_of_body(field)
    return (BODY, form, 0, field.alias, validate, *_default(field), False, check, shape)


def _member_row(field: Any) -> Row:
    aliases = _get_param_aliases(field)
    if len(aliases) != 1 or not isinstance(aliases[0][0], str):
        raise NotCompiled(f"{field.name!r} has more than one name")
    validate = validator_of(field).validate_python
    check = check_of_member(field, aliases[0][0])
    return (MEMBER, ANY, 0, aliases[0][0], validate, *_default(field), False, check, None)


def rows_of(
    dependant: Dependant, convertors: dict[str, Any], embed: bool
) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    """The keywords of the endpoint, and where their values come from."""
    captures = {name: i for i, name in enumerate(convertors)}
    named: list[tuple[str, Row]] = []
    for field in dependant.path_params:
        alias = _get_param_aliases(field)[0][1]
        if alias not in captures:
            raise NotCompiled(f"{field.name!r} is not in the path")
        named.append((field.name, _path_row(field, captures[alias], convertors[alias])))
    for source, fields in (
        (QUERY, dependant.query_params),
        (HEADER, dependant.header_params),
        (COOKIE, dependant.cookie_params),
    ):
        named += [(field.name, _row(source, field)) for field in fields]
    if embed or len(dependant.body_params) > 1:
        named += [(field.name, _member_row(field)) for field in dependant.body_params]
    else:
        named += [(field.name, _body_row(field)) for field in dependant.body_params]
    return tuple(name for name, _ in named), tuple(row for _, row in named)


def has_form(effective: Any) -> bool:
    field = effective.body_field
    return field is not None and isinstance(field.field_info, params.Form)


def native_rows(
    dependant: Dependant, effective: Any, embed: bool
) -> tuple[tuple[str, ...], tuple[Row, ...]] | None:
    """rows_of() a node of a route; None: only FastAPI's own functions find its values."""
    if dependant.body_params and has_form(effective):
        return None
    try:
        return rows_of(dependant, effective.param_convertors, embed)
    except NotCompiled:
        return None
