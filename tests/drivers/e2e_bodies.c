/* Request bodies piece by piece, early answers, and upgraded connections. */
#include "e2e_app.h"

#include <stdint.h>

/* ---- a body that goes back as it comes ---- */

static void echo_drained(fa_request *req, void *user_data)
{
    (void)user_data;
    fa_request_resume(req);
}

static void echo_piece(fa_request *req, fa_slice data, int error, void *user_data)
{
    int rv;

    (void)user_data;
    if (error != 0) {
        event("echo-error %d", error);
        fa_response_abort(req);
        return;
    }
    if (data.len == 0) {
        (void)fa_response_end(req);
        return;
    }
    rv = fa_response_write(req, data);
    if (rv == FA_ERR_FULL)
        fa_request_pause(req); /* until echo_drained() */
}

static int stream_echo(fa_request *req, void *user_data)
{
    int rv;

    (void)user_data;
    fa_response_on_drain(req, echo_drained, NULL);
    if (query_int(req, FA_SLICE("start-first"), 0) == 0) {
        rv = fa_request_read(req, echo_piece,
                             NULL); /* 100-continue goes before the answer */
        if (rv != 0)
            return rv;
        return fa_response_start(req, 200, fa_request_content_length(req));
    }
    rv = fa_response_start(req, 200, fa_request_content_length(req));
    return rv != 0 ? rv : fa_request_read(req, echo_piece, NULL);
}

/* ---- a body that is counted ---- */

typedef struct upload {
    uint64_t bytes, sum, pieces;
    uint64_t limit; /* answer after so many bytes, whatever is still to come */
    bool pausing;   /* wait a moment after each piece */
    bool paused;
} upload;

static int answer_upload(fa_request *req, const upload *u)
{
    fa_slice json = fa_arena_format(
        fa_request_arena(req), "{\"bytes\":%llu,\"sum\":%llu,\"trailers\":%zu}",
        (unsigned long long)u->bytes, (unsigned long long)u->sum,
        fa_request_trailer_count(req));

    if (json.p == NULL)
        return FA_ERR_NOMEM;
    return fa_respond_json(req, 200, json);
}

/* Comes back from the worker's own queue: another turn of the loop. */
static void go_on(fa_request *req, void *user_data)
{
    upload *u = user_data;

    if (req == NULL)
        return;
    u->paused = false;
    fa_request_resume(req);
}

static void count_piece(fa_request *req, fa_slice data, int error, void *user_data)
{
    upload *u = user_data;
    fa_deferred *later;

    if (error != 0) {
        event("upload-error %d after %llu", error, (unsigned long long)u->bytes);
        return; /* the server answers */
    }
    if (u->paused)
        event("upload-not-paused");
    for (size_t i = 0; i < data.len; ++i)
        u->sum = (u->sum * 31 + (unsigned char)data.p[i]) & 0xFFFFFFFF;
    u->bytes += data.len;
    if (data.len == 0 || u->bytes >= u->limit) {
        (void)answer_upload(req, u);
        return;
    }
    if (!u->pausing)
        return;
    later = fa_request_defer(req);
    if (later == NULL)
        return;
    fa_request_pause(req);
    u->paused = fa_deferred_run(later, go_on, u) == 0;
    fa_deferred_release(later);
}

static int upload_body(fa_request *req, void *user_data)
{
    upload *u = fa_arena_alloc(fa_request_arena(req), sizeof(*u));
    int64_t limit = query_int(req, FA_SLICE("limit"), -1);

    (void)user_data;
    if (u == NULL)
        return FA_ERR_NOMEM;
    *u = (upload){
        .limit = limit >= 0 ? (uint64_t)limit : UINT64_MAX,
        .pausing = query_int(req, FA_SLICE("pausing"), 0) != 0,
    };
    return fa_request_read(req, count_piece, u);
}

/* Answers without a look at the body. */
static int early(fa_request *req, void *user_data)
{
    (void)user_data;
    return fa_respond_error(req, 403, (fa_slice){NULL, 0});
}

/* ---- upgraded connections ---- */

static void stream_data(fa_stream *stream, fa_slice data, void *user_data)
{
    (void)user_data;
    (void)fa_stream_write(stream, data);
    if (data.len >= 3 && memcmp(data.p + data.len - 3, "bye", 3) == 0)
        fa_stream_close(stream);
}

static void stream_shutdown(fa_stream *stream, void *user_data)
{
    (void)user_data;
    (void)fa_stream_write(stream, FA_SLICE("server stops"));
    fa_stream_close(stream);
}

static void stream_drained(fa_stream *stream, void *user_data)
{
    (void)stream;
    (void)user_data;
    event("stream drained");
}

static void stream_closed(fa_stream *stream, int error, void *user_data)
{
    (void)stream;
    (void)user_data;
    event("stream closed %d", error);
}

int upgrade(fa_request *req, void *user_data)
{
    static const fa_stream_handler handler = {stream_data, stream_drained,
                                              stream_shutdown, stream_closed};
    fa_stream *stream;
    int rv;

    (void)user_data;
    (void)fa_response_header(req, FA_SLICE("X-Greeting"), FA_SLICE("hi"));
    rv = fa_request_upgrade(req, FA_SLICE("echo"), &handler, NULL, &stream);
    if (rv == 0)
        (void)fa_stream_write(stream, FA_SLICE("welcome\n"));
    return rv;
}

static int upgrade_only(fa_request *req, void *user_data)
{
    int rv = upgrade(req, user_data);

    return rv == FA_ERR_STATE ? fa_respond_error(req, 426, (fa_slice){NULL, 0}) : rv;
}

void add_bodies(fa_app *app)
{
    const fa_route routes[] = {
        {.pattern = "/stream-echo", .handler = stream_echo, .max_body_bytes = 1u << 30},
        {.pattern = "/upload", .handler = upload_body, .max_body_bytes = 1u << 30},
        {.pattern = "/limited-upload", .handler = upload_body, .max_body_bytes = 10},
        {.pattern = "/early", .handler = early, .max_body_bytes = 1u << 30},
        {.pattern = "/stream-upgrade", .handler = upgrade_only},
    };

    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); ++i) {
        fa_route route = routes[i];

        route.methods = FA_METHOD_BIT(FA_POST) | FA_METHOD_BIT(FA_GET);
        route.stream_body = true;
        add_route(app, &route);
    }
    add(app, FA_GET, "/upgrade", upgrade_only);
    add(app, FA_POST, "/upgrade", upgrade_only);
}
