#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/listener.h"

static bool have_ipv6;

static int find_ipv6(void **state)
{
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6,
                                    .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);

    (void)state;
    have_ipv6 = fd >= 0 && bind(fd, (struct sockaddr *)&loopback, sizeof(loopback)) == 0;
    if (fd >= 0)
        close(fd);
    return 0;
}

/* A blocking client of `listener`. */
static int connect_to(const fa__listener *listener)
{
    fa__address address;
    int fd = socket(listener->family, SOCK_STREAM, 0);

    CHECK(fd >= 0);
    if (listener->family == AF_UNIX) {
        struct sockaddr_un un = {.sun_family = AF_UNIX};

        memcpy(un.sun_path, listener->path, sizeof(un.sun_path));
        CHECK_INT(connect(fd, (struct sockaddr *)&un, sizeof(un)), ==, 0);
        return fd;
    }
    CHECK_INT(fa__address_local(&address, listener->fd), ==, 0);
    CHECK_INT(connect(fd, &address.any, sizeof(address)), ==, 0);
    return fd;
}

static int accept_ready(int *fd, fa__address *peer, const fa__listener *listener)
{
    struct pollfd ready = {.fd = listener->fd, .events = POLLIN};

    CHECK_INT(poll(&ready, 1, 5000), ==, 1);
    return fa__listener_accept(fd, peer, listener);
}

static int int_option(int fd, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof(value);

    CHECK_INT(getsockopt(fd, level, name, &value, &length), ==, 0);
    return value;
}

static void check_address(const fa__address *address, const char *text, uint16_t port)
{
    char out[FA__ADDRESS_TEXT_MAX];

    CHECK_SLICE(fa__address_text(out, address), text);
    CHECK_INT(fa__address_port(address), ==, port);
}

/* A connection each way: options, addresses, bytes. */
static void check_serves(const fa__listener *listener, const char *text)
{
    fa__address peer, local, of_client;
    char in[8];
    int client, fd = -1;

    CHECK_INT(fa__listener_accept(&fd, NULL, listener), ==, FA__ERR_WOULD_BLOCK);
    CHECK_INT(fd, ==, -1);
    client = connect_to(listener);
    CHECK_INT(accept_ready(&fd, &peer, listener), ==, 0);
    CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    if (listener->family != AF_UNIX)
        CHECK_INT(int_option(fd, IPPROTO_TCP, TCP_NODELAY), ==, 1);
    CHECK_INT(fa__address_local(&of_client, client), ==, 0);
    check_address(&peer, text, fa__address_port(&of_client));
    CHECK_INT(fa__address_peer(&peer, fd), ==, 0);
    check_address(&peer, text, fa__address_port(&of_client));
    CHECK_INT(fa__address_local(&local, listener->fd), ==, 0);
    if (listener->family != AF_UNIX)
        CHECK_INT(fa__address_port(&local), >, 0);
    CHECK_INT(send(client, "ping", 4, 0), ==, 4);
    CHECK_INT(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 5000), ==, 1);
    CHECK_INT(fa__stream_read(fd, in, sizeof(in)), ==, 4);
    close(client);
    fa__stream_close(fd);
}

