/* Routing in a table of 100 routes, such as a REST service of 14 resources has. */
#include <stdio.h>
#include <stdlib.h>

#include "micro.h"
#include "route/router.h"

enum {
    MAX_PATHS = 8,
};

static const char *const resources[] = {
    "users",         "items",    "orders",   "products", "carts",
    "payments",      "invoices", "sessions", "messages", "projects",
    "notifications", "reports",  "teams",    "tags",
};

static void add(fa__router *router, const char *method, const char *pattern)
{
    fa_slice m = fa_slice_of(method);

    if (fa__router_add(router, &m, 1, fa_slice_of(pattern), NULL, 0) != 0)
        abort();
}

static void add_format(fa__router *router, const char *method, const char *before,
                       const char *resource, const char *after)
{
    char pattern[128];

    snprintf(pattern, sizeof(pattern), "%s%s%s", before, resource, after);
    add(router, method, pattern);
}

/* 2 + 14 * 6 + 14 = 100 routes. */
static fa__router *make_table(void)
{
    fa__router *router;

    if (fa__router_new(&router, NULL) != 0)
        abort();
    add(router, "GET", "/");
    add(router, "GET", "/health");
    for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); ++i) {
        add_format(router, "GET", "/", resources[i], "");
        add_format(router, "POST", "/", resources[i], "");
        add_format(router, "GET", "/", resources[i], "/{id}");
        add_format(router, "PUT", "/", resources[i], "/{id}");
        add_format(router, "DELETE", "/", resources[i], "/{id}");
        add_format(router, "GET", "/", resources[i], "/{id}/history/{entry_id:int}");
    }
    add(router, "GET", "/users/{user_id}/orders/{order_id:int}");
    add(router, "GET", "/users/{user_id}/orders/{order_id:int}/lines/{line_id:int}");
    add(router, "GET", "/teams/{team}/projects/{project}/issues/{number:int}/comments");
    add(router, "GET", "/api/v1/search");
    add(router, "GET", "/api/v1/search/suggestions");
    add(router, "GET", "/api/v1/exchange/{base}-{quote}");
    add(router, "GET", "/api/v2/search");
    add(router, "GET", "/traces/{trace:uuid}");
    add(router, "GET", "/prices/{price:float}");
    add(router, "GET", "/files/{path:path}");
    add(router, "GET", "/files/{path:path}/versions");
    add(router, "GET", "/reports/{year:int}/{month:int}.csv");
    add(router, "GET", "/metrics");
    if (fa__router_mount(router, FA_SLICE("/static"), NULL, 0) != 0 ||
        fa__router_count(router) != 100 || fa__router_build(router) != 0)
        abort();
    return router;
}

/* Matches the paths in turn, `b->n` in all. */
static void match(fa__bench *b, bool redirect, fa__route_kind kind,
                  const char *const *paths)
{
    static fa__router *router; /* lives as long as the program */
    fa_slice slices[MAX_PATHS];
    fa__route_match m;
    size_t count = 0, at = 0;

    if (router == NULL)
        router = make_table();
    fa__router_redirect_slashes(router, redirect);
    for (; paths[count] != NULL; ++count) {
        slices[count] = fa_slice_of(paths[count]);
        if (fa__router_match(router, FA_GET, FA_SLICE("GET"), slices[count], &m) != kind)
            abort();
    }
    for (uint64_t i = 0; i < b->n; ++i) {
        fa__router_match(router, FA_GET, FA_SLICE("GET"), slices[at], &m);
        fa__bench_sink(&m);
        if (++at == count)
            at = 0;
    }
}

static void mix(fa__bench *b)
{
    static const char *const paths[] = {
        "/health",
        "/items/42",
        "/users/7f3a/orders/1001",
        "/notifications",
        "/products/espresso-machine",
        "/orders/5/history/3",
        "/api/v1/search/suggestions",
        NULL,
    };

    match(b, false, FA__ROUTE_FOUND, paths);
}

static void fixed(fa__bench *b)
{
    static const char *const paths[] = {"/health", NULL};

    match(b, false, FA__ROUTE_FOUND, paths);
}

static void one_param(fa__bench *b)
{
    static const char *const paths[] = {"/items/42", NULL};

    match(b, false, FA__ROUTE_FOUND, paths);
}

static void two_params(fa__bench *b)
{
    static const char *const paths[] = {"/users/7f3a/orders/1001", NULL};

    match(b, false, FA__ROUTE_FOUND, paths);
}

static void deep(fa__bench *b)
{
    static const char *const paths[] = {
        "/teams/core/projects/router/issues/1234/comments", NULL};

    match(b, false, FA__ROUTE_FOUND, paths);
}

static void mixed_segment(fa__bench *b)
{
    static const char *const paths[] = {"/api/v1/exchange/EUR-USD",
                                        "/reports/2026/11.csv", NULL};

    match(b, false, FA__ROUTE_FOUND, paths);
}

static void rest_of_path(fa__bench *b)
{
    static const char *const paths[] = {"/files/photos/2026/11/cat.jpeg", NULL};

    match(b, false, FA__ROUTE_FOUND, paths);
}

static void mounted(fa__bench *b)
{
    static const char *const paths[] = {"/static/css/site.css", NULL};

    match(b, false, FA__ROUTE_MOUNT, paths);
}

static void unknown(fa__bench *b)
{
    static const char *const paths[] = {"/wp-login.php", "/users/1/nothing", "/itemz",
                                        NULL};

    match(b, false, FA__ROUTE_NOT_FOUND, paths);
}

static void unknown_redirecting(fa__bench *b)
{
    static const char *const paths[] = {"/wp-login.php", "/users/1/nothing", "/itemz",
                                        NULL};

    match(b, true, FA__ROUTE_NOT_FOUND, paths);
}

const fa__bench_case fa__bench_route[] = {
    {"route/100 routes, mix of 7 paths", mix, 60},
    {"route/100 routes, /health", fixed, 60},
    {"route/100 routes, {id}", one_param, 60},
    {"route/100 routes, {id} and {id:int}", two_params, 60},
    {"route/100 routes, 4 levels, 3 parameters", deep, 0},
    {"route/100 routes, {a}-{b} and {n:int}.csv", mixed_segment, 0},
    {"route/100 routes, {path:path}", rest_of_path, 0},
    {"route/100 routes, mount", mounted, 60},
    {"route/100 routes, 404", unknown, 60},
    {"route/100 routes, 404 after trying the slash", unknown_redirecting, 0},
    {NULL, NULL, 0},
};
