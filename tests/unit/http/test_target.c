#include <stdio.h>

#include "check.h"
#include "failing_alloc.h"

#include <fasterapi/error.h>

#include "base/memory.h"
#include "http/target.h"

#define BAD "\xEF\xBF\xBD"

static void test_decode(void **state)
{
    static const struct {
        const char *in, *path, *form;
    } cases[] = {
        {"", "", ""},
        {"/plain/path", "/plain/path", "/plain/path"},
        {"a+b", "a+b", "a b"},
        {"%41%62", "Ab", "Ab"},
        {"%2f%2F", "//", "//"},
        {"%2B+", "++", "+ "},
        {"100%", "100%", "100%"},
        {"%4", "%4", "%4"},
        {"%4g%g4%zz", "%4g%g4%zz", "%4g%g4%zz"},
        {"%%41", "%A", "%A"},
        {"%2541", "%41", "%41"}, /* once only */
        {"r%C3%A9sum%c3%a9", "r\xC3\xA9sum\xC3\xA9", "r\xC3\xA9sum\xC3\xA9"},
        {"%FF", BAD, BAD},
        {"a%E2%82z", "a" BAD "z", "a" BAD "z"},
        {"%ED%A0%80", BAD BAD BAD, BAD BAD BAD},
        {"\xC3\xA9", "\xC3\xA9", "\xC3\xA9"},
        {"\xE9%20", BAD " ", BAD " "},
        {"\xC3%A9", "\xC3\xA9", "\xC3\xA9"}, /* raw bytes count as encoded ones */
        {"0123456789abcdef0123456789abcdef%20", "0123456789abcdef0123456789abcdef ",
         "0123456789abcdef0123456789abcdef "},
    };
    fa_arena arena;

    (void)state;
    fa__arena_init(&arena, &fa__malloc, 256);
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice in = exact_copy(cases[i].in), out = {NULL, 0};

        CHECK_INT(fa__percent_decode(&out, in, &arena), ==, 0);
        CHECK_SLICE(out, cases[i].path);
        CHECK_INT(fa__form_decode(&out, in, &arena), ==, 0);
        CHECK_SLICE(out, cases[i].form);
        exact_free(in);
    }
    CHECK_INT(fa__percent_decode(&(fa_slice){NULL, 0}, FA_SLICE("%00"), &arena), ==, 0);
    fa__arena_free(&arena);
}

/* One byte that does not stand for itself, at every place of text of every length that is
   looked at in another way. */
static void test_at_each_place(void **state)
{
    static const struct {
        char c;
        const char *path, *form;
    } marks[] = {{'+', "+", " "}, {'%', "%", "%"}, {'\x80', BAD, BAD}, {'~', "~", "~"}};
    fa_arena arena;

    (void)state;
    fa__arena_init(&arena, &fa__malloc, 256);
    for (size_t i = 0; i < ARRAY_LEN(marks) * 40 * 40; ++i) {
        size_t at = i / ARRAY_LEN(marks) % 40, n = i / ARRAY_LEN(marks) / 40;
        char in[41] = "", path[128], form[128];
        fa_slice copy, out;

        if (at >= n)
            continue;
        memset(in, 'z', n);
        in[at] = '\0';
        (void)snprintf(path, sizeof(path), "%s%s%s", in, marks[i % 4].path, in + at + 1);
        (void)snprintf(form, sizeof(form), "%s%s%s", in, marks[i % 4].form, in + at + 1);
        in[at] = marks[i % 4].c;
        copy = exact_copy(in);
        CHECK_INT(fa__percent_decode(&out, copy, &arena), ==, 0);
        CHECK_SLICE(out, path);
        CHECK_INT(fa__form_decode(&out, copy, &arena), ==, 0);
        CHECK_SLICE(out, form);
        exact_free(copy);
    }
    fa__arena_free(&arena);
}

/* Nothing to decode: no copy, and so no memory. */
static void test_no_copy(void **state)
{
    static const char *const cases[] = {"", "/", "/a/long/path/without/escapes/in/it",
                                        "/gr\xC3\xBC\xC3\x9F", "a+b"};
    failing_alloc f;
    fa_arena arena;

    (void)state;
    failing_alloc_init(&f, 1);
    fa__arena_init(&arena, &f.alloc, 256);
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice in = exact_copy(cases[i]), out = {NULL, 7};

        CHECK_INT(fa__percent_decode(&out, in, &arena), ==, 0);
        CHECK(out.p == in.p && out.len == in.len);
        exact_free(in);
    }
    CHECK_U64(f.calls, ==, 0);
    fa__arena_free(&arena);
}

static void test_no_memory(void **state)
{
    fa_slice name = FA_SLICE("as"), value = FA_SLICE("before");

    (void)state;
    for (uint64_t fail_at = 1; fail_at <= 4; ++fail_at) {
        fa__query_iter it = fa__query_begin(FA_SLICE("%FF%FF%FF=%FF%FF%FF"));
        failing_alloc f;
        fa_arena arena;

        failing_alloc_init(&f, fail_at);
        fa__arena_init(&arena, &f.alloc, 1); /* a block for each allocation */
        CHECK_INT(fa__query_next_decoded(&it, &name, &value, &arena), ==, FA_ERR_NOMEM);
        CHECK_SLICE(name, "as");
        CHECK_SLICE(value, "before");
        fa__arena_free(&arena);
        CHECK_INT(f.held, ==, 0);
    }
}

static void test_query(void **state)
{
    static const struct {
        const char *query;
        const char *pairs; /* name>value| ... */
    } cases[] = {
        {"", ""},
        {"&&&", ""},
        {"a=1", "a>1|"},
        {"a=1&b=2", "a>1|b>2|"},
        {"a", "a>|"},
        {"a=", "a>|"},
        {"=b", ">b|"},
        {"=", ">|"},
        {"a=b=c", "a>b=c|"},
        {"&a=1&&b&", "a>1|b>|"},
        {"a=1;b=2", "a>1;b=2|"},
        {"q=hello+world%21&%26=%3D", "q>hello world!|&>=|"},
        {"a=1&a=2", "a>1|a>2|"},
    };
    fa_arena arena;

    (void)state;
    fa__arena_init(&arena, &fa__malloc, 256);
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice query = exact_copy(cases[i].query), name, value;
        fa__query_iter it = fa__query_begin(query);
        char joined[128] = "";

        while (fa__query_next_decoded(&it, &name, &value, &arena) == 1) {
            strncat(joined, name.p, name.len);
            strcat(joined, ">");
            strncat(joined, value.p, value.len);
            strcat(joined, "|");
        }
        CHECK_SLICE(fa_slice_of(joined), cases[i].pairs);
        CHECK(!fa__query_next(&it, &name, &value)); /* the end stays the end */
        exact_free(query);
    }
    fa__arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),  cmocka_unit_test(test_at_each_place),
        cmocka_unit_test(test_no_copy), cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_query),
    };

    return cmocka_run_group_tests_name("http/target", tests, NULL, NULL);
}
