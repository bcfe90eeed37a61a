/* Answers of requests that come together: sent together if they are quick, and whatever
   becomes of one of them, the other clients have theirs. */
#include "serving.h"

#include "server/connection.h"

ssize_t __real_send(int fd, const void *p, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *p, size_t n, int flags);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);

enum { CLIENTS = FA__BATCH_MAX + 5, LONG_BYTES = 5000 };

/* Of the server's sockets; `seen` is what the handler has seen of `calls`. */
static struct {
    bool counts;
    size_t most; /* bytes a call takes; 0: no bound */
    int error;   /* of the call with the number `at` */
    unsigned at, calls, seen[CLIENTS], handled;
} sends;

/* Goes on when the tests say so. */
static struct {
    long ms;
    long step_ms; /* with each look at it */
} fake_clock;

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    (void)clock;
    fake_clock.ms += fake_clock.step_ms;
    t->tv_sec = 1000 + fake_clock.ms / 1000;
    t->tv_nsec = fake_clock.ms % 1000 * 1000000;
    return 0;
}

ssize_t __wrap_send(int fd, const void *p, size_t n, int flags)
{
    if (!sends.counts)
        return __real_send(fd, p, n, flags);
    if (++sends.calls == sends.at) {
        errno = sends.error;
        return -1;
    }
    return __real_send(fd, p, sends.most != 0 && n > sends.most ? sends.most : n, flags);
}

static char text[LONG_BYTES];
static client clients[CLIENTS], reference;
static const char *asked[CLIENTS];
static fa_app *app;
static fa_worker *worker;

static int answer_with(fa_request *req, size_t n)
{
    if (sends.handled < CLIENTS)
        sends.seen[sends.handled++] = sends.calls;
    return fa_respond(req, 200, FA_SLICE("text/plain"), (fa_slice){text, n});
}

static int small(fa_request *req, void *user_data)
{
    (void)user_data;
    return answer_with(req, 5);
}

static int longer(fa_request *req, void *user_data)
{
    (void)user_data;
    return answer_with(req, LONG_BYTES);
}

static int slow(fa_request *req, void *user_data)
{
    (void)user_data;
    fake_clock.ms += 3;
    return answer_with(req, 5);
}

static int drain(fa_request *req, void *user_data)
{
    (void)user_data;
    fa_worker_drain(worker);
    return answer_with(req, 5);
}

/* All connections but its own are cut while it is answered. */
static int cut(fa_request *req, void *user_data)
{
    (void)user_data;
    for (fa__conn *conn = worker->conns, *next; conn != NULL; conn = next) {
        next = conn->next;
        if (conn->req != req)
            fa__conn_del(conn, FA_ERR_CLOSED);
    }
    return answer_with(req, 5);
}

static int setup(void **state)
{
    fa_server_options options = quiet_options();

    (void)state;
    memset(text, 'x', sizeof(text));
    memset(&sends, 0, sizeof(sends));
    fake_clock.ms = fake_clock.step_ms = 0;
    for (size_t i = 0; i < CLIENTS; ++i)
        clients[i].fd = -1;
    options.limits.drain_grace_ms = 0;
    options.limits.min_rate_bytes_per_s = 0; /* bytes go one by one here */
    app = fa_app_new(NULL);
    if (app == NULL || fa_app_route(app, FA_GET, "/small", small, NULL) != 0 ||
        fa_app_route(app, FA_GET, "/longer", longer, NULL) != 0 ||
        fa_app_route(app, FA_GET, "/drain", drain, NULL) != 0 ||
        fa_app_route(app, FA_GET, "/cut", cut, NULL) != 0 ||
        fa_app_route(app, FA_GET, "/slow", slow, NULL) != 0)
        return -1;
    return fa_worker_new(&worker, app, &options);
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < CLIENTS; ++i)
        client_close(&clients[i]);
    fa_worker_del(worker);
    fa_app_del(app);
    return 0;
}

#define GET(path) "GET " path " HTTP/1.1\r\nhost: x\r\n\r\n"

/* Asked by client `i` in what follows. */
static const char *request_of(size_t i)
{
    static const char *const requests[] = {GET("/small"), GET("/small") GET("/small"),
                                           GET("/longer"), GET("/nowhere"),
                                           GET("/small") GET("/longer") GET("/small")};

    return requests[i % ARRAY_LEN(requests)];
}

/* `n` new clients have sent their requests before the server looks. */
static void come_together(size_t n, const char *request)
{
    sends.counts = false;
    for (size_t i = 0; i < n; ++i) {
        const char *what = request != NULL ? request : request_of(i);

        asked[i] = what;
        client_close(&clients[i]);
        CHECK_INT(client_connect(&clients[i], worker), ==, 0);
        CHECK_INT(__real_send(clients[i].fd, what, strlen(what), 0), ==,
                  (ptrdiff_t)strlen(what));
    }
    sends.counts = true;
    sends.calls = sends.handled = 0;
}

