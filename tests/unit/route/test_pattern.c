#include "route/pattern.h"

#include <fasterapi/error.h>

#include "check.h"

static void test_parts(void **state)
{
    fa_slice text = exact_copy("/a{b}c{d_1:int}/{E:float}{f:uuid}/{g:path}{h:str}.json");
    fa__pattern p;

    (void)state;
    CHECK_INT(fa__pattern_parse(&p, text, false), ==, 0);
    CHECK_INT(p.param_count, ==, 6);
    CHECK_SLICE(p.literals[0], "/a");
    CHECK_SLICE(p.params[0].name, "b");
    CHECK_INT(p.params[0].convertor, ==, FA__CONVERTOR_STR);
    CHECK_SLICE(p.literals[1], "c");
    CHECK_SLICE(p.params[1].name, "d_1");
    CHECK_INT(p.params[1].convertor, ==, FA__CONVERTOR_INT);
    CHECK_SLICE(p.literals[2], "/");
    CHECK_SLICE(p.params[2].name, "E");
    CHECK_INT(p.params[2].convertor, ==, FA__CONVERTOR_FLOAT);
    CHECK_SLICE(p.literals[3], "");
    CHECK_INT(p.params[3].convertor, ==, FA__CONVERTOR_UUID);
    CHECK_INT(p.params[4].convertor, ==, FA__CONVERTOR_PATH);
    CHECK_INT(p.params[5].convertor, ==, FA__CONVERTOR_STR);
    CHECK_SLICE(p.literals[6], ".json");
    exact_free(text);
}

static void test_errors(void **state)
{
    static const struct {
        const char *text;
        int strict, loose;
    } cases[] = {
        {"/", 0, 0},
        {"", FA_ERR_ROUTE_SYNTAX, FA_ERR_ROUTE_SYNTAX},
        {"a", FA_ERR_ROUTE_SYNTAX, FA_ERR_ROUTE_SYNTAX},
        {"{a}", FA_ERR_ROUTE_SYNTAX, FA_ERR_ROUTE_SYNTAX},
        {"/{", FA_ERR_ROUTE_SYNTAX, 0},
        {"/}", FA_ERR_ROUTE_SYNTAX, 0},
        {"/{}", FA_ERR_ROUTE_SYNTAX, 0},
        {"/{a", FA_ERR_ROUTE_SYNTAX, 0},
        {"/{a:", FA_ERR_ROUTE_SYNTAX, 0},
        {"/{a:}", FA_ERR_ROUTE_SYNTAX, 0},
        {"/{a:int", FA_ERR_ROUTE_SYNTAX, 0},
        {"/{a b}", FA_ERR_ROUTE_SYNTAX, 0},
        {"/{1}", FA_ERR_ROUTE_SYNTAX, 0},
        {"/{a:1}", FA_ERR_ROUTE_SYNTAX, 0},
        {"/{a-b}", FA_ERR_ROUTE_SYNTAX, 0},
        {"/{\xC3\xA9}", FA_ERR_ROUTE_SYNTAX, 0},
        {"/{{a}", FA_ERR_ROUTE_SYNTAX, 0},
        {"/{a}}", FA_ERR_ROUTE_SYNTAX, 0},
        {"/\xC3\xA9", 0, 0},
        {"/\xC3", FA_ERR_ROUTE_SYNTAX, FA_ERR_ROUTE_SYNTAX},
        {"/\x80", FA_ERR_ROUTE_SYNTAX, FA_ERR_ROUTE_SYNTAX},
        {"/{a:Int}", FA_ERR_ROUTE_CONVERTOR, FA_ERR_ROUTE_CONVERTOR},
        {"/{a:integer}", FA_ERR_ROUTE_CONVERTOR, FA_ERR_ROUTE_CONVERTOR},
        {"/{a}/{a}", FA_ERR_ROUTE_PARAMETER, FA_ERR_ROUTE_PARAMETER},
        {"/{a:int}/{b}/{a:path}", FA_ERR_ROUTE_PARAMETER, FA_ERR_ROUTE_PARAMETER},
        {"/{a}/{A}/{aa}", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice text = exact_copy(cases[i].text);
        fa__pattern p = {.param_count = 77};

        CHECK_INT(fa__pattern_parse(&p, text, false), ==, cases[i].strict);
        if (cases[i].strict != 0)
            CHECK_INT(p.param_count, ==, 77);
        CHECK_INT(fa__pattern_parse(&p, text, true), ==, cases[i].loose);
        exact_free(text);
    }
}

/* In loose patterns a parameter is found wherever one is, as by a search. */
static void test_loose_braces(void **state)
{
    fa__pattern p;

    (void)state;
    CHECK_INT(fa__pattern_parse(&p, FA_SLICE("/{{a}}{b c}"), true), ==, 0);
    CHECK_INT(p.param_count, ==, 1);
    CHECK_SLICE(p.literals[0], "/{");
    CHECK_SLICE(p.literals[1], "}{b c}");
}

static void test_limits(void **state)
{
    static char text[FA__ROUTE_MAX_PATTERN_BYTES + 1];
    char many[8 * 20] = "";
    fa__pattern p;

    (void)state;
    memset(text, '/', sizeof(text));
    CHECK_INT(fa__pattern_parse(&p, (fa_slice){text, sizeof(text) - 1}, false), ==, 0);
    CHECK_INT(fa__pattern_parse(&p, (fa_slice){text, sizeof(text)}, false), ==,
              FA_ERR_ROUTE_SYNTAX);
    for (char c = 'a'; c <= 'q'; ++c) {
        char part[] = {'/', '{', c, '}', 0};

        strcat(many, part);
        CHECK_INT(fa__pattern_parse(&p, fa_slice_of(many), false), ==, 0);
    }
    CHECK_INT(p.param_count, ==, FA__ROUTE_MAX_PARAMS + 1);
    strcat(many, "{z}");
    CHECK_INT(fa__pattern_parse(&p, fa_slice_of(many), false), ==,
              FA_ERR_ROUTE_PARAMETER);
}

static void test_whole_segment(void **state)
{
    static const struct {
        const char *text;
        const char *whole; /* a digit for each parameter */
    } cases[] = {
        {"/{a}", "1"},
        {"/{a}/", "1"},
        {"/{a:int}/{b:uuid}", "11"},
        {"/{a:path}", "0"},
        {"/{a:path}/{b}", "01"},
        {"/x{a}", "0"},
        {"/{a}x", "0"},
        {"/{a}{b}", "00"},
        {"/{a}-{b}/{c:float}/x", "001"},
        {"/x{a}/{b}.c/{d}", "001"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa__pattern p;

        CHECK_INT(fa__pattern_parse(&p, fa_slice_of(cases[i].text), false), ==, 0);
        CHECK_INT(p.param_count, ==, strlen(cases[i].whole));
        for (uint32_t k = 0; k < p.param_count; ++k)
            CHECK_INT(fa__pattern_whole_segment(&p, k), ==, cases[i].whole[k] == '1');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),         cmocka_unit_test(test_errors),
        cmocka_unit_test(test_loose_braces),  cmocka_unit_test(test_limits),
        cmocka_unit_test(test_whole_segment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
