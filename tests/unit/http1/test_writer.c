#include "check.h"

#include <stdio.h>

#include <fasterapi/error.h>
#include <fasterapi/http.h>

#include "http1/writer.h"

/* Writes into exactly the room that the header asks for, so that ASan sees a byte
   too many; `written` is the text, or the test fails. */
#define CHECK_WRITES(room, expression, text)                                             \
    do {                                                                                 \
        char *at = malloc(room), *end;                                                   \
        CHECK(at != NULL);                                                               \
        end = (expression);                                                              \
        CHECK((size_t)(end - at) <= (size_t)(room));                                     \
        CHECK_SLICE(((fa_slice){at, (size_t)(end - at)}), text);                         \
        free(at);                                                                        \
    } while (0)

static void test_status_lines(void **state)
{
    char expected[128];

    (void)state;
    CHECK_WRITES(FA__HTTP1_STATUS_LINE_MAX, fa__http1_write_status_line(at, 200),
                 "HTTP/1.1 200 OK\r\n");
    CHECK_WRITES(FA__HTTP1_STATUS_LINE_MAX, fa__http1_write_status_line(at, 299),
                 "HTTP/1.1 299 \r\n");
    for (int status = 100; status < 1000; ++status) {
        fa_slice phrase = fa_status_phrase(status);

        snprintf(expected, sizeof(expected), "HTTP/1.1 %d %.*s\r\n", status,
                 (int)phrase.len, phrase.p);
        CHECK_WRITES(FA__HTTP1_STATUS_LINE_MAX, fa__http1_write_status_line(at, status),
                     expected);
    }
}

static void test_fields(void **state)
{
    static const char name[] = "X-Some-VERY-Long-Header-Name-Of-40-Letters";
    char expected[128];

    (void)state;
    CHECK_WRITES(fa__http1_field_max(FA_SLICE("A"), FA_SLICE("")),
                 fa__http1_write_field(at, FA_SLICE("A"), (fa_slice){NULL, 0}),
                 "a: \r\n");
    CHECK_WRITES(
        fa__http1_field_max(FA_SLICE("Content-Type"), FA_SLICE("Text/HTML")),
        fa__http1_write_field(at, FA_SLICE("Content-Type"), FA_SLICE("Text/HTML")),
        "content-type: Text/HTML\r\n");
    for (size_t n = 1; n < sizeof(name); ++n) {
        fa_slice v = exact_bytes(name, n),
                 value = exact_bytes(name, sizeof(name) - 1 - n);

        snprintf(expected, sizeof(expected), "%.*s: %.*s\r\n", (int)n, name,
                 (int)value.len, name);
        for (size_t i = 0; i < n; ++i)
            if (expected[i] >= 'A' && expected[i] <= 'Z')
                expected[i] = (char)(expected[i] + 32);
        CHECK_WRITES(fa__http1_field_max(v, value), fa__http1_write_field(at, v, value),
                     expected);
        exact_free(v);
        exact_free(value);
    }
}

static void check_decimal(uint64_t n)
{
    char decimal[32], line[64], hex[32];

    snprintf(decimal, sizeof(decimal), "%llu", (unsigned long long)n);
    CHECK_WRITES(FA__HTTP1_DECIMAL_MAX, fa__http1_write_decimal(at, n), decimal);
    snprintf(line, sizeof(line), "content-length: %s\r\n", decimal);
    CHECK_WRITES(FA__HTTP1_CONTENT_LENGTH_MAX, fa__http1_write_content_length(at, n),
                 line);
    snprintf(hex, sizeof(hex), "%llx\r\n", (unsigned long long)n);
    CHECK_WRITES(FA__HTTP1_CHUNK_HEAD_MAX, fa__http1_write_chunk_head(at, n), hex);
}

static void test_numbers(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 20000; ++n)
        check_decimal(n);
    for (uint64_t power = 1; power <= UINT64_MAX / 10; power *= 10) {
        check_decimal(power - 1);
        check_decimal(power);
        check_decimal(power + 1);
    }
    for (int bit = 0; bit < 64; ++bit) {
        check_decimal((UINT64_C(1) << bit) - 1);
        check_decimal(UINT64_C(1) << bit);
    }
    check_decimal(UINT64_MAX);
}

