/* The bodies of requests: whole for the handler, or piece by piece, or skipped. */
#include <fasterapi/error.h>

#include "app/app.h"
#include "app/dispatch.h"
#include "server/connection.h"

enum {
    /* Of a body that nobody wants, so much is read to keep the connection. */
    DISCARD_MAX = 64 * 1024,
};

bool fa__conn_body_is_over(const fa__conn *conn)
{
    const fa_request *req = conn->req;

    if (req->head.body_kind == FA__BODY_CHUNKED)
        return req->body_whole || (conn->chunked != NULL && conn->chunked->decoder.done);
    return req->body_whole || conn->body_left == 0;
}

static void begin_body(fa__conn *conn)
{
    fa__msec now = fa__loop_now(conn->worker->loop);

    conn->input = FA__INPUT_BODY;
    fa__pace_begin(&conn->reading, now);
}

static int prepare_chunked(fa__conn *conn)
{
    const fa_limits *l = fa__conn_limits(conn);
    const fa__http1_chunked_limits limits = {
        .max_chunk_extension_bytes = l->max_chunk_extension_bytes,
        .max_chunk_extensions_bytes = l->max_chunk_extensions_bytes,
        .max_trailer_bytes = l->max_trailer_bytes,
    };

    conn->chunked = fa__alloc(&conn->worker->shared->alloc,
                              sizeof(*conn->chunked) +
                                  l->max_headers * sizeof(conn->chunked->fields[0]));
    if (conn->chunked == NULL)
        return FA_ERR_NOMEM;
    conn->gathers = true;
    fa__http1_chunked_init(&conn->chunked->decoder, conn->chunked->fields, l->max_headers,
                           &conn->trailer_buf, &limits);
    return 0;
}

void fa__conn_drop_body(fa__conn *conn)
{
    conn->gathers = false;
    fa__buf_free(&conn->body);
    fa__buf_free(&conn->trailer_buf);
    fa__release(&conn->worker->shared->alloc, conn->chunked);
    conn->chunked = NULL;
}

void fa__conn_expect_body(fa__conn *conn, fa_slice head, bool wanted)
{
    fa_request *req = conn->req;
    bool chunked = req->head.body_kind == FA__BODY_CHUNKED;

    if (fa__request_keep_head(req, head.p, head.len) != 0 ||
        (chunked && prepare_chunked(conn) != 0)) {
        fa__conn_break_off(conn, FA_ERR_NOMEM);
        return;
    }
    conn->body_left = chunked ? 0 : req->head.content_length;
    conn->gathers = true;
    begin_body(conn);
    if (wanted)
        fa__conn_want_body(conn);
}

void fa__conn_want_body(fa__conn *conn)
{
    char *at;

    /* Behind the head of the answer it would be taken for part of the body. */
    if (!conn->continue_owed || conn->req->answer != FA__ANSWER_NONE)
        return;
    conn->continue_owed = false;
    at = fa__conn_reserve(conn, sizeof(FA__HTTP1_CONTINUE));
    if (at != NULL)
        fa__conn_commit(conn, fa__http1_write_literal(at, FA__HTTP1_CONTINUE));
}

/* The handler that reads the body may answer, in its own words; else the server does. */
static void tell_of_failure(fa__conn *conn, int error)
{
    fa_request *req = conn->req;

    ++conn->in_call;
    req->body_fn(req, (fa_slice){NULL, 0}, error, req->body_data);
    if (!conn->broken && req->answer != FA__ANSWER_ENDED)
        fa__worker_warn(conn->worker, &conn->peer, error);
    if (!conn->broken && req->answer == FA__ANSWER_NONE)
        (void)fa_respond_error(req, fa_error_status(error),
                               fa_slice_of(fa_strerror(error)));
    else if (req->answer == FA__ANSWER_STARTED)
        fa__conn_break_off(conn, error);
    --conn->in_call;
}

/* The body ends here by an error of the client's. */
static void body_failed(fa__conn *conn, int error)
{
    fa_request *req = conn->req;

    fa__count(error == FA_ERR_TIMEOUT ? &conn->worker->counters.timeouts
                                      : &conn->worker->counters.malformed,
              1);
    conn->close_after = true;
    conn->unread = true;
    conn->input = FA__INPUT_WAIT;
    if (req->body_streams)
        tell_of_failure(conn, error);
    else
        fa__conn_answer_refusal(conn, error);
    fa__conn_after_call(conn);
}

void fa__conn_body_timeout(fa__conn *conn)
{
    body_failed(conn, FA_ERR_TIMEOUT);
}

static void body_complete(fa__conn *conn)
{
    fa_request *req = conn->req;

    conn->input = FA__INPUT_WAIT;
    req->body_whole = true;
    if (conn->chunked != NULL) {
        req->trailers = conn->chunked->decoder.trailers;
        req->trailer_count = conn->chunked->decoder.trailer_count;
    }
    ++conn->in_call;
    if (req->body_streams) {
        req->body_fn(req, (fa_slice){NULL, 0}, 0, req->body_data);
    } else {
        req->body = (fa_slice){conn->body.p, conn->body.len};
        fa__dispatch_handler(req);
    }
    --conn->in_call;
    fa__conn_after_call(conn);
}

