"""Models that the core makes of JSON by itself: what pydantic-core makes of it, or nothing."""

import os
import random
import sys
from collections.abc import Iterator
from typing import Annotated, Any, Generic, TypeVar

import pathlib
import pytest
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    RootModel,
    TypeAdapter,
    ValidationError,
    model_validator,
)

SEED = int(os.environ.get("FA_SEED", "1"))


class Inner(BaseModel):
    a: int
    b: str | None = None


class Other(Inner):
    pass


class Outer(BaseModel):
    """Every kind of field that the core makes, also in orders and states of their own."""

    s: str
    i: int
    f: float
    b: bool
    n: int | None
    li: list[float] = []
    m: Inner | None = None
    k: list[Other] | None = None
    d: str = "x"


class Kept(BaseModel):
    """The class says what an instance has, not the instance."""

    value: int
    count: int = Field(default=3, frozen=True, serialization_alias="c", exclude=True)

    @property
    def double(self) -> int:
        return self.value * 2


T = TypeVar("T")


class Box(BaseModel, Generic[T]):
    item: T


# Each is a value that a field may have, or may not: JSON, and what is none.
ODD = """1 -1 0 -0 1.0 1.5 0.1 1e3 -0.0 0.0 -7.25 01 1. - .5 true false null tru NaN Infinity
    123456789012345 1234567890.12345 999999999999999999 9999999999999999999 123456789.123456
    1.7976931348623157e308 5e-324 0.30000000000000004 4.35 2.675 100000000000000.1 "x" "" "\\n"
    "äö" "😀" "\\ud83d" "\t" [] [1] [1,2.5] ["x"] {} {"a":1} {"a":1,"b":null} {"a":1,"a":2}
    {"b":"q","a":2} [{"a":1}] [{"a":1},{"a":2,"b":"z"}] "1" "true" {"a":1}} [1""".split()
USUAL = {
    "s": ['"x"', '"é"', '"user_42"', '"many words, so that it is long"'],
    "i": ["1", "-7", "0", "12345"],
    "f": ["1", "1.5", "0.1", "4.35", "-2.675", "1e400"],
    "b": ["true", "false"],
    "n": ["null", "3"],
    "li": ["[]", "[1,2.5]"],
    "m": ["null", '{"a":1}', '{"b":"q","a":2}'],
    "k": ["null", "[]", '[{"a":1},{"a":2,"b":"z"}]'],
    "d": ['"d"'],
}


@pytest.fixture(scope="module")
def shape_of(site: pathlib.Path) -> Iterator[Any]:
    """Of the package as it was built."""
    sys.path.insert(0, str(site))
    try:
        from fasterapi._compile import _shapes

        yield lambda kind: _shapes.shape_of(TypeAdapter(kind).core_schema)
    finally:
        sys.path.remove(str(site))


def all_of(value: Any) -> Any:
    """All that there is to be seen of it, orders and types included."""
    if isinstance(value, list):
        return [all_of(item) for item in value]
    if not isinstance(value, BaseModel):
        return type(value), repr(value)
    private = object.__getattribute__(value, "__pydantic_private__")
    fields = [(name, all_of(field)) for name, field in vars(value).items()]
    return type(value), fields, list(value.model_fields_set), value.model_extra, private


def spelled(rng: random.Random) -> bytes:
    """An object for Outer, mostly a right one."""
    names = [name for name in USUAL if name in "sifbn" or rng.random() < 0.5]
    if rng.random() < 0.1:
        names.remove(rng.choice(names))
    if rng.random() < 0.3:
        rng.shuffle(names)
    items = [
        (name, rng.choice(ODD if rng.random() < 0.08 else USUAL[name])) for name in names
    ]
    if rng.random() < 0.03:
        items.append(("other", "1"))
    if rng.random() < 0.03:
        items.append(rng.choice(items))
    space = rng.choice(["", "", " ", "\n\t\r "])
    text = (f",{space}").join(f'"{name}"{space}:{space}{value}' for name, value in items)
    json = f"{space}{{{text}}}{space}".encode()
    if rng.random() < 0.05:
        at = rng.randrange(len(json))
        json = json[:at] + bytes([rng.randrange(256)]) + json[at + 1 :]
    return json


def test_random(shape_of: Any) -> None:
    """The core makes what pydantic-core makes, of most of what pydantic-core takes."""
    shape, adapter, rng = shape_of(Outer), TypeAdapter(Outer), random.Random(SEED)
    made = taken = 0
    for _ in range(50_000):
        json = spelled(rng)
        ours = shape.make(json)
        try:
            theirs = adapter.validate_json(json)
        except ValidationError:
            assert ours is NotImplemented, json
            continue
        taken += 1
        if ours is not NotImplemented:
            made += 1
            assert all_of(ours) == all_of(theirs), json
            assert ours == theirs
    assert made > 0.7 * taken > 10_000


