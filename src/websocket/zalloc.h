/* zlib's memory comes from our allocator. */
#ifndef FA_WEBSOCKET_ZALLOC_H
#define FA_WEBSOCKET_ZALLOC_H

#include <zlib.h>

#include "base/memory.h"

static inline void *fa__zalloc(void *alloc, unsigned items, unsigned size)
{
    const fa_allocator *a = alloc;

    return fa__resize(a, NULL, items, size);
}

static inline void fa__zfree(void *alloc, void *p)
{
    const fa_allocator *a = alloc;

    fa__release(a, p);
}

/* `*alloc` is borrowed for the life of the stream. */
static inline void fa__zstream_init(z_stream *z, fa_allocator *alloc)
{
    memset(z, 0, sizeof(*z));
    z->zalloc = fa__zalloc;
    z->zfree = fa__zfree;
    z->opaque = alloc;
}

#endif
