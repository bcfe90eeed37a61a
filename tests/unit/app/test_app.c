/* Building an application: what is taken, what is refused, and every failing allocation.
 */
#include "fake.h"

static int handler(fa_request *req, void *user_data)
{
    (void)user_data;
    return fa_respond(req, 200, FA_SLICE("text/plain"), FA_SLICE("here"));
}

static void test_refused_routes(void **state)
{
    static const struct {
        const char *pattern;
        int rv;
    } cases[] = {
        {"/ok", 0},
        {"/ok/{id:int}/{rest:path}", 0},
        {"no-slash", FA_ERR_ROUTE_SYNTAX},
        {"/{unclosed", FA_ERR_ROUTE_SYNTAX},
        {"/{x:unknown}", FA_ERR_ROUTE_CONVERTOR},
        {"/{x}/{x}", FA_ERR_ROUTE_PARAMETER},
    };
    fa_app *app = fa_app_new(NULL);
    fa_route route = {.pattern = "/x", .methods = FA_METHOD_BIT(FA_GET)};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i)
        CHECK_INT(fa_app_route(app, FA_GET, cases[i].pattern, handler, NULL), ==,
                  cases[i].rv);
    CHECK_INT(fa_app_route(app, FA_METHOD_OTHER, "/x", handler, NULL), ==,
              FA_ERR_INVALID);
    CHECK_INT(fa_app_route(app, FA_GET, "/x", NULL, NULL), ==, FA_ERR_INVALID);
    CHECK_INT(fa_app_add_route(app, &route), ==, FA_ERR_INVALID); /* no handler */
    route.handler = handler;
    route.methods = 0;
    CHECK_INT(fa_app_add_route(app, &route), ==, FA_ERR_INVALID); /* no method */
    route.other_method = "NOT A TOKEN";
    CHECK_INT(fa_app_add_route(app, &route), ==, FA_ERR_METHOD);
    route.other_method = "BREW";
    CHECK_INT(fa_app_add_route(app, &route), ==, 0);
    CHECK_INT(fa_app_mount(app, "/self", app), ==, FA_ERR_INVALID);
    CHECK_INT(fa_app_mount(app, "/none", NULL), ==, FA_ERR_INVALID);
    fa_app_del(app);
    fa_app_del(NULL);
}

static void test_nothing_changes_once_served(void **state)
{
    static const fa_middleware m = {NULL, NULL, NULL, NULL};
    fa_app *app = fa_app_new(NULL), *sub = fa_app_new(NULL);

    (void)state;
    CHECK_INT(fa_app_mount(app, "/sub", sub), ==, 0);
    CHECK_INT(fa__app_serve(app), ==, 0);
    CHECK_INT(fa__app_serve(app), ==, 0); /* by another worker */
    for (int i = 0; i < 2; ++i) {
        fa_app *served = i == 0 ? app : sub;

        CHECK_INT(fa_app_route(served, FA_GET, "/x", handler, NULL), ==, FA_ERR_STATE);
        CHECK_INT(fa_app_use(served, &m), ==, FA_ERR_STATE);
        CHECK_INT(fa_app_mount(served, "/x", sub), ==, FA_ERR_STATE);
    }
    fa_app_del(app);
    fa_app_del(sub);
}

static void test_middleware_is_limited(void **state)
{
    static const fa_middleware m = {NULL, NULL, NULL, NULL};
    fa_app *app = fa_app_new(NULL);

    (void)state;
    for (int i = 0; i < FA__MIDDLEWARE_MAX; ++i)
        CHECK_INT(fa_app_use(app, &m), ==, 0);
    CHECK_INT(fa_app_use(app, &m), ==, FA_ERR_LIMIT);
    fa_app_del(app);
}

/* `n` applications, each mounted in the one before with `prefix`. */
static int serve_nested(int n, const char *prefix)
{
    fa_app *apps[FA__MOUNT_DEPTH_MAX + 1];
    int rv;

    for (int i = 0; i < n; ++i) {
        apps[i] = fa_app_new(NULL);
        CHECK(apps[i] != NULL);
        if (i > 0)
            CHECK_INT(fa_app_mount(apps[i - 1], prefix, apps[i]), ==, 0);
    }
    rv = fa__app_serve(apps[0]);
    for (int i = 0; i < n; ++i)
        fa_app_del(apps[i]);
    return rv;
}

static void test_mounts_are_limited(void **state)
{
    (void)state;
    CHECK_INT(serve_nested(FA__MOUNT_DEPTH_MAX, "/m"), ==, 0);
    CHECK_INT(serve_nested(FA__MOUNT_DEPTH_MAX + 1, "/m"), ==, FA_ERR_LIMIT);
}

