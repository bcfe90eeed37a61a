#include "route/router.h"

#include <stdio.h>

#include "check.h"
#include "failing_alloc.h"

/* A line of a table: methods separated by spaces, "*" for any, "mount" for a mount. */
typedef struct line {
    const char *methods;
    const char *pattern;
} line;

static void add_line(fa__router *router, const line *l)
{
    fa_slice methods[8], rest = fa_slice_of(l->methods),
                         pattern = fa_slice_of(l->pattern);
    size_t n = 0;

    if (strcmp(l->methods, "mount") == 0) {
        CHECK_INT(fa__router_mount(router, pattern, NULL, 0), ==, 0);
        return;
    }
    while (rest.len > 0 && strcmp(l->methods, "*") != 0) {
        const char *space = memchr(rest.p, ' ', rest.len);
        size_t len = space != NULL ? (size_t)(space - rest.p) : rest.len;

        methods[n++] = (fa_slice){rest.p, len};
        len += space != NULL ? 1 : 0;
        rest = (fa_slice){rest.p + len, rest.len - len};
    }
    CHECK_INT(fa__router_add(router, methods, n, pattern, NULL, 0), ==, 0);
}

static fa__router *make(const line *lines, size_t count)
{
    fa__router *router;

    CHECK_INT(fa__router_new(&router, NULL), ==, 0);
    for (size_t i = 0; i < count; ++i)
        add_line(router, &lines[i]);
    CHECK_INT(fa__router_build(router), ==, 0);
    return router;
}

/* The answer as text: "found 3 a|b|", "mount 1 ROOT REST", "partial 2 ALLOW",
   "redirect LOCATION", "not found". No byte past the path can be read. */
static const char *answer(const fa__router *router, const char *method, fa_slice bytes)
{
    static char out[1024];
    fa_slice name = fa_slice_of(method), path = exact_bytes(bytes.p, bytes.len);
    fa__route_match m;
    size_t n = 0;
    fa__route_kind kind = fa__router_match(router, fa_method_of(name), name, path, &m);

    CHECK_INT(kind, ==, m.kind);
    CHECK((m.route == NULL) ==
          (kind == FA__ROUTE_NOT_FOUND || kind == FA__ROUTE_REDIRECT));
    if (kind == FA__ROUTE_NOT_FOUND)
        n = (size_t)sprintf(out, "not found");
    else if (kind == FA__ROUTE_REDIRECT)
        n = (size_t)sprintf(out, "redirect %.*s%s", (int)m.location.len, m.location.p,
                            m.append_slash ? "/" : "");
    else if (kind == FA__ROUTE_MOUNT)
        n = (size_t)sprintf(out, "mount %u %.*s %.*s", m.route->ordinal,
                            (int)m.root_path.len, m.root_path.p, (int)m.rest.len,
                            m.rest.p);
    else if (kind == FA__ROUTE_METHOD_NOT_ALLOWED)
        n = (size_t)sprintf(out, "partial %u %.*s", m.route->ordinal,
                            (int)m.route->allow.len, m.route->allow.p);
    else
        n = (size_t)sprintf(out, "found %u", m.route->ordinal);
    for (uint32_t i = 0; m.route != NULL && i < m.route->param_count; ++i)
        n += (size_t)sprintf(out + n, "%s%.*s", i == 0 ? " " : "|", (int)m.values[i].len,
                             m.values[i].p);
    exact_free(path);
    return out;
}

static void check(const fa__router *router, const char *method, const char *path,
                  const char *expected)
{
    const char *got = answer(router, method, fa_slice_of(path));

    if (strcmp(got, expected) != 0)
        fail_msg("%s %s: \"%s\" is not \"%s\"", method, path, got, expected);
}

/* The first registered route answers, however literal a later one is. */
static void test_order(void **state)
{
    static const line lines[] = {
        {"GET", "/users/{id:int}"},
        {"GET", "/users/{name}"},
        {"GET", "/users/me"},
        {"GET", "/items/special"},
        {"GET", "/items/{id}"},
        {"GET", "/{a}/{b}/{c}"},
        {"GET", "/items/{id}/parts"},
        {"GET", "/shop/{p:path}"},
        {"GET", "/shop/cart/{id:float}"},
        {"GET", "/v{n:int}/x"},
        {"GET", "/v1/{x}"},
        {"GET", "/x/{id:uuid}"},
        {"GET", "/x/{p:path}"},
        {"GET", "/x/{id:float}"},
    };
    fa__router *router = make(lines, ARRAY_LEN(lines));

    (void)state;
    check(router, "GET", "/users/7", "found 0 7");
    check(router, "GET", "/users/me", "found 1 me");
    check(router, "GET", "/items/special", "found 3");
    check(router, "GET", "/items/specia", "found 4 specia");
    check(router, "GET", "/items/specials", "found 4 specials");
    check(router, "GET", "/items/1/parts", "found 5 items|1|parts");
    check(router, "GET", "/shop/cart/1", "found 5 shop|cart|1");
    check(router, "GET", "/shop/cart", "found 7 cart");
    check(router, "GET", "/v1/x", "found 9 1");
    check(router, "GET", "/v1/y", "found 10 y");
    check(router, "GET", "/v2/y", "not found");
    check(router, "GET", "/x/01234567-89ab-cdef-0123-456789abcdef",
          "found 11 01234567-89ab-cdef-0123-456789abcdef");
    check(router, "GET", "/x/1.5", "found 12 1.5");
    check(router, "GET", "/x/1\n", "found 12 1");
    check(router, "GET", "/x/1\n1", "not found");
    check(router, "GET", "/", "not found");
    check(router, "GET", "", "not found");
    check(router, "GET", "users/me", "not found");
    fa__router_del(router);
}

