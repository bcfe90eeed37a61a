/* The powers of ten that a double can need, in 128 bits. */
#ifndef FA_JSON_POW10_H
#define FA_JSON_POW10_H

#include <stdint.h>

enum {
    FA__POW10_FIRST = -342, /* w * 10^-343 is 0 for every w below 2^64 */
    FA__POW10_LAST = 324,   /* the scale of the smallest double when it is written */
    FA__POW10_EXACT = 55,   /* 0 to here are exact: 5^55 is the last below 2^128 */
};

/* ceil(10^q * 2^(127 - e)) where e is fa__pow10_log2(q): the top bit is set. */
typedef struct fa__pow10 {
    uint64_t hi, lo;
} fa__pow10;

extern const fa__pow10 fa__pow10_table[FA__POW10_LAST - FA__POW10_FIRST + 1];

static inline fa__pow10 fa__pow10_of(int q)
{
    return fa__pow10_table[q - FA__POW10_FIRST];
}

/* floor(log2(10^q)), right for |q| up to 1233: 1741647 / 2^19 is log2(10) cut off. */
static inline int fa__pow10_log2(int q)
{
    return (q * 1741647) >> 19;
}

#endif
