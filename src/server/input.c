/* Bytes on their way in: heads, bodies, and when the next request may begin. Read
   fa__conn_feed() first. */
#include <fasterapi/error.h>

#include "app/app.h"
#include "app/dispatch.h"
#include "server/connection.h"

enum {
    /* Of a body that nobody wants, so much is read to keep the connection. */
    DISCARD_MAX = 64 * 1024,
};

static const fa_limits *limits_of(const fa__conn *conn)
{
    return &conn->worker->shared->options.limits;
}

static void break_off(fa__conn *conn, int error)
{
    conn->broken = true;
    if (conn->finish_error == 0)
        conn->finish_error = error;
}

static void begin_body(fa__conn *conn)
{
    fa__msec now = fa__loop_now(conn->worker->loop);

    conn->input = FA__INPUT_BODY;
    conn->reading = (fa__pace){.since = now, .last = now};
}

/* What is to happen once the answer is complete, or not yet. */
static void after_call(fa__conn *conn)
{
    fa_request *req = conn->req;

    if (conn->broken || req == NULL)
        return;
    if (req->answer == FA__ANSWER_NONE && !fa__request_answers_later(req)) {
        req->failed = req->failed != 0 ? req->failed : FA_ERR_STATE;
        ++conn->in_call;
        if (fa_respond_error(req, 500, (fa_slice){NULL, 0}) != 0)
            break_off(conn, FA_ERR_NOMEM);
        --conn->in_call;
    }
    if (!conn->broken && req->answer == FA__ANSWER_ENDED)
        fa__conn_request_done(conn, 0);
}

/* Nothing of the body is still to come: it came whole, or none was announced to a
   handler that never asked. */
static bool body_is_over(const fa__conn *conn)
{
    const fa_request *req = conn->req;

    return req->body_whole ||
           (req->head.body_kind != FA__BODY_CHUNKED && conn->body_left == 0);
}

/* No further request is read. Whoever meant to send one, or still sends the body of the
   last, may be doing so just now: finish() in connection.c sees to that. */
static void begin_closing(fa__conn *conn)
{
    conn->input = FA__INPUT_CLOSING;
    if (conn->req->head.keep_alive || !body_is_over(conn))
        conn->unread = true;
}

void fa__conn_request_done(fa__conn *conn, int error)
{
    fa_worker *w = conn->worker;
    fa_request *req = conn->req;

    ++conn->in_call;
    if (req->failed != 0)
        fa_log(w->shared->logger, FA_LOG_ERROR, "App", "%.*s %.*s: handler failed: %s",
               (int)req->head.method_name.len, req->head.method_name.p,
               (int)req->path.len, req->path.p,
               req->failed == FA_ERR_STATE ? "it returned without an answer"
                                           : fa_strerror(req->failed));
    fa__request_finish(req, error);
    --conn->in_call;
    if (w->shared->options.access_log && req->status != 0)
        fa__access_log(conn);
    if (req->status >= 100 && req->status < 600)
        fa__count(&w->counters.responses[req->status / 100 - 1], 1);
    fa__count(&w->counters.active, (uint64_t)-1);
    if (req->deferred != NULL)
        fa__deferred_detach(req->deferred);
    if (conn->input != FA__INPUT_STREAM) {
        if (error != 0)
            break_off(conn, error);
        else if (conn->close_after || req->close_after)
            begin_closing(conn);
        else
            conn->input = body_is_over(conn) ? FA__INPUT_IDLE : FA__INPUT_DISCARD;
    }
    conn->req = NULL;
    conn->since = fa__loop_now(w->loop);
    if (conn->gathers) {
        conn->gathers = false;
        fa__buf_free(&conn->body);
        fa__buf_free(&conn->trailer_buf);
    }
    fa__worker_give_request(w, req);
}

