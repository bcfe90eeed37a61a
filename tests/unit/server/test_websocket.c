/* WebSockets on a worker: what the application is told, and when; what goes out. */
#include "websockets.h"

/* ---- how often is written ---- */

static unsigned writes; /* of the server */

ssize_t __real_send(int fd, const void *p, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *p, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *p, size_t n, int flags)
{
    writes += fd != peer.fd;
    return __real_send(fd, p, n, flags);
}

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    writes += fd != peer.fd;
    return __real_sendmsg(fd, message, flags);
}

static void test_a_batch_is_one_write(void **state)
{
    (void)state;
    task = ECHO_THRICE;
    open_one(REQUEST("/"));
    writes = 0;
    SAY(TEXT_HI TEXT_HI PING_A);
    EXPECT("\x81\x02hi\x81\x02hi\x81\x02hi\x81\x02hi\x81\x02hi\x81\x02hi\x8a\x01"
           "a");
    CHECK_U64(writes, ==, 1);
}

/* What is large goes out from where it is, together with what was written before it. */
static void test_a_large_message_is_one_write(void **state)
{
    static char large[50000];

    (void)state;
    open_one(REQUEST("/"));
    writes = 0;
    CHECK_INT(
        fa_websocket_send(ws, FA_WEBSOCKET_BINARY, (fa_slice){large, sizeof(large)}), ==,
        0);
    settle(worker, &peer);
    CHECK_U64(peer.len, ==, sizeof(large) + 4);
    CHECK_U64(writes, ==, 1);
}

/* ---- messages and the end ---- */

static void test_close_by_peer(void **state)
{
    (void)state;
    open_one(REQUEST("/"));
    SAY(TEXT_HI CLOSE_1000_BYE TEXT_HI);
    EXPECT("\x81\x02hi\x88\x05\x03\xe8"
           "bye");
    CHECK(peer.ended);
    CHECK_U64(told.closes, ==, 1);
    CHECK_INT(told.code, ==, 1000);
    CHECK(strcmp(told.reason, "bye") == 0);
    CHECK_U64(told.messages, ==, 1);
    CHECK_U64(fa_worker_connections(worker), ==, 0);
}

static void test_close_by_us(void **state)
{
    (void)state;
    task = CLOSE;
    open_one(REQUEST("/"));
    SAY(TEXT_HI PING_A);
    EXPECT("\x88\x08\x0f\xa0"
           "enough"); /* and no pong after it */
    CHECK_U64(told.closes, ==, 0);
    task = NOTHING;
    SAY(TEXT_HI); /* was under way */
    CHECK_U64(told.messages, ==, 2);
    SAY(CLOSE_1000_BYE);
    CHECK_U64(told.closes, ==, 1);
    CHECK_INT(told.code, ==, 1000);
    settle(worker, &peer);
    CHECK(peer.ended);
}

static void test_close_is_not_answered(void **state)
{
    (void)state;
    task = CLOSE;
    options.close_timeout_ms = 50;
    open_one(REQUEST("/"));
    SAY(TEXT_HI);
    CHECK(work_until(worker, &peer, NULL, 2000));
    CHECK_U64(told.closes, ==, 1);
    CHECK_INT(told.code, ==, FA_WEBSOCKET_ABNORMAL);
}

static void test_abort(void **state)
{
    (void)state;
    task = ABORT;
    open_one(REQUEST("/"));
    SAY(TEXT_HI TEXT_HI);
    CHECK(peer.ended);
    CHECK_U64(told.messages, ==, 1);
    CHECK_U64(told.closes, ==, 1);
    CHECK_INT(told.code, ==, FA_WEBSOCKET_ABNORMAL);
    /* From outside of all callbacks. */
    memset(&told, 0, sizeof(told));
    client_close(&peer);
    open_one(REQUEST("/"));
    fa_websocket_abort(ws);
    CHECK_U64(told.closes, ==, 0);
    settle(worker, &peer);
    CHECK_U64(told.closes, ==, 1);
}

/* A fault: the peer is told, and so is the application. */
static void test_fault(void **state)
{
    (void)state;
    open_one(REQUEST("/"));
    SAY("\x81\x02hi"); /* no mask */
    CHECK(peer.len > 4);
    CHECK(memcmp(peer.got,
                 "\x88\x14\x03\xea"
                 "frame without mask",
                 peer.len) == 0);
    CHECK(peer.ended);
    CHECK_INT(told.code, ==, FA_WEBSOCKET_PROTOCOL_ERROR);
    CHECK(strcmp(told.reason, "frame without mask") == 0);
}

