/* The bytes that the writer makes, and what it refuses to make. */
#include "check.h"

#include <math.h>

#include <fasterapi/json.h>

#include "base/memory.h"

static void test_all_kinds(void **state)
{
    fa_json_writer w;
    fa_slice out;

    (void)state;
    fa_json_writer_init(&w, NULL);
    fa_json_begin_object(&w);
    fa_json_write_key(&w, FA_SLICE("list"));
    fa_json_begin_array(&w);
    fa_json_write_int64(&w, INT64_MIN);
    fa_json_write_uint64(&w, UINT64_MAX);
    fa_json_write_double(&w, 0.1);
    fa_json_write_bool(&w, true);
    fa_json_write_bool(&w, false);
    fa_json_write_null(&w);
    fa_json_begin_array(&w);
    fa_json_end_array(&w);
    fa_json_begin_object(&w);
    fa_json_end_object(&w);
    fa_json_write_raw(&w, FA_SLICE("[ 1 ]"));
    fa_json_end_array(&w);
    fa_json_write_key(&w, FA_SLICE(""));
    fa_json_write_string(&w, FA_SLICE(""));
    fa_json_write_key(&w, FA_SLICE("o"));
    fa_json_begin_object(&w);
    fa_json_write_key(&w, FA_SLICE("k"));
    fa_json_write_string(&w, FA_SLICE("v"));
    fa_json_end_object(&w);
    fa_json_end_object(&w);
    CHECK_INT(fa_json_writer_finish(&out, &w), ==, 0);
    CHECK_SLICE(out, "{\"list\":[-9223372036854775808,18446744073709551615,0.1,true,"
                     "false,null,[],{},[ 1 ]],\"\":\"\",\"o\":{\"k\":\"v\"}}");
    fa_json_writer_reset(&w);
    fa_json_write_int64(&w, 7);
    CHECK_INT(fa_json_writer_finish(&out, &w), ==, 0);
    CHECK_SLICE(out, "7");
    fa_json_writer_free(&w);
}