void fa__conn_refuse(fa__conn *conn, int error)
{
    fa_worker *w = conn->worker;
    fa_request *req = conn->req;

    fa__count(error == FA_ERR_TIMEOUT ? &w->counters.timeouts : &w->counters.malformed,
              1);
    fa__worker_warn(w, &conn->peer, error);
    conn->close_after = true;
    conn->unread = true;
    conn->input = FA__INPUT_WAIT;
    fa__count(&w->counters.active, 1);
    req->refused = true;
    ++conn->in_call;
    (void)fa_respond_error(req, fa_error_status(error), fa_slice_of(fa_strerror(error)));
    --conn->in_call;
    if (!conn->broken && req->answer == FA__ANSWER_ENDED)
        fa__conn_request_done(conn, 0);
    else
        break_off(conn, error);
}

/* ---- bodies ---- */

/* The body ends here by an error of the client's. */
static void body_failed(fa__conn *conn, int error)
{
    fa_request *req = conn->req;

    fa__count(error == FA_ERR_TIMEOUT ? &conn->worker->counters.timeouts
                                      : &conn->worker->counters.malformed,
              1);
    fa__worker_warn(conn->worker, &conn->peer, error);
    conn->close_after = true;
    conn->unread = true;
    conn->input = FA__INPUT_WAIT;
    ++conn->in_call;
    if (req->body_fn != NULL)
        req->body_fn(req, (fa_slice){NULL, 0}, error, req->body_data);
    if (!conn->broken && req->answer == FA__ANSWER_NONE)
        (void)fa_respond_error(req, fa_error_status(error),
                               fa_slice_of(fa_strerror(error)));
    else if (req->answer == FA__ANSWER_STARTED)
        break_off(conn, error);
    --conn->in_call;
    after_call(conn);
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
        req->trailers = conn->chunked->trailers;
        req->trailer_count = conn->chunked->trailer_count;
    }
    ++conn->in_call;
    if (req->endpoint->stream_body) {
        req->body_fn(req, (fa_slice){NULL, 0}, 0, req->body_data);
    } else {
        req->body = (fa_slice){conn->body.p, conn->body.len};
        fa__dispatch_handler(req);
    }
    --conn->in_call;
    after_call(conn);
}

