#include "check.h"

#include <fasterapi/error.h>

#include "stats.h"

static void test_whole_numbers(void **state)
{
    static const struct {
        const char *in;
        bool ok;
        uint64_t out;
    } cases[] = {
        {"0", true, 0},
        {"499500000", true, 499500000},
        {"499500000.0", true, 499500000},
        {"4.995E8", true, 499500000},
        {"4.995e+08", true, 499500000},
        {"4995000000e-1", true, 499500000},
        {"9223372036854775807", true, INT64_MAX},
        {"0e999999999999", true, 0},
        {"0.000", true, 0},
        {"499500000.5", false, 7},
        {"499500000.00000006", false, 7},
        {"4995e-1", false, 7},
        {"-1", false, 7},
        {"1e19", false, 7},
        {"1e999999999999", false, 7},
        {"9223372036854775808", false, 7},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice v = exact_copy(cases[i].in);
        uint64_t n = 7;

        if (fa__ch_whole_number(&n, v) != cases[i].ok || n != cases[i].out)
            fail_msg("%s gave %llu", cases[i].in, (unsigned long long)n);
        exact_free(v);
    }
}

static void test_object(void **state)
{
    fa_slice v = exact_copy(" {\"extra\":[1,{\"sum\":2}],\"sum\":4.995E8,\"avg\":499.5,"
                            "\"uniqueUsers\":75000,\"total\\u0052equests\":1000000} ");
    fa__ch_stats s;

    (void)state;
    CHECK_INT(fa__ch_stats_parse(&s, v), ==, 0);
    CHECK(s.of[FA__CH_TOTAL_REQUESTS].is_whole);
    CHECK_U64(s.of[FA__CH_TOTAL_REQUESTS].whole, ==, 1000000);
    CHECK_U64(s.of[FA__CH_UNIQUE_USERS].whole, ==, 75000);
    CHECK_U64(s.of[FA__CH_SUM].whole, ==, 499500000);
    CHECK(strcmp(s.of[FA__CH_SUM].text, "4.995E8") == 0);
    CHECK(!s.of[FA__CH_AVG].is_whole);
    CHECK(s.of[FA__CH_AVG].number > 499.4999 && s.of[FA__CH_AVG].number < 499.5001);
    exact_free(v);
}

static void test_odd_members(void **state)
{
    fa_slice v =
        exact_copy("{\"totalRequests\":1,\"totalRequests\":2,\"uniqueUsers\":\"3\","
                   "\"avg\":12345678901234567890123456789012345678901234567890}");
    fa__ch_stats s;

    (void)state;
    CHECK_INT(fa__ch_stats_parse(&s, v), ==, 0);
    CHECK(strcmp(s.of[FA__CH_TOTAL_REQUESTS].text, "given twice") == 0);
    CHECK(!s.of[FA__CH_TOTAL_REQUESTS].is_whole);
    CHECK(strcmp(s.of[FA__CH_UNIQUE_USERS].text, "not a number") == 0);
    CHECK(!s.of[FA__CH_UNIQUE_USERS].is_number);
    CHECK(strcmp(s.of[FA__CH_SUM].text, "missing") == 0);
    CHECK(s.of[FA__CH_AVG].is_number);
    CHECK_INT(strlen(s.of[FA__CH_AVG].text), ==, sizeof(s.of[0].text) - 1);
    exact_free(v);
}

static void test_no_object(void **state)
{
    static const struct {
        const char *in;
        int rv;
    } cases[] = {
        {"", FA_ERR_JSON_END},
        {"[]", FA_ERR_JSON_TYPE},
        {"{\"sum\":1", FA_ERR_JSON_END},
        {"{\"sum\":1} x", FA_ERR_JSON_TRAILING},
        {"{\"sum\":01}", FA_ERR_JSON_NUMBER},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice v = exact_copy(cases[i].in);
        fa__ch_stats s = {0};

        CHECK_INT(fa__ch_stats_parse(&s, v), ==, cases[i].rv);
        exact_free(v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_numbers),
        cmocka_unit_test(test_object),
        cmocka_unit_test(test_odd_members),
        cmocka_unit_test(test_no_object),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
