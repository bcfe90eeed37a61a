/* A worker in a foreign loop, which watches one descriptor and nothing else. */
#include "serving.h"

#include <pthread.h>

static fa_app *app;
static fa_worker *worker;
static fa_server_options options;
static client c;
static fa_request *held; /* whose answer is given outside of the library's calls */
static int finish_error;
static unsigned finished;

static void on_finish(fa_request *req, int error, void *user_data)
{
    (void)user_data;
    finish_error = error;
    fa_deferred_release(fa_request_data(req));
    held = NULL;
    ++finished;
}

static int hold(fa_request *req, void *user_data)
{
    (void)user_data;
    held = req;
    fa_request_on_finish(req, on_finish, NULL);
    fa_request_set_data(req, fa_request_defer(req));
    return fa_request_data(req) != NULL ? 0 : FA_ERR_NOMEM;
}

static int plain(fa_request *req, void *user_data)
{
    (void)user_data;
    return fa_respond(req, 200, FA_SLICE("text/plain"), FA_SLICE("plain"));
}

static int defer_in_middleware(fa_request *req, void *user_data)
{
    if (!fa_slice_equal(fa_request_path(req), FA_SLICE("/guarded")))
        return FA_NEXT;
    return hold(req, user_data) == 0 ? FA_ANSWERED : FA_ERR_NOMEM;
}

static void on_piece(fa_request *req, fa_slice data, int error, void *user_data)
{
    (void)user_data;
    if (error == 0 && data.len == 0)
        (void)fa_respond(req, 200, FA_SLICE("text/plain"), FA_SLICE("read"));
}

static int setup(void **state)
{
    const fa_route stream = {.pattern = "/stream",
                             .methods = FA_METHOD_BIT(FA_POST) | FA_METHOD_BIT(FA_GET),
                             .handler = hold,
                             .stream_body = true};
    const fa_middleware guard = {.on_request = defer_in_middleware};

    (void)state;
    app = fa_app_new(NULL);
    if (app == NULL || fa_app_route(app, FA_GET, "/hold", hold, NULL) != 0 ||
        fa_app_route(app, FA_POST, "/guarded", plain, NULL) != 0 ||
        fa_app_route(app, FA_GET, "/plain", plain, NULL) != 0 ||
        fa_app_add_route(app, &stream) != 0 || fa_app_use(app, &guard) != 0)
        return -1;
    options = quiet_options();
    options.limits.header_timeout_ms = 100;
    options.limits.idle_timeout_ms = 200;
    held = NULL;
    finished = 0;
    return fa_worker_new(&worker, app, &options);
}

static int teardown(void **state)
{
    (void)state;
    client_close(&c);
    fa_worker_del(worker);
    fa_app_del(app);
    return 0;
}

/* As a foreign loop does it: polls the worker only when its descriptor is readable.
   Returns whether the client saw the end within `ms`. */
static bool serve_by_descriptor(int ms)
{
    int64_t end = now_ms() + ms;
    struct pollfd watched = {.fd = fa_worker_fd(worker), .events = POLLIN};

    while (!c.ended && now_ms() < end) {
        if (poll(&watched, 1, (int)(end - now_ms())) > 0)
            CHECK_INT(fa_worker_poll(worker, 0, 1), >=, 0);
        client_read(&c);
    }
    return c.ended;
}

/* Adopted outside of a poll, and then not a byte: only a timer can end it. */
static void test_silent_client(void **state)
{
    int64_t start = now_ms();

    (void)state;
    CHECK_INT(client_connect(&c, worker), ==, 0);
    CHECK(serve_by_descriptor(3000));
    CHECK_INT(now_ms() - start, >=, 100);
    CHECK_U64(c.len, ==, 0); /* silently: nothing was asked */
    CHECK_U64(fa_worker_connections(worker), ==, 0);
}

static void test_idle_client(void **state)
{
    int64_t start;

    (void)state;
    CHECK_INT(client_connect(&c, worker), ==, 0);
    CHECK(client_say(&c, worker, "GET /plain HTTP/1.1\r\nhost: x\r\n\r\n"));
    start = now_ms();
    CHECK(find_text(c.got, c.len, "\r\n\r\nplain") != NULL);
    c.len = 0;
    CHECK(serve_by_descriptor(3000));
    CHECK_INT(now_ms() - start, >=, 150);
    CHECK_U64(c.len, ==, 0);
}

