/* Texts that a reader must take (y), must refuse (n), or may treat as it likes (i),
   where our choice is pinned; one table a kind, by the rule of RFC 8259 they try. */
#include "check.h"
#include "walk.h"

typedef struct sample {
    const char *text;
    size_t len;
} sample;

#define T(literal)                                                                       \
    {                                                                                    \
        "" literal, sizeof(literal) - 1                                                  \
    }

static const sample accepted[] = {
    /* section 2: any value is a text; space around each token */
    T("null"),
    T("true"),
    T("false"),
    T("0"),
    T("\"\""),
    T("[]"),
    T("{}"),
    T(" \t\r\n[ \t\r\n1 \t\r\n, \t\r\n2 \t\r\n] \t\r\n"),
    T(" { \"a\" : { } , \"b\" : [ ] } "),
    /* section 4: empty, equal and odd keys */
    T("{\"\":0}"),
    T("{\"a\":1,\"a\":2}"),
    T("{\"a\":1,\"a\":1}"),
    T("{\"\\u0000\":0}"),
    T("{\"a b\":{\"c\":[]}}"),
    T("{\"\xe2\x82\xac\":\"\xf0\x9f\x98\x80\"}"),
    /* section 5 */
    T("[[],[[]],{}]"),
    T("[null,1,\"1\",{}]"),
    T("[ 1]"),
    T("[1,\n2]"),
    /* section 6 */
    T("-0"),
    T("-0.0"),
    T("0e1"),
    T("0E+1"),
    T("0e-00001"),
    T("1E22"),
    T("1e+2"),
    T("1e-2"),
    T("123.456e78"),
    T("-123"),
    T("0.1"),
    T("10"),
    T("1.000000000000000005"),
    T("-237462374673276894279832749832423479823246327846"),
    T("-1e-99999999999999999999"),
    T("123123e100000"),
    T("0.4e00669999999999999999999"),
    /* section 7 */
    T("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
    T("\"\\u0012\""),
    T("\"\\uD801\\udc37\""),
    T("\"\\uDBFF\\uDFFF\""),
    T("\"\\uFFFE \\uFDD0\""),
    T("\"\\u0000\""),
    T("\"\x7f\""),
    T("\"\\\\u0000\""),
    T("\"\\\\n\""),
    T("\"\xe2\x80\xa8\xe2\x80\xa9\""),
    T("\" \""),
    T("\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\""),
    T("\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""),
    T("\"/*\""),
    T("\"// not a comment\""),
};

static const sample refused[] = {
    /* nothing, or nothing that ends */
    T(""),
    T(" "),
    T("\n\n"),
    T("["),
    T("]"),
    T("{"),
    T("}"),
    T("[1"),
    T("[1,"),
    T("[\"a\""),
    T("{\"a\""),
    T("{\"a\":"),
    T("{\"a\":1"),
    T("{\"a\":1,"),
    T("\""),
    T("\"a"),
    T("[\"a]"),
    T("\"\\"),
    T("\"\\\""),
    T("\"\\u"),
    T("\"\\u0"),
    T("\"\\uD834\\u"),
    T("[[[[["),
    T("{\"a\":{\"b\":["),
    T("n"),
    T("nul"),
    T("tru"),
    T("fals"),
    /* more than one value */
    T("1 2"),
    T("[][]"),
    T("{}{}"),
    T("[1]x"),
    T("{}#"),
    T("1,"),
    T("null,"),
    T("\"\"\"\""),
    T("[] /* */"),
    T("{}//"),
    T("[1]\0"),
    T("1\x0b"),
    /* commas and colons */
    T("[,]"),
    T("[,1]"),
    T("[1,,2]"),
    T("[1,]"),
    T("[1,\n]"),
    T("[1 2]"),
    T("[1:2]"),
    T("[:]"),
    T("{,}"),
    T("{\"a\":1,}"),
    T("{\"a\":1,,\"b\":2}"),
    T("{\"a\",1}"),
    T("{\"a\"}"),
    T("{\"a\"::1}"),
    T("{\"a\":1:2}"),
    T("{:1}"),
    T("{\"a\":}"),
    T("{\"a\" 1}"),
    T("{\"a\":1 \"b\":2}"),
    T("[\"a\"\"b\"]"),
    /* keys that are no strings */
    T("{a:1}"),
    T("{1:1}"),
    T("{null:1}"),
    T("{'a':1}"),
    T("{[]:1}"),
    T("{{}:1}"),
    T("{\"a\":1,b:2}"),
    T("{\"a\" \"b\":1}"),
    /* brackets */
    T("[}"),
    T("{]"),
    T("[1}"),
    T("{\"a\":1]"),
    T("[[1]"),
    T("[1]]"),
    T("{{}}"),
    T("([1])"),
    T("<null>"),
    T("[<null>]"),
    /* words */
    T("True"),
    T("NULL"),
    T("nulll"),
    T("truefalse"),
    T("[nan]"),
    T("NaN"),
    T("Infinity"),
    T("-Infinity"),
    T("[-NaN]"),
    T("Inf"),
    T("undefined"),
    T("[tru]"),
    T("[fals,1]"),
    /* numbers: section 6 */
    T("-"),
    T("+"),
    T("+1"),
    T("++1"),
    T("--1"),
    T("-+1"),
    T("- 1"),
    T("01"),
    T("-01"),
    T("-012"),
    T("00"),
    T("1."),
    T("-1."),
    T("0."),
    T(".1"),
    T("-.1"),
    T(".e1"),
    T("1.e1"),
    T("0.e1"),
    T("1e"),
    T("1E"),
    T("1e+"),
    T("1e-"),
    T("1ee1"),
    T("1e1.5"),
    T("1.2.3"),
    T("1.2-3"),
    T("0x1"),
    T("0xF"),
    T("1_000"),
    T("1 000"),
    T("1,5"),
    T("1f"),
    T("1L"),
    T("1+2"),
    T("2.e+3"),
    T("9.e+"),
    T("\xef\xbc\x91"),
    T("\xd9\xa1"),
    T("[1\0]"),
    /* strings: section 7 */
    T("'a'"),
    T("`a`"),
    T("a"),
    T("\"a\nb\""),
    T("\"a\tb\""),
    T("\"a\0b\""),
    T("\"\x1f\""),
    T("\"\\a\""),
    T("\"\\v\""),
    T("\"\\0\""),
    T("\"\\x41\""),
    T("\"\\'\""),
    T("\"\\ \""),
    T("\"\\\n\""),
    T("\"\\U0041\""),
    T("\"\\u 041\""),
    T("\"\\u004\""),
    T("\"\\u00G1\""),
    T("\"\\u+041\""),
    T("\"\\\xf0\x9f\x8c\x80\""),
    T("\"\\u\xff\""),
    T("\\u0022a\\u0022"),
    T("\"\\uD800\\u\""),
    T("\"\\uD800\\uD\""),
    T("\"\\uD800\\x\""),
    /* space that is none */
    T("\x0b"
      "1"),
    T("\x0c[]"),
    T("[\x0c]"),
    T("\xc2\xa0"
      "1"),
    T("\xe2\x80\x83[]"),
    T("[\xe2\x81\xa0]"),
    /* comments */
    T("/* */ 1"),
    T("// 1\n1"),
    T("# 1\n1"),
    T("{/**/\"a\":1}"),
    T("[1/**/]"),
    /* not UTF-8, or not only: section 8.1 */
    T("\"\xff\""),
    T("\"\x80\""),
    T("\"\xbf\""),
    T("\"\xc0\xaf\""),
    T("\"\xc1\xbf\""),
    T("\"\xe0\x80\xaf\""),
    T("\"\xe0\x9f\xbf\""),
    T("\"\xf0\x80\x80\xaf\""),
    T("\"\xf0\x8f\xbf\xbf\""),
    T("\"\xf4\x90\x80\x80\""),
    T("\"\xf5\x80\x80\x80\""),
    T("\"\xfc\x80\x80\x80\x80\x80\""),
    T("\"\xe9\""),
    T("\"\xc3\""),
    T("\"\xe2\x82\""),
    T("\"\xf0\x9f\x98\""),
    T("\"\xc3 \""),
    T("[\xff]"),
    T("\xff"),
    T("[1\xe5]"),
    T("{\"\xe9\":1}"),
    T("\xff\xfe[\0]\0"),
    T("[\0\"\0\xe9\0\"\0]\0"),
    T("\0[\0]"),
};

/* Where section 8, 4, 9 or 7 leaves the choice to us. */
static const sample our_choice_refused[] = {
    T("\xef\xbb\xbf[]"),                       /* 8.1: a byte order mark */
    T("\"\\uD800\""),        T("\"\\uDC00\""), /* 8.2: half a pair */
    T("\"\\uDD1E\\uD834\""), T("\"\\uD888\\u1234\""), T("\"\\uD800\\uD800\\n\""),
    T("\"\\ud800abc\""),     T("\"\xed\xa0\x80\""),   T("\"\xed\xbf\xbf\""),
};

static void check_refused(const sample *s)
{
    fa_slice text = exact_bytes(s->text, s->len), last;
    char scratch[64];
    fa_json_reader_options options = {.scratch = scratch,
                                      .scratch_bytes = sizeof(scratch)};
    fa_json_reader r;
    size_t at;
    int error;

    if (fa_json_valid(text))
        fail_msg("accepted: %s", s->text);
    fa_json_reader_init(&r, text, &options);
    error = walk(&r, &last);
    at = fa_json_position(&r);
    if (error == 0)
        fail_msg("read: %s", s->text);
    /* Skipping finds the same error at the same place. */
    fa_json_reader_init(&r, text, &options);
    fa_json_skip(&r);
    CHECK_INT(fa_json_end(&r), ==, error);
    CHECK_U64(fa_json_position(&r), ==, at);
    CHECK(at <= s->len);
    exact_free(text);
}

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); ++i)
        check_refused(&refused[i]);
    for (size_t i = 0; i < ARRAY_LEN(our_choice_refused); ++i)
        check_refused(&our_choice_refused[i]);
}

