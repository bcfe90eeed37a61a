#include "check.h"
#include "failing_alloc.h"

#include <stdalign.h>

#include <fasterapi/error.h>

#include "base/memory.h"

static void test_overflow(void **state)
{
    (void)state;
    CHECK(fa__resize(&fa__malloc, NULL, SIZE_MAX, 2) == NULL);
    CHECK(fa__calloc(&fa__malloc, SIZE_MAX / 2 + 1, 2) == NULL);
    CHECK(fa__alloc(&fa__malloc, 0) == NULL);
    CHECK(fa__alloc(&fa__malloc, SIZE_MAX) == NULL);
    fa__release(&fa__malloc, NULL);
}

static void test_calloc_is_zero(void **state)
{
    unsigned char *p = fa__calloc(&fa__malloc, 100, 3);

    (void)state;
    CHECK(p != NULL);
    for (size_t i = 0; i < 300; ++i)
        CHECK_INT(p[i], ==, 0);
    fa__release(&fa__malloc, p);
}

static void test_buffer(void **state)
{
    failing_alloc f;
    fa__buf b;

    (void)state;
    failing_alloc_init(&f, 0);
    fa__buf_init(&b, &f.alloc);
    CHECK_INT(fa__buf_append(&b, NULL, 0), ==, 0);
    for (int i = 0; i < 1000; ++i)
        CHECK_INT(fa__buf_append(&b, "0123456789", 10), ==, 0);
    CHECK_U64(b.len, ==, 10000);
    CHECK_U64(f.calls, <, 20); /* it grows in proportion */
    fa__buf_consume(&b, 9995);
    CHECK_SLICE(((fa_slice){b.p, b.len}), "56789");
    fa__buf_consume(&b, 5);
    CHECK_U64(b.len, ==, 0);
    CHECK_INT(fa__buf_reserve(&b, SIZE_MAX), ==, FA_ERR_NOMEM);
    CHECK_INT(fa__buf_reserve(&b, SIZE_MAX / 4 + 1), ==, FA_ERR_NOMEM);
    fa__buf_free(&b);
    CHECK_INT(f.held, ==, 0);
}

static void test_buffer_without_memory(void **state)
{
    failing_alloc f;
    fa__buf b;

    (void)state;
    failing_alloc_init(&f, 2);
    fa__buf_init(&b, &f.alloc);
    CHECK_INT(fa__buf_append(&b, "kept", 4), ==, 0);
    CHECK_INT(fa__buf_reserve(&b, 100000), ==, FA_ERR_NOMEM);
    CHECK_SLICE(((fa_slice){b.p, b.len}), "kept");
    CHECK_INT(fa__buf_reserve(&b, 100000), ==, 0);
    CHECK_SLICE(((fa_slice){b.p, b.len}), "kept");
    fa__buf_free(&b);
    CHECK_INT(f.held, ==, 0);
}

static void test_arena(void **state)
{
    failing_alloc f;
    fa_arena arena;

    (void)state;
    failing_alloc_init(&f, 0);
    fa__arena_init(&arena, &f.alloc, 1024);
    CHECK_U64(f.calls, ==, 0);
    for (size_t n = 0; n < 3000; n += 7) {
        char *p = fa_arena_alloc(&arena, n);

        CHECK(p != NULL);
        CHECK_U64((uintptr_t)p % alignof(max_align_t), ==, 0);
        memset(p, (int)n, n); /* ASan sees an overlap with the block's end */
    }
    CHECK(fa_arena_alloc(&arena, SIZE_MAX) == NULL);
    CHECK(fa_arena_alloc(&arena, SIZE_MAX / 2) == NULL);
    fa_arena_reset(&arena);
    CHECK_INT(f.held, <=, 1);
    fa__arena_free(&arena);
    CHECK_INT(f.held, ==, 0);
}

/* As programs outside of the library use it. */
static void test_arena_of_the_callers_own(void **state)
{
    failing_alloc f;
    fa_arena *arena;

    (void)state;
    failing_alloc_init(&f, 1);
    CHECK(fa_arena_new(&f.alloc) == NULL);
    failing_alloc_init(&f, 0);
    arena = fa_arena_new(&f.alloc);
    CHECK(arena != NULL);
    CHECK_SLICE(fa_arena_copy(arena, FA_SLICE("kept")), "kept");
    CHECK_SLICE(fa_arena_format(arena, "%d/%s", 7, "x"), "7/x");
    fa_arena_reset(arena);
    CHECK(fa_arena_alloc(arena, 100000) != NULL);
    fa_arena_del(arena);
    fa_arena_del(NULL);
    CHECK_INT(f.held, ==, 0);
}

/* What the arena exists for: after the first request no call to the allocator. */
static void test_arena_is_reused(void **state)
{
    failing_alloc f;
    fa_arena arena;

    (void)state;
    failing_alloc_init(&f, 0);
    fa__arena_init(&arena, &f.alloc, 1024);
    for (int i = 0; i < 10; ++i) {
        CHECK(fa_arena_alloc(&arena, 500) != NULL);
        CHECK(fa_arena_alloc(&arena, 400) != NULL);
        CHECK_U64(f.calls, ==, 1);
        fa_arena_reset(&arena);
    }
    CHECK(fa_arena_alloc(&arena, 50000) != NULL); /* a big one is not kept */
    fa_arena_reset(&arena);
    CHECK_INT(f.held, ==, 1);
    fa__arena_free(&arena);
    fa__arena_free(&arena);
    CHECK_INT(f.held, ==, 0);
}

static void test_arena_without_memory(void **state)
{
    failing_alloc f;
    fa_arena arena;

    (void)state;
    failing_alloc_init(&f, 2);
    fa__arena_init(&arena, &f.alloc, 64);
    CHECK_SLICE(fa_arena_copy(&arena, FA_SLICE("first")), "first");
    CHECK(fa_arena_alloc(&arena, 100) == NULL);
    CHECK_SLICE(fa_arena_format(&arena, "%d and %s", 2, "text"), "2 and text");
    f.fail_at = f.calls + 1;
    CHECK(fa_arena_copy(&arena, (fa_slice){"", SIZE_MAX}).p == NULL);
    CHECK(fa_arena_format(&arena, "%200s", "").p == NULL);
    fa__arena_free(&arena);
    CHECK_INT(f.held, ==, 0);
}

static void test_arena_copy_ends_in_nul(void **state)
{
    fa_arena arena;
    fa_slice v;

    (void)state;
    fa__arena_init(&arena, &fa__malloc, 64);
    v = fa_arena_copy(&arena, (fa_slice){NULL, 0});
    CHECK(v.p != NULL && v.p[0] == '\0' && v.len == 0);
    v = fa_arena_copy(&arena, FA_SLICE("0123456789abcdef"));
    CHECK_INT(v.p[16], ==, '\0');
    fa__arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_calloc_is_zero),
        cmocka_unit_test(test_buffer),
        cmocka_unit_test(test_buffer_without_memory),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_arena_of_the_callers_own),
        cmocka_unit_test(test_arena_is_reused),
        cmocka_unit_test(test_arena_without_memory),
        cmocka_unit_test(test_arena_copy_ends_in_nul),
    };

    return cmocka_run_group_tests_name("base/memory", tests, NULL, NULL);
}
