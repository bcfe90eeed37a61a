#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/file.h"
#include "net/stream.h"

enum { BIG = 16 << 20 }; /* more than a socket holds */

static fa__file big_file(void)
{
    FILE *file = tmpfile();
    fa__file part;

    CHECK(file != NULL);
    CHECK_INT(ftruncate(fileno(file), BIG), ==, 0);
    CHECK_INT(fa__file_part(&part, fileno(file), 0, BIG), ==, 0);
    CHECK_INT(fa__file_dup(&part), ==, 0);
    CHECK_INT(fclose(file), ==, 0);
    return part;
}

/* Whoever sends waits in the call: it ends for what the peer does meanwhile. */
static void make_blocking_pair(int fds[2])
{
    CHECK_INT(fa__stream_pair(fds), ==, 0);
    for (int i = 0; i < 2; ++i)
        CHECK_INT(fcntl(fds[i], F_SETFL, fcntl(fds[i], F_GETFL) & ~O_NONBLOCK), ==, 0);
}

static void *take_a_byte_and_go(void *arg)
{
    const int *fd = arg;
    char byte;

    CHECK_INT(recv(*fd, &byte, 1, 0), ==, 1);
    fa__stream_close(*fd);
    return NULL;
}

/* The first pieces went out, a later one finds the peer gone: the call tells how much was
   sent, and no error. The signal of that later piece must not end the process. */
static void send_while_the_peer_goes(void)
{
    fa__file file = big_file();
    ptrdiff_t sent;
    pthread_t peer;
    int fds[2];

    make_blocking_pair(fds);
    CHECK_INT(pthread_create(&peer, NULL, take_a_byte_and_go, &fds[1]), ==, 0);
    sent = fa__file_send(&file, fds[0], BIG);
    CHECK_INT(pthread_join(peer, NULL), ==, 0);
    CHECK_INT(sent, >, 0);
    CHECK_INT(sent, <, BIG);
    CHECK_INT(file.offset, ==, sent);
    CHECK_INT(fa__file_send(&file, fds[0], BIG), ==, FA_ERR_CLOSED);
    fa__stream_close(fds[0]);
    fa__stream_close(file.fd);
}

static void test_peer_goes_in_the_middle(void **state)
{
    (void)state;
    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    send_while_the_peer_goes();
}

/* One that the application holds back, and has been sent, stays its own. */
static void test_a_signal_of_the_application(void **state)
{
    static const struct timespec at_once = {0, 0};
    sigset_t pipe_only, old, pending;

    (void)state;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    CHECK_INT(pthread_sigmask(SIG_BLOCK, &pipe_only, &old), ==, 0);
    send_while_the_peer_goes();
    CHECK_INT(sigpending(&pending), ==, 0);
    CHECK_INT(sigismember(&pending, SIGPIPE), ==, 0);

    CHECK_INT(raise(SIGPIPE), ==, 0);
    send_while_the_peer_goes();
    CHECK_INT(sigtimedwait(&pipe_only, NULL, &at_once), ==, SIGPIPE);
    CHECK_INT(pthread_sigmask(SIG_SETMASK, &old, NULL), ==, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peer_goes_in_the_middle),
        cmocka_unit_test(test_a_signal_of_the_application),
    };

    return cmocka_run_group_tests_name("net/file", tests, NULL, NULL);
}
