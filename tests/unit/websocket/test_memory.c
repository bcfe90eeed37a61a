/* Each allocation fails once: an error and nothing lost, or a connection that ends. */
#include "check.h"

#include <fasterapi/error.h>

#include "failing_alloc.h"
#include "trace.h"

static fa__ws_options compressed(bool client)
{
    fa__ws_options options = FA__WS_OPTIONS_DEFAULT;

    options.deflate = FA__WS_DEFLATE_DEFAULT;
    options.client = client;
    return options;
}

static void fill(char *p, size_t n)
{
    for (size_t i = 0; i < n; ++i)
        p[i] = "some words that repeat, "[i % 24];
}

/* A send that fails leaves no trace: tried again, the peer gets all of it. */
static void test_send(void **state)
{
    static char text[20000];
    uint64_t fail_at = 0;
    bool failed;

    (void)state;
    fill(text, sizeof(text));
    do {
        const fa__ws_options ours = compressed(false), theirs = compressed(true);
        failing_alloc f;
        ws_trace server, client;

        failing_alloc_init(&f, ++fail_at);
        ws_trace_init(&server, &ours, &f.alloc);
        ws_trace_init(&client, &theirs, &fa__malloc);
        failed = false;
        for (int i = 0; i < 6; ++i) {
            fa_slice bytes = {text, i % 2 == 0 ? 100 : sizeof(text)};
            size_t before = server.out.len;
            int rv = fa__ws_send(&server.ws, FA__WS_TEXT, bytes);

            if (rv != 0) {
                failed = true;
                CHECK_INT(rv, ==, FA_ERR_NOMEM);
                CHECK_INT(server.out.len, ==, before);
                CHECK_INT(fa__ws_get_state(&server.ws), ==, FA__WS_OPEN);
                CHECK_INT(fa__ws_send(&server.ws, FA__WS_TEXT, bytes), ==, 0);
            }
        }
        ws_trace_feed(&client, server.out.p, server.out.len);
        CHECK_INT(client.text.len, ==, 3 * (10 + 100) + 3 * (12 + sizeof(text)));
        ws_trace_free(&server);
        ws_trace_free(&client);
        CHECK_INT(f.held, ==, 0);
        CHECK(failed == (f.calls >= fail_at));
    } while (failed);
    CHECK(fail_at > 8);
}

static void test_receive(void **state)
{
    static char text[20000];
    const fa__ws_options ours = compressed(false), theirs = compressed(true);
    uint64_t fail_at = 0;
    ws_trace client;
    bool failed;

    (void)state;
    fill(text, sizeof(text));
    ws_trace_init(&client, &theirs, &fa__malloc);
    CHECK_INT(fa__ws_send(&client.ws, FA__WS_TEXT, (fa_slice){text, sizeof(text)}), ==,
              0);
    CHECK_INT(fa__ws_ping(&client.ws, FA_SLICE("p")), ==, 0);
    client.ws.writer.deflate.on = false;
    client.ws.writer.options.fragment_bytes = 7000;
    CHECK_INT(fa__ws_send(&client.ws, FA__WS_TEXT, (fa_slice){text, sizeof(text)}), ==,
              0);
    CHECK_INT(fa__ws_close(&client.ws, 1000, FA_SLICE("")), ==, 0);
    do {
        failing_alloc f;
        ws_trace server;
        ptrdiff_t rv;

        failing_alloc_init(&f, ++fail_at);
        ws_trace_init(&server, &ours, &f.alloc);
        rv = ws_trace_feed(&server, client.out.p, client.out.len);
        failed = f.calls >= fail_at;
        CHECK_INT(rv, ==, failed ? FA_ERR_NOMEM : (ptrdiff_t)client.out.len);
        CHECK_INT(fa__ws_get_state(&server.ws), ==, FA__WS_CLOSED);
        if (failed) {
            const char *end = "fail 1011:internal error\n";

            CHECK_INT(server.text.len, >=, strlen(end));
            CHECK(memcmp(server.text.p + server.text.len - strlen(end), end,
                         strlen(end)) == 0);
        }
        ws_trace_free(&server);
        CHECK_INT(f.held, ==, 0);
    } while (failed);
    CHECK(fail_at > 6);
    ws_trace_free(&client);
}

/* A connection that is idle after a long message keeps little. */
static void test_idle_memory(void **state)
{
    static char text[100000];
    const fa__ws_options plain = FA__WS_OPTIONS_DEFAULT;
    fa__ws_options theirs = FA__WS_OPTIONS_DEFAULT;
    ws_trace server, client;

    (void)state;
    fill(text, sizeof(text));
    theirs.client = true;
    theirs.writer.fragment_bytes = 1000;
    ws_trace_init(&server, &plain, &fa__malloc);
    ws_trace_init(&client, &theirs, &fa__malloc);
    CHECK_INT(fa__ws_send(&client.ws, FA__WS_TEXT, (fa_slice){text, sizeof(text)}), ==,
              0);
    ws_trace_feed(&server, client.out.p, client.out.len);
    CHECK_INT(server.text.len, >, sizeof(text));
    client.out.len = 0;
    CHECK_INT(fa__ws_ping(&client.ws, FA_SLICE("")), ==, 0);
    ws_trace_feed(&server, client.out.p, client.out.len);
    CHECK_INT(server.ws.reader.message.cap, <=, 4096);
    CHECK_INT(sizeof(fa__ws), <=, 1024);
    ws_trace_free(&server);
    ws_trace_free(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_send),
        cmocka_unit_test(test_receive),
        cmocka_unit_test(test_idle_memory),
    };

    return cmocka_run_group_tests_name("websocket/memory", tests, NULL, NULL);
}
