#include "app/allow.h"

#include "app/app.h"

static bool lists(fa_slice allow, fa_slice method)
{
    for (size_t i = 0; i + method.len <= allow.len; ++i) {
        bool starts = i == 0 || allow.p[i - 1] == ' ';
        bool ends = i + method.len == allow.len || allow.p[i + method.len] == ',';

        if (starts && ends && memcmp(allow.p + i, method.p, method.len) == 0)
            return true;
    }
    return false;
}

/* Asked method by method: a 405 is rare, and the way of other requests stays as it is. */
fa_slice fa__allowed_methods(fa_request *req, fa_slice path, const fa__route_match *match)
{
    fa_slice allow = match->route->allow;
    fa__route_match other;

    for (int m = FA_GET; m <= FA_QUERY && allow.p != NULL; ++m) {
        fa_slice name = fa_method_name((fa_method)m);

        if (!lists(allow, name) && fa__router_match(req->app->router, (fa_method)m, name,
                                                    path, &other) == FA__ROUTE_FOUND)
            allow = fa_arena_format(&req->arena, "%.*s, %.*s", (int)allow.len, allow.p,
                                    (int)name.len, name.p);
    }
    return allow;
}
