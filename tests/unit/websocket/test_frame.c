#include "check.h"

#include "websocket/frame.h"

static void test_written_and_read(void **state)
{
    static const uint64_t lengths[] = {
        0, 1, 125, 126, 127, 65535, 65536, (uint64_t)1 << 32, INT64_MAX};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lengths); ++i) {
        for (unsigned bits = 0; bits < 8; ++bits) {
            fa__ws_frame in = {.length = lengths[i],
                               .opcode = FA__WS_BINARY,
                               .fin = (bits & 1) != 0,
                               .rsv1 = (bits & 2) != 0,
                               .masked = (bits & 4) != 0};
            fa__ws_frame out = {.opcode = FA__WS_PONG};
            fa__ws_fault fault = {0, NULL};
            char head[FA__WS_FRAME_HEAD_MAX];
            size_t n;

            if (in.masked)
                memcpy(in.key, "\x01\x02\x03\x04", 4);
            n = fa__ws_frame_write(head, &in);
            for (size_t part = 0; part < n; ++part) {
                fa_slice v = exact_bytes(head, part);

                CHECK_INT(fa__ws_frame_parse(&out, &fault, v.p, part), ==, 0);
                CHECK_INT(out.opcode, ==, FA__WS_PONG);
                exact_free(v);
            }
            CHECK_INT(fa__ws_frame_parse(&out, &fault, head, n), ==, n);
            CHECK_U64(out.length, ==, in.length);
            CHECK_INT(out.opcode, ==, in.opcode);
            CHECK_INT(out.fin, ==, in.fin);
            CHECK_INT(out.rsv1, ==, in.rsv1);
            CHECK_INT(out.masked, ==, in.masked);
            CHECK(memcmp(out.key, in.key, 4) == 0);
        }
    }
}

/* RFC 6455, 5.2 and 5.5: each is refused with the byte that is wrong. */
static void test_malformed(void **state)
{
    static const struct {
        const char *bytes;
        size_t seen_with;
    } cases[] = {
        {"\x91\x80", 1}, /* RSV3 */
        {"\xa1\x80", 1}, /* RSV2 */
        {"\xc9\x80", 1}, /* RSV1 of a ping */
        {"\x83\x80", 1}, /* opcodes 3 to 7 and 11 to 15 */
        {"\x87\x80", 1},
        {"\x8b\x80", 1},
        {"\x8f\x80", 1},
        {"\x09\x80", 1}, /* a ping in fragments */
        {"\x89\xfe", 2}, /* a ping above 125 bytes */
        {"\x89\xff", 2},
        {"\x82\xfe\x00\x7d", 4}, /* 125 in two bytes */
        {"\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff", 10},
        {"\x82\xff\x80\x00\x00\x00\x00\x01\x00\x00", 3}, /* 2^63 and above */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa__ws_frame out;

        for (size_t n = 1; n <= cases[i].seen_with; ++n) {
            fa_slice v = exact_bytes(cases[i].bytes, n);
            fa__ws_fault fault = {0, NULL};
            ptrdiff_t rv = fa__ws_frame_parse(&out, &fault, v.p, n);

            exact_free(v);
            CHECK_INT(rv < 0, ==, n == cases[i].seen_with);
            CHECK_INT(fault.code, ==, rv < 0 ? 1002 : 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_and_read),
        cmocka_unit_test(test_malformed),
    };

    return cmocka_run_group_tests_name("websocket/frame", tests, NULL, NULL);
}
