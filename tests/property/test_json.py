"""The reader takes what Python's json takes, and the writer writes what it writes.

The differences, all of them meant:

- surrogate: half a surrogate pair in escapes. Python gives half a character; we refuse
  (FA_ERR_JSON_ESCAPE) unless allow_lone_surrogates says otherwise.
- infinite: a number beyond the doubles, such as 1e999. Python gives inf, which is no JSON
  any more; fa_json_read_double() refuses (FA_ERR_JSON_RANGE) unless allow_nan is set.
- names: NaN, Infinity, -Infinity. Python takes them; we only with allow_nan.
- depth: Python stops at its recursion limit, we at max_depth.
- duplicates: Python keeps the last of equal keys; we hand out all of them, or refuse.
"""

import json
import math
import pathlib
import random
import re
import sys

import json_cases
import pytest

VALID, BROKEN = 5_000, 15_000
ESCAPE, CONTROL, RANGE, DEPTH, DUPLICATE, UTF8 = -305, -306, -308, -303, -310, -304

sys.set_int_max_str_digits(0)


class Pairs(list):
    """An object as its pairs, duplicates and all."""


class Integer(str):
    """An integer as it was written."""


class Refused(Exception):
    """Valid for Python, one of the differences for us."""


def refuse_name(name: str) -> None:
    raise Refused("names")


def loads(data: bytes, allow_nan: bool):
    return json.loads(
        data.decode(),
        object_pairs_hook=Pairs,
        parse_int=Integer,
        parse_constant=None if allow_nan else refuse_name,
    )


def dumps(value, ensure_ascii: bool) -> str:
    """As json.dumps(), for what loads() gives."""
    if isinstance(value, Pairs):
        parts = (f"{dumps(k, ensure_ascii)}:{dumps(v, ensure_ascii)}" for k, v in value)
        return "{" + ",".join(parts) + "}"
    if isinstance(value, list):
        return "[" + ",".join(dumps(v, ensure_ascii) for v in value) + "]"
    if isinstance(value, Integer):
        return str(value)
    return json.dumps(value, ensure_ascii=ensure_ascii, separators=(",", ":"))


