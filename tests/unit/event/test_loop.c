#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fasterapi/error.h>

#include "event/loop.h"

typedef struct watched {
    fa__io io; /* first */
    unsigned ready;
    int calls;
    fa__io *remove; /* taken out of the loop by the callback */
} watched;

static fa__loop *loop;

static void on_ready(fa__io *io, unsigned ready)
{
    watched *w = (watched *)io;

    w->ready = ready;
    ++w->calls;
    if (w->remove != NULL)
        fa__loop_remove(loop, w->remove);
}

static int setup(void **state)
{
    fa__loop_options options = {.timers_in_fd = true};

    (void)state;
    return fa__loop_new(&loop, &options);
}

static int teardown(void **state)
{
    (void)state;
    fa__loop_del(loop);
    return 0;
}

static void test_readiness(void **state)
{
    int fds[2];
    watched w = {.io = {.fn = on_ready, .fd = -1}};

    (void)state;
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
    CHECK_INT(fa__loop_add(loop, &w.io, fds[0], FA__READABLE), ==, 0);
    CHECK_INT(fa__loop_poll(loop, 0), ==, 0);
    CHECK_INT(write(fds[1], "x", 1), ==, 1);
    CHECK_INT(fa__loop_poll(loop, 1000), ==, 1);
    CHECK_INT(w.ready, ==, FA__READABLE);
    CHECK_INT(fa__loop_poll(loop, 0), ==, 1); /* level-triggered: not read yet */
    CHECK_INT(fa__loop_modify(loop, &w.io, FA__WRITABLE), ==, 0);
    CHECK_INT(fa__loop_poll(loop, 0), ==, 1);
    CHECK_INT(w.ready, ==, FA__WRITABLE);
    CHECK_INT(fa__loop_modify(loop, &w.io, 0), ==, 0);
    close(fds[1]);
    CHECK_INT(fa__loop_poll(loop, 0), ==, 0); /* watches nothing: no hang-up either */
    CHECK_INT(fa__loop_modify(loop, &w.io, FA__READABLE), ==, 0);
    CHECK_INT(fa__loop_poll(loop, 0), ==, 1);
    CHECK(w.ready & FA__READABLE);
    fa__loop_remove(loop, &w.io);
    fa__loop_remove(loop, &w.io);
    CHECK_INT(fa__loop_poll(loop, 0), ==, 0);
    close(fds[0]);
}

/* Both are ready in one batch; whichever runs first removes the other. */
static void test_removed_within_a_batch(void **state)
{
    int a[2], b[2];
    watched wa = {.io = {.fn = on_ready, .fd = -1}}, wb = wa;

    (void)state;
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, a), ==, 0);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, b), ==, 0);
    wa.remove = &wb.io;
    wb.remove = &wa.io;
    CHECK_INT(fa__loop_add(loop, &wa.io, a[0], FA__READABLE), ==, 0);
    CHECK_INT(fa__loop_add(loop, &wb.io, b[0], FA__READABLE), ==, 0);
    CHECK_INT(write(a[1], "x", 1), ==, 1);
    CHECK_INT(write(b[1], "x", 1), ==, 1);
    CHECK_INT(fa__loop_poll(loop, 1000), ==, 2);
    CHECK_INT(wa.calls + wb.calls, ==, 1);
    fa__loop_remove(loop, &wa.io);
    fa__loop_remove(loop, &wb.io);
    for (int i = 0; i < 2; ++i) {
        close(a[i]);
        close(b[i]);
    }
}

static void on_wake(void *ctx)
{
    ++*(int *)ctx;
}

static void *wake_from_thread(void *arg)
{
    for (int i = 0; i < 1000; ++i)
        fa__loop_wake(arg);
    return NULL;
}

static void test_wake_from_another_thread(void **state)
{
    pthread_t thread;
    int woken = 0;

    (void)state;
    fa__loop_on_wake(loop, on_wake, &woken);
    CHECK_INT(pthread_create(&thread, NULL, wake_from_thread, loop), ==, 0);
    while (woken == 0)
        CHECK_INT(fa__loop_poll(loop, -1), >=, 0);
    pthread_join(thread, NULL);
    fa__loop_poll(loop, 0);
    CHECK_INT(fa__loop_poll(loop, 0), ==, 0); /* no wake-up is left over */
}

typedef struct timed {
    fa__timer timer;
    int fired;
} timed;

static void on_time(fa__timer *t)
{
    ++((timed *)t)->fired;
}

/* A foreign loop that watches only the descriptor sees a timer come due. */
static void test_timer_makes_the_descriptor_readable(void **state)
{
    timed t = {.fired = 0};
    struct pollfd p = {.fd = fa__loop_fd(loop), .events = POLLIN};

    (void)state;
    fa__timer_init(&t.timer, on_time);
    fa__timer_set(fa__loop_timers(loop), &t.timer, fa__loop_now(loop) + 30);
    CHECK_INT(fa__loop_poll(loop, 0), ==, 0); /* arms */
    while (t.fired == 0) {
        CHECK_INT(poll(&p, 1, 10000), ==, 1);
        CHECK_INT(fa__loop_poll(loop, 0), >=, 0);
    }
    CHECK_INT(poll(&p, 1, 0), ==, 0);
}

static void test_timer_bounds_the_wait(void **state)
{
    timed t = {.fired = 0};

    (void)state;
    fa__timer_init(&t.timer, on_time);
    fa__timer_set(fa__loop_timers(loop), &t.timer, fa__loop_now(loop) + 20);
    while (t.fired == 0)
        CHECK_INT(fa__loop_poll(loop, -1), >=, 0);
}

static void test_a_closed_descriptor_is_an_error(void **state)
{
    watched w = {.io = {.fn = on_ready, .fd = -1}};
    int fds[2];

    (void)state;
    CHECK_INT(pipe(fds), ==, 0);
    close(fds[0]);
    close(fds[1]);
    CHECK_INT(fa__loop_add(loop, &w.io, fds[0], FA__READABLE), ==, FA_ERR_SYSTEM);
    CHECK_INT(w.io.fd, ==, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_readiness, setup, teardown),
        cmocka_unit_test_setup_teardown(test_removed_within_a_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wake_from_another_thread, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timer_makes_the_descriptor_readable, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_timer_bounds_the_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_closed_descriptor_is_an_error, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
