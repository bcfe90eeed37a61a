/* Answers piece by piece. */
#include "e2e_app.h"

typedef struct download {
    uint64_t left, at;
    uint64_t piece;
    bool trailers;
    unsigned drains;
} download;

/* The byte at that offset of every download: tests work it out too. */
static char byte_at(uint64_t at)
{
    return (char)('A' + at % 23);
}

/* As much as the connection takes; the drain callback goes on. */
static int go_on(fa_request *req, download *d)
{
    char buffer[16 * 1024];
    int rv = 0;

    while (d->left > 0 && rv == 0) {
        size_t n = sizeof(buffer);

        if (n > d->piece)
            n = (size_t)d->piece;
        if (n > d->left)
            n = (size_t)d->left;
        for (size_t i = 0; i < n; ++i)
            buffer[i] = byte_at(d->at + i);
        rv = fa_response_write(req, (fa_slice){buffer, n});
        if (rv == 0 || rv == FA_ERR_FULL) {
            d->left -= n;
            d->at += n;
        }
    }
    if (rv != 0)
        return rv == FA_ERR_FULL ? 0 : rv;
    if (d->trailers) {
        (void)fa_response_trailer(req, FA_SLICE("X-Sum"), FA_SLICE("1234"));
        event("trailer %d %d",
              fa_response_trailer(req, FA_SLICE("X-Evil"), FA_SLICE("a\r\nb: c")),
              fa_response_trailer(req, FA_SLICE("Content-Length"), FA_SLICE("5")));
    }
    return fa_response_end(req);
}

static void on_drain(fa_request *req, void *user_data)
{
    download *d = user_data;

    ++d->drains;
    (void)go_on(req, d);
}

static int start_download(fa_request *req, void *user_data)
{
    download *d = fa_arena_alloc(fa_request_arena(req), sizeof(*d));
    int64_t n = query_int(req, FA_SLICE("n"), 0);
    bool chunked = query_int(req, FA_SLICE("chunked"), 0) != 0;
    int64_t status = query_int(req, FA_SLICE("status"), 200);
    int rv;

    (void)user_data;
    if (d == NULL)
        return FA_ERR_NOMEM;
    *d = (download){
        .left = (uint64_t)n,
        .piece = (uint64_t)query_int(req, FA_SLICE("piece"), 16 * 1024),
        .trailers = query_int(req, FA_SLICE("trailers"), 0) != 0,
    };
    (void)fa_response_header(req, FA_SLICE("content-type"), FA_SLICE("text/plain"));
    fa_response_on_drain(req, on_drain, d);
    rv = fa_response_start(req, (int)status, chunked ? -1 : n);
    return rv != 0 ? rv : go_on(req, d);
}

/* Takes no heed of FA_ERR_FULL: all waits in memory. */
static int flood(fa_request *req, void *user_data)
{
    int64_t n = query_int(req, FA_SLICE("n"), 0);
    char piece[1000];
    unsigned full = 0;
    int rv = fa_response_start(req, 200, n * (int64_t)sizeof(piece));

    (void)user_data;
    memset(piece, 'f', sizeof(piece));
    for (int64_t i = 0; i < n && rv == 0; ++i) {
        rv = fa_response_write(req, (fa_slice){piece, sizeof(piece)});
        if (rv == FA_ERR_FULL) {
            ++full;
            rv = 0;
        }
    }
    event("flood full %d pending %d", full > 0, fa_response_pending(req) > 0);
    return rv != 0 ? rv : fa_response_end(req);
}

static int abort_late(fa_request *req, void *user_data)
{
    (void)user_data;
    (void)fa_response_start(req, 200, query_int(req, FA_SLICE("n"), -1));
    (void)fa_response_write(req, FA_SLICE("some of it"));
    fa_response_abort(req);
    return 0;
}

static int too_short(fa_request *req, void *user_data)
{
    int rv;

    (void)user_data;
    (void)fa_response_start(req, 200, 100);
    (void)fa_response_write(req, FA_SLICE("ten bytes."));
    rv = fa_response_end(req);
    event("short %d", rv);
    return 0;
}

/* No body was ever written; to HEAD that is a whole answer. */
static int head_only(fa_request *req, void *user_data)
{
    int rv = fa_response_start(req, 200, 1000);

    (void)user_data;
    return rv != 0 ? rv : fa_response_end(req);
}

static int close_while_streaming(fa_request *req, void *user_data)
{
    (void)user_data;
    (void)fa_response_start(req, 200, 3);
    fa_response_close(req);
    (void)fa_response_write(req, FA_SLICE("bye"));
    return fa_response_end(req);
}

/* A beginning whose end never comes by itself. */
static int unfinished(fa_request *req, void *user_data)
{
    (void)user_data;
    (void)fa_response_start(req, 200, -1);
    (void)fa_response_write(req, FA_SLICE("begun"));
    return 0;
}

void add_downloads(fa_app *app)
{
    const fa_route head = {
        .pattern = "/head-only",
        .methods = FA_METHOD_BIT(FA_HEAD),
        .handler = head_only,
    };

    add(app, FA_GET, "/download", start_download);
    add(app, FA_GET, "/flood", flood);
    add(app, FA_GET, "/abort", abort_late);
    add(app, FA_GET, "/short", too_short);
    add(app, FA_GET, "/close-streaming", close_while_streaming);
    add(app, FA_GET, "/unfinished", unfinished);
    add_route(app, &head);
}
