/** Text and bytes are passed as slices: a pointer and a length, never NUL-terminated. */
#ifndef FASTERAPI_SLICE_H
#define FASTERAPI_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#if defined(_WIN32)
#define FA_API
#else
#define FA_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * `len` bytes at `p`; `p` may be NULL only when `len` is 0.
 *
 * Ownership: a slice owns nothing. The function that hands one out says how
 * long its bytes stay valid.
 */
typedef struct fa_slice {
    const char *p;
    size_t len;
} fa_slice;

/** The slice of a string literal, its NUL left out. */
#define FA_SLICE(literal) ((fa_slice){"" literal, sizeof(literal) - 1})

/** The slice of a NUL-terminated string; borrowed. NULL gives the empty slice. */
static inline fa_slice fa_slice_of(const char *s)
{
    fa_slice v = {s, s != NULL ? strlen(s) : 0};

    return v;
}

/** Equal length and equal bytes. */
static inline bool fa_slice_equal(fa_slice a, fa_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

#ifdef __cplusplus
}
#endif
#endif
