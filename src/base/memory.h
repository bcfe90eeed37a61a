/* Allocation with a caller's allocator, arenas and growable buffers. */
#ifndef FA_BASE_MEMORY_H
#define FA_BASE_MEMORY_H

#include <stdint.h>

#include <fasterapi/memory.h>

/* The allocator over malloc(). */
extern const fa_allocator fa__malloc;

/* NULL when there is no memory, when `size` is 0 or when n * size overflows. */
void *fa__alloc(const fa_allocator *a, size_t size);
void *fa__calloc(const fa_allocator *a, size_t n, size_t size);
void *fa__resize(const fa_allocator *a, void *p, size_t n, size_t size);
void fa__release(const fa_allocator *a, void *p);

typedef struct fa__arena_block {
    struct fa__arena_block *next;
    size_t size; /* usable bytes after this header */
} fa__arena_block;

/* A chain of blocks; the newest is bumped. Reset keeps the first block, so that a
   recycled arena serves most requests without touching the allocator. */
struct fa_arena {
    char *at;  /* next free byte */
    char *end; /* end of the newest block */
    fa__arena_block *blocks;
    fa_allocator alloc; /* copied */
    size_t block_bytes; /* size of a normal block */
};

/* A malloc() chunk of 4 KiB with its header. */
enum { FA__ARENA_BLOCK_BYTES = 4096 - 64 };

/* Allocates nothing yet. */
void fa__arena_init(fa_arena *arena, const fa_allocator *alloc, size_t block_bytes);
void fa__arena_free(fa_arena *arena);

/* A growable byte buffer. All fields may be read; `p` moves when it grows. */
typedef struct fa__buf {
    char *p;
    size_t len;
    size_t cap;
    const fa_allocator *alloc; /* borrowed */
} fa__buf;

void fa__buf_init(fa__buf *b, const fa_allocator *alloc);
void fa__buf_free(fa__buf *b);

/* Room for `more` bytes after `len`. Returns 0 or FA_ERR_NOMEM. */
int fa__buf_reserve(fa__buf *b, size_t more);
int fa__buf_append(fa__buf *b, const void *p, size_t n);

/* Forgets the first `n` bytes (n <= len); the rest moves to the front. */
void fa__buf_consume(fa__buf *b, size_t n);

#endif
