/* Both sides of a connection, talking to each other. */
#include "check.h"

#include <fasterapi/error.h>

#include "trace.h"

typedef struct pair {
    ws_trace server, client;
} pair;

static void pair_init(pair *p, fa__ws_options options)
{
    options.client = false;
    ws_trace_init(&p->server, &options, &fa__malloc);
    options.client = true;
    ws_trace_init(&p->client, &options, &fa__malloc);
}

static void pair_free(pair *p)
{
    ws_trace_free(&p->server);
    ws_trace_free(&p->client);
}

/* What one has written is given to the other. */
static void carry(ws_trace *from, ws_trace *to)
{
    CHECK_INT(ws_trace_feed(to, from->out.p, from->out.len), ==, from->out.len);
    from->out.len = 0;
}

#define CHECK_EVENTS(t, lines) CHECK_SLICE(((fa_slice){(t).text.p, (t).text.len}), lines)

/* RFC 6455, 5.5.2: the pong carries the ping's payload. */
static void test_ping(void **state)
{
    pair p;

    (void)state;
    pair_init(&p, FA__WS_OPTIONS_DEFAULT);
    CHECK_INT(fa__ws_ping(&p.server.ws, FA_SLICE("are you there?")), ==, 0);
    CHECK_INT(p.server.out.p[0] & 0xFF, ==, 0x89);
    carry(&p.server, &p.client);
    CHECK_EVENTS(p.client, "ping 14:are you there?\n");
    carry(&p.client, &p.server);
    CHECK_EVENTS(p.server, "pong 14:are you there?\n");
    CHECK_INT(fa__ws_pong(&p.client.ws, FA_SLICE("")), ==, 0);
    carry(&p.client, &p.server);
    CHECK_EVENTS(p.server, "pong 14:are you there?\npong 0:\n");
    pair_free(&p);
}

static void test_close_by_server(void **state)
{
    pair p;

    (void)state;
    pair_init(&p, FA__WS_OPTIONS_DEFAULT);
    CHECK_INT(fa__ws_close(&p.server.ws, 1001, FA_SLICE("bye")), ==, 0);
    CHECK_INT(fa__ws_get_state(&p.server.ws), ==, FA__WS_CLOSING);
    /* After our Close nothing of ours (5.5.1), but what was on its way arrives. */
    CHECK_INT(fa__ws_send(&p.server.ws, FA__WS_TEXT, FA_SLICE("x")), ==, FA_ERR_CLOSED);
    CHECK_INT(fa__ws_ping(&p.server.ws, FA_SLICE("x")), ==, FA_ERR_CLOSED);
    CHECK_INT(fa__ws_pong(&p.server.ws, FA_SLICE("x")), ==, FA_ERR_CLOSED);
    CHECK_INT(fa__ws_close(&p.server.ws, 1000, FA_SLICE("")), ==, FA_ERR_CLOSED);
    CHECK_INT(fa__ws_send(&p.client.ws, FA__WS_TEXT, FA_SLICE("late")), ==, 0);
    CHECK_INT(fa__ws_ping(&p.client.ws, FA_SLICE("?")), ==, 0);
    carry(&p.server, &p.client);
    CHECK_EVENTS(p.client, "close 1001:bye\n");
    CHECK_INT(fa__ws_get_state(&p.client.ws), ==, FA__WS_CLOSED);
    carry(&p.client, &p.server);
    CHECK_EVENTS(p.server, "text 4:late\nping 1:?\nclose 1001:bye\n");
    CHECK_INT(fa__ws_get_state(&p.server.ws), ==, FA__WS_CLOSED);
    CHECK_INT(p.server.out.len, ==, 0);
    pair_free(&p);
}

static void test_close_without_code(void **state)
{
    pair p;

    (void)state;
    pair_init(&p, FA__WS_OPTIONS_DEFAULT);
    CHECK_INT(fa__ws_close(&p.client.ws, FA__WS_NO_STATUS, FA_SLICE("")), ==, 0);
    CHECK_INT(p.client.out.len, ==, 6);
    carry(&p.client, &p.server);
    CHECK_EVENTS(p.server, "close 1005:\n");
    CHECK_INT(p.server.out.len, ==, 2); /* an empty Close in return */
    carry(&p.server, &p.client);
    CHECK_EVENTS(p.client, "close 1005:\n");
    pair_free(&p);
}