/* The worker's clock stands still between polls; a new connection's does not. */
static void test_adopted_after_a_pause(void **state)
{
    struct timespec pause = {0, 150 * 1000000L};

    (void)state;
    (void)fa_worker_poll(worker, 0, 1);
    nanosleep(&pause, NULL);
    CHECK_INT(client_connect(&c, worker), ==, 0);
    CHECK(client_say(&c, worker, "GET /plain HTTP/1.1\r\nhost: x\r\n"));
    CHECK(!c.ended);
    CHECK(client_say(&c, worker, "\r\n"));
    CHECK(find_text(c.got, c.len, "\r\n\r\nplain") != NULL);
}

/* An answer outside of fa_worker_poll() goes out at once, and the idle timer that
   starts with it fires through the descriptor. */
static void test_answer_outside(void **state)
{
    (void)state;
    CHECK_INT(client_connect(&c, worker), ==, 0);
    CHECK(client_say(&c, worker, "GET /hold HTTP/1.1\r\nhost: x\r\n\r\n"));
    CHECK(held != NULL);
    CHECK_U64(c.len, ==, 0);
    CHECK_INT(fa_respond(held, 200, FA_SLICE("text/plain"), FA_SLICE("outside")), ==, 0);
    CHECK(held == NULL);
    CHECK_INT(finish_error, ==, 0);
    client_read(&c);
    CHECK(find_text(c.got, c.len, "\r\n\r\noutside") != NULL);
    c.len = 0;
    CHECK(serve_by_descriptor(3000));
}

