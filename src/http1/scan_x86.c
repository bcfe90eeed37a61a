/* The scanners in SSE2 (every x86-64), SSE4.2 and AVX2. */
#include "http1/scan.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define INLINE   static inline __attribute__((always_inline))
#define FOR_SSE4 __attribute__((target("sse4.2")))
#define FOR_AVX2 __attribute__((target("avx2,bmi")))

typedef enum { PATH, QUERY, VALUE, TOKEN } what;

/* 1 to 16 bytes, zeros after them: loads that overlap instead of one that would read
   past the end. */
INLINE __m128i load_few(const char *p, size_t n)
{
    uint64_t lo, hi = 0;
    uint32_t first, last;

    if (n >= 8) {
        unsigned half = 4 * (16 - (unsigned)n); /* a shift by 64 in two */

        memcpy(&lo, p, 8);
        memcpy(&hi, p + n - 8, 8);
        hi = hi >> half >> half;
    } else if (n >= 4) {
        memcpy(&first, p, 4);
        memcpy(&last, p + n - 4, 4);
        lo = first | (uint64_t)last << (8 * (n - 4));
    } else {
        lo = (uint64_t)(unsigned char)p[0] |
             (uint64_t)(unsigned char)p[n / 2] << (8 * (n / 2)) |
             (uint64_t)(unsigned char)p[n - 1] << (8 * (n - 1));
    }
    return _mm_set_epi64x((long long)hi, (long long)lo);
}

INLINE __m128i load16(const char *p)
{
    __m128i x;

    memcpy(&x, p, sizeof(x));
    return x;
}

INLINE __m128i in_range(__m128i x, char from, char to)
{
    __m128i off = _mm_sub_epi8(x, _mm_set1_epi8(from));

    return _mm_cmpeq_epi8(_mm_min_epu8(off, _mm_set1_epi8((char)(to - from))), off);
}

INLINE __m128i is(__m128i x, char c)
{
    return _mm_cmpeq_epi8(x, _mm_set1_epi8(c));
}

/* tchar is VCHAR without delimiters (RFC 9110, 5.6.2). */
INLINE unsigned bad_token(__m128i x)
{
    __m128i no = _mm_or_si128(_mm_cmplt_epi8(x, _mm_set1_epi8('!')), is(x, 0x7f));

    no = _mm_or_si128(no, in_range(x, ':', '@'));
    no = _mm_or_si128(no, in_range(x, '[', ']'));
    no = _mm_or_si128(no, in_range(x, '(', ')'));
    no = _mm_or_si128(no, _mm_or_si128(is(x, '"'), is(x, ',')));
    no = _mm_or_si128(no, _mm_or_si128(is(x, '{'), is(x, '}')));
    no = _mm_or_si128(no, is(x, '/'));
    return (unsigned)_mm_movemask_epi8(no);
}

/* A bit for every byte that is not allowed. */
INLINE unsigned bad(what k, __m128i x)
{
    __m128i no;

    if (k == TOKEN)
        return bad_token(x);
    if (k == VALUE) {
        no = _mm_andnot_si128(is(x, '\t'), in_range(x, 0, 0x1f));
        no = _mm_or_si128(no, is(x, 0x7f));
    } else {
        /* Signed, so that 0x80 and above are less than '!' too. */
        no = _mm_or_si128(_mm_cmplt_epi8(x, _mm_set1_epi8('!')), is(x, 0x7f));
        no = _mm_or_si128(no, is(x, '#'));
        if (k == PATH)
            no = _mm_or_si128(no, is(x, '?'));
    }
    return (unsigned)_mm_movemask_epi8(no);
}

INLINE unsigned first(unsigned mask)
{
    return (unsigned)__builtin_ctz(mask);
}

INLINE unsigned low_bits(size_t n)
{
    return (1u << n) - 1;
}

