/* Answers as HTTP/1.1 messages: the transport that response.h speaks to. */
#include <fasterapi/error.h>

#include "app/app.h"
#include "server/connection.h"

/* The request is a stranger's pointer from here on if it was answered from outside of
   any callback; the connection goes on by itself. */
static int answered(fa__conn *conn)
{
    conn->req->answer = FA__ANSWER_ENDED;
    (void)fa__conn_after(conn);
    return 0;
}

/* Nothing more can be sent: from outside of any callback, the connection ends here. */
static int failed(fa__conn *conn, int error)
{
    (void)fa__conn_after(conn);
    return error;
}

static bool speaks_1_1(const fa_request *req)
{
    return req->refused || req->head.version_minor >= 1;
}

/* How the body of an answer is framed (RFC 9112, section 6). */
typedef struct framing {
    bool has_length; /* send Content-Length */
    bool chunked;
    uint64_t length;
} framing;

/* RFC 9110, 8.6: no Content-Length in 1xx and 204; that of a 304 would have to be
   that of a 200, which nobody has said. A 2xx to CONNECT has neither field (9.3.6): to
   the client a tunnel begins there, to us, who made none, the end of the connection. */
static framing frame(const fa_request *req, int status, int64_t length)
{
    framing f = {false, false, 0};

    if (status == 204 || status == 304 ||
        (req->head.method == FA_CONNECT && status < 300))
        return f;
    f.has_length = length >= 0;
    f.length = length >= 0 ? (uint64_t)length : 0;
    f.chunked = length < 0 && speaks_1_1(req);
    return f;
}

static bool keeps_alive(const fa__conn *conn, const framing *f, int status)
{
    const fa_request *req = conn->req;
    const fa_worker *w = conn->worker;
    uint32_t max = w->shared->options.limits.max_requests_per_connection;
    bool self_delimiting =
        f->has_length || f->chunked ||
        ((status == 204 || status == 304) && req->head.method != FA_CONNECT);

    return req->head.keep_alive && !req->close_after && !req->refused &&
           !conn->close_after && !w->draining && self_delimiting &&
           (max == 0 || conn->requests < max) && fa__conn_can_discard(conn);
}

static char *write_fields(char *at, const fa__response_fields *fields)
{
    for (const fa__response_field *f = fields->first; f != NULL; f = f->next)
        at = fa__http1_write_field(at, f->name, f->value);
    return at;
}

/* The lines date and server, but for one that the application has set itself. */
static char *write_date_and_server(char *at, const fa_request *req, fa_worker *w)
{
    const fa__http1_date_block *block = fa__worker_date(w);

    if (!req->has_date && !req->has_server)
        return fa__http1_write_date_block(at, block);
    if (!req->has_date)
        at = fa__http1_write_bytes(at, block->text, block->date_bytes);
    if (!req->has_server)
        at = fa__http1_write_bytes(at, block->text + block->date_bytes,
                                   block->len - block->date_bytes);
    return at;
}

static char *write_connection(char *at, const fa__conn *conn)
{
    if (conn->close_after)
        return fa__http1_write_literal(at, FA__HTTP1_CLOSE);
    if (!speaks_1_1(conn->req))
        return fa__http1_write_literal(at, FA__HTTP1_KEEP_ALIVE);
    return at;
}

/* Writes the head into the output, followed by `body` where that is small enough to be
   worth copying; returns whether it did, or an error. */
static int write_head(fa__conn *conn, int status, const framing *f, fa_slice type,
                      fa_slice body)
{
    fa_request *req = conn->req;
    size_t room = FA__HTTP1_STATUS_LINE_MAX + FA__HTTP1_DATE_BLOCK_MAX +
                  FA__HTTP1_CONTENT_LENGTH_MAX + type.len + sizeof("content-type: \r\n") +
                  req->fields_out.bytes + sizeof(FA__HTTP1_CHUNKED) +
                  sizeof(FA__HTTP1_KEEP_ALIVE) + 2;
    bool with_body = body.len > 0 && body.len <= FA__RESERVE_MAX - 2048;
    char *at = fa__conn_reserve(conn, room + (with_body ? body.len : 0));

    if (at == NULL)
        return conn->finish_error != 0 ? conn->finish_error : FA_ERR_CLOSED;
    conn->close_after = !keeps_alive(conn, f, status);
    at = fa__http1_write_status_line(at, status);
    at = write_date_and_server(at, req, conn->worker);
    if (f->has_length)
        at = fa__http1_write_content_length(at, f->length);
    if (type.len > 0)
        at = fa__http1_write_field(at, FA_SLICE("content-type"), type);
    at = write_fields(at, &req->fields_out);
    if (f->chunked)
        at = fa__http1_write_literal(at, FA__HTTP1_CHUNKED);
    at = write_connection(at, conn);
    at = fa__http1_write_literal(at, FA__HTTP1_CRLF);
    if (with_body)
        at = fa__http1_write_bytes(at, body.p, body.len);
    fa__conn_commit(conn, at);
    req->status = status;
    return with_body ? 1 : 0;
}

