#include "check.h"

#include "histogram.h"

static fa__ch_histogram h, other;

static void test_empty(void **state)
{
    (void)state;
    fa__ch_histogram_init(&h);
    CHECK_U64(h.count, ==, 0);
    CHECK_U64(fa__ch_histogram_at(&h, 500000), ==, 0);
    CHECK_U64(fa__ch_histogram_mean(&h), ==, 0);
    CHECK_U64(fa__ch_histogram_below(&h, 1000), ==, 0);
}

/* Buckets must not overlap or leave gaps, from one value to the next. */
static void test_buckets_are_monotone(void **state)
{
    unsigned last = 0;

    (void)state;
    for (uint64_t v = 0; v < 1000000; ++v) {
        unsigned b = fa__ch_bucket(v);

        CHECK(b == last || b == last + 1);
        last = b;
    }
    for (unsigned bit = 7; bit < FA__CH_MAX_BITS; ++bit) {
        uint64_t v = (uint64_t)1 << bit;

        CHECK_U64(fa__ch_bucket(v), ==, fa__ch_bucket(v - 1) + 1);
    }
    CHECK_U64(fa__ch_bucket(((uint64_t)1 << FA__CH_MAX_BITS) - 1), ==,
              FA__CH_BUCKETS - 1);
    CHECK_U64(fa__ch_bucket(UINT64_MAX), ==, FA__CH_BUCKETS - 1);
}

/* What is read back of any single value between two others is off by 1/128 at most. */
static void test_error_bound(void **state)
{
    uint64_t v = 1;

    (void)state;
    while (v < (uint64_t)1 << (FA__CH_MAX_BITS - 1)) {
        uint64_t got, off;

        fa__ch_histogram_init(&h);
        fa__ch_histogram_add(&h, 0);
        fa__ch_histogram_add(&h, v);
        fa__ch_histogram_add(&h, UINT64_MAX);
        got = fa__ch_histogram_at(&h, 500000);
        off = got > v ? got - v : v - got;
        if (off * 128 > v)
            fail_msg("%llu read back as %llu", (unsigned long long)v,
                     (unsigned long long)got);
        v += v / 37 + 1;
    }
}

static void test_percentiles(void **state)
{
    (void)state;
    fa__ch_histogram_init(&h);
    for (uint64_t v = 1; v <= 100; ++v)
        fa__ch_histogram_add(&h, v);
    CHECK_U64(fa__ch_histogram_at(&h, 0), ==, 1);
    CHECK_U64(fa__ch_histogram_at(&h, 10000), ==, 1);
    CHECK_U64(fa__ch_histogram_at(&h, 10001), ==, 2);
    CHECK_U64(fa__ch_histogram_at(&h, 500000), ==, 50);
    CHECK_U64(fa__ch_histogram_at(&h, 990000), ==, 99);
    CHECK_U64(fa__ch_histogram_at(&h, 999000), ==, 100);
    CHECK_U64(fa__ch_histogram_at(&h, 1000000), ==, 100);
    CHECK_U64(fa__ch_histogram_mean(&h), ==, 50);
    CHECK_U64(fa__ch_histogram_below(&h, 51), ==, 50);
    CHECK_U64(fa__ch_histogram_below(&h, 1000), ==, 100);
}

/* The exact extremes bound what a bucket's middle would say. */
static void test_extremes_are_exact(void **state)
{
    (void)state;
    fa__ch_histogram_init(&h);
    for (int i = 0; i < 10; ++i)
        fa__ch_histogram_add(&h, 1000003);
    CHECK_U64(h.min, ==, 1000003);
    CHECK_U64(h.max, ==, 1000003);
    CHECK_U64(fa__ch_histogram_at(&h, 500000), ==, 1000003);
}

static void test_sum_saturates(void **state)
{
    (void)state;
    fa__ch_histogram_init(&h);
    fa__ch_histogram_add(&h, UINT64_MAX);
    fa__ch_histogram_add(&h, UINT64_MAX);
    CHECK_U64(h.sum, ==, UINT64_MAX);
    fa__ch_histogram_init(&other);
    fa__ch_histogram_add(&other, 1);
    fa__ch_histogram_merge(&h, &other);
    CHECK_U64(h.sum, ==, UINT64_MAX);
}

static void test_merge_is_as_if_added(void **state)
{
    static fa__ch_histogram parts;
    uint64_t v = 12345;

    (void)state;
    fa__ch_histogram_init(&h);
    fa__ch_histogram_init(&parts);
    for (int part = 0; part < 4; ++part) {
        fa__ch_histogram_init(&other);
        for (int i = 0; i < 1000; ++i) {
            v = v * 6364136223846793005u + 1442695040888963407u;
            fa__ch_histogram_add(&h, v >> 30);
            fa__ch_histogram_add(&other, v >> 30);
        }
        fa__ch_histogram_merge(&parts, &other);
    }
    CHECK(memcmp(&h, &parts, sizeof(h)) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_buckets_are_monotone),
        cmocka_unit_test(test_error_bound),
        cmocka_unit_test(test_percentiles),
        cmocka_unit_test(test_extremes_are_exact),
        cmocka_unit_test(test_sum_saturates),
        cmocka_unit_test(test_merge_is_as_if_added),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
