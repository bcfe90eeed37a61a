/* Each error at its byte, whichever way the text is read. */
#include "check.h"
#include "walk.h"

static const struct {
    const char *text;
    int error;
    size_t at;
} cases[] = {
    {"", FA_ERR_JSON_END, 0},
    {"  ", FA_ERR_JSON_END, 2},
    {"[", FA_ERR_JSON_END, 1},
    {"[1", FA_ERR_JSON_END, 2},
    {"[1,", FA_ERR_JSON_END, 3},
    {"{", FA_ERR_JSON_END, 1},
    {"{\"a\"", FA_ERR_JSON_END, 4},
    {"{\"a\":", FA_ERR_JSON_END, 5},
    {"{\"a\":1", FA_ERR_JSON_END, 6},
    {"{\"a\":1,", FA_ERR_JSON_END, 7},
    {"\"abc", FA_ERR_JSON_END, 4},
    {"\"a string of more than sixteen", FA_ERR_JSON_END, 30},
    {"\"\\", FA_ERR_JSON_END, 2},
    {"\"\\u12", FA_ERR_JSON_END, 5},
    {"tru", FA_ERR_JSON_END, 3},
    {"-", FA_ERR_JSON_END, 1},
    {"1.", FA_ERR_JSON_END, 2},
    {"1e", FA_ERR_JSON_END, 2},
    {"1e+", FA_ERR_JSON_END, 3},
    {"x", FA_ERR_JSON_SYNTAX, 0},
    {"\xef\xbb\xbf{}", FA_ERR_JSON_SYNTAX, 0},
    {"[,]", FA_ERR_JSON_SYNTAX, 1},
    {"[1 2]", FA_ERR_JSON_SYNTAX, 3},
    {"[1,]", FA_ERR_JSON_SYNTAX, 3},
    {"[1}", FA_ERR_JSON_SYNTAX, 2},
    {"{\"a\" 1}", FA_ERR_JSON_SYNTAX, 5},
    {"{\"a\":1,}", FA_ERR_JSON_SYNTAX, 7},
    {"{1:2}", FA_ERR_JSON_SYNTAX, 1},
    {"{\"a\":1]", FA_ERR_JSON_SYNTAX, 6},
    {"nulL", FA_ERR_JSON_SYNTAX, 3},
    {"[NaN]", FA_ERR_JSON_SYNTAX, 1},
    {"[+1]", FA_ERR_JSON_SYNTAX, 1},
    {"[\"a\", \v1]", FA_ERR_JSON_SYNTAX, 6},
    {"1 2", FA_ERR_JSON_TRAILING, 2},
    {"{}}", FA_ERR_JSON_TRAILING, 2},
    {"[01]", FA_ERR_JSON_NUMBER, 2},
    {"[-x]", FA_ERR_JSON_NUMBER, 2},
    {"[1.e5]", FA_ERR_JSON_NUMBER, 3},
    {"[1e+]", FA_ERR_JSON_NUMBER, 4},
    {"[-Infinity]", FA_ERR_JSON_NUMBER, 2},
    {"\"\xff\"", FA_ERR_JSON_UTF8, 1},
    {"\"sixteen and more bytes \xc3\x28\"", FA_ERR_JSON_UTF8, 24},
    {"\"\xed\xa0\x80\"", FA_ERR_JSON_UTF8, 1},
    {"\"\xe2\x82", FA_ERR_JSON_UTF8, 1},
    {"{\"\xc0\x80\":1}", FA_ERR_JSON_UTF8, 2},
    {"\"a\\x\"", FA_ERR_JSON_ESCAPE, 2},
    {"\"\\u12G4\"", FA_ERR_JSON_ESCAPE, 1},
    {"\"\\uD800\"", FA_ERR_JSON_ESCAPE, 1},
    {"\"\\uDC00\"", FA_ERR_JSON_ESCAPE, 1},
    {"\"\\uD800\\u0041\"", FA_ERR_JSON_ESCAPE, 1},
    {"\"ab\tc\"", FA_ERR_JSON_CONTROL, 3},
    {"{\"a\n\":1}", FA_ERR_JSON_CONTROL, 3},
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice text = exact_copy(cases[i].text), last;
        fa_json_reader r;

        fa_json_reader_init(&r, text, NULL);
        fa_json_skip(&r);
        if (fa_json_end(&r) != cases[i].error || fa_json_position(&r) != cases[i].at)
            fail_msg("skip %s: %d at %zu", cases[i].text, fa_json_error(&r),
                     fa_json_position(&r));
        fa_json_reader_init(&r, text, NULL);
        if (walk(&r, &last) != cases[i].error || fa_json_position(&r) != cases[i].at)
            fail_msg("read %s: %d at %zu", cases[i].text, fa_json_error(&r),
                     fa_json_position(&r));
        CHECK(!fa_json_valid(text));
        exact_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
    };

    return cmocka_run_group_tests_name("json/errors", tests, NULL, NULL);
}