static int respond(fa_request *req, int status, fa_slice content_type, fa_slice body)
{
    fa__conn *conn = req->stream;
    framing f = frame(req, status, (int64_t)body.len);
    int rv;

    fa__conn_touch(conn);
    if (req->head.method == FA_HEAD)
        body = (fa_slice){NULL, 0};
    rv = write_head(conn, status, &f, content_type, body);
    if (rv < 0)
        return failed(conn, rv);
    if (rv == 0 && body.len > 0 && fa__conn_put(conn, body) != 0)
        return failed(conn, FA_ERR_CLOSED);
    conn->body_sent = body.len;
    return answered(conn);
}

static int interim(fa_request *req, int status)
{
    fa__conn *conn = req->stream;
    char *at =
        fa__conn_reserve(conn, FA__HTTP1_STATUS_LINE_MAX + req->fields_out.bytes + 2);

    if (at == NULL)
        return failed(conn, FA_ERR_CLOSED);
    if (status == 100)
        conn->continue_owed = false;
    fa__conn_touch(conn);
    at = fa__http1_write_status_line(at, status);
    at = write_fields(at, &req->fields_out);
    fa__conn_commit(conn, fa__http1_write_literal(at, FA__HTTP1_CRLF));
    fa__count(&conn->worker->counters.responses[0], 1);
    fa__conn_flush(conn); /* its whole point is to arrive before the answer */
    if (conn->broken)
        return failed(conn, FA_ERR_CLOSED);
    return fa__conn_after(conn) ? 0 : FA_ERR_CLOSED;
}

static int start(fa_request *req, int status, int64_t length)
{
    fa__conn *conn = req->stream;
    framing f = frame(req, status, length);
    int rv;

    fa__conn_touch(conn);
    rv = write_head(conn, status, &f, (fa_slice){NULL, 0}, (fa_slice){NULL, 0});
    if (rv < 0)
        return failed(conn, rv);
    req->answer = FA__ANSWER_STARTED;
    req->length_left = f.has_length ? length : -1;
    conn->head_only = req->head.method == FA_HEAD || status == 204 || status == 304;
    conn->chunked_out = f.chunked && !conn->head_only;
    req->trailers_ok = conn->chunked_out;
    conn->body_sent = 0;
    return fa__conn_after(conn) ? 0 : FA_ERR_CLOSED;
}

static int put_chunk(fa__conn *conn, fa_slice data)
{
    char *at;

    if (data.len <= FA__RESERVE_MAX / 2) {
        at = fa__conn_reserve(conn, FA__HTTP1_CHUNK_HEAD_MAX + data.len + 2);
        if (at == NULL)
            return FA_ERR_CLOSED;
        at = fa__http1_write_chunk_head(at, data.len);
        at = fa__http1_write_bytes(at, data.p, data.len);
        fa__conn_commit(conn, fa__http1_write_literal(at, FA__HTTP1_CRLF));
        return 0;
    }
    at = fa__conn_reserve(conn, FA__HTTP1_CHUNK_HEAD_MAX);
    if (at == NULL)
        return FA_ERR_CLOSED;
    fa__conn_commit(conn, fa__http1_write_chunk_head(at, data.len));
    if (fa__conn_put(conn, data) != 0)
        return FA_ERR_CLOSED;
    return fa__conn_put(conn, FA_SLICE(FA__HTTP1_CRLF));
}

static int write_piece(fa_request *req, fa_slice data)
{
    fa__conn *conn = req->stream;
    size_t max = conn->worker->shared->options.limits.max_pending_bytes;
    bool full;

    fa__conn_touch(conn);
    conn->body_sent += data.len;
    if (conn->head_only)
        return 0;
    if ((conn->chunked_out ? put_chunk(conn, data) : fa__conn_put(conn, data)) != 0)
        return failed(conn, FA_ERR_CLOSED);
    if (conn->in_feed || conn->in_call > 0) {
        if (fa__conn_pending(conn) > max)
            fa__conn_flush(conn);
    } else {
        fa__conn_flush(conn);
    }
    full = !conn->broken && fa__conn_pending(conn) > max;
    if (full)
        req->told_full = true;
    if (!fa__conn_after(conn) || conn->broken)
        return FA_ERR_CLOSED;
    return full ? FA_ERR_FULL : 0;
}