def test_numbers(shape_of: Any) -> None:
    """Decimals are the double next to them, whichever way they are read."""
    shape, rng = shape_of(list[float]), random.Random(SEED)
    for _ in range(50_000):
        digits = str(rng.randrange(10 ** rng.randrange(1, 16)))
        point = rng.randrange(len(digits))
        text = rng.choice(["", "-"]) + (f"{digits[:point] or '0'}.{digits[point:]}")
        made = shape.make(f"[{text}]".encode())
        if made is not NotImplemented:
            assert repr(made[0]) == repr(float(text)), text
        else:
            assert float(text) == 0 or len(digits) > 14, text


def test_instances(shape_of: Any) -> None:
    """They can be used as any other, and share nothing."""
    shape = shape_of(Kept)
    one, two = shape.make(b'{"value": 1}'), shape.make(b'{"value": 1}')
    assert one == two == Kept(value=1) and one.double == 2 and one.count == 3
    assert one.model_dump() == {"value": 1} and one.model_dump_json() == '{"value":1}'
    one.value = 5
    assert (one.value, two.value) == (5, 1) and one.model_copy() == one != two
    assert shape_of(Outer).make(b'{"s":"","i":1,"f":1,"b":true,"n":1}').li == []
    made = [shape_of(Outer).make(b'{"s":"","i":1,"f":1,"b":true,"n":1}') for _ in range(2)]
    assert made[0].li is not made[1].li
    assert all_of(shape_of(Box[int]).make(b'{"item": 3}')) == all_of(Box[int](item=3))


def test_new(shape_of: Any) -> None:
    """A class that has come to make its instances itself is pydantic-core's."""

    class Changed(BaseModel):
        a: int

    shape = shape_of(Changed)
    assert shape.make(b'{"a":1}') == Changed(a=1)
    Changed.__new__ = lambda cls, *args, **kwargs: object.__new__(cls)  # type: ignore
    assert shape.make(b'{"a":1}') is NotImplemented


class Named(BaseModel):
    a: int = Field(alias="A")


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    a: int


class Stripped(BaseModel):
    model_config = ConfigDict(str_strip_whitespace=True)
    a: str


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    a: int


class Private(BaseModel):
    a: int
    _b: int = PrivateAttr(default=3)


class Checked(BaseModel):
    a: int

    @model_validator(mode="after")
    def check(self) -> "Checked":
        return self


class Made(BaseModel):
    a: int

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)


class Slots(BaseModel):
    a: int

    def __new__(cls, *args: Any, **values: Any) -> "Slots":
        return super().__new__(cls)


class Same(BaseModel):
    one: Inner
    two: Inner


class Recursive(BaseModel):
    next: "Recursive | None" = None


LEFT = [
    *(Named, Strict, Stripped, Open, Closed, Private, Checked, Made, Same, Recursive),
    *(RootModel[int], dict[str, int], int | str, list[Any], bytes, Annotated[int, Field(gt=0)]),
    *(list[Annotated[str, Field(max_length=3)]], Annotated[list[int], Field(max_length=3)]),
    *(Annotated[int, AfterValidator(abs)], tuple[int, ...], set[int]),
]


@pytest.mark.parametrize("kind", LEFT, ids=str)
def test_left(shape_of: Any, kind: Any) -> None:
    """What says more than the core knows is never its."""
    assert shape_of(kind) is None


def test_left_at_once(shape_of: Any) -> None:
    assert shape_of(Slots).make(b'{"a":1}') is NotImplemented


def test_rows(site: pathlib.Path, shape_of: Any) -> None:
    """Rows are checked when they are taken."""
    shape = type(shape_of(Kept))
    for row in ((), (9, False, (), None, ()), (4, False, (), None, ()), (5, False, (), None, ())):
        with pytest.raises((TypeError, ValueError)):
            shape(row)
    for members in ((), (1, 2, 3), (vars(Outer)["__doc__"],) * 3):
        with pytest.raises(TypeError):
            shape((5, False, (), Outer, members))
    nested: Any = (0, False, (), None, ())
    for _ in range(9):
        nested = (4, False, (("", nested, True, None),), None, ())
    with pytest.raises(ValueError):
        shape(nested)
    with pytest.raises(TypeError):
        shape_of(Kept).make("{}")
