/* Doubles: the values and layouts that are easy to get wrong. The bulk is compared with
   Python in tests/property/test_json_numbers.py. */
#include "check.h"

#include <stdio.h>

#include "json/number.h"

static uint64_t pattern_of(double v)
{
    uint64_t pattern;

    memcpy(&pattern, &v, sizeof(pattern));
    return pattern;
}

static double parse(const char *text)
{
    fa_slice v = exact_copy(text);
    const char *at;
    fa__number n;
    double out;

    CHECK_INT(fa__number_scan(&n, &at, v.p, v.p + v.len), ==, 0);
    CHECK(n.end == v.p + v.len);
    out = fa__number_double(&n);
    exact_free(v);
    return out;
}

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        double v;
    } cases[] = {
        {"0", 0.0},
        {"0.0e99999999999999999999", 0.0},
        {"1", 1.0},
        {"0.1", 0.1},
        {"123456789012345678", 123456789012345678.0},
        {"1e23", 1e23},
        {"8.5e-5", 8.5e-5},
        /* half-way between two doubles: to even, down and up */
        {"9007199254740993", 9007199254740992.0},
        {"9007199254740995", 9007199254740996.0},
        {"9007199254740993.0", 9007199254740992.0},
        {"9007199254740993.00000000000000000000000000000000000001", 9007199254740994.0},
        {"9007199254740992.99999999999999999999999999999999999999", 9007199254740992.0},
        /* where the normal doubles begin */
        {"2.2250738585072014e-308", 0x1p-1022},
        {"2.2250738585072011e-308", 0x0.fffffffffffffp-1022},
        {"5e-324", 0x1p-1074},
        {"2.4703282292062327e-324", 0.0},
        {"2.4703282292062328e-324", 0x1p-1074},
        {"1e-400", 0.0},
        {"1e-99999999999999999999", 0.0},
        {"1.7976931348623157e308", 0x1.fffffffffffffp1023},
        {"1.7976931348623158e308", 0x1.fffffffffffffp1023},
        {"1.7976931348623159e308", __builtin_inf()},
        {"1e309", __builtin_inf()},
        {"1e99999999999999999999", __builtin_inf()},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        double v = parse(cases[i].text);

        if (pattern_of(v) != pattern_of(cases[i].v))
            fail_msg("%s: %a is not %a", cases[i].text, v, cases[i].v);
    }
    CHECK_U64(pattern_of(parse("-0")), ==, (uint64_t)1 << 63);
    CHECK(parse("-1.5e3") == -1500.0);
}

/* Exponents and zeros that cancel, beyond what any table holds. */
static void test_parse_long(void **state)
{
    enum { ZEROS = 5000 };
    static char text[ZEROS + 32];
    size_t n = 0;

    (void)state;
    n += (size_t)sprintf(text, "0.");
    memset(text + n, '0', ZEROS);
    sprintf(text + n + ZEROS, "1e%d", ZEROS + 1);
    CHECK(parse(text) == 1.0);
    text[0] = '1';
    memset(text + 1, '0', ZEROS);
    sprintf(text + 1 + ZEROS, "e-%d", ZEROS);
    CHECK(parse(text) == 1.0);
    sprintf(text + 1 + ZEROS, ".5e-%d", ZEROS + 324);
    CHECK(parse(text) == 0.0);
}

static void test_format(void **state)
{
    static const struct {
        double v;
        const char *text;
    } cases[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {1.0, "1.0"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {123456789.0, "123456789.0"},
        {0.0001, "0.0001"},
        {0.00001, "1e-05"},
        {0.000123456, "0.000123456"},
        {1.5e-7, "1.5e-07"},
        {1e15, "1000000000000000.0"},
        {1e16, "1e+16"},
        {9007199254740991.0, "9007199254740991.0"},
        {9007199254740994.0, "9007199254740994.0"},
        {12345678901234567000.0, "1.2345678901234567e+19"},
        {1e22, "1e+22"},
        {1e23, "1e+23"},
        {1e100, "1e+100"},
        {5e-324, "5e-324"},
        {0x1p-1022, "2.2250738585072014e-308"},
        {0x1.fffffffffffffp1023, "1.7976931348623157e+308"},
        {-0x1.fffffffffffffp-1022, "-4.4501477170144023e-308"},
        {2e-323, "2e-323"},
        {0x1p-44, "5.684341886080802e-14"},
        {299792458.5, "299792458.5"},
    };
    char text[FA__DOUBLE_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        size_t n = (size_t)(fa__double_format(text, cases[i].v) - text);

        CHECK(n <= sizeof(text));
        CHECK_SLICE(((fa_slice){text, n}), cases[i].text);
    }
}

static void test_format_integers(void **state)
{
    char text[FA__INTEGER_TEXT_MAX], wanted[32];
    uint64_t v = 1;

    (void)state;
    for (int i = 0; i < 64; ++i, v *= 2) {
        for (int d = -1; d <= 1; ++d) {
            uint64_t u = v + (uint64_t)d;
            int64_t s = (int64_t)u;
            size_t n = (size_t)(fa__uint64_format(text, u) - text);

            sprintf(wanted, "%llu", (unsigned long long)u);
            CHECK_SLICE(((fa_slice){text, n}), wanted);
            n = (size_t)(fa__int64_format(text, s) - text);
            sprintf(wanted, "%lld", (long long)s);
            CHECK_SLICE(((fa_slice){text, n}), wanted);
        }
    }
    v = 1;
    for (int i = 0; i < 20; ++i, v *= 10) {
        for (int d = -1; d <= 1; ++d) {
            size_t n = (size_t)(fa__uint64_format(text, v + (uint64_t)d) - text);

            sprintf(wanted, "%llu", (unsigned long long)(v + (uint64_t)d));
            CHECK_SLICE(((fa_slice){text, n}), wanted);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_long),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_format_integers),
    };

    return cmocka_run_group_tests_name("json/number", tests, NULL, NULL);
}
