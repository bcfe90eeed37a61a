/* Paths that no route has. */
#include "plan/plan.h"

/* Those that rows can have: no others are asked for by the name of the path alone. */
static bool
is_known(fa_method method)
{
    return method != FA_METHOD_OTHER && method != FA_QUERY;
}

/* The path with a slash more at its end, or without those that are there. */
static fa_slice
other_path(fa_slice path, char *room)
{
    size_t n = path.len;

    while (n > 0 && path.p[n - 1] == '/')
        --n;
    if (n < path.len)
        return (fa_slice){path.p, n};
    memcpy(room, path.p, n);
    room[n] = '/';
    return (fa_slice){room, n + 1};
}

/* The plan for a path that was not found: rows for every method stand for each path that
   the application has, so that any method finds them. NULL: it is the application's. */
static plan_route *
route_for(const Worker *worker, fa_slice path)
{
    char room[PLAN_PATH_MAX + 1];
    fa_slice other;
    fa_found found;

    if (path.len == 1 || worker->slash == NULL)
        return worker->missing;
    other = other_path(path, room);
    if (other.len == 0)
        return NULL; /* below a root path, that may be a route */
    switch (fa_app_find(worker->app, FA_GET, other, &found)) {
    case 0: return worker->missing;
    case 1: return found.user_data != worker ? worker->slash : NULL;
    default: return NULL;
    }
}

int
plan_on_miss(fa_request *req, void *user_data)
{
    Worker *worker = user_data;
    fa_slice path = fa_request_path(req);
    plan_route *route = NULL;

    if ((worker->missing != NULL || worker->slash != NULL) && path.len > 0 &&
        path.p[0] == '/' && plan_path_is_plain(path) && is_known(fa_request_method(req)))
        route = route_for(worker, path);
    return route != NULL ? plan_on_request(req, route) : cycle_on_request(req, worker);
}
