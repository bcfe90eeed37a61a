#include "app/app.h"

#include <assert.h>
#include <string.h>

#include <fasterapi/error.h>

#include "app/request.h"

fa_app *fa_app_new(const fa_allocator *alloc)
{
    fa_app *app;

    if (alloc == NULL)
        alloc = &fa__malloc;
    app = fa__calloc(alloc, 1, sizeof(*app));
    if (app == NULL)
        return NULL;
    app->alloc = *alloc;
    app->redirect_slashes = true;
    if (fa__router_new(&app->router, alloc) != 0) {
        fa__release(alloc, app);
        return NULL;
    }
    return app;
}

void fa_app_del(fa_app *app)
{
    fa_allocator alloc;

    if (app == NULL)
        return;
    alloc = app->alloc;
    fa__router_del(app->router);
    while (app->endpoints != NULL) {
        fa__endpoint *next = app->endpoints->next;

        fa__release(&alloc, app->endpoints);
        app->endpoints = next;
    }
    fa__release(&alloc, app);
}

/* `add` registers the endpoint with the router; on its error nothing stays. */
static fa__endpoint *new_endpoint(fa_app *app)
{
    return fa__calloc(&app->alloc, 1, sizeof(fa__endpoint));
}

static int keep_endpoint(fa_app *app, fa__endpoint *endpoint, int rv)
{
    if (rv != 0) {
        fa__release(&app->alloc, endpoint);
        return rv;
    }
    endpoint->next = app->endpoints;
    app->endpoints = endpoint;
    return 0;
}

static void fill_endpoint(fa__endpoint *endpoint, const fa_route *route)
{
    endpoint->handler = route->handler;
    endpoint->user_data = route->user_data;
    endpoint->stream_body = route->stream_body;
    endpoint->whole_if_there = route->stream_body && route->whole_if_there;
    endpoint->whole_bytes = endpoint->whole_if_there ? route->whole_bytes : 0;
    endpoint->any_method = route->any_method;
    endpoint->max_body_bytes = route->max_body_bytes;
}

int fa_app_add_route(fa_app *app, const fa_route *route)
{
    fa_slice methods[33];
    size_t count = 0;
    fa__endpoint *endpoint;

    if (app->served)
        return FA_ERR_STATE;
    for (int m = FA_GET; m <= FA_QUERY; ++m) {
        if (route->methods & FA_METHOD_BIT(m))
            methods[count++] = fa_method_name((fa_method)m);
    }
    if (route->other_method != NULL)
        methods[count++] = fa_slice_of(route->other_method);
    if (route->handler == NULL || route->pattern == NULL || count == 0)
        return FA_ERR_INVALID;
    endpoint = new_endpoint(app);
    if (endpoint == NULL)
        return FA_ERR_NOMEM;
    fill_endpoint(endpoint, route);
    return keep_endpoint(app, endpoint,
                         fa__router_add(app->router, methods, count,
                                        fa_slice_of(route->pattern), endpoint, 0));
}

int fa_app_route(fa_app *app, fa_method method, const char *pattern, fa_handler *handler,
                 void *user_data)
{
    fa_route route = {
        .pattern = pattern,
        .methods = FA_METHOD_BIT(method),
        .handler = handler,
        .user_data = user_data,
    };

    if (method < FA_GET || method > FA_QUERY)
        return FA_ERR_INVALID;
    if (method == FA_GET) /* RFC 9110, 9.1: whoever supports GET supports HEAD */
        route.methods |= FA_METHOD_BIT(FA_HEAD);
    return fa_app_add_route(app, &route);
}

int fa_app_mount(fa_app *app, const char *prefix, fa_app *sub)
{
    fa__endpoint *endpoint;

    if (app->served)
        return FA_ERR_STATE;
    if (prefix == NULL || sub == NULL || sub == app)
        return FA_ERR_INVALID;
    endpoint = new_endpoint(app);
    if (endpoint == NULL)
        return FA_ERR_NOMEM;
    endpoint->mounted = sub;
    return keep_endpoint(app, endpoint,
                         fa__router_mount(app->router, fa_slice_of(prefix), endpoint, 0));
}

int fa_app_fallback(fa_app *app, const fa_route *route)
{
    if (app->served)
        return FA_ERR_STATE;
    if (route->handler == NULL)
        return FA_ERR_INVALID;
    fill_endpoint(&app->fallback, route);
    return 0;
}

void fa_app_redirect_slashes(fa_app *app, bool on)
{
    app->redirect_slashes = on;
}

int fa_app_use(fa_app *app, const fa_middleware *middleware)
{
    if (app->served)
        return FA_ERR_STATE;
    if (app->middleware_count == FA__MIDDLEWARE_MAX)
        return FA_ERR_LIMIT;
    app->middleware[app->middleware_count++] = *middleware;
    return 0;
}

void fa_app_set_lifecycle(fa_app *app, const fa_lifecycle *lifecycle)
{
    app->lifecycle = *lifecycle;
}

/* `params` is how many the mounts above capture: a request has room for so many. */
static int serve(fa_app *app, unsigned depth, uint32_t params)
{
    int rv;

    if (depth >= FA__MOUNT_DEPTH_MAX)
        return FA_ERR_LIMIT;
    for (uint32_t i = 0; i < fa__router_count(app->router); ++i) {
        const fa__route *route = fa__router_at(app->router, i);
        const fa__endpoint *endpoint = route->value;

        if (params + route->param_count > FA__PARAMS_MAX)
            return FA_ERR_LIMIT;
        if (endpoint->mounted != NULL) {
            rv = serve(endpoint->mounted, depth + 1, params + route->param_count);
            if (rv != 0)
                return rv;
        }
    }
    if (!app->served) {
        fa__router_redirect_slashes(app->router, app->redirect_slashes);
        rv = fa__router_build(app->router);
        if (rv != 0)
            return rv;
        app->served = true;
    }
    return 0;
}

int fa__app_serve(fa_app *app)
{
    return serve(app, 0, 0);
}

int fa_app_find(fa_app *app, fa_method method, fa_slice path, fa_found *found)
{
    static_assert(FA_ROUTE_PARAMS_MAX == FA__ROUTE_MAX_PARAMS + 1, "as in a match");
    int rv = app->served ? 0 : fa__app_serve(app);
    const fa__endpoint *endpoint;
    fa__route_match match;

    if (rv != 0)
        return rv;
    if (method == FA_METHOD_OTHER ||
        fa__router_match(app->router, method, (fa_slice){NULL, 0}, path, &match) !=
            FA__ROUTE_FOUND)
        return 0;
    endpoint = match.route->value;
    found->user_data = endpoint->user_data;
    found->count = match.route->param_count;
    memcpy(found->values, match.values, found->count * sizeof(*found->values));
    return 1;
}