static void test_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(accepted); ++i) {
        fa_slice text = exact_bytes(accepted[i].text, accepted[i].len), last;
        char scratch[128];
        fa_json_reader_options options = {.scratch = scratch,
                                          .scratch_bytes = sizeof(scratch)};
        fa_json_reader r;

        if (!fa_json_valid(text))
            fail_msg("refused: %s", accepted[i].text);
        fa_json_reader_init(&r, text, &options);
        if (walk(&r, &last) != 0)
            fail_msg("not read: %s", accepted[i].text);
        exact_free(text);
    }
}

/* No prefix of a container or a string is a text, wherever it is cut. */
static void test_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(accepted); ++i) {
        if (strchr("[{\"", accepted[i].text[0]) == NULL)
            continue;
        for (size_t n = 0; n < accepted[i].len; ++n) {
            fa_slice text = exact_bytes(accepted[i].text, n);

            CHECK(!fa_json_valid(text));
            exact_free(text);
        }
    }
}

/* A special byte is found at every distance from the start and the end of the text. */
static void test_special_byte_anywhere(void **state)
{
    static const struct {
        char c;
        int error;
    } specials[] = {{'\x1f', FA_ERR_JSON_CONTROL},
                    {'\\', FA_ERR_JSON_ESCAPE},
                    {'\xff', FA_ERR_JSON_UTF8},
                    {'"', FA_ERR_JSON_TRAILING},
                    {'\0', FA_ERR_JSON_CONTROL},
                    {' ', 0},
                    {'!', 0},
                    {'#', 0},
                    {'[', 0},
                    {']', 0}};

    (void)state;
    for (size_t len = 1; len < 70; ++len) {
        for (size_t at = 0; at < len; ++at) {
            for (size_t k = 0; k < ARRAY_LEN(specials); ++k) {
                char buffer[80];
                fa_slice text;
                fa_json_reader r;

                memset(buffer, 'x', len + 2);
                buffer[0] = buffer[len + 1] = '"';
                buffer[1 + at] = specials[k].c;
                text = exact_bytes(buffer, len + 2);
                fa_json_reader_init(&r, text, NULL);
                fa_json_skip(&r);
                if (specials[k].c == '\\' && at == len - 1)
                    CHECK_INT(fa_json_end(&r), ==, FA_ERR_JSON_END); /* \" */
                else
                    CHECK_INT(fa_json_end(&r), ==, specials[k].error);
                exact_free(text);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_special_byte_anywhere),
    };

    return cmocka_run_group_tests_name("json/texts", tests, NULL, NULL);
}
