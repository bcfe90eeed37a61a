/* Accepting while accept4() fails in the ways that it can: the linker sends the calls
   through the function here (-Wl,--wrap). */
#include "serving.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "failing_alloc.h"

int __real_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);

static int next_error, failures, calls;

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    ++calls;
    if (failures > 0) {
        --failures;
        errno = next_error;
        return -1;
    }
    return __real_accept4(fd, address, length, flags);
}

static fa_app *app;
static fa_worker *worker;
static fa_server_options options;
static int listener;
static struct sockaddr_in address;

static int plain(fa_request *req, void *user_data)
{
    (void)user_data;
    return fa_respond(req, 200, FA_SLICE("text/plain"), FA_SLICE("plain"));
}

static int setup(void **state)
{
    socklen_t length = sizeof(address);

    (void)state;
    failures = 0;
    address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) != 0 ||
        listen(listener, 128) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        return -1;
    app = fa_app_new(NULL);
    if (app == NULL || fa_app_route(app, FA_GET, "/", plain, NULL) != 0)
        return -1;
    options = quiet_options();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fa_worker_del(worker);
    worker = NULL;
    fa_app_del(app);
    close(listener);
    return 0;
}

static void start(void)
{
    CHECK_INT(fa_worker_new(&worker, app, &options), ==, 0);
    CHECK_INT(fa_worker_listen_fd(worker, listener), ==, 0);
}

