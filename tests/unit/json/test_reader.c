/* What the reader hands out, and what it takes for misuse. */
#include "check.h"
#include "walk.h"

#include "base/memory.h"

static void test_known_shape(void **state)
{
    fa_slice text = exact_copy(" {\"userId\" : \"user_12345\",\"x\":[1,{\"y\":null}], "
                               "\"value\":678 ,\"rate\":2.5,\"ok\":true} ");
    fa_slice key, user = {NULL, 0};
    int64_t value = 0;
    double rate = 0;
    bool ok = false;
    fa_json_reader r;

    (void)state;
    fa_json_reader_init(&r, text, NULL);
    CHECK_INT(fa_json_enter_object(&r), ==, 0);
    while (fa_json_next_key(&key, &r)) {
        if (fa_slice_equal(key, FA_SLICE("userId")))
            fa_json_read_string(&user, &r);
        else if (fa_slice_equal(key, FA_SLICE("value")))
            fa_json_read_int64(&value, &r);
        else if (fa_slice_equal(key, FA_SLICE("rate")))
            fa_json_read_double(&rate, &r);
        else if (fa_slice_equal(key, FA_SLICE("ok")))
            fa_json_read_bool(&ok, &r);
        else
            fa_json_skip(&r);
    }
    CHECK_INT(fa_json_end(&r), ==, 0);
    CHECK_INT(fa_json_error(&r), ==, 0);
    CHECK_SLICE(user, "user_12345");
    CHECK(user.p > text.p && user.p < text.p + text.len); /* no copy was made */
    CHECK_INT(value, ==, 678);
    CHECK(rate == 2.5);
    CHECK(ok);
    exact_free(text);
}

static void test_strings(void **state)
{
    static const struct {
        const char *text, *out;
    } cases[] = {
        {"\"\"", ""},
        {"\"abc\"", "abc"},
        {"\"exactly sixteen.\"", "exactly sixteen."},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u0041\\u00e9\\u20AC\"", "A\xc3\xa9\xe2\x82\xac"},
        {"\"\\uD834\\uDD1E\"", "\xf0\x9d\x84\x9e"},
        {"\"\\ud83d\\ude00 then \\uFFFF\"", "\xf0\x9f\x98\x80 then \xef\xbf\xbf"},
        {"\"Zo\xc3\xab and a longer run of text, \xf0\x9f\x98\x80 at the end\"",
         "Zo\xc3\xab and a longer run of text, \xf0\x9f\x98\x80 at the end"},
        {"\"first plain, then after sixteen bytes \\u00e9 and \xc3\xa9\"",
         "first plain, then after sixteen bytes \xc3\xa9 and \xc3\xa9"},
        {"\"\x7f\"", "\x7f"},
    };
    char scratch[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice text = exact_copy(cases[i].text), out = {NULL, 0};
        fa_json_reader_options options = {.scratch = scratch,
                                          .scratch_bytes = sizeof(scratch)};
        fa_json_reader r;

        fa_json_reader_init(&r, text, &options);
        CHECK_INT(fa_json_read_string(&out, &r), ==, 0);
        CHECK_SLICE(out, cases[i].out);
        CHECK_INT(fa_json_end(&r), ==, 0);
        exact_free(text);
    }
}

static void test_nul_in_string(void **state)
{
    char scratch[32];
    fa_json_reader_options options = {.scratch = scratch, .scratch_bytes = 32};
    fa_slice out;
    fa_json_reader r;

    (void)state;
    fa_json_reader_init(&r, FA_SLICE("\"a\\u0000b\""), &options);
    CHECK_INT(fa_json_read_string(&out, &r), ==, 0);
    CHECK(fa_slice_equal(out, FA_SLICE("a\0b")));
}

static int read_as(fa_json_type type, bool is_unsigned, fa_json_reader *r)
{
    fa_slice v;
    int64_t i;
    uint64_t u;
    bool b;

    switch (type) {
    case FA_JSON_NULL: return fa_json_read_null(r);
    case FA_JSON_BOOL: return fa_json_read_bool(&b, r);
    case FA_JSON_STRING: return fa_json_read_string(&v, r);
    case FA_JSON_ARRAY: return fa_json_enter_array(r);
    case FA_JSON_OBJECT: return fa_json_enter_object(r);
    default: return is_unsigned ? fa_json_read_uint64(&u, r) : fa_json_read_int64(&i, r);
    }
}

