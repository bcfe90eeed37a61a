#include "websocket/mask.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static void mask_words(char *p, size_t n, uint64_t key8)
{
    uint64_t word;

    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&word, p, 8);
        word ^= key8;
        memcpy(p, &word, 8);
    }
    if (n > 0) {
        unsigned char key[8];

        memcpy(key, &key8, 8);
        for (size_t i = 0; i < n; ++i)
            p[i] = (char)((unsigned char)p[i] ^ key[i]);
    }
}

static const fa__ws_masker words = {"words", mask_words};

#if defined(__x86_64__)
static void mask_sse2(char *p, size_t n, uint64_t key8)
{
    __m128i key = _mm_set1_epi64x((long long)key8), a, b;

    for (; n >= 32; p += 32, n -= 32) {
        memcpy(&a, p, 16);
        memcpy(&b, p + 16, 16);
        a = _mm_xor_si128(a, key);
        b = _mm_xor_si128(b, key);
        memcpy(p, &a, 16);
        memcpy(p + 16, &b, 16);
    }
    mask_words(p, n, key8);
}

__attribute__((target("avx2"))) static void mask_avx2(char *p, size_t n, uint64_t key8)
{
    __m256i key = _mm256_set1_epi64x((long long)key8), a, b;

    for (; n >= 64; p += 64, n -= 64) {
        memcpy(&a, p, 32);
        memcpy(&b, p + 32, 32);
        a = _mm256_xor_si256(a, key);
        b = _mm256_xor_si256(b, key);
        memcpy(p, &a, 32);
        memcpy(p + 32, &b, 32);
    }
    mask_words(p, n, key8);
}

static const fa__ws_masker sse2 = {"sse2", mask_sse2};
static const fa__ws_masker avx2 = {"avx2", mask_avx2};
#endif

size_t fa__ws_maskers(const fa__ws_masker *out[3])
{
    size_t n = 0;

#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        out[n++] = &avx2;
    out[n++] = &sse2;
#endif
    out[n++] = &words;
    return n;
}

void fa__ws_mask(char *p, size_t n, const unsigned char key[4], uint64_t offset)
{
    unsigned char turned[8];
    uint64_t key8;

    for (size_t i = 0; i < 8; ++i)
        turned[i] = key[(offset + i) & 3];
    memcpy(&key8, turned, 8);
#if defined(__x86_64__)
    /* Every chunk is a multiple of 8 bytes, so the key needs no turning between them. */
    if (n >= 256 && __builtin_cpu_supports("avx2"))
        mask_avx2(p, n, key8);
    else if (n >= 32)
        mask_sse2(p, n, key8);
    else
#endif
        mask_words(p, n, key8);
}
