"""What the schemas of pydantic-core say about a validator, before any value is seen."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

# Types of schemas whose validators run no code but pydantic's own.
_LEAVES = frozenset(
    {
        *("any", "none", "bool", "int", "float", "decimal", "str", "bytes", "date", "time"),
        *("datetime", "timedelta", "literal", "is-instance", "is-subclass", "callable"),
        *("url", "multi-host-url", "uuid", "complex", "enum", "missing-sentinel"),
    }
)
_CHILDREN = {
    "default": ("schema",),
    "nullable": ("schema",),
    "list": ("items_schema",),
    "set": ("items_schema",),
    "frozenset": ("items_schema",),
    "dict": ("keys_schema", "values_schema"),
    "model": ("schema",),
    "model-field": ("schema",),
    "typed-dict-field": ("schema",),
    "dataclass": ("schema",),
    "dataclass-field": ("schema",),
    "dataclass-args": ("fields",),
    "model-fields": ("fields", "extras_schema"),
    "typed-dict": ("fields", "extras_schema"),
    "tuple": ("items_schema",),
    "union": ("choices",),
    "tagged-union": ("choices",),
    "lax-or-strict": ("lax_schema", "strict_schema"),
    "json-or-python": ("json_schema", "python_schema"),
    "json": ("schema",),
    "chain": ("steps",),
    "definitions": ("schema", "definitions"),
    "definition-ref": (),
    "function-after": ("schema",),
    "function-before": ("schema",),
    "function-wrap": ("schema",),
    "function-plain": (),
}
# What is the same whether a validator reads JSON or what json.loads() has made of it.
_SAME_IN_JSON = frozenset(
    {"bool", "int", "float", "str", "default", "nullable", "list", "dict", "model"}
    | {"model-field", "model-fields"}
)
# Functions of pydantic itself, which call nothing of the application.
_OWN = ("pydantic.networks", "pydantic.types", "pydantic._internal._validators")
# What makes a default and may do so twice.
_FACTORIES = (list, dict, set, frozenset, tuple, uuid.uuid4, datetime.datetime.now)


def is_factory_pure(factory: Any) -> bool:
    return any(factory == known for known in _FACTORIES)


def _is_function_pure(schema: Schema) -> bool:
    function = schema["function"]["function"]
    of_class = isinstance(getattr(function, "__self__", type), type)
    return getattr(function, "__module__", None) in _OWN and of_class


def _below(schema: Schema) -> Iterator[Schema]:
    for key in _CHILDREN.get(schema["type"], ()):
        found = schema.get(key)
        if isinstance(found, dict) and "type" in found and isinstance(found["type"], str):
            yield found
            continue
        for item in found.values() if isinstance(found, dict) else found or ():
            if isinstance(item, tuple):  # a choice of a union and its label
                item = item[0]
            if isinstance(item, dict):
                yield item


def is_pure(schema: Schema) -> bool:
    """Validating runs no code of the application, so that it may be done twice."""
    kind = schema["type"]
    if kind not in _LEAVES and kind not in _CHILDREN:
        return False
    if schema.get("custom_init") or schema.get("post_init"):
        return False
    if "default_factory" in schema and not is_factory_pure(schema["default_factory"]):
        return False
    if callable(schema.get("discriminator")):
        return False
    if kind.startswith("function-") and not _is_function_pure(schema):
        return False
    if kind in ("is-instance", "is-subclass", "callable", "enum") and kind != "enum":
        return False  # __instancecheck__ may be anything
    if kind == "enum" and "missing" in schema:
        return False
    return all(is_pure(child) for child in _below(schema))


def is_same_in_json(schema: Schema) -> bool:
    """Reading JSON directly gives what validating the parsed JSON gives."""
    if schema["type"] not in _SAME_IN_JSON or schema.get("strict"):
        return False
    config = schema.get("config") or {}
    if config.get("strict") or schema.get("root_model"):
        return False
    return all(is_same_in_json(child) for child in _below(schema))
