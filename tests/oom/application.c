#include "application.h"

#include <stdio.h>

#include <fasterapi/error.h>
#include <fasterapi/websocket.h>

static int plain(fa_request *req, void *user_data)
{
    (void)user_data;
    return fa_respond(req, 200, FA_SLICE("text/plain"), FA_SLICE("plain"));
}

/* A path parameter, a query with escapes, a header, and JSON out. */
static int item(fa_request *req, void *user_data)
{
    fa_json_writer_options options = {.arena = fa_request_arena(req)};
    fa_slice q = {NULL, 0};
    fa_json_writer w;
    int64_t id;
    int rv = fa_request_param_int(req, FA_SLICE("id"), &id);

    (void)user_data;
    if (rv == 0)
        rv = fa_request_query_value(req, FA_SLICE("q"), &q);
    if (rv < 0)
        return rv;
    rv = fa_response_header(req, FA_SLICE("x-request"),
                            fa_request_header(req, FA_SLICE("x-name")));
    if (rv != 0)
        return rv;
    fa_json_writer_init(&w, &options);
    fa_json_begin_object(&w);
    fa_json_write_key(&w, FA_SLICE("id"));
    fa_json_write_int64(&w, id);
    fa_json_write_key(&w, FA_SLICE("q"));
    fa_json_write_string(&w, q);
    fa_json_end_object(&w);
    return fa_respond_writer(req, 200, &w);
}

static int echo(fa_request *req, void *user_data)
{
    (void)user_data;
    return fa_respond(req, 200, FA_SLICE("application/octet-stream"),
                      fa_request_body(req));
}

static void on_piece(fa_request *req, fa_slice data, int error, void *user_data)
{
    size_t *sum = fa_request_data(req);
    fa_slice text;

    (void)user_data;
    if (error != 0)
        return;
    for (size_t i = 0; i < data.len; ++i)
        *sum += (unsigned char)data.p[i];
    if (data.len > 0)
        return;
    text = fa_arena_format(fa_request_arena(req), "%zu, %zu trailers", *sum,
                           fa_request_trailer_count(req));
    if (text.p != NULL)
        (void)fa_respond(req, 200, FA_SLICE("text/plain"), text);
}

static int upload(fa_request *req, void *user_data)
{
    size_t *sum = fa_arena_alloc(fa_request_arena(req), sizeof(*sum));

    (void)user_data;
    if (sum == NULL)
        return FA_ERR_NOMEM;
    *sum = 0;
    fa_request_set_data(req, sum);
    return fa_request_read(req, on_piece, NULL);
}

static void let_go(void *ctx)
{
    --((application *)ctx)->held;
}

static int streamed(fa_request *req, void *user_data)
{
    application *a = user_data;
    static char block[40 * 1024];
    int rv = fa_response_header(req, FA_SLICE("x-kind"), FA_SLICE("streamed"));

    memset(block, 'b', sizeof(block));
    if (rv == 0)
        rv = fa_response_start(req, 200, -1);
    for (int i = 0; i < 4 && rv == 0; ++i) {
        fa_slice piece =
            i % 2 == 0 ? FA_SLICE("a piece") : (fa_slice){block, sizeof(block)};

        if (i < 2) {
            rv = fa_response_write(req, piece);
        } else {
            ++a->held;
            rv = fa_response_write_held(req, piece, let_go, a);
        }
        if (rv == FA_ERR_FULL)
            rv = 0;
    }
    if (rv == 0)
        rv = fa_response_trailer(req, FA_SLICE("x-sum"), FA_SLICE("4"));
    return rv == 0 ? fa_response_end(req) : rv;
}

static int deferred(fa_request *req, void *user_data)
{
    application *a = user_data;

    if (a->waiting != NULL)
        fa_deferred_release(a->waiting);
    a->waiting = fa_request_defer(req);
    return a->waiting != NULL ? 0 : FA_ERR_NOMEM;
}

static void on_data(fa_stream *stream, fa_slice data, void *user_data)
{
    (void)user_data;
    if (data.len > 0 && data.p[0] == '.')
        fa_stream_close(stream);
    else
        (void)fa_stream_write(stream, data);
}

