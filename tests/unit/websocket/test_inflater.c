#include "check.h"

#include <fasterapi/error.h>

#include "websocket/deflater.h"
#include "websocket/inflater.h"

static const fa__ws_inflate_limits wide = {16 << 20, 1 << 20, 100};

/* One message, cut in two; the result's code, 0 when it is whole. */
static int inflate_message(fa__ws_inflater *inf, fa__buf *out, fa_slice in, size_t cut)
{
    fa__ws_fault fault = {0, NULL};

    if (fa__ws_inflater_feed(inf, out, in.p, cut, &fault) != 0 ||
        fa__ws_inflater_feed(inf, out, in.p + cut, in.len - cut, &fault) != 0 ||
        fa__ws_inflater_flush(inf, out, &fault) != 0 ||
        fa__ws_inflater_finish(inf, out, &fault) != 0)
        CHECK_INT(fault.code, !=, 0);
    return fault.code;
}

/* The examples of RFC 7692, 7.2.3, one after the other over one window. */
static void test_examples(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *text;
    } cases[] = {
        {"\xf2\x48\xcd\xc9\xc9\x07\x00", 7, "Hello"},                  /* 7.2.3.1 */
        {"\xf2\x00\x11\x00\x00", 5, "Hello"},                          /* 7.2.3.2 */
        {"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11, "Hello"}, /* 7.2.3.3 */
        {"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8, "Hello"},              /* 7.2.3.4 */
        {"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13, "Hello"}, /* .5 */
        {"\x00", 1, ""},                              /* 7.2.3.6 */
        {"\xf3\x48\xcd\xc9\xc9\x07\x00", 7, "Hello"}, /* a final block and no more */
    };
    fa__ws_inflater *inf;

    (void)state;
    CHECK_INT(fa__ws_inflater_new(&inf, 15, false, &wide, &fa__malloc), ==, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        for (size_t cut = 0; cut <= cases[i].len; ++cut) {
            fa_slice in = exact_bytes(cases[i].bytes, cases[i].len);
            fa__buf out;

            fa__buf_init(&out, &fa__malloc);
            CHECK_INT(inflate_message(inf, &out, in, cut), ==, 0);
            CHECK_SLICE(((fa_slice){out.p, out.len}), cases[i].text);
            fa__buf_free(&out);
            exact_free(in);
        }
    }
    fa__ws_inflater_del(inf);
}

static void test_malformed(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"\x07", 1},                         /* a block of the reserved kind */
        {"\xf2\x48\xcd\xc9", 4},             /* ends within a block */
        {"", 0},                             /* not even an empty block */
        {"\x00\x06\x00\xf9\xff\x48", 6},     /* a stored block cut short */
        {"\x00\x05\x00\xfa\xfe\x48\x65", 7}, /* its length contradicts itself */
        {"\xf2\x00\x11\x00\x00", 5},         /* points before the begin */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        for (size_t cut = 0; cut <= cases[i].len; ++cut) {
            fa_slice in = exact_bytes(cases[i].bytes, cases[i].len);
            fa__ws_inflater *inf;
            fa__buf out;

            fa__buf_init(&out, &fa__malloc);
            CHECK_INT(fa__ws_inflater_new(&inf, 15, false, &wide, &fa__malloc), ==, 0);
            CHECK_INT(inflate_message(inf, &out, in, cut), ==, 1002);
            fa__ws_inflater_del(inf);
            fa__buf_free(&out);
            exact_free(in);
        }
    }
}

/* `n` zeros, compressed. */
static fa__buf zeros(size_t n)
{
    fa__ws_deflater *def;
    fa__buf packed;
    char *p = calloc(n, 1);

    CHECK(p != NULL);
    fa__buf_init(&packed, &fa__malloc);
    CHECK_INT(fa__ws_deflater_new(&def, 15, false, 6, 8, &fa__malloc), ==, 0);
    CHECK_INT(fa__ws_deflater_run(def, &packed, (fa_slice){p, n}), ==, 1);
    fa__ws_deflater_del(def);
    free(p);
    return packed;
}

