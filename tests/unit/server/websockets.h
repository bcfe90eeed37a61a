/* An application with a WebSocket on a worker, and one that waits to become one: what the
   tests of WebSockets stand on. */
#ifndef FA_TESTS_WEBSOCKETS_H
#define FA_TESTS_WEBSOCKETS_H

#include <fasterapi/websocket.h>

#include "serving.h"

#define HANDSHAKE                                                                        \
    "host: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"                           \
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION       "sec-websocket-version: 13\r\n"
#define REQUEST(path) "GET " path " HTTP/1.1\r\n" HANDSHAKE VERSION "\r\n"
#define ACCEPTED                                                                         \
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"  \
    "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
/* Frames of a client, masked with zeros. */
#define TEXT_HI      "\x81\x82\0\0\0\0hi"
#define PING_A       "\x89\x81\0\0\0\0a"
#define PONG_NOTHING "\x8a\x80\0\0\0\0"
#define CLOSE_1000_BYE                                                                   \
    "\x88\x85\0\0\0\0\x03\xe8"                                                           \
    "bye"

static fa_app *app;
static fa_worker *worker;
static client peer, other;
static fa_websocket_options options;
static fa_websocket_handler handler;
static fa_websocket *ws; /* the last one; NULL once it is closed */
static fa_request *held;

/* What the application was told. */
static struct {
    unsigned messages, drains, shutdowns, closes;
    uint16_t code;
    char reason[128];
    char last[64];
} told;

/* What on_message does, besides noting. */
static enum { NOTHING, ECHO, ECHO_THRICE, PAUSE, ABORT, CLOSE } task;

static inline void on_message(fa_websocket *s, fa_websocket_kind kind, fa_slice data,
                              void *user_data)
{
    CHECK(user_data == &told);
    ++told.messages;
    snprintf(told.last, sizeof(told.last), "%.*s", (int)data.len, data.p);
    switch (task) {
    case NOTHING: break;
    case ECHO_THRICE:
        CHECK_INT(fa_websocket_send(s, kind, data), ==, 0);
        CHECK_INT(fa_websocket_send(s, kind, data), ==, 0);
        CHECK_INT(fa_websocket_send(s, kind, data), ==, 0);
        break;
    case ECHO: (void)fa_websocket_send(s, kind, data); break;
    case PAUSE: fa_websocket_pause(s); break;
    case ABORT:
        fa_websocket_abort(s);
        CHECK_INT(fa_websocket_send(s, kind, data), ==, FA_ERR_CLOSED);
        CHECK_U64(told.closes, ==, 0);
        break;
    case CLOSE:
        CHECK_INT(fa_websocket_close(s, 4000, FA_SLICE("enough")), ==, 0);
        CHECK_INT(fa_websocket_close(s, 4000, FA_SLICE("enough")), ==, FA_ERR_CLOSED);
        CHECK_INT(fa_websocket_send(s, kind, data), ==, FA_ERR_CLOSED);
        CHECK_INT(fa_websocket_ping(s, data), ==, FA_ERR_CLOSED);
        CHECK_U64(told.closes, ==, 0);
        break;
    }
}

static inline void on_drain(fa_websocket *s, void *user_data)
{
    (void)user_data;
    ++told.drains;
    CHECK(fa_websocket_pending(s) <= 65536);
}

static inline void on_shutdown(fa_websocket *s, void *user_data)
{
    (void)user_data;
    ++told.shutdowns;
    CHECK_INT(fa_websocket_send(s, FA_WEBSOCKET_TEXT, FA_SLICE("bye")), ==, 0);
    CHECK_INT(fa_websocket_close(s, FA_WEBSOCKET_GOING_AWAY, FA_SLICE("so long")), ==, 0);
}