static int upgrade(fa_request *req, void *user_data)
{
    const fa_stream_handler handler = {.on_data = on_data};
    fa_stream *stream;

    (void)user_data;
    return fa_request_upgrade(req, FA_SLICE("echo"), &handler, NULL, &stream);
}

static void on_message(fa_websocket *ws, fa_websocket_kind kind, fa_slice data,
                       void *user_data)
{
    int rv = fa_websocket_send(ws, kind, data);

    (void)user_data;
    if (rv != 0 && rv != FA_ERR_FULL)
        fa_websocket_abort(ws);
}

static void on_close(fa_websocket *ws, uint16_t code, fa_slice reason, void *user_data)
{
    application *a = user_data;

    (void)ws;
    (void)code;
    (void)reason;
    ++a->closed;
}

static int websocket(fa_request *req, void *user_data)
{
    const fa_websocket_handler handler = {.on_message = on_message, .on_close = on_close};
    application *a = user_data;
    fa_websocket *ws;
    int rv =
        fa_websocket_accept(req, (fa_slice){NULL, 0}, NULL, 0, NULL, &handler, a, &ws);

    if (rv == 0)
        ++a->opened;
    return rv;
}

static int count_begun(fa_request *req, void *user_data)
{
    application *a = user_data;

    (void)req;
    ++a->begun;
    return FA_NEXT;
}

static void count_finished(fa_request *req, int error, void *user_data)
{
    application *a = user_data;

    (void)req;
    (void)error;
    ++a->finished;
}

static int build(application *a)
{
    static const struct {
        fa_method method;
        const char *pattern;
        fa_handler *handler;
    } routes[] = {
        {FA_GET, "/plain", plain},       {FA_GET, "/items/{id:int}", item},
        {FA_POST, "/echo", echo},        {FA_GET, "/streamed", streamed},
        {FA_GET, "/deferred", deferred}, {FA_POST, "/deferred", deferred},
        {FA_GET, "/upgrade", upgrade},   {FA_GET, "/websocket", websocket},
        {FA_GET, "/folder/", plain},     {FA_GET, "/files/{rest:path}", plain},
    };
    const fa_route stream_route = {
        .pattern = "/upload",
        .methods = FA_METHOD_BIT(FA_POST) | FA_METHOD_BIT(FA_PUT),
        .handler = upload,
        .stream_body = true,
    };
    const fa_middleware middleware = {
        .on_request = count_begun, .on_finish = count_finished, .user_data = a};
    int rv = 0;

    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]) && rv == 0; ++i)
        rv = fa_app_route(a->app, routes[i].method, routes[i].pattern, routes[i].handler,
                          a);
    if (rv == 0)
        rv = fa_app_add_route(a->app, &stream_route);
    if (rv == 0)
        rv = fa_app_route(a->sub, FA_GET, "/items/{id:int}", item, a);
    if (rv == 0)
        rv = fa_app_mount(a->app, "/sub/{tenant}", a->sub);
    if (rv == 0)
        rv = fa_app_use(a->app, &middleware);
    return rv;
}

int application_build(application *a, const fa_allocator *alloc)
{
    int rv = FA_ERR_NOMEM;

    *a = (application){.app = fa_app_new(alloc)};
    if (a->app != NULL)
        a->sub = fa_app_new(alloc);
    if (a->sub != NULL)
        rv = build(a);
    if (rv != 0)
        application_free(a);
    return rv;
}

void application_free(application *a)
{
    if (a->waiting != NULL)
        fa_deferred_release(a->waiting);
    fa_app_del(a->app);
    fa_app_del(a->sub);
    *a = (application){.app = NULL};
}

static void answer(fa_request *req, void *user_data)
{
    (void)user_data;
    if (req != NULL)
        (void)fa_respond(req, 200, FA_SLICE("text/plain"), FA_SLICE("later"));
}

void application_answer_waiting(application *a)
{
    fa_deferred *waiting = a->waiting;

    if (waiting == NULL)
        return;
    a->waiting = NULL;
    (void)fa_deferred_run(waiting, answer, NULL);
    fa_deferred_release(waiting);
}
