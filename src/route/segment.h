/* Where a segment of a path ends. */
#ifndef FA_ROUTE_SEGMENT_H
#define FA_ROUTE_SEGMENT_H

#include "base/ascii.h"

/* The first slash from `at` on, or `end`. Segments are short: a call of memchr() costs
   more than most of them take. */
static inline const char *fa__segment_end(const char *at, const char *end)
{
    const uint64_t ones = 0x0101010101010101u, slashes = ones * '/';

    for (; end - at >= 8; at += 8) {
        uint64_t v = fa__load8(at) ^ slashes;

        v = (v - ones) & ~v & (ones << 7); /* its lowest bit marks the first slash */
        if (v == 0)
            continue;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        return at + (unsigned)__builtin_ctzll(v) / 8;
#else
        break;
#endif
    }
    while (at < end && *at != '/')
        ++at;
    return at;
}

#endif
