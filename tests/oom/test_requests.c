/* Whole requests while allocations fail: the right answer, an error answer, or a closed
   connection; never a crash, a hang, a leak or other bytes. */
#include "serving.h"

#include "application.h"
#include "failing_alloc.h"

enum { MOST_CALLS = 20000, MOST_PIECES = 8 };

typedef struct scenario {
    const char *name;
    const char *pieces[MOST_PIECES]; /* sent one after the other */
    size_t blocks;                   /* so many times 4096 bytes of body after them */
    bool to_head;                    /* its requests are HEAD */
    bool answer_waiting;             /* then the deferred request is answered */
    const char *more;                /* sent after that */
} scenario;

#define HOST "host: x\r\n"
#define BIG  "x-name: 0123456789012345678901234567890123456789\r\n"

static const scenario scenarios[] = {
    {.name = "get", .pieces = {"GET /plain HTTP/1.1\r\n" HOST "\r\n"}},
    {.name = "get in pieces",
     .pieces = {"GET /pl", "ain HTTP/1.1\r\nho", "st: x\r\n" BIG, "\r\n"}},
    {.name = "head", .to_head = true, .pieces = {"HEAD /plain HTTP/1.1\r\n" HOST "\r\n"}},
    {.name = "http/1.0", .pieces = {"GET /streamed HTTP/1.0\r\n" HOST "\r\n"}},
    {.name = "query",
     .pieces = {"GET /items/42?a=%41&q=h%c3%a9llo+you&b= HTTP/1.1\r\n" HOST BIG "\r\n"}},
    {.name = "mount",
     .pieces = {"GET /sub/acme%20inc/items/7?q=1 HTTP/1.1\r\n" HOST BIG "\r\n"}},
    {.name = "errors",
     .pieces = {"GET /nowhere HTTP/1.1\r\n" HOST "\r\n",
                "DELETE /plain HTTP/1.1\r\n" HOST "\r\n",
                "GET /folder?x=1 HTTP/1.1\r\n" HOST "\r\n",
                "GET /%ff%fe/%41 HTTP/1.1\r\n" HOST "\r\n", "GET / HTTP/1.1\r\n\r\n"}},
    {.name = "malformed", .pieces = {"GET / HTTP/1.1\r\nbad header\r\n", "\r\n"}},
    {.name = "post",
     .pieces = {"POST /echo HTTP/1.1\r\n" HOST "content-length: 5\r\n\r\nhello"}},
    {.name = "post in pieces",
     .pieces = {"POST /echo HTTP/1.1\r\n" HOST "content-len", "gth: 24576\r\n\r\n"},
     .blocks = 6},
    {.name = "expect",
     .pieces = {"POST /echo HTTP/1.1\r\n" HOST
                "expect: 100-continue\r\ncontent-length: 5\r\n\r\n",
                "he", "llo"}},
    {.name = "chunked",
     .pieces = {"POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n",
                "5\r\nhel", "lo\r\n6;a=b\r\n world\r\n", "0\r\nx-tr", "ailer: v\r\n",
                "\r\n"}},
    {.name = "chunked, not wanted",
     .pieces = {"POST /plain HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n",
                "5\r\nhello\r\n0\r\nx-trailer: v\r\n\r\n",
                "GET /plain HTTP/1.1\r\n" HOST "\r\n"}},
    {.name = "malformed chunk",
     .pieces = {"POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n",
                "5\r\nhello", "oops"}},
    {.name = "upload",
     .pieces = {"POST /upload HTTP/1.1\r\n" HOST BIG "content-length: 8192\r\n\r\n"},
     .blocks = 2},
    {.name = "upload chunked",
     .pieces = {"PUT /upload HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n",
                "3\r\nabc\r\n", "0\r\nx-a: b\r\nx-c: d\r\n\r\n",
                "GET /plain HTTP/1.1\r\n" HOST "\r\n"}},
    {.name = "streamed",
     .pieces = {"GET /streamed HTTP/1.1\r\n" HOST "te: trailers\r\n\r\n",
                "GET /plain HTTP/1.1\r\n" HOST "\r\n"}},
    {.name = "deferred",
     .pieces = {"GET /deferred?a=b HTTP/1.1\r\n" HOST BIG "\r\n"},
     .answer_waiting = true,
     .more = "GET /plain HTTP/1.1\r\n" HOST "\r\n"},
    {.name = "deferred post",
     .pieces = {"POST /deferred HTTP/1.1\r\n" HOST "content-length: 5\r\n\r\nhello"
                "GET /plain HTTP/1.1\r\n" HOST "\r\n"},
     .answer_waiting = true},
    {.name = "pipelined",
     .pieces = {"GET /plain HTTP/1.1\r\n" HOST "\r\n"
                "GET /items/1?q=x HTTP/1.1\r\n" HOST "\r\n"
                "POST /echo HTTP/1.1\r\n" HOST "content-length: 2\r\n\r\nhi"
                "GET /nowhere HTTP/1.1\r\n" HOST "\r\n"
                "GET /streamed HTTP/1.1\r\n" HOST "\r\n"
                "GET /plain HTTP/1.1\r\n" HOST "\r\n"
                "GET /pla",
                "in HTTP/1.1\r\n" HOST "connection: close\r\n\r\n"}},
};

