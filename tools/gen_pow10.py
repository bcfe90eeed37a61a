#!/usr/bin/env python3
"""Writes src/json/pow10.c: the powers of ten in 128 bits, rounded up.

    tools/gen_pow10.py > src/json/pow10.c
"""

FIRST, LAST = -342, 324  # as in src/json/pow10.h


def scaled_up(q: int) -> int:
    """ceil(10^q * 2^s), with the s that gives it exactly 128 bits."""
    if q >= 0:
        value, divisor = 10**q, 1
        shift = 128 - value.bit_length()
    else:
        value, divisor = 1, 10**-q
        shift = 127 + divisor.bit_length()
    if shift >= 0:
        value <<= shift
    else:
        divisor <<= -shift
    result = -(-value // divisor)
    if result.bit_length() == 129:  # the guess at s was one too many
        result = -(-value // (2 * divisor))
    assert result.bit_length() == 128
    return result


def main() -> None:
    print("/* Written by tools/gen_pow10.py. */")
    print('#include "json/pow10.h"\n')
    print("/* clang-format off */")
    print("const fa__pow10 fa__pow10_table[FA__POW10_LAST - FA__POW10_FIRST + 1] = {")
    for q in range(FIRST, LAST + 1):
        g = scaled_up(q)
        print(f"    {{0x{g >> 64:016x}, 0x{g & (1 << 64) - 1:016x}}}, /* {q} */")
    print("};")


if __name__ == "__main__":
    main()
