#include "route/router.h"

#include "check.h"
#include "failing_alloc.h"

static const fa_slice get_post[] = {{"GET", 3}, {"POST", 4}};

static fa__router *new_router(void)
{
    fa__router *router;

    CHECK_INT(fa__router_new(&router, NULL), ==, 0);
    return router;
}

static fa__route_kind match(const fa__router *router, const char *path,
                            fa__route_match *out)
{
    return fa__router_match(router, FA_GET, FA_SLICE("GET"), fa_slice_of(path), out);
}

static void test_listing(void **state)
{
    fa__router *router = new_router();
    fa_slice pattern = exact_copy("/items/{id:int}"), method = exact_copy("BREW");
    fa_slice methods[] = {FA_SLICE("PUT"), method, FA_SLICE("GET"), FA_SLICE("PUT")};
    const fa__route *route;
    int value;

    (void)state;
    CHECK_INT(fa__router_add(router, methods, 4, pattern, &value, 0), ==, 0);
    CHECK_INT(fa__router_mount(router, FA_SLICE("/static//"), NULL, 0), ==, 0);
    CHECK_INT(fa__router_mount(router, FA_SLICE("/"), NULL, 0), ==, 0);
    CHECK_INT(fa__router_add(router, NULL, 0, FA_SLICE("/any"), NULL, 0), ==, 0);
    exact_free(pattern); /* all was copied */
    exact_free(method);
    CHECK_INT(fa__router_count(router), ==, 4);
    CHECK(fa__router_at(router, 4) == NULL);

    route = fa__router_at(router, 0);
    CHECK_SLICE(route->text, "/items/{id:int}");
    CHECK_SLICE(route->allow, "PUT, BREW, GET");
    CHECK_INT(route->method_count, ==, 3);
    CHECK_SLICE(route->methods[1], "BREW");
    CHECK_INT(route->method_bits, ==, 1 << FA_PUT | 1 << FA_METHOD_OTHER | 1 << FA_GET);
    CHECK_INT(route->param_count, ==, 1);
    CHECK_SLICE(route->pattern.params[0].name, "id");
    CHECK(route->value == &value);
    CHECK(!route->is_mount);

    route = fa__router_at(router, 1);
    CHECK_SLICE(route->text, "/static");
    CHECK_INT(route->param_count, ==, 0);
    CHECK(route->is_mount && route->methods == NULL);
    CHECK_SLICE(fa__router_at(router, 2)->text, "");
    CHECK(fa__router_at(router, 3)->methods == NULL);
    CHECK_SLICE(fa__router_at(router, 3)->allow, "");
    fa__router_del(router);
    fa__router_del(NULL);
}

static void test_errors(void **state)
{
    fa__router *router = new_router();
    fa_slice bad[] = {FA_SLICE("GET"), FA_SLICE("B AD")}, empty = {NULL, 0};

    (void)state;
    CHECK_INT(fa__router_add(router, bad, 1, empty, NULL, 0), ==, FA_ERR_ROUTE_SYNTAX);
    CHECK_INT(fa__router_add(router, bad, 2, FA_SLICE("/"), NULL, 0), ==, FA_ERR_METHOD);
    CHECK_INT(fa__router_add(router, &empty, 1, FA_SLICE("/"), NULL, 0), ==,
              FA_ERR_METHOD);
    CHECK_INT(fa__router_add(router, bad, 1, FA_SLICE("/{a:b}"), NULL, 0), ==,
              FA_ERR_ROUTE_CONVERTOR);
    CHECK_INT(fa__router_add(router, bad, 1, FA_SLICE("/{a}{a}"), NULL, 0), ==,
              FA_ERR_ROUTE_PARAMETER);
    CHECK_INT(fa__router_add(router, bad, 1, FA_SLICE("/{a"), NULL, 0), ==,
              FA_ERR_ROUTE_SYNTAX);
    CHECK_INT(fa__router_mount(router, FA_SLICE("/{a"), NULL, 0), ==,
              FA_ERR_ROUTE_SYNTAX);
    CHECK_INT(fa__router_mount(router, FA_SLICE("a"), NULL, 0), ==, FA_ERR_ROUTE_SYNTAX);
    CHECK_INT(fa__router_mount(router, FA_SLICE("/{path}"), NULL, 0), ==,
              FA_ERR_ROUTE_PARAMETER);
    CHECK_INT(fa__router_count(router), ==, 0);
    CHECK_INT(fa__router_mount(router, FA_SLICE("/{a"), NULL, FA__ROUTE_LOOSE_BRACES), ==,
              0);
    CHECK_INT(
        fa__router_add(router, bad, 1, FA_SLICE("/{a"), NULL, FA__ROUTE_LOOSE_BRACES), ==,
        0);
    CHECK_INT(fa__router_count(router), ==, 2);
    fa__router_del(router);
}