def scalars(value):
    if isinstance(value, Pairs):
        for key, inner in value:
            yield key
            yield from scalars(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from scalars(inner)
    else:
        yield value


def difference(value, allow_nan: bool) -> int:
    """The error that one of the differences makes of a value Python has read, or 0."""
    found = [
        ESCAPE if isinstance(v, str) and re.search("[\ud800-\udfff]", v)
        else RANGE if isinstance(v, float) and not math.isfinite(v) and not allow_nan
        else 0
        for v in scalars(value)
    ]  # fmt: skip
    # The first of them in the text is the one that is reported.
    return next((error for error in found if error != 0), 0)


def expected(data: bytes, flags: str) -> tuple[str, int]:
    """("ok", 0) with the text, or ("error", code), code 0 for any."""
    allow_nan = "n" in flags
    try:
        value = loads(data, allow_nan)
    except (ValueError, Refused):
        return "error", 0
    error = difference(value, allow_nan)
    if error != 0:
        return "error", error
    return "ok " + dumps(value, "a" in flags).encode().hex(), 0


def check(build_dir: pathlib.Path, inputs: list[bytes], flags: str) -> int:
    """Returns how many were accepted."""
    lines = [f"copy {flags} {data.hex() or '-'}" for data in inputs]
    accepted = 0
    for data, answer in zip(inputs, json_cases.drive(build_dir, lines), strict=True):
        wanted, code = expected(data, flags)
        got = answer if answer.startswith("ok") else "error"
        assert got == wanted, f"{data!r}: {answer}"
        if code != 0:
            assert answer.split()[1] == str(code), f"{data!r}: {answer}"
        accepted += got != "error"
    return accepted


@pytest.mark.parametrize("flags", ["-", "a", "n"])
def test_valid_texts(build_dir: pathlib.Path, rng: random.Random, flags: str) -> None:
    inputs = [json_cases.text(rng) for _ in range(VALID)]
    assert check(build_dir, inputs, flags) > VALID * 0.9


@pytest.mark.parametrize("flags", ["-", "n"])
def test_broken_texts(build_dir: pathlib.Path, rng: random.Random, flags: str) -> None:
    inputs = [json_cases.broken(rng) for _ in range(BROKEN)]
    accepted = check(build_dir, inputs, flags)
    assert BROKEN * 0.02 < accepted < BROKEN * 0.8, "the cases are one-sided"


def test_every_byte_in_every_place(build_dir: pathlib.Path) -> None:
    text = b'{"a\\n":[1.5e3,true,null,"\xc3\xa9"]} '
    inputs = [
        text[:at] + bytes([byte]) + text[at + skip :]
        for at in range(len(text) + 1)
        for byte in range(256)
        for skip in (0, 1)
    ]
    assert check(build_dir, inputs, "-") > 0


def test_lone_surrogates_as_python(build_dir: pathlib.Path, rng: random.Random) -> None:
    pieces = ["\\ud800", "\\udbff", "\\udc00", "\\udfff", "\\ud83d\\ude00", "x", "\\u0041", "é"]
    texts = ['"' + "".join(rng.choices(pieces, k=rng.randrange(6))) + '"' for _ in range(3000)]
    lines = [f"string s {text.encode().hex()}" for text in texts]
    for text, answer in zip(texts, json_cases.drive(build_dir, lines), strict=True):
        wanted = json.loads(text).encode("utf-8", "surrogatepass")
        assert answer == f"ok {wanted.hex() or '-'}", text


def test_duplicates(build_dir: pathlib.Path, rng: random.Random) -> None:
    inputs = [json_cases.text(rng) for _ in range(VALID)]
    # Many keys of few letters: some objects have equal ones, most have not.
    for _ in range(2000):
        keys = [
            "".join(rng.choices("abcdefgh", k=rng.choice([1, 3, 4])))
            for _ in range(rng.randrange(1, 40))
        ]
        inputs.append(("{" + ",".join(f'"{key}":{{"a":1}}' for key in keys) + "}").encode())
    lines = [f"copy nd {data.hex()}" for data in inputs]
    seen = set()
    for data, answer in zip(inputs, json_cases.drive(build_dir, lines), strict=True):
        duplicate = has_duplicates(loads(data, True))
        assert answer.startswith(f"error {DUPLICATE}" if duplicate else "ok"), data
        seen.add(duplicate)
    assert seen == {True, False}


def has_duplicates(value) -> bool:
    if isinstance(value, Pairs):
        keys = [key for key, _ in value]
        return len(set(keys)) < len(keys) or any(has_duplicates(v) for _, v in value)
    return isinstance(value, list) and any(has_duplicates(v) for v in value)


def test_depth(build_dir: pathlib.Path) -> None:
    lines = [f"copy - {(b'[' * n + b']' * n).hex()}" for n in (256, 257, 100_000)]
    answers = json_cases.drive(build_dir, lines)
    assert answers[0].startswith("ok")
    assert answers[1:] == [f"error {DEPTH} 256"] * 2


@pytest.mark.parametrize("flags", ["-", "a"])
def test_written_strings(build_dir: pathlib.Path, rng: random.Random, flags: str) -> None:
    """Every character up to U+FFFF, and strings of all lengths around a block."""
    texts = [chr(c) for c in range(0x10000) if not 0xD800 <= c <= 0xDFFF]
    alphabet = 'abcdefgh "\\/\n\x00\x1f\x7fé€😀'
    texts += ["".join(rng.choices(alphabet, k=n)) for n in range(1, 100) for _ in range(20)]
    lines = [f"quote {flags} {text.encode().hex()}" for text in texts]
    for text, answer in zip(texts, json_cases.drive(build_dir, lines), strict=True):
        wanted = json.dumps(text, ensure_ascii="a" in flags)
        assert answer == f"ok {wanted.encode().hex()}", repr(text)


def test_many_keys_cost_no_more_than_few(build_dir: pathlib.Path) -> None:
    """Hash and sets survive sizes that a quadratic search would not finish."""
    keys = 200_000
    text = "{" + ",".join(f'"{n:x}":0' for n in range(keys)) + "}"
    small = ",{}" * 100_000  # as many objects again, in the big one's recycled set
    answer = json_cases.drive(build_dir, [f"copy d {('[' + text + small + ']').encode().hex()}"])
    assert answer[0].startswith("ok")