/* A piece of the body. False: no more of it can be taken now. */
static bool take_payload(fa__conn *conn, fa_slice data)
{
    fa_request *req = conn->req;

    conn->body_bytes += data.len;
    conn->reading.bytes += data.len;
    conn->reading.last = fa__loop_now(conn->worker->loop);
    if (conn->body_bytes > req->max_body_bytes) {
        body_failed(conn, FA_ERR_BODY_TOO_LARGE);
        return false;
    }
    if (!req->endpoint->stream_body) {
        if (fa__buf_append(&conn->body, data.p, data.len) == 0)
            return true;
        break_off(conn, FA_ERR_NOMEM);
        return false;
    }
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

/* Takes what it can of the body. Returns how much was used; sets `*again` if the input
   after it can be worked on. */
static size_t feed_body(fa__conn *conn, const char *p, size_t n, bool *again)
{
    fa_request *req = conn->req;
    fa_slice payload = {NULL, 0};
    ptrdiff_t used;

    if (req->endpoint->stream_body && (!req->read_wanted || req->paused))
        return 0;
    if (conn->chunked == NULL) {
        used = (ptrdiff_t)(n < conn->body_left ? n : conn->body_left);
        payload = (fa_slice){p, (size_t)used};
        conn->body_left -= (uint64_t)used;
    } else if (n == 0 && !conn->chunked->done) {
        return 0;
    } else {
        used = conn->chunked->done
                   ? 0
                   : fa__http1_chunked_feed(conn->chunked, p, n, &payload);
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
    if (conn->chunked != NULL ? conn->chunked->done : conn->body_left == 0) {
        body_complete(conn);
        *again = true;
    } else {
        *again = (size_t)used < n;
    }
    return (size_t)used;
}

/* ---- heads ---- */

static int prepare_chunked(fa__conn *conn)
{
    const fa_limits *l = limits_of(conn);
    const fa__http1_chunked_limits limits = {
        .max_chunk_extension_bytes = l->max_chunk_extension_bytes,
        .max_chunk_extensions_bytes = l->max_chunk_extensions_bytes,
        .max_trailer_bytes = l->max_trailer_bytes,
    };
    fa_request *req = conn->req;
    fa__field *trailers = fa_arena_alloc(&req->arena, l->max_headers * sizeof(fa__field));

    conn->chunked = fa_arena_alloc(&req->arena, sizeof(*conn->chunked));
    if (conn->chunked == NULL || trailers == NULL)
        return FA_ERR_NOMEM;
    fa__http1_chunked_init(conn->chunked, trailers, l->max_headers, &conn->trailer_buf,
                           &limits);
    return 0;
}

/* The body does not come with the head, or not wholly: from here on the head must
   outlive the buffer it is in. */
static void expect_body(fa__conn *conn, fa_slice head, bool wanted)
{
    fa_request *req = conn->req;
    bool chunked = req->head.body_kind == FA__BODY_CHUNKED;

    if (fa__request_keep_head(req, head.p, head.len) != 0 ||
        (chunked && prepare_chunked(conn) != 0)) {
        break_off(conn, FA_ERR_NOMEM);
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

/* The answer comes later: head and body must outlive the buffer they are in. */
static void keep_for_later(fa__conn *conn, fa_slice head)
{
    fa_request *req = conn->req;

    if (fa__request_keep_head(req, head.p, head.len) != 0) {
        break_off(conn, FA_ERR_NOMEM);
        return;
    }
    if (req->body.len > 0) {
        req->body = fa_arena_copy(&req->arena, req->body);
        if (req->body.p == NULL)
            break_off(conn, FA_ERR_NOMEM);
    }
}

/* A whole head is there, and `rest` after it. Returns how much of `rest` was the body
   of the request and has been used. */
static size_t on_head(fa__conn *conn, fa_slice head, fa_slice rest)
{
    fa_request *req = conn->req;
    const fa__request_head *h = &req->head;
    size_t body = 0; /* how much of `rest` is the body; all of it or nothing */
    fa__dispatched what;

    ++conn->requests;
    fa__count(&conn->worker->counters.requests, 1);
    fa__count(&conn->worker->counters.active, 1);
    req->app = conn->worker->app;
    req->max_body_bytes = limits_of(conn)->max_body_bytes;
    req->body_whole = h->body_kind != FA__BODY_CHUNKED && h->content_length <= rest.len;
    if (req->body_whole) {
        body = (size_t)h->content_length;
        req->body = (fa_slice){rest.p, body};
    }
    conn->body_bytes = 0;
    conn->chunked = NULL;
    conn->continue_owed = h->expect_continue && !req->body_whole && rest.len == 0;
    conn->body_left = h->content_length;
    conn->input = FA__INPUT_WAIT;
    conn->close_after = false;

    ++conn->in_call;
    what = fa__dispatch(req);
    --conn->in_call;
    if (conn->broken)
        return 0;
    if (what == FA__DISPATCH_BODY) {
        expect_body(conn, head, true);
        return 0;
    }
    if (conn->input == FA__INPUT_STREAM || req->answer == FA__ANSWER_ENDED) {
        if (body > 0)
            conn->body_left = 0;
        fa__conn_request_done(conn, 0);
        return body;
    }
    if (req->endpoint != NULL && req->endpoint->stream_body) {
        after_call(conn); /* may have been the end of it */
        if (!conn->broken && conn->req != NULL)
            expect_body(conn, head, false);
        return 0;
    }
    after_call(conn);
    if (!conn->broken && conn->req != NULL)
        keep_for_later(conn, head);
    return body;
}

/* The first byte of a request. */
static bool begin_request(fa__conn *conn)
{
    const fa_limits *l = limits_of(conn);
    const fa__http1_limits limits = {l->max_request_line_bytes, l->max_header_bytes};

    conn->req = fa__worker_take_request(conn->worker);
    if (conn->req == NULL) {
        break_off(conn, FA_ERR_NOMEM);
        return false;
    }
    conn->req->stream = conn;
    conn->req->transport = &fa__http1_transport;
    if (conn->worker->shared->options.access_log)
        conn->req->started_ns = fa__clock_monotonic_ns();
    fa__http1_parser_init(&conn->worker->parser, &conn->req->head, &limits);
    if (conn->requests > 0)
        conn->since = fa__loop_now(conn->worker->loop);
    conn->input = FA__INPUT_HEAD;
    return true;
}

static size_t feed_head(fa__conn *conn, const char *p, size_t n, bool *again)
{
    /* A head that comes whole, as nearly all do, needs no parser of its own. */
    bool fresh = conn->input == FA__INPUT_IDLE;
    fa__http1_parser *parser = fresh ? &conn->worker->parser : &conn->parser;
    ptrdiff_t head;

    if (n == 0 || (fresh && !begin_request(conn)))
        return 0;
    head = fa__http1_parse_head(parser, p, n);
    if (head == 0) {
        if (fresh)
            conn->parser = *parser;
        return 0;
    }
    *again = true;
    if (head < 0) {
        fa__conn_refuse(conn, (int)head);
        return 0;
    }
    return (size_t)head + on_head(conn, (fa_slice){p, (size_t)head},
                                  (fa_slice){p + head, n - (size_t)head});
}

/* Whether the next request must wait, so that others get their turn or the client takes
   the answers it has. */
static bool must_wait(fa__conn *conn, size_t n, uint32_t done)
{
    if (n == 0 || conn->input != FA__INPUT_IDLE)
        return false;
    if (fa__conn_pending(conn) > limits_of(conn)->max_pending_bytes) {
        fa__conn_flush(conn);
        return fa__conn_pending(conn) > limits_of(conn)->max_pending_bytes;
    }
    if (done < limits_of(conn)->max_pipelined)
        return false;
    fa__worker_resume_later(conn->worker, conn);
    return true;
}

static size_t feed_discard(fa__conn *conn, size_t n, bool *again)
{
    size_t used = n < conn->body_left ? n : (size_t)conn->body_left;

    conn->body_left -= used;
    if (conn->body_left == 0) {
        conn->input = FA__INPUT_IDLE;
        conn->since = fa__loop_now(conn->worker->loop);
        *again = true;
    }
    return used;
}

bool fa__conn_can_discard(const fa__conn *conn)
{
    const fa_request *req = conn->req;

    /* Who waits for 100-continue may send the body or the next request: only a new
       connection tells which (RFC 9110, 10.1.1). */
    return body_is_over(conn) || (req->head.body_kind == FA__BODY_LENGTH &&
                                  conn->body_left <= DISCARD_MAX && !conn->continue_owed);
}

size_t fa__conn_feed(fa__conn *conn, const char *p, size_t n)
{
    const uint32_t before = conn->requests;
    size_t used = 0;
    bool again = true;

    conn->in_feed = true;
    while (again && !conn->broken) {
        const char *at = p + used;
        size_t left = n - used;

        again = false;
        switch (conn->input) {
        case FA__INPUT_IDLE:
            if (must_wait(conn, left, conn->requests - before))
                break;
            used += feed_head(conn, at, left, &again);
            break;
        case FA__INPUT_HEAD: used += feed_head(conn, at, left, &again); break;
        case FA__INPUT_BODY: used += feed_body(conn, at, left, &again); break;
        case FA__INPUT_DISCARD: used += feed_discard(conn, left, &again); break;
        case FA__INPUT_STREAM:
            if (left > 0)
                fa__conn_stream_data(conn, (fa_slice){at, left});
            used = n;
            break;
        case FA__INPUT_WAIT: break; /* the next request waits for this answer */
        case FA__INPUT_CLOSING:
        case FA__INPUT_LINGER:
            conn->unread = conn->unread || left > 0;
            used = n;
            break;
        }
    }
    conn->in_feed = false;
    return used;
}
