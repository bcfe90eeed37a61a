#include "json/number.h"

#include <float.h>
#include <stddef.h>
#include <string.h>

#include "json/pow10.h"
#include "json/wide.h"

enum {
    DIGITS_MAX = 19, /* always fit 64 bits */
    MANTISSA_BITS = 52,
    EXPONENT_BIAS = 1023,
    EXPONENT_INFINITE = 2047,
};

/* Written exponents stop growing once past this: far beyond what the zeros of any
   text can make up for, and 10 times it is far below what overflows. */
static const int64_t EXPONENT_CAP = 100000000000000000;

static inline bool is_digit(const char *p, const char *end)
{
    return p < end && (unsigned char)(*p - '0') < 10;
}

static int refuse(const char **at, const char *p, const char *end)
{
    *at = p;
    return p == end ? FA_ERR_JSON_END : FA_ERR_JSON_NUMBER;
}

/* Eight digits at once: neighbours are put together to pairs, pairs to fours, fours to
   eight, each in one multiplication. False unless eight digits are there. */
static inline bool take_eight(uint64_t *digits, const char *p, const char *end)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint64_t ones = 0x0101010101010101u, highs = 0xf0 * ones;
    uint64_t v;

    if (end - p < 8)
        return false;
    memcpy(&v, p, sizeof(v));
    /* '0' to '9' are 0x30 to 0x39: adding 6 leaves only them below 0x40. */
    if ((v & highs) != 0x30 * ones || ((v + 6 * ones) & highs) != 0x30 * ones)
        return false;
    v -= 0x30 * ones;
    v = (v * (1 + ((uint64_t)10 << 8))) >> 8 & 0x00ff00ff00ff00ffu;
    v = (v * (1 + ((uint64_t)100 << 16))) >> 16 & 0x0000ffff0000ffffu;
    v = (v * (1 + ((uint64_t)10000 << 32))) >> 32;
    *digits = *digits * 100000000 + v;
    return true;
#else
    (void)digits, (void)p, (void)end;
    return false;
#endif
}

/* Appends the digits from `p` on to `*digits`, which overflows after the 19th. */
static inline const char *take_digits(uint64_t *digits, const char *p, const char *end)
{
    while (take_eight(digits, p, end))
        p += 8;
    for (; is_digit(p, end); ++p)
        *digits = *digits * 10 + (unsigned)(*p - '0');
    return p;
}

/* The digits of [p, end), sign and point left out, when there are more than 19. Those
   past the 19th significant one only move the exponent. */
static void take_many_digits(fa__number *n, const char *p, const char *end)
{
    unsigned count = 0;
    bool fraction = false;

    n->digits = 0;
    n->exponent = 0;
    for (; p < end; ++p) {
        unsigned digit = (unsigned)(*p - '0');

        if (*p == '-')
            continue;
        if (*p == '.') {
            fraction = true;
            continue;
        }
        if (count < DIGITS_MAX) {
            n->digits = n->digits * 10 + digit;
            count += n->digits != 0; /* zeros in front are not significant */
            n->exponent -= fraction;
        } else {
            n->truncated |= digit != 0;
            n->exponent += !fraction;
        }
    }
}

/* exp = e [ minus / plus ] 1*DIGIT; `p` is after the e. */
static int take_exponent(fa__number *n, const char **at, const char *p, const char *end)
{
    bool negative = p < end && *p == '-';
    int64_t exponent = 0;

    if (p < end && (*p == '-' || *p == '+'))
        ++p;
    if (!is_digit(p, end))
        return refuse(at, p, end);
    for (; is_digit(p, end); ++p) {
        if (exponent < EXPONENT_CAP)
            exponent = exponent * 10 + (*p - '0');
    }
    n->exponent += negative ? -exponent : exponent;
    n->end = p;
    return 0;
}

int fa__number_scan(fa__number *out, const char **at, const char *p, const char *end)
{
    fa__number n = {.begin = p, .integral = true};
    const char *first, *fraction;
    ptrdiff_t count;

    n.negative = p < end && *p == '-';
    first = p += n.negative;
    if (!is_digit(p, end))
        return refuse(at, p, end);
    p = take_digits(&n.digits, p, end);
    if (*first == '0' && p - first > 1) /* no zeros in front (RFC 8259, section 6) */
        return refuse(at, first + 1, end);
    count = p - first;
    if (p < end && *p == '.') {
        n.integral = false;
        fraction = ++p;
        if (!is_digit(p, end))
            return refuse(at, p, end);
        p = take_digits(&n.digits, p, end);
        count += p - fraction;
        n.exponent = fraction - p;
    }
    n.end = p;
    if (count > DIGITS_MAX)
        take_many_digits(&n, n.begin, p);
    if (p < end && (*p == 'e' || *p == 'E')) {
        int rv = take_exponent(&n, at, p + 1, end);

        if (rv != 0)
            return rv;
        n.integral = false;
    }
    *out = n;
    return 0;
}

/* An integer of 20 digits is the longest that can fit; its last digit is not yet in
   n->digits. */