static void test_types(void **state)
{
    static const struct {
        const char *text;
        fa_json_type type;
    } values[] = {
        {"null", FA_JSON_NULL}, {"true", FA_JSON_BOOL}, {"false", FA_JSON_BOOL},
        {"17", FA_JSON_NUMBER}, {"0", FA_JSON_NUMBER},  {"\"s\"", FA_JSON_STRING},
        {"[1]", FA_JSON_ARRAY}, {"{}", FA_JSON_OBJECT},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); ++i) {
        for (fa_json_type as = FA_JSON_NULL; as <= FA_JSON_OBJECT; ++as) {
            int wanted = as == values[i].type ? 0 : FA_ERR_JSON_TYPE;
            fa_json_reader r;

            fa_json_reader_init(&r, fa_slice_of(values[i].text), NULL);
            CHECK_INT(fa_json_peek(&r), ==, values[i].type);
            CHECK_INT(read_as(as, i % 2 != 0, &r), ==, wanted);
            CHECK_INT(fa_json_error(&r), ==, wanted);
        }
    }
}

static void test_integers(void **state)
{
    static const struct {
        const char *text;
        int rv_signed, rv_unsigned;
        int64_t i;
        uint64_t u;
    } cases[] = {
        {"0", 0, 0, 0, 0},
        {"-0", 0, 0, 0, 0},
        {"-1", 0, FA_ERR_JSON_RANGE, -1, 7},
        {"9223372036854775807", 0, 0, INT64_MAX, INT64_MAX},
        {"9223372036854775808", FA_ERR_JSON_RANGE, 0, 7, (uint64_t)INT64_MAX + 1},
        {"-9223372036854775808", 0, FA_ERR_JSON_RANGE, INT64_MIN, 7},
        {"-9223372036854775809", FA_ERR_JSON_RANGE, FA_ERR_JSON_RANGE, 7, 7},
        {"18446744073709551615", FA_ERR_JSON_RANGE, 0, 7, UINT64_MAX},
        {"18446744073709551616", FA_ERR_JSON_RANGE, FA_ERR_JSON_RANGE, 7, 7},
        {"99999999999999999999", FA_ERR_JSON_RANGE, FA_ERR_JSON_RANGE, 7, 7},
        {"100000000000000000000", FA_ERR_JSON_RANGE, FA_ERR_JSON_RANGE, 7, 7},
        {"1.0", FA_ERR_JSON_TYPE, FA_ERR_JSON_TYPE, 7, 7},
        {"1e2", FA_ERR_JSON_TYPE, FA_ERR_JSON_TYPE, 7, 7},
        {"\"1\"", FA_ERR_JSON_TYPE, FA_ERR_JSON_TYPE, 7, 7},
        {"1.", FA_ERR_JSON_END, FA_ERR_JSON_END, 7, 7},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice text = exact_copy(cases[i].text);
        int64_t v = 7;
        uint64_t u = 7;
        fa_json_reader r;

        fa_json_reader_init(&r, text, NULL);
        CHECK_INT(fa_json_read_int64(&v, &r), ==, cases[i].rv_signed);
        CHECK_INT(v, ==, cases[i].i);
        CHECK_INT(fa_json_end(&r), ==, cases[i].rv_signed);
        fa_json_reader_init(&r, text, NULL);
        CHECK_INT(fa_json_read_uint64(&u, &r), ==, cases[i].rv_unsigned);
        CHECK_U64(u, ==, cases[i].u);
        exact_free(text);
    }
}

static void test_number_text(void **state)
{
    static const char big[] = "[-123456789012345678901234567890.5e-7, 1]";
    fa_json_reader r;
    fa_slice v;

    (void)state;
    fa_json_reader_init(&r, fa_slice_of(big), NULL);
    fa_json_enter_array(&r);
    CHECK(fa_json_next_element(&r));
    CHECK_INT(fa_json_read_number(&v, &r), ==, 0);
    CHECK_SLICE(v, "-123456789012345678901234567890.5e-7");
    CHECK(fa_json_next_element(&r));
    CHECK_INT(fa_json_read_raw(&v, &r), ==, 0);
    CHECK_SLICE(v, "1");
    CHECK(!fa_json_next_element(&r));
    CHECK_INT(fa_json_end(&r), ==, 0);
}

static void test_raw(void **state)
{
    fa_json_reader r;
    fa_slice v = {NULL, 0};

    (void)state;
    fa_json_reader_init(&r, FA_SLICE(" { \"a\" : [ 1 , {} ] } "), NULL);
    CHECK_INT(fa_json_read_raw(&v, &r), ==, 0);
    CHECK_SLICE(v, "{ \"a\" : [ 1 , {} ] }");
    CHECK_INT(fa_json_end(&r), ==, 0);
}

