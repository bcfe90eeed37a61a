/* Files through sockets and file systems that do what they like: the linker sends system
   calls through the functions here (-Wl,--wrap). The client reads the same bytes. */
#include "serving.h"

#include <signal.h>
#include <sys/sendfile.h>

#include "failing_alloc.h"

ssize_t __real_sendfile64(int out, int in, off_t *offset, size_t n);
ssize_t __wrap_sendfile64(int out, int in, off_t *offset, size_t n);
ssize_t __real_pread64(int fd, void *p, size_t n, off_t offset);
ssize_t __wrap_pread64(int fd, void *p, size_t n, off_t offset);

static struct {
    size_t most; /* bytes a call moves; 0: no bound */
    int error;   /* of every `every`-th call */
    unsigned every, calls;
    bool only_sends; /* reads do not fail */
    unsigned sends, reads;
    size_t largest; /* asked for in one call */
    bool slow;      /* a call takes longer than a turn */
} faults;

static bool fails(void)
{
    ++faults.calls;
    if (faults.every == 0 || faults.calls % faults.every != 0)
        return false;
    errno = faults.error;
    return true;
}

static size_t bounded(size_t n)
{
    return faults.most != 0 && n > faults.most ? faults.most : n;
}

ssize_t __wrap_sendfile64(int out, int in, off_t *offset, size_t n)
{
    static const struct timespec nap = {0, 600 * 1000};

    ++faults.sends;
    if (faults.slow)
        nanosleep(&nap, NULL);
    faults.largest = n > faults.largest ? n : faults.largest;
    return fails() ? -1 : __real_sendfile64(out, in, offset, bounded(n));
}

ssize_t __wrap_pread64(int fd, void *p, size_t n, off_t offset)
{
    ++faults.reads;
    return !faults.only_sends && fails() ? -1 : __real_pread64(fd, p, bounded(n), offset);
}

enum { SIZE = 300000 };

static char data[SIZE];
static int source;
static fa_app *app;
static fa_worker *worker;
static client c, reference;
static int64_t declared, length;
static int rv_of_send, finish_error;

static void on_finish(fa_request *req, int error, void *user_data)
{
    (void)req;
    (void)user_data;
    finish_error = error;
}

static void end(fa_request *req, void *user_data)
{
    (void)user_data;
    (void)fa_response_write(req, FA_SLICE("behind"));
    (void)fa_response_end(req);
}

static int handler(fa_request *req, void *user_data)
{
    int rv = fa_response_start(req, 200, declared);

    (void)user_data;
    fa_request_on_finish(req, on_finish, NULL);
    fa_response_on_drain(req, end, NULL);
    if (rv == 0)
        rv = fa_response_write(req, FA_SLICE("before"));
    if (rv != 0)
        return rv;
    rv_of_send = fa_response_send_file(req, source, 0, length);
    if (rv_of_send == 0)
        end(req, NULL);
    return rv_of_send == FA_ERR_FULL ? 0 : rv_of_send;
}

static int make_worker(const fa_allocator *alloc)
{
    fa_server_options options = quiet_options();

    options.alloc = alloc;
    return fa_worker_new(&worker, app, &options);
}

static int setup(void **state)
{
    char name[] = "/tmp/fa-sendfile-XXXXXX";

    (void)state;
    for (size_t i = 0; i < SIZE; ++i)
        data[i] = (char)('a' + i % 26 + i / 997 % 3);
    memset(&faults, 0, sizeof(faults));
    source = mkstemp(name);
    if (source < 0 || unlink(name) != 0 || write(source, data, SIZE) != SIZE)
        return -1;
    app = fa_app_new(NULL);
    if (app == NULL || fa_app_route(app, FA_GET, "/", handler, NULL) != 0)
        return -1;
    return make_worker(NULL);
}

static int teardown(void **state)
{
    (void)state;
    client_close(&c);
    fa_worker_del(worker);
    fa_app_del(app);
    return close(source);
}