static void test_methods(void **state)
{
    static const line lines[] = {
        {"GET", "/a/{x:int}"}, {"POST PUT", "/a/{x}"},  {"BREW", "/a/{y}"},
        {"*", "/any"},         {"DELETE", "/{p:path}"}, {"BREW WHEN", "/pot"},
        {"mount", "/a/m"},
    };
    fa__router *router = make(lines, ARRAY_LEN(lines));

    (void)state;
    check(router, "GET", "/a/1", "found 0 1");
    check(router, "PUT", "/a/1", "found 1 1");
    check(router, "BREW", "/a/1", "found 2 1");
    check(router, "DELETE", "/a/1", "found 4 a/1");
    check(router, "PATCH", "/a/1", "partial 0 GET 1");
    check(router, "LOCK", "/a/1", "partial 0 GET 1");
    check(router, "GET", "/a/b", "partial 1 POST, PUT b");
    check(router, "get", "/a/1", "partial 0 GET 1");
    check(router, "GET", "/any", "found 3");
    check(router, "LOCK", "/any", "found 3");
    check(router, "WHEN", "/pot", "found 5");
    check(router, "WHE", "/pot", "partial 4 DELETE pot");
    check(router, "GET", "/a/m/n", "mount 6 /a/m /n");
    check(router, "DELETE", "/a/m/n", "found 4 a/m/n");
    fa__router_del(router);
}

static void test_mounts(void **state)
{
    static const line lines[] = {
        {"GET", "/static/known"},
        {"mount", "/static/"},
        {"mount", "/t/{team}/v{n:int}"},
        {"mount", "/a"},
        {"GET", "/a/b"},
        {"GET", "/root"},
        {"mount", ""},
    };
    fa__router *router = make(lines, ARRAY_LEN(lines));

    (void)state;
    check(router, "GET", "/static/known", "found 0");
    check(router, "POST", "/static/known", "mount 1 /static /known");
    check(router, "GET", "/static/", "mount 1 /static /");
    check(router, "GET", "/static//x", "mount 1 /static //x");
    check(router, "GET", "/static", "mount 6  /static");
    check(router, "GET", "/staticx", "mount 6  /staticx");
    check(router, "GET", "/t/x/v12/", "mount 2 /t/x/v12 / x|12");
    check(router, "GET", "/t/x/v12/y/z", "mount 2 /t/x/v12 /y/z x|12");
    check(router, "GET", "/t/x/v/y", "mount 6  /t/x/v/y");
    check(router, "GET", "/a/b", "mount 3 /a /b");
    check(router, "GET", "/root", "found 5");
    check(router, "GET", "/", "mount 6  /");
    /* A line feed before the end: no mount; at the end: the rest is counted from there.
     */
    check(router, "GET", "/static/a\nb", "not found");
    check(router, "GET", "/static/a\n", "mount 1 /static/ /static/a\n");
    fa__router_del(router);
}

static void test_redirects(void **state)
{
    static const line lines[] = {
        {"GET", "/a"},     {"POST", "/b/"},    {"mount", "/m"},
        {"GET", "/c/{x}"}, {"GET", "/c/{x}/"},
    };
    fa__router *router = make(lines, ARRAY_LEN(lines));

    (void)state;
    check(router, "GET", "/a/", "not found");
    check(router, "GET", "/m", "not found");
    fa__router_redirect_slashes(router, true);
    check(router, "GET", "/a/", "redirect /a");
    check(router, "POST", "/a/", "redirect /a");
    check(router, "GET", "/a///", "redirect /a");
    check(router, "GET", "/b", "redirect /b/");
    check(router, "POST", "/b", "redirect /b/");
    check(router, "GET", "/b//", "not found");
    check(router, "GET", "/m", "redirect /m/");
    check(router, "GET", "/c/1/", "found 4 1");
    check(router, "GET", "/c/1//", "redirect /c/1");
    check(router, "GET", "/", "not found");
    check(router, "GET", "//", "not found");
    check(router, "GET", "", "not found");
    check(router, "GET", "/d", "not found");
    check(router, "GET", "/d/", "not found");
    fa__router_del(router);
}

/* Inside a mount the path may be empty; "/" is then where it leads. */
static void test_empty_path(void **state)
{
    static const line lines[] = {{"GET", "/"}};
    fa__router *router = make(lines, ARRAY_LEN(lines));

    (void)state;
    check(router, "GET", "", "not found");
    fa__router_redirect_slashes(router, true);
    check(router, "GET", "", "redirect /");
    fa__router_del(router);
}