static void test_nan(void **state)
{
    static const char text[] = "[NaN,Infinity,-Infinity,-1,1e999,-1e999]";
    fa_json_reader_options options = {.allow_nan = true};
    double v[6] = {0};
    fa_json_reader r;
    int64_t i;
    size_t n = 0;

    (void)state;
    fa_json_reader_init(&r, fa_slice_of(text), &options);
    fa_json_enter_array(&r);
    while (fa_json_next_element(&r))
        fa_json_read_double(&v[n++], &r);
    CHECK_INT(fa_json_end(&r), ==, 0);
    CHECK_INT(n, ==, 6);
    CHECK(v[0] != v[0]);
    CHECK(__builtin_isinf(v[1]) && v[1] > 0 && __builtin_isinf(v[2]) && v[2] < 0);
    CHECK(v[3] == -1);
    CHECK(v[4] == v[1] && v[5] == v[2]);

    fa_json_reader_init(&r, FA_SLICE("-Infinity"), &options);
    CHECK_INT(fa_json_read_int64(&i, &r), ==, FA_ERR_JSON_TYPE);
    fa_json_reader_init(&r, FA_SLICE("Infinit"), &options);
    CHECK_INT(fa_json_skip(&r), ==, FA_ERR_JSON_END);
    fa_json_reader_init(&r, FA_SLICE("[1e999]"), NULL);
    fa_json_enter_array(&r);
    CHECK(fa_json_next_element(&r));
    CHECK_INT(fa_json_read_double(v, &r), ==, FA_ERR_JSON_RANGE);
    CHECK_U64(fa_json_position(&r), ==, 1);
    CHECK(fa_json_valid(FA_SLICE("[1e999]"))); /* the text itself is JSON */
}

static void test_lone_surrogates(void **state)
{
    char scratch[64];
    fa_json_reader_options options = {.scratch = scratch,
                                      .scratch_bytes = sizeof(scratch),
                                      .allow_lone_surrogates = true};
    fa_json_reader r;
    fa_slice v = {NULL, 0};

    (void)state;
    fa_json_reader_init(&r, FA_SLICE("\"\\ud800x\\udc00\\ud83d\\ude00\\ud800\\n\""),
                        &options);
    CHECK_INT(fa_json_read_string(&v, &r), ==, 0);
    CHECK_SLICE(v, "\xed\xa0\x80x\xed\xb0\x80\xf0\x9f\x98\x80\xed\xa0\x80\n");
}

static void test_depth(void **state)
{
    enum { LEVELS = FA_JSON_DEPTH_MAX + 1 };
    char text[2 * LEVELS];
    fa_slice last;

    (void)state;
    for (uint32_t max = 1; max <= FA_JSON_DEPTH_MAX; max = max * 2 + (max == 1)) {
        for (uint32_t levels = max; levels <= max + 1; ++levels) {
            fa_json_reader_options options = {.max_depth = max};
            fa_slice v = {text, 2 * (size_t)levels};
            int wanted = levels > max ? FA_ERR_JSON_DEPTH : 0;
            fa_json_reader r;

            memset(text, '[', levels);
            memset(text + levels, ']', levels);
            fa_json_reader_init(&r, v, &options);
            fa_json_skip(&r);
            CHECK_INT(fa_json_end(&r), ==, wanted);
            if (wanted != 0)
                CHECK_U64(fa_json_position(&r), ==, max);
            fa_json_reader_init(&r, v, &options);
            CHECK_INT(walk(&r, &last), ==, wanted);
        }
    }
}

/* Objects and arrays are told apart on the way out, at every depth of the bit set. */
static void test_mixed_nesting(void **state)
{
    enum { LEVELS = 200 };
    char open[LEVELS * 5 + 2], text[sizeof(open) + LEVELS];
    size_t n = 0;
    fa_slice last;
    fa_json_reader r;

    (void)state;
    for (size_t i = 0; i < LEVELS; ++i) {
        memcpy(open + n, i % 3 == 0 ? "{\"k\":" : "[", i % 3 == 0 ? 5 : 1);
        n += i % 3 == 0 ? 5 : 1;
    }
    open[n++] = '7';
    memcpy(text, open, n);
    for (size_t i = LEVELS; i-- > 0;)
        text[n++] = i % 3 == 0 ? '}' : ']';
    fa_json_reader_init(&r, (fa_slice){text, n}, NULL);
    CHECK_INT(walk(&r, &last), ==, 0);
    CHECK(fa_json_valid((fa_slice){text, n}));
    text[n - 60] = text[n - 60] == ']' ? '}' : ']';
    fa_json_reader_init(&r, (fa_slice){text, n}, NULL);
    CHECK_INT(walk(&r, &last), ==, FA_ERR_JSON_SYNTAX);
    CHECK_U64(fa_json_position(&r), ==, n - 60);
}

