#include "check.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/stream.h"

static void make_pair(int fds[2])
{
    CHECK_INT(fa__stream_pair(fds), ==, 0);
    for (int i = 0; i < 2; ++i) {
        CHECK((fcntl(fds[i], F_GETFL) & O_NONBLOCK) != 0);
        CHECK((fcntl(fds[i], F_GETFD) & FD_CLOEXEC) != 0);
    }
}

static void test_read_and_write(void **state)
{
    char in[16];
    int fds[2];

    (void)state;
    make_pair(fds);
    CHECK_INT(fa__stream_read(fds[1], in, sizeof(in)), ==, FA__ERR_WOULD_BLOCK);
    CHECK_INT(fa__stream_write(fds[0], "hello", 5), ==, 5);
    CHECK_INT(fa__stream_read(fds[1], in, sizeof(in)), ==, 5);
    CHECK(memcmp(in, "hello", 5) == 0);
    CHECK_INT(fa__stream_write(fds[0], "bye", 3), ==, 3);
    CHECK_INT(fa__stream_shutdown(fds[0]), ==, 0);
    CHECK_INT(fa__stream_read(fds[1], in, 2), ==, 2);
    CHECK_INT(fa__stream_read(fds[1], in, sizeof(in)), ==, 1);
    CHECK_INT(fa__stream_read(fds[1], in, sizeof(in)), ==, 0);
    CHECK_INT(fa__stream_write(fds[1], "still", 5), ==, 5); /* the other way is open */
    CHECK_INT(fa__stream_read(fds[0], in, sizeof(in)), ==, 5);
    fa__stream_close(fds[0]);
    fa__stream_close(fds[1]);
}

static void test_writev(void **state)
{
    const char *const parts[] = {"one ", "", "two ", "three"};
    struct iovec vectors[4];
    char in[32];
    int fds[2];

    (void)state;
    make_pair(fds);
    for (size_t i = 0; i < 4; ++i)
        vectors[i] = (struct iovec){strdup(parts[i]), strlen(parts[i])};
    CHECK_INT(fa__stream_writev(fds[0], vectors, 4), ==, 13);
    CHECK_INT(fa__stream_read(fds[1], in, sizeof(in)), ==, 13);
    CHECK_SLICE(((fa_slice){in, 13}), "one two three");
    for (size_t i = 0; i < 4; ++i)
        free(vectors[i].iov_base);
    fa__stream_close(fds[0]);
    fa__stream_close(fds[1]);
}

/* What a full socket did not take is told, and arrives once there is room. */
static void test_full_socket(void **state)
{
    static char out[1 << 16], in[1 << 16];
    size_t sent = 0, got = 0;
    ptrdiff_t n;
    int fds[2];

    (void)state;
    make_pair(fds);
    while ((n = fa__stream_write(fds[0], out, sizeof(out))) > 0)
        sent += (size_t)n;
    CHECK_INT(n, ==, FA__ERR_WOULD_BLOCK);
    CHECK_U64(sent, >, 0);
    while ((n = fa__stream_read(fds[1], in, sizeof(in))) > 0)
        got += (size_t)n;
    CHECK_INT(n, ==, FA__ERR_WOULD_BLOCK);
    CHECK_U64(got, ==, sent);
    CHECK_INT(fa__stream_write(fds[0], out, 1), ==, 1);
    fa__stream_close(fds[0]);
    fa__stream_close(fds[1]);
}

/* SIGPIPE has its default action: raising it would end the test. */
static void test_peer_gone(void **state)
{
    struct iovec vector;
    char byte = 'x', in[4];
    int fds[2];

    (void)state;
    make_pair(fds);
    vector = (struct iovec){&byte, 1};
    CHECK_INT(fa__stream_write(fds[1], "unread", 6), ==, 6);
    fa__stream_close(fds[0]); /* with unread data: a reset */
    CHECK_INT(fa__stream_write(fds[1], "x", 1), ==, FA_ERR_CLOSED);
    CHECK_INT(fa__stream_writev(fds[1], &vector, 1), ==, FA_ERR_CLOSED);
    CHECK_INT(fa__stream_read(fds[1], in, sizeof(in)), ==, FA_ERR_CLOSED);
    CHECK_INT(fa__stream_read(fds[1], in, sizeof(in)), ==, 0);
    fa__stream_close(fds[1]);
}

static void test_bad_descriptor(void **state)
{
    char in[4];

    (void)state;
    CHECK_INT(fa__stream_read(-1, in, sizeof(in)), ==, FA_ERR_SYSTEM);
    CHECK_INT(fa__stream_write(-1, in, sizeof(in)), ==, FA_ERR_SYSTEM);
    CHECK_INT(fa__stream_shutdown(-1), ==, FA_ERR_SYSTEM);
    CHECK_INT(fa__stream_prepare(-1), ==, FA_ERR_SYSTEM);
}

static void test_shutdown_of_unconnected(void **state)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    CHECK(fd >= 0);
    CHECK_INT(fa__stream_shutdown(fd), ==, FA_ERR_CLOSED);
    fa__stream_close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_and_write),
        cmocka_unit_test(test_writev),
        cmocka_unit_test(test_full_socket),
        cmocka_unit_test(test_peer_gone),
        cmocka_unit_test(test_bad_descriptor),
        cmocka_unit_test(test_shutdown_of_unconnected),
    };

    return cmocka_run_group_tests_name("net/stream", tests, NULL, NULL);
}