static int magnitude(uint64_t *out, const fa__number *n)
{
    unsigned last;

    if (n->exponent == 0) {
        *out = n->digits;
        return 0;
    }
    if (n->exponent != 1)
        return FA_ERR_JSON_RANGE;
    last = (unsigned)(n->end[-1] - '0');
    if (n->digits > (UINT64_MAX - last) / 10)
        return FA_ERR_JSON_RANGE;
    *out = n->digits * 10 + last;
    return 0;
}

int fa__number_int64(int64_t *out, const fa__number *n)
{
    uint64_t v;
    int rv = magnitude(&v, n);

    if (rv != 0)
        return rv;
    if (v > (uint64_t)INT64_MAX + n->negative)
        return FA_ERR_JSON_RANGE;
    /* -v by way of -(v - 1) - 1: INT64_MIN has no positive twin. */
    *out = n->negative && v != 0 ? -(int64_t)(v - 1) - 1 : (int64_t)v;
    return 0;
}

int fa__number_uint64(uint64_t *out, const fa__number *n)
{
    uint64_t v;
    int rv = magnitude(&v, n);

    if (rv != 0)
        return rv;
    if (n->negative && v != 0)
        return FA_ERR_JSON_RANGE;
    *out = v;
    return 0;
}

/* Both factors are doubles without error and one operation rounds once (Clinger).
   Only where the compiler computes in double and not in something wider. */
static bool in_one_operation(double *out, uint64_t w, int64_t q)
{
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

    if (FLT_EVAL_METHOD != 0 || w > (uint64_t)1 << 53 || q < -22 || q > 22)
        return false;
    *out = q < 0 ? (double)w / tens[-q] : (double)w * tens[q];
    return true;
}

/*
 * The pattern of w * 10^q rounded, `*sure` where that is proven; else of the double
 * just below it.
 *
 * With w shifted to 64 bits and g the table's 128 bits for 10^q, the product w * g
 * is too large by less than w, that is by less than 1 in its 64th bit from below,
 * because g is rounded up by less than 1. So its upper 128 bits, `top`, and the true
 * value differ by less than 1 either way. The bits of `top` below the mantissa then
 * say how to round, unless they are exactly one half; and there too if g is exact.
 */
static uint64_t round_product(bool *sure, uint64_t w, int q)
{
    fa__pow10 g = fa__pow10_of(q);
    int zeros = __builtin_clzll(w);
    int exponent, cut;
    uint64_t top_hi, top_lo, carry, low, mantissa, rest, half;
    bool above;

    w <<= zeros;
    top_hi = fa__mul_64(&top_lo, w, g.hi);
    carry = fa__mul_64(&low, w, g.lo);
    top_lo += carry;
    top_hi += top_lo < carry;

    exponent = fa__pow10_log2(q) + (int)(top_hi >> 63) + 63 - zeros + EXPONENT_BIAS;
    cut = 63 - MANTISSA_BITS - 1 + (int)(top_hi >> 63);
    if (exponent <= 0) { /* subnormal: fewer bits of mantissa */
        cut += 1 - exponent;
        exponent = 0;
    }
    *sure = true;
    if (cut > 64)
        return 0; /* less than half of the smallest double */
    mantissa = cut == 64 ? 0 : top_hi >> cut;
    rest = top_hi & (UINT64_MAX >> (64 - cut));
    half = (uint64_t)1 << (cut - 1);
    /* The mantissa's own top bit makes the exponent 1 larger. */
    mantissa += exponent == 0 ? 0 : (uint64_t)(exponent - 1) << MANTISSA_BITS;
    if (mantissa >> MANTISSA_BITS >= EXPONENT_INFINITE)
        return (uint64_t)EXPONENT_INFINITE << MANTISSA_BITS;
    above = rest > half || (rest == half && top_lo > 0);
    if (rest == half && top_lo == 0) {
        *sure = q >= 0 && q <= FA__POW10_EXACT;
        above = *sure && (low > 0 || (mantissa & 1) != 0);
    }
    return mantissa + above; /* a carry into the exponent is what is meant */
}

static uint64_t pattern_of(const fa__number *n)
{
    bool sure, sure_next;
    uint64_t low, high;

    /* digits are at least 1 and below 10^19. */
    if (n->digits == 0 || n->exponent < FA__POW10_FIRST)
        return 0;
    if (n->exponent > 308)
        return (uint64_t)EXPONENT_INFINITE << MANTISSA_BITS;
    low = round_product(&sure, n->digits, (int)n->exponent);
    if (n->truncated) {
        /* The value lies between digits and digits + 1. */
        high = round_product(&sure_next, n->digits + 1, (int)n->exponent);
        sure = sure && sure_next && low == high;
    }
    return sure ? low : fa__number_round_exactly(n, low);
}

double fa__number_double(const fa__number *n)
{
    double v;
    uint64_t pattern;

    if (n->truncated || !in_one_operation(&v, n->digits, n->exponent)) {
        pattern = pattern_of(n);
        memcpy(&v, &pattern, sizeof(v));
    }
    return n->negative ? -v : v;
}