static inline void on_close(fa_websocket *s, uint16_t code, fa_slice reason,
                            void *user_data)
{
    CHECK(user_data == &told);
    ++told.closes;
    told.code = code;
    snprintf(told.reason, sizeof(told.reason), "%.*s", (int)reason.len, reason.p);
    /* All of it may be called, and does nothing. */
    CHECK_INT(fa_websocket_send(s, FA_WEBSOCKET_TEXT, reason), ==, FA_ERR_CLOSED);
    CHECK_INT(fa_websocket_close(s, 1000, (fa_slice){NULL, 0}), ==, FA_ERR_CLOSED);
    fa_websocket_pause(s);
    fa_websocket_resume(s);
    if (s == ws)
        ws = NULL;
}

static inline int open_websocket(fa_request *req, void *user_data)
{
    static const fa_field fields[] = {{{"X-One", 5}, {" 1 ", 3}},
                                      {{"x-two", 5}, {"2", 1}}};
    int status = fa_websocket_judge(req);

    (void)user_data;
    if (!fa_request_is_websocket(req))
        return fa_respond_error(req, 400, (fa_slice){NULL, 0});
    if (status != 0)
        return fa_websocket_refuse(req, status);
    return fa_websocket_accept(req, fa_websocket_protocol_at(req, 1), fields, 2, &options,
                               &handler, &told, &ws);
}

static inline void drop_handle(fa_request *req, int error, void *user_data)
{
    (void)req;
    (void)error;
    fa_deferred_release(user_data);
    held = NULL;
}

static inline int open_later(fa_request *req, void *user_data)
{
    fa_deferred *d = fa_request_defer(req);

    (void)user_data;
    if (d == NULL)
        return FA_ERR_NOMEM;
    held = req;
    fa_request_on_finish(req, drop_handle, d);
    return 0;
}

static inline int setup(void **state)
{
    fa_server_options server = quiet_options();

    (void)state;
    server.server_header = (fa_slice){NULL, 0};
    server.limits.idle_timeout_ms = 60; /* none of HTTP's may cut a WebSocket */
    server.limits.header_timeout_ms = 60;
    server.limits.body_timeout_ms = 60;
    server.limits.write_timeout_ms = 300;
    server.limits.max_pending_bytes = 131072;
    memset(&told, 0, sizeof(told));
    task = ECHO;
    ws = NULL;
    held = NULL;
    peer.fd = other.fd = -1;
    fa_websocket_options_init(&options);
    handler = (fa_websocket_handler){
        .on_message = on_message, .on_drain = on_drain, .on_close = on_close};
    app = fa_app_new(NULL);
    if (app == NULL || fa_app_route(app, FA_GET, "/", open_websocket, NULL) != 0 ||
        fa_app_route(app, FA_GET, "/later", open_later, NULL) != 0)
        return -1;
    return fa_worker_new(&worker, app, &server);
}

static inline int teardown(void **state)
{
    (void)state;
    client_close(&peer);
    client_close(&other);
    fa_worker_del(worker);
    fa_app_del(app);
    CHECK(ws == NULL); /* every WebSocket was told its end */
    return 0;
}

/* Sends bytes with NULs in them. */
#define SAY(bytes) CHECK(client_send(&peer, worker, bytes, sizeof(bytes) - 1))

static inline void open_one(const char *request)
{
    CHECK_INT(client_connect(&peer, worker), ==, 0);
    CHECK(client_say(&peer, worker, request));
    CHECK(peer.len > sizeof(ACCEPTED) - 1);
    CHECK(memcmp(peer.got, ACCEPTED, sizeof(ACCEPTED) - 1) == 0);
    peer.len = 0;
}

/* What came from the server since the last look is this and nothing else. */
static inline void expect(const char *bytes, size_t n)
{
    settle(worker, &peer);
    if (peer.len != n || memcmp(peer.got, bytes, n) != 0)
        fail_msg("%zu bytes instead of %zu: %.100s", peer.len, n, peer.got);
    peer.len = 0;
}

#define EXPECT(bytes) expect(bytes, sizeof(bytes) - 1)

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

#endif
