#include "check.h"

#include <stdio.h>
#include <time.h>

#include <fasterapi/error.h>

#include "http/date.h"

#define FIRST INT64_C(-62167219200)
#define LAST  INT64_C(253402300799)

static void check_written(int64_t seconds, const char *expected)
{
    char out[FA__HTTP_DATE_BYTES + 1];

    out[FA__HTTP_DATE_BYTES] = '#';
    fa__http_date_write(out, seconds);
    CHECK_SLICE(((fa_slice){out, FA__HTTP_DATE_BYTES}), expected);
    CHECK_INT(out[FA__HTTP_DATE_BYTES], ==, '#');
}

static void test_write(void **state)
{
    (void)state;
    check_written(784111777, "Sun, 06 Nov 1994 08:49:37 GMT");
    check_written(0, "Thu, 01 Jan 1970 00:00:00 GMT");
    check_written(-1, "Wed, 31 Dec 1969 23:59:59 GMT");
    check_written(951782400, "Tue, 29 Feb 2000 00:00:00 GMT");
    check_written(4107542399, "Sun, 28 Feb 2100 23:59:59 GMT");
    check_written(4107542400, "Mon, 01 Mar 2100 00:00:00 GMT");
    check_written(FIRST, "Sat, 01 Jan 0000 00:00:00 GMT");
    check_written(LAST, "Fri, 31 Dec 9999 23:59:59 GMT");
    check_written(INT64_MIN, "Sat, 01 Jan 0000 00:00:00 GMT");
    check_written(INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
}

/* The C library's calendar, over all the years, every 5 days and some seconds. */
static void test_write_as_libc(void **state)
{
    (void)state;
    for (int64_t seconds = FIRST; seconds <= LAST; seconds += 432013) {
        char expected[64], out[FA__HTTP_DATE_BYTES];
        time_t t = (time_t)seconds;
        struct tm tm;
        int64_t back = 0;

        CHECK(gmtime_r(&t, &tm) != NULL);
        CHECK(strftime(expected, sizeof(expected), "%a, %d %b ", &tm) == 12);
        snprintf(expected + 12, sizeof(expected) - 12, "%04d %02d:%02d:%02d GMT",
                 tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
        fa__http_date_write(out, seconds);
        CHECK_SLICE(((fa_slice){out, sizeof(out)}), expected);
        CHECK_INT(fa__http_date_parse(&back, (fa_slice){out, sizeof(out)}, 0), ==, 0);
        CHECK_INT(back, ==, seconds);
    }
}

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"Wed Nov 16 08:49:37 1994", 784975777},
        {"Tue, 29 Feb 2000 00:00:00 GMT", 951782400},
        {"Fri, 31 Dec 1999 23:59:60 GMT", 946684800},   /* a leap second */
        {"Monday, 01-Jan-76 00:00:00 GMT", 3345062400}, /* now is 2026: 2076 */
        {"Friday, 01-Jan-77 00:00:00 GMT", 220924800},  /* 1977 */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice v = exact_copy(cases[i].text);
        int64_t seconds = 7;

        CHECK_INT(fa__http_date_parse(&seconds, v, 1790000000), ==, 0);
        CHECK_INT(seconds, ==, cases[i].seconds);
        exact_free(v);
    }
}

static void test_parse_refuses(void **state)
{
    static const char *const cases[] = {
        "",
        "Sun",
        "Sun,",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sux, 06 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Tue, 29 Feb 1900 00:00:00 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov -994 08:49:37 GMT",
        "Sun Nov 06 08:49:37 94",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Funday, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice v = exact_copy(cases[i]);
        int64_t seconds = 7;

        if (fa__http_date_parse(&seconds, v, 0) != FA_ERR_INVALID || seconds != 7)
            fail_msg("\"%s\" was taken", cases[i]);
        exact_free(v);
    }
}

/* Every prefix of a good date is refused, and no read goes past its end. */
static void test_parse_prefixes(void **state)
{
    static const char *const cases[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
                                        "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        for (size_t n = 0; n < strlen(cases[i]); ++n) {
            fa_slice v = exact_bytes(cases[i], n);
            int64_t seconds;

            CHECK_INT(fa__http_date_parse(&seconds, v, INT64_MAX), ==, FA_ERR_INVALID);
            exact_free(v);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write),          cmocka_unit_test(test_write_as_libc),
        cmocka_unit_test(test_parse),          cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_parse_prefixes),
    };

    return cmocka_run_group_tests_name("http/date", tests, NULL, NULL);
}