static void test_ping_and_counters(void **state)
{
    fa_counters c;

    (void)state;
    open_one(REQUEST("/"));
    SAY(PING_A TEXT_HI PING_A);
    EXPECT("\x8a\x01"
           "a\x81\x02hi\x8a\x01"
           "a");
    CHECK_INT(fa_websocket_ping(ws, FA_SLICE("you")), ==, 0);
    EXPECT("\x89\x03you");
    fa_worker_counters(worker, &c);
    CHECK_U64(c.websockets, ==, 1);
    CHECK_U64(c.websockets_open, ==, 1);
    CHECK_U64(c.messages_in, ==, 1);
    CHECK_U64(c.messages_out, ==, 1);
    CHECK_U64(c.responses_1xx, ==, 1);
    CHECK_U64(c.active, ==, 0);
    SAY(CLOSE_1000_BYE);
    fa_worker_counters(worker, &c);
    CHECK_U64(c.websockets, ==, 1);
    CHECK_U64(c.websockets_open, ==, 0);
}

/* A paused one is not read: what the peer can still send is bounded, nothing is lost,
   and no ping times out. */
static void test_pause(void **state)
{
    unsigned sent = 0;

    (void)state;
    task = PAUSE;
    options.ping_interval_ms = options.ping_timeout_ms = 40;
    open_one(REQUEST("/"));
    SAY(TEXT_HI TEXT_HI TEXT_HI);
    CHECK_U64(told.messages, ==, 1);
    while (send(peer.fd, TEXT_HI, 8, MSG_NOSIGNAL) == 8) {
        CHECK_U64(++sent, <, 10000000);
        if (sent % 64 == 0)
            (void)fa_worker_poll(worker, 0, 16);
    }
    CHECK_INT(errno, ==, EAGAIN);
    CHECK(!work_until(worker, &peer, NULL, 250)); /* times of HTTP, pings */
    EXPECT("\x89\x00");
    CHECK_U64(told.messages, ==, 1);
    task = NOTHING;
    fa_websocket_resume(ws);
    CHECK_U64(told.messages, ==, 1); /* not from within the call */
    settle(worker, &peer);
    CHECK_U64(told.messages, ==, 3 + sent);
    SAY(TEXT_HI);
    CHECK_U64(told.messages, ==, 4 + sent);
}

/* What was sent before the peer left is told, however late. */
static void test_left_while_paused(void **state)
{
    (void)state;
    task = PAUSE;
    open_one(REQUEST("/"));
    SAY(TEXT_HI TEXT_HI);
    CHECK(send(peer.fd, TEXT_HI CLOSE_1000_BYE, sizeof(TEXT_HI CLOSE_1000_BYE) - 1,
               MSG_NOSIGNAL) > 0);
    client_close(&peer);
    for (int i = 0; i < 5; ++i) /* it does not spin either */
        (void)fa_worker_poll(worker, 0, 16);
    CHECK_INT(fa_worker_poll(worker, 0, 1), ==, 0);
    CHECK_U64(told.closes, ==, 0);
    task = NOTHING;
    fa_websocket_resume(ws);
    for (int i = 0; i < 5; ++i)
        (void)fa_worker_poll(worker, 0, 16);
    CHECK_U64(told.messages, ==, 3);
    CHECK_U64(told.closes, ==, 1);
    CHECK_INT(told.code, ==, 1000);
}

/* An application that resumes in the same call has not paused. */
static void pause_and_resume(fa_websocket *s, fa_websocket_kind kind, fa_slice data,
                             void *user_data)
{
    (void)kind;
    (void)data;
    (void)user_data;
    ++told.messages;
    fa_websocket_pause(s);
    fa_websocket_resume(s);
}

static void test_pause_and_resume(void **state)
{
    (void)state;
    handler.on_message = pause_and_resume;
    open_one(REQUEST("/"));
    SAY(TEXT_HI TEXT_HI TEXT_HI);
    CHECK_U64(told.messages, ==, 3);
}

/* A peer that does not take what it asks for is not read from, so that nothing grows. */
static void flood(const char *frame, size_t n)
{
    size_t sent = 0;

    while (send(peer.fd, frame, n, MSG_NOSIGNAL) == (ssize_t)n) {
        CHECK_U64(++sent, <, 1000000);
        if (sent % 16 == 0) {
            (void)fa_worker_poll(worker, 0, 16);
            CHECK_U64(fa_websocket_pending(ws), <=, 131072 + 65536 + n);
        }
    }
    CHECK_U64(fa_websocket_pending(ws), >, 65536);
}