static void test_misuse(void **state)
{
    fa_json_reader_options options = {.max_depth = FA_JSON_DEPTH_MAX + 1};
    fa_json_reader r;
    fa_slice key = {NULL, 0};

    (void)state;
    fa_json_reader_init(&r, FA_SLICE("{}"), &options);
    CHECK_INT(fa_json_skip(&r), ==, FA_ERR_INVALID);

    fa_json_reader_init(&r, FA_SLICE("{\"a\":1}"), NULL);
    CHECK(!fa_json_next_key(&key, &r)); /* not entered */
    CHECK_INT(fa_json_end(&r), ==, FA_ERR_STATE);

    fa_json_reader_init(&r, FA_SLICE("{\"a\":1}"), NULL);
    fa_json_enter_object(&r);
    CHECK_INT(fa_json_skip(&r), ==, FA_ERR_STATE); /* a key is due */

    fa_json_reader_init(&r, FA_SLICE("{\"a\":1}"), NULL);
    fa_json_enter_object(&r);
    CHECK(!fa_json_next_element(&r)); /* no array */
    CHECK_INT(fa_json_error(&r), ==, FA_ERR_STATE);

    fa_json_reader_init(&r, FA_SLICE("[1]"), NULL);
    fa_json_enter_array(&r);
    CHECK(!fa_json_next_key(&key, &r)); /* no object */
    CHECK_INT(fa_json_error(&r), ==, FA_ERR_STATE);

    fa_json_reader_init(&r, FA_SLICE("{\"a\":1,\"b\":2}"), NULL);
    fa_json_enter_object(&r);
    CHECK(fa_json_next_key(&key, &r));
    CHECK(!fa_json_next_key(&key, &r)); /* the value is still due */
    CHECK_INT(fa_json_error(&r), ==, FA_ERR_STATE);
    CHECK_SLICE(key, "a");

    fa_json_reader_init(&r, FA_SLICE("[1]"), NULL);
    fa_json_enter_array(&r);
    CHECK_INT(fa_json_end(&r), ==, FA_ERR_STATE); /* not all read */

    fa_json_reader_init(&r, FA_SLICE("1"), NULL);
    CHECK_INT(fa_json_skip(&r), ==, 0);
    CHECK_INT(fa_json_peek(&r), ==, FA_JSON_INVALID); /* nothing left */
    CHECK_INT(fa_json_error(&r), ==, FA_ERR_STATE);
}

/* The first error stays, whatever comes after it. */
static void test_sticky(void **state)
{
    fa_json_reader r;
    fa_slice v = {NULL, 0};
    int64_t i = 7;

    (void)state;
    fa_json_reader_init(&r, FA_SLICE("[\"a\",2]"), NULL);
    fa_json_enter_array(&r);
    CHECK(fa_json_next_element(&r));
    CHECK_INT(fa_json_read_int64(&i, &r), ==, FA_ERR_JSON_TYPE);
    CHECK_INT(fa_json_read_string(&v, &r), ==, FA_ERR_JSON_TYPE);
    CHECK(!fa_json_next_element(&r));
    CHECK(!fa_json_next_key(&v, &r));
    CHECK_INT(fa_json_skip(&r), ==, FA_ERR_JSON_TYPE);
    CHECK_INT(fa_json_enter_object(&r), ==, FA_ERR_JSON_TYPE);
    CHECK_INT(fa_json_read_raw(&v, &r), ==, FA_ERR_JSON_TYPE);
    CHECK_INT(fa_json_end(&r), ==, FA_ERR_JSON_TYPE);
    CHECK_U64(fa_json_position(&r), ==, 1);
    CHECK(v.p == NULL && i == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_shape),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_nul_in_string),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_number_text),
        cmocka_unit_test(test_raw),
        cmocka_unit_test(test_nan),
        cmocka_unit_test(test_lone_surrogates),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_mixed_nesting),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_sticky),
    };

    return cmocka_run_group_tests_name("json/reader", tests, NULL, NULL);
}
