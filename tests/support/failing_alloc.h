/* An allocator whose n-th call fails, and which counts what is still held. */
#ifndef FA_TESTS_FAILING_ALLOC_H
#define FA_TESTS_FAILING_ALLOC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <fasterapi/memory.h>

typedef struct failing_alloc {
    fa_allocator alloc; /* pass &f->alloc */
    uint64_t calls;     /* allocations and resizes so far */
    uint64_t fail_at;   /* the call that fails, from 1; 0: none */
    bool fail_on;       /* all calls from there on fail */
    int64_t held;       /* blocks not released: 0 at the end of a clean test */
} failing_alloc;

static void *failing_resize(void *ctx, void *p, size_t n)
{
    failing_alloc *f = ctx;
    void *res;

    ++f->calls;
    if (f->fail_at != 0 &&
        (f->calls == f->fail_at || (f->fail_on && f->calls > f->fail_at)))
        return NULL;
    res = realloc(p, n);
    if (p == NULL && res != NULL)
        ++f->held;
    return res;
}

static void failing_release(void *ctx, void *p)
{
    failing_alloc *f = ctx;

    if (p != NULL)
        --f->held;
    free(p);
}

static inline void failing_alloc_init(failing_alloc *f, uint64_t fail_at)
{
    *f = (failing_alloc){.fail_at = fail_at};
    f->alloc = (fa_allocator){f, failing_resize, failing_release};
}

#endif
