/* Answers as HTTP/1.1 messages: the transport that response.h speaks to. */
#include <fasterapi/error.h>

#include "app/app.h"
#include "server/answer.h"

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

static int respond(fa_request *req, int status, fa_slice content_type, fa_slice body)
{
    fa__conn *conn = req->stream;
    fa__framing f = fa__answer_frame(req, status, (int64_t)body.len);
    int rv;

    fa__conn_touch(conn);
    if (req->head.method == FA_HEAD)
        body = (fa_slice){NULL, 0};
    rv = fa__answer_head(conn, status, &f, content_type, body);
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
    at = fa__answer_fields(at, &req->fields_out);
    fa__conn_commit(conn, fa__http1_write_literal(at, FA__HTTP1_CRLF));
    fa__count(&conn->worker->counters.responses[0], 1);
    fa__conn_flush(conn); /* its whole point is to arrive before the answer */
    if (conn->broken)
        return failed(conn, FA_ERR_CLOSED);
    return fa__conn_after(conn) ? 0 : FA_ERR_CLOSED;
}

/* The head is out: what its framing means for the body. */
static int started(fa__conn *conn, const fa__framing *f, int status)
{
    fa_request *req = conn->req;

    req->answer = FA__ANSWER_STARTED;
    req->length_left = f->has_length ? (int64_t)f->length : -1;
    conn->head_only = req->head.method == FA_HEAD || status == 204 || status == 304;
    conn->chunked_out = f->chunked && !conn->head_only;
    req->trailers_ok = conn->chunked_out;
    conn->body_sent = 0;
    return fa__conn_after(conn) ? 0 : FA_ERR_CLOSED;
}

static int start(fa_request *req, int status, int64_t length)
{
    fa__conn *conn = req->stream;
    fa__framing f = fa__answer_frame(req, status, length);
    int rv;

    fa__conn_touch(conn);
    rv = fa__answer_head(conn, status, &f, (fa_slice){NULL, 0}, (fa_slice){NULL, 0});
    return rv < 0 ? failed(conn, rv) : started(conn, &f, status);
}

static int start_fields(fa_request *req, int status, const fa_field *fields, size_t count)
{
    fa__conn *conn = req->stream;
    fa__framing f;
    int rv;

    fa__conn_touch(conn);
    rv = fa__answer_head_of_fields(conn, status, fields, count, &f);
    if (rv != 0)
        return conn->broken ? failed(conn, rv) : rv;
    return started(conn, &f, status);
}

/* `hold` is NULL, or taken over. */
static int put_piece(fa__conn *conn, fa_slice data, const fa__hold *hold)
{
    return hold != NULL ? fa__conn_put_held(conn, data, hold) : fa__conn_put(conn, data);
}

static int put_chunk(fa__conn *conn, fa_slice data, const fa__hold *hold)
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
    if (at != NULL)
        fa__conn_commit(conn, fa__http1_write_chunk_head(at, data.len));
    else if (hold != NULL)
        hold->release(hold->ctx);
    if (at == NULL || put_piece(conn, data, hold) != 0)
        return FA_ERR_CLOSED;
    return fa__conn_put(conn, FA_SLICE(FA__HTTP1_CRLF));
}

/* A piece of the body is in the output: whether the writer shall wait. What is written
   outside of any call goes out at once, or, if it `gathers`, with what else comes until
   the worker's next turn. */
static int written(fa__conn *conn, bool gathers)
{
    fa_request *req = conn->req;
    bool outside = !conn->in_feed && conn->in_call == 0, full;

    if ((outside && !gathers) || fa__conn_is_full(conn))
        fa__conn_flush(conn);
    full = !conn->broken && fa__conn_is_full(conn);
    if (full)
        req->told_full = true;
    if (outside && gathers && conn->held != NULL && !full && !conn->broken) {
        fa__worker_resume_later(conn->worker, conn);
        return 0;
    }
    if (!fa__conn_after(conn) || conn->broken)
        return FA_ERR_CLOSED;
    return full ? FA_ERR_FULL : 0;
}

static int write_piece(fa_request *req, fa_slice data, const fa__hold *hold)
{
    fa__conn *conn = req->stream;
    bool gathers;
    int rv;

    if (hold != NULL && (conn->head_only || data.len <= FA__RESERVE_MAX)) {
        rv = write_piece(req, data, NULL);
        hold->release(hold->ctx);
        return rv;
    }
    fa__conn_touch(conn);
    /* The first piece may be the only one, and should not wait for company. */
    gathers = hold != NULL && conn->body_sent > 0;
    conn->body_sent += data.len;
    if (conn->head_only)
        return 0;
    rv = conn->chunked_out ? put_chunk(conn, data, hold) : put_piece(conn, data, hold);
    return rv != 0 ? failed(conn, FA_ERR_CLOSED) : written(conn, gathers);
}