static void test_last_chunk(void **state)
{
    static const fa_slice names[] = {{"Expires", 7}, {"X-Sum", 5}};
    static const fa_slice values[] = {{"never", 5}, {"42", 2}};

    (void)state;
    CHECK_WRITES(fa__http1_last_chunk_max(NULL, NULL, 0),
                 fa__http1_write_last_chunk(at, NULL, NULL, 0), "0\r\n\r\n");
    CHECK_WRITES(fa__http1_last_chunk_max(names, values, 2),
                 fa__http1_write_last_chunk(at, names, values, 2),
                 "0\r\nexpires: never\r\nx-sum: 42\r\n\r\n");
}

static void test_literals(void **state)
{
    (void)state;
    CHECK_WRITES(19, fa__http1_write_literal(at, FA__HTTP1_CLOSE),
                 "connection: close\r\n");
    CHECK_WRITES(28, fa__http1_write_literal(at, FA__HTTP1_CHUNKED),
                 "transfer-encoding: chunked\r\n");
    CHECK_WRITES(25, fa__http1_write_literal(at, FA__HTTP1_CONTINUE),
                 "HTTP/1.1 100 Continue\r\n\r\n");
}

static void test_date_block(void **state)
{
    fa__http1_date_block block;

    (void)state;
    CHECK_INT(fa__http1_date_block_init(&block, true, FA_SLICE("fasterapi"), 784111777),
              ==, 0);
    CHECK_WRITES(FA__HTTP1_DATE_BLOCK_MAX, fa__http1_write_date_block(at, &block),
                 "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nserver: fasterapi\r\n");
    fa__http1_date_block_set(&block, 784111778);
    CHECK_WRITES(FA__HTTP1_DATE_BLOCK_MAX, fa__http1_write_date_block(at, &block),
                 "date: Sun, 06 Nov 1994 08:49:38 GMT\r\nserver: fasterapi\r\n");
    fa__http1_date_block_set(&block, 784111776); /* the clock was set back */
    CHECK_WRITES(FA__HTTP1_DATE_BLOCK_MAX, fa__http1_write_date_block(at, &block),
                 "date: Sun, 06 Nov 1994 08:49:36 GMT\r\nserver: fasterapi\r\n");
}

static void test_date_block_parts(void **state)
{
    fa__http1_date_block block;

    (void)state;
    CHECK_INT(fa__http1_date_block_init(&block, false, FA_SLICE("x"), 5), ==, 0);
    fa__http1_date_block_set(&block, 6);
    CHECK_WRITES(FA__HTTP1_DATE_BLOCK_MAX, fa__http1_write_date_block(at, &block),
                 "server: x\r\n");
    CHECK_INT(fa__http1_date_block_init(&block, true, (fa_slice){NULL, 0}, 0), ==, 0);
    CHECK_WRITES(FA__HTTP1_DATE_BLOCK_MAX, fa__http1_write_date_block(at, &block),
                 "date: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
    CHECK_INT(fa__http1_date_block_init(&block, false, (fa_slice){NULL, 0}, 0), ==, 0);
    CHECK_WRITES(FA__HTTP1_DATE_BLOCK_MAX, fa__http1_write_date_block(at, &block), "");
}

static void test_date_block_server(void **state)
{
    char name[FA__HTTP1_SERVER_MAX + 1], expected[256];
    fa__http1_date_block block, before;

    (void)state;
    memset(name, 's', sizeof(name));
    CHECK_INT(
        fa__http1_date_block_init(&block, true, (fa_slice){name, sizeof(name) - 1}, 0),
        ==, 0);
    snprintf(expected, sizeof(expected),
             "date: Thu, 01 Jan 1970 00:00:00 GMT\r\nserver: %.*s\r\n",
             FA__HTTP1_SERVER_MAX, name);
    CHECK_WRITES(FA__HTTP1_DATE_BLOCK_MAX, fa__http1_write_date_block(at, &block),
                 expected);
    before = block;
    CHECK_INT(fa__http1_date_block_init(&block, true, (fa_slice){name, sizeof(name)}, 0),
              ==, FA_ERR_INVALID);
    CHECK_INT(fa__http1_date_block_init(&block, true, FA_SLICE("a\r\nb: c"), 0), ==,
              FA_ERR_INVALID);
    CHECK(memcmp(&block, &before, sizeof(block)) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_lines),     cmocka_unit_test(test_fields),
        cmocka_unit_test(test_numbers),          cmocka_unit_test(test_last_chunk),
        cmocka_unit_test(test_literals),         cmocka_unit_test(test_date_block),
        cmocka_unit_test(test_date_block_parts), cmocka_unit_test(test_date_block_server),
    };

    return cmocka_run_group_tests_name("http1/writer", tests, NULL, NULL);
}