/* A piece of the body. False: no more of it can be taken now. */
static bool take_payload(fa__conn *conn, fa_slice data)
{
    fa_request *req = conn->req;

    conn->body_bytes += data.len;
    fa__pace_progress(&conn->reading, fa__loop_now(conn->worker->loop), data.len,
                      fa__conn_limits(conn)->min_rate_bytes_per_s);
    if (conn->body_bytes > req->max_body_bytes) {
        body_failed(conn, FA_ERR_BODY_TOO_LARGE);
        return false;
    }
    if (!req->body_streams) {
        if (fa__buf_append(&conn->body, data.p, data.len) == 0)
            return true;
        fa__conn_break_off(conn, FA_ERR_NOMEM);
        return false;
    }
    req->body_ends = fa__conn_body_is_over(conn);
    ++conn->in_call;
    req->body_fn(req, data, 0, req->body_data);
    --conn->in_call;
    if (conn->broken)
        return false;
    if (req->answer == FA__ANSWER_ENDED) {
        fa__conn_request_done(conn, 0);
        return false;
    }
    return true;
}

/* The data of all chunks, moved together: one piece is one message of an application, and
   a call for each chunk would cost more than that. An error comes when it is fed again,
   after what was before it. */
static ptrdiff_t feed_chunks(fa__http1_chunked *decoder, char *p, size_t n,
                             fa_slice *payload)
{
    size_t used = 0, begin = 0, len = 0;

    while (used < n && !decoder->done) {
        fa_slice piece;
        ptrdiff_t rv = fa__http1_chunked_feed(decoder, p + used, n - used, &piece);

        if (rv < 0) {
            if (len == 0)
                return rv;
            break;
        }
        used += (size_t)rv;
        if (len == 0)
            begin = (size_t)(piece.p - p);
        else if (piece.len > 0)
            memmove(p + begin + len, piece.p, piece.len);
        len += piece.len;
    }
    *payload = (fa_slice){p + begin, len};
    return (ptrdiff_t)used;
}

size_t fa__conn_feed_body(fa__conn *conn, char *p, size_t n, bool *again)
{
    fa_request *req = conn->req;
    fa_slice payload = {NULL, 0};
    ptrdiff_t used;

    if (req->body_streams && (!req->read_wanted || req->paused))
        return 0;
    if (conn->chunked == NULL) {
        used = (ptrdiff_t)(n < conn->body_left ? n : conn->body_left);
        payload = (fa_slice){p, (size_t)used};
        conn->body_left -= (uint64_t)used;
    } else if (n == 0 && !conn->chunked->decoder.done) {
        return 0;
    } else {
        used = feed_chunks(&conn->chunked->decoder, p, n, &payload);
        if (used < 0) {
            body_failed(conn, (int)used);
            return 0;
        }
    }
    if (payload.len > 0 && !take_payload(conn, payload)) {
        *again = conn->input != FA__INPUT_BODY;
        return (size_t)used;
    }
    if (conn->input != FA__INPUT_BODY || req->paused) {
        *again = conn->input != FA__INPUT_BODY;
        return (size_t)used;
    }
    if (conn->chunked != NULL ? conn->chunked->decoder.done : conn->body_left == 0) {
        body_complete(conn);
        *again = true;
    } else {
        *again = (size_t)used < n;
    }
    return (size_t)used;
}

/* ---- bodies that nobody wants ---- */

bool fa__conn_can_discard(const fa__conn *conn)
{
    const fa_request *req = conn->req;
    uint64_t left = conn->body_left;

    if (req->head.body_kind == FA__BODY_CHUNKED)
        left = conn->chunked != NULL ? conn->chunked->decoder.left : 0;
    /* Who waits for 100-continue may send the body or the next request: only a new
       connection tells which (RFC 9110, 10.1.1). */
    return fa__conn_body_is_over(conn) || (left <= DISCARD_MAX && !conn->continue_owed);
}

static void end_discard(fa__conn *conn, fa__input next)
{
    fa__conn_drop_body(conn);
    conn->input = next;
    conn->unread = next == FA__INPUT_CLOSING;
    conn->since = fa__loop_now(conn->worker->loop);
}

void fa__conn_begin_discard(fa__conn *conn)
{
    bool chunked = conn->req->head.body_kind == FA__BODY_CHUNKED;

    conn->input = FA__INPUT_DISCARD;
    fa__buf_free(&conn->body);
    if (!chunked)
        return;
    conn->body_left = DISCARD_MAX;
    if (conn->chunked == NULL && prepare_chunked(conn) != 0)
        end_discard(conn, FA__INPUT_CLOSING);
}

/* How long a chunked body is shows in the end: `body_left` is what may still be read. */
static size_t discard_chunked(fa__conn *conn, const char *p, size_t n)
{
    fa__http1_chunked *decoder = &conn->chunked->decoder;
    size_t used = 0, max = n < conn->body_left ? n : (size_t)conn->body_left;

    while (used < max && !decoder->done) {
        fa_slice payload;
        ptrdiff_t rv = fa__http1_chunked_feed(decoder, p + used, max - used, &payload);

        if (rv < 0) {
            end_discard(conn, FA__INPUT_CLOSING);
            return used;
        }
        used += (size_t)rv;
    }
    conn->body_left -= used;
    if (decoder->done)
        end_discard(conn, FA__INPUT_IDLE);
    else if (conn->body_left == 0)
        end_discard(conn, FA__INPUT_CLOSING);
    return used;
}

size_t fa__conn_feed_discard(fa__conn *conn, const char *p, size_t n, bool *again)
{
    size_t used;

    if (conn->chunked != NULL) {
        used = discard_chunked(conn, p, n);
    } else {
        used = n < conn->body_left ? n : (size_t)conn->body_left;
        conn->body_left -= used;
        if (conn->body_left == 0)
            end_discard(conn, FA__INPUT_IDLE);
    }
    *again = conn->input != FA__INPUT_DISCARD;
    return used;
}