static void test_limits_are_seen_while_inflating(void **state)
{
    static const struct {
        size_t bytes;
        fa__ws_inflate_limits limits;
        int code;
        size_t at_most; /* inflated bytes held at the end */
    } cases[] = {
        {100000, {100000, 1 << 20, 100}, 0, 100000},
        {100001, {100000, 1 << 20, 100}, 1009, 100001},
        {32 << 20, {100000, 1 << 20, 100}, 1009, 100001},
        {1 << 20, {16 << 20, 1 << 20, 100}, 0, 1 << 20},
        {3 << 20, {16 << 20, 1 << 20, 100}, 1009, (1 << 20) + 65536},
        {3 << 20, {16 << 20, 1 << 20, 2000}, 0, 3 << 20},
        {3 << 20, {16 << 20, 1 << 20, 0}, 0, 3 << 20},
        {1, {0, 1 << 20, 100}, 1009, 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa__buf packed, first = {NULL, 0, 0, NULL};

        if (cases[i].bytes == 1) {
            fa__buf_init(&packed, &fa__malloc);
            CHECK_INT(fa__buf_append(&packed, "\x4a\x04\x00", 3), ==, 0); /* "a" */
        } else {
            packed = zeros(cases[i].bytes);
        }
        for (size_t cut = 0; cut <= packed.len; cut += 1 + packed.len / 5) {
            fa__ws_inflater *inf;
            fa__buf out;

            fa__buf_init(&out, &fa__malloc);
            CHECK_INT(fa__ws_inflater_new(&inf, 15, false, &cases[i].limits, &fa__malloc),
                      ==, 0);
            CHECK_INT(inflate_message(inf, &out, (fa_slice){packed.p, packed.len}, cut),
                      ==, cases[i].code);
            CHECK_INT(out.len, <=, cases[i].at_most);
            if (cut == 0) /* how the bytes came does not matter */
                first.len = out.len;
            CHECK_INT(out.len, ==, first.len);
            fa__ws_inflater_del(inf);
            fa__buf_free(&out);
        }
        fa__buf_free(&packed);
    }
}

/* For each size of window, what the deflater makes fits a window of just that size: the
   texts repeat what is as far back as it may reach, and further. */
static void test_windows(void **state)
{
    (void)state;
    for (uint8_t bits = 8; bits <= 15; ++bits) {
        for (int reset = 0; reset < 2; ++reset) {
            fa__ws_deflater *def;
            fa__ws_inflater *inf;
            fa__buf packed, out;
            uint32_t random = 1;
            int compressed = 0;
            char *text = malloc(70000);

            CHECK(text != NULL);
            fa__buf_init(&packed, &fa__malloc);
            fa__buf_init(&out, &fa__malloc);
            CHECK_INT(fa__ws_deflater_new(&def, bits, reset, 6, 5, &fa__malloc), ==, 0);
            CHECK_INT(fa__ws_inflater_new(&inf, bits, reset, &wide, &fa__malloc), ==, 0);
            for (size_t distance = 100; distance < 40000; distance += distance / 3) {
                for (size_t i = 0; i < 70000; ++i) {
                    random = random * 1664525 + 1013904223;
                    text[i] = i >= distance && i % 1000 > 20 ? text[i - distance]
                                                             : (char)(random >> 24);
                }
                packed.len = out.len = 0;
                if (fa__ws_deflater_run(def, &packed, (fa_slice){text, 70000}) == 0)
                    continue; /* further back than the window reaches */
                ++compressed;
                CHECK_INT(inflate_message(inf, &out, (fa_slice){packed.p, packed.len},
                                          packed.len / 3),
                          ==, 0);
                CHECK_INT(out.len, ==, 70000);
                CHECK(memcmp(out.p, text, 70000) == 0);
            }
            CHECK_INT(compressed, >=, bits == 8 ? 2 : bits - 6);
            fa__ws_deflater_del(def);
            fa__ws_inflater_del(inf);
            fa__buf_free(&packed);
            fa__buf_free(&out);
            free(text);
        }
    }
}

/* What would grow is left as it is, and the two windows still agree afterwards. */
static void test_nothing_grows(void **state)
{
    fa__ws_deflater *def;
    fa__ws_inflater *inf;
    fa__buf packed, out;
    uint32_t random = 7;
    size_t raw = 0;

    (void)state;
    fa__buf_init(&packed, &fa__malloc);
    fa__buf_init(&out, &fa__malloc);
    CHECK_INT(fa__ws_deflater_new(&def, 12, false, 6, 5, &fa__malloc), ==, 0);
    CHECK_INT(fa__ws_inflater_new(&inf, 12, false, &wide, &fa__malloc), ==, 0);
    for (size_t round = 0; round < 2000; ++round) {
        char text[600];
        size_t n = round % sizeof(text);
        int rv;

        for (size_t i = 0; i < n; ++i) {
            random = random * 1664525 + 1013904223;
            text[i] = (char)(round % 3 == 0 ? random >> 24 : 'a' + (i % 7));
        }
        packed.len = out.len = 0;
        rv = fa__ws_deflater_run(def, &packed, (fa_slice){text, n});
        CHECK_INT(rv, >=, 0);
        if (rv == 0) {
            CHECK_INT(packed.len, ==, 0);
            ++raw;
            continue;
        }
        CHECK_INT(packed.len, <, n);
        CHECK_INT(inflate_message(inf, &out, (fa_slice){packed.p, packed.len}, 1), ==, 0);
        CHECK_INT(out.len, ==, n);
        CHECK(memcmp(out.p, text, n) == 0);
    }
    CHECK(raw > 500 && raw < 1000);
    fa__ws_deflater_del(def);
    fa__ws_inflater_del(inf);
    fa__buf_free(&packed);
    fa__buf_free(&out);
}

static void test_options(void **state)
{
    fa__ws_deflater *def;
    fa__ws_inflater *inf;

    (void)state;
    CHECK_INT(fa__ws_deflater_new(&def, 7, false, 6, 8, &fa__malloc), ==, FA_ERR_INVALID);
    CHECK_INT(fa__ws_deflater_new(&def, 16, false, 6, 8, &fa__malloc), ==,
              FA_ERR_INVALID);
    CHECK_INT(fa__ws_deflater_new(&def, 15, false, 10, 8, &fa__malloc), ==,
              FA_ERR_INVALID);
    CHECK_INT(fa__ws_deflater_new(&def, 15, false, 6, 0, &fa__malloc), ==,
              FA_ERR_INVALID);
    CHECK_INT(fa__ws_inflater_new(&inf, 7, false, &wide, &fa__malloc), ==,
              FA_ERR_INVALID);
    CHECK_INT(fa__ws_inflater_new(&inf, 16, false, &wide, &fa__malloc), ==,
              FA_ERR_INVALID);
    fa__ws_deflater_del(NULL);
    fa__ws_inflater_del(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_limits_are_seen_while_inflating),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_nothing_grows),
        cmocka_unit_test(test_options),
    };

    return cmocka_run_group_tests_name("websocket/inflater", tests, NULL, NULL);
}
