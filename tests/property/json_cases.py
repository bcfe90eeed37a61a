"""Texts of JSON at random: valid ones, and ones that are nearly so."""

import json
import pathlib
import random
import subprocess

STRINGS = [
    "", "a", "userId", "key", "0123456789abcdef", "0123456789abcde\"f", "\\", "\"", "/",
    "é", "€", "😀", "\x00", "\x1f", "\x7f", "\n\r\t\b\f", "\u2028", "\uffff", "\U0010ffff",
    "a long text of plain letters that fills more than two blocks of sixteen bytes",
]  # fmt: skip
NUMBERS = [
    "0", "-0", "-1", "9007199254740993", "18446744073709551616", "1" * 40, "0.1", "-0.0",
    "1e5", "1E+5", "1e-5", "5e-324", "1.7976931348623157e308", "2.5e-400", "123.456",
    "1e16", "1e15", "0.0001", "0.00001", "9007199254740993.0", "0.30000000000000004",
]  # fmt: skip
SPACES = ["", "", "", "", " ", "\n", "\t", "\r\n", "  \n  "]
ESCAPES = [
    '\\"', "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u0041", "\\u00e9", "\\u20AC",
    "\\ud83d\\ude00", "\\uDBFF\\uDFFF", "\\u0000", "\\uFFFF",
]  # fmt: skip
# What breaks texts, and what might slip through.
DEBRIS = [
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u", b"\\ud800", b"\\udc00", b"\\x",
    b"null", b"true", b"false", b"nul", b"NaN", b"Infinity", b"-Infinity", b"-", b"+", b".",
    b"e", b"E", b"0", b"01", b"1.", b".5", b"1e", b"1e999", b"\x00", b"\x1f", b"\x7f", b" ",
    b"\n", b"\x0b", b"\xa0", b"\xc3\xa9", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\xff",
    b"\xf0\x9f\x98\x80", b"\xef\xbb\xbf", b"/**/", b"//", b"'",
]  # fmt: skip


def string(rng: random.Random) -> str:
    parts = []
    for _ in range(rng.choice([0, 1, 1, 1, 2, 5])):
        if rng.random() < 0.3:
            parts.append(rng.choice(ESCAPES))
        else:
            parts.append(json.dumps(rng.choice(STRINGS), ensure_ascii=rng.random() < 0.5)[1:-1])
    return '"' + "".join(parts) + '"'


def number(rng: random.Random) -> str:
    if rng.random() < 0.4:
        return rng.choice(NUMBERS)
    text = rng.choice(["", "-"]) + str(rng.randrange(10 ** rng.randrange(1, 25)))
    if rng.random() < 0.5:
        text += "." + "".join(rng.choices("0123456789", k=rng.randrange(1, 25)))
    if rng.random() < 0.4:
        text += rng.choice(["e", "E", "e+", "e-"]) + str(rng.randrange(280))
    return text


def value(rng: random.Random, depth: int = 0) -> str:
    kind = rng.randrange(8) if depth < 6 else rng.randrange(5)
    space = lambda: rng.choice(SPACES)  # noqa: E731
    if kind == 0:
        return rng.choice(["null", "true", "false"])
    if kind in (1, 2):
        return string(rng)
    if kind in (3, 4):
        return number(rng)
    count = rng.choice([0, 1, 2, 3, 12])
    if kind == 5:
        parts = [space() + value(rng, depth + 1) + space() for _ in range(count)]
        return "[" + (",".join(parts) or space()) + "]"
    parts = [
        space() + string(rng) + space() + ":" + space() + value(rng, depth + 1) + space()
        for _ in range(count)
    ]
    return "{" + (",".join(parts) or space()) + "}"


def text(rng: random.Random) -> bytes:
    return (rng.choice(SPACES) + value(rng) + rng.choice(SPACES)).encode()


def broken(rng: random.Random) -> bytes:
    """A text with a few wounds, or only debris. Some stay valid."""
    if rng.random() < 0.2:
        return b"".join(rng.choices(DEBRIS, k=rng.randrange(1, 9)))
    data = bytearray(text(rng)[:400])
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        at = rng.randrange(len(data) + 1)
        wound = rng.randrange(4)
        if wound == 0:
            data[at:at] = rng.choice(DEBRIS)
        elif wound == 1:
            del data[at : at + rng.choice([1, 1, 2, 8])]
        elif wound == 2 and at < len(data):
            data[at] = rng.randrange(256)
        else:
            data[at:] = b"" if rng.random() < 0.3 else data[at:]
    return bytes(data)


def drive(build_dir: pathlib.Path, lines: list[str]) -> list[str]:
    driver = build_dir / "tests" / "drivers" / "json_driver"
    done = subprocess.run(
        [driver], input="".join(f"{line}\n" for line in lines), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = done.stdout.splitlines()
    assert len(answers) == len(lines)
    return answers