/* Sixteen parameters, for a mount as well, whose rest is one more. */
static void test_parameter_limit(void **state)
{
    fa__router *router = new_router();
    char sixteen[] =
        "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}/{j}/{k}/{l}/{m}/{n}/{o}/{p}/{q}";
    const char *path = "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/rest";
    fa__route_match m;

    (void)state;
    CHECK_INT(fa__router_add(router, NULL, 0, fa_slice_of(sixteen), NULL, 0), ==,
              FA_ERR_ROUTE_PARAMETER);
    CHECK_INT(fa__router_mount(router, fa_slice_of(sixteen), NULL, 0), ==,
              FA_ERR_ROUTE_PARAMETER);
    sixteen[strlen(sixteen) - 4] = '\0';
    CHECK_INT(fa__router_add(router, NULL, 0, fa_slice_of(sixteen), NULL, 0), ==, 0);
    CHECK_INT(fa__router_mount(router, fa_slice_of(sixteen), NULL, 0), ==, 0);
    CHECK_INT(fa__router_build(router), ==, 0);
    CHECK_INT(match(router, path, &m), ==, FA__ROUTE_MOUNT);
    CHECK_SLICE(m.values[15], "16");
    CHECK_SLICE(m.rest, "/rest");
    CHECK_INT(fa__router_match(router, FA_GET, FA_SLICE("GET"),
                               (fa_slice){path, strlen(path) - 5}, &m),
              ==, FA__ROUTE_FOUND);
    CHECK_SLICE(m.values[15], "16");
    fa__router_del(router);
}

/* Routes count from the next build on; building again is fine at any time. */
static void test_build(void **state)
{
    fa__router *router = new_router();
    fa__route_match m;

    (void)state;
    CHECK_INT(match(router, "/a", &m), ==, FA__ROUTE_NOT_FOUND);
    CHECK_INT(fa__router_build(router), ==, 0);
    CHECK_INT(match(router, "/a", &m), ==, FA__ROUTE_NOT_FOUND);
    CHECK_INT(fa__router_add(router, NULL, 0, FA_SLICE("/{x}"), NULL, 0), ==, 0);
    CHECK_INT(match(router, "/a", &m), ==, FA__ROUTE_NOT_FOUND);
    CHECK_INT(fa__router_build(router), ==, 0);
    CHECK_INT(match(router, "/a", &m), ==, FA__ROUTE_FOUND);
    CHECK_SLICE(fa__route_match_param(&m, FA_SLICE("x")), "a");
    CHECK(fa__route_match_param(&m, FA_SLICE("y")).p == NULL);
    CHECK_INT(fa__router_add(router, NULL, 0, FA_SLICE("/a/b"), NULL, 0), ==, 0);
    CHECK_INT(match(router, "/a/b", &m), ==, FA__ROUTE_NOT_FOUND);
    CHECK(fa__route_match_param(&m, FA_SLICE("x")).p == NULL);
    CHECK_INT(fa__router_build(router), ==, 0);
    CHECK_INT(match(router, "/a/b", &m), ==, FA__ROUTE_FOUND);
    fa__router_del(router);
}

/* Registers and builds, going on after each failure; 0 if nothing failed. */
static int fill(fa__router *router)
{
    static const char *const patterns[] = {"/a", "/a/{b}", "/{c:int}x",
                                           "/z", "/y",     "/x/{d:path}"};
    uint32_t before;
    int failure = 0, rv;

    for (size_t round = 0; round < 5; ++round) {
        for (size_t i = 0; i < ARRAY_LEN(patterns); ++i) {
            before = fa__router_count(router);
            rv = fa__router_add(router, get_post, 2, fa_slice_of(patterns[i]), NULL, 0);
            CHECK_INT(fa__router_count(router), ==, before + (rv == 0 ? 1 : 0));
            failure = rv != 0 ? rv : failure;
        }
        rv = fa__router_mount(router, FA_SLICE("/m/{n}"), NULL, 0);
        failure = rv != 0 ? rv : failure;
        rv = fa__router_build(router);
        failure = rv != 0 ? rv : failure;
    }
    return failure;
}

/* Whichever allocation fails: an error, nothing lost, and what was built still works. */
static void test_no_memory(void **state)
{
    uint64_t n = 0;
    int rv;

    (void)state;
    do {
        fa__router *router = NULL;
        failing_alloc f;
        fa__route_match m;

        failing_alloc_init(&f, ++n);
        rv = fa__router_new(&router, &f.alloc);
        if (rv == 0) {
            rv = fill(router);
            CHECK_INT(match(router, "/m/7/x", &m), ==, FA__ROUTE_MOUNT);
            CHECK_INT(match(router, "/x/7/x", &m), ==, FA__ROUTE_FOUND);
        }
        CHECK(rv == 0 || rv == FA_ERR_NOMEM);
        fa__router_del(router);
        CHECK_INT(f.held, ==, 0);
    } while (rv != 0);
    CHECK_U64(n, >, 40);
}

/* A build without memory leaves the tree of the build before. */
static void test_failed_build(void **state)
{
    fa__router *router;
    failing_alloc f;
    fa__route_match m;

    (void)state;
    failing_alloc_init(&f, 0);
    CHECK_INT(fa__router_new(&router, &f.alloc), ==, 0);
    CHECK_INT(fa__router_add(router, NULL, 0, FA_SLICE("/{x}"), NULL, 0), ==, 0);
    CHECK_INT(fa__router_build(router), ==, 0);
    CHECK_INT(fa__router_add(router, NULL, 0, FA_SLICE("/b/c"), NULL, 0), ==, 0);
    f.fail_at = f.calls + 1;
    f.fail_on = true;
    CHECK_INT(fa__router_build(router), ==, FA_ERR_NOMEM);
    CHECK_INT(match(router, "/a", &m), ==, FA__ROUTE_FOUND);
    CHECK_INT(match(router, "/b/c", &m), ==, FA__ROUTE_NOT_FOUND);
    fa__router_del(router);
    CHECK_INT(f.held, ==, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listing),         cmocka_unit_test(test_errors),
        cmocka_unit_test(test_parameter_limit), cmocka_unit_test(test_build),
        cmocka_unit_test(test_no_memory),       cmocka_unit_test(test_failed_build),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
