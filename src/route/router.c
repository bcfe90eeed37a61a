#include "route/registry.h"

#include "base/memory.h"
#include "http/field.h"

/* What continues the prefix of a mount. */
#define MOUNT_REST FA_SLICE("/{path:path}")

enum {
    MAX_ALLOW_BYTES = 65535,
};

int fa__router_new(fa__router **prouter, const fa_allocator *alloc)
{
    fa__router *router;

    if (alloc == NULL)
        alloc = &fa__malloc;
    router = fa__calloc(alloc, 1, sizeof(*router));
    if (router == NULL)
        return FA_ERR_NOMEM;
    router->alloc = *alloc;
    *prouter = router;
    return 0;
}

void fa__router_del(fa__router *router)
{
    fa_allocator alloc;

    if (router == NULL)
        return;
    alloc = router->alloc;
    fa__tree_del(router->tree, &alloc);
    for (uint32_t i = 0; i < router->count; ++i)
        fa__release(&alloc, router->routes[i]);
    fa__release(&alloc, router->routes);
    fa__release(&alloc, router);
}

void fa__router_redirect_slashes(fa__router *router, bool on)
{
    router->redirect_slashes = on;
}

/* Room for one more route. */
static int reserve(fa__router *router)
{
    uint32_t room = router->room;
    fa__route **routes;

    if (router->count < room)
        return 0;
    if (room > UINT32_MAX / 4)
        return FA_ERR_LIMIT;
    room = room < 16 ? 16 : room * 2;
    routes = fa__resize(&router->alloc, router->routes, room, sizeof(*routes));
    if (routes == NULL)
        return FA_ERR_NOMEM;
    router->routes = routes;
    router->room = room;
    return 0;
}

/* Checks the names, and tells how long Allow is at most. */
static int measure_methods(size_t *allow_len, const fa_slice *methods, size_t count)
{
    size_t len = 0;

    for (size_t i = 0; i < count; ++i) {
        if (!fa__token_valid(methods[i]))
            return FA_ERR_METHOD;
        if (methods[i].len > MAX_ALLOW_BYTES || len > MAX_ALLOW_BYTES)
            return FA_ERR_LIMIT;
        len += methods[i].len + 2;
    }
    *allow_len = len;
    return 0;
}

static bool has_method(const fa_slice *methods, size_t count, fa_slice name)
{
    for (size_t i = 0; i < count; ++i) {
        if (fa_slice_equal(methods[i], name))
            return true;
    }
    return false;
}

/* Writes Allow to `allow`; the names are parts of it. */
static void set_methods(fa__route *route, fa_slice *names, char *allow,
                        const fa_slice *methods, size_t count)
{
    char *at = allow;

    route->method_bits = count == 0 ? UINT32_MAX : 0;
    for (size_t i = 0; i < count; ++i) {
        if (has_method(methods, i, methods[i]))
            continue;
        if (at != allow) {
            memcpy(at, ", ", 2);
            at += 2;
        }
        memcpy(at, methods[i].p, methods[i].len);
        names[route->method_count++] = (fa_slice){at, methods[i].len};
        at += methods[i].len;
        route->method_bits |= (uint32_t)1 << fa_method_of(methods[i]);
    }
    if (count > 0)
        route->methods = names;
    route->allow = (fa_slice){allow, (size_t)(at - allow)};
}

/* A route is one block: itself, the names of its methods, its pattern, Allow. Its
   pattern is `text` and then `rest`. */
static int route_new(fa__route **proute, const fa__router *router, fa_slice text,
                     fa_slice rest, const fa_slice *methods, size_t method_count,
                     unsigned flags)
{
    size_t allow_len;
    fa__route *route;
    fa_slice *names;
    char *at;
    int rv = measure_methods(&allow_len, methods, method_count);

    if (rv != 0)
        return rv;
    if (text.len > FA__ROUTE_MAX_PATTERN_BYTES)
        return FA_ERR_ROUTE_SYNTAX;
    route = fa__calloc(&router->alloc, 1,
                       sizeof(*route) + method_count * sizeof(*names) + text.len +
                           rest.len + allow_len + 1);
    if (route == NULL)
        return FA_ERR_NOMEM;
    names = (fa_slice *)(void *)(route + 1);
    at = (char *)(names + method_count);
    if (text.len > 0)
        memcpy(at, text.p, text.len);
    if (rest.len > 0)
        memcpy(at + text.len, rest.p, rest.len);
    route->text = (fa_slice){at, text.len};
    rv = fa__pattern_parse(&route->pattern, (fa_slice){at, text.len + rest.len},
                           (flags & FA__ROUTE_LOOSE_BRACES) != 0);
    if (rv != 0) {
        fa__release(&router->alloc, route);
        return rv;
    }
    route->param_count = route->pattern.param_count;
    set_methods(route, names, at + text.len + rest.len, methods, method_count);
    *proute = route;
    return 0;
}

static void append(fa__router *router, fa__route *route, void *value)
{
    route->value = value;
    route->ordinal = router->count;
    router->routes[router->count++] = route;
}

int fa__router_add(fa__router *router, const fa_slice *methods, size_t method_count,
                   fa_slice pattern, void *value, unsigned flags)
{
    fa__route *route;
    int rv = reserve(router);

    if (rv != 0)
        return rv;
    rv = route_new(&route, router, pattern, (fa_slice){NULL, 0}, methods, method_count,
                   flags);
    if (rv != 0)
        return rv;
    if (route->param_count > FA__ROUTE_MAX_PARAMS) {
        fa__release(&router->alloc, route);
        return FA_ERR_ROUTE_PARAMETER;
    }
    append(router, route, value);
    return 0;
}

int fa__router_mount(fa__router *router, fa_slice prefix, void *value, unsigned flags)
{
    fa__route *route;
    int rv = reserve(router);

    if (rv != 0)
        return rv;
    while (prefix.len > 0 && prefix.p[prefix.len - 1] == '/')
        --prefix.len;
    rv = route_new(&route, router, prefix, MOUNT_REST, NULL, 0, flags);
    if (rv != 0)
        return rv;
    route->is_mount = true;
    --route->param_count;
    append(router, route, value);
    return 0;
}

int fa__router_build(fa__router *router)
{
    fa__tree *tree = NULL;
    int rv = 0;

    if (router->count > 0)
        rv = fa__tree_build(&tree, &router->alloc,
                            (const fa__route *const *)router->routes, router->count);
    if (rv != 0)
        return rv;
    fa__tree_del(router->tree, &router->alloc);
    router->tree = tree;
    return 0;
}

uint32_t fa__router_count(const fa__router *router)
{
    return router->count;
}

const fa__route *fa__router_at(const fa__router *router, uint32_t ordinal)
{
    return ordinal < router->count ? router->routes[ordinal] : NULL;
}
