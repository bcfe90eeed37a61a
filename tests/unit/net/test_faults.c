/* System calls that fail in ways a real socket shows too seldom: the linker sends
   them through the functions here (-Wl,--wrap). */
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/listener.h"

int __real_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
ssize_t __real_recv(int fd, void *p, size_t n, int flags);
ssize_t __wrap_recv(int fd, void *p, size_t n, int flags);
ssize_t __real_send(int fd, const void *p, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *p, size_t n, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
int __real_close(int fd);
int __wrap_close(int fd);
int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *length);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *length);
int __real_listen(int fd, int backlog);
int __wrap_listen(int fd, int backlog);

int __real_getaddrinfo(const char *name, const char *service,
                       const struct addrinfo *hints, struct addrinfo **out);
int __wrap_getaddrinfo(const char *name, const char *service,
                       const struct addrinfo *hints, struct addrinfo **out);

/* The next `count` wrapped calls fail with `error`. */
static struct {
    int error, count;
    int calls;
    int closes;  /* not counted in `calls`, and really done */
    size_t most; /* bytes that one send takes; 0: no bound */
} faults;

static void fail_next(int count, int error)
{
    faults.error = error;
    faults.count = count;
    faults.calls = 0;
    faults.closes = 0;
    faults.most = 0;
}

static bool fails(void)
{
    ++faults.calls;
    if (faults.count == 0)
        return false;
    --faults.count;
    errno = faults.error;
    return true;
}

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    return fails() ? -1 : __real_accept4(fd, address, length, flags);
}

ssize_t __wrap_recv(int fd, void *p, size_t n, int flags)
{
    return fails() ? -1 : __real_recv(fd, p, n, flags);
}

ssize_t __wrap_send(int fd, const void *p, size_t n, int flags)
{
    if (faults.most != 0 && n > faults.most)
        n = faults.most;
    return fails() ? -1 : __real_send(fd, p, n, flags);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct msghdr first = *message;

    if (faults.most != 0)
        first.msg_iovlen = 1;
    return fails() ? -1 : __real_sendmsg(fd, &first, flags);
}

int __wrap_close(int fd)
{
    ++faults.closes;
    (void)__real_close(fd);
    errno = EINTR; /* Linux has closed it all the same */
    return -1;
}

/* The system's choice, as long as nobody has made another. */
static const char *congestion;

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
    int rv = __real_getsockopt(fd, level, name, value, length);

    if (congestion == NULL || level != IPPROTO_TCP || name != TCP_CONGESTION)
        return rv;
    *length = (socklen_t)strlen(congestion);
    memcpy(value, congestion, *length);
    return 0;
}

int __wrap_listen(int fd, int backlog)
{
    return fails() ? -1 : __real_listen(fd, backlog);
}

static void test_interrupted(void **state)
{
    struct iovec vector;
    char out[2] = {'a', 'b'}, in[8];
    int fds[2];

    (void)state;
    fail_next(0, 0);
    CHECK_INT(fa__stream_pair(fds), ==, 0);
    fail_next(3, EINTR);
    CHECK_INT(fa__stream_write(fds[0], out, 2), ==, 2);
    CHECK_INT(faults.calls, ==, 4);
    vector = (struct iovec){out, 2};
    fail_next(3, EINTR);
    CHECK_INT(fa__stream_writev(fds[0], &vector, 1), ==, 2);
    CHECK_INT(faults.calls, ==, 4);
    fail_next(3, EINTR);
    CHECK_INT(fa__stream_read(fds[1], in, sizeof(in)), ==, 4);
    CHECK_INT(faults.calls, ==, 4);
    /* close() is never repeated: the number may be somebody else's by then. */
    fail_next(0, 0);
    fa__stream_close(fds[0]);
    CHECK_INT(faults.closes, ==, 1);
    fa__stream_close(fds[1]);
}

