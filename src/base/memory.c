#include "base/memory.h"

#include <stdlib.h>

#include <fasterapi/error.h>

static void *malloc_resize(void *ctx, void *p, size_t n)
{
    (void)ctx;
    return realloc(p, n);
}

static void malloc_release(void *ctx, void *p)
{
    (void)ctx;
    free(p);
}

const fa_allocator fa__malloc = {NULL, malloc_resize, malloc_release};

void *fa__resize(const fa_allocator *a, void *p, size_t n, size_t size)
{
    if (size == 0 || n == 0 || n > SIZE_MAX / 2 / size)
        return NULL;
    return a->resize(a->ctx, p, n * size);
}

void *fa__alloc(const fa_allocator *a, size_t size)
{
    return fa__resize(a, NULL, 1, size);
}

void *fa__calloc(const fa_allocator *a, size_t n, size_t size)
{
    void *p = fa__resize(a, NULL, n, size);

    if (p != NULL)
        memset(p, 0, n * size);
    return p;
}

void fa__release(const fa_allocator *a, void *p)
{
    if (p != NULL)
        a->release(a->ctx, p);
}

void fa__buf_init(fa__buf *b, const fa_allocator *alloc)
{
    *b = (fa__buf){.alloc = alloc};
}

void fa__buf_free(fa__buf *b)
{
    fa__release(b->alloc, b->p);
    fa__buf_init(b, b->alloc);
}

int fa__buf_reserve(fa__buf *b, size_t more)
{
    size_t need, cap;
    char *p;

    if (more <= b->cap - b->len)
        return 0;
    if (more > SIZE_MAX / 4 - b->len)
        return FA_ERR_NOMEM;
    need = b->len + more;
    cap = b->cap + b->cap / 2; /* half as much again: appending stays linear in total */
    if (cap < need)
        cap = need;
    if (cap < 64)
        cap = 64;
    p = fa__resize(b->alloc, b->p, cap, 1);
    if (p == NULL)
        return FA_ERR_NOMEM;
    b->p = p;
    b->cap = cap;
    return 0;
}

int fa__buf_append(fa__buf *b, const void *p, size_t n)
{
    int rv = fa__buf_reserve(b, n);

    if (rv != 0)
        return rv;
    if (n > 0)
        memcpy(b->p + b->len, p, n);
    b->len += n;
    return 0;
}

void fa__buf_consume(fa__buf *b, size_t n)
{
    b->len -= n;
    if (b->len > 0 && n > 0)
        memmove(b->p, b->p + n, b->len);
}
