#include "check.h"

#include "websocket/mask.h"

static const unsigned char key[4] = {0x37, 0xfa, 0x21, 0x3d};

/* RFC 6455, 5.3, byte for byte. */
static void check_masked(const char *p, size_t n, uint64_t offset, const unsigned char *k)
{
    for (size_t i = 0; i < n; ++i)
        CHECK_INT((unsigned char)p[i], ==, ((i * 7 + 1) & 0xFF) ^ k[(offset + i) & 3]);
}

/* The last byte is the last of an allocation, the first at any alignment. */
static void test_lengths_and_offsets(void **state)
{
    (void)state;
    for (size_t n = 0; n < 600; n += n < 300 ? 1 : 37) {
        for (size_t skip = 0; skip < 9; skip += 1 + n / 64) {
            char *p = malloc(n + skip + 1);

            CHECK(p != NULL);
            for (uint64_t offset = 0; offset < 8; ++offset) {
                for (size_t i = 0; i < n; ++i)
                    p[skip + 1 + i] = (char)(i * 7 + 1);
                p[skip] = 'G';
                fa__ws_mask(p + skip + 1, n, key, offset);
                check_masked(p + skip + 1, n, offset, key);
                CHECK_INT(p[skip], ==, 'G');
            }
            free(p);
        }
    }
}

static void test_every_masker(void **state)
{
    const fa__ws_masker *maskers[3];
    size_t count = fa__ws_maskers(maskers);
    unsigned char twice[8];
    uint64_t key8;

    (void)state;
    CHECK(count >= 1 && count <= 3);
    memcpy(twice, key, 4);
    memcpy(twice + 4, key, 4);
    memcpy(&key8, twice, 8);
    for (size_t m = 0; m < count; ++m) {
        for (size_t n = 0; n < 400; ++n) {
            char *p = malloc(n + 1);

            CHECK(p != NULL);
            for (size_t i = 0; i < n; ++i)
                p[i + 1] = (char)(i * 7 + 1);
            maskers[m]->run(p + 1, n, key8);
            check_masked(p + 1, n, 0, key);
            free(p);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths_and_offsets),
        cmocka_unit_test(test_every_masker),
    };

    return cmocka_run_group_tests_name("websocket/mask", tests, NULL, NULL);
}