static void test_strings(void **state)
{
    static const struct {
        const char *in, *out, *ascii;
    } cases[] = {
        {"plain", "\"plain\"", "\"plain\""},
        {"exactly sixteen.", "\"exactly sixteen.\"", "\"exactly sixteen.\""},
        {"\"\\/\b\f\n\r\t", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"",
         "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
        {"\x01\x1f\x7f", "\"\\u0001\\u001f\x7f\"", "\"\\u0001\\u001f\\u007f\""},
        {"\xc3\xa9", "\"\xc3\xa9\"", "\"\\u00e9\""},
        {"\xe2\x82\xac\xef\xbf\xbf", "\"\xe2\x82\xac\xef\xbf\xbf\"",
         "\"\\u20ac\\uffff\""},
        {"\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\"", "\"\\ud83d\\ude00\""},
        {"\xf4\x8f\xbf\xbf", "\"\xf4\x8f\xbf\xbf\"", "\"\\udbff\\udfff\""},
        {"a line of more than sixteen bytes\nand another \xc3\xa9\n",
         "\"a line of more than sixteen bytes\\nand another \xc3\xa9\\n\"",
         "\"a line of more than sixteen bytes\\nand another \\u00e9\\n\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        for (int ascii = 0; ascii < 2; ++ascii) {
            fa_json_writer_options options = {.ensure_ascii = ascii != 0,
                                              .first_bytes = 1};
            fa_slice in = exact_copy(cases[i].in), out = {NULL, 0};
            fa_json_writer w;

            fa_json_writer_init(&w, &options);
            CHECK_INT(fa_json_write_string(&w, in), ==, 0);
            CHECK_INT(fa_json_writer_finish(&out, &w), ==, 0);
            CHECK_SLICE(out, ascii != 0 ? cases[i].ascii : cases[i].out);
            fa_json_writer_reset(&w);
            fa_json_begin_object(&w);
            fa_json_write_key(&w, in);
            fa_json_write_null(&w);
            fa_json_end_object(&w);
            CHECK_INT(fa_json_writer_finish(&out, &w), ==, 0);
            CHECK_U64(out.len, ==,
                      strlen(ascii != 0 ? cases[i].ascii : cases[i].out) + 7);
            fa_json_writer_free(&w);
            exact_free(in);
        }
    }
}

static void test_long_with_escapes(void **state)
{
    enum { LEN = 3000 };
    char in[LEN], wanted[LEN * 2 + 2];
    fa_slice out = {NULL, 0};
    fa_json_writer w;

    (void)state;
    memset(in, '"', LEN);
    wanted[0] = wanted[2 * LEN + 1] = '"';
    for (size_t i = 0; i < LEN; ++i)
        memcpy(wanted + 1 + 2 * i, "\\\"", 2);
    fa_json_writer_init(&w, NULL);
    fa_json_write_string(&w, (fa_slice){in, LEN});
    CHECK_INT(fa_json_writer_finish(&out, &w), ==, 0);
    CHECK(fa_slice_equal(out, (fa_slice){wanted, sizeof(wanted)}));
    fa_json_writer_free(&w);
}

static void test_invalid_utf8(void **state)
{
    static const char *const cases[] = {"\xff", "a\xc3", "\xed\xa0\x80",
                                        "long enough to be scanned \xe2\x82 in a block"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_json_writer w;
        fa_slice out;

        fa_json_writer_init(&w, NULL);
        CHECK_INT(fa_json_write_string(&w, fa_slice_of(cases[i])), ==, FA_ERR_JSON_UTF8);
        CHECK_INT(fa_json_write_null(&w), ==, FA_ERR_JSON_UTF8); /* it sticks */
        CHECK_INT(fa_json_writer_finish(&out, &w), ==, FA_ERR_JSON_UTF8);
        fa_json_writer_reset(&w);
        fa_json_begin_object(&w);
        CHECK_INT(fa_json_write_key(&w, fa_slice_of(cases[i])), ==, FA_ERR_JSON_UTF8);
        fa_json_writer_free(&w);
    }
}

static void test_nan(void **state)
{
    static const struct {
        fa_json_nan nan;
        int rv;
        const char *out;
    } cases[] = {
        {FA_JSON_NAN_ERROR, FA_ERR_JSON_RANGE, ""},
        {FA_JSON_NAN_NULL, 0, "[null,null,null]"},
        {FA_JSON_NAN_NAME, 0, "[NaN,Infinity,-Infinity]"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_json_writer_options options = {.nan = cases[i].nan};
        fa_json_writer w;
        fa_slice out = {NULL, 0};

        fa_json_writer_init(&w, &options);
        fa_json_begin_array(&w);
        fa_json_write_double(&w, (double)NAN);
        fa_json_write_double(&w, (double)INFINITY);
        fa_json_write_double(&w, -(double)INFINITY);
        fa_json_end_array(&w);
        CHECK_INT(fa_json_writer_finish(&out, &w), ==, cases[i].rv);
        CHECK_SLICE(out, cases[i].out);
        fa_json_writer_free(&w);
    }
}

/* One letter a call: see below. */
static int perform(fa_json_writer *w, char call)
{
    switch (call) {
    case '{': return fa_json_begin_object(w);
    case '}': return fa_json_end_object(w);
    case '[': return fa_json_begin_array(w);
    case ']': return fa_json_end_array(w);
    case 'k': return fa_json_write_key(w, FA_SLICE("k"));
    case 's': return fa_json_write_string(w, FA_SLICE("s"));
    case 'i': return fa_json_write_int64(w, 1);
    case 'u': return fa_json_write_uint64(w, 1);
    case 'd': return fa_json_write_double(w, 1);
    case 'b': return fa_json_write_bool(w, true);
    case 'n': return fa_json_write_null(w);
    case 'r': return fa_json_write_raw(w, FA_SLICE("1"));
    default: return fa_json_write_raw(w, FA_SLICE(""));
    }
}

/* Sequences whose last call is the wrong one. */
static void test_misuse(void **state)
{
    static const char *const cases[] = {
        "}",  "]",    "k",     "[}",    "{]",  "[k",   "{s",    "{i",  "{u",
        "{d", "{b",   "{n",    "{r",    "{[",  "{{",   "{kk",   "{k}", "{k]",
        "ss", "i[",   "n{",    "[]]",   "{}}", "[]i",  "{}k",   "sk",  "{kss",
        "sn", "{k[}", "{k{}]", "[[]]]", "{}{", "[[]}", "{k[]]",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        size_t last = strlen(cases[i]) - 1;
        fa_json_writer w;
        fa_slice out;

        fa_json_writer_init(&w, NULL);
        for (size_t k = 0; k < last; ++k)
            CHECK_INT(perform(&w, cases[i][k]), ==, 0);
        if (perform(&w, cases[i][last]) != FA_ERR_STATE)
            fail_msg("allowed: %s", cases[i]);
        CHECK_INT(fa_json_writer_finish(&out, &w), ==, FA_ERR_STATE);
        fa_json_writer_free(&w);
    }
}

static void test_unfinished(void **state)
{
    static const char *const cases[] = {"", "[", "{", "{k", "{ks", "[s", "[[]"};
    fa_json_writer w;
    fa_slice out = {NULL, 0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_json_writer_init(&w, NULL);
        for (const char *p = cases[i]; *p != '\0'; ++p)
            CHECK_INT(perform(&w, *p), ==, 0);
        CHECK_INT(fa_json_writer_finish(&out, &w), ==, FA_ERR_STATE);
        CHECK(out.p == NULL);
        fa_json_writer_free(&w);
    }
    fa_json_writer_init(&w, NULL);
    CHECK_INT(perform(&w, 'x'), ==, FA_ERR_INVALID); /* empty raw text */
    fa_json_writer_free(&w);
}

static void test_depth(void **state)
{
    fa_json_writer w;
    fa_slice out;

    (void)state;
    for (int over = 0; over < 2; ++over) {
        int rv = 0;

        fa_json_writer_init(&w, NULL);
        for (int i = 0; i < FA_JSON_DEPTH_MAX + over; ++i)
            rv = i % 2 == 0
                     ? fa_json_begin_array(&w)
                     : (fa_json_begin_object(&w), fa_json_write_key(&w, FA_SLICE("k")));
        if (over != 0) {
            CHECK_INT(rv, ==, FA_ERR_JSON_DEPTH);
        } else {
            fa_json_write_null(&w);
            for (int i = FA_JSON_DEPTH_MAX; i-- > 0;)
                rv = i % 2 == 0 ? fa_json_end_array(&w) : fa_json_end_object(&w);
            CHECK_INT(fa_json_writer_finish(&out, &w), ==, 0);
        }
        fa_json_writer_free(&w);
    }
}

static void test_in_arena(void **state)
{
    fa_arena arena;
    fa_json_writer_options options = {.arena = &arena, .first_bytes = 8};
    fa_json_writer w;
    fa_slice out;

    (void)state;
    fa__arena_init(&arena, &fa__malloc, 256);
    fa_json_writer_init(&w, &options);
    fa_json_begin_array(&w);
    for (int i = 0; i < 500; ++i)
        fa_json_write_int64(&w, i);
    fa_json_end_array(&w);
    CHECK_INT(fa_json_writer_finish(&out, &w), ==, 0);
    CHECK(fa_json_valid(out));
    CHECK_U64(out.len, ==, 10 + 90 * 2 + 400 * 3 + 499 + 2);
    fa_json_writer_free(&w);
    CHECK(fa_json_valid(out)); /* still the arena's */
    fa__arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_kinds),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_long_with_escapes),
        cmocka_unit_test(test_invalid_utf8),
        cmocka_unit_test(test_nan),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_in_arena),
    };

    return cmocka_run_group_tests_name("json/writer", tests, NULL, NULL);
}