INLINE size_t run16(what k, const char *p, size_t len)
{
    size_t i;
    unsigned no;

    for (i = 0; len - i >= 16; i += 16) {
        no = bad(k, load16(p + i));
        if (no != 0)
            return i + first(no);
    }
    if (i == len)
        return len;
    no = bad(k, load_few(p + i, len - i)) & low_bits(len - i);
    return no != 0 ? i + first(no) : len;
}

static size_t sse2_query(const char *p, size_t len)
{
    return run16(QUERY, p, len);
}

/* The path behind the method, whose byte after it is not looked at. */
INLINE size_t finish_request(const char *p, size_t len, size_t n)
{
    if (n < len)
        ++n;
    return n + run16(PATH, p + n, len - n);
}

static size_t sse2_request(const char *p, size_t len, size_t *method_len)
{
    *method_len = run16(TOKEN, p, len);
    return finish_request(p, len, *method_len);
}

/* What VALUE does not allow is no tchar either: the first of them comes after the
   name, and one load mostly shows both ends. */
static size_t sse2_field(const char *p, size_t len, size_t *name_len)
{
    size_t i;
    __m128i x;
    unsigned no;

    for (i = 0; len - i >= 16; i += 16) {
        x = load16(p + i);
        no = bad_token(x);
        if (no == 0)
            continue;
        *name_len = i + first(no);
        no = bad(VALUE, x);
        return i + (no != 0 ? first(no) : 16 + run16(VALUE, p + i + 16, len - i - 16));
    }
    *name_len = len;
    if (i == len)
        return len;
    x = load_few(p + i, len - i);
    no = bad_token(x) & low_bits(len - i);
    if (no != 0)
        *name_len = i + first(no);
    no = bad(VALUE, x) & low_bits(len - i);
    return no != 0 ? i + first(no) : len;
}

static bool sse2_authority(const char *p, size_t len, size_t *host_len)
{
    return fa__http1_authority_rest(p, len, 0, host_len);
}

/* tchar by two look-ups: the low four bits of a byte select the set of high halves with
   which it is a tchar. PSHUFB gives 0 for bytes from 0x80 on. */
#define TCHAR_LOW                                                                        \
    (char)0xe8, (char)0xfc, (char)0xf8, (char)0xfc, (char)0xfc, (char)0xfc, (char)0xfc,  \
        (char)0xfc, (char)0xf8, (char)0xf8, (char)0xf4, 0x54, (char)0xd0, 0x54,          \
        (char)0xf4, 0x70
#define TCHAR_HIGH 1, 2, 4, 8, 16, 32, 64, (char)128, 0, 0, 0, 0, 0, 0, 0, 0

INLINE FOR_SSE4 unsigned shuffle_bad_token(__m128i x)
{
    __m128i low = _mm_shuffle_epi8(_mm_setr_epi8(TCHAR_LOW), x);
    __m128i half = _mm_and_si128(_mm_srli_epi16(x, 4), _mm_set1_epi8(0x0f));
    __m128i high = _mm_shuffle_epi8(_mm_setr_epi8(TCHAR_HIGH), half);

    return (unsigned)_mm_movemask_epi8(
        _mm_cmpeq_epi8(_mm_and_si128(low, high), _mm_setzero_si128()));
}

INLINE FOR_SSE4 size_t shuffle_token(const char *p, size_t len)
{
    size_t i;
    unsigned no;

    for (i = 0; len - i >= 16; i += 16) {
        no = shuffle_bad_token(load16(p + i));
        if (no != 0)
            return i + first(no);
    }
    if (i == len)
        return len;
    no = shuffle_bad_token(load_few(p + i, len - i)) & low_bits(len - i);
    return no != 0 ? i + first(no) : len;
}