static int put_last_chunk(fa__conn *conn, const fa__response_fields *trailers)
{
    char *at = fa__conn_reserve(conn, 3 + trailers->bytes + 2);

    if (at == NULL)
        return FA_ERR_CLOSED;
    at = fa__http1_write_literal(at, "0\r\n");
    at = write_fields(at, trailers);
    fa__conn_commit(conn, fa__http1_write_literal(at, FA__HTTP1_CRLF));
    return 0;
}

static int end(fa_request *req)
{
    fa__conn *conn = req->stream;

    fa__conn_touch(conn);
    if (conn->chunked_out && put_last_chunk(conn, &req->trailers_out) != 0)
        return failed(conn, FA_ERR_CLOSED);
    conn->chunked_out = false;
    return answered(conn);
}

static void abort_answer(fa_request *req)
{
    fa__conn *conn = req->stream;

    /* What is queued goes out, so that the client sees where it broke off. */
    fa__conn_flush(conn);
    conn->broken = true;
    if (conn->finish_error == 0)
        conn->finish_error = FA_ERR_CLOSED;
    (void)fa__conn_after(conn);
}

static size_t pending(const fa_request *req)
{
    return fa__conn_pending(req->stream);
}

static int read_body(fa_request *req)
{
    fa__conn *conn = req->stream;
    fa__msec now;

    fa__conn_touch(conn);
    now = fa__loop_now(conn->worker->loop);
    conn->reading = (fa__pace){.since = now, .last = now};
    fa__conn_want_body(conn);
    if (!conn->in_feed)
        fa__worker_resume_later(conn->worker, conn);
    return 0;
}

static void pause(fa_request *req, bool paused)
{
    fa__conn *conn = req->stream;

    if (paused) {
        (void)fa__conn_after(conn);
        return;
    }
    fa__conn_touch(conn);
    /* The time it was held back is not the client's fault. */
    conn->reading = (fa__pace){.since = fa__loop_now(conn->worker->loop),
                               .last = fa__loop_now(conn->worker->loop)};
    fa__worker_resume_later(conn->worker, conn);
}

static int upgrade(fa_request *req, fa_slice protocol, const fa_stream_handler *handler,
                   void *user_data, fa_stream **out)
{
    fa__conn *conn = req->stream;
    bool connect = req->head.method == FA_CONNECT;
    size_t room = FA__HTTP1_STATUS_LINE_MAX + FA__HTTP1_DATE_BLOCK_MAX +
                  req->fields_out.bytes + protocol.len + 64;
    char *at = fa__conn_reserve(conn, room);

    if (at == NULL)
        return failed(conn, FA_ERR_CLOSED);
    at = fa__http1_write_status_line(at, connect ? 200 : 101);
    at = write_date_and_server(at, req, conn->worker);
    at = write_fields(at, &req->fields_out);
    if (!connect) {
        at = fa__http1_write_literal(at, "connection: upgrade\r\n");
        at = fa__http1_write_field(at, FA_SLICE("upgrade"), protocol);
    }
    fa__conn_commit(conn, fa__http1_write_literal(at, FA__HTTP1_CRLF));
    req->status = connect ? 200 : 101;
    conn->stream = (fa_stream){.handler = *handler, .user_data = user_data};
    conn->input = FA__INPUT_STREAM;
    *out = &conn->stream;
    conn->req->answer = FA__ANSWER_ENDED;
    return fa__conn_after(conn) ? 0 : FA_ERR_CLOSED;
}

static fa_deferred *defer(fa_request *req)
{
    fa__conn *conn = req->stream;

    return fa__deferred_new(req, conn->worker);
}

static fa_slice address(fa_request *req, bool of_server, uint16_t *port)
{
    fa__conn *conn = req->stream;
    fa__address local;
    char *text = fa_arena_alloc(&req->arena, FA__ADDRESS_TEXT_MAX);

    *port = 0;
    if (text == NULL)
        return (fa_slice){NULL, 0};
    if (!of_server) {
        *port = fa__address_port(&conn->peer);
        return fa__address_text(text, &conn->peer);
    }
    if (fa__address_local(&local, conn->io.fd) != 0)
        return (fa_slice){NULL, 0};
    *port = fa__address_port(&local);
    return fa__address_text(text, &local);
}

static fa_slice scheme(const fa_request *req)
{
    (void)req;
    return FA_SLICE("http");
}

const fa__transport fa__http1_transport = {
    .respond = respond,
    .interim = interim,
    .start = start,
    .write = write_piece,
    .end = end,
    .abort = abort_answer,
    .pending = pending,
    .read = read_body,
    .pause = pause,
    .upgrade = upgrade,
    .defer = defer,
    .address = address,
    .scheme = scheme,
};