static void test_ping_flood(void **state)
{
    static const char ping[131] = "\x89\xfd\0\0\0\0";
    bool ended;

    (void)state;
    open_one(REQUEST("/"));
    flood(ping, sizeof(ping));
    settle(worker, &peer);
    CHECK_U64(fa_websocket_pending(ws), ==, 0); /* and goes on when it is taken */
    CHECK_U64(peer.len % 127, ==, 0);
    peer.len = 0;
    /* Never taken at all: the write timeout ends it. */
    flood(ping, sizeof(ping));
    for (int i = 0; i < 400 && told.closes == 0; ++i)
        (void)fa_worker_poll(worker, 5, 1);
    ended = told.closes == 1;
    CHECK(ended);
    CHECK_INT(told.code, ==, FA_WEBSOCKET_ABNORMAL);
}

static void test_echo_flood(void **state)
{
    static char message[4 + 4 + 1000] = "\x82\xfe\x03\xe8\0\0\0\0";

    (void)state;
    open_one(REQUEST("/"));
    flood(message, sizeof(message));
    settle(worker, &peer);
    CHECK_U64(fa_websocket_pending(ws), ==, 0);
    CHECK_U64(peer.len % 1004, ==, 0);
    CHECK_U64(peer.len / 1004, ==, told.messages);
    CHECK_U64(told.drains, >, 0);
}

static void test_send(void **state)
{
    static char large[300000];

    (void)state;
    open_one(REQUEST("/"));
    memset(large, 'x', sizeof(large));
    CHECK_INT(fa_websocket_send(ws, 0, FA_SLICE("x")), ==, FA_ERR_INVALID);
    CHECK_INT(fa_websocket_send(ws, FA_WEBSOCKET_TEXT, FA_SLICE("\xff")), ==,
              FA_ERR_INVALID);
    CHECK_INT(fa_websocket_ping(ws, (fa_slice){large, 126}), ==, FA_ERR_INVALID);
    CHECK_INT(fa_websocket_close(ws, 1005, FA_SLICE("x")), ==, FA_ERR_INVALID);
    CHECK_INT(fa_websocket_close(ws, 1006, (fa_slice){NULL, 0}), ==, FA_ERR_INVALID);
    CHECK_INT(fa_websocket_close(ws, 1000, (fa_slice){large, 124}), ==, FA_ERR_INVALID);
    CHECK_INT(fa_websocket_send(ws, FA_WEBSOCKET_TEXT, (fa_slice){NULL, 0}), ==, 0);
    EXPECT("\x81\x00");
    CHECK_INT(fa_websocket_send(ws, FA_WEBSOCKET_BINARY, (fa_slice){large, 20000}), ==,
              0);
    settle(worker, &peer);
    CHECK_U64(peer.len, ==, 20004);
    CHECK(memcmp(peer.got, "\x82\x7e\x4e\x20xxx", 7) == 0);
    /* More than the socket takes at once: it is all there in the end. */
    peer.len = 0;
    CHECK_INT(fa_websocket_send(ws, FA_WEBSOCKET_BINARY, (fa_slice){large, 300000}), >=,
              FA_ERR_FULL);
    while (fa_websocket_send(ws, FA_WEBSOCKET_BINARY, (fa_slice){large, 20000}) == 0)
        ;
    CHECK_U64(told.drains, ==, 0);
    settle(worker, &peer);
    CHECK_U64(told.drains, ==, 1);
    CHECK_U64(fa_websocket_pending(ws), ==, 0);
    CHECK_U64((peer.len - 300010) % 20004, ==, 0);
    CHECK_INT(fa_websocket_close(ws, FA_WEBSOCKET_NO_STATUS, (fa_slice){NULL, 0}), ==, 0);
    peer.len = 0;
    EXPECT("\x88\x00");
}

/* A silent peer is pinged; who answers stays, who does not is told and left. */
static void test_keep_alive(void **state)
{
    (void)state;
    options.ping_interval_ms = 50;
    options.ping_timeout_ms = 50;
    open_one(REQUEST("/"));
    for (int i = 0; i < 3; ++i) {
        int64_t end = now_ms() + 2000;

        while (peer.len == 0 && now_ms() < end)
            (void)work_until(worker, &peer, NULL, 5);
        EXPECT("\x89\x00");
        SAY(PONG_NOTHING);
    }
    CHECK(work_until(worker, &peer, NULL, 2000));
    CHECK_U64(told.closes, ==, 1);
    CHECK_INT(told.code, ==, FA_WEBSOCKET_INTERNAL_ERROR);
    CHECK(strcmp(told.reason, "keepalive ping timeout") == 0);
    EXPECT("\x89\x00\x88\x18\x03\xf3"
           "keepalive ping timeout");
}