static void test_failure_tells_the_peer_once(void **state)
{
    pair p;

    (void)state;
    pair_init(&p, FA__WS_OPTIONS_DEFAULT);
    ws_trace_feed(&p.server, "\x83\x80", 2);
    CHECK_EVENTS(p.server, "fail 1002:unknown opcode\n");
    CHECK_INT(fa__ws_get_state(&p.server.ws), ==, FA__WS_CLOSED);
    CHECK_INT(fa__ws_send(&p.server.ws, FA__WS_TEXT, FA_SLICE("x")), ==, FA_ERR_CLOSED);
    ws_trace_feed(&p.server, "\x83\x80", 2);
    carry(&p.server, &p.client);
    CHECK_EVENTS(p.client, "close 1002:unknown opcode\n");
    CHECK_EVENTS(p.server, "fail 1002:unknown opcode\n");
    pair_free(&p);

    pair_init(&p, FA__WS_OPTIONS_DEFAULT);
    CHECK_INT(fa__ws_close(&p.server.ws, 1000, FA_SLICE("")), ==, 0);
    CHECK_INT(p.server.out.len, ==, 4);
    ws_trace_feed(&p.server, "\x83\x80", 2);
    CHECK_EVENTS(p.server, "fail 1002:unknown opcode\n");
    CHECK_INT(p.server.out.len, ==, 4); /* one Close is enough */
    pair_free(&p);
}

static void test_arguments(void **state)
{
    static char big[126];
    fa_slice too_long = {big, sizeof(big)}, reason = {big, FA__WS_REASON_MAX + 1};
    fa__ws_options options = FA__WS_OPTIONS_DEFAULT;
    fa__ws ws;
    pair p;

    (void)state;
    pair_init(&p, FA__WS_OPTIONS_DEFAULT);
    CHECK_INT(fa__ws_ping(&p.server.ws, too_long), ==, FA_ERR_INVALID);
    CHECK_INT(fa__ws_pong(&p.server.ws, too_long), ==, FA_ERR_INVALID);
    CHECK_INT(fa__ws_close(&p.server.ws, 1000, reason), ==, FA_ERR_INVALID);
    CHECK_INT(fa__ws_close(&p.server.ws, 1006, FA_SLICE("")), ==, FA_ERR_INVALID);
    CHECK_INT(fa__ws_close(&p.server.ws, 1005, FA_SLICE("a")), ==, FA_ERR_INVALID);
    CHECK_INT(fa__ws_close(&p.server.ws, 1000, FA_SLICE("\xff")), ==, FA_ERR_INVALID);
    CHECK_INT(fa__ws_send(&p.server.ws, FA__WS_TEXT, FA_SLICE("\xff")), ==,
              FA_ERR_INVALID);
    CHECK_INT(fa__ws_send(&p.server.ws, FA__WS_PING, FA_SLICE("a")), ==, FA_ERR_INVALID);
    CHECK_INT(p.server.out.len, ==, 0);
    CHECK_INT(fa__ws_get_state(&p.server.ws), ==, FA__WS_OPEN);
    pair_free(&p);

    options.deflate = FA__WS_DEFLATE_DEFAULT;
    options.deflate.client_max_window_bits = 7;
    CHECK_INT(fa__ws_init(&ws, &options, NULL, NULL, NULL, &fa__malloc), ==,
              FA_ERR_INVALID);
    options.deflate = FA__WS_DEFLATE_DEFAULT;
    options.writer.deflate_level = 0;
    CHECK_INT(fa__ws_init(&ws, &options, NULL, NULL, NULL, &fa__malloc), ==,
              FA_ERR_INVALID);
}

/* Texts that repeat, texts that do not, of sizes around all borders. */
static void fill(char *p, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; ++i) {
        seed = seed * 1664525 + 1013904223;
        p[i] = "{\"id\": 1}"[i % 9];
        if (seed % 3 == 0)
            p[i] = (char)('a' + (seed >> 24) % 26);
    }
}