INLINE FOR_SSE4 size_t shuffle_field(const char *p, size_t len, size_t *name_len)
{
    size_t i;
    __m128i x;
    unsigned no;

    for (i = 0; len - i >= 16; i += 16) {
        x = load16(p + i);
        no = shuffle_bad_token(x);
        if (no == 0)
            continue;
        *name_len = i + first(no);
        no = bad(VALUE, x);
        return i + (no != 0 ? first(no) : 16 + run16(VALUE, p + i + 16, len - i - 16));
    }
    *name_len = len;
    if (i == len)
        return len;
    x = load_few(p + i, len - i);
    no = shuffle_bad_token(x) & low_bits(len - i);
    if (no != 0)
        *name_len = i + first(no);
    no = bad(VALUE, x) & low_bits(len - i);
    return no != 0 ? i + first(no) : len;
}

/* REG_NAME in the same way, but that '0' to '9' have bit 7 to themselves. */
#define HOST_LOW                                                                         \
    (char)0xa4, (char)0xf5, (char)0xf4, (char)0xf4, (char)0xf5, (char)0xf4, (char)0xf5,  \
        (char)0xf5, (char)0xf5, (char)0xf5, 0x75, 0x53, 0x51, 0x53, 0x55, 0x70
#define HOST_HIGH 0, 0, 1, (char)0x82, 16, 32, 64, 4, 0, 0, 0, 0, 0, 0, 0, 0

INLINE FOR_SSE4 __m128i shuffle_host(__m128i x)
{
    __m128i low = _mm_shuffle_epi8(_mm_setr_epi8(HOST_LOW), x);
    __m128i half = _mm_and_si128(_mm_srli_epi16(x, 4), _mm_set1_epi8(0x0f));

    return _mm_and_si128(low, _mm_shuffle_epi8(_mm_setr_epi8(HOST_HIGH), half));
}

INLINE FOR_SSE4 unsigned bad_host(__m128i classes)
{
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(classes, _mm_setzero_si128()));
}

/* The last vector overlaps the one before it, of which all is known to be good. */
FOR_SSE4 static bool shuffle_long_authority(const char *p, size_t len, size_t *host_len)
{
    for (size_t i = 0; i < len; i += 16) {
        size_t at = len - i < 16 ? len - 16 : i;
        unsigned no = bad_host(shuffle_host(load16(p + at)));

        if (no != 0)
            return fa__http1_authority_rest(p, len, at + first(no), host_len);
    }
    return fa__http1_authority_rest(p, len, len, host_len);
}

/* Mostly all of it is in one vector, in which the zeros behind it are of no class. */
INLINE FOR_SSE4 bool shuffle_authority(const char *p, size_t len, size_t *host_len)
{
    __m128i classes;
    unsigned n, digits;

    if (len - 1 >= 16)
        return shuffle_long_authority(p, len, host_len);
    classes = shuffle_host(load_few(p, len));
    n = first(bad_host(classes) | 1u << 16);
    if (n < len) {
        if (p[n] != ':')
            return false;
        digits = (unsigned)_mm_movemask_epi8(classes) >> n >> 1;
        if (n + 1 + first(~digits) != len)
            return false;
    }
    *host_len = n;
    return true;
}

FOR_SSE4 static size_t sse42_request(const char *p, size_t len, size_t *method_len)
{
    *method_len = shuffle_token(p, len);
    return finish_request(p, len, *method_len);
}

FOR_SSE4 static size_t sse42_field(const char *p, size_t len, size_t *name_len)
{
    return shuffle_field(p, len, name_len);
}

FOR_SSE4 static bool sse42_authority(const char *p, size_t len, size_t *host_len)
{
    return shuffle_authority(p, len, host_len);
}

INLINE FOR_AVX2 __m256i load32(const char *p)
{
    __m256i x;

    memcpy(&x, p, sizeof(x));
    return x;
}

INLINE FOR_AVX2 __m256i is32(__m256i x, char c)
{
    return _mm256_cmpeq_epi8(x, _mm256_set1_epi8(c));
}

