/* Case of ASCII letters, the only case that HTTP knows; other bytes are themselves. */
#ifndef FA_BASE_ASCII_H
#define FA_BASE_ASCII_H

#include <stdint.h>

#include <fasterapi/slice.h>

static inline char fa__ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Eight bytes at once. Adding to the low seven bits carries into the top bit exactly
   from 'A' on, and from the byte after 'Z' on; where one did and the other not, and
   the byte was ASCII, 0x20 is set. */
static inline uint64_t fa__ascii_lower8(uint64_t word)
{
    uint64_t low7 = word & 0x7f7f7f7f7f7f7f7fu;
    uint64_t from_a = low7 + 0x0101010101010101u * (0x80 - 'A');
    uint64_t past_z = low7 + 0x0101010101010101u * (0x80 - 'Z' - 1);

    return word | ((from_a & ~past_z & ~word & 0x8080808080808080u) >> 2);
}

static inline uint64_t fa__load8(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    return word;
}

/* The first and the last four of 4 to 8 bytes: all of them, some twice. */
static inline uint64_t fa__load4to8(const char *p, size_t n)
{
    uint32_t first, last;

    memcpy(&first, p, sizeof(first));
    memcpy(&last, p + n - sizeof(last), sizeof(last));
    return (uint64_t)last << 32 | first;
}

/* Equal but for the case of ASCII letters. */
static inline bool fa__equal_nocase(fa_slice a, fa_slice b)
{
    if (a.len != b.len)
        return false;
    if (a.len < 4) {
        for (size_t i = 0; i < a.len; ++i)
            if (fa__ascii_lower(a.p[i]) != fa__ascii_lower(b.p[i]))
                return false;
        return true;
    }
    if (a.len <= 8)
        return fa__ascii_lower8(fa__load4to8(a.p, a.len)) ==
               fa__ascii_lower8(fa__load4to8(b.p, b.len));
    for (size_t i = 0; i + 8 < a.len; i += 8)
        if (fa__ascii_lower8(fa__load8(a.p + i)) != fa__ascii_lower8(fa__load8(b.p + i)))
            return false;
    return fa__ascii_lower8(fa__load8(a.p + a.len - 8)) ==
           fa__ascii_lower8(fa__load8(b.p + b.len - 8));
}

/* Whether `n` bytes at `p` in lower case are those at `lower`, which are so already. */
static inline bool fa__lower_is(const char *p, const char *lower, size_t n)
{
    if (n < 4) {
        for (size_t i = 0; i < n; ++i)
            if (fa__ascii_lower(p[i]) != lower[i])
                return false;
        return true;
    }
    if (n <= 8)
        return fa__ascii_lower8(fa__load4to8(p, n)) == fa__load4to8(lower, n);
    for (size_t i = 0; i + 8 < n; i += 8)
        if (fa__ascii_lower8(fa__load8(p + i)) != fa__load8(lower + i))
            return false;
    return fa__ascii_lower8(fa__load8(p + n - 8)) == fa__load8(lower + n - 8);
}

/* Copies `n` bytes in lower case; `out` and `p` do not overlap. */
static inline void fa__ascii_lower_copy(char *out, const char *p, size_t n)
{
    uint64_t word;

    if (n < 8) {
        for (size_t i = 0; i < n; ++i)
            out[i] = fa__ascii_lower(p[i]);
        return;
    }
    for (size_t i = 0; i + 8 < n; i += 8) {
        word = fa__ascii_lower8(fa__load8(p + i));
        memcpy(out + i, &word, sizeof(word));
    }
    word = fa__ascii_lower8(fa__load8(p + n - 8)); /* overlaps what is there already */
    memcpy(out + n - 8, &word, sizeof(word));
}

#endif
