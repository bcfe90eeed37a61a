#include "check.h"

#include <pthread.h>

#include <fasterapi/error.h>

#include "failing_alloc.h"
#include "server/mailbox.h"

typedef struct parcel {
    fa__mail mail; /* first */
    unsigned sender, number;
} parcel;

enum { SENDERS = 4, EACH = 2000 };

static fa__loop *loop;
static fa__mailbox *box;
static unsigned received[SENDERS], total;
static bool in_order;

static void on_parcel(fa__mail *mail, void *worker)
{
    parcel *p = (parcel *)mail;

    CHECK(worker == &total);
    in_order = in_order && p->number == received[p->sender];
    ++received[p->sender];
    ++total;
    free(p);
}

static void on_wake(void *ctx)
{
    fa__mailbox_run(box, ctx);
}

static int setup(void **state)
{
    static const fa__loop_options options = {.alloc = NULL};

    (void)state;
    memset(received, 0, sizeof(received));
    total = 0;
    in_order = true;
    if (fa__loop_new(&loop, &options) != 0)
        return -1;
    box = fa__mailbox_new(&fa__malloc, loop);
    fa__loop_on_wake(loop, on_wake, &total);
    return box != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    fa__mailbox_release(box);
    fa__loop_del(loop);
    return 0;
}

static int post(unsigned sender, unsigned number)
{
    parcel *p = malloc(sizeof(*p));
    int rv;

    if (p == NULL)
        abort();
    *p = (parcel){{NULL, on_parcel}, sender, number};
    rv = fa__mailbox_post(box, &p->mail);
    if (rv != 0)
        free(p);
    return rv;
}

static void test_order(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; ++i)
        CHECK_INT(post(0, i), ==, 0);
    CHECK_U64(total, ==, 0);
    CHECK_INT(fa__loop_poll(loop, 1000), ==, 1); /* one wake-up for all of them */
    CHECK_U64(total, ==, 100);
    CHECK(in_order);
    CHECK_INT(fa__loop_poll(loop, 0), ==, 0);
    CHECK_INT(post(0, 100), ==, 0); /* and another one after that */
    CHECK_INT(fa__loop_poll(loop, 1000), ==, 1);
    CHECK_U64(total, ==, 101);
}

static void on_first(fa__mail *mail, void *worker)
{
    parcel *p = (parcel *)mail;

    (void)worker;
    ++total;
    if (p->number > 0) {
        --p->number;
        CHECK_INT(fa__mailbox_post(box, mail), ==, 0);
    } else {
        free(p);
    }
}

/* A letter that posts another does not keep the worker from its other work. */
static void test_post_while_running(void **state)
{
    parcel *p = malloc(sizeof(*p));

    (void)state;
    if (p == NULL)
        abort();
    *p = (parcel){{NULL, on_first}, 0, 3};
    CHECK_INT(fa__mailbox_post(box, &p->mail), ==, 0);
    for (unsigned i = 1; i <= 4; ++i) {
        CHECK_INT(fa__loop_poll(loop, 1000), ==, 1);
        CHECK_U64(total, ==, i);
    }
    CHECK_INT(fa__loop_poll(loop, 0), ==, 0);
}

static void test_close(void **state)
{
    (void)state;
    CHECK_INT(post(1, 0), ==, 0);
    fa__mailbox_close(box, &total);
    CHECK_U64(total, ==, 1);
    CHECK_INT(post(1, 1), ==, FA_ERR_CLOSED);
    CHECK_U64(total, ==, 1);
}

static void *send_all(void *arg)
{
    const unsigned *sender = arg;

    for (unsigned i = 0; i < EACH; ++i) {
        if (post(*sender, i) != 0)
            return arg;
    }
    return NULL;
}

static void test_threads(void **state)
{
    unsigned names[SENDERS];
    pthread_t threads[SENDERS];

    (void)state;
    for (unsigned i = 0; i < SENDERS; ++i) {
        names[i] = i;
        CHECK_INT(pthread_create(&threads[i], NULL, send_all, &names[i]), ==, 0);
    }
    while (total < SENDERS * EACH)
        CHECK_INT(fa__loop_poll(loop, 10000), ==, 1);
    for (unsigned i = 0; i < SENDERS; ++i) {
        void *failed;

        pthread_join(threads[i], &failed);
        CHECK(failed == NULL);
        CHECK_U64(received[i], ==, EACH);
    }
    CHECK(in_order);
}

static void test_memory(void **state)
{
    failing_alloc f;
    fa__mailbox *other;

    (void)state;
    failing_alloc_init(&f, 1);
    CHECK(fa__mailbox_new(&f.alloc, loop) == NULL);
    failing_alloc_init(&f, 0);
    other = fa__mailbox_new(&f.alloc, loop);
    CHECK(fa__mailbox_retain(other) == other);
    fa__mailbox_release(other);
    CHECK_INT(f.held, ==, 1);
    fa__mailbox_release(other);
    CHECK_INT(f.held, ==, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_order),  TEST(test_post_while_running),
        TEST(test_close),  TEST(test_threads),
        TEST(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
