/* How WebSockets begin: requests, and what they are answered. */
#include "websockets.h"

static void test_handshake(void **state)
{
    (void)state;
    CHECK_INT(client_connect(&peer, worker), ==, 0);
    CHECK(client_say(&peer, worker,
                     "GET / HTTP/1.1\r\n" HANDSHAKE VERSION
                     "sec-websocket-protocol: chat, superchat\r\n"
                     "sec-websocket-extensions: permessage-deflate; "
                     "client_max_window_bits\r\n\r\n"));
    EXPECT(ACCEPTED "sec-websocket-protocol: superchat\r\n"
                    "sec-websocket-extensions: permessage-deflate; "
                    "server_max_window_bits=12; client_max_window_bits=12\r\n"
                    "x-one: 1\r\nx-two: 2\r\n\r\n");
    CHECK(ws != NULL);
    SAY(TEXT_HI);
    EXPECT("\x81\x02hi");
    client_close(&peer);
    settle(worker, &peer);
    CHECK_U64(told.closes, ==, 1);
    CHECK_INT(told.code, ==, FA_WEBSOCKET_ABNORMAL);
}

static void test_refused(void **state)
{
    (void)state;
    CHECK_INT(client_connect(&peer, worker), ==, 0);
    CHECK(client_say(&peer, worker,
                     "GET / HTTP/1.1\r\n" HANDSHAKE "sec-websocket-version: 8\r\n\r\n"));
    EXPECT("HTTP/1.1 426 Upgrade Required\r\nupgrade: websocket\r\n"
           "connection: upgrade, close\r\nsec-websocket-version: 13\r\n"
           "content-type: application/json\r\ncontent-length: 29\r\n\r\n"
           "{\"detail\":\"Upgrade Required\"}");
    CHECK(peer.ended);
    CHECK_INT(client_connect(&other, worker), ==, 0);
    CHECK(client_say(&other, worker,
                     "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n"
                     "upgrade: websocket\r\n" VERSION "\r\n"));
    CHECK(find_text(other.got, other.len, "HTTP/1.1 400 ") == other.got);
    CHECK(find_text(other.got, other.len, "\r\nconnection: close\r\n") != NULL);
    CHECK(other.ended);
    CHECK_U64(told.closes, ==, 0);
}

/* Each call with something wrong, and then the right one on the same request. */
static void test_accept_arguments(void **state)
{
    static const fa_field own[] = {{{"Sec-WebSocket-Accept", 20}, {"x", 1}}};
    static const fa_field length[] = {{{"Content-Length", 14}, {"0", 1}}};
    static const fa_field name[] = {{{"a b", 3}, {"x", 1}}};
    static const fa_field value[] = {{{"a", 1}, {"x\ny", 3}}};
    const fa_slice none = {NULL, 0};
    fa_websocket_options bad;

    (void)state;
    CHECK_INT(client_connect(&peer, worker), ==, 0);
    CHECK(client_say(&peer, worker, REQUEST("/later")));
    CHECK(held != NULL);
    CHECK_U64(fa_websocket_protocol_count(held), ==, 0);
    CHECK(fa_websocket_protocol_at(held, 0).p == NULL);
#define ACCEPT(protocol, fields, count, o)                                               \
    fa_websocket_accept(held, protocol, fields, count, o, &handler, &told, &ws)
    CHECK_INT(ACCEPT(none, own, 1, NULL), ==, FA_ERR_INVALID);
    CHECK_INT(ACCEPT(none, length, 1, NULL), ==, FA_ERR_INVALID);
    CHECK_INT(ACCEPT(none, name, 1, NULL), ==, FA_ERR_FIELD_NAME);
    CHECK_INT(ACCEPT(none, value, 1, NULL), ==, FA_ERR_FIELD_VALUE);
    CHECK_INT(ACCEPT(FA_SLICE("a\rb"), NULL, 0, NULL), ==, FA_ERR_FIELD_VALUE);
    fa_websocket_options_init(&bad);
    bad.deflate_window_bits = 8;
    CHECK_INT(ACCEPT(none, NULL, 0, &bad), ==, FA_ERR_INVALID);
    fa_websocket_options_init(&bad);
    bad.deflate_level = 10;
    CHECK_INT(ACCEPT(none, NULL, 0, &bad), ==, FA_ERR_INVALID);
    fa_websocket_options_init(&bad);
    bad.max_fragments = 0;
    CHECK_INT(ACCEPT(none, NULL, 0, &bad), ==, FA_ERR_INVALID);
    CHECK_INT(ACCEPT(none, NULL, 0, NULL), ==, 0);
    CHECK(held == NULL); /* the request has ended */
    EXPECT(ACCEPTED "\r\n");
    SAY(TEXT_HI);
    EXPECT("\x81\x02hi");
}

static void test_not_asked_for(void **state)
{
    (void)state;
    CHECK_INT(client_connect(&peer, worker), ==, 0);
    CHECK(client_say(&peer, worker, "GET /later HTTP/1.1\r\nhost: x\r\n\r\n"));
    CHECK_INT(fa_websocket_accept(held, (fa_slice){NULL, 0}, NULL, 0, NULL, &handler,
                                  &told, &ws),
              ==, FA_ERR_STATE);
    CHECK_INT(fa_respond(held, 204, (fa_slice){NULL, 0}, (fa_slice){NULL, 0}), ==, 0);
}

/* Frames that came with the request, and while it waited for its answer. */
static void test_early_frames(void **state)
{
    (void)state;
    CHECK_INT(client_connect(&peer, worker), ==, 0);
    CHECK(client_send(&peer, worker, REQUEST("/") TEXT_HI TEXT_HI,
                      sizeof(REQUEST("/") TEXT_HI TEXT_HI) - 1));
    EXPECT(ACCEPTED "x-one: 1\r\nx-two: 2\r\n\r\n\x81\x02hi\x81\x02hi");
    client_close(&peer);
    settle(worker, &peer);
    CHECK_INT(client_connect(&peer, worker), ==, 0);
    CHECK(client_send(&peer, worker, REQUEST("/later") TEXT_HI,
                      sizeof(REQUEST("/later") TEXT_HI) - 1));
    SAY(TEXT_HI);
    CHECK_U64(told.messages, ==, 2);
    CHECK_INT(fa_websocket_accept(held, (fa_slice){NULL, 0}, NULL, 0, NULL, &handler,
                                  &told, &ws),
              ==, 0);
    CHECK_U64(told.messages, ==, 2); /* not before it has returned */
    EXPECT(ACCEPTED "\r\n\x81\x02hi\x81\x02hi");
    CHECK_U64(told.messages, ==, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_handshake),     TEST(test_refused),      TEST(test_accept_arguments),
        TEST(test_not_asked_for), TEST(test_early_frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