static void test_idle_is_no_fault(void **state)
{
    (void)state;
    options.ping_interval_ms = 0;
    open_one(REQUEST("/"));
    CHECK(!work_until(worker, &peer, NULL, 300));
    SAY(TEXT_HI);
    EXPECT("\x81\x02hi");
}

static void test_drain(void **state)
{
    (void)state;
    options.close_timeout_ms = 50;
    open_one(REQUEST("/"));
    fa_worker_drain(worker);
    EXPECT("\x88\x02\x03\xf4");
    CHECK_U64(told.closes, ==, 0);
    CHECK(work_until(worker, &peer, NULL, 2000)); /* who does not answer is left */
    CHECK_U64(told.closes, ==, 1);
    CHECK_U64(fa_worker_connections(worker), ==, 0);
}

static void test_drain_told(void **state)
{
    (void)state;
    handler.on_shutdown = on_shutdown;
    CHECK_INT(client_connect(&other, worker), ==, 0);
    CHECK(client_say(&other, worker, REQUEST("/later")));
    open_one(REQUEST("/"));
    fa_worker_drain(worker);
    EXPECT("\x81\x03"
           "bye\x88\x09\x03\xe9so long");
    CHECK_U64(told.shutdowns, ==, 1);
    SAY("\x88\x82\0\0\0\0\x03\xe9");
    CHECK_INT(told.code, ==, 1001);
    CHECK(peer.ended);
    /* One that begins only now is told too. */
    CHECK_INT(fa_websocket_accept(held, (fa_slice){NULL, 0}, NULL, 0, NULL, &handler,
                                  &told, &ws),
              ==, 0);
    settle(worker, &other);
    CHECK_U64(told.shutdowns, ==, 2);
}

/* A peer that has shut its side without a Close has gone; one that has sent a Close has
   not gone before that was read. */
static void test_half_open(void **state)
{
    (void)state;
    open_one(REQUEST("/"));
    CHECK(client_send(&peer, worker, TEXT_HI "\x81\x82\0\0", sizeof(TEXT_HI) + 3));
    shutdown(peer.fd, SHUT_WR);
    EXPECT("\x81\x02hi");
    CHECK(peer.ended);
    CHECK_INT(told.code, ==, FA_WEBSOCKET_ABNORMAL);
    client_close(&peer);
    open_one(REQUEST("/"));
    CHECK(send(peer.fd, CLOSE_1000_BYE, sizeof(CLOSE_1000_BYE) - 1, MSG_NOSIGNAL) > 0);
    shutdown(peer.fd, SHUT_WR);
    EXPECT("\x88\x05\x03\xe8"
           "bye");
    CHECK_INT(told.code, ==, 1000);
}

/* Writes to another WebSocket, whose peer is gone without anyone knowing yet. */
static fa_websocket *gone;

static void write_to_gone(fa_websocket *s, fa_websocket_kind kind, fa_slice data,
                          void *user_data)
{
    unsigned before = told.closes;

    (void)s;
    (void)user_data;
    CHECK(fa_websocket_send(gone, kind, data) <= 0);
    CHECK(fa_websocket_send(gone, kind, data) <= 0);
    CHECK_U64(told.closes, ==, before); /* `gone` may be used until on_close */
}

static void test_write_to_gone(void **state)
{
    (void)state;
    handler.on_message = write_to_gone;
    open_one(REQUEST("/"));
    gone = ws;
    CHECK_INT(client_connect(&other, worker), ==, 0);
    CHECK(client_say(&other, worker, REQUEST("/")));
    CHECK(send(other.fd, TEXT_HI, sizeof(TEXT_HI) - 1, MSG_NOSIGNAL) > 0);
    client_close(&peer); /* is noticed after the message */
    settle(worker, &other);
    CHECK_U64(told.closes, ==, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_batch_is_one_write),
        TEST(test_a_large_message_is_one_write),
        TEST(test_close_by_peer),
        TEST(test_close_by_us),
        TEST(test_close_is_not_answered),
        TEST(test_abort),
        TEST(test_fault),
        TEST(test_ping_and_counters),
        TEST(test_pause),
        TEST(test_left_while_paused),
        TEST(test_pause_and_resume),
        TEST(test_ping_flood),
        TEST(test_echo_flood),
        TEST(test_send),
        TEST(test_keep_alive),
        TEST(test_idle_is_no_fault),
        TEST(test_drain),
        TEST(test_drain_told),
        TEST(test_half_open),
        TEST(test_write_to_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
