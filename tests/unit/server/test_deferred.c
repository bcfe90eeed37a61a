/* Handles on requests, used from other threads, late, twice, or not at all. */
#include "serving.h"

#include <pthread.h>
#include <stdatomic.h>

static fa_app *app;
static fa_worker *worker;
static client c;
static fa_deferred *handle;
static int ran, ran_without; /* calls of functions, with and without a request */
static char order[64];
static atomic_int failures; /* of calls from threads */

/* A literal as `user_data`, which is not const. */
static void *text_of(const char *text)
{
    union {
        const char *in;
        void *out;
    } u = {text};

    return u.out;
}

static int defer(fa_request *req, void *user_data)
{
    (void)user_data;
    handle = fa_request_defer(req);
    return handle != NULL ? 0 : FA_ERR_NOMEM;
}

static int start_and_defer(fa_request *req, void *user_data)
{
    int rv = fa_response_start(req, 200, -1);

    return rv != 0 ? rv : defer(req, user_data);
}

static void give_answer(fa_request *req, void *user_data)
{
    ++*(req != NULL ? &ran : &ran_without);
    if (req != NULL)
        (void)fa_respond(req, 200, FA_SLICE("text/plain"), fa_slice_of(user_data));
}

/* Leaves the request as it is. */
static void only_look(fa_request *req, void *user_data)
{
    (void)user_data;
    ++*(req != NULL ? &ran : &ran_without);
}

static void note(fa_request *req, void *user_data)
{
    (void)req;
    strncat(order, user_data, sizeof(order) - strlen(order) - 1);
}

static void write_piece(fa_request *req, void *user_data)
{
    if (req != NULL)
        (void)fa_response_write(req, fa_slice_of(user_data));
}

static void end(fa_request *req, void *user_data)
{
    (void)user_data;
    if (req != NULL)
        (void)fa_response_end(req);
}

static int setup(void **state)
{
    fa_server_options options = quiet_options();

    (void)state;
    app = fa_app_new(NULL);
    if (app == NULL || fa_app_route(app, FA_GET, "/", defer, NULL) != 0 ||
        fa_app_route(app, FA_GET, "/started", start_and_defer, NULL) != 0 ||
        fa_worker_new(&worker, app, &options) != 0)
        return -1;
    handle = NULL;
    ran = ran_without = 0;
    atomic_store(&failures, 0);
    order[0] = '\0';
    return client_connect(&c, worker);
}

static int teardown(void **state)
{
    (void)state;
    client_close(&c);
    fa_worker_del(worker);
    fa_app_del(app);
    return 0;
}

static void ask(const char *path)
{
    char text[128];

    c.len = 0;
    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nhost: x\r\n\r\n", path);
    CHECK(client_say(&c, worker, text));
    CHECK(handle != NULL);
}

static bool got(const char *text)
{
    return find_text(c.got, c.len, text) != NULL;
}

/* All that is said to a handle happens in that order, up to the answer. */
static void test_order(void **state)
{
    (void)state;
    ask("/");
    CHECK_INT(fa_deferred_run(handle, note, text_of("a")), ==, 0);
    CHECK_INT(fa_deferred_run(handle, note, text_of("b")), ==, 0);
    CHECK_INT(fa_deferred_run(handle, give_answer, text_of("first")), ==, 0);
    CHECK_INT(fa_deferred_run(handle, note, text_of("c")), ==, 0);
    CHECK_INT(fa_deferred_run(handle, give_answer, text_of("second")), ==, 0);
    fa_deferred_release(handle);
    settle(worker, &c);
    CHECK(got("\r\n\r\nfirst"));
    CHECK(!got("second"));
    CHECK(strcmp(order, "abc") == 0);
    CHECK_INT(ran, ==, 1);
    CHECK_INT(ran_without, ==, 1);
}

/* The last handle is let go without an answer: nobody can give one any more. */
static void test_let_go(void **state)
{
    (void)state;
    ask("/");
    fa_deferred_release(handle);
    settle(worker, &c);
    CHECK(got("HTTP/1.1 500 "));
    ask("/"); /* the connection goes on */
    CHECK_INT(fa_deferred_run(handle, give_answer, text_of("fine")), ==, 0);
    fa_deferred_release(handle);
    settle(worker, &c);
    CHECK(got("\r\n\r\nfine"));
}

/* The same when the last thing done was a call that did not answer. */
static void test_let_go_after_a_call(void **state)
{
    (void)state;
    ask("/");
    CHECK_INT(fa_deferred_run(handle, only_look, NULL), ==, 0);
    fa_deferred_release(handle);
    settle(worker, &c);
    CHECK_INT(ran, ==, 1);
    CHECK(got("HTTP/1.1 500 "));
}