static void test_short_writes(void **state)
{
    struct iovec vectors[2];
    char one[] = "one", two[] = "two", in[8];
    int fds[2];

    (void)state;
    fail_next(0, 0);
    CHECK_INT(fa__stream_pair(fds), ==, 0);
    faults.most = 3;
    CHECK_INT(fa__stream_write(fds[0], "abcdef", 6), ==, 3);
    CHECK_INT(fa__stream_read(fds[1], in, sizeof(in)), ==, 3);
    vectors[0] = (struct iovec){one, 3};
    vectors[1] = (struct iovec){two, 3};
    CHECK_INT(fa__stream_writev(fds[0], vectors, 2), ==, 3);
    CHECK_INT(fa__stream_read(fds[1], in, sizeof(in)), ==, 3);
    CHECK(memcmp(in, "one", 3) == 0);
    fa__stream_close(fds[0]);
    fa__stream_close(fds[1]);
}

static void test_stream_errors(void **state)
{
    static const struct {
        int error, rv;
    } cases[] = {
        {EAGAIN, FA__ERR_WOULD_BLOCK}, {ECONNRESET, FA_ERR_CLOSED},
        {EPIPE, FA_ERR_CLOSED},        {ETIMEDOUT, FA_ERR_CLOSED},
        {EHOSTUNREACH, FA_ERR_CLOSED}, {ENOMEM, FA_ERR_NOMEM},
        {ENOBUFS, FA_ERR_NOMEM},       {EIO, FA_ERR_SYSTEM},
    };
    char byte = 'x';
    struct iovec vector = {&byte, 1};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fail_next(3, cases[i].error);
        CHECK_INT(fa__stream_read(-1, &byte, 1), ==, cases[i].rv);
        CHECK_INT(fa__stream_write(-1, &byte, 1), ==, cases[i].rv);
        CHECK_INT(fa__stream_writev(-1, &vector, 1), ==, cases[i].rv);
        CHECK_INT(faults.calls, ==, 3);
        CHECK_INT(errno, ==, cases[i].error);
    }
}

static void test_accept_errors(void **state)
{
    static const struct {
        int error, rv;
    } cases[] = {
        {EAGAIN, FA__ERR_WOULD_BLOCK}, {EMFILE, FA_ERR_LIMIT},
        {ENFILE, FA_ERR_LIMIT},        {ENOBUFS, FA_ERR_NOMEM},
        {ENOMEM, FA_ERR_NOMEM},        {ECONNABORTED, FA_ERR_CLOSED},
        {EPROTO, FA_ERR_CLOSED},       {EPERM, FA_ERR_CLOSED},
        {ENETDOWN, FA_ERR_CLOSED},     {EBADF, FA_ERR_SYSTEM},
        {EINVAL, FA_ERR_SYSTEM},
    };
    fa__listener listener = {.fd = -1, .family = AF_INET};
    int fd = 7;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fail_next(1, cases[i].error);
        CHECK_INT(fa__listener_accept(&fd, NULL, &listener), ==, cases[i].rv);
        CHECK_INT(faults.calls, ==, 1);
        CHECK_INT(fd, ==, 7);
    }
    fail_next(2, EINTR);
    CHECK_INT(fa__listener_accept(&fd, NULL, &listener), ==, FA_ERR_SYSTEM);
    CHECK_INT(faults.calls, ==, 3);
}

/* A failure half way closes what was opened, and errno survives the closing. */
static void test_listen_fails(void **state)
{
    fa__listener listener = {.fd = -7};

    (void)state;
    fail_next(1, ENOTSUP);
    CHECK_INT(fa__listener_tcp(&listener, 1, FA_SLICE("127.0.0.1"), 0, NULL), ==,
              FA_ERR_SYSTEM);
    CHECK_INT(errno, ==, ENOTSUP);
    CHECK_INT(faults.closes, ==, 1);
    CHECK_INT(listener.fd, ==, -7);
}

/* What the hosts file says of "many.test"; the last is nobody's (RFC 5737). */
static const char *const many[] = {"127.0.0.1", "192.0.2.1", "127.0.0.1", "127.0.0.2"};

int __wrap_getaddrinfo(const char *name, const char *service,
                       const struct addrinfo *hints, struct addrinfo **out)
{
    struct addrinfo **end = out;

    if (name == NULL || strcmp(name, "many.test") != 0)
        return __real_getaddrinfo(name, service, hints, out);
    for (size_t i = 0; i < ARRAY_LEN(many); ++i) {
        if (__real_getaddrinfo(many[i], service, hints, end) != 0)
            abort();
        while (*end != NULL)
            end = &(*end)->ai_next;
    }
    return 0;
}

