"""Types of parameters and models: how each is written in Python, and what is sent for it.

A type makes its own text: the annotation, spellings of parameters, JSON, and expressions of
Python for what endpoints return."""

import json
import random
import re
from collections.abc import Callable, Sequence
from typing import Any


class Dice(random.Random):
    """`mess` is how likely a value of a request is not what was asked for."""

    mess = 0.0

    def chance(self, share: float) -> bool:
        return self.random() < share

    def choice(self, among: Sequence) -> Any:
        """Cheaper than what it replaces; each request takes dozens."""
        return among[int(self.random() * len(among))]


# Spellings that some type takes, or that a parser may stumble over.
ODD_TEXT = (
    *("", " ", "0", "-0", "+1", "1", "-1", "01", "1_000", " 1 ", "1.0", "1.5", "1e3", ".5", "5."),
    *("9" * 18, "9" * 19, "-" + "9" * 18, "9" * 400, "nan", "inf", "-inf", "Infinity", "0x10"),
    *("true", "True", "TRUE", "t", "on", "yes", "y", "off", "false", "no", "null", "None"),
    *("x", "é", "漢字", "\x00", "\x7f", "a,b", "a&b", "a=b", "a+b", "%", "%zz", "[]", "{}", '"x"'),
    *("2026-01-02", "2026-02-30", "2026-01-02T03:04:05", "2026-01-02T03:04:05Z", "03:04", "P1D"),
    *("12345678-1234-5678-1234-567812345678", "{12345678123456781234567812345678}", "urn:uuid:1"),
    *("red", "RED", "1e400", "123456789.123456789", "0.1", "-0.0", "1\n", "\n1", "\t1", "１"),
)
ODD_JSON = (
    *("null", "true", "false", "0", "-0", "1", "-1", "1.0", "1.5", "-0.0", "1e3", "1E400", "-1e400"),
    *("9" * 18, "9" * 25, "9" * 400, "NaN", "Infinity", "-Infinity", "0.1e-400", "1e22", "2.5e-7"),
    *('""', '" "', '"x"', '"1"', '"1.5"', '"true"', '"\\u00e9"', '"é"', '"\\ud800"', '"\\u0000"'),
    *('"\\ud83d\\ude00"', '"2026-01-02"', '"2026-01-02T03:04:05Z"', '"red"', '"12:00"', '"P1D"'),
    *('"12345678-1234-5678-1234-567812345678"', "[]", "{}", "[[]]", "[1]", '{"a": 1}', "[null]"),
    *('{"a": 1, "a": 2}', '"\\/"', "1767323045", "1767323045.5", '["x", 1]', "01", "nul", "'x'"),
    *("[1,]", '{"a"}', "{,}", '"\x01"', '"\\x"', "[" * 210 + "]" * 210, ".5", "5.", "+1", "/**/1"),
)


class Type:
    """`text` is the annotation. `spelled` gives a parameter, `json` JSON text, `python` an
    expression: all valid but for the mess of the dice."""

    def __init__(
        self,
        text: str,
        spelled: Callable[[Dice], str],
        json: Callable[[Dice], str],
        python: Callable[[Dice], str],
        simple: bool = False,
    ) -> None:
        self.text, self.simple = text, simple
        self._spelled, self._json, self.python = spelled, json, python

    def spelled(self, dice: Dice) -> str:
        return dice.choice(ODD_TEXT) if dice.chance(dice.mess) else self._spelled(dice)

    def json(self, dice: Dice) -> str:
        return dice.choice(ODD_JSON) if dice.chance(dice.mess) else self._json(dice)


class SetType(Type):
    """The place of a NaN in a set is a matter of its address: none is sent."""

    def spelled(self, dice: Dice) -> str:
        return re.sub("(?i)nan", "7", super().spelled(dice))

    def json(self, dice: Dice) -> str:
        return re.sub("NaN", "7", super().json(dice))


def scalar(text: str, spelled: tuple[str, ...], json_text: tuple[str, ...], python: str) -> Type:
    expressions = python.split("|")
    return Type(
        text,
        lambda dice: dice.choice(spelled),
        lambda dice: dice.choice(json_text),
        lambda dice: dice.choice(expressions),
        True,
    )


