/* Bytes on their way in: heads, bodies, and when the next request may begin. Read
   fa__conn_feed() first. */
#include <fasterapi/error.h>

#include "app/app.h"
#include "app/dispatch.h"
#include "server/connection.h"

void fa__conn_after_call(fa__conn *conn)
{
    fa_request *req = conn->req;

    if (conn->broken || req == NULL)
        return;
    if (req->answer == FA__ANSWER_NONE && !fa__request_answers_later(req)) {
        ++conn->in_call;
        if (fa__dispatch_fail(req, req->failed != 0 ? req->failed : FA_ERR_STATE) != 0)
            fa__conn_break_off(conn, FA_ERR_NOMEM);
        --conn->in_call;
    }
    if (!conn->broken && req->answer == FA__ANSWER_ENDED)
        fa__conn_request_done(conn, 0);
}

/* No further request is read. Whoever meant to send one, or still sends the body of the
   last, may be doing so just now: finish() in connection.c sees to that. */
static void begin_closing(fa__conn *conn)
{
    conn->input = FA__INPUT_CLOSING;
    if (conn->req->head.keep_alive || !fa__conn_body_is_over(conn))
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
            fa__conn_break_off(conn, error);
        else if (conn->close_after || req->close_after)
            begin_closing(conn);
        else if (fa__conn_body_is_over(conn))
            conn->input = FA__INPUT_IDLE;
        else
            fa__conn_begin_discard(conn);
    }
    conn->req = NULL;
    conn->since = fa__loop_now(w->loop);
    if (conn->gathers && conn->input != FA__INPUT_DISCARD)
        fa__conn_drop_body(conn);
    fa__worker_give_request(w, req);
}

/* The answer comes later: head and body must outlive the buffer they are in. */
static void keep_for_later(fa__conn *conn, fa_slice head)
{
    fa_request *req = conn->req;

    if (fa__request_keep_head(req, head.p, head.len) != 0) {
        fa__conn_break_off(conn, FA_ERR_NOMEM);
        return;
    }
    if (req->body.len > 0) {
        req->body = fa_arena_copy(&req->arena, req->body);
        if (req->body.p == NULL)
            fa__conn_break_off(conn, FA_ERR_NOMEM);
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
    req->max_body_bytes = fa__conn_limits(conn)->max_body_bytes;
    req->body_whole = h->body_kind != FA__BODY_CHUNKED && h->content_length <= rest.len;
    if (req->body_whole) {
        body = (size_t)h->content_length;
        req->body = (fa_slice){rest.p, body};
    }
    conn->body_bytes = 0;
    conn->continue_owed = h->expect_continue && !req->body_whole && rest.len == 0;
    conn->body_left = h->content_length;
    conn->input = FA__INPUT_WAIT;
    conn->close_after = false;

    ++conn->in_call;
    what = fa__dispatch(req);
    --conn->in_call;
    if (what == FA__DISPATCH_TOO_LARGE && !conn->broken)
        fa__conn_answer_refusal(conn, FA_ERR_BODY_TOO_LARGE);
    if (conn->broken)
        return 0;
    if (what == FA__DISPATCH_BODY) {
        fa__conn_expect_body(conn, head, true);
        return 0;
    }
    if (conn->input == FA__INPUT_STREAM || req->answer == FA__ANSWER_ENDED) {
        if (body > 0)
            conn->body_left = 0;
        fa__conn_request_done(conn, 0);
        return body;
    }
    if (req->body_streams && !req->body_whole) {
        fa__conn_after_call(conn); /* may have been the end of it */
        if (!conn->broken && conn->req != NULL)
            fa__conn_expect_body(conn, head, false);
        return 0;
    }
    fa__conn_after_call(conn);
    if (!conn->broken && conn->req != NULL)
        keep_for_later(conn, head);
    return body;
}

/* The first byte of a request. */
static bool begin_request(fa__conn *conn)
{
    const fa_limits *l = fa__conn_limits(conn);
    const fa__http1_limits limits = {l->max_request_line_bytes, l->max_header_bytes};

    conn->req = fa__worker_take_request(conn->worker);
    if (conn->req == NULL) {
        fa__conn_break_off(conn, FA_ERR_NOMEM);
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
    if (fa__conn_is_full(conn)) {
        fa__conn_flush(conn);
        return fa__conn_is_full(conn);
    }
    if (done < fa__conn_limits(conn)->max_pipelined)
        return false;
    fa__worker_resume_later(conn->worker, conn);
    return true;
}

size_t fa__conn_feed(fa__conn *conn, char *p, size_t n)
{
    const uint32_t before = conn->requests;
    size_t used = 0;
    bool again = true;

    conn->in_feed = true;
    while (again && !conn->broken) {
        char *at = p + used;
        size_t left = n - used;

        again = false;
        switch (conn->input) {
        case FA__INPUT_IDLE:
            if (must_wait(conn, left, conn->requests - before))
                break;
            used += feed_head(conn, at, left, &again);
            break;
        case FA__INPUT_HEAD: used += feed_head(conn, at, left, &again); break;
        case FA__INPUT_BODY: used += fa__conn_feed_body(conn, at, left, &again); break;
        case FA__INPUT_DISCARD:
            used += fa__conn_feed_discard(conn, at, left, &again);
            break;
        case FA__INPUT_STREAM:
            if (left > 0)
                used += conn->upgrade->feed(conn, at, left);
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
