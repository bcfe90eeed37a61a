"""Models that the core makes of JSON by itself, when it is spelled as usual. What is not is
validated by pydantic-core, from the beginning."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from fasterapi import _core
from fasterapi._compile._schemas import Schema

# (kind, nullable, parts, type, members); the kinds as in python/ext/plan/shape.c.
Row = tuple[int, bool, tuple["Part", ...], type | None, tuple[Any, ...]]
# (name, row, required, default)
Part = tuple[str, Row, bool, Any]

_SCALARS = {"str": 0, "int": 1, "float": 2, "bool": 3}
_LIST, _MODEL = 4, 5
_FIELDS_MAX, _DEPTH_MAX = 32, 8
# What an instance of a model has besides its dict, in the order of the core.
_MEMBERS = ("__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
# Keys of a schema that say nothing about what is valid, and what becomes of it.
_SILENT = frozenset({"type", "ref", "metadata", "serialization", "generic_origin"})


class _Other(Exception):
    """The schema says something that only pydantic-core knows how to do."""


def _only(schema: Schema, *keys: str) -> None:
    if set(schema) - _SILENT - set(keys):
        raise _Other


def _default(schema: Schema) -> tuple[bool, Any]:
    """(must be there, default)"""
    default = schema.get("default")
    usual = set(schema) - _SILENT == {"schema", "default"}
    empty = type(default) is list and not default
    if usual and (empty or type(default) in (str, int, float, bool, type(None))):
        return False, default
    return True, None


def _part(name: str, field: Schema, depth: int) -> Part:
    _only(field, "schema", "frozen", "serialization_alias", "serialization_exclude")
    schema = field["schema"]
    if schema["type"] == "default":
        return (name, _shape(schema["schema"], depth), *_default(schema))
    return (name, _shape(schema, depth), True, None)


def _model(schema: Schema, depth: int) -> Row:
    _only(schema, "cls", "schema", "config", "custom_init", "root_model", "frozen")
    fields, model = schema["schema"], schema["cls"]
    if schema.get("custom_init") or schema.get("root_model") or fields["type"] != "model-fields":
        raise _Other
    if set(schema.get("config") or ()) - {"title", "from_attributes"}:
        raise _Other
    _only(fields, "fields", "model_name", "computed_fields")
    members = tuple(vars(BaseModel).get(name) for name in _MEMBERS)
    own = any(getattr(model, name) is not m for name, m in zip(_MEMBERS, members, strict=True))
    if own or not issubclass(model, BaseModel) or len(fields["fields"]) > _FIELDS_MAX:
        raise _Other
    parts = tuple(_part(name, field, depth + 1) for name, field in fields["fields"].items())
    return (_MODEL, False, parts, model, members)


def _shape(schema: Schema, depth: int) -> Row:
    kind = schema["type"]
    if depth >= _DEPTH_MAX:
        raise _Other
    if kind in _SCALARS:
        _only(schema)
        return (_SCALARS[kind], False, (), None, ())
    if kind == "nullable":
        _only(schema, "schema")
        inner, _, parts, model, members = _shape(schema["schema"], depth)
        return (inner, True, parts, model, members)
    if kind == "list" and "items_schema" in schema:
        _only(schema, "items_schema")
        item = ("", _shape(schema["items_schema"], depth + 1), True, None)
        return (_LIST, False, (item,), None, ())
    if kind == "model":
        return _model(schema, depth)
    raise _Other


def shape_of(schema: Schema) -> _core.Shape | None:
    """None: pydantic-core is always asked."""
    if schema["type"] == "default":
        schema = schema["schema"]
    try:
        return _core.Shape(_shape(schema, 0))
    except _Other:
        return None
