#include "check.h"

#include <fasterapi/error.h>
#include <fasterapi/http.h>

static void test_methods(void **state)
{
    static const struct {
        const char *name;
        fa_method method;
    } cases[] = {
        {"GET", FA_GET},         {"HEAD", FA_HEAD},     {"POST", FA_POST},
        {"PUT", FA_PUT},         {"DELETE", FA_DELETE}, {"CONNECT", FA_CONNECT},
        {"OPTIONS", FA_OPTIONS}, {"TRACE", FA_TRACE},   {"PATCH", FA_PATCH},
        {"QUERY", FA_QUERY},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice name = exact_copy(cases[i].name);

        CHECK_INT(fa_method_of(name), ==, cases[i].method);
        CHECK_SLICE(fa_method_name(cases[i].method), cases[i].name);
        for (size_t n = 0; n < name.len; ++n)
            CHECK_INT(fa_method_of((fa_slice){name.p, n}), ==, FA_METHOD_OTHER);
        exact_free(name);
    }
}

static void test_other_methods(void **state)
{
    static const char *const names[] = {"",      "G",    "get",     "Get",
                                        "GETS",  "PUSH", "PURGE",   "PROPFIND",
                                        "MKCOL", "HEAP", "CONNECTS"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); ++i)
        CHECK_INT(fa_method_of(fa_slice_of(names[i])), ==, FA_METHOD_OTHER);
    CHECK_INT(fa_method_of((fa_slice){"GET\0", 4}), ==, FA_METHOD_OTHER);
    CHECK_SLICE(fa_method_name(FA_METHOD_OTHER), "");
    CHECK_SLICE(fa_method_name((fa_method)-1), "");
    CHECK_SLICE(fa_method_name((fa_method)1000), "");
}

static void test_phrases(void **state)
{
    int known = 0;

    (void)state;
    CHECK_SLICE(fa_status_phrase(100), "Continue");
    CHECK_SLICE(fa_status_phrase(200), "OK");
    CHECK_SLICE(fa_status_phrase(404), "Not Found");
    CHECK_SLICE(fa_status_phrase(421), "Misdirected Request");
    CHECK_SLICE(fa_status_phrase(422), "Unprocessable Content");
    CHECK_SLICE(fa_status_phrase(425), "Too Early");
    CHECK_SLICE(fa_status_phrase(431), "Request Header Fields Too Large");
    CHECK_SLICE(fa_status_phrase(451), "Unavailable For Legal Reasons");
    CHECK_SLICE(fa_status_phrase(511), "Network Authentication Required");
    CHECK_SLICE(fa_status_phrase(306), "");
    CHECK_SLICE(fa_status_phrase(418), "");
    CHECK_SLICE(fa_status_phrase(-200), "");
    for (int status = -10; status < 1100; ++status)
        known += fa_status_phrase(status).len > 0;
    CHECK_INT(known, ==, 61); /* of the registry, without 306, 418 and 104 */
}

static void test_error_status(void **state)
{
    static const struct {
        int error, status;
    } cases[] = {
        {FA_ERR_METHOD, 400},
        {FA_ERR_TARGET, 400},
        {FA_ERR_HOST, 400},
        {FA_ERR_FIELD_LINE, 400},
        {FA_ERR_CONTENT_LENGTH, 400},
        {FA_ERR_TRANSFER_ENCODING, 400},
        {FA_ERR_CHUNK, 400},
        {FA_ERR_TRAILER, 400},
        {FA_ERR_TIMEOUT, 408},
        {FA_ERR_BODY_TOO_LARGE, 413},
        {FA_ERR_TARGET_TOO_LONG, 414},
        {FA_ERR_EXPECTATION, 417},
        {FA_ERR_HEADER_TOO_LARGE, 431},
        {FA_ERR_TOO_MANY_FIELDS, 431},
        {FA_ERR_TRANSFER_CODING, 501},
        {FA_ERR_VERSION_UNSUPPORTED, 505},
        {FA_ERR_JSON_SYNTAX, 400},
        {FA_ERR_NOMEM, 500},
        {FA_ERR_SYSTEM, 500},
        {-12345, 500},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i)
        CHECK_INT(fa_error_status(cases[i].error), ==, cases[i].status);
    /* Only the statuses that the header promises, each with a phrase. */
    for (int error = -400; error < 10; ++error)
        CHECK(fa_status_phrase(fa_error_status(error)).len > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_other_methods),
        cmocka_unit_test(test_phrases),
        cmocka_unit_test(test_error_status),
    };

    return cmocka_run_group_tests_name("http/words", tests, NULL, NULL);
}
