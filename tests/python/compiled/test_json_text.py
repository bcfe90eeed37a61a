"""What plans write of builtin objects: the bytes of json.dumps(), whatever is in them."""

import json
import os
import pathlib
import random
import sys
from collections.abc import Iterator
from typing import Any

import pytest

SEED = int(os.environ.get("FA_SEED", "1"))
# Runs of these have everything that is escaped, at every distance from the ends.
LETTERS = ['"', "\\", "\n", "\x00", "\x1f", " ", "!", "#", "[", "]", "a", "z", "\x7f", "ä", "€", "😀"]


@pytest.fixture(scope="module")
def text_of(site: pathlib.Path) -> Iterator[Any]:
    """Of a plan; from where the package was built."""
    sys.path.insert(0, str(site))
    try:
        from fastapi import FastAPI

        from fasterapi import _core
        from fasterapi._compile import compile_app

        app = FastAPI()
        app.get("/")(lambda: None)
        plan = next(route.plan for route in compile_app(app).routes if route.path == "/")
        table = _core.PlanTable(())
        yield lambda value: table.body(plan, value, None)
    finally:
        sys.path.remove(str(site))


def dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def test_strings(text_of: Any) -> None:
    rng = random.Random(SEED)
    for length in range(70):
        usual = "".join(rng.choices("abcXYZ 0123", k=length))
        assert text_of(usual) == dumped(usual)
        for at in range(length):
            for letter in LETTERS:
                text = usual[:at] + letter + usual[at + 1 :]
                assert text_of(text) == dumped(text), text
        for _ in range(50):
            text = "".join(rng.choices(LETTERS, k=length))
            assert text_of(text) == dumped(text), text


def test_letters(text_of: Any) -> None:
    """Every character, alone and among eight."""
    for code in [*range(0x300), *range(0xD7F0, 0xD800), 0xE000, 0xFFFF, 0x10000, 0x10FFFF]:
        for text in (chr(code), f"aaa{chr(code)}bbbb", chr(code) * 9):
            assert text_of(text) == dumped(text), text


def made(rng: random.Random, depth: int) -> Any:
    kind = rng.randrange(8 if depth < 4 else 6)
    if kind < 3:
        scalars = [None, True, False, 0, -1, 10**18, -(2**63), 2**63 - 1, 0.1, -0.0, 1e16, 5e-324]
        return rng.choice(scalars)
    if kind < 6:
        return "".join(rng.choices(LETTERS, k=rng.randrange(20)))
    if kind == 6:
        return [made(rng, depth + 1) for _ in range(rng.randrange(6))]
    return {"".join(rng.choices("key\"é", k=4)): made(rng, depth + 1) for _ in range(rng.randrange(6))}


def test_values(text_of: Any) -> None:
    rng = random.Random(SEED)
    for _ in range(5_000):
        value = made(rng, 0)
        assert text_of(value) == dumped(value), value
    long = ["x" * rng.randrange(2_000) for _ in range(50)]
    assert text_of(long) == dumped(long)
