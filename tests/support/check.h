/* What every unit test includes: cmocka, and checks that show both values. */
#ifndef FA_TESTS_CHECK_H
#define FA_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fasterapi/slice.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define CHECK(condition)                                                                 \
    do {                                                                                 \
        if (!(condition))                                                                \
            fail_msg("%s", #condition);                                                  \
    } while (0)

#define CHECK_INT(a, op, b)                                                              \
    do {                                                                                 \
        long long check_a_ = (long long)(a), check_b_ = (long long)(b);                  \
        if (!(check_a_ op check_b_))                                                     \
            fail_msg("%s %s %s: %lld and %lld", #a, #op, #b, check_a_, check_b_);        \
    } while (0)

#define CHECK_U64(a, op, b)                                                              \
    do {                                                                                 \
        unsigned long long check_a_ = (a), check_b_ = (b);                               \
        if (!(check_a_ op check_b_))                                                     \
            fail_msg("%s %s %s: %llu and %llu", #a, #op, #b, check_a_, check_b_);        \
    } while (0)

/* A slice against a NUL-terminated string. */
#define CHECK_SLICE(v, text)                                                             \
    do {                                                                                 \
        fa_slice check_v_ = (v);                                                         \
        if (!fa_slice_equal(check_v_, fa_slice_of(text)))                                \
            fail_msg("%s: \"%.*s\" is not \"%s\"", #v, (int)check_v_.len,                \
                     check_v_.p != NULL ? check_v_.p : "", text);                        \
    } while (0)

/* A heap copy of exactly `n` bytes, so that ASan sees a read one byte too far;
   free((void *)v.p) it. */
static inline fa_slice exact_bytes(const void *p, size_t n)
{
    char *copy = malloc(n != 0 ? n : 1);

    if (copy == NULL)
        abort();
    if (n > 0)
        memcpy(copy, p, n);
    return (fa_slice){copy, n};
}

static inline fa_slice exact_copy(const char *text)
{
    return exact_bytes(text, strlen(text));
}

/* Frees what exact_bytes() made. */
static inline void exact_free(fa_slice v)
{
    union {
        const char *in;
        void *out;
    } u = {v.p};

    free(u.out);
}

#endif
