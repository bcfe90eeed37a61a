#include "http/target.h"

#include <stdint.h>

#include <fasterapi/error.h>

#include "base/ascii.h"
#include "base/utf8.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* The value of a hexadecimal digit, or a number above 15. */
static unsigned hex_value(char c)
{
    unsigned digit = (unsigned char)c - (unsigned)'0';
    unsigned letter = ((unsigned char)c | 0x20u) - (unsigned)'a';

    if (digit <= 9)
        return digit;
    return letter <= 5 ? letter + 10 : 16;
}

/* Not 0 where one of eight bytes is above 0x7F, '%' or `plus`. */
static inline uint64_t marked(uint64_t w, char plus)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t percents = w ^ (ones * '%'), pluses = w ^ (ones * (unsigned char)plus);

    return (w | ((percents - ones) & ~percents) | ((pluses - ones) & ~pluses)) &
           (ones << 7);
}

/* The same for 4 to 15 bytes, some of them seen twice. */
static inline uint64_t any_marked(const char *p, size_t n, char plus)
{
    if (n < 8)
        return marked(fa__load4to8(p, n), plus);
    return marked(fa__load8(p), plus) | marked(fa__load8(p + n - 8), plus);
}

/* How many bytes at the start are ASCII and stand for themselves. */
static size_t plain_run(const char *p, size_t n, bool form)
{
    char plus = form ? '+' : '%';
    size_t i = 0;

#if defined(__SSE2__)
    for (; n - i >= 16; i += 16) {
        __m128i c = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(c, _mm_set1_epi8('%')),
                                   _mm_cmpeq_epi8(c, _mm_set1_epi8(plus)));
        int mask = _mm_movemask_epi8(_mm_or_si128(hit, c));

        if (mask != 0)
            return i + (size_t)__builtin_ctz((unsigned)mask);
    }
#endif
    if (n - i >= 4 && n - i < 16 && any_marked(p + i, n - i, plus) == 0)
        return n;
    while (i < n && p[i] != '%' && p[i] != plus && (unsigned char)p[i] < 0x80)
        ++i;
    return i;
}

/* How many bytes at the start are UTF-8 and stand for themselves. */
static size_t nothing_to_do(fa_slice in, bool form)
{
    size_t i = 0;

    for (;;) {
        size_t character;

        i += plain_run(in.p + i, in.len - i, form);
        if (i == in.len || (unsigned char)in.p[i] < 0x80)
            return i;
        character = fa__utf8_character(in.p + i, in.len - i);
        if (character == 0)
            return i;
        i += character;
    }
}

static size_t decode(char *out, const char *p, size_t n, bool form)
{
    size_t made = 0;

    for (size_t i = 0; i < n; ++i) {
        char c = p[i];

        if (c == '%' && n - i > 2) {
            unsigned high = hex_value(p[i + 1]), low = hex_value(p[i + 2]);

            if (high < 16 && low < 16) {
                c = (char)(high << 4 | low);
                i += 2;
            }
        } else if (c == '+' && form) {
            c = ' ';
        }
        out[made++] = c;
    }
    return made;
}

static int decode_slice(fa_slice *out, fa_slice in, fa_arena *arena, bool form)
{
    size_t kept = in.len > 0 ? nothing_to_do(in, form) : 0;
    size_t n, valid;
    char *p, *replaced;

    if (kept == in.len) {
        *out = in;
        return 0;
    }
    p = fa_arena_alloc(arena, in.len);
    if (p == NULL)
        return FA_ERR_NOMEM;
    memcpy(p, in.p, kept);
    n = kept + decode(p + kept, in.p + kept, in.len - kept, form);
    valid = kept + fa__utf8_valid_prefix(p + kept, n - kept);
    if (valid < n) {
        if (n > SIZE_MAX / 3)
            return FA_ERR_NOMEM;
        replaced = fa_arena_alloc(arena, valid + 3 * (n - valid));
        if (replaced == NULL)
            return FA_ERR_NOMEM;
        memcpy(replaced, p, valid);
        n = valid + fa__utf8_replace(replaced + valid, p + valid, n - valid);
        p = replaced;
    }
    *out = (fa_slice){p, n};
    return 0;
}

int fa__percent_decode(fa_slice *out, fa_slice in, fa_arena *arena)
{
    return decode_slice(out, in, arena, false);
}

int fa__form_decode(fa_slice *out, fa_slice in, fa_arena *arena)
{
    return decode_slice(out, in, arena, true);
}

/* Up to the first `c`, or all. */
static size_t length_before(const char *p, size_t n, char c)
{
    const char *at = memchr(p, c, n);

    return at != NULL ? (size_t)(at - p) : n;
}

bool fa__query_next(fa__query_iter *it, fa_slice *name, fa_slice *value)
{
    fa_slice v = it->rest;
    size_t part, key;

    while (v.len > 0 && v.p[0] == '&') {
        ++v.p;
        --v.len;
    }
    if (v.len == 0)
        return false;
    part = length_before(v.p, v.len, '&');
    key = length_before(v.p, part, '=');
    *name = (fa_slice){v.p, key};
    *value = key < part ? (fa_slice){v.p + key + 1, part - key - 1}
                        : (fa_slice){v.p + part, 0};
    it->rest = (fa_slice){v.p + part, v.len - part};
    return true;
}

int fa__query_next_decoded(fa__query_iter *it, fa_slice *name, fa_slice *value,
                           fa_arena *arena)
{
    fa_slice raw_name, raw_value, decoded_name;
    int rv;

    if (!fa__query_next(it, &raw_name, &raw_value))
        return 0;
    rv = fa__form_decode(&decoded_name, raw_name, arena);
    if (rv == 0)
        rv = fa__form_decode(value, raw_value, arena);
    if (rv != 0)
        return rv;
    *name = decoded_name;
    return 1;
}
