/** Memory: the allocator a program may bring, and the arena each request has. */
#ifndef FASTERAPI_MEMORY_H
#define FASTERAPI_MEMORY_H

#include <fasterapi/slice.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Where all memory of the library comes from. NULL wherever one is taken means
 * malloc(), realloc() and free().
 *
 * `resize(ctx, NULL, n)` allocates, `resize(ctx, p, n)` with n > 0 resizes, and
 * NULL means no memory (then `p` is untouched). `release(ctx, NULL)` does nothing.
 * Memory is aligned as malloc()'s.
 *
 * Threads: called from every worker thread; must be safe for that.
 * Ownership: the struct is copied, `ctx` is borrowed for the life of what uses it.
 */
typedef struct fa_allocator {
    void *ctx;
    void *(*resize)(void *ctx, void *p, size_t n);
    void (*release)(void *ctx, void *p);
} fa_allocator;

/**
 * Memory that is given back all at once. A request's arena lives until its
 * response is finished; nothing taken from it is freed singly.
 *
 * Threads: one at a time.
 */
typedef struct fa_arena fa_arena;

/** An arena of the caller's own, for work outside of requests. `alloc` is copied, NULL:
    malloc(). NULL when there is no memory. */
FA_API fa_arena *fa_arena_new(const fa_allocator *alloc);
/** Gives everything back. NULL is ignored. Only for arenas of fa_arena_new(). */
FA_API void fa_arena_del(fa_arena *arena);
/** Forgets all that was allocated, and keeps a block for what comes next. */
FA_API void fa_arena_reset(fa_arena *arena);

/** `n` bytes aligned for any type, uninitialised; NULL when there is no memory. */
FA_API void *fa_arena_alloc(fa_arena *arena, size_t n);

/** A copy of `v` in the arena, followed by a NUL; `.p` is NULL when there is no memory.
 */
FA_API fa_slice fa_arena_copy(fa_arena *arena, fa_slice v);

/** Text formatted as by printf(), in the arena; `.p` is NULL when there is no memory. */
FA_API fa_slice fa_arena_format(fa_arena *arena, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

#ifdef __cplusplus
}
#endif
#endif