static void test_ipv4(void **state)
{
    fa__listener listener;

    (void)state;
    CHECK_INT(fa__listener_tcp(&listener, 1, FA_SLICE("127.0.0.1"), 0, NULL), ==, 1);
    CHECK_INT(listener.family, ==, AF_INET);
    CHECK((fcntl(listener.fd, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK_INT(int_option(listener.fd, SOL_SOCKET, SO_REUSEADDR), ==, 1);
    CHECK_INT(int_option(listener.fd, SOL_SOCKET, SO_REUSEPORT), ==, 0);
    check_serves(&listener, "127.0.0.1");
    fa__listener_close(&listener);
    CHECK_INT(listener.fd, ==, -1);
}

static void test_ipv6(void **state)
{
    fa__listener listener;

    (void)state;
    if (!have_ipv6)
        skip();
    CHECK_INT(fa__listener_tcp(&listener, 1, FA_SLICE("::1"), 0, NULL), ==, 1);
    CHECK_INT(listener.family, ==, AF_INET6);
    check_serves(&listener, "::1");
    fa__listener_close(&listener);
    CHECK_INT(fa__listener_tcp(&listener, 1, FA_SLICE("::"), 0,
                               &(fa__listen_options){.dual_stack = true}),
              ==, 1);
    CHECK_INT(int_option(listener.fd, IPPROTO_IPV6, IPV6_V6ONLY), ==, 0);
    fa__listener_close(&listener);
}

static void test_names(void **state)
{
    fa__listener listener = {.fd = -7}, some[4];
    char long_name[256];
    ptrdiff_t n;

    (void)state;
    CHECK_INT(fa__listener_tcp(&listener, 1, FA_SLICE("127.0.0.1\0x"), 0, NULL), ==,
              FA_ERR_INVALID);
    /* Too long for a name: the resolver, which may ask the network, is not called. */
    memset(long_name, 'x', sizeof(long_name));
    CHECK_INT(
        fa__listener_tcp(&listener, 1, (fa_slice){long_name, sizeof(long_name)}, 0, NULL),
        ==, FA_ERR_INVALID);
    CHECK_INT(listener.fd, ==, -7);
    n = fa__listener_tcp(some, ARRAY_LEN(some), FA_SLICE("localhost"), 0, NULL);
    CHECK_INT(n, >=, 1);
    while (n > 0)
        fa__listener_close(&some[--n]);
    CHECK_INT(fa__listener_tcp(&listener, 1, (fa_slice){NULL, 0}, 0, NULL), ==, 1);
    CHECK_INT(listener.family, ==, AF_INET);
    fa__listener_close(&listener);
}

static void test_port_in_use(void **state)
{
    fa__listen_options shared = {.reuse_port = true};
    fa__listener first, second;
    fa__address address;
    uint16_t port;

    (void)state;
    CHECK_INT(fa__listener_tcp(&first, 1, FA_SLICE("127.0.0.1"), 0, NULL), ==, 1);
    CHECK_INT(fa__address_local(&address, first.fd), ==, 0);
    port = fa__address_port(&address);
    CHECK_INT(fa__listener_tcp(&second, 1, FA_SLICE("127.0.0.1"), port, NULL), ==,
              FA_ERR_SYSTEM);
    CHECK_INT(errno, ==, EADDRINUSE);
    fa__listener_close(&first);

    CHECK_INT(fa__listener_tcp(&first, 1, FA_SLICE("127.0.0.1"), 0, &shared), ==, 1);
    CHECK_INT(fa__address_local(&address, first.fd), ==, 0);
    port = fa__address_port(&address);
    CHECK_INT(fa__listener_tcp(&second, 1, FA_SLICE("127.0.0.1"), port, &shared), ==, 1);
    fa__listener_close(&first);
    fa__listener_close(&second);
}

static char directory[64];

static fa_slice path_in(char *out, const char *name)
{
    return (fa_slice){out, (size_t)snprintf(out, 128, "%s/%s", directory, name)};
}

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/fa-net-XXXXXX");
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}

static void test_unix(void **state)
{
    fa__listener listener;
    struct stat st;
    char out[128];
    fa_slice path = path_in(out, "socket");

    (void)state;
    CHECK_INT(fa__listener_unix(&listener, path, 0640, NULL), ==, 0);
    CHECK_INT(stat(out, &st), ==, 0);
    CHECK_INT(st.st_mode & 0777, ==, 0640);
    check_serves(&listener, "");
    fa__listener_close(&listener);
    CHECK_INT(stat(out, &st), !=, 0);
}

static void test_unix_stale(void **state)
{
    fa__listener crashed, listener, third;
    struct stat st;
    char out[128];
    fa_slice path = path_in(out, "socket");
    int fd;

    (void)state;
    CHECK_INT(fa__listener_unix(&crashed, path, 0, NULL), ==, 0);
    close(crashed.fd); /* and the file stays */
    CHECK_INT(fa__listener_unix(&listener, path, 0, NULL), ==, 0);
    CHECK_INT(fa__listener_unix(&third, path, 0, NULL), ==, FA_ERR_SYSTEM);
    CHECK_INT(errno, ==, EADDRINUSE);
    CHECK_INT(accept_ready(&fd, NULL, &listener), ==, 0); /* third asked if we live */
    fa__stream_close(fd);
    check_serves(&listener, "");
    fa__listener_close(&listener);
    CHECK_INT(stat(out, &st), !=, 0);
}

/* A listener does not remove the file of one that has taken its place. */
static void test_unix_successor(void **state)
{
    fa__listener first, second;
    struct stat st;
    char out[128];
    fa_slice path = path_in(out, "socket");

    (void)state;
    CHECK_INT(fa__listener_unix(&first, path, 0, NULL), ==, 0);
    CHECK_INT(unlink(out), ==, 0);
    CHECK_INT(fa__listener_unix(&second, path, 0, NULL), ==, 0);
    fa__listener_close(&first);
    CHECK_INT(stat(out, &st), ==, 0);
    check_serves(&second, "");
    fa__listener_close(&second);
    CHECK_INT(stat(out, &st), !=, 0);
}

static void test_unix_refuses(void **state)
{
    fa__listener listener;
    struct stat st;
    char out[128], long_path[200];
    fa_slice path = path_in(out, "file");
    FILE *file = fopen(out, "w");

    (void)state;
    CHECK(file != NULL);
    fclose(file);
    CHECK_INT(fa__listener_unix(&listener, path, 0, NULL), ==, FA_ERR_SYSTEM);
    CHECK_INT(errno, ==, EADDRINUSE);
    CHECK_INT(stat(out, &st), ==, 0); /* an ordinary file is never removed */
    unlink(out);
    memset(long_path, 'x', sizeof(long_path));
    CHECK_INT(
        fa__listener_unix(&listener, (fa_slice){long_path, sizeof(long_path)}, 0, NULL),
        ==, FA_ERR_INVALID);
    CHECK_INT(fa__listener_unix(&listener, FA_SLICE(""), 0, NULL), ==, FA_ERR_INVALID);
    CHECK_INT(fa__listener_unix(&listener, FA_SLICE("\0abstract"), 0, NULL), ==,
              FA_ERR_INVALID);
    CHECK_INT(fa__listener_unix(&listener, FA_SLICE("/nowhere/at/all"), 0, NULL), ==,
              FA_ERR_SYSTEM);
    CHECK_INT(errno, ==, ENOENT);
}

static void test_adopt(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    fa__listener listener;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_INT(fa__listener_adopt(&listener, fd, NULL), ==, FA_ERR_INVALID); /* unbound */
    CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    CHECK_INT(fa__listener_adopt(&listener, fd, NULL), ==, 0); /* bound, not listening */
    CHECK_INT(listener.family, ==, AF_INET);
    check_serves(&listener, "127.0.0.1");
    CHECK_INT(fa__listener_adopt(&listener, fd, NULL), ==, 0); /* listening already */
    check_serves(&listener, "127.0.0.1");
    fa__listener_close(&listener);
}

static void test_adopt_unix(void **state)
{
    fa__listener made, adopted;
    struct stat st;
    char out[128];
    int fd;

    (void)state;
    CHECK_INT(fa__listener_unix(&made, path_in(out, "socket"), 0, NULL), ==, 0);
    CHECK_INT(fa__listener_adopt(&adopted, made.fd, NULL), ==, 0);
    CHECK_INT(adopted.family, ==, AF_UNIX);
    fd = connect_to(&made);
    CHECK_INT(fa__listener_accept(&made.fd, NULL, &adopted), ==, 0);
    close(fd);
    close(made.fd);
    fa__listener_close(&adopted);
    CHECK_INT(stat(out, &st), ==, 0); /* not ours to remove */
    unlink(out);
}

static void test_adopt_refuses(void **state)
{
    fa__listener listener;
    int fds[2], udp = socket(AF_INET, SOCK_DGRAM, 0);

    (void)state;
    CHECK_INT(fa__stream_pair(fds), ==, 0);
    CHECK_INT(fa__listener_adopt(&listener, fds[0], NULL), ==, FA_ERR_INVALID);
    CHECK_INT(fa__listener_adopt(&listener, udp, NULL), ==, FA_ERR_INVALID);
    CHECK_INT(fa__listener_adopt(&listener, -1, NULL), ==, FA_ERR_INVALID);
    CHECK_INT(fcntl(fds[0], F_GETFD), >=, 0); /* still the caller's, and open */
    close(fds[0]);
    close(fds[1]);
    close(udp);
}

/* A reset throws away what was sent, and the peer gets to know. */
static void test_abort(void **state)
{
    fa__listener listener;
    char in[4];
    int client, fd;

    (void)state;
    CHECK_INT(fa__listener_tcp(&listener, 1, FA_SLICE("127.0.0.1"), 0, NULL), ==, 1);
    client = connect_to(&listener);
    CHECK_INT(accept_ready(&fd, NULL, &listener), ==, 0);
    fa__stream_abort(fd);
    CHECK_INT(poll(&(struct pollfd){.fd = client, .events = POLLIN}, 1, 5000), ==, 1);
    CHECK_INT(fa__stream_read(client, in, sizeof(in)), ==, FA_ERR_CLOSED);
    close(client);
    fa__listener_close(&listener);
}

static void test_addresses(void **state)
{
    static const char *const ipv4[] = {"0.0.0.0", "1.22.100.9", "10.99.109.199",
                                       "127.0.0.1", "255.255.255.255"};
    fa__address address = {.in6 = {0}};

    (void)state;
    check_address(&address, "", 0);
    address.in.sin_family = AF_INET;
    address.in.sin_port = htons(80);
    for (size_t i = 0; i < ARRAY_LEN(ipv4); ++i) {
        CHECK_INT(inet_pton(AF_INET, ipv4[i], &address.in.sin_addr), ==, 1);
        check_address(&address, ipv4[i], 80);
    }
    address = (fa__address){.in6 = {0}};
    address.in6.sin6_family = AF_INET6;
    address.in6.sin6_port = htons(8000);
    CHECK_INT(inet_pton(AF_INET6, "2001:db8::1", &address.in6.sin6_addr), ==, 1);
    check_address(&address, "2001:db8::1", 8000);
    CHECK_INT(inet_pton(AF_INET6, "::ffff:10.0.0.1", &address.in6.sin6_addr), ==, 1);
    check_address(&address, "::ffff:10.0.0.1", 8000);
    CHECK_INT(inet_pton(AF_INET6, "fe80::1", &address.in6.sin6_addr), ==, 1);
    address.in6.sin6_scope_id = 1;
    check_address(&address, "fe80::1%lo", 8000);
    address.in6.sin6_scope_id = 0x7ffffff; /* of no interface */
    check_address(&address, "fe80::1", 8000);
    CHECK_INT(fa__address_peer(&address, -1), ==, FA_ERR_SYSTEM);
    check_address(&address, "fe80::1", 8000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipv4),
        cmocka_unit_test_setup(test_ipv6, find_ipv6),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_port_in_use),
        cmocka_unit_test_setup_teardown(test_unix, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(test_unix_stale, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(test_unix_successor, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(test_unix_refuses, make_directory,
                                        remove_directory),
        cmocka_unit_test(test_adopt),
        cmocka_unit_test_setup_teardown(test_adopt_unix, make_directory,
                                        remove_directory),
        cmocka_unit_test(test_adopt_refuses),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_addresses),
    };

    return cmocka_run_group_tests_name("net/listener", tests, NULL, NULL);
}