def quoted(*texts: str) -> tuple[str, ...]:
    return tuple(json.dumps(text) for text in texts)


UUIDS = ("12345678-1234-5678-1234-567812345678", "123456781234567812345678ABCDEF01")
DAYS = ("2026-01-02", "1999-12-31", "0001-01-01", "0")
TIMES = ("2026-01-02T03:04:05Z", "2026-01-02 03:04:05.5+01:00", "1767323045", "2026-01-02")
SPANS = ("P1DT2H", "3600", "1 day, 0:00:01", "-PT5S")
NUMBERS = ("1.5", "0", "-3", "100", "1e2", "0.10", "1.")
WORDS = ("abc", "a", "ab", "abcdef", "a b", "été", "", "x" * 300)

INT = scalar("int", ("1", "7", "-5", "123456789", "0", "5"), ("1", "7", "-5", "3", "12345678901"), "1|-7|2**70|True")
FLOAT = scalar("float", NUMBERS[:5], ("1.5", "0", "-3.25", "1e2", "2.5e-7", "7"), "1.5|2.5e-7|1e22|-0.0|float('nan')|3")
BOOL = scalar("bool", ("true", "false", "1", "0", "on"), ("true", "false"), "True|False")
STR = scalar("str", WORDS, quoted(*WORDS), "'abc'|'é'|'\"\\\\\\n'|'\\x7f\\x00'|'<&>'|''")
SCALARS = (
    *(INT, INT, FLOAT, BOOL, STR, STR),
    scalar("Decimal", NUMBERS[:4], ("1.5", '"1.10"', "1e2", "3"), "Decimal('1.10')|Decimal('3')"),
    scalar("date", DAYS, quoted(*DAYS[:3]), "date(2026, 1, 2)"),
    scalar("datetime", TIMES, (*quoted(*TIMES[:2]), "1767323045"), "datetime(2026, 1, 2, 3, 4, 5)"),
    scalar("time", ("03:04", "03:04:05.123"), quoted("03:04:05"), "time(3, 4)"),
    scalar("timedelta", SPANS, (*quoted(*SPANS[:1]), "5", "1.5"), "timedelta(seconds=90.5)"),
    scalar("UUID", UUIDS, quoted(*UUIDS), "UUID(int=5)"),
    scalar("Color", ("red", "blue"), quoted("red", "blue"), "Color.red"),
    scalar("Level", ("1", "2"), ("1", "2"), "Level.low"),
    scalar("Literal['x', 'y']", ("x", "y"), quoted("x", "y"), "'x'|'y'"),
    scalar("Literal[1, 2, 'z']", ("z",), ("1", "2", '"z"'), "1|'z'"),
    scalar("int | str", ("1", "abc"), ("1", '"1"', '"x"'), "1|'x'"),
    scalar("str | bool", ("true", "abc"), ("true", '"x"'), "'x'|True"),
    scalar("date | int", ("1", "2026-01-02"), ("1", '"2026-01-02"'), "1"),
    scalar("bytes", ("abc", "\xe9"), quoted("abc", "é"), "b'abc'"),
    scalar("Annotated[int, Field(ge=3, lt=100)]", ("3", "99", "50"), ("3", "99", "5.0"), "5"),
    scalar("Annotated[int, Field(multiple_of=5)]", ("5", "0", "-10"), ("5", "0"), "5"),
    scalar("Annotated[float, Field(gt=0, allow_inf_nan=False)]", ("1.5", "0.1"), ("1.5", "1"), "0.5"),
    scalar("Annotated[str, Field(min_length=2, max_length=5)]", ("ab", "abcde"), quoted("ab", "été"), "'abc'"),
    scalar("Annotated[str, Field(pattern='^a[b-d]*$')]", ("a", "abcd"), quoted("a", "abb"), "'ab'"),
    scalar("Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True)]", (" A ", "b"), quoted(" A "), "' A '"),
    scalar("Annotated[int, Strict()]", ("1",), ("1", "2"), "1"),
)
SCALARS += (
    scalar("AnyUrl", ("http://a.example/é?q", "x:y"), quoted("http://a.example"), "AnyUrl('http://a.example/é')"),
    scalar("SecretStr", ("secret",), quoted("secret"), "SecretStr('s')"),
)
# Validating it runs code of the application.
IMPURE = scalar("Annotated[int, AfterValidator(checked)]", ("1", "5", "3"), ("1", "5", "3"), "4")


