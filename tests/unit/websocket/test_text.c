#include "check.h"

#include "base/utf8.h"
#include "websocket/text.h"

/* Where the first byte is that no text could have there; the length if there is none. */
static size_t first_fault(const char *p, size_t n)
{
    fa__ws_text t = {.part_bytes = 0};

    for (size_t i = 0; i < n; ++i)
        if (!fa__ws_text_feed(&t, p + i, 1))
            return i;
    return n;
}

static void test_faults_are_seen_with_their_byte(void **state)
{
    static const struct {
        const char *text;
        size_t fault; /* offset */
    } cases[] = {
        {"abc\x80", 3},
        {"\xc0\x80", 0},
        {"\xc1\xbf", 0},
        {"\xe0\x9f\xbf", 1},     /* overlong */
        {"\xed\xa0\x80", 1},     /* a surrogate */
        {"\xf0\x8f\xbf\xbf", 1}, /* overlong */
        {"\xf4\x90\x80\x80", 1}, /* above U+10FFFF */
        {"\xf5\x80\x80\x80", 0},
        {"\xff", 0},
        {"\xce\xba\xe1\xbd\xb9\xf4\x8f\xbf\xbf\xe2\x28", 10},
        {"\xf0\x9f\x98\x41", 3},
        {"\xe2\x82", 2}, /* may go on */
        {"\xf0\x9f\x98", 3},
        {"\xf4\x8f\xbf\xbf", 4},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i)
        CHECK_INT(first_fault(cases[i].text, strlen(cases[i].text)), ==, cases[i].fault);
}

/* Every string of up to four of these bytes: a text in pieces is one that is valid as a
   whole, or the begin of one, whatever the pieces are. */
static void test_every_split(void **state)
{
    static const char bytes[] = "a\x80\x90\x9f\xa0\xbf\xc2\xe0\xe1\xed\xf0\xf1\xf4\xff";
    const size_t kinds = sizeof(bytes) - 1;

    (void)state;
    for (size_t code = 0; code < kinds * kinds * kinds * kinds; ++code) {
        char text[4];
        size_t rest = code;
        bool whole, complete;

        for (size_t i = 0; i < 4; ++i, rest /= kinds)
            text[i] = bytes[rest % kinds];
        whole = fa__utf8_valid_prefix(text, 4) == 4;
        complete = first_fault(text, 4) == 4;
        for (size_t cut = 0; cut <= 4; ++cut) {
            fa__ws_text t = {.part_bytes = 0};
            bool fine = fa__ws_text_feed(&t, text, cut) &&
                        fa__ws_text_feed(&t, text + cut, 4 - cut);

            CHECK_INT(fine, ==, complete);
            CHECK_INT(fine && fa__ws_text_complete(&t), ==, whole);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults_are_seen_with_their_byte),
        cmocka_unit_test(test_every_split),
    };

    return cmocka_run_group_tests_name("websocket/text", tests, NULL, NULL);
}
