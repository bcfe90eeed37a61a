/* Answers through a socket that takes what it likes: the linker sends system calls
   through the functions here (-Wl,--wrap). Whatever they do, the client reads the same
   bytes. */
#include "server/held.h"
#include "serving.h"

ssize_t __real_send(int fd, const void *p, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *p, size_t n, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __real_recv(int fd, void *p, size_t n, int flags);
ssize_t __wrap_recv(int fd, void *p, size_t n, int flags);

/* How the server's socket behaves; the client's end is left alone. */
static struct {
    int fd;      /* of the client */
    size_t most; /* bytes a call takes; 0: no bound */
    int error;   /* of every `every`-th call */
    unsigned every, calls;
    unsigned drop_after; /* then all sends fail with `error`; 0: never */
} faults;

static bool fails(void)
{
    ++faults.calls;
    if ((faults.every != 0 && faults.calls % faults.every == 0) ||
        (faults.drop_after != 0 && faults.calls > faults.drop_after)) {
        errno = faults.error;
        return true;
    }
    return false;
}

static size_t bounded(size_t n)
{
    return faults.most != 0 && n > faults.most ? faults.most : n;
}

ssize_t __wrap_send(int fd, const void *p, size_t n, int flags)
{
    if (fd == faults.fd)
        return __real_send(fd, p, n, flags);
    return fails() ? -1 : __real_send(fd, p, bounded(n), flags);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct iovec vectors[FA__HELD_VECTORS];
    struct msghdr some = *message;
    size_t left = faults.most != 0 ? faults.most : SIZE_MAX;

    if (fails())
        return -1;
    CHECK_U64(message->msg_iovlen, <=, ARRAY_LEN(vectors));
    some.msg_iov = vectors;
    for (size_t i = 0; i < message->msg_iovlen; ++i) {
        vectors[i] = message->msg_iov[i];
        if (vectors[i].iov_len > left)
            vectors[i].iov_len = left;
        left -= vectors[i].iov_len;
    }
    return __real_sendmsg(fd, &some, flags);
}

ssize_t __wrap_recv(int fd, void *p, size_t n, int flags)
{
    if (fd == faults.fd)
        return __real_recv(fd, p, n, flags);
    return fails() ? -1 : __real_recv(fd, p, bounded(n), flags);
}

enum { LARGE = 100000 };

static char large[LARGE + 16];
static fa_app *app;
static fa_worker *worker;
static client c, reference;
static unsigned drains;
static unsigned held; /* pieces that have not been released */

static int respond_large(fa_request *req, void *user_data)
{
    (void)user_data;
    return fa_respond(req, 200, FA_SLICE("text/plain"), (fa_slice){large, LARGE});
}

static int respond_small(fa_request *req, void *user_data)
{
    (void)user_data;
    return fa_respond(req, 200, FA_SLICE("text/plain"), FA_SLICE("small"));
}

static int echo(fa_request *req, void *user_data)
{
    (void)user_data;
    return fa_respond(req, 200, FA_SLICE("text/plain"), fa_request_body(req));
}

static void let_go(void *copy)
{
    free(copy);
    --held;
}

/* Without slack, and gone once it is released: whoever reads it then is found. */
static int write_held(fa_request *req, fa_slice data)
{
    char *copy = malloc(data.len);

    CHECK(copy != NULL);
    memcpy(copy, data.p, data.len);
    ++held;
    return fa_response_write_held(req, (fa_slice){copy, data.len}, let_go, copy);
}

/* A piece each time there is room; the sizes fall on both sides of what is copied. With
   `user_data`, two of three are held. */
static void write_on(fa_request *req, void *user_data)
{
    static const size_t sizes[] = {1,     9000, 40000, 3,     LARGE,
                                   17000, 8192, 8193,  16384, 16385};
    uintptr_t *next = fa_request_data(req);

    ++drains;
    while (*next < ARRAY_LEN(sizes)) {
        fa_slice piece = {large + *next, sizes[*next]};
        int rv = user_data != NULL && *next % 3 != 0 ? write_held(req, piece)
                                                     : fa_response_write(req, piece);

        if (rv < 0 && rv != FA_ERR_FULL)
            return;
        ++*next;
        if (rv == FA_ERR_FULL)
            return;
    }
    (void)fa_response_end(req);
}

static int stream(fa_request *req, void *user_data)
{
    uintptr_t *next = fa_arena_alloc(fa_request_arena(req), sizeof(*next));
    int rv = next != NULL ? fa_response_start(req, 200, -1) : FA_ERR_NOMEM;

    if (rv != 0)
        return rv;
    *next = 0;
    drains = 0;
    fa_request_set_data(req, next);
    fa_response_on_drain(req, write_on, user_data);
    write_on(req, user_data);
    return 0;
}

/* A long one, of a length that is told. */
static int one_held(fa_request *req, void *user_data)
{
    int rv = fa_response_start(req, 200, LARGE);

    (void)user_data;
    if (rv == 0)
        rv = write_held(req, (fa_slice){large, LARGE});
    return rv == 0 || rv == FA_ERR_FULL ? fa_response_end(req) : rv;
}

static int setup(void **state)
{
    fa_server_options options = quiet_options();

    (void)state;
    for (size_t i = 0; i < sizeof(large); ++i)
        large[i] = (char)('a' + i % 26);
    options.limits.max_pending_bytes = 20000;
    options.limits.max_pipelined = 3;
    app = fa_app_new(NULL);
    if (app == NULL || fa_app_route(app, FA_GET, "/large", respond_large, NULL) != 0 ||
        fa_app_route(app, FA_GET, "/small", respond_small, NULL) != 0 ||
        fa_app_route(app, FA_POST, "/echo", echo, NULL) != 0 ||
        fa_app_route(app, FA_GET, "/stream", stream, NULL) != 0 ||
        fa_app_route(app, FA_GET, "/held", stream, &held) != 0 ||
        fa_app_route(app, FA_GET, "/one", one_held, NULL) != 0)
        return -1;
    memset(&faults, 0, sizeof(faults));
    return fa_worker_new(&worker, app, &options);
}

static int teardown(void **state)
{
    (void)state;
    client_close(&c);
    fa_worker_del(worker);
    fa_app_del(app);
    CHECK_U64(held, ==, 0);
    return 0;
}

#define GET(path) "GET " path " HTTP/1.1\r\nhost: x\r\n\r\n"
#define POST      "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello"

static const char *const exchanges[] = {
    GET("/small"),
    GET("/large"),
    GET("/stream"),
    GET("/held"),
    GET("/one") GET("/small") GET("/one") GET("/one"),
    "HEAD /held HTTP/1.1\r\nhost: x\r\n\r\n" GET("/small") GET("/held") GET("/stream")
        GET("/held"),
    GET("/small") GET("/small") POST GET("/small") GET("/small") GET("/nowhere") POST,
    GET("/small") GET("/large") GET("/small") GET("/stream") GET("/large") GET("/small"),
    GET("/stream") GET("/small") GET("/stream") GET("/stream") POST GET("/large"),
};

/* What a client gets for `text`, with the faults that are set. */
static void play(const char *text)
{
    int server_fd;

    client_close(&c);
    client_init(&c, &server_fd);
    faults.fd = c.fd;
    faults.calls = 0;
    CHECK_INT(fa_worker_adopt(worker, server_fd), ==, 0);
    CHECK(client_say(&c, worker, text));
    CHECK(client_say(&c, worker,
                     "GET /small HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
    for (int i = 0; i < 200000 && !c.ended; ++i)
        settle(worker, &c);
    CHECK(c.ended);
}

static void play_all(size_t most, int error, unsigned every)
{
    for (size_t i = 0; i < ARRAY_LEN(exchanges); ++i) {
        memset(&faults, 0, sizeof(faults));
        play(exchanges[i]);
        CHECK_U64(held, ==, 0);
        if (most != 0 && most < 100 && c.len > 300000)
            continue; /* a system call a byte: the smaller ones do */
        reference = c;
        faults.most = most;
        faults.error = error;
        faults.every = every;
        play(exchanges[i]);
        CHECK_U64(c.len, ==, reference.len);
        CHECK(memcmp(c.got, reference.got, c.len) == 0);
    }
}

static void test_short_writes(void **state)
{
    static const size_t sizes[] = {1, 2, 7, 100, 4095, 8191, 16384, 16385, 65535};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); ++i)
        play_all(sizes[i], 0, 0);
}

static void test_would_block(void **state)
{
    (void)state;
    for (unsigned every = 2; every < 6; ++every) {
        play_all(0, EAGAIN, every);
        play_all(1000, EAGAIN, every);
    }
}

static void test_interrupted(void **state)
{
    (void)state;
    for (unsigned every = 2; every < 6; ++every)
        play_all(5000, EINTR, every);
}

/* All is refused once, and taken the next time, before anybody could wait for it: the
   writer is told all the same. */
static void test_drained_at_once(void **state)
{
    (void)state;
    for (unsigned every = 2; every < 40; ++every)
        play_all(0, EAGAIN, every);
}

/* The connection breaks at each send in turn: the client has a prefix of the answers,
   and the server goes on for others. */
static void test_broken_at_each_send(void **state)
{
    static const int errors[] = {EPIPE, ECONNRESET, ETIMEDOUT, ENOBUFS, EIO};
    static const char text[] =
        GET("/small") GET("/held") GET("/stream") GET("/large") POST GET("/one");

    (void)state;
    play(text);
    reference = c;
    for (size_t i = 0; i < ARRAY_LEN(errors); ++i) {
        for (unsigned after = 1; after < 30; ++after) {
            int server_fd;

            memset(&faults, 0, sizeof(faults));
            client_close(&c);
            client_init(&c, &server_fd);
            faults.fd = c.fd;
            faults.most = 10000;
            faults.error = errors[i];
            faults.drop_after = after;
            CHECK_INT(fa_worker_adopt(worker, server_fd), ==, 0);
            (void)client_say(&c, worker, text);
            settle(worker, &c);
            CHECK(c.ended);
            CHECK_U64(c.len, <=, reference.len);
            CHECK(memcmp(c.got, reference.got, c.len) == 0);
            CHECK_U64(fa_worker_connections(worker), ==, 0);
            CHECK_U64(held, ==, 0);
        }
    }
    memset(&faults, 0, sizeof(faults));
    play(text);
    CHECK_U64(c.len, ==, reference.len);
}

/* A limit of 0 means that nothing may wait unsent, not that nothing is sent. */
static void test_no_pending_allowed(void **state)
{
    fa_server_options options = quiet_options();

    (void)state;
    play(exchanges[7]);
    reference = c;
    fa_worker_del(worker);
    options.limits.max_pending_bytes = 0;
    CHECK_INT(fa_worker_new(&worker, app, &options), ==, 0);
    play(exchanges[7]);
    CHECK_U64(c.len, ==, reference.len);
    faults.most = 1000;
    play(exchanges[7]);
    CHECK_U64(c.len, ==, reference.len);
    CHECK(memcmp(c.got, reference.got, c.len) == 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_short_writes),        TEST(test_would_block),
        TEST(test_interrupted),         TEST(test_drained_at_once),
        TEST(test_broken_at_each_send), TEST(test_no_pending_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