/* What was pipelined behind it goes on by the descriptor. */
static void test_pipelined_behind(void **state)
{
    (void)state;
    CHECK_INT(client_connect(&c, worker), ==, 0);
    CHECK(client_say(&c, worker,
                     "GET /hold HTTP/1.1\r\nhost: x\r\n\r\n"
                     "GET /plain HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
    CHECK_INT(fa_respond(held, 200, FA_SLICE("text/plain"), FA_SLICE("outside")), ==, 0);
    CHECK(serve_by_descriptor(150));
    CHECK(find_text(c.got, c.len, "\r\n\r\noutsideHTTP/1.1 200 ") != NULL);
    CHECK(find_text(c.got, c.len, "\r\n\r\nplain") != NULL);
}

static void test_streamed_outside(void **state)
{
    (void)state;
    CHECK_INT(client_connect(&c, worker), ==, 0);
    CHECK(client_say(&c, worker, "GET /hold HTTP/1.1\r\nhost: x\r\n\r\n"));
    CHECK_INT(fa_response_start(held, 200, -1), ==, 0);
    CHECK_INT(fa_response_write(held, FA_SLICE("one")), ==, 0);
    client_read(&c);
    CHECK(find_text(c.got, c.len, "3\r\none\r\n") != NULL);
    CHECK_INT(fa_response_write(held, FA_SLICE("two!")), ==, 0);
    CHECK_INT(fa_response_end(held), ==, 0);
    client_read(&c);
    CHECK(find_text(c.got, c.len, "4\r\ntwo!\r\n0\r\n\r\n") != NULL);
}

static void count_released(void *ctx)
{
    ++*(unsigned *)ctx;
}

/* The first long piece goes out at once; the next ones wait for each other until the
   worker's turn, for which the descriptor asks, or until the answer ends. */
static void test_gathered_outside(void **state)
{
    static char piece[20000];
    const fa_slice data = {piece, sizeof(piece)};
    unsigned released = 0;

    (void)state;
    memset(piece, 'p', sizeof(piece));
    CHECK_INT(client_connect(&c, worker), ==, 0);
    CHECK(client_say(&c, worker, "GET /hold HTTP/1.1\r\nhost: x\r\n\r\n"));
    CHECK_INT(fa_response_start(held, 200, 5 * sizeof(piece)), ==, 0);
    for (unsigned i = 0; i < 3; ++i) {
        CHECK_INT(fa_response_write_held(held, data, count_released, &released), ==, 0);
        CHECK_U64(released, ==, 1);
    }
    client_read(&c);
    CHECK_U64(c.len, <, 2 * sizeof(piece));
    CHECK(!serve_by_descriptor(20)); /* the client keeps the connection */
    CHECK_U64(released, ==, 3);
    CHECK_U64(c.len, >, 3 * sizeof(piece));
    CHECK_INT(fa_response_write_held(held, data, count_released, &released), ==, 0);
    CHECK_INT(fa_response_write_held(held, data, count_released, &released), ==, 0);
    CHECK_U64(released, ==, 3);
    CHECK_INT(fa_response_end(held), ==, 0);
    CHECK_U64(released, ==, 5);
    client_read(&c);
    CHECK_U64(c.len, >, 5 * sizeof(piece));
    CHECK_U64(c.len, <, 6 * sizeof(piece));
}

/* Pieces that wait are let go with the request. */
static void test_gathered_and_aborted(void **state)
{
    static char piece[20000];
    const fa_slice data = {piece, sizeof(piece)};
    unsigned released = 0;

    (void)state;
    CHECK_INT(client_connect(&c, worker), ==, 0);
    CHECK(client_say(&c, worker, "GET /hold HTTP/1.1\r\nhost: x\r\n\r\n"));
    CHECK_INT(fa_response_start(held, 200, -1), ==, 0);
    for (unsigned i = 0; i < 3; ++i)
        CHECK_INT(fa_response_write_held(held, data, count_released, &released), ==, 0);
    fa_response_abort(held);
    CHECK(held == NULL);
    CHECK_U64(released, ==, 3);
    client_read(&c);
    CHECK(c.ended);
}

static void test_abort_outside(void **state)
{
    (void)state;
    CHECK_INT(client_connect(&c, worker), ==, 0);
    CHECK(client_say(&c, worker, "GET /hold HTTP/1.1\r\nhost: x\r\n\r\n"));
    CHECK_INT(fa_response_start(held, 200, 10), ==, 0);
    CHECK_INT(fa_response_write(held, FA_SLICE("half")), ==, 0);
    fa_response_abort(held);
    CHECK(held == NULL);
    CHECK_INT(finish_error, ==, FA_ERR_CLOSED);
    client_read(&c);
    CHECK(c.ended);
}

/* The body is asked for long after the handler has returned. */
static void test_read_outside(void **state)
{
    (void)state;
    CHECK_INT(client_connect(&c, worker), ==, 0);
    CHECK(client_say(
        &c, worker, "POST /stream HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody"));
    CHECK(held != NULL);
    CHECK_INT(fa_request_read(held, on_piece, NULL), ==, 0);
    CHECK_INT(fa_request_read(held, on_piece, NULL), ==, FA_ERR_STATE);
    settle(worker, &c);
    CHECK(find_text(c.got, c.len, "\r\n\r\nread") != NULL);
}

static void test_read_outside_before_it_comes(void **state)
{
    (void)state;
    CHECK_INT(client_connect(&c, worker), ==, 0);
    CHECK(client_say(&c, worker,
                     "POST /stream HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n"
                     "expect: 100-continue\r\n\r\n"));
    CHECK_U64(c.len, ==, 0); /* nobody wants the body yet */
    CHECK_INT(fa_request_read(held, on_piece, NULL), ==, 0);
    settle(worker, &c);
    CHECK(find_text(c.got, c.len, "HTTP/1.1 100 ") != NULL);
    CHECK(client_say(&c, worker, "body"));
    CHECK(find_text(c.got, c.len, "\r\n\r\nread") != NULL);
}

/* Nothing to read and never asked for: the connection lives on. */
static void test_streaming_route_without_body(void **state)
{
    (void)state;
    CHECK_INT(client_connect(&c, worker), ==, 0);
    CHECK(client_say(&c, worker, "GET /stream HTTP/1.1\r\nhost: x\r\n\r\n"));
    CHECK_INT(fa_respond(held, 200, FA_SLICE("text/plain"), FA_SLICE("unread")), ==, 0);
    client_read(&c);
    CHECK(find_text(c.got, c.len, "connection: close") == NULL);
    CHECK(client_say(&c, worker, "GET /plain HTTP/1.1\r\nhost: x\r\n\r\n"));
    CHECK(find_text(c.got, c.len, "\r\n\r\nplain") != NULL);
}

/* Middleware defers before the body has come; the body is then not the next request. */
static void test_deferred_before_the_body(void **state)
{
    static const char hidden[] = "GET /plain HTTP/1.1\r\nhost: x\r\n\r\n";
    char head[128];

    (void)state;
    CHECK_INT(client_connect(&c, worker), ==, 0);
    snprintf(head, sizeof(head),
             "POST /guarded HTTP/1.1\r\nhost: x\r\ncontent-length: %zu\r\n\r\n",
             sizeof(hidden) - 1);
    CHECK(client_say(&c, worker, head));
    CHECK(held != NULL);
    CHECK(client_say(&c, worker, hidden));
    CHECK_U64(c.len, ==, 0);
    CHECK_INT(fa_respond(held, 403, FA_SLICE("text/plain"), FA_SLICE("no")), ==, 0);
    settle(worker, &c);
    CHECK(find_text(c.got, c.len, "HTTP/1.1 403 ") != NULL);
    CHECK(find_text(c.got, c.len, "HTTP/1.1 200 ") == NULL);
    CHECK(client_say(&c, worker, hidden));
    CHECK(find_text(c.got, c.len, "\r\n\r\nplain") != NULL);
}

/* The client goes away while its answer is awaited. */
static void test_client_gone(void **state)
{
    (void)state;
    CHECK_INT(client_connect(&c, worker), ==, 0);
    CHECK(client_say(&c, worker, "GET /hold HTTP/1.1\r\nhost: x\r\n\r\n"));
    client_close(&c);
    while (fa_worker_poll(worker, 0, 1) > 0)
        ;
    CHECK(held == NULL);
    CHECK_INT(finish_error, ==, FA_ERR_CLOSED);
    CHECK_U64(fa_worker_connections(worker), ==, 0);
}

/* Deleting the worker ends what is under way. */
static void test_deleted_under_way(void **state)
{
    (void)state;
    CHECK_INT(client_connect(&c, worker), ==, 0);
    CHECK(client_say(&c, worker, "GET /hold HTTP/1.1\r\nhost: x\r\n\r\n"));
    fa_worker_del(worker);
    worker = NULL;
    CHECK_U64(finished, ==, 1);
    CHECK_INT(finish_error, ==, FA_ERR_CLOSED);
    client_read(&c);
    CHECK(c.ended);
}

static void *wake_soon(void *w)
{
    struct timespec pause = {0, 50 * 1000000L};

    nanosleep(&pause, NULL);
    fa_worker_wake(w);
    return NULL;
}

static void test_wake(void **state)
{
    int64_t start = now_ms();
    pthread_t thread;

    (void)state;
    CHECK_INT(pthread_create(&thread, NULL, wake_soon, worker), ==, 0);
    CHECK_INT(fa_worker_poll(worker, 5000, 1), ==, 1);
    CHECK_INT(now_ms() - start, <, 4000);
    pthread_join(thread, NULL);
}

static int poll_within(fa_request *req, void *user_data)
{
    int *rv = user_data;

    *rv = fa_worker_poll(worker, 0, 1);
    return plain(req, NULL);
}

static void test_no_poll_within_a_handler(void **state)
{
    int rv = 0;

    (void)state;
    fa_worker_del(worker);
    fa_app_del(app);
    app = fa_app_new(NULL);
    CHECK_INT(fa_app_route(app, FA_GET, "/", poll_within, &rv), ==, 0);
    CHECK_INT(fa_worker_new(&worker, app, &options), ==, 0);
    CHECK_INT(client_connect(&c, worker), ==, 0);
    CHECK(client_say(&c, worker, "GET / HTTP/1.1\r\nhost: x\r\n\r\n"));
    CHECK_INT(rv, ==, FA_ERR_STATE);
    CHECK(find_text(c.got, c.len, "\r\n\r\nplain") != NULL);
}

static void test_drain(void **state)
{
    static client idle;

    (void)state;
    CHECK_INT(client_connect(&idle, worker), ==, 0);
    CHECK_INT(client_connect(&c, worker), ==, 0);
    CHECK(client_say(&c, worker, "GET /hold HTTP/1.1\r\nhost: x\r\n\r\n"));
    CHECK_U64(fa_worker_connections(worker), ==, 2);
    fa_worker_drain(worker);
    CHECK(work_until(worker, &idle, NULL, 3000)); /* closed after the grace */
    CHECK_U64(fa_worker_connections(worker), ==, 1);
    CHECK_INT(fa_respond(held, 200, FA_SLICE("text/plain"), FA_SLICE("late")), ==, 0);
    settle(worker, &c);
    CHECK(find_text(c.got, c.len, "connection: close") != NULL);
    CHECK(find_text(c.got, c.len, "\r\n\r\nlate") != NULL);
    CHECK(c.ended);
    client_close(&c);
    settle(worker, &c);
    CHECK_U64(fa_worker_connections(worker), ==, 0);
    client_close(&idle);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_silent_client),
        TEST(test_idle_client),
        TEST(test_adopted_after_a_pause),
        TEST(test_answer_outside),
        TEST(test_pipelined_behind),
        TEST(test_streamed_outside),
        TEST(test_gathered_outside),
        TEST(test_gathered_and_aborted),
        TEST(test_abort_outside),
        TEST(test_read_outside),
        TEST(test_read_outside_before_it_comes),
        TEST(test_streaming_route_without_body),
        TEST(test_deferred_before_the_body),
        TEST(test_client_gone),
        TEST(test_deleted_under_way),
        TEST(test_wake),
        TEST(test_no_poll_within_a_handler),
        TEST(test_drain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