/* Of a file that is known to be short: a copy is cheaper than to wait for the kernel.
   FA_ERR_INVALID: it has become shorter meanwhile. */
static int put_short_file(fa__conn *conn, fa__file *file)
{
    size_t n = (size_t)file->left;
    char *at = fa__conn_reserve(conn, FA__HTTP1_CHUNK_HEAD_MAX + n + 2);

    if (at == NULL)
        return FA_ERR_CLOSED;
    if (conn->chunked_out)
        at = fa__http1_write_chunk_head(at, n);
    while (file->left > 0) {
        ptrdiff_t got = fa__file_read(file, at, (size_t)file->left);

        if (got <= 0)
            return got == 0 ? FA_ERR_INVALID : FA_ERR_SYSTEM;
        at += got;
    }
    if (conn->chunked_out)
        at = fa__http1_write_literal(at, FA__HTTP1_CRLF);
    fa__conn_commit(conn, at);
    return 0;
}

static int put_file(fa__conn *conn, fa__file *file)
{
    enum { SHORT = FA__RESERVE_MAX / 2 };
    fa__file_framing framing = FA__FILE_PLAIN;

    if (file->seekable && file->left <= SHORT)
        return put_short_file(conn, file);
    if (conn->chunked_out)
        framing = file->left == FA__FILE_TO_END ? FA__FILE_CHUNKS : FA__FILE_ONE_CHUNK;
    return conn->broken ? FA_ERR_CLOSED : fa__conn_send_file(conn, file, framing);
}

static int send_file(fa_request *req, int fd, int64_t offset, int64_t length)
{
    fa__conn *conn = req->stream;
    fa__file file;
    uint64_t n;
    int rv = fa__file_part(&file, fd, offset, length);

    if (rv != 0)
        return rv;
    if (conn->sending != NULL)
        return FA_ERR_STATE;
    if (req->length_left >= 0 && file.left == FA__FILE_TO_END)
        file.left = (uint64_t)req->length_left;
    if (req->length_left >= 0 && file.left > (uint64_t)req->length_left)
        return FA_ERR_INVALID;
    fa__conn_touch(conn);
    n = file.left;
    if (n > 0 && !conn->head_only)
        rv = put_file(conn, &file);
    if (rv != 0)
        return rv == FA_ERR_CLOSED ? failed(conn, rv) : rv;
    if (n != FA__FILE_TO_END)
        conn->body_sent += n;
    if (req->length_left >= 0)
        req->length_left -= (int64_t)n;
    return written(conn, false);
}

static int put_last_chunk(fa__conn *conn, const fa__response_fields *trailers)
{
    char *at = fa__conn_reserve(conn, 3 + trailers->bytes + 2);

    if (at == NULL)
        return FA_ERR_CLOSED;
    at = fa__http1_write_literal(at, "0\r\n");
    at = fa__answer_fields(at, trailers);
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
    fa__conn_break_off(conn, FA_ERR_CLOSED);
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
    fa__pace_begin(&conn->reading, now);
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
    fa__pace_begin(&conn->reading, fa__loop_now(conn->worker->loop));
    fa__worker_resume_later(conn->worker, conn);
}

static int upgrade(fa_request *req, fa_slice protocol, const fa_stream_handler *handler,
                   void *user_data, fa_stream **out)
{
    fa__conn *conn = req->stream;
    bool connect = req->head.method == FA_CONNECT;
    size_t room =
        fa__answer_begin_max(conn->worker) + req->fields_out.bytes + protocol.len + 64;
    char *at = fa__conn_reserve(conn, room);

    if (at == NULL)
        return failed(conn, FA_ERR_CLOSED);
    at = fa__answer_begin(at, conn->worker, connect ? 200 : 101, req);
    at = fa__answer_fields(at, &req->fields_out);
    if (!connect) {
        at = fa__http1_write_literal(at, "connection: upgrade\r\n");
        at = fa__http1_write_field(at, FA_SLICE("upgrade"), protocol);
    }
    fa__conn_commit(conn, fa__http1_write_literal(at, FA__HTTP1_CRLF));
    req->status = connect ? 200 : 101;
    *out = fa__stream_start(conn, handler, user_data);
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
    char *text = fa_arena_alloc(&req->arena, FA__ADDRESS_TEXT_MAX);

    *port = 0;
    if (text == NULL)
        return (fa_slice){NULL, 0};
    if (!of_server) {
        *port = fa__address_port(&conn->peer);
        return fa__address_text(text, &conn->peer);
    }
    if (!conn->local_known) {
        if (fa__address_local(&conn->local, conn->io.fd) != 0)
            return (fa_slice){NULL, 0};
        conn->local_known = true;
    }
    *port = fa__address_port(&conn->local);
    return fa__address_text(text, &conn->local);
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
    .start_fields = start_fields,
    .write = write_piece,
    .send_file = send_file,
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