/* What a run left. */
typedef struct outcome {
    bool connected;
    uint64_t calls;
} outcome;

static client peer, reference;

static void play(const scenario *s, application *a, fa_worker *w)
{
    static char block[4096];
    bool open = true;

    memset(block, 'x', sizeof(block));
    for (int i = 0; i < MOST_PIECES && s->pieces[i] != NULL && open; ++i)
        open = client_say(&peer, w, s->pieces[i]);
    for (size_t i = 0; i < s->blocks && open; ++i)
        open = client_send(&peer, w, block, sizeof(block));
    if (s->answer_waiting) {
        application_answer_waiting(a);
        settle(w, &peer);
    }
    if (s->more != NULL && !peer.ended)
        (void)client_say(&peer, w, s->more);
    settle(w, &peer);
}

/* Builds all, plays the scenario with failing memory from the connection on, and takes
   all down. */
static outcome run(const scenario *s, uint64_t fail_at, bool from_on)
{
    fa_server_options options = quiet_options();
    outcome out = {false, 0};
    failing_alloc f;
    application a;
    fa_worker *w;
    uint64_t before;

    failing_alloc_init(&f, 0);
    options.alloc = &f.alloc;
    CHECK_INT(application_build(&a, &f.alloc), ==, 0);
    CHECK_INT(fa_worker_new(&w, a.app, &options), ==, 0);
    before = f.calls;
    f.fail_at = fail_at != 0 ? before + fail_at : 0;
    f.fail_on = from_on;
    out.connected = client_connect(&peer, w) == 0;
    if (out.connected)
        play(s, &a, w);
    out.calls = f.calls - before;
    f.fail_at = 0;
    client_close(&peer);
    (void)fa_worker_poll(w, 0, 16);
    CHECK_U64(fa_worker_connections(w), ==, 0); /* the client's end is noticed */
    fa_worker_del(w);
    CHECK_INT(a.begun, ==, a.finished);
    CHECK_INT(a.opened, ==, a.closed);
    CHECK_U64(a.held, ==, 0);
    application_free(&a);
    CHECK_INT(f.held, ==, 0);
    return out;
}

static bool is_error(int status)
{
    return status == 500 || status == 503;
}

/* `peer` against `reference`, answer by answer. */
static void judge(const scenario *s, uint64_t fail_at)
{
    size_t at = 0, expected_at = 0;

    while (expected_at < reference.len) {
        const char *p = peer.got + at, *q = reference.got + expected_at;
        size_t n = peer.len - at;
        answer expected, got;

        CHECK(read_answer(&expected, q, reference.len - expected_at, reference.ended,
                          s->to_head));
        if (n == 0 && peer.ended)
            return; /* closed instead */
        if (!read_answer(&got, p, n, peer.ended, s->to_head))
            fail_msg("%s, %llu: not HTTP: %.200s", s->name, (unsigned long long)fail_at,
                     p);
        if (!got.complete && !peer.ended)
            fail_msg("%s, %llu: it hangs", s->name, (unsigned long long)fail_at);
        if (!is_error(got.status) &&
            (got.len > expected.len || memcmp(p, q, got.len) != 0))
            fail_msg("%s, %llu: other bytes: %.200s", s->name,
                     (unsigned long long)fail_at, p);
        if (!got.complete || (!is_error(got.status) && got.len < expected.len)) {
            CHECK(peer.ended);
            CHECK_U64(at + got.len, ==, peer.len);
            return; /* broken off */
        }
        if (got.status < 200 && got.status == expected.status)
            expected.len = got.len;
        else if (is_error(got.status) && expected.status < 200)
            return; /* refused before the body; what follows depends on that */
        at += got.len;
        expected_at += expected.len;
    }
    CHECK_U64(at, ==, peer.len);
}