def optional(inner: Type) -> Type:
    return Type(
        f"{inner.text} | None",
        inner.spelled,
        lambda dice: "null" if dice.chance(0.2) else inner.json(dice),
        lambda dice: "None" if dice.chance(0.2) else inner.python(dice),
        inner.simple,
    )


def listed(inner: Type, of: str = "list") -> Type:
    opening, closing = {"list": "[]", "set": "{}", "tuple": "()"}[of]
    text = f"tuple[{inner.text}, ...]" if of == "tuple" else f"{of}[{inner.text}]"

    def python(dice: Dice) -> str:
        items = [inner.python(dice) for _ in range(dice.choice((0, 1, 2, 5)))]
        if of == "set":  # see SetType
            items = [item for item in items if "nan" not in item]
        if of == "set" and not items:
            return "set()"
        return opening + "".join(f"{item}, " for item in items) + closing

    return (SetType if of == "set" else Type)(
        text,
        inner.spelled,
        lambda dice: "[" + ", ".join(inner.json(dice) for _ in range(dice.randrange(4))) + "]",
        python,
    )


def mapped(inner: Type) -> Type:
    def pairs(dice: Dice, value: Callable[[Dice], str]) -> str:
        keys = dice.choices(("a", "b", "é", "_sa_x", "", "1"), k=dice.randrange(4))
        return "{" + ", ".join(f'"{key}": {value(dice)}' for key in keys) + "}"

    return Type(
        f"dict[str, {inner.text}]",
        inner.spelled,
        lambda dice: pairs(dice, inner.json),
        lambda dice: pairs(dice, inner.python),
    )


# Of the prelude.
SHAPES = (
    scalar("Pair", ("x",), ('{"left": 1, "right": "x"}', '{"left": "1"}'), "{'left': 1, 'right': 'x'}"),
    scalar("Point", ("x",), ('{"x": 1, "y": 2}', '{"x": "1"}', '{"x": 1.5}'), "Point(1)|{'x': 1}"),
    scalar("Pet", ("x",), ('{"kind": "cat", "lives": 9}', '{"kind": "dog", "name": "x"}', '{"kind": "cow"}'),
           "Cat(lives=3)|{'kind': 'dog', 'name': 'é'}"),
    scalar("Tree", ("x",), ('{"v": 1, "below": [{"v": 2}, {"v": 3, "below": []}]}', '{"v": 1}'), "Tree(v=1, below=[Tree(v=2)])"),
    scalar("Rooted", ("x",), ("[1, 2]", "[]", '["1"]'), "Rooted([1])|[1, '2']"),
    scalar("Json[list[int]]", ("[1, 2]", "[]", '["3"]', "[1"), quoted("[1, 2]", "[]"), "[1]"),
    scalar("Annotated[str, Field(max_length=3)] | Annotated[int, Field(gt=5)]", ("abc", "7", "abcd"), ('"abc"', "7"), "7"),
    scalar("Box[int]", ("x",), ('{"held": 5}', '{"held": "5"}'), "Box[int](held=1)|{'held': 2}"),
)  # fmt: skip
ANY = Type("Any", lambda dice: "x", lambda dice: dice.choice(ODD_JSON[:20]), lambda dice: "[1, {'a': None}]")


def field_type(dice: Dice, models: list[Type], depth: int = 0) -> Type:
    """Of a model's field, or of a body."""
    at = dice.random()
    if depth < 3 and at < 0.15:
        return listed(field_type(dice, models, depth + 1), "list")
    if depth < 3 and at < 0.2:
        return mapped(field_type(dice, models, depth + 1))
    if depth < 3 and at < 0.28:
        return optional(field_type(dice, models, depth + 1))
    if at < 0.31:
        return listed(dice.choice((INT, STR)), dice.choice(("set", "tuple")))
    if at < 0.34:
        return ANY
    if at < 0.38:
        return dice.choice(SHAPES)
    if models and at < 0.5:
        return dice.choice(models)
    return any_scalar(dice)


def any_scalar(dice: Dice) -> Type:
    return IMPURE if dice.chance(0.01) else dice.choice(SCALARS)
