#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static uint64_t load8(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    return word;
}

/* The number of ASCII bytes at the start. */
static size_t ascii_run(const char *p, size_t n)
{
    size_t i = 0;

#if defined(__SSE2__)
    for (; n - i >= 32; i += 32) {
        __m128i a = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(p + i + 16));

        if (_mm_movemask_epi8(_mm_or_si128(a, b)) != 0)
            break;
    }
    for (; n - i >= 16; i += 16) {
        int mask =
            _mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p + i)));

        if (mask != 0)
            return i + (size_t)__builtin_ctz((unsigned)mask);
    }
#endif
    for (; n - i >= 8; i += 8)
        if ((load8(p + i) & 0x8080808080808080u) != 0)
            break;
    while (i < n && (unsigned char)p[i] < 0x80)
        ++i;
    return i;
}

/* Unicode, table 3-7: what may follow depends on the first byte only, and only the
   second byte has a range narrower than 80..BF. */
typedef struct lead {
    unsigned char length; /* 0: not the first byte of a character */
    unsigned char low, high;
} lead;

static lead lead_of(unsigned char c)
{
    if (c < 0x80)
        return (lead){1, 0, 0};
    if (c < 0xC2)
        return (lead){0, 0, 0};
    if (c < 0xE0)
        return (lead){2, 0x80, 0xBF};
    if (c < 0xF0)
        return (lead){3, c == 0xE0 ? 0xA0 : 0x80, c == 0xED ? 0x9F : 0xBF};
    if (c < 0xF5)
        return (lead){4, c == 0xF0 ? 0x90 : 0x80, c == 0xF4 ? 0x8F : 0xBF};
    return (lead){0, 0, 0};
}

/* How many of the first bytes belong together, and in `*whole` how many make the
   character. */
static size_t subpart(const char *p, size_t n, size_t *whole)
{
    lead l = lead_of((unsigned char)p[0]);
    size_t i = 1;

    *whole = l.length;
    if (l.length < 2)
        return l.length;
    if (n < 2 || (unsigned char)p[1] < l.low || (unsigned char)p[1] > l.high)
        return 1;
    for (i = 2; i < l.length && i < n; ++i)
        if (((unsigned char)p[i] & 0xC0) != 0x80)
            break;
    return i;
}

size_t fa__utf8_character(const char *p, size_t n)
{
    size_t whole, part = subpart(p, n, &whole);

    return part == whole ? whole : 0;
}

size_t fa__utf8_invalid_length(const char *p, size_t n)
{
    size_t whole, part = subpart(p, n, &whole);

    return part > 0 ? part : 1;
}

/* Whether the common cases start at `p`, with four bytes to look at: a character of two
   bytes, or one of three but for those with a narrower second byte. The bits that are
   fixed are compared at once. Gives its length, or 0: look closer. */
static size_t common_character(const char *p)
{
    unsigned c = (unsigned char)p[0], second = (unsigned char)p[1], third;

    if (c >= 0xC2 && c < 0xE0)
        return (second & 0xC0) == 0x80 ? 2 : 0;
    if (c <= 0xE0 || c >= 0xF0 || c == 0xED)
        return 0;
    third = (unsigned char)p[2];
    return ((second & 0xC0) | (third & 0xC0) << 8) == 0x8080 ? 3 : 0;
}

size_t fa__utf8_valid_prefix(const char *p, size_t n)
{
    size_t i = 0;

    while (i < n) {
        size_t length;

        if ((unsigned char)p[i] < 0x80) {
            i += ascii_run(p + i, n - i);
            continue;
        }
        length = n - i >= 4 ? common_character(p + i) : 0;
        if (length == 0)
            length = fa__utf8_character(p + i, n - i);
        if (length == 0)
            break;
        i += length;
    }
    return i;
}

size_t fa__utf8_replace(char *out, const char *p, size_t n)
{
    size_t made = 0;

    while (n > 0) {
        size_t take = fa__utf8_valid_prefix(p, n);

        memcpy(out + made, p, take);
        made += take;
        p += take;
        n -= take;
        if (n > 0) {
            size_t bad = fa__utf8_invalid_length(p, n);

            memcpy(out + made, FA__UTF8_REPLACEMENT, 3);
            made += 3;
            p += bad;
            n -= bad;
        }
    }
    return made;
}
