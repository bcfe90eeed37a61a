#include "check.h"

#include "http/field.h"

/* tchar as RFC 9110, 5.6.2, lists it. */
static bool is_tchar(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static void test_token(void **state)
{
    (void)state;
    CHECK(!fa__token_valid((fa_slice){NULL, 0}));
    for (int c = 0; c < 256; ++c) {
        char text[3] = {'a', (char)c, 'b'};

        CHECK_INT(fa__token_valid((fa_slice){text, 3}), ==, is_tchar(c));
        CHECK_INT(fa__token_valid((fa_slice){text + 1, 1}), ==, is_tchar(c));
    }
}

static void test_value(void **state)
{
    (void)state;
    CHECK(fa__field_value_valid((fa_slice){NULL, 0}));
    for (int c = 0; c < 256; ++c) {
        bool valid = (c >= 0x20 && c != 0x7F) || c == '\t';

        for (size_t n = 1; n < 40; ++n) {
            for (size_t at = 0; at<n; at += n> 20 ? 5 : 1) {
                char text[40];
                fa_slice v;

                memset(text, '~', n);
                text[at] = (char)c;
                v = exact_bytes(text, n);
                CHECK_INT(fa__field_value_valid(v), ==, valid);
                exact_free(v);
            }
        }
    }
}

static void test_trim(void **state)
{
    (void)state;
    CHECK_SLICE(fa__trim(FA_SLICE("")), "");
    CHECK_SLICE(fa__trim(FA_SLICE(" \t ")), "");
    CHECK_SLICE(fa__trim(FA_SLICE(" \ta b\t ")), "a b");
    CHECK_SLICE(fa__trim(FA_SLICE("\na")), "\na");
}

static void test_list(void **state)
{
    static const struct {
        const char *list;
        const char *items; /* joined by '|' */
    } cases[] = {
        {"", ""},
        {" , ,,\t, ", ""},
        {"a", "a"},
        {"a,b", "a|b"},
        {" a b ,, c\t,", "a b|c"},
        {"\"a,b\", c", "\"a,b\"|c"},
        {"x=\"a\\\",b\";y=1, c", "x=\"a\\\",b\";y=1|c"},
        {"\"open, b", "\"open, b"},
        {"\"open\\", "\"open\\"},
        {"a\\,b", "a\\|b"}, /* no quoted-pair outside quotes */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice whole = exact_copy(cases[i].list), rest = whole, item;
        char joined[64] = "";

        while (fa__list_next(&rest, &item)) {
            if (joined[0] != '\0')
                strcat(joined, "|");
            strncat(joined, item.p, item.len);
        }
        CHECK_SLICE(fa_slice_of(joined), cases[i].items);
        exact_free(whole);
    }
}

static void test_list_end_leaves_outputs(void **state)
{
    fa_slice rest = FA_SLICE(", ,"), item = FA_SLICE("as before");

    (void)state;
    CHECK(!fa__list_next(&rest, &item));
    CHECK_SLICE(item, "as before");
    CHECK_SLICE(rest, ", ,");
}

static void test_list_has(void **state)
{
    (void)state;
    CHECK(fa__list_has(FA_SLICE("close"), FA_SLICE("close")));
    CHECK(fa__list_has(FA_SLICE("Upgrade, Keep-Alive"), FA_SLICE("keep-alive")));
    CHECK(!fa__list_has(FA_SLICE("keep-alive2"), FA_SLICE("keep-alive")));
    CHECK(!fa__list_has(FA_SLICE("keep-alive;x"), FA_SLICE("keep-alive")));
    CHECK(!fa__list_has(FA_SLICE("\"close\""), FA_SLICE("close")));
    CHECK(!fa__list_has(FA_SLICE("a\"close, b"), FA_SLICE("close")));
    CHECK(!fa__list_has(FA_SLICE(""), FA_SLICE("close")));
}

static void test_digits(void **state)
{
    static const struct {
        const char *in;
        bool is;
        uint64_t out;
    } cases[] = {
        {"0", true, 0},
        {"00000000000000000000000042", true, 42},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 7},
        {"99999999999999999999", false, 7},
        {"", false, 7},
        {"+5", false, 7},
        {"-5", false, 7},
        {" 5", false, 7},
        {"5 ", false, 7},
        {"5,5", false, 7},
        {"0x5", false, 7},
        {"\xb2", false, 7},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice v = exact_copy(cases[i].in);
        uint64_t n = 7;

        CHECK_INT(fa__digits(&n, v), ==, cases[i].is);
        CHECK_U64(n, ==, cases[i].out);
        free((void *)(uintptr_t)v.p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digits),   cmocka_unit_test(test_token),
        cmocka_unit_test(test_value),    cmocka_unit_test(test_trim),
        cmocka_unit_test(test_list),     cmocka_unit_test(test_list_end_leaves_outputs),
        cmocka_unit_test(test_list_has),
    };

    return cmocka_run_group_tests_name("http/field", tests, NULL, NULL);
}
