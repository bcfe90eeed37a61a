#include "check.h"

#include <stdio.h>

#include <fasterapi/error.h>

#include "failing_alloc.h"
#include "workload.h"

/* Against the slow way: going through all requests. */
static void test_totals(void **state)
{
    (void)state;
    for (uint64_t requests = 1; requests < 60; ++requests) {
        for (uint64_t users = 1; users < 9; ++users) {
            for (uint64_t values = 1; values < 9; ++values) {
                fa__ch_totals t = fa__ch_totals_of(requests, users, values);
                uint64_t sum = 0, seen = 0;

                for (uint64_t i = 0; i < requests; ++i) {
                    sum += i % values;
                    seen |= (uint64_t)1 << (i % users);
                }
                CHECK_U64(t.requests, ==, requests);
                CHECK_U64(t.sum, ==, sum);
                CHECK_INT(t.users, ==, __builtin_popcountll(seen));
            }
        }
    }
}

static void test_totals_of_the_challenge(void **state)
{
    fa__ch_totals t = fa__ch_totals_of(1000000, 75000, 1000);
    fa__ch_totals most =
        fa__ch_totals_of(FA__CH_MAX_REQUESTS, FA__CH_MAX_USERS, FA__CH_MAX_VALUES);

    (void)state;
    CHECK_U64(t.users, ==, 75000);
    CHECK_U64(t.sum, ==, 499500000);
    CHECK_U64(most.sum, ==, UINT64_C(499999500000000000));
}

static void test_request(void **state)
{
    static const struct {
        uint64_t index, users, values;
        const char *body;
    } cases[] = {
        {0, 75000, 1000, "{\"userId\":\"user_0\",\"value\":0}"},
        {75001, 75000, 1000, "{\"userId\":\"user_1\",\"value\":1}"},
        {999999, 75000, 1000, "{\"userId\":\"user_24999\",\"value\":999}"},
        {999999999999, FA__CH_MAX_USERS, FA__CH_MAX_VALUES,
         "{\"userId\":\"user_999999999\",\"value\":999999}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa__ch_workload w;
        char expected[512], *out;
        size_t len;

        CHECK_INT(fa__ch_workload_init(&w, &fa__malloc, "/event", "[::1]:8000",
                                       cases[i].users, cases[i].values),
                  ==, 0);
        (void)snprintf(
            expected, sizeof(expected),
            "POST /event HTTP/1.1\r\nHost: [::1]:8000\r\n"
            "User-Agent: fasterapi-challenge\r\nContent-Type: application/json\r\n"
            "Content-Length: %zu\r\n\r\n%s",
            strlen(cases[i].body), cases[i].body);
        out = malloc(w.max_bytes); /* exactly what is asked for: ASan watches */
        CHECK(out != NULL);
        len = fa__ch_workload_write(&w, out, cases[i].index);
        CHECK_SLICE(((fa_slice){out, len}), expected);
        CHECK_U64(fa__ch_value_of(&w, cases[i].index), ==,
                  cases[i].index % cases[i].values);
        free(out);
        fa__ch_workload_free(&w);
    }
}

static void test_no_memory(void **state)
{
    uint64_t n = 0;
    int rv = FA_ERR_NOMEM;

    (void)state;
    while (rv != 0) {
        failing_alloc f;
        fa__ch_workload w;

        failing_alloc_init(&f, ++n);
        rv = fa__ch_workload_init(&w, &f.alloc, "/event", "localhost", 1, 1);
        if (rv == 0)
            fa__ch_workload_free(&w);
        else
            CHECK_INT(rv, ==, FA_ERR_NOMEM);
        CHECK_INT(f.held, ==, 0);
    }
    CHECK_U64(n, >, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_totals),
        cmocka_unit_test(test_totals_of_the_challenge),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