static void test_applications_that_mount_each_other_are_refused(void **state)
{
    fa_app *a = fa_app_new(NULL), *b = fa_app_new(NULL);

    (void)state;
    CHECK_INT(fa_app_mount(a, "/b", b), ==, 0);
    CHECK_INT(fa_app_mount(b, "/a", a), ==, 0);
    CHECK_INT(fa__app_serve(a), ==, FA_ERR_LIMIT);
    fa_app_del(a);
    fa_app_del(b);
}

/* More parameters on the way than a request has room for. */
static void test_parameters_of_mounts_are_limited(void **state)
{
    char prefix[FA__ROUTE_MAX_PARAMS * 8 + 1] = "";
    size_t at = 0;

    (void)state;
    for (int i = 0; i < FA__ROUTE_MAX_PARAMS; ++i)
        at += (size_t)snprintf(prefix + at, sizeof(prefix) - at, "/{p%d}", i);
    CHECK_INT(serve_nested(3, prefix), ==, 0);
    CHECK_INT(serve_nested(4, prefix), ==, FA_ERR_LIMIT);
}

/* What a served application would do, without a request. */
static void test_find(void **state)
{
    fa_app *app = fa_app_new(NULL), *sub = fa_app_new(NULL);
    int first = 1, second = 2;
    fa_found found = {.count = 7};

    (void)state;
    CHECK_INT(fa_app_route(app, FA_GET, "/a/{x}/{rest:path}", handler, &first), ==, 0);
    CHECK_INT(fa_app_route(app, FA_POST, "/a/{x}", handler, &second), ==, 0);
    CHECK_INT(fa_app_mount(app, "/sub", sub), ==, 0);
    CHECK_INT(fa_app_find(app, FA_GET, FA_SLICE("/a/b"), &found), ==, 0);
    CHECK_INT(fa_app_find(app, FA_GET, FA_SLICE("/none"), &found), ==, 0);
    CHECK_INT(fa_app_find(app, FA_GET, FA_SLICE("/sub/x"), &found), ==, 0);
    CHECK_INT(fa_app_find(app, FA_METHOD_OTHER, FA_SLICE("/a/b"), &found), ==, 0);
    CHECK_INT(found.count, ==, 7);
    CHECK_INT(fa_app_find(app, FA_GET, FA_SLICE("/a/b/c/d"), &found), ==, 1);
    CHECK(found.user_data == &first);
    CHECK_INT(found.count, ==, 2);
    CHECK_SLICE(found.values[0], "b");
    CHECK_SLICE(found.values[1], "c/d");
    CHECK_INT(fa_app_find(app, FA_POST, FA_SLICE("/a/b"), &found), ==, 1);
    CHECK(found.user_data == &second);
    CHECK_INT(fa_app_route(app, FA_GET, "/later", handler, NULL), ==, FA_ERR_STATE);
    fa_app_del(app);
    fa_app_del(sub);
}

static int build(const fa_allocator *alloc)
{
    fa_app *app = fa_app_new(alloc), *sub = fa_app_new(alloc);
    int rv = app == NULL || sub == NULL ? FA_ERR_NOMEM : 0;

    if (rv == 0)
        rv = fa_app_route(sub, FA_POST, "/{a}/{b:int}", handler, NULL);
    if (rv == 0)
        rv = fa_app_route(app, FA_GET, "/x", handler, NULL);
    if (rv == 0)
        rv = fa_app_mount(app, "/sub/{c}", sub);
    if (rv == 0)
        rv = fa__app_serve(app);
    fa_app_del(app);
    fa_app_del(sub);
    return rv;
}

static void test_every_failing_allocation(void **state)
{
    uint64_t n = 1;

    (void)state;
    for (;; ++n) {
        failing_alloc f;
        int rv;

        failing_alloc_init(&f, n);
        rv = build(&f.alloc);
        CHECK_INT(f.held, ==, 0);
        if (f.calls < n) {
            CHECK_INT(rv, ==, 0);
            break;
        }
        CHECK_INT(rv, ==, FA_ERR_NOMEM);
    }
    CHECK_INT(n, >, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_routes),
        cmocka_unit_test(test_nothing_changes_once_served),
        cmocka_unit_test(test_middleware_is_limited),
        cmocka_unit_test(test_mounts_are_limited),
        cmocka_unit_test(test_applications_that_mount_each_other_are_refused),
        cmocka_unit_test(test_parameters_of_mounts_are_limited),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_every_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
