/* report_duplicates: found at any number of keys, at a cost that stays linear. */
#include "check.h"
#include "walk.h"

#include <stdio.h>

#include "base/memory.h"

static int read_with_sets(fa_slice text, size_t *at, bool skip)
{
    fa_arena arena;
    fa_json_reader_options options = {.arena = &arena, .report_duplicates = true};
    fa_json_reader r;
    fa_slice last;
    int rv;

    fa__arena_init(&arena, &fa__malloc, 4096);
    fa_json_reader_init(&r, text, &options);
    if (skip)
        fa_json_skip(&r);
    rv = skip ? fa_json_end(&r) : walk(&r, &last);
    *at = fa_json_position(&r);
    fa__arena_free(&arena);
    return rv;
}

static void test_duplicates(void **state)
{
    static const struct {
        const char *text;
        int rv;
        size_t at;
    } cases[] = {
        {"{\"a\":1,\"b\":2}", 0, 13},
        {"{\"a\":1,\"a\":2}", FA_ERR_JSON_DUPLICATE, 7},
        {"{\"a\":1, \"\\u0061\":2}", FA_ERR_JSON_DUPLICATE, 8},
        {"{\"\":1,\"\":2}", FA_ERR_JSON_DUPLICATE, 6},
        {"{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}}", 0, 31},
        {"[{\"a\":1},{\"a\":1}]", 0, 17},
        {"{\"a\":{\"b\":1,\"c\":1,\"b\":1}}", FA_ERR_JSON_DUPLICATE, 18},
        {"{\"a\":{\"b\":1},\"a\":1}", FA_ERR_JSON_DUPLICATE, 13},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        for (int skip = 0; skip < 2; ++skip) {
            fa_slice text = exact_copy(cases[i].text);
            size_t at;

            CHECK_INT(read_with_sets(text, &at, skip != 0), ==, cases[i].rv);
            CHECK_U64(at, ==, cases[i].at);
            exact_free(text);
        }
        CHECK(fa_json_valid(fa_slice_of(cases[i].text)));
    }
}

/* {"k0":0,...}, and at its end key number `repeat` once more if that is below n. */
static fa_slice object_of(unsigned n, unsigned repeat)
{
    char *p = malloc(32 * (size_t)n + 64);
    size_t len = 0;

    if (p == NULL)
        abort();
    p[len++] = '{';
    for (unsigned i = 0; i < n; ++i)
        len += (size_t)sprintf(p + len, "%s\"key number %u\":0", i == 0 ? "" : ",", i);
    if (repeat < n)
        len += (size_t)sprintf(p + len, ",\"key number %u\":0", repeat);
    p[len++] = '}';
    return (fa_slice){p, len};
}

static void test_every_size(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 300; n += 1 + n / 20) {
        for (unsigned repeat = 0; repeat <= n; ++repeat) {
            fa_slice text = object_of(n, repeat);
            size_t at;

            CHECK_INT(read_with_sets(text, &at, (repeat & 1) != 0), ==,
                      repeat < n ? FA_ERR_JSON_DUPLICATE : 0);
            exact_free(text);
        }
    }
}

/* A set that is used again remembers nothing of the objects before. */
static void test_recycled_sets(void **state)
{
    fa_slice big = object_of(100, 100), small = object_of(20, 19),
             fine = object_of(20, 20);
    char *text = malloc(4 * big.len);
    size_t n = 0, at;

    (void)state;
    if (text == NULL)
        abort();
    text[n++] = '[';
    for (int i = 0; i < 3; ++i) {
        memcpy(text + n, i == 1 ? fine.p : big.p, i == 1 ? fine.len : big.len);
        n += i == 1 ? fine.len : big.len;
        text[n++] = ',';
    }
    text[n] = ']';
    text[n - 1] = ' ';
    CHECK_INT(read_with_sets((fa_slice){text, n + 1}, &at, true), ==, 0);
    text[n - 1] = ',';
    memcpy(text + n, small.p, small.len);
    CHECK_INT(read_with_sets((fa_slice){text, n + small.len}, &at, true), ==,
              FA_ERR_JSON_DUPLICATE);
    free(text);
    exact_free(big);
    exact_free(small);
    exact_free(fine);
}

/* What the header says of scratch space holds. */
static void test_scratch_is_enough(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 200; ++n) {
        fa_slice text = object_of(n, n);
        size_t bytes = 256 + (n > 8 ? 256 * (size_t)n : 0);
        char *scratch = malloc(bytes);
        fa_json_reader_options options = {
            .scratch = scratch, .scratch_bytes = bytes, .report_duplicates = true};
        fa_json_reader r;

        if (scratch == NULL)
            abort();
        fa_json_reader_init(&r, text, &options);
        CHECK_INT(fa_json_skip(&r), ==, 0);
        options.scratch_bytes = 100;
        fa_json_reader_init(&r, text, &options);
        CHECK_INT(fa_json_skip(&r), ==, FA_ERR_NOMEM);
        free(scratch);
        exact_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_every_size),
        cmocka_unit_test(test_recycled_sets),
        cmocka_unit_test(test_scratch_is_enough),
    };

    return cmocka_run_group_tests_name("json/keys", tests, NULL, NULL);
}
