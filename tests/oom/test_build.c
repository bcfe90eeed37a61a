/* Building applications and starting servers while allocations fail: an error, nothing
   leaked, and the next attempt works. */
#include "serving.h"

#include "application.h"
#include "failing_alloc.h"

enum { MOST_CALLS = 100000 };

/* One attempt at everything; returns 0 or the library's error. */
typedef int attempt_fn(const fa_allocator *alloc);

static int attempt_app(const fa_allocator *alloc)
{
    application a;
    int rv = application_build(&a, alloc);

    if (rv == 0)
        application_free(&a);
    return rv;
}

static int attempt_worker(const fa_allocator *alloc)
{
    fa_server_options options = quiet_options();
    fa_worker *w = NULL;
    application a;
    int rv = application_build(&a, alloc);

    options.alloc = alloc;
    options.logger = NULL; /* the worker makes its own */
    options.limits.max_connections_per_address = 3;
    if (rv == 0) {
        rv = fa_worker_new(&w, a.app, &options);
        CHECK((rv == 0) == (w != NULL));
        fa_worker_del(w);
        application_free(&a);
    }
    return rv;
}

/* From the first call to the end of a run that is told to stop at once. */
static int attempt_server(const fa_allocator *alloc, unsigned threads)
{
    fa_server_options options = quiet_options();
    fa_server *server = NULL;
    application a;
    int rv = application_build(&a, alloc);

    if (rv != 0)
        return rv;
    options.alloc = alloc;
    options.threads = threads;
    options.handle_signals = false;
    rv = fa_server_new(&server, a.app, &options);
    if (rv == 0)
        rv = fa_server_listen(server, "127.0.0.1", 0);
    if (rv == 0) {
        fa_server_stop(server);
        rv = fa_server_run(server);
    }
    fa_server_del(server);
    application_free(&a);
    return rv;
}

static int attempt_single(const fa_allocator *alloc)
{
    return attempt_server(alloc, 1);
}

static int attempt_threads(const fa_allocator *alloc)
{
    return attempt_server(alloc, 2);
}

static void run_all(attempt_fn *attempt, bool from_on)
{
    for (uint64_t fail_at = 1; fail_at < MOST_CALLS; ++fail_at) {
        failing_alloc f;
        int rv;

        failing_alloc_init(&f, fail_at);
        f.fail_on = from_on;
        rv = attempt(&f.alloc);
        CHECK_INT(f.held, ==, 0);
        if (f.calls < fail_at) { /* none failed: that was the last */
            CHECK_INT(rv, ==, 0);
            CHECK_U64(fail_at, >, 3);
            return;
        }
        CHECK_INT(rv, ==, FA_ERR_NOMEM);
    }
    fail_msg("no end in sight");
}

static void test_app(void **state)
{
    (void)state;
    run_all(attempt_app, false);
    run_all(attempt_app, true);
}

static void test_worker(void **state)
{
    (void)state;
    run_all(attempt_worker, false);
    run_all(attempt_worker, true);
}

static void test_server(void **state)
{
    (void)state;
    run_all(attempt_single, false);
    run_all(attempt_single, true);
    run_all(attempt_threads, false);
    run_all(attempt_threads, true);
}

/* What failed in the middle has not happened: the same route can be registered again. */
static void test_route_again(void **state)
{
    (void)state;
    for (uint64_t fail_at = 1;; ++fail_at) {
        failing_alloc f;
        fa_app *app;
        uint64_t before;
        int rv;

        failing_alloc_init(&f, 0);
        app = fa_app_new(&f.alloc);
        CHECK(app != NULL);
        before = f.calls;
        f.fail_at = before + fail_at;
        rv = fa_app_route(app, FA_GET, "/a/{b:int}/c", (fa_handler *)abort, NULL);
        if (rv != 0) {
            CHECK_INT(rv, ==, FA_ERR_NOMEM);
            f.fail_at = 0;
            CHECK_INT(
                fa_app_route(app, FA_GET, "/a/{b:int}/c", (fa_handler *)abort, NULL), ==,
                0);
        }
        fa_app_del(app);
        CHECK_INT(f.held, ==, 0);
        if (rv == 0)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_app),
        cmocka_unit_test(test_worker),
        cmocka_unit_test(test_server),
        cmocka_unit_test(test_route_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
