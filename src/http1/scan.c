/* The table of byte classes, the implementation for any processor, and the choice. */
#include "http1/scan.h"

#include <stdatomic.h>
#include <string.h>

/* clang-format off */
const uint8_t fa__http1_class[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    /* SP ! " # $ % & ' ( ) * + , - . / */
    8, 31, 14, 9, 31, 15, 31, 31, 30, 30, 31, 31, 30, 31, 31, 14,
    /* 0 to 9, : ; < = > ? */
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 14, 30, 14, 30, 14, 12,
    /* @ A to Z [ \ ] ^ _ */
    14, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31,
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 14, 14, 14, 15, 31,
    /* ` a to z { | } ~ DEL */
    15, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31,
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 14, 15, 14, 31, 0,
    8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8,
    8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8,
    8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8,
    8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8,
    8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8,
    8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8,
    8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8,
    8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8,
};
/* clang-format on */

static inline size_t run(const char *p, size_t len, unsigned classes)
{
    size_t i = 0;

    while (i < len && fa__http1_is((unsigned char)p[i], classes))
        ++i;
    return i;
}

static size_t portable_request(const char *p, size_t len, size_t *method_len)
{
    size_t n = run(p, len, FA__CLASS_TOKEN);

    *method_len = n;
    if (n < len)
        ++n;
    return n + run(p + n, len - n, FA__CLASS_PATH);
}

static size_t portable_query(const char *p, size_t len)
{
    return run(p, len, FA__CLASS_QUERY);
}

#define EACH_BYTE(b) (0x0101010101010101u * (b))

/* Some byte of `word` is below 0x20 or is 0x7F: then a look at each must follow, for
   it may be a HTAB. Both subtractions borrow only from a byte that is a hit itself. */
static bool has_control(uint64_t word)
{
    uint64_t del = word ^ EACH_BYTE(0x7f);
    uint64_t low = (word - EACH_BYTE(0x20)) & ~word;

    return ((low | ((del - EACH_BYTE(1)) & ~del)) & EACH_BYTE(0x80)) != 0;
}

/* Values are the long part of a head: eight bytes at a time. */
static size_t run_value(const char *p, size_t len)
{
    size_t i = 0;

    while (len - i >= 8) {
        uint64_t word;
        size_t n = 8;

        memcpy(&word, p + i, sizeof(word));
        if (has_control(word))
            n = run(p + i, 8, FA__CLASS_VALUE);
        i += n;
        if (n < 8)
            return i;
    }
    return i + run(p + i, len - i, FA__CLASS_VALUE);
}

static size_t portable_field(const char *p, size_t len, size_t *name_len)
{
    size_t n = run(p, len, FA__CLASS_TOKEN);

    *name_len = n;
    return n + run_value(p + n, len - n);
}

bool fa__http1_authority_rest(const char *p, size_t len, size_t n, size_t *host_len)
{
    size_t end;

    n += run(p + n, len - n, FA__CLASS_REG_NAME);
    if (n < len && p[n] != ':')
        return false;
    for (end = n + 1; end < len; ++end)
        if (p[end] < '0' || p[end] > '9')
            return false;
    *host_len = n;
    return true;
}

static bool portable_authority(const char *p, size_t len, size_t *host_len)
{
    return fa__http1_authority_rest(p, len, 0, host_len);
}

const fa__http1_scan fa__http1_scan_portable = {
    "portable", portable_request, portable_query, portable_field, portable_authority,
};

const fa__http1_scan *const *fa__http1_scan_all(void)
{
    static _Thread_local const fa__http1_scan *all[6];
    size_t n = 0;

#if defined(__x86_64__)
    if (fa__http1_scan_avx2() != NULL)
        all[n++] = fa__http1_scan_avx2();
    if (fa__http1_scan_sse42() != NULL)
        all[n++] = fa__http1_scan_sse42();
    all[n++] = fa__http1_scan_sse2();
#elif defined(__aarch64__)
    all[n++] = fa__http1_scan_neon();
#endif
    all[n++] = &fa__http1_scan_portable;
    all[n] = NULL;
    return all;
}

const fa__http1_scan *fa__http1_scan_best(void)
{
    /* Every thread would choose the same, so it does not matter whose store wins. */
    static _Atomic(const fa__http1_scan *) best;
    const fa__http1_scan *scan = atomic_load_explicit(&best, memory_order_relaxed);

    if (scan == NULL) {
        scan = fa__http1_scan_all()[0];
        atomic_store_explicit(&best, scan, memory_order_relaxed);
    }
    return scan;
}