/* Two answers, the second behind the first; true when the connection lived to their end.
 */
static bool play(void)
{
    static const char request[] =
        "GET / HTTP/1.1\r\nhost: x\r\n\r\n"
        "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

    client_close(&c);
    CHECK_INT(client_connect(&c, worker), ==, 0);
    (void)client_say(&c, worker, request);
    for (int i = 0; i < 100000 && !c.ended; ++i)
        settle(worker, &c);
    CHECK(c.ended);
    CHECK_U64(fa_worker_connections(worker), ==, 0);
    return finish_error == 0;
}

static const struct {
    int64_t declared, length;
} shapes[] = {
    {SIZE + 12, -1},       {-1, -1},     {5000 + 12, 5000}, {-1, 5000},
    {100000 + 12, 100000}, {-1, 100000},
};

static void play_shapes(size_t most, int error, unsigned every)
{
    for (size_t i = 0; i < ARRAY_LEN(shapes); ++i) {
        declared = shapes[i].declared;
        length = shapes[i].length;
        memset(&faults, 0, sizeof(faults));
        CHECK(play());
        reference = c;
        faults.most = most;
        faults.error = error;
        faults.every = every;
        CHECK(play());
        CHECK_U64(c.len, ==, reference.len);
        CHECK(memcmp(c.got, reference.got, c.len) == 0);
    }
}

static void test_whole(void **state)
{
    const char *body;

    (void)state;
    declared = SIZE + 12;
    length = -1;
    CHECK(play());
    body = strstr(c.got, "\r\n\r\n") + 4;
    CHECK(memcmp(body, "before", 6) == 0);
    CHECK(memcmp(body + 6, data, SIZE) == 0);
    CHECK(memcmp(body + 6 + SIZE, "behind", 6) == 0);
    CHECK_U64(faults.sends, >, 2);
    CHECK_U64(faults.reads, ==, 0);
    CHECK_U64(faults.largest, <=, 256 * 1024);
}

/* Returns how many turns of the loop the answer took. */
static unsigned turns(void)
{
    static const char request[] =
        "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    unsigned n = 0, most = 0;

    client_close(&c);
    CHECK_INT(client_connect(&c, worker), ==, 0);
    CHECK_INT(send(c.fd, request, sizeof(request) - 1, 0), ==, (int)sizeof(request) - 1);
    for (; n < 10000 && !c.ended; ++n) {
        unsigned before = faults.sends;

        (void)fa_worker_poll(worker, 0, 1);
        client_read(&c);
        most = faults.sends - before > most ? faults.sends - before : most;
    }
    CHECK(c.ended);
    CHECK_INT(finish_error, ==, 0);
    CHECK(faults.slow ? most == 1 : most > 1);
    return n;
}

/* Of a file in memory, a turn takes what the socket takes; of a slow disk, one piece. */
static void test_turns(void **state)
{
    (void)state;
    declared = -1;
    length = -1;
    faults.most = 10000;
    CHECK_U64(turns(), <, SIZE / faults.most);
    faults.slow = true;
    CHECK_U64(turns(), >=, SIZE / faults.most);
}

static void test_short_calls(void **state)
{
    static const size_t sizes[] = {100, 4096, 65535, 65537};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); ++i)
        play_shapes(sizes[i], 0, 0);
}

static void test_interrupted(void **state)
{
    (void)state;
    for (unsigned every = 2; every < 5; ++every)
        play_shapes(10000, EINTR, every);
}

/* A file system, or a socket, that sendfile() is not for: read and written instead. */
static void test_by_hand(void **state)
{
    static const int errors[] = {EINVAL, ENOSYS, EOPNOTSUPP};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(errors); ++i) {
        declared = SIZE + 12;
        length = -1;
        memset(&faults, 0, sizeof(faults));
        CHECK(play());
        reference = c;
        faults.error = errors[i];
        faults.every = 2; /* the second call: some went out the other way */
        faults.only_sends = true;
        CHECK(play());
        CHECK_U64(faults.reads, >, 0);
        CHECK_U64(c.len, ==, reference.len);
        CHECK(memcmp(c.got, reference.got, c.len) == 0);
    }
}

