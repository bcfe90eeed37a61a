#include "check.h"

#include "base/ascii.h"

static char lower_by_definition(unsigned c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static void test_lower_every_byte(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; ++c) {
        for (unsigned lane = 0; lane < 8; ++lane) {
            uint64_t word = 0x5A41807F405B7AFFu; /* bytes at all borders around it */
            char bytes[8], expected[8];

            memcpy(bytes, &word, 8);
            bytes[lane] = (char)c;
            for (size_t i = 0; i < 8; ++i)
                expected[i] = lower_by_definition((unsigned char)bytes[i]);
            memcpy(&word, bytes, 8);
            word = fa__ascii_lower8(word);
            CHECK(memcmp(&word, expected, 8) == 0);
        }
        CHECK_INT(fa__ascii_lower((char)c), ==, lower_by_definition(c));
    }
}

static void test_lower_copy_every_length(void **state)
{
    (void)state;
    for (size_t n = 0; n < 70; ++n) {
        char text[70], out[72];
        fa_slice v;

        for (size_t i = 0; i < n; ++i)
            text[i] = (char)(i * 37 + 60);
        v = exact_bytes(text, n);
        memset(out, '#', sizeof(out));
        fa__ascii_lower_copy(out, v.p, n);
        for (size_t i = 0; i < n; ++i)
            CHECK_INT(out[i], ==, lower_by_definition((unsigned char)text[i]));
        CHECK_INT(out[n], ==, '#');
        exact_free(v);
    }
}

static void test_equal_nocase(void **state)
{
    (void)state;
    CHECK(fa__equal_nocase(FA_SLICE(""), (fa_slice){NULL, 0}));
    CHECK(!fa__equal_nocase(FA_SLICE("a"), FA_SLICE("")));
    CHECK(!fa__equal_nocase(FA_SLICE("@"), FA_SLICE("`")));
    CHECK(!fa__equal_nocase(FA_SLICE("[[[["), FA_SLICE("{{{{")));
    CHECK(!fa__equal_nocase(FA_SLICE("\xC1\xC1\xC1\xC1"), FA_SLICE("\xE1\xE1\xE1\xE1")));
    for (size_t n = 1; n < 40; ++n) {
        char a[40], b[40];
        fa_slice va, vb;

        for (size_t i = 0; i < n; ++i) {
            a[i] = (char)('a' + i % 26);
            b[i] = (char)(i % 3 == 0 ? a[i] - 32 : a[i]);
        }
        va = exact_bytes(a, n);
        vb = exact_bytes(b, n);
        CHECK(fa__equal_nocase(va, vb));
        CHECK(fa__lower_is(vb.p, va.p, n));
        exact_free(vb);
        for (size_t at = 0; at < n; ++at) {
            char kept = b[at];

            b[at] = '-';
            vb = exact_bytes(b, n);
            CHECK(!fa__equal_nocase(va, vb));
            CHECK(!fa__lower_is(vb.p, va.p, n));
            exact_free(vb);
            b[at] = kept;
        }
        exact_free(va);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lower_every_byte),
        cmocka_unit_test(test_lower_copy_every_length),
        cmocka_unit_test(test_equal_nocase),
    };

    return cmocka_run_group_tests_name("base/ascii", tests, NULL, NULL);
}
