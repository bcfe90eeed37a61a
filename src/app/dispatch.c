/* The way of a request through an application. Read fa__dispatch() first. */
#include "app/dispatch.h"

#include <fasterapi/error.h>

#include "app/allow.h"
#include "app/app.h"
#include "app/redirect.h"
#include "http/target.h"

int fa__dispatch_fail(fa_request *req, int error)
{
    req->failed = error;
    if (req->answer == FA__ANSWER_NONE) {
        req->fields_out = (fa__response_fields){NULL, NULL, 0};
        req->has_date = req->has_server = false;
    }
    return fa_respond_error(req, 500, (fa_slice){NULL, 0});
}

/* Middleware in the order registered, before routing. */
static int run_middleware(fa_request *req)
{
    fa_app *app = req->app;
    unsigned *seen = &req->entered[req->app_depth].seen;

    req->entered[req->app_depth].app = app;
    *seen = 0;
    ++req->app_depth;
    while (*seen < app->middleware_count) {
        const fa_middleware *m = &app->middleware[(*seen)++];
        int rv = m->on_request != NULL ? m->on_request(req, m->user_data) : FA_NEXT;

        if (rv != FA_NEXT)
            return rv;
    }
    return FA_NEXT;
}

static void keep_params(fa_request *req, const fa__route_match *match)
{
    for (uint32_t i = 0; i < match->route->param_count; ++i) {
        req->params[req->param_count].name = match->route->pattern.params[i].name;
        req->params[req->param_count++].value = match->values[i];
    }
}

static void answer_no_route(fa_request *req, fa_slice path, const fa__route_match *match)
{
    if (match->kind == FA__ROUTE_METHOD_NOT_ALLOWED) {
        fa_slice allow = fa__allowed_methods(req, path, match);

        if (allow.p == NULL || fa_response_header(req, FA_SLICE("allow"), allow) != 0)
            (void)fa__dispatch_fail(req, FA_ERR_NOMEM);
        else
            (void)fa_respond_error(req, 405, (fa_slice){NULL, 0});
    } else if (match->kind == FA__ROUTE_REDIRECT) {
        (void)fa__redirect(req, match->location, match->append_slash);
    } else {
        (void)fa_respond_error(req, 404, (fa_slice){NULL, 0});
    }
}

static bool is_for_fallback(const fa_app *app, fa__route_kind kind)
{
    if (app->fallback.handler == NULL || kind == FA__ROUTE_FOUND ||
        kind == FA__ROUTE_MOUNT)
        return false;
    return kind == FA__ROUTE_NOT_FOUND || app->fallback.any_method;
}

/* Finds who answers `req`, through the mounts. NULL: it has been answered. */
static const fa__endpoint *resolve(fa_request *req)
{
    for (;;) {
        fa_slice rest = {req->path.p + req->root_path_len,
                         req->path.len - req->root_path_len};
        const fa__endpoint *endpoint;
        fa__route_match match;
        int rv;

        if (req->app->middleware_count > 0) {
            rv = run_middleware(req);
            if (rv == FA_ANSWERED)
                return NULL;
            if (rv < 0) {
                (void)fa__dispatch_fail(req, rv);
                return NULL;
            }
        }
        (void)fa__router_match(req->app->router, req->head.method, req->head.method_name,
                               rest, &match);
        if (is_for_fallback(req->app, match.kind))
            return &req->app->fallback;
        if (match.kind != FA__ROUTE_FOUND && match.kind != FA__ROUTE_MOUNT) {
            answer_no_route(req, rest, &match);
            return NULL;
        }
        keep_params(req, &match);
        endpoint = match.route->value;
        if (endpoint->mounted == NULL)
            return endpoint;
        req->root_path_len = (size_t)(match.rest.p - req->path.p);
        req->app = endpoint->mounted;
    }
}

/* Whatever a handler leaves undone becomes a 500 or a broken connection, never
   silence. */
static void call_handler(fa_request *req)
{
    int rv = req->endpoint->handler(req, req->endpoint->user_data);

    if (req->answer == FA__ANSWER_ENDED || (rv >= 0 && fa__request_answers_later(req)))
        return;
    if (req->answer == FA__ANSWER_STARTED) {
        fa_response_abort(req);
        return;
    }
    (void)fa__dispatch_fail(req, rv < 0 ? rv : FA_ERR_STATE);
}

static bool streams(const fa_request *req)
{
    const fa__endpoint *endpoint = req->endpoint;

    if (!endpoint->stream_body || !endpoint->whole_if_there)
        return endpoint->stream_body;
    return !req->body_whole && (req->head.body_kind != FA__BODY_LENGTH ||
                                req->head.content_length > endpoint->whole_bytes);
}

fa__dispatched fa__dispatch(fa_request *req)
{
    if (fa__percent_decode(&req->path, req->head.path, &req->arena) != 0) {
        (void)fa_respond_error(req, 500, (fa_slice){NULL, 0});
        return FA__DISPATCH_ANSWERED;
    }
    req->endpoint = resolve(req);
    if (req->endpoint == NULL)
        return FA__DISPATCH_ANSWERED;
    if (req->endpoint->max_body_bytes != 0)
        req->max_body_bytes = req->endpoint->max_body_bytes;
    if (req->head.body_kind == FA__BODY_LENGTH &&
        req->head.content_length > req->max_body_bytes)
        return FA__DISPATCH_TOO_LARGE;
    req->body_streams = streams(req);
    if (req->body_streams) {
        /* It goes to the handler piece by piece, however much of it is here already. */
        req->body = (fa_slice){NULL, 0};
        req->body_whole = false;
    } else if (!req->body_whole) {
        return FA__DISPATCH_BODY;
    }
    call_handler(req);
    return FA__DISPATCH_ANSWERED;
}

void fa__dispatch_handler(fa_request *req)
{
    call_handler(req);
}

void fa__dispatch_response(fa_request *req, int status)
{
    for (unsigned depth = req->app_depth; depth-- > 0;) {
        const fa_app *app = req->entered[depth].app;

        for (unsigned i = req->entered[depth].seen; i-- > 0;) {
            const fa_middleware *m = &app->middleware[i];

            if (m->on_response != NULL)
                m->on_response(req, status, m->user_data);
        }
    }
}