static void play_all(const scenario *s, bool from_on)
{
    uint64_t fail_at = 0;
    outcome out = run(s, 0, false);

    CHECK(out.connected);
    CHECK_U64(peer.len, >, 0);
    reference = peer;
    do {
        ++fail_at;
        out = run(s, fail_at, from_on);
        if (out.connected)
            judge(s, fail_at);
        CHECK_U64(fail_at, <, MOST_CALLS);
    } while (out.calls >= fail_at);
    /* None failed in the last run. */
    CHECK_U64(peer.len, ==, reference.len);
    CHECK(memcmp(peer.got, reference.got, peer.len) == 0);
}

static void test_scenarios(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(scenarios); ++i) {
        play_all(&scenarios[i], false);
        play_all(&scenarios[i], true);
    }
}

/* After the switch of protocols there are no answers, only bytes. */
static void test_upgrade(void **state)
{
    static const scenario s = {
        .name = "upgrade",
        .pieces = {"GET /upgrade HTTP/1.1\r\n" HOST
                   "connection: upgrade\r\nupgrade: echo\r\n\r\nearly ",
                   "late ", "."},
    };
    bool from_on = false;

    (void)state;
    (void)run(&s, 0, false);
    reference = peer;
    CHECK(find_text(peer.got, peer.len, "\r\n\r\nearly late ") != NULL);
    CHECK(peer.ended);
    do {
        for (uint64_t fail_at = 1;; ++fail_at) {
            outcome out = run(&s, fail_at, from_on);
            int status = 0;

            if (out.connected)
                CHECK(peer.len > 0 || peer.ended);
            (void)sscanf(peer.got, "HTTP/1.1 %3d ", &status);
            if (out.connected && !is_error(status)) {
                CHECK_U64(peer.len, <=, reference.len);
                CHECK(memcmp(peer.got, reference.got, peer.len) == 0);
                CHECK(peer.ended);
            }
            if (out.calls < fail_at)
                break;
        }
        from_on = !from_on;
    } while (from_on);
}

/* What came is the start of what should; or of that, and then a Close that says that the
   server has failed. Either way it ended. */
static void judge_websocket(uint64_t fail_at)
{
    static const char failed[] = "\x88\x10\x03\xf3internal error";
    const size_t n = sizeof(failed) - 1;
    size_t len = peer.len;

    if (len >= n && memcmp(peer.got + len - n, failed, n) == 0)
        len -= n;
    if (len > reference.len || memcmp(peer.got, reference.got, len) != 0 || !peer.ended)
        fail_msg("%llu: %zu bytes, ended: %d", (unsigned long long)fail_at, peer.len,
                 peer.ended);
}

static void test_websocket(void **state)
{
    /* Compressed, long enough to be compressed in return, fragments around a ping, Close;
       all masked with what leaves no NUL. */
    static const scenario s = {
        .name = "websocket",
        .pieces = {"GET /websocket HTTP/1.1\r\n" HOST
                   "connection: upgrade\r\nupgrade: websocket\r\n"
                   "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                   "sec-websocket-version: 13\r\n"
                   "sec-websocket-extensions: permessage-deflate\r\n\r\n",
                   "\301\207\141\142\143\144\223\052\256",
                   "\255\250\145\143\201\250\102\103\104\105\043\042\045\044\043\042"
                   "\045\044\043\042\045\044\043\042",
                   "\045\044\043\042\045\044\043\042\045\044\043\042\045\044\043\042"
                   "\045\044\043\042\045\044\043\042\045\044\001\204\101\102\103\104"
                   "\047\060",
                   "\042\043\211\201\101\102\103\104\061",
                   "\200\204\101\102\103\104\054\047\055\060",
                   "\210\205\101\102\103\104\102\252\041\075\044"},
    };
    bool from_on = false;

    (void)state;
    (void)run(&s, 0, false);
    reference = peer;
    CHECK(find_text(peer.got, peer.len, "\r\n\r\n\x81\x05Hello\xc1") != NULL);
    CHECK(find_text(peer.got, peer.len,
                    "\x8a\x01p\x81\x08"
                    "fragment\x88\x05\x03\xe8"
                    "bye") != NULL);
    CHECK(peer.ended);
    do {
        for (uint64_t fail_at = 1;; ++fail_at) {
            outcome out = run(&s, fail_at, from_on);
            int status = 0;

            (void)sscanf(peer.got, "HTTP/1.1 %3d ", &status);
            if (out.connected && !is_error(status))
                judge_websocket(fail_at);
            if (out.calls < fail_at)
                break;
        }
        from_on = !from_on;
    } while (from_on);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scenarios),
        cmocka_unit_test(test_upgrade),
        cmocka_unit_test(test_websocket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
