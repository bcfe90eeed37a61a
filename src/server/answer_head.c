/* The heads of answers (RFC 9112, sections 4 to 6): framing, and whether the connection
   goes on. */
#include "server/answer.h"

#include <fasterapi/error.h>

#include "http/field.h"

static bool speaks_1_1(const fa_request *req)
{
    return req->refused || req->head.version_minor >= 1;
}

/* RFC 9110, 8.6: no Content-Length in 1xx and 204; that of a 304 would have to be
   that of a 200, which nobody has said. A 2xx to CONNECT has neither field (9.3.6): to
   the client a tunnel begins there, to us, who made none, the end of the connection. */
fa__framing fa__answer_frame(const fa_request *req, int status, int64_t length)
{
    fa__framing f = {false, false, 0};

    if (status == 204 || status == 304 ||
        (req->head.method == FA_CONNECT && status < 300))
        return f;
    f.has_length = length >= 0;
    f.length = length >= 0 ? (uint64_t)length : 0;
    f.chunked = length < 0 && speaks_1_1(req);
    return f;
}

static bool keeps_alive(const fa__conn *conn, const fa__framing *f, int status)
{
    const fa_request *req = conn->req;
    const fa_worker *w = conn->worker;
    uint32_t max = w->shared->options.limits.max_requests_per_connection;
    bool self_delimiting =
        f->has_length || f->chunked || req->head.method == FA_HEAD ||
        ((status == 204 || status == 304) && req->head.method != FA_CONNECT);

    if (req->head.version_minor == 0 && !w->shared->options.keep_alive_1_0)
        return false;
    return req->head.keep_alive && !req->close_after && !req->refused &&
           !conn->close_after && !w->draining && self_delimiting &&
           (max == 0 || conn->requests < max) && fa__conn_can_discard(conn);
}

char *fa__answer_fields(char *at, const fa__response_fields *fields)
{
    for (const fa__response_field *f = fields->first; f != NULL; f = f->next)
        at = fa__http1_write_field(at, f->name, f->value);
    return at;
}

static char *write_date_and_server(char *at, const fa_request *req, fa_worker *w)
{
    const fa__http1_date_block *block = fa__worker_date(w);

    if (req == NULL || (!req->has_date && !req->has_server))
        return fa__http1_write_date_block(at, block);
    if (!req->has_date)
        at = fa__http1_write_bytes(at, block->text, block->date_bytes);
    if (!req->has_server)
        at = fa__http1_write_bytes(at, block->text + block->date_bytes,
                                   block->len - block->date_bytes);
    return at;
}

char *fa__answer_server_fields(char *at, fa_worker *w, const fa_request *req)
{
    const fa_slice *fields = &w->shared->fields;

    at = write_date_and_server(at, req, w);
    return fields->len > 0 ? fa__http1_write_bytes(at, fields->p, fields->len) : at;
}

char *fa__answer_begin(char *at, fa_worker *w, int status, const fa_request *req)
{
    return fa__answer_server_fields(fa__http1_write_status_line(at, status), w, req);
}

static char *write_connection(char *at, const fa__conn *conn)
{
    if (conn->close_after)
        return fa__http1_write_literal(at, FA__HTTP1_CLOSE);
    if (!speaks_1_1(conn->req))
        return fa__http1_write_literal(at, FA__HTTP1_KEEP_ALIVE);
    return at;
}