/* The server works and the clients read until nobody has anything to do. */
static void work(size_t n)
{
    bool more = true;

    while (more) {
        more = fa_worker_poll(worker, 0, 1) > 0;
        for (size_t i = 0; i < n; ++i) {
            size_t before = clients[i].len;

            client_read(&clients[i]);
            more = more || clients[i].len != before;
        }
    }
}

static void test_together(void **state)
{
    (void)state;
    come_together(FA__BATCH_MAX, GET("/small"));
    work(FA__BATCH_MAX);
    for (unsigned i = 0; i < FA__BATCH_MAX; ++i) {
        CHECK_U64(sends.seen[i], ==, 0);
        CHECK_U64(clients[i].len, >, 5);
        CHECK_U64(clients[i].len, ==, clients[0].len);
    }
    CHECK_U64(sends.calls, ==, FA__BATCH_MAX);
}

static void test_slow_is_alone(void **state)
{
    (void)state;
    come_together(5, GET("/slow"));
    work(5);
    for (unsigned i = 0; i < 5; ++i)
        CHECK_U64(sends.seen[i], ==, i);
    /* Nor have quick ones company until some time has passed. */
    come_together(2, GET("/small"));
    work(2);
    CHECK_U64(sends.seen[1], ==, 1);
    fake_clock.ms += 100;
    come_together(2, GET("/small"));
    work(2);
    CHECK_U64(sends.seen[1], ==, 0);
}

/* What client `i` gets when it is alone. */
static void ask_alone(size_t i)
{
    int fd;

    sends.counts = false;
    client_init(&reference, &fd);
    CHECK_INT(fa_worker_adopt(worker, fd), ==, 0);
    CHECK_INT(__real_send(reference.fd, asked[i], strlen(asked[i]), 0), >, 0);
    settle(worker, &reference);
    client_close(&reference);
}

static void check_all(size_t n, size_t but)
{
    for (size_t i = 0; i < n; ++i) {
        if (i == but)
            continue;
        ask_alone(i);
        CHECK_U64(clients[i].len, ==, reference.len);
        CHECK(memcmp(clients[i].got, reference.got, reference.len) == 0);
        CHECK(!clients[i].ended);
    }
}

static void test_many(void **state)
{
    (void)state;
    come_together(CLIENTS, NULL);
    work(CLIENTS);
    check_all(CLIENTS, CLIENTS);
}

/* What a socket does not take at once comes when it does. */
static void test_short_writes(void **state)
{
    static const size_t sizes[] = {1, 7, 64, 130};

    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(sizes); ++i) {
        fake_clock.step_ms = i % 2 != 0 ? 3 : 0;
        sends.most = sizes[i / 2];
        come_together(10, NULL);
        work(10);
        sends.most = 0;
        check_all(10, 10);
    }
}

static void test_would_block(void **state)
{
    (void)state;
    for (sends.at = 1; sends.at < 12; ++sends.at) {
        sends.error = EAGAIN;
        come_together(10, NULL);
        work(10);
        check_all(10, 10);
    }
}

/* One is broken by each send in turn; it ends, and no other one. */
static void test_broken(void **state)
{
    (void)state;
    for (sends.at = 1; sends.at <= 10; ++sends.at) {
        size_t broken = 10;

        sends.error = EPIPE;
        come_together(10, GET("/small"));
        work(10);
        for (size_t i = 0; i < 10; ++i) {
            if (clients[i].ended)
                broken = i;
        }
        CHECK_U64(broken, <, 10);
        CHECK_U64(clients[broken].len, ==, 0);
        CHECK_U64(fa_worker_connections(worker), ==, 9);
        check_all(10, broken);
        for (size_t i = 0; i < 10; ++i)
            client_close(&clients[i]);
        work(10);
        CHECK_U64(fa_worker_connections(worker), ==, 0);
    }
}

/* The end of the server, or of their connections, comes behind answers that wait. */
static void test_ends(void **state)
{
    static const char *const ends[] = {GET("/drain"), GET("/cut")};
    size_t complete = 0;

    (void)state;
    for (size_t i = 2; i-- > 0;) {
        come_together(5, GET("/small"));
        CHECK_INT(__real_send(clients[4].fd, ends[i], strlen(ends[i]), 0), >, 0);
        work(5);
        fake_clock.ms += 100;
        work(5);
        CHECK_U64(sends.seen[4], ==, 0); /* they were waiting */
        for (size_t k = 0; k < 4; ++k) {
            CHECK(clients[k].ended);
            CHECK_U64(clients[k].len, ==, clients[0].len);
            complete +=
                find_text(clients[k].got, clients[k].len, "\r\n\r\nxxxxx") != NULL;
        }
    }
    CHECK_U64(complete, ==, 8);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_together),     TEST(test_slow_is_alone), TEST(test_many),
        TEST(test_short_writes), TEST(test_would_block),   TEST(test_broken),
        TEST(test_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
