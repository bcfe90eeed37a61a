#include "check.h"

#include "base/utf8.h"

/* Unicode, table 3-7, by the definition: decode, then look at the code point. */
static size_t character_by_definition(const unsigned char *p, size_t n)
{
    static const unsigned least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = p[0] < 0x80   ? 1
                    : p[0] < 0xC0 ? 0
                    : p[0] < 0xE0 ? 2
                    : p[0] < 0xF0 ? 3
                                  : 4;
    unsigned code;

    if (length == 0 || length > n || p[0] > 0xF7)
        return 0;
    code = length == 1 ? p[0] : p[0] & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; ++i) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3Fu);
    }
    if (code < least[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return 0;
    return length;
}

/* All first, second and third bytes, and fourth bytes at the borders. */
static void test_every_sequence(void **state)
{
    static const unsigned char fourth[] = {0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xFF};
    char p[4];

    (void)state;
    for (unsigned i = 0; i < 1u << 24; i += (i & 0xFF0000) < 0xC00000 ? 257 : 1) {
        p[0] = (char)(i >> 16);
        p[1] = (char)(i >> 8);
        p[2] = (char)i;
        for (size_t k = 0; k < ((i & 0xFF0000) < 0xF00000 ? 1 : sizeof(fourth)); ++k) {
            p[3] = (char)fourth[k];
            if (fa__utf8_character(p, 4) !=
                character_by_definition((const unsigned char *)p, 4))
                fail_msg("%06x %02x", i, fourth[k]);
        }
    }
}

static void test_valid_prefix(void **state)
{
    static const struct {
        const char *text;
        size_t prefix, invalid;
    } cases[] = {
        {"", 0, 0},
        {"abc", 3, 0},
        {"gr\xC3\xBC\xC3\x9F", 6, 0},
        {"\xF0\x9F\x98\x80", 4, 0},
        {"\xF4\x8F\xBF\xBF", 4, 0},
        {"\xEF\xBF\xBF", 3, 0},
        {"a\x80", 1, 1},                /* a continuation alone */
        {"\xC0\x80", 0, 1},             /* overlong NUL */
        {"\xC1\xBF", 0, 1},             /* overlong */
        {"\xE0\x9F\xBF", 0, 1},         /* overlong */
        {"\xF0\x8F\xBF\xBF", 0, 1},     /* overlong */
        {"ab\xED\xA0\x80", 2, 1},       /* a surrogate */
        {"\xF4\x90\x80\x80", 0, 1},     /* above U+10FFFF */
        {"\xF5\x80\x80\x80", 0, 1},     /* never a first byte */
        {"\xFF", 0, 1},                 /* never a byte */
        {"x\xE2\x82", 1, 2},            /* ends too early */
        {"\xF0\x9F\x98", 0, 3},         /* ends too early */
        {"\xF0\x9F\x98z", 0, 3},        /* interrupted */
        {"\xE2\x82\xE2\x82\xAC", 0, 2}, /* interrupted by a good one */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice v = exact_copy(cases[i].text);

        CHECK_U64(fa__utf8_valid_prefix(v.p, v.len), ==, cases[i].prefix);
        if (cases[i].invalid > 0)
            CHECK_U64(
                fa__utf8_invalid_length(v.p + cases[i].prefix, v.len - cases[i].prefix),
                ==, cases[i].invalid);
        exact_free(v);
    }
    CHECK_U64(fa__utf8_valid_prefix(NULL, 0), ==, 0);
}

/* The wide steps over ASCII must neither miss a bad byte nor stop at a good one,
   wherever it stands. */
static void test_positions(void **state)
{
    (void)state;
    for (size_t n = 1; n < 150; ++n) {
        for (size_t at = 0; at < n; ++at) {
            fa_slice v;
            char text[150];

            memset(text, 'a', n);
            text[at] = (char)0xFF;
            v = exact_bytes(text, n);
            CHECK_U64(fa__utf8_valid_prefix(v.p, n), ==, at);
            exact_free(v);
            if (at + 3 > n)
                continue;
            memcpy(text + at, "\xE2\x82\xAC", 3);
            v = exact_bytes(text, n);
            CHECK_U64(fa__utf8_valid_prefix(v.p, n), ==, n);
            exact_free(v);
            v = exact_bytes(text, at + 2); /* cut within the character */
            CHECK_U64(fa__utf8_valid_prefix(v.p, v.len), ==, at);
            exact_free(v);
        }
    }
}

static void test_replace(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"\xFF", "\xEF\xBF\xBD"},
        {"a\xE2\x82z", "a\xEF\xBF\xBDz"},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xC3\xBC\xC3", "\xC3\xBC\xEF\xBF\xBD"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice v = exact_copy(cases[i].in);
        char *out = malloc(3 * v.len + 1);

        CHECK(out != NULL);
        CHECK_SLICE(((fa_slice){out, fa__utf8_replace(out, v.p, v.len)}), cases[i].out);
        free(out);
        exact_free(v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_sequence),
        cmocka_unit_test(test_valid_prefix),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_replace),
    };

    return cmocka_run_group_tests_name("base/utf8", tests, NULL, NULL);
}
