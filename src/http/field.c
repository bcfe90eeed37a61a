#include "http/field.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* tchar (RFC 9110, 5.6.2), a bit a byte. */
static const uint32_t tchars[8] = {
    0x00000000, /* controls */
    0x03ff6cfa, /* ! # $ % & ' * + - . 0-9 */
    0xc7fffffe, /* A-Z ^ _ */
    0x57ffffff, /* ` a-z | ~ */
};

bool fa__token_valid(fa_slice v)
{
    for (size_t i = 0; i < v.len; ++i) {
        unsigned char c = (unsigned char)v.p[i];

        if ((tchars[c >> 5] >> (c & 31) & 1) == 0)
            return false;
    }
    return v.len > 0;
}

static bool is_forbidden(char c)
{
    return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

#if defined(__SSE2__)
static bool any_forbidden(const char *p)
{
    __m128i c = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(c, _mm_set1_epi8(0x1f)), c);
    __m128i tab = _mm_cmpeq_epi8(c, _mm_set1_epi8('\t'));
    __m128i del = _mm_cmpeq_epi8(c, _mm_set1_epi8(0x7f));

    return _mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, control), del)) != 0;
}
#endif

bool fa__field_value_valid(fa_slice v)
{
    size_t i = 0;

#if defined(__SSE2__)
    if (v.len >= 16) {
        for (; i + 16 < v.len; i += 16)
            if (any_forbidden(v.p + i))
                return false;
        return !any_forbidden(v.p + v.len - 16); /* some of them for the second time */
    }
#endif
    for (; i < v.len; ++i)
        if (is_forbidden(v.p[i]))
            return false;
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

bool fa__digits(uint64_t *out, fa_slice v)
{
    uint64_t n = 0;

    if (v.len == 0)
        return false;
    for (size_t i = 0; i < v.len; ++i) {
        unsigned digit = (unsigned)(unsigned char)v.p[i] - '0';

        if (digit > 9 || n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *out = n;
    return true;
}

bool fa__field_frames(fa_slice name)
{
    static const fa_slice names[] = {
        {"content-length", 14}, {"transfer-encoding", 17},
        {"connection", 10},     {"trailer", 7},
        {"upgrade", 7},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i) {
        if (fa__equal_nocase(name, names[i]))
            return true;
    }
    return false;
}

fa_slice fa__trim(fa_slice v)
{
    while (v.len > 0 && is_space(v.p[0])) {
        ++v.p;
        --v.len;
    }
    while (v.len > 0 && is_space(v.p[v.len - 1]))
        --v.len;
    return v;
}

/* Where the element at the start of `v` ends: at a comma outside quotes, or at the
   end. A quoted-string that is never closed takes the rest. */
static size_t element_length(fa_slice v)
{
    bool quoted = false;
    size_t i;

    for (i = 0; i < v.len; ++i) {
        if (v.p[i] == '"')
            quoted = !quoted;
        else if (quoted && v.p[i] == '\\' && i + 1 < v.len)
            ++i; /* quoted-pair */
        else if (!quoted && v.p[i] == ',')
            break;
    }
    return i;
}

bool fa__list_next(fa_slice *rest, fa_slice *item)
{
    fa_slice v = *rest;

    while (v.len > 0) {
        size_t n = element_length(v);
        fa_slice element = fa__trim((fa_slice){v.p, n});
        size_t used = n < v.len ? n + 1 : n;

        v.p += used;
        v.len -= used;
        if (element.len > 0) {
            *rest = v;
            *item = element;
            return true;
        }
    }
    return false;
}

bool fa__list_has(fa_slice list, fa_slice token)
{
    fa_slice item;

    while (fa__list_next(&list, &item))
        if (fa__equal_nocase(item, token))
            return true;
    return false;
}
