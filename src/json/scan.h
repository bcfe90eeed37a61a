/* The search through the bytes of a string: where reader and writer spend their
   time. Never reads a byte outside of the text. */
#ifndef FA_JSON_SCAN_H
#define FA_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* '"', '\' and control characters are those that end or interrupt a string, and
   those that must be escaped in one (RFC 8259, section 7). */
static inline bool fa__json_special(char c)
{
    return (unsigned char)c < 0x20 || c == '"' || c == '\\';
}

#if defined(__SSE2__)

static inline unsigned fa__json_special_16(const char *p, unsigned *high)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
    __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
    __m128i backslash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));

    *high = (unsigned)_mm_movemask_epi8(v);
    return (unsigned)_mm_movemask_epi8(
        _mm_or_si128(_mm_or_si128(control, quote), backslash));
}

/* The first special byte from `p` on, or `end`. `*high` becomes non-zero when a byte
   above 0x7f lies before it, else it stays. `start` is the start of the text: when the
   last 16 bytes are reached, they are looked at once more as a whole. */
static inline const char *fa__json_scan(const char *p, const char *end, const char *start,
                                        unsigned *high)
{
    unsigned special, above, before;

    for (; end - p >= 16; p += 16) {
        special = fa__json_special_16(p, &above);
        if (special != 0) {
            before = (special & -special) - 1;
            *high |= above & before;
            return p + __builtin_ctz(special);
        }
        *high |= above;
    }
    if (end - start >= 16) {
        unsigned skip = 16 - (unsigned)(end - p);

        special = fa__json_special_16(end - 16, &above) >> skip;
        above >>= skip;
        if (special == 0) {
            *high |= above;
            return end;
        }
        before = (special & -special) - 1;
        *high |= above & before;
        return p + __builtin_ctz(special);
    }
    for (; p < end && !fa__json_special(*p); ++p)
        *high |= (unsigned char)*p & 0x80u;
    return p;
}

#else

/* Eight bytes at once where there are eight plain ones; the rest one by one. */
static inline const char *fa__json_scan(const char *p, const char *end, const char *start,
                                        unsigned *high)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;

    (void)start;
    for (; end - p >= 8; p += 8) {
        uint64_t v, quote, backslash;

        memcpy(&v, p, sizeof(v));
        quote = v ^ ones * '"';
        backslash = v ^ ones * '\\';
        /* A top bit where a byte is below 0x20, or 0 in one of the differences. May be
           set wrongly above a true hit, never without one. */
        if ((((v - ones * 0x20) & ~v) | ((quote - ones) & ~quote) |
             ((backslash - ones) & ~backslash)) &
            tops)
            break;
        *high |= (v & tops) != 0;
    }
    for (; p < end && !fa__json_special(*p); ++p)
        *high |= (unsigned char)*p & 0x80u;
    return p;
}

#endif

/* RFC 8259, section 2: ws. */
static inline bool fa__json_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *fa__json_skip_space(const char *p, const char *end)
{
    /* Compact texts pay for one comparison. */
    while (p < end && (unsigned char)*p <= ' ' && fa__json_is_space(*p))
        ++p;
    return p;
}

#endif