INLINE FOR_AVX2 unsigned bad32(what k, __m256i x)
{
    __m256i no;

    if (k == VALUE) {
        no = _mm256_cmpeq_epi8(_mm256_min_epu8(x, _mm256_set1_epi8(0x1f)), x);
        no = _mm256_andnot_si256(is32(x, '\t'), no);
        no = _mm256_or_si256(no, is32(x, 0x7f));
    } else {
        no = _mm256_cmpgt_epi8(_mm256_set1_epi8('!'), x);
        no = _mm256_or_si256(no, _mm256_or_si256(is32(x, 0x7f), is32(x, '#')));
        if (k == PATH)
            no = _mm256_or_si256(no, is32(x, '?'));
    }
    return (unsigned)_mm256_movemask_epi8(no);
}

INLINE FOR_AVX2 unsigned bad_token32(__m256i x)
{
    __m256i lows = _mm256_setr_epi8(TCHAR_LOW, TCHAR_LOW);
    __m256i highs = _mm256_setr_epi8(TCHAR_HIGH, TCHAR_HIGH);
    __m256i half = _mm256_and_si256(_mm256_srli_epi16(x, 4), _mm256_set1_epi8(0x0f));
    __m256i both =
        _mm256_and_si256(_mm256_shuffle_epi8(lows, x), _mm256_shuffle_epi8(highs, half));

    return (unsigned)_mm256_movemask_epi8(
        _mm256_cmpeq_epi8(both, _mm256_setzero_si256()));
}

INLINE FOR_AVX2 size_t run32(what k, const char *p, size_t len)
{
    size_t i;

    for (i = 0; len - i >= 32; i += 32) {
        unsigned no = bad32(k, load32(p + i));

        if (no != 0)
            return i + first(no);
    }
    return i + run16(k, p + i, len - i);
}

FOR_AVX2 static size_t avx2_query(const char *p, size_t len)
{
    return run32(QUERY, p, len);
}

/* One load mostly shows the whole request-line up to its query. */
FOR_AVX2 static size_t avx2_request(const char *p, size_t len, size_t *method_len)
{
    if (len >= 32) {
        __m256i x = load32(p);
        unsigned no = bad_token32(x);

        if (no != 0) {
            unsigned n = first(no);

            *method_len = n;
            no = bad32(PATH, x) >> n >> 1; /* a shift by 32 in two */
            if (no != 0)
                return n + 1 + first(no);
            return 32 + run32(PATH, p + 32, len - 32);
        }
    }
    *method_len = shuffle_token(p, len);
    return finish_request(p, len, *method_len);
}

FOR_AVX2 static size_t avx2_field(const char *p, size_t len, size_t *name_len)
{
    size_t i, end;

    for (i = 0; len - i >= 32; i += 32) {
        __m256i x = load32(p + i);
        unsigned no = bad_token32(x);

        if (no == 0)
            continue;
        *name_len = i + first(no);
        no = bad32(VALUE, x);
        return i + (no != 0 ? first(no) : 32 + run32(VALUE, p + i + 32, len - i - 32));
    }
    end = shuffle_field(p + i, len - i, name_len);
    *name_len += i;
    return i + end;
}

FOR_AVX2 static bool avx2_authority(const char *p, size_t len, size_t *host_len)
{
    return shuffle_authority(p, len, host_len);
}

const fa__http1_scan *fa__http1_scan_sse2(void)
{
    static const fa__http1_scan scan = {
        "sse2", sse2_request, sse2_query, sse2_field, sse2_authority,
    };

    return &scan;
}

const fa__http1_scan *fa__http1_scan_sse42(void)
{
    static const fa__http1_scan scan = {
        "sse4.2", sse42_request, sse2_query, sse42_field, sse42_authority,
    };

    return __builtin_cpu_supports("sse4.2") ? &scan : NULL;
}

const fa__http1_scan *fa__http1_scan_avx2(void)
{
    static const fa__http1_scan scan = {
        "avx2", avx2_request, avx2_query, avx2_field, avx2_authority,
    };

    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") ? &scan : NULL;
}

#endif