static uint16_t port_of(const fa__listener *listener)
{
    fa__address address;

    CHECK_INT(fa__address_local(&address, listener->fd), ==, 0);
    return fa__address_port(&address);
}

/* All that this machine has, each once, on one port; or none. */
static void test_all_addresses_of_a_name(void **state)
{
    fa_slice name = FA_SLICE("many.test");
    fa__listener listeners[4], taken;
    uint16_t port;

    (void)state;
    fail_next(0, 0);
    CHECK_INT(fa__listener_tcp(listeners, 4, name, 0, NULL), ==, 2);
    port = port_of(&listeners[0]);
    CHECK_INT(port_of(&listeners[1]), ==, port);
    fa__listener_close(&listeners[0]);
    /* The second is in use still. */
    taken = listeners[1];
    CHECK_INT(fa__listener_tcp(listeners, 4, name, port, NULL), ==, FA_ERR_SYSTEM);
    CHECK_INT(errno, ==, EADDRINUSE);
    fa__listener_close(&taken);
    CHECK_INT(fa__listener_tcp(listeners, 1, name, port, NULL), ==, FA_ERR_LIMIT);
    CHECK_INT(fa__listener_tcp(listeners, 4, name, port, NULL), ==, 2);
    fa__listener_close(&listeners[0]);
    fa__listener_close(&listeners[1]);
    CHECK_INT(fa__listener_tcp(listeners, 4, FA_SLICE("192.0.2.1"), 0, NULL), ==,
              FA_ERR_SYSTEM);
    CHECK_INT(errno, ==, EADDRNOTAVAIL);
}

static void check_congestion(int fd, const char *wanted)
{
    char name[16] = "";
    socklen_t length = sizeof(name);

    CHECK_INT(__real_getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length), ==, 0);
    CHECK_SLICE(fa_slice_of(name), wanted);
}

/* BBR is set aside on loopback, whichever address it is, and only there. */
static void test_pacing(void **state)
{
    static const struct {
        const char *host, *choice;
        bool changes;
    } cases[] = {
        {"127.0.0.1", "bbr", true}, {"127.8.9.10", "bbr", true},   {"::1", "bbr", true},
        {"0.0.0.0", "bbr", false},  {"127.0.0.1", "cubic", false}, {"::", "bbr", false},
    };

    (void)state;
    fail_next(0, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        char before[16] = "";
        socklen_t length = sizeof(before);
        fa__listener listener;
        bool six = strchr(cases[i].host, ':') != NULL;
        int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
        ptrdiff_t rv;

        if (six && fd < 0)
            continue; /* no IPv6 here */
        CHECK_INT(__real_getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, before, &length), ==,
                  0);
        (void)__real_close(fd);
        congestion = cases[i].choice;
        rv = fa__listener_tcp(&listener, 1, fa_slice_of(cases[i].host), 0, NULL);
        if (six && rv == FA_ERR_SYSTEM)
            continue; /* no address of it */
        CHECK_INT(rv, ==, 1);
        check_congestion(listener.fd, cases[i].changes ? "reno" : before);
        fa__listener_close(&listener);
    }
    congestion = NULL;
}

static void test_unix_listen_fails(void **state)
{
    char path[64];
    fa__listener listener = {.fd = -7};

    (void)state;
    snprintf(path, sizeof(path), "/tmp/fa-faults-%ld", (long)getpid());
    fail_next(1, ENOTSUP);
    CHECK_INT(fa__listener_unix(&listener, fa_slice_of(path), 0600, NULL), ==,
              FA_ERR_SYSTEM);
    CHECK_INT(errno, ==, ENOTSUP);
    CHECK_INT(faults.closes, ==, 1);
    CHECK_INT(access(path, F_OK), !=, 0); /* no file is left behind */
    CHECK_INT(listener.fd, ==, -7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_short_writes),
        cmocka_unit_test(test_stream_errors),
        cmocka_unit_test(test_accept_errors),
        cmocka_unit_test(test_all_addresses_of_a_name),
        cmocka_unit_test(test_listen_fails),
        cmocka_unit_test(test_unix_listen_fails),
        cmocka_unit_test(test_pacing),
    };

    return cmocka_run_group_tests_name("net/faults", tests, NULL, NULL);
}