static void talk(const fa__ws_options *options)
{
    static const size_t sizes[] = {0,  1,   31,  32,   125,   126,   127,   1000,   4095,
                                   16, 300, 300, 4097, 65535, 65536, 65537, 200000, 50};
    char *text = malloc(200000);
    pair p;

    CHECK(text != NULL);
    pair_init(&p, *options);
    p.server.echo = true;
    for (size_t i = 0; i < ARRAY_LEN(sizes); ++i) {
        fa__ws_opcode opcode = i % 2 == 0 ? FA__WS_TEXT : FA__WS_BINARY;
        fa_slice bytes = {text, sizes[i]};
        size_t head;

        fill(text, sizes[i], (uint32_t)i);
        p.client.text.len = p.server.text.len = 0;
        CHECK_INT(fa__ws_send(&p.client.ws, opcode, bytes), ==, 0);
        carry(&p.client, &p.server);
        carry(&p.server, &p.client);
        CHECK_INT(p.client.text.len, >, bytes.len);
        head = p.client.text.len - bytes.len - 1;
        CHECK_INT(p.client.text.p[0], ==, opcode == FA__WS_TEXT ? 't' : 'b');
        CHECK(memcmp(p.client.text.p + head, text, bytes.len) == 0);
        CHECK_INT(p.client.text.len, ==, p.server.text.len);
    }
    CHECK_INT(fa__ws_close(&p.client.ws, 1000, FA_SLICE("")), ==, 0);
    carry(&p.client, &p.server);
    carry(&p.server, &p.client);
    CHECK_INT(fa__ws_get_state(&p.client.ws), ==, FA__WS_CLOSED);
    CHECK_INT(fa__ws_get_state(&p.server.ws), ==, FA__WS_CLOSED);
    pair_free(&p);
    free(text);
}

static void test_talk(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 32; ++bits) {
        fa__ws_options options = FA__WS_OPTIONS_DEFAULT;

        options.deflate.on = (bits & 1) != 0;
        options.deflate.server_no_context_takeover = (bits & 2) != 0;
        options.deflate.client_no_context_takeover = (bits & 4) != 0;
        options.deflate.server_max_window_bits = (bits & 8) != 0 ? 8 : 15;
        options.deflate.client_max_window_bits = (bits & 8) != 0 ? 9 : 15;
        options.writer.fragment_bytes = (bits & 16) != 0 ? 1000 : 0;
        talk(&options);
    }
}

static void test_compression_saves(void **state)
{
    fa__ws_options options = FA__WS_OPTIONS_DEFAULT;
    const fa_slice text = FA_SLICE("{\"name\": \"value\", \"other\": \"another value\"}");
    size_t first;
    pair p;

    (void)state;
    options.deflate = FA__WS_DEFLATE_DEFAULT;
    pair_init(&p, options);
    CHECK_INT(fa__ws_send(&p.server.ws, FA__WS_TEXT, text), ==, 0);
    first = p.server.out.len;
    CHECK_INT(p.server.out.p[0] & 0xFF, ==, 0xc1);
    CHECK_INT(first, <, text.len);
    CHECK_INT(fa__ws_send(&p.server.ws, FA__WS_TEXT, text), ==, 0);
    CHECK_INT(p.server.out.len - first, <, first / 3); /* it is in the window */
    carry(&p.server, &p.client);
    p.server.out.len = 0;
    CHECK_INT(fa__ws_send(&p.server.ws, FA__WS_TEXT, FA_SLICE("short")), ==, 0);
    CHECK_INT(p.server.out.p[0] & 0xFF, ==, 0x81);
    pair_free(&p);
}

/* RFC 6455, 5.3: a client's keys differ from frame to frame. */
static void test_keys(void **state)
{
    pair p;

    (void)state;
    pair_init(&p, FA__WS_OPTIONS_DEFAULT);
    for (int i = 0; i < 40; ++i)
        CHECK_INT(fa__ws_send(&p.client.ws, FA__WS_BINARY, FA_SLICE("abcd")), ==, 0);
    CHECK_INT(p.client.out.len, ==, 40 * 10);
    for (int i = 1; i < 40; ++i)
        CHECK(memcmp(p.client.out.p + 2, p.client.out.p + i * 10 + 2, 4) != 0);
    pair_free(&p);
}

static int no_random(unsigned char *p, size_t n)
{
    (void)p;
    (void)n;
    return FA_ERR_SYSTEM;
}

static void test_without_random_numbers(void **state)
{
    pair p;

    (void)state;
    pair_init(&p, FA__WS_OPTIONS_DEFAULT);
    p.client.ws.writer.random = no_random;
    CHECK_INT(fa__ws_send(&p.client.ws, FA__WS_TEXT, FA_SLICE("a")), ==, FA_ERR_SYSTEM);
    CHECK_INT(p.client.out.len, ==, 0);
    pair_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ping),
        cmocka_unit_test(test_close_by_server),
        cmocka_unit_test(test_close_without_code),
        cmocka_unit_test(test_failure_tells_the_peer_once),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_talk),
        cmocka_unit_test(test_compression_saves),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_without_random_numbers),
    };

    return cmocka_run_group_tests_name("websocket/ws", tests, NULL, NULL);
}
