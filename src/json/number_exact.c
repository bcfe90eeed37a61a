#include <string.h>

#include "json/number.h"
#include "json/wide.h"

/*
 * A point half-way between two doubles has at most 767 significant digits, so of
 * digits past the 768th only whether one is not 0 matters. Then the digits are below
 * 10^769, 2555 bits, and powers of ten are at least 10^-1092, which puts 5^1092,
 * 2536 bits, on the other side. What is compared is about equal, so both sides
 * stay below 2700 bits.
 */
enum { DIGITS_KEPT = 768, LIMBS = 48 };

typedef struct big {
    uint64_t limb[LIMBS]; /* the lowest first */
    size_t len;
} big;

static void big_multiply_add(big *b, uint64_t factor, uint64_t carry)
{
    for (size_t i = 0; i < b->len; ++i) {
        uint64_t low, high = fa__mul_64(&low, b->limb[i], factor);

        b->limb[i] = low + carry;
        carry = high + (b->limb[i] < carry);
    }
    if (carry != 0)
        b->limb[b->len++] = carry;
}

static void big_multiply_pow5(big *b, int64_t exponent)
{
    static const uint64_t pow5_27 = 7450580596923828125; /* the last below 2^64 */

    for (; exponent >= 27; exponent -= 27)
        big_multiply_add(b, pow5_27, 0);
    for (; exponent > 0; --exponent)
        big_multiply_add(b, 5, 0);
}

static void big_shift_left(big *b, int64_t count)
{
    size_t limbs = (size_t)count / 64;
    unsigned bits = (unsigned)count % 64;

    if (bits > 0)
        big_multiply_add(b, (uint64_t)1 << bits, 0);
    memmove(b->limb + limbs, b->limb, b->len * sizeof(b->limb[0]));
    memset(b->limb, 0, limbs * sizeof(b->limb[0]));
    b->len += limbs;
}

static int big_compare(const big *a, const big *b)
{
    if (a->len != b->len)
        return a->len < b->len ? -1 : 1;
    for (size_t i = a->len; i-- > 0;) {
        if (a->limb[i] != b->limb[i])
            return a->limb[i] < b->limb[i] ? -1 : 1;
    }
    return 0;
}

/* The digits of the text as one integer. Returns the power of ten that belongs to
   it. */
static int64_t read_digits(big *out, const fa__number *n)
{
    size_t count = 0;
    bool more = false;

    out->len = 0;
    for (const char *p = n->begin; p < n->end && *p != 'e' && *p != 'E'; ++p) {
        unsigned digit = (unsigned)*p - '0';

        if (digit > 9 || (digit == 0 && count == 0))
            continue; /* sign, point, zeros in front */
        if (count == DIGITS_KEPT) {
            more |= digit != 0;
            continue;
        }
        big_multiply_add(out, 10, digit);
        ++count;
    }
    if (more) {
        big_multiply_add(out, 10, 1);
        ++count;
    }
    /* n->exponent is that of the first 19 digits. */
    return count > 19 ? n->exponent - (int64_t)(count - 19) : n->exponent;
}

uint64_t fa__number_round_exactly(const fa__number *n, uint64_t below)
{
    uint64_t fraction = below & (((uint64_t)1 << 52) - 1);
    int64_t biased = (int64_t)(below >> 52);
    uint64_t mantissa = biased == 0 ? fraction : fraction | (uint64_t)1 << 52;
    /* The point half-way to the next double is (2 * mantissa + 1) * 2^power2. */
    int64_t power2 = (biased == 0 ? 1 : biased) - 1076;
    big value, middle = {.limb = {2 * mantissa + 1}, .len = 1};
    int64_t power10 = read_digits(&value, n);
    int order;

    if (power10 >= 0)
        big_multiply_pow5(&value, power10);
    else
        big_multiply_pow5(&middle, -power10);
    if (power10 >= power2)
        big_shift_left(&value, power10 - power2);
    else
        big_shift_left(&middle, power2 - power10);
    order = big_compare(&value, &middle);
    return below + (order > 0 || (order == 0 && (mantissa & 1) != 0));
}
