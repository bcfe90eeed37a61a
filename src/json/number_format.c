#include <string.h>

#include "json/number.h"
#include "json/pow10.h"
#include "json/wide.h"

static const char digit_pairs[] = "0001020304050607080910111213141516171819"
                                  "2021222324252627282930313233343536373839"
                                  "4041424344454647484950515253545556575859"
                                  "6061626364656667686970717273747576777879"
                                  "8081828384858687888990919293949596979899";

static unsigned count_digits(uint64_t v)
{
    unsigned n = 1;

    for (; v >= 10000; v /= 10000)
        n += 4;
    return n + (v >= 10) + (v >= 100) + (v >= 1000);
}

/* Exactly `n` digits, which is how many `v` has. */
static char *put_digits(char *p, uint64_t v, unsigned n)
{
    char *at = p + n;

    for (; v >= 100; v /= 100) {
        at -= 2;
        memcpy(at, digit_pairs + 2 * (v % 100), 2);
    }
    if (v >= 10)
        memcpy(at - 2, digit_pairs + 2 * v, 2);
    else
        at[-1] = (char)('0' + v);
    return p + n;
}

char *fa__uint64_format(char *p, uint64_t v)
{
    return put_digits(p, v, count_digits(v));
}

char *fa__int64_format(char *p, int64_t v)
{
    if (v >= 0)
        return fa__uint64_format(p, (uint64_t)v);
    *p++ = '-';
    return fa__uint64_format(p, 0 - (uint64_t)v);
}

typedef struct decimal {
    uint64_t digits;
    int exponent; /* value = digits * 10^exponent */
} decimal;

/* floor(w * g / 2^128) for g about 10^k in 128 bits, with the lowest bit set if the
   product has anything below. Bits so far down are noise from the rounding of g, so
   a remainder of 1 counts as none. */
static uint64_t scale_to_odd(fa__pow10 g, uint64_t w)
{
    uint64_t low, rest, high, carry;

    carry = fa__mul_64(&low, w, g.lo);
    high = fa__mul_64(&rest, w, g.hi);
    rest += carry;
    high += rest < carry;
    return high | (rest > 1);
}

/*
 * The shortest decimal in the interval that rounds to the double c * 2^q (Giulietti,
 * "The Schubfach way to render doubles"). `irregular`: the next smaller double is
 * only half as far away as the next larger.
 *
 * Let 10^k be the largest power of ten not above the interval's width. Multiples of
 * 10^(k+1) are so far apart that at most one lies inside: if one does, it is the
 * shortest. Multiples of 10^k are so close that one does lie inside: of those around
 * the value the nearer one. Everything is scaled by 4 * 10^-k, so that the ends of the
 * interval, which are half or a quarter of a unit of the double away, stay integers
 * plus "something more", the odd bit.
 */
static decimal shortest(uint64_t c, int q, bool irregular)
{
    int k = (q * 1262611 - (irregular ? 524031 : 0)) >> 22; /* floor(log10(width)) */
    int h = q + fa__pow10_log2(-k) + 1;
    fa__pow10 g = fa__pow10_of(-k);
    uint64_t value = scale_to_odd(g, 4 * c << h);
    uint64_t odd = c & 1; /* the ends round to even: they are inside if c is */
    uint64_t lower = scale_to_odd(g, (4 * c - 2 + irregular) << h) + odd;
    uint64_t upper = scale_to_odd(g, (4 * c + 2) << h) - odd;
    uint64_t s = value / 4, tens = s / 10;
    bool down_inside, up_inside, up;

    if (s >= 10) {
        down_inside = lower <= 40 * tens;
        up_inside = 40 * tens + 40 <= upper;
        if (down_inside != up_inside)
            return (decimal){tens + up_inside, k + 1};
    }
    down_inside = lower <= 4 * s;
    up_inside = 4 * s + 4 <= upper;
    up = down_inside != up_inside ? up_inside
                                  : value > 4 * s + 2 || (value == 4 * s + 2 && (s & 1));
    return (decimal){s + up, k};
}

static decimal without_zeros(decimal d)
{
    while (d.digits % 10 == 0) {
        d.digits /= 10;
        ++d.exponent;
    }
    return d;
}

/* d.ddde+XX, at least two digits of exponent. */
static char *put_scientific(char *p, decimal d, unsigned n, int exponent)
{
    put_digits(p + 1, d.digits, n);
    p[0] = p[1];
    if (n > 1) {
        p[1] = '.';
        p += n + 1;
    } else {
        p += 1;
    }
    *p++ = 'e';
    *p++ = exponent < 0 ? '-' : '+';
    exponent = exponent < 0 ? -exponent : exponent;
    if (exponent < 10)
        *p++ = '0';
    return fa__uint64_format(p, (uint64_t)exponent);
}

/* The layout of Python's repr(): with an exponent below 1e-4 and from 1e16 on, and
   always with a point or an exponent. */
static char *put_decimal(char *p, decimal d)
{
    unsigned n = count_digits(d.digits);
    int point = (int)n + d.exponent; /* digits before the point */

    if (point < -3 || point > 16)
        return put_scientific(p, d, n, point - 1);
    if (point <= 0) {
        memcpy(p, "0.000", 5);
        return put_digits(p + 2 - point, d.digits, n);
    }
    if (d.exponent >= 0) {
        p = put_digits(p, d.digits, n);
        memset(p, '0', (size_t)d.exponent);
        p += d.exponent;
        memcpy(p, ".0", 2);
        return p + 2;
    }
    put_digits(p + 1, d.digits, n);
    memmove(p, p + 1, (size_t)point);
    p[point] = '.';
    return p + n + 1;
}

char *fa__double_format(char *p, double v)
{
    uint64_t pattern, fraction, c;
    int biased;

    memcpy(&pattern, &v, sizeof(pattern));
    if (pattern >> 63)
        *p++ = '-';
    biased = (int)(pattern >> 52 & 0x7ff);
    fraction = pattern & (((uint64_t)1 << 52) - 1);
    if (biased == 0 && fraction == 0) {
        memcpy(p, "0.0", 3);
        return p + 3;
    }
    c = biased == 0 ? fraction : fraction | (uint64_t)1 << 52;
    /* Integers below 2^53 are a unit or less apart: their digits are the shortest. */
    if (biased >= 1023 && biased <= 1075 &&
        (c & (((uint64_t)1 << (1075 - biased)) - 1)) == 0) {
        p = fa__uint64_format(p, c >> (1075 - biased));
        memcpy(p, ".0", 2);
        return p + 2;
    }
    return put_decimal(p, without_zeros(shortest(c, (biased == 0 ? 1 : biased) - 1075,
                                                 fraction == 0 && biased > 1)));
}