int fa__answer_head(fa__conn *conn, int status, const fa__framing *f, fa_slice type,
                    fa_slice body)
{
    fa_request *req = conn->req;
    size_t room = fa__answer_begin_max(conn->worker) + FA__HTTP1_CONTENT_LENGTH_MAX +
                  type.len + sizeof("content-type: \r\n") + req->fields_out.bytes +
                  sizeof(FA__HTTP1_CHUNKED) + sizeof(FA__HTTP1_KEEP_ALIVE) + 2;
    bool with_body = body.len > 0 && body.len <= FA__RESERVE_MAX - 2048;
    char *at = fa__conn_reserve(conn, room + (with_body ? body.len : 0));

    if (at == NULL)
        return conn->finish_error != 0 ? conn->finish_error : FA_ERR_CLOSED;
    conn->close_after = !keeps_alive(conn, f, status);
    at = fa__answer_begin(at, conn->worker, status, req);
    if (f->has_length)
        at = fa__http1_write_content_length(at, f->length);
    if (type.len > 0) {
        at = fa__http1_write_literal(at, "content-type: ");
        at = fa__http1_write_bytes(at, type.p, type.len);
        at = fa__http1_write_literal(at, FA__HTTP1_CRLF);
    }
    at = fa__answer_fields(at, &req->fields_out);
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

/* Takes what one field says about the framing into `f`, and `*close`. */
static int note_field(fa__framing *f, bool *close, fa_slice name, fa_slice value)
{
    if (name.len == 14 && fa__equal_nocase(name, FA_SLICE("content-length"))) {
        if (f->has_length || f->chunked || !fa__digits(&f->length, value) ||
            f->length > INT64_MAX)
            return FA_ERR_CONTENT_LENGTH;
        f->has_length = true;
        return 0;
    }
    if (name.len == 17 && fa__equal_nocase(name, FA_SLICE("transfer-encoding"))) {
        if (f->has_length || f->chunked || !fa__equal_nocase(value, FA_SLICE("chunked")))
            return FA_ERR_TRANSFER_ENCODING;
        f->chunked = true;
    } else if (name.len == 10 && fa__equal_nocase(name, FA_SLICE("connection"))) {
        *close = *close || fa__list_has(value, FA_SLICE("close"));
    }
    return 0;
}

/* What all fields say; `*bytes` is the room that they need. */
static int judge_fields(fa__framing *f, bool *close, size_t *bytes,
                        const fa_field *fields, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        fa_slice name = fields[i].name, value = fa__trim(fields[i].value);
        int rv;

        if (!fa__token_valid(name))
            return FA_ERR_FIELD_NAME;
        if (!fa__field_value_valid(value))
            return FA_ERR_FIELD_VALUE;
        rv = note_field(f, close, name, value);
        if (rv != 0)
            return rv;
        *bytes += fa__http1_field_max(name, value);
    }
    return 0;
}

int fa__answer_head_of_fields(fa__conn *conn, int status, const fa_field *fields,
                              size_t count, fa__framing *out)
{
    fa_request *req = conn->req;
    fa__framing f = {false, false, 0};
    bool said_close = false, said_chunked;
    size_t bytes = 0;
    int rv = judge_fields(&f, &said_close, &bytes, fields, count);
    char *at;

    if (rv != 0)
        return rv;
    said_chunked = f.chunked;
    if (said_chunked && !speaks_1_1(req))
        return FA_ERR_TRANSFER_ENCODING;
    if (!f.has_length && !f.chunked && req->head.method != FA_HEAD)
        f.chunked = fa__answer_frame(req, status, -1).chunked;
    at = fa__conn_reserve(conn, fa__answer_begin_max(conn->worker) + bytes +
                                    sizeof(FA__HTTP1_CHUNKED) +
                                    sizeof(FA__HTTP1_KEEP_ALIVE) + 2);
    if (at == NULL)
        return conn->finish_error != 0 ? conn->finish_error : FA_ERR_CLOSED;
    req->close_after = req->close_after || said_close;
    conn->close_after = !keeps_alive(conn, &f, status);
    at = fa__answer_begin(at, conn->worker, status, NULL);
    for (size_t i = 0; i < count; ++i)
        at = fa__http1_write_field(at, fields[i].name, fa__trim(fields[i].value));
    if (!said_close)
        at = write_connection(at, conn);
    if (f.chunked && !said_chunked)
        at = fa__http1_write_literal(at, FA__HTTP1_CHUNKED);
    fa__conn_commit(conn, fa__http1_write_literal(at, FA__HTTP1_CRLF));
    req->status = status;
    *out = f;
    return 0;
}