static void client_dial(client *c)
{
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    c->len = 0;
    c->ended = false;
    CHECK_INT(connect(c->fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    CHECK_INT(fcntl(c->fd, F_SETFL, O_NONBLOCK), ==, 0);
}

/* Asks once; false when no answer came. */
static bool ask(client *c)
{
    static const char text[] = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    int64_t end = now_ms() + 2000;
    size_t before = c->len;

    if (send(c->fd, text, sizeof(text) - 1, MSG_NOSIGNAL) < 0)
        return false;
    while (c->len == before && !c->ended && now_ms() < end) {
        (void)fa_worker_poll(worker, 10, 4);
        client_read(c);
    }
    return find_text(c->got + before, c->len - before, "\r\n\r\nplain") != NULL;
}

/* Some connections give up while they wait: the next one is served. */
static void test_given_up(void **state)
{
    static const int errors[] = {ECONNABORTED, EPERM, EPROTO, ENETDOWN, EINTR};
    static client c;

    (void)state;
    start();
    for (size_t i = 0; i < ARRAY_LEN(errors); ++i) {
        next_error = errors[i];
        failures = 5;
        client_dial(&c);
        CHECK(ask(&c));
        CHECK_INT(failures, ==, 0);
        client_close(&c);
    }
}

/* Without descriptors accepting pauses: no spinning, old connections are served, and
   those who wait get their turn later. */
static void test_no_descriptors(void **state)
{
    static const int errors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM, EINVAL};
    static client old, new;

    (void)state;
    start();
    client_dial(&old);
    CHECK(ask(&old));
    for (size_t i = 0; i < ARRAY_LEN(errors); ++i) {
        int64_t begun = now_ms();

        next_error = errors[i];
        failures = 3;
        calls = 0;
        client_dial(&new);
        while (now_ms() - begun < 150) {
            CHECK(ask(&old));
            (void)fa_worker_poll(worker, 10, 4);
        }
        CHECK_INT(calls, >=, 1);
        CHECK_INT(calls, <=, 3); /* one each 100 ms */
        CHECK(ask(&new));
        CHECK_INT(failures, ==, 0);
        client_close(&new);
    }
    client_close(&old);
}

/* One too many: told so even if its request is there already, and counted. */
static void test_shed(void **state)
{
    static client first, second;
    fa_counters counters;
    answer whole;

    (void)state;
    options.limits.max_connections = 1;
    start();
    client_dial(&first);
    CHECK(ask(&first));
    client_dial(&second);
    CHECK(!ask(&second));
    CHECK(work_until(worker, &second, NULL, 2000));
    CHECK(find_text(second.got, second.len, "HTTP/1.1 503 ") == second.got);
    CHECK(find_text(second.got, second.len, "connection: close\r\n") != NULL);
    CHECK(read_answer(&whole, second.got, second.len, true, false));
    CHECK(whole.complete);
    CHECK_U64(whole.len, ==, second.len); /* its length is the right one */
    CHECK(ask(&first));
    fa_worker_counters(worker, &counters);
    CHECK_U64(counters.connections, ==, 1);
    CHECK_U64(counters.connections_shed, ==, 1);
    client_close(&first);
    client_close(&second);
    while (fa_worker_connections(worker) > 0)
        (void)fa_worker_poll(worker, 10, 1);
    client_dial(&second);
    CHECK(ask(&second));
    client_close(&second);
}

/* The 503 is followed by an end, not by a reset that might overtake it. */
static void test_shed_without_reset(void **state)
{
    static client first, second;
    int error = 0;
    socklen_t length = sizeof(error);
    static const char text[] = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    (void)state;
    options.limits.max_connections = 1;
    start();
    client_dial(&first);
    CHECK(ask(&first));
    client_dial(&second);
    CHECK_INT(send(second.fd, text, sizeof(text) - 1, MSG_NOSIGNAL), >, 0);
    for (int i = 0; i < 10; ++i)
        (void)fa_worker_poll(worker, 5, 1);
    CHECK_INT(getsockopt(second.fd, SOL_SOCKET, SO_ERROR, &error, &length), ==, 0);
    CHECK_INT(error, ==, 0);
    client_read(&second);
    CHECK(find_text(second.got, second.len, "HTTP/1.1 503 ") == second.got);
    client_close(&first);
    client_close(&second);
}

static void test_per_address(void **state)
{
    static client clients[3];

    (void)state;
    options.limits.max_connections_per_address = 2;
    start();
    for (int i = 0; i < 3; ++i)
        client_dial(&clients[i]);
    CHECK(ask(&clients[0]));
    CHECK(ask(&clients[1]));
    CHECK(!ask(&clients[2]));
    client_close(&clients[0]);
    client_close(&clients[2]);
    while (fa_worker_connections(worker) > 1)
        (void)fa_worker_poll(worker, 10, 1);
    client_dial(&clients[2]);
    CHECK(ask(&clients[2]));
    client_close(&clients[1]);
    client_close(&clients[2]);
}

/* Draining takes in whoever is waiting already. */
static void test_drain_takes_the_waiting(void **state)
{
    static client waiting[20];

    (void)state;
    start();
    for (size_t i = 0; i < ARRAY_LEN(waiting); ++i)
        client_dial(&waiting[i]);
    fa_worker_drain(worker);
    CHECK_INT(fa_worker_listen_fd(worker, listener), ==, FA_ERR_STATE);
    for (size_t i = 0; i < ARRAY_LEN(waiting); ++i) {
        CHECK(ask(&waiting[i]));
        CHECK(find_text(waiting[i].got, waiting[i].len, "connection: close") != NULL);
        client_close(&waiting[i]);
    }
    for (int i = 0; i < 100 && fa_worker_connections(worker) > 0; ++i)
        (void)fa_worker_poll(worker, 10, 4);
    CHECK_U64(fa_worker_connections(worker), ==, 0);
}

static unsigned questions;

static bool never(void *user_data)
{
    (void)user_data;
    ++questions;
    return false;
}

/* Who always leaves connections to others takes them all the same when nobody comes:
   without spinning, and more than one after a pause. */
static void test_turns(void **state)
{
    static client waiting[40];
    int64_t begun;

    (void)state;
    start();
    fa_worker_on_accept(worker, never, NULL);
    questions = 0;
    for (size_t i = 0; i < ARRAY_LEN(waiting); ++i)
        client_dial(&waiting[i]);
    (void)fa_worker_poll(worker, 10, 1);
    CHECK_U64(questions, ==, 1);
    CHECK_U64(fa_worker_connections(worker), ==, 0);
    begun = now_ms();
    while (fa_worker_connections(worker) < ARRAY_LEN(waiting) && now_ms() - begun < 2000)
        (void)fa_worker_poll(worker, 10, 1);
    CHECK_U64(fa_worker_connections(worker), ==, ARRAY_LEN(waiting));
    CHECK_U64(questions, <=, 12); /* a few at a time */
    for (size_t i = 0; i < ARRAY_LEN(waiting); ++i) {
        CHECK(ask(&waiting[i]));
        client_close(&waiting[i]);
    }
    fa_worker_on_accept(worker, NULL, NULL);
    client_dial(&waiting[0]);
    questions = 0;
    CHECK(ask(&waiting[0]));
    CHECK_U64(questions, ==, 0);
    client_close(&waiting[0]);
}

/* A listener that comes later is asked for too; draining asks nobody. */
static void test_turns_and_drain(void **state)
{
    static client waiting[20];

    (void)state;
    CHECK_INT(fa_worker_new(&worker, app, &options), ==, 0);
    fa_worker_on_accept(worker, never, NULL);
    CHECK_INT(fa_worker_listen_fd(worker, listener), ==, 0);
    questions = 0;
    for (size_t i = 0; i < ARRAY_LEN(waiting); ++i)
        client_dial(&waiting[i]);
    (void)fa_worker_poll(worker, 10, 1);
    CHECK_U64(questions, ==, 1);
    fa_worker_drain(worker);
    CHECK_U64(questions, ==, 1);
    CHECK_U64(fa_worker_connections(worker), ==, ARRAY_LEN(waiting));
    for (size_t i = 0; i < ARRAY_LEN(waiting); ++i) {
        CHECK(ask(&waiting[i]));
        client_close(&waiting[i]);
    }
}

static void test_not_a_listener(void **state)
{
    int fds[2];

    (void)state;
    start();
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
    CHECK_INT(fa_worker_listen_fd(worker, fds[0]), ==, FA_ERR_INVALID);
    close(fds[0]);
    close(fds[1]);
    CHECK_INT(fa_worker_adopt(worker, -1), ==, FA_ERR_SYSTEM);
    CHECK_U64(fa_worker_connections(worker), ==, 0);
}

/* A connection that cannot be served stays the caller's. */
static void test_adopt(void **state)
{
    struct sockaddr_in local = {.sin_family = AF_INET};
    socklen_t length = sizeof(local), size = sizeof(int);
    int listening = socket(AF_INET, SOCK_STREAM, 0), peer, fd, on = 0, fds[2];
    fa_server_options mine = quiet_options();
    fa_counters counters;
    failing_alloc f;
    fa_worker *w;
    fa_app *served;

    (void)state;
    local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_INT(bind(listening, (struct sockaddr *)&local, sizeof(local)), ==, 0);
    CHECK_INT(listen(listening, 1), ==, 0);
    CHECK_INT(getsockname(listening, (struct sockaddr *)&local, &length), ==, 0);
    peer = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_INT(connect(peer, (struct sockaddr *)&local, sizeof(local)), ==, 0);
    fd = accept(listening, NULL, NULL);
    CHECK(fd >= 0);
    failing_alloc_init(&f, 0);
    mine.alloc = &f.alloc;
    served = fa_app_new(NULL);
    CHECK(served != NULL);
    CHECK_INT(fa_worker_new(&w, served, &mine), ==, 0);
    f.fail_at = f.calls + 1;
    CHECK_INT(fa_worker_adopt(w, fd), ==, FA_ERR_NOMEM);
    CHECK_U64(fa_worker_connections(w), ==, 0);
    fa_worker_counters(w, &counters);
    CHECK_U64(counters.connections_open, ==, 0);
    CHECK_INT(fcntl(fd, F_GETFD), >=, 0);
    CHECK_INT(fa_worker_adopt(w, fd), ==, 0);
    CHECK_INT(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size), ==, 0);
    CHECK_INT(on, !=, 0);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
    CHECK_INT(fa_worker_adopt(w, fds[0]), ==, 0);
    CHECK_U64(fa_worker_connections(w), ==, 2);
    fa_worker_del(w);
    CHECK_INT(fcntl(fd, F_GETFD), <, 0);
    close(fds[1]);
    close(peer);
    close(listening);
    fa_app_del(served);
    CHECK_INT(f.held, ==, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_given_up),       TEST(test_no_descriptors),
        TEST(test_shed),           TEST(test_shed_without_reset),
        TEST(test_per_address),    TEST(test_drain_takes_the_waiting),
        TEST(test_turns),          TEST(test_turns_and_drain),
        TEST(test_not_a_listener), TEST(test_adopt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