/* A long path with a slash added does not fit the stack; without memory, no redirect. */
static void test_long_redirect(void **state)
{
    static char path[10000];
    failing_alloc f;
    fa__router *router;
    fa__route_match m;

    (void)state;
    memset(path, 'x', sizeof(path));
    path[0] = '/';
    failing_alloc_init(&f, 0);
    CHECK_INT(fa__router_new(&router, &f.alloc), ==, 0);
    CHECK_INT(fa__router_add(router, NULL, 0, FA_SLICE("/{x}/"), NULL, 0), ==, 0);
    CHECK_INT(fa__router_build(router), ==, 0);
    fa__router_redirect_slashes(router, true);
    for (size_t len = 4090; len < 4100; ++len) {
        fa_slice exact = exact_bytes(path, len);

        CHECK_INT(fa__router_match(router, FA_GET, FA_SLICE("GET"), exact, &m), ==,
                  FA__ROUTE_REDIRECT);
        CHECK(m.append_slash && m.location.p == exact.p && m.location.len == len);
        exact_free(exact);
    }
    f.fail_at = f.calls + 1;
    CHECK_INT(fa__router_match(router, FA_GET, FA_SLICE("GET"),
                               (fa_slice){path, sizeof(path)}, &m),
              ==, FA__ROUTE_NOT_FOUND);
    fa__router_del(router);
    CHECK_INT(f.held, ==, 0);
}

/* `$` lets one line feed follow. */
static void test_line_feed(void **state)
{
    static const line lines[] = {
        {"GET", "/a"},     {"GET", "/{x}"}, {"GET", "/b/"},
        {"GET", "/b/{x}"}, {"GET", "/c\n"},
    };
    fa__router *router = make(lines, ARRAY_LEN(lines));

    (void)state;
    check(router, "GET", "/a\n", "found 0");
    check(router, "GET", "/a\n\n", "found 1 a\n\n");
    check(router, "GET", "/b/\n", "found 2");
    check(router, "GET", "/b/\n\n", "found 3 \n\n");
    check(router, "GET", "/c\n", "found 1 c\n");
    check(router, "GET", "\n", "not found");
    fa__router_del(router);
}

/* More nodes with sides on one way than walk() keeps in mind. */
static void test_many_sides(void **state)
{
    static char patterns[24][96], path[64] = "";
    fa__router *router;

    (void)state;
    CHECK_INT(fa__router_new(&router, NULL), ==, 0);
    for (size_t i = 0; i < ARRAY_LEN(patterns); ++i) {
        snprintf(patterns[i], sizeof(patterns[i]), "%s/{x}/end%zu", path, i);
        CHECK_INT(fa__router_add(router, NULL, 0, fa_slice_of(patterns[i]), NULL, 0), ==,
                  0);
        strcat(path, "/a");
    }
    CHECK_INT(fa__router_build(router), ==, 0);
    for (size_t i = 0; i < ARRAY_LEN(patterns); ++i) {
        char text[96], expected[32];

        snprintf(text, sizeof(text), "%.*s/a/end%zu", (int)(2 * i), path, i);
        snprintf(expected, sizeof(expected), "found %zu a", i);
        check(router, "GET", text, expected);
    }
    fa__router_del(router);
}

/* One way through the tree, or none, for every combination of parameters: all nodes
   match, none twice. */
static void test_all_convertors_deep(void **state)
{
    static const char *const kinds[] = {"int", "float", "str"};
    fa__router *router;
    fa__route_match m;

    (void)state;
    CHECK_INT(fa__router_new(&router, NULL), ==, 0);
    for (int i = 0; i < 729; ++i) {
        char pattern[96];

        snprintf(pattern, sizeof(pattern), "/{a:%s}/{b:%s}/{c:%s}/{d:%s}/{e:%s}/{f:%s}",
                 kinds[i % 3], kinds[i / 3 % 3], kinds[i / 9 % 3], kinds[i / 27 % 3],
                 kinds[i / 81 % 3], kinds[i / 243]);
        CHECK_INT(fa__router_add(router, NULL, 0, fa_slice_of(pattern), NULL, 0), ==, 0);
    }
    CHECK_INT(fa__router_build(router), ==, 0);
    CHECK_INT(
        fa__router_match(router, FA_GET, FA_SLICE("GET"), FA_SLICE("/1/2/3/4/5/6"), &m),
        ==, FA__ROUTE_FOUND);
    CHECK_INT(m.route->ordinal, ==, 0);
    check(router, "GET", "/a/1.5/1/1/a/1", "found 167 a|1.5|1|1|a|1");
    check(router, "GET", "/1/2/3/4/5/6/7", "not found");
    check(router, "GET", "/1/2/3/4/5/", "not found");
    fa__router_del(router);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_mounts),
        cmocka_unit_test(test_redirects),
        cmocka_unit_test(test_empty_path),
        cmocka_unit_test(test_long_redirect),
        cmocka_unit_test(test_line_feed),
        cmocka_unit_test(test_many_sides),
        cmocka_unit_test(test_all_convertors_deep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
