#include "check.h"

#include "websocket/close.h"

/* RFC 6455, 7.4; IANA's registry of close codes. */
static void test_codes(void **state)
{
    static const struct {
        unsigned from, to;
        bool valid;
    } ranges[] = {
        {0, 999, false},     {1000, 1003, true}, {1004, 1006, false},  {1007, 1014, true},
        {1015, 2999, false}, {3000, 4999, true}, {5000, 70000, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ranges); ++i)
        for (unsigned code = ranges[i].from; code <= ranges[i].to; ++code)
            if (fa__ws_close_code_valid(code) != ranges[i].valid)
                fail_msg("%u", code);
}

static void test_payloads(void **state)
{
    static const struct {
        const char *payload;
        size_t len;
        int fault, code;
        const char *reason;
    } cases[] = {
        {"", 0, 0, 1005, ""},
        {"\x03\xe8", 2, 0, 1000, ""},
        {"\x03\xe8 bye", 6, 0, 1000, " bye"},
        {"\x0f\xa0gr\xc3\xbc\xc3\x9f", 8, 0, 4000, "gr\xc3\xbc\xc3\x9f"},
        {"\x03", 1, 1002, 0, ""},
        {"\x00\x00", 2, 1002, 0, ""},
        {"\x03\xed", 2, 1002, 0, ""},  /* 1005 */
        {"\x03\xf7x", 3, 1002, 0, ""}, /* 1015 */
        {"\xff\xff", 2, 1002, 0, ""},
        {"\x03\xe8\xff", 3, 1007, 0, ""},
        {"\x03\xe8\xc3", 3, 1007, 0, ""},         /* an unfinished character */
        {"\x03\xe8\xed\xa0\x80", 5, 1007, 0, ""}, /* a surrogate */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice payload = exact_bytes(cases[i].payload, cases[i].len);
        fa_slice reason = FA_SLICE("unset");
        uint16_t code = 77;
        fa__ws_fault fault = fa__ws_close_parse(&code, &reason, payload);

        CHECK_INT(fault.code, ==, cases[i].fault);
        if (fault.code == 0) {
            CHECK_INT(code, ==, cases[i].code);
            CHECK_SLICE(reason, cases[i].reason);
        } else {
            CHECK(fault.why != NULL);
            CHECK_INT(code, ==, 77);
            CHECK_SLICE(reason, "unset");
        }
        exact_free(payload);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_payloads),
    };

    return cmocka_run_group_tests_name("websocket/close", tests, NULL, NULL);
}
