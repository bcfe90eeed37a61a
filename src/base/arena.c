#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"

/* Every allocation is rounded up to this, so every one is aligned for any type. */
#define ALIGNMENT alignof(max_align_t)

void fa__arena_init(fa_arena *arena, const fa_allocator *alloc, size_t block_bytes)
{
    *arena = (fa_arena){.alloc = *alloc, .block_bytes = block_bytes};
}

fa_arena *fa_arena_new(const fa_allocator *alloc)
{
    fa_arena *arena;

    if (alloc == NULL)
        alloc = &fa__malloc;
    arena = fa__alloc(alloc, sizeof(*arena));
    if (arena != NULL)
        fa__arena_init(arena, alloc, FA__ARENA_BLOCK_BYTES);
    return arena;
}

void fa_arena_del(fa_arena *arena)
{
    fa_allocator alloc;

    if (arena == NULL)
        return;
    alloc = arena->alloc;
    fa__arena_free(arena);
    fa__release(&alloc, arena);
}

/* The header is padded so that what follows it is aligned. */
static size_t header_bytes(void)
{
    return (sizeof(fa__arena_block) + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

static void bump_from(fa_arena *arena, fa__arena_block *block)
{
    arena->at = (char *)block + header_bytes();
    arena->end = arena->at + block->size;
}

void fa_arena_reset(fa_arena *arena)
{
    fa__arena_block *block = arena->blocks;

    if (block == NULL)
        return;
    /* Only the oldest block stays, and only if it has the normal size: one huge
       request must not make its arena huge for ever. */
    while (block->next != NULL || block->size != arena->block_bytes) {
        fa__arena_block *next = block->next;

        fa__release(&arena->alloc, block);
        block = next;
        if (block == NULL) {
            arena->blocks = NULL;
            arena->at = arena->end = NULL;
            return;
        }
    }
    arena->blocks = block;
    bump_from(arena, block);
}

void fa__arena_free(fa_arena *arena)
{
    while (arena->blocks != NULL) {
        fa__arena_block *next = arena->blocks->next;

        fa__release(&arena->alloc, arena->blocks);
        arena->blocks = next;
    }
    arena->at = arena->end = NULL;
}

static void *alloc_in_new_block(fa_arena *arena, size_t n)
{
    size_t size = n > arena->block_bytes ? n : arena->block_bytes;
    fa__arena_block *block = fa__alloc(&arena->alloc, header_bytes() + size);
    void *p;

    if (block == NULL)
        return NULL;
    block->next = arena->blocks;
    block->size = size;
    arena->blocks = block;
    bump_from(arena, block);
    p = arena->at;
    arena->at += n;
    return p;
}

void *fa_arena_alloc(fa_arena *arena, size_t n)
{
    void *p;

    if (n > SIZE_MAX / 4)
        return NULL;
    n = n == 0 ? ALIGNMENT : (n + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    if (n > (size_t)(arena->end - arena->at))
        return alloc_in_new_block(arena, n);
    p = arena->at;
    arena->at += n;
    return p;
}

fa_slice fa_arena_copy(fa_arena *arena, fa_slice v)
{
    char *p = v.len < SIZE_MAX / 4 ? fa_arena_alloc(arena, v.len + 1) : NULL;

    if (p == NULL)
        return (fa_slice){NULL, 0};
    if (v.len > 0)
        memcpy(p, v.p, v.len);
    p[v.len] = '\0';
    return (fa_slice){p, v.len};
}

fa_slice fa_arena_format(fa_arena *arena, const char *format, ...)
{
    va_list args;
    char *p;
    int n;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        return (fa_slice){NULL, 0};
    p = fa_arena_alloc(arena, (size_t)n + 1);
    if (p == NULL)
        return (fa_slice){NULL, 0};
    va_start(args, format);
    vsnprintf(p, (size_t)n + 1, format, args);
    va_end(args);
    return (fa_slice){p, (size_t)n};
}
