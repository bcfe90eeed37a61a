"""Doubles are read as by Python's float() and written as by its repr(), bit for bit."""

import decimal
import fractions
import pathlib
import random
import struct
import subprocess
import sys

import json_cases

RANDOM_BITS = 200_000
INFINITE = 0x7FF << 52
MASK = (1 << 63) - 1


def double(bits: int) -> float:
    return struct.unpack(">d", bits.to_bytes(8, "big"))[0]


def bits_of(value: float) -> str:
    return struct.pack(">d", value).hex()


def patterns(rng: random.Random) -> list[int]:
    found = [rng.getrandbits(64) for _ in range(RANDOM_BITS)]
    found += [rng.getrandbits(52) for _ in range(5_000)]  # subnormal
    found += list(range(1, 1_000))
    for exponent in range(2047):  # the ends of every binade
        found += [(exponent << 52) + d for d in (-1, 0, 1, 2) if (exponent << 52) + d > 0]
    for _ in range(30_000):  # short decimals, as people write them
        value = rng.randrange(10 ** rng.randrange(1, 17)) / 10 ** rng.randrange(20)
        found.append(int(bits_of(value), 16))
    return [bits for bits in found if bits & MASK < INFINITE]


def test_repr(build_dir: pathlib.Path, rng: random.Random) -> None:
    cases = patterns(rng)
    answers = json_cases.drive(build_dir, [f"repr {bits:016x}" for bits in cases])
    for bits, answer in zip(cases, answers, strict=True):
        assert answer == repr(double(bits)), f"{bits:016x}"


def check_float(build_dir: pathlib.Path, texts: list[str]) -> None:
    answers = json_cases.drive(build_dir, [f"double {text}" for text in texts])
    for text, answer in zip(texts, answers, strict=True):
        assert answer == bits_of(float(text)), text


def test_float_of_repr(build_dir: pathlib.Path, rng: random.Random) -> None:
    check_float(build_dir, [repr(double(bits)) for bits in patterns(rng)])


def halfway(bits: int) -> str:
    """The exact decimal of the point between a double and the next one."""
    middle = (fractions.Fraction(double(bits)) + fractions.Fraction(double(bits + 1))) / 2
    with decimal.localcontext() as context:
        context.prec = 1100
        exact = decimal.Decimal(middle.numerator) / decimal.Decimal(middle.denominator)
    return format(exact, "e")


def test_float_at_halfway_points(build_dir: pathlib.Path, rng: random.Random) -> None:
    texts = []
    for bits in rng.sample(patterns(rng), 4_000):
        bits &= MASK
        if bits + 1 >= INFINITE:
            continue
        text = halfway(bits)
        digits, exponent = text.split("e")
        point = "" if "." in digits else "."
        texts += [
            text,
            f"{digits}{point}{'0' * rng.choice([1, 20, 800])}1e{exponent}",  # just above
            f"{digits[:rng.randrange(3, 30)].rstrip('.')}e{exponent}",  # cut: near it
        ]
    texts = [text for text in texts if not text.startswith("0e")]
    check_float(build_dir, texts)


def test_float_of_long_digit_strings(build_dir: pathlib.Path, rng: random.Random) -> None:
    def digits(count: int) -> str:
        return "".join(rng.choices("0123456789", k=count))

    texts = []
    for _ in range(40_000):
        count = rng.choice([0, 1, 3, 15, 16, 17, 18, 19, 20, 21, 30])
        texts.append(f"{rng.randint(1, 9)}{digits(count)}e{rng.randint(-345, 310)}")
    for _ in range(2_000):
        whole = f"{rng.randint(1, 9)}{digits(rng.randrange(400))}"
        texts += [
            f"{whole}.{digits(rng.choice([1, 20, 300, 900]))}",
            f"0.{'0' * rng.randrange(400)}{whole}e{rng.randint(-20, 400)}",
            f"-{whole}{'0' * rng.randrange(400)}e-{rng.randrange(800)}",
            f"{rng.randint(1, 9)}{'9' * rng.randrange(800)}e{rng.randint(-1100, 300)}",
        ]
    check_float(build_dir, texts)


def test_float_at_the_ends(build_dir: pathlib.Path) -> None:
    largest = (2**53 - 1) * 2**971
    overflow = (2**54 - 1) * 2**970  # the first that rounds to infinity
    texts = [
        f"{largest}.0", f"{overflow - 1}.0", f"{overflow}.0", f"{overflow - 1}.999",
        f"{overflow + 1}.0", "1e308", "1e309", "1e99999999999999999999",
        "1e-99999999999999999999", "0e99999999999999999999", "0.0", "-0.0", "-0", "-0e5",
        "2.4703282292062327208e-324", "2.4703282292062327209e-324", "5e-324", "3e-324",
        "2.2250738585072011e-308", "2.2250738585072012e-308", "2.2250738585072014e-308",
        f"0.{'0' * 4000}1e4001", f"1{'0' * 4000}e-4000", f"1{'0' * 4000}.5e-4324",
    ]  # fmt: skip
    for power in range(-330, 310):
        texts += [f"1e{power}", f"9007199254740993e{power}", f"17976931348623157e{power}"]
    check_float(build_dir, texts)


def test_table_is_the_generators(root: pathlib.Path) -> None:
    generator = [sys.executable, root / "tools" / "gen_pow10.py"]
    table = subprocess.run(generator, capture_output=True, text=True, check=True).stdout
    assert table == (root / "src" / "json" / "pow10.c").read_text()
