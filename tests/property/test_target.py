"""Percent-decoding, queries and UTF-8 give what Python's own functions give."""

import pathlib
import random
import subprocess
import urllib.parse

CASES = 20_000

# Pieces that matter to a decoder, mixed with bytes at random.
PIECES = [
    b"%", b"%2", b"%zz", b"%41", b"%2B", b"%26", b"%3D", b"%25", b"%00", b"%0a", b"+", b"&",
    b"=", b";", b"a", b"key", b"/path/to", b" ", b"%C3%A9", b"%c3", b"%A9", b"%E2%82%AC",
    b"%E2%82", b"%F0%9F%98%80", b"%F0%9F", b"%ED%A0%80", b"%F4%90%80%80", b"%C0%80", b"%FF",
    b"0123456789abcdef", b"%e0%80%80", b"%F5",
]  # fmt: skip
UTF8_PIECES = [
    b"ascii", b"x", b"\x00", b"\x7f", b"0123456789abcdef0123456789abcdef",
    "é".encode(), "€".encode(), "😀".encode(), b"\xe2\x82", b"\xf0\x9f\x98", b"\xf0\x9f",
    b"\xed\xa0\x80", b"\xed\x9f\xbf", b"\xf4\x90\x80\x80", b"\xf4\x8f\xbf\xbf", b"\xc0\x80",
    b"\xe0\x80\x80", b"\xe0\xa0\x80", b"\xf0\x80\x80\x80", b"\xff", b"\x80", b"\xc3",
]  # fmt: skip


def mixed(rng: random.Random, pieces: list[bytes], first: int, last: int) -> bytes:
    """A few pieces, and now and then some bytes between `first` and `last`."""
    parts = []
    for _ in range(rng.randrange(12)):
        if rng.random() < 0.2:
            parts.append(bytes(rng.randint(first, last) for _ in range(rng.randrange(1, 9))))
        else:
            parts.append(rng.choice(pieces))
    return b"".join(parts)


def run(build_dir: pathlib.Path, cases: list[tuple[str, bytes]]) -> list[str]:
    text = "".join(f"{command} {data.hex() or '-'}\n" for command, data in cases)
    driver = build_dir / "tests" / "drivers" / "target_driver"
    done = subprocess.run([driver], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers = done.stdout.splitlines()
    assert len(answers) == len(cases)
    return answers


def as_hex(text: str) -> str:
    return text.encode().hex() or "-"


def check(build_dir: pathlib.Path, command: str, inputs: list[bytes], expected) -> None:
    answers = run(build_dir, [(command, data) for data in inputs])
    for data, answer in zip(inputs, answers, strict=True):
        assert answer == expected(data), f"{command} {data!r}"


def pairs_as_hex(pairs: list[tuple[str, str]]) -> str:
    return " ".join(f"{as_hex(name)}={as_hex(value)}" for name, value in pairs) or "none"


def test_path(build_dir: pathlib.Path, rng: random.Random) -> None:
    inputs = [mixed(rng, PIECES, 0, 127) for _ in range(CASES)]
    check(build_dir, "path", inputs,
          lambda data: as_hex(urllib.parse.unquote(data.decode("ascii"))))  # fmt: skip


def test_path_with_raw_bytes(build_dir: pathlib.Path, rng: random.Random) -> None:
    """Bytes above 0x7F count as encoded: what unquote() does with bytes."""
    inputs = [mixed(rng, PIECES + UTF8_PIECES, 0, 255) for _ in range(CASES)]
    check(build_dir, "path", inputs, lambda data: as_hex(urllib.parse.unquote(data)))


def test_form(build_dir: pathlib.Path, rng: random.Random) -> None:
    inputs = [mixed(rng, PIECES, 0, 127) for _ in range(CASES)]
    check(build_dir, "form", inputs,
          lambda data: as_hex(urllib.parse.unquote_plus(data.decode("ascii"))))  # fmt: skip


def test_query(build_dir: pathlib.Path, rng: random.Random) -> None:
    inputs = [mixed(rng, PIECES + [b"&", b"=", b"&", b"="] * 4, 0, 127) for _ in range(CASES)]

    def expected(data: bytes) -> str:
        text = data.decode("ascii")
        return pairs_as_hex(urllib.parse.parse_qsl(text, keep_blank_values=True))

    check(build_dir, "query", inputs, expected)


def test_utf8(build_dir: pathlib.Path, rng: random.Random) -> None:
    inputs = [mixed(rng, UTF8_PIECES, 0, 255) for _ in range(CASES)]

    def expected(data: bytes) -> str:
        try:
            data.decode()
            prefix = len(data)
        except UnicodeDecodeError as error:
            prefix = error.start
        return f"{prefix} {as_hex(data.decode(errors='replace'))}"

    check(build_dir, "utf8", inputs, expected)
