/* Connections after an upgrade, and their end. */
#include "serving.h"

enum { STREAMS = 3 };

static fa_app *app;
static fa_worker *worker;
static client clients[STREAMS];
static fa_stream *streams[STREAMS];
static int closed_with[STREAMS]; /* 1: not yet */
static unsigned opened, shutdowns;
static fa_request *held;

/* Says goodbye to everybody, who may be gone without anyone knowing yet. */
static void say_goodbye(fa_stream *stream, void *user_data)
{
    (void)user_data;
    ++shutdowns;
    for (unsigned i = 0; i < opened; ++i) {
        if (streams[i] != NULL)
            (void)fa_stream_write(streams[i], FA_SLICE("bye."));
    }
    fa_stream_close(stream);
}

static void echo(fa_stream *stream, fa_slice data, void *user_data)
{
    (void)user_data;
    (void)fa_stream_write(stream, data);
}

static void note_close(fa_stream *stream, int error, void *user_data)
{
    (void)user_data;
    for (unsigned i = 0; i < opened; ++i) {
        if (streams[i] == stream) {
            CHECK_INT(closed_with[i], ==, 1); /* once */
            closed_with[i] = error;
            streams[i] = NULL;
        }
    }
}

static const fa_stream_handler handler = {
    .on_data = echo, .on_shutdown = say_goodbye, .on_close = note_close};

static int upgrade(fa_request *req, void *user_data)
{
    int rv = fa_request_upgrade(req, FA_SLICE("echo"), &handler, NULL, &streams[opened]);

    (void)user_data;
    if (rv == 0)
        ++opened;
    return rv;
}

static void drop_handle(fa_request *req, int error, void *user_data)
{
    (void)req;
    (void)error;
    fa_deferred_release(user_data);
}

static int upgrade_later(fa_request *req, void *user_data)
{
    fa_deferred *d = fa_request_defer(req);

    (void)user_data;
    if (d == NULL)
        return FA_ERR_NOMEM;
    held = req;
    fa_request_on_finish(req, drop_handle, d);
    return 0;
}

static int setup(void **state)
{
    fa_server_options options = quiet_options();

    (void)state;
    opened = shutdowns = 0;
    for (int i = 0; i < STREAMS; ++i) {
        clients[i].fd = -1;
        closed_with[i] = 1;
        streams[i] = NULL;
    }
    app = fa_app_new(NULL);
    if (app == NULL || fa_app_route(app, FA_GET, "/", upgrade, NULL) != 0 ||
        fa_app_route(app, FA_GET, "/later", upgrade_later, NULL) != 0)
        return -1;
    return fa_worker_new(&worker, app, &options);
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < STREAMS; ++i)
        client_close(&clients[i]);
    fa_worker_del(worker);
    fa_app_del(app);
    return 0;
}

#define REQUEST(path)                                                                    \
    "GET " path " HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n"

static void open_all(void)
{
    for (int i = 0; i < STREAMS; ++i) {
        CHECK_INT(client_connect(&clients[i], worker), ==, 0);
        CHECK(client_say(&clients[i], worker, REQUEST("/") "hello"));
        CHECK(find_text(clients[i].got, clients[i].len, "HTTP/1.1 101 ") ==
              clients[i].got);
        CHECK(find_text(clients[i].got, clients[i].len, "\r\n\r\nhello") != NULL);
    }
}

static void test_client_ends(void **state)
{
    (void)state;
    open_all();
    client_close(&clients[1]);
    settle(worker, &clients[0]);
    CHECK_INT(closed_with[1], ==, 0);
    CHECK_INT(closed_with[0], ==, 1);
    CHECK(client_say(&clients[0], worker, "more"));
    CHECK(find_text(clients[0].got, clients[0].len, "hellomore") != NULL);
}

static void test_server_closes(void **state)
{
    (void)state;
    open_all();
    CHECK_INT(fa_stream_write(streams[0], FA_SLICE("last")), ==, 0);
    fa_stream_close(streams[0]);
    CHECK_INT(closed_with[0], ==, 1); /* not from within the call */
    CHECK_INT(fa_stream_write(streams[0], FA_SLICE("later")), ==, FA_ERR_CLOSED);
    settle(worker, &clients[0]);
    CHECK(find_text(clients[0].got, clients[0].len, "hellolast") != NULL);
    CHECK(clients[0].ended);
    client_close(&clients[0]);
    settle(worker, &clients[1]);
    CHECK_INT(closed_with[0], ==, 0);
}

static void test_drain(void **state)
{
    (void)state;
    open_all();
    fa_worker_drain(worker);
    for (int i = 0; i < STREAMS; ++i) {
        settle(worker, &clients[i]);
        CHECK(clients[i].ended);
        CHECK(find_text(clients[i].got, clients[i].len, "hellobye.") != NULL);
        client_close(&clients[i]);
    }
    CHECK_U64(shutdowns, ==, STREAMS);
    settle(worker, &clients[0]);
    CHECK_U64(fa_worker_connections(worker), ==, 0);
    for (int i = 0; i < STREAMS; ++i)
        CHECK_INT(closed_with[i], ==, 0);
}

/* A goodbye finds that others are gone: their connections end while the worker goes
   through all of them. */
static void test_drain_finds_clients_gone(void **state)
{
    for (unsigned left = 0; left < STREAMS; ++left) {
        if (left > 0) {
            teardown(state);
            CHECK_INT(setup(state), ==, 0);
        }
        open_all();
        for (unsigned i = 0; i < STREAMS; ++i) {
            if (i != left)
                client_close(&clients[i]);
        }
        fa_worker_drain(worker);
        settle(worker, &clients[left]);
        CHECK(find_text(clients[left].got, clients[left].len, "hellobye.") != NULL);
        client_close(&clients[left]);
        settle(worker, &clients[left]);
        CHECK_U64(fa_worker_connections(worker), ==, 0);
        for (unsigned i = 0; i < STREAMS; ++i)
            CHECK_INT(closed_with[i], !=, 1);
    }
}

/* A stream that begins during the drain must not hold it up. */
static void test_begun_while_draining(void **state)
{
    (void)state;
    CHECK_INT(client_connect(&clients[0], worker), ==, 0);
    CHECK(client_say(&clients[0], worker, REQUEST("/later")));
    fa_worker_drain(worker);
    settle(worker, &clients[0]);
    CHECK_INT(fa_request_upgrade(held, FA_SLICE("echo"), &handler, NULL, &streams[0]), ==,
              0);
    ++opened;
    settle(worker, &clients[0]);
    CHECK_U64(shutdowns, ==, 1);
    CHECK(clients[0].ended);
    CHECK(find_text(clients[0].got, clients[0].len, "\r\n\r\nbye.") != NULL);
    client_close(&clients[0]);
    settle(worker, &clients[0]);
    CHECK_INT(closed_with[0], ==, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_client_ends),
        TEST(test_server_closes),
        TEST(test_drain),
        TEST(test_drain_finds_clients_gone),
        TEST(test_begun_while_draining),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