/* A read that fails: the client sees that it has not got all. */
static void test_unreadable(void **state)
{
    (void)state;
    declared = SIZE + 12;
    length = -1;
    for (unsigned every = 1; every < 3; ++every) {
        memset(&faults, 0, sizeof(faults));
        CHECK(play());
        faults.every = every;
        faults.error = EIO;
        CHECK(!play());
        CHECK_INT(finish_error, ==, FA_ERR_SYSTEM);
        CHECK_U64(c.len, <, (size_t)SIZE);
    }
    length = 5000; /* a copy: the handler learns of it before anything is sent */
    declared = 5012;
    faults.every = 1;
    CHECK(!play());
    CHECK_INT(rv_of_send, ==, FA_ERR_SYSTEM);
}

static unsigned signals;

static void on_signal(int number)
{
    (void)number;
    ++signals;
}

/* SIGPIPE is not ignored here: a client that is gone must not raise it. */
static void test_no_signal(void **state)
{
    struct sigaction action = {.sa_handler = on_signal}, old;
    sigset_t mask, pending;

    (void)state;
    declared = SIZE + 12;
    length = -1;
    signals = 0;
    CHECK_INT(sigaction(SIGPIPE, &action, &old), ==, 0);
    for (int blocked = 0; blocked < 2; ++blocked) {
        sigemptyset(&mask);
        sigaddset(&mask, SIGPIPE);
        CHECK_INT(pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &mask, NULL), ==, 0);
        if (blocked)
            (void)raise(SIGPIPE); /* it was there before: it stays */
        client_close(&c);
        CHECK_INT(client_connect(&c, worker), ==, 0);
        CHECK(send(c.fd, "GET / HTTP/1.1\r\nhost: x\r\n\r\n", 27, MSG_NOSIGNAL) == 27);
        (void)shutdown(c.fd, SHUT_RD);
        for (int i = 0; i < 100; ++i)
            (void)fa_worker_poll(worker, 0, 16);
        CHECK_U64(fa_worker_connections(worker), ==, 0);
        CHECK_INT(sigpending(&pending), ==, 0);
        CHECK_INT(sigismember(&pending, SIGPIPE), ==, blocked);
    }
    CHECK_U64(signals, ==, 0);
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &action, NULL); /* throws the pending one away */
    (void)pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
    (void)sigaction(SIGPIPE, &old, NULL);
}

static void test_no_memory(void **state)
{
    uint64_t calls = 1;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(shapes); ++i) {
        declared = shapes[i].declared;
        length = shapes[i].length;
        for (uint64_t at = 0; at <= calls; ++at) {
            failing_alloc f;
            uint64_t before;
            int rv;

            failing_alloc_init(&f, 0);
            fa_worker_del(worker);
            CHECK_INT(make_worker(&f.alloc), ==, 0);
            before = f.calls;
            f.fail_at = at != 0 ? before + at : 0;
            client_close(&c);
            rv = client_connect(&c, worker);
            if (rv == 0) {
                (void)client_say(&c, worker, "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
                (void)shutdown(c.fd, SHUT_WR);
                for (int n = 0; n < 10000 && !c.ended; ++n)
                    settle(worker, &c);
                CHECK(c.ended);
            }
            if (at == 0)
                calls = f.calls - before;
            fa_worker_del(worker);
            CHECK_INT(f.held, ==, 0);
            CHECK_INT(make_worker(NULL), ==, 0);
        }
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_whole),       TEST(test_turns),     TEST(test_short_calls),
        TEST(test_interrupted), TEST(test_by_hand),   TEST(test_unreadable),
        TEST(test_no_signal),   TEST(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
