"""Plain fields of a node, without what FastAPI finds out about them for each request anew.

A field that is anything but plain (models but those of forms, several names, JSON, bytes of
files) is left to FastAPI's own function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_args

from fastapi import params
from fastapi._compat import (
    field_annotation_is_sequence,
    get_cached_model_fields,
    is_bytes_or_nonable_bytes_annotation,
    is_bytes_sequence_annotation,
)
from fastapi.dependencies.utils import (
    _get_form_models,
    _get_param_aliases,
    _get_param_model,
    _is_empty_file_input,
    _is_json_field,
    _validate_value_with_model_field,
    request_params_to_args,
)
from pydantic_core import PydanticUndefined
from starlette.datastructures import FormData

# read(received, values, errors) adds to one of both.
Read = Callable[[Any, dict[str, Any], list[Any]], None]
Find = Callable[[FormData], Any]


def _is_many(field: Any) -> bool:
    return bool(field_annotation_is_sequence(field.field_info.annotation))


def _is_plain(field: Any) -> bool:
    return len(_get_param_aliases(field)) == 1 and not _is_json_field(field)


def _add(
    field: Any, value: Any, values: dict[str, Any], errors: list[Any], loc: tuple[str, ...]
) -> None:
    if value is PydanticUndefined:
        found, wrong = _validate_value_with_model_field(
            field=field, value=value, values=values, loc=loc
        )
    else:
        found, wrong = field.validate(value, values, loc=loc)
    if wrong:
        errors.extend(wrong)
    else:
        values[field.name] = found


# ---- of path, query, headers and cookies ----


def param_reader(field: Any, source: str) -> Read:
    many = _is_many(field)
    if _get_param_model(field) is None and _is_plain(field):
        if not many or source in ("query_params", "headers"):
            return _plain_param_reader(field, many)

    def read(received: Any, values: dict[str, Any], errors: list[Any]) -> None:
        found, wrong = request_params_to_args([field], received)
        values.update(found)
        errors += wrong

    return read


def _plain_param_reader(field: Any, many: bool) -> Read:
    alias = _get_param_aliases(field)[0][1]
    loc = (field.field_info.in_.value, alias)

    def read(received: Any, values: dict[str, Any], errors: list[Any]) -> None:
        value = received.getlist(alias) if many else received.get(alias)
        if value is None or (many and not value):
            value = PydanticUndefined
        _add(field, value, values, errors, loc)

    return read


# ---- of forms ----


def form_readers(fields: Sequence[Any]) -> list[Read] | None:
    """None: there is one that is not plain, and a form's fields are taken together."""
    readers = [_form_model_reader(f) or _form_field_reader(f) for f in fields]
    found = [reader for reader in readers if reader is not None]
    return found if len(found) == len(readers) else None


def _finder(field: Any) -> tuple[str, Find] | None:
    """find(form) gives what is there under the name, or PydanticUndefined."""
    annotation = field.field_info.annotation
    of_bytes = is_bytes_or_nonable_bytes_annotation(annotation)
    of_bytes = of_bytes or is_bytes_sequence_annotation(annotation)
    if not _is_plain(field) or (isinstance(field.field_info, params.File) and of_bytes):
        return None
    alias = _get_param_aliases(field)[0][0]

    def find(form: FormData) -> Any:
        value = form.get(alias)
        if value is None or value == "" or _is_empty_file_input(value):
            return PydanticUndefined
        return value

    def find_all(form: FormData) -> Any:
        found = [item for item in form.getlist(alias) if not _is_empty_file_input(item)]
        return found or PydanticUndefined

    return alias, find_all if _is_many(field) else find


def _form_field_reader(field: Any) -> Read | None:
    found = _finder(field)
    if found is None or _get_form_models(field):
        return None
    alias, find = found
    loc = ("body", alias)

    def read(form: Any, values: dict[str, Any], errors: list[Any]) -> None:
        _add(field, find(form), values, errors, loc)

    return read


def _form_model_reader(field: Any) -> Read | None:
    models = _get_form_models(field)
    if len(models) != 1 or type(None) in get_args(field.field_info.annotation):
        return None
    finders = [_finder(inner) for inner in get_cached_model_fields(models[0])]
    known = {found[0]: found[1] for found in finders if found is not None}
    if len(known) != len(finders):
        return None
    names = set(known)

    def read(form: Any, values: dict[str, Any], errors: list[Any]) -> None:
        data = {}
        for alias, find in known.items():
            value = find(form)
            if value is not PydanticUndefined:
                data[alias] = value
        if not names.issuperset(form):
            data.update(_extras(form, names))
        _add(field, data, values, errors, ("body",))

    return read


def _extras(form: FormData, known: set[str]) -> dict[str, Any]:
    """What a model is also given: one value of a name as it is, several as a list."""
    found: dict[str, list[Any]] = {}
    for name, value in form.multi_items():
        if name not in known:
            found.setdefault(name, []).append(value)
    return {name: each[0] if len(each) == 1 else each for name, each in found.items()}