/* An answer under way cannot become a 500: it breaks off. */
static void test_let_go_in_the_middle(void **state)
{
    (void)state;
    ask("/started");
    CHECK_INT(fa_deferred_run(handle, write_piece, text_of("half")), ==, 0);
    fa_deferred_release(handle);
    settle(worker, &c);
    CHECK(got("4\r\nhalf\r\n"));
    CHECK(!got("0\r\n\r\n"));
    CHECK(c.ended);
}

static void test_streamed(void **state)
{
    (void)state;
    ask("/started");
    CHECK_INT(fa_deferred_run(handle, write_piece, text_of("one")), ==, 0);
    settle(worker, &c);
    CHECK(got("3\r\none\r\n"));
    CHECK_INT(fa_deferred_run(handle, write_piece, text_of("two")), ==, 0);
    CHECK_INT(fa_deferred_run(handle, end, NULL), ==, 0);
    fa_deferred_release(handle);
    settle(worker, &c);
    CHECK(got("3\r\ntwo\r\n0\r\n\r\n"));
    CHECK(!c.ended);
}

static void test_several_handles(void **state)
{
    (void)state;
    ask("/");
    CHECK(fa_deferred_retain(handle) == handle);
    fa_deferred_release(handle);
    settle(worker, &c);
    CHECK_U64(c.len, ==, 0); /* somebody can still answer */
    CHECK_INT(fa_deferred_run(handle, give_answer, text_of("kept")), ==, 0);
    settle(worker, &c);
    CHECK(got("\r\n\r\nkept"));
    fa_deferred_release(handle);
}

static void test_client_gone(void **state)
{
    (void)state;
    ask("/");
    client_close(&c);
    while (fa_worker_connections(worker) > 0)
        (void)fa_worker_poll(worker, 10, 1);
    CHECK_INT(fa_deferred_run(handle, give_answer, text_of("nobody")), ==, 0);
    fa_deferred_release(handle);
    while (fa_worker_poll(worker, 0, 1) > 0)
        ;
    CHECK_INT(ran_without, ==, 1);
    CHECK_INT(ran, ==, 0);
}

/* What is under way when the worker ends runs once, without its request. */
static void test_worker_gone(void **state)
{
    (void)state;
    ask("/");
    CHECK_INT(fa_deferred_run(handle, give_answer, text_of("late")), ==, 0);
    fa_worker_del(worker);
    worker = NULL;
    CHECK_INT(ran_without, ==, 1);
    CHECK_INT(fa_deferred_run(handle, give_answer, text_of("later")), ==, FA_ERR_CLOSED);
    CHECK_INT(ran_without, ==, 1);
    fa_deferred_release(handle);
    client_read(&c);
    CHECK(c.ended);
}

/* Several threads at once with one handle: each call runs once, and one answers. */

enum { THREADS = 4, CALLS = 500 };

static void *run_many(void *arg)
{
    fa_deferred *d = arg;

    for (int i = 0; i < CALLS; ++i) {
        fa_deferred *own = fa_deferred_retain(d);

        if (fa_deferred_run(own, i == CALLS / 2 ? give_answer : only_look,
                            text_of("threads")) != 0)
            atomic_fetch_add(&failures, 1);
        fa_deferred_release(own);
    }
    fa_deferred_release(d);
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t threads[THREADS];
    int64_t end_at = now_ms() + 20000;

    (void)state;
    ask("/");
    for (int i = 0; i < THREADS; ++i)
        CHECK_INT(pthread_create(&threads[i], NULL, run_many, fa_deferred_retain(handle)),
                  ==, 0);
    fa_deferred_release(handle);
    while (ran + ran_without < THREADS * CALLS && now_ms() < end_at)
        (void)fa_worker_poll(worker, 5, 4);
    for (int i = 0; i < THREADS; ++i)
        pthread_join(threads[i], NULL);
    settle(worker, &c);
    CHECK_INT(ran + ran_without, ==, THREADS * CALLS);
    CHECK_INT(ran, >=, 1);
    CHECK_INT(atomic_load(&failures), ==, 0);
    CHECK(got("\r\n\r\nthreads"));
    CHECK(!got("500"));
}

/* Threads that lose the worker while they use their handles. */
static void test_threads_without_worker(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    ask("/");
    for (int i = 0; i < THREADS; ++i)
        CHECK_INT(pthread_create(&threads[i], NULL, run_many, fa_deferred_retain(handle)),
                  ==, 0);
    fa_deferred_release(handle);
    (void)fa_worker_poll(worker, 5, 4);
    fa_worker_del(worker);
    worker = NULL;
    for (int i = 0; i < THREADS; ++i)
        pthread_join(threads[i], NULL);
    CHECK_INT(ran + ran_without + atomic_load(&failures), ==, THREADS * CALLS);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_order),
        TEST(test_let_go),
        TEST(test_let_go_after_a_call),
        TEST(test_let_go_in_the_middle),
        TEST(test_streamed),
        TEST(test_several_handles),
        TEST(test_client_gone),
        TEST(test_worker_gone),
        TEST(test_threads),
        TEST(test_threads_without_worker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
