#include "check.h"

#include <stdio.h>

#include <fasterapi/error.h>

#include "reply.h"

/* What came of a stream of replies: "200[body] 204[] ..." and how it ended. */
typedef struct trace {
    char text[8192];
    size_t len;
    int error;
} trace;

static void put(trace *t, const char *p, size_t n)
{
    CHECK(n < sizeof(t->text) - t->len);
    memcpy(t->text + t->len, p, n);
    t->len += n;
    t->text[t->len] = '\0';
}

static int on_body(void *ctx, const char *p, size_t n)
{
    put(ctx, p, n);
    return 0;
}

static void finish(trace *t, fa__ch_reply *r)
{
    char end[32];

    put(t, end,
        (size_t)snprintf(end, sizeof(end), "=%d%s ", r->head.status,
                         r->head.close ? " close" : ""));
    fa__ch_reply_next(r);
}

/* Feeds `text` in pieces of `step` bytes as a connection would: what is not used is
   offered again with more. Each offer is an exact copy, so ASan sees an overrun. */
static void run(trace *t, fa_slice text, size_t step, bool eof)
{
    fa__ch_head_cache cache = {0};
    fa__ch_reply r;
    size_t at = 0, have = 0;

    *t = (trace){.len = 0};
    fa__ch_reply_init(&r, on_body, t);
    while (at < text.len) {
        fa_slice piece;
        ptrdiff_t used;

        have = have + step < text.len - at ? have + step : text.len - at;
        piece = exact_bytes(text.p + at, have);
        used = fa__ch_reply_feed(&r, &cache, piece.p, piece.len);
        exact_free(piece);
        if (used < 0) {
            t->error = (int)used;
            return;
        }
        CHECK_INT(used, <=, (long long)have);
        at += (size_t)used;
        have -= (size_t)used;
        if (r.done)
            finish(t, &r);
        else if (used == 0 && at + have == text.len)
            break;
    }
    if (eof && fa__ch_reply_eof(&r))
        finish(t, &r);
}

static const struct reply_case {
    const char *in;
    const char *out;
    int error;
} cases[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok=200 ", 0},
    {"HTTP/1.1 200 OK\r\ncontent-LENGTH:2\r\n\r\nok", "ok=200 ", 0},
    {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "=200 ", 0},
    {"HTTP/1.1 200 \nContent-Length: 1\n\nx", "x=200 ", 0},
    {"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: "
     "5\r\n\r\n",
     "=204 =304 ", 0},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
     "HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx",
     "x=201 ", 0},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
     "chunked\r\n\r\n2\r\nab\r\n0A;x=\"y\"\r\n0123456789\r\n"
     "0\r\nTrailer: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
     "ab0123456789=200 =200 ", 0},
    {"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, CHUNKED\r\nContent-Length: 99\r\n\r\n"
     "1\na\n0\n\n",
     "a=200 ", 0},
    {"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 1\r\n\r\nx", "x=200 close ",
     0},
    {"HTTP/1.1 200 OK\r\nConnection: foo, close\r\nContent-Length: 1\r\n\r\nx",
     "x=200 close ", 0},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "x=200 close ", 0},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", "x=200 ",
     0},
    {"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\nContent-Length: 1\r\n\r\nx", "x=200 ",
     0},
    {"HTTP/1.1 200 OK\r\nX: a\r\n folded: yes\r\nContent-Length: 1\r\n\r\nx", "x=200 ",
     0},
    {"HTTP/1.1 200 OK\r\n\r\nto the end", "to the end=200 close ", 0},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxyz", "xyz=200 close ", 0},
    /* cut off */
    {"HTTP/1.1 200 OK\r\nContent-Le", "", 0},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "ab", 0},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", "ab", 0},
    /* malformed */
    {"hello there, I am no HTTP", "", FA_ERR_STATUS_LINE},
    {"HTTP/2.0 200 OK\r\n\r\n", "", FA_ERR_STATUS_LINE},
    {"HTTP/1.1 2x0 OK\r\n\r\n", "", FA_ERR_STATUS_LINE},
    {"HTTP/1.1 099 OK\r\n\r\n", "", FA_ERR_STATUS_LINE},
    {"HTTP/1.1 2000 OK\r\n\r\n", "", FA_ERR_STATUS_LINE},
    {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "", FA_ERR_STATUS_LINE},
    {"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "", FA_ERR_FIELD_LINE},
    {"HTTP/1.1 200 OK\r\n: empty\r\n\r\n", "", FA_ERR_FIELD_LINE},
    {"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n", "", FA_ERR_CONTENT_LENGTH},
    {"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", "", FA_ERR_CONTENT_LENGTH},
    {"HTTP/1.1 200 OK\r\nContent-Length: 1,\r\n\r\n", "", FA_ERR_CONTENT_LENGTH},
    {"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n", "",
     FA_ERR_CONTENT_LENGTH},
    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "",
     FA_ERR_CONTENT_LENGTH},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", "",
     FA_ERR_TRANSFER_ENCODING},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "", FA_ERR_CHUNK},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", "", FA_ERR_CHUNK},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n", "",
     FA_ERR_CHUNK},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", "a",
     FA_ERR_CHUNK},
};

static void test_cases_in_any_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice in = fa_slice_of(cases[i].in);

        for (size_t step = 1; step <= in.len; ++step) {
            trace t;

            run(&t, in, step, true);
            if (t.error != cases[i].error || strcmp(t.text, cases[i].out) != 0)
                fail_msg("in steps of %zu: %s\ngave %d \"%s\", not %d \"%s\"", step,
                         cases[i].in, t.error, t.text, cases[i].error, cases[i].out);
        }
    }
}

/* A head that is the same as the last is not read again; one that only begins the
   same, or is longer by a line, must be. */
static void test_cache_knows_whole_heads_only(void **state)
{
    static const char stream[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb"
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nc";

    (void)state;
    for (size_t step = 1; step <= sizeof(stream) - 1; ++step) {
        trace t;

        run(&t, fa_slice_of(stream), step, false);
        CHECK(strcmp(t.text, "a=200 b=200 0123456789=200 c=200 close ") == 0);
    }
}

/* A server that never ends a line must not be listened to for ever. */
static void test_limits(void **state)
{
    static const char *const openings[] = {
        "HTTP/1.1 200 OK\r\nX: ",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0000"};
    static const int errors[] = {FA_ERR_HEADER_TOO_LARGE, FA_ERR_CHUNK, FA_ERR_TRAILER,
                                 FA_ERR_CHUNK};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(openings); ++i) {
        size_t n = strlen(openings[i]), size = n + 2 * FA__CH_MAX_HEAD_BYTES;
        char *text = malloc(size);
        trace t;

        CHECK(text != NULL);
        memcpy(text, openings[i], n);
        memset(text + n, '0', size - n);
        run(&t, (fa_slice){text, size}, 997, true);
        CHECK_INT(t.error, ==, errors[i]);
        free(text);
    }
}

static int refuse(void *ctx, const char *p, size_t n)
{
    (void)ctx;
    (void)p;
    (void)n;
    return FA_ERR_LIMIT;
}

static void test_body_error_is_passed_on(void **state)
{
    fa_slice in = exact_copy("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    fa__ch_reply r;

    (void)state;
    fa__ch_reply_init(&r, refuse, NULL);
    CHECK_INT(fa__ch_reply_feed(&r, NULL, in.p, in.len), ==, FA_ERR_LIMIT);
    exact_free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases_in_any_split),
        cmocka_unit_test(test_cache_knows_whole_heads_only),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_body_error_is_passed_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
