/* Every allocation fails once: the error is reported, nothing leaks, nothing is lost. */
#include "check.h"
#include "failing_alloc.h"
#include "walk.h"

#include "base/memory.h"

static int read_all(fa_arena *arena)
{
    static const char text[] =
        "{\"\\u0061\":[\"a\\nb\",{\"b\":\"\\ud83d\\ude00 and more than a block holds, "
        "which "
        "makes the arena ask for another one\"}],\"k1\":1,\"k2\":1,\"k3\":1,\"k4\":1,"
        "\"k5\":1,\"k6\":1,\"k7\":1,\"k8\":1,\"k9\":1,\"k10\":1,\"k11\":1,\"k12\":1,"
        "\"k13\":1,\"k14\":1,\"k15\":1,\"k16\":1,\"k17\":1,\"k18\":1}";
    fa_json_reader_options options = {.arena = arena, .report_duplicates = true};
    fa_json_reader r;
    fa_slice last;

    fa_json_reader_init(&r, fa_slice_of(text), &options);
    return walk(&r, &last);
}

static int explain(fa_arena *arena)
{
    fa_json_reader r;

    fa_json_reader_init(&r, FA_SLICE("{\"\\u0061\":[1,{\"b\":\"\\q\"}]}"), NULL);
    fa_json_skip(&r);
    return fa_json_message(&r, arena).p == NULL ? FA_ERR_NOMEM : 0;
}

static void check_each_failure(int run(fa_arena *arena))
{
    bool failed = true;

    for (uint64_t at = 1; failed; ++at) {
        failing_alloc f;
        fa_arena arena;
        int rv;

        failing_alloc_init(&f, at);
        fa__arena_init(&arena, &f.alloc, 64);
        rv = run(&arena);
        failed = f.calls >= at;
        CHECK_INT(rv, ==, failed ? FA_ERR_NOMEM : 0);
        CHECK(at > 3 || failed); /* otherwise nothing was tried */
        fa__arena_free(&arena);
        CHECK_INT(f.held, ==, 0);
    }
}

static void test_reader(void **state)
{
    (void)state;
    check_each_failure(read_all);
}

static void test_message(void **state)
{
    (void)state;
    check_each_failure(explain);
}

static int write_all(fa_json_writer *w, fa_slice *out)
{
    fa_json_begin_object(w);
    for (int i = 0; i < 20; ++i) {
        fa_json_write_key(w, FA_SLICE("a key with \n and \xc3\xa9"));
        fa_json_begin_array(w);
        fa_json_write_int64(w, i);
        fa_json_write_double(w, i / 7.0);
        fa_json_write_string(w, FA_SLICE("some text with \" and \\ in it"));
        fa_json_write_bool(w, true);
        fa_json_end_array(w);
    }
    fa_json_end_object(w);
    return fa_json_writer_finish(out, w);
}

static void test_writer(void **state)
{
    bool failed = true;
    uint64_t at;

    (void)state;
    for (at = 1; failed; ++at) {
        failing_alloc f;
        fa_json_writer_options options = {.alloc = &f.alloc, .first_bytes = 4};
        fa_json_writer w;
        fa_slice out = {NULL, 0};
        int rv;

        failing_alloc_init(&f, at);
        fa_json_writer_init(&w, &options);
        rv = write_all(&w, &out);
        failed = f.calls >= at;
        CHECK_INT(rv, ==, failed ? FA_ERR_NOMEM : 0);
        CHECK((out.p == NULL) == failed);
        /* After a failure the writer is as good as new. */
        f.fail_at = 0;
        fa_json_writer_reset(&w);
        CHECK_INT(write_all(&w, &out), ==, 0);
        CHECK(fa_json_valid(out));
        fa_json_writer_free(&w);
        CHECK_INT(f.held, ==, 0);
    }
    CHECK(at > 8); /* it did grow many times */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader),
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_writer),
    };

    return cmocka_run_group_tests_name("json/memory", tests, NULL, NULL);
}
