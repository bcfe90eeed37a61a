/* The handshake of WebSockets: what a request asks for, and its answer (RFC 6455,
   section 4). */
#include <fasterapi/error.h>

#include "app/app.h"
#include "app/dispatch.h"
#include "base/ascii.h"
#include "http/field.h"
#include "server/answer.h"
#include "server/websocket.h"

/* More subprotocols than anybody has: going through them one by one must not take long,
   whoever names them. */
enum { PROTOCOLS_MAX = 100 };

void fa_websocket_options_init(fa_websocket_options *options)
{
    const fa__ws_limits limits = FA__WS_LIMITS_DEFAULT;
    const fa__ws_writer_options writer = FA__WS_WRITER_DEFAULT;

    *options = (fa_websocket_options){
        .max_message_bytes = limits.max_message_bytes,
        .max_fragments = limits.max_fragments,
        .inflate_ratio_from = limits.inflate_ratio_from,
        .inflate_ratio = limits.inflate_ratio,
        .ping_interval_ms = 20000,
        .ping_timeout_ms = 20000,
        .close_timeout_ms = 10000,
        .deflate = true,
        .deflate_level = writer.deflate_level,
        .deflate_window_bits = writer.deflate_window_bits,
        .min_deflate_bytes = (uint32_t)writer.min_deflate_bytes,
    };
}

static bool options_valid(const fa_websocket_options *o)
{
    return o->max_fragments > 0 && o->deflate_level >= 1 && o->deflate_level <= 9 &&
           o->deflate_window_bits >= 9 && o->deflate_window_bits <= 15;
}

bool fa_request_is_websocket(const fa_request *req)
{
    return fa__ws_asked(&req->head);
}

size_t fa_websocket_protocol_count(const fa_request *req)
{
    fa__ws_protocol_iter it = {{NULL, 0}, 0};
    fa_slice protocol;
    size_t n = 0;

    while (n <= PROTOCOLS_MAX && fa__ws_protocol_next(&it, &protocol, &req->head))
        ++n;
    return n;
}

fa_slice fa_websocket_protocol_at(const fa_request *req, size_t i)
{
    fa__ws_protocol_iter it = {{NULL, 0}, 0};
    fa_slice protocol = {NULL, 0};

    do {
        if (!fa__ws_protocol_next(&it, &protocol, &req->head))
            return (fa_slice){NULL, 0};
    } while (i-- > 0);
    return protocol;
}

/* The status that refuses, or 0 and `*answer`. */
static int judge(fa__ws_answer *answer, const fa_request *req,
                 const fa_websocket_options *o)
{
    /* The windows that we wish for; the client's only where it says that it can. */
    const fa__ws_deflate wish = {.on = o->deflate,
                                 .server_max_window_bits = o->deflate_window_bits,
                                 .client_max_window_bits = o->deflate_window_bits};
    int status;

    if (fa_websocket_protocol_count(req) > PROTOCOLS_MAX)
        return 400;
    if (fa__ws_judge(&status, answer, &req->head, &wish) != 0)
        return 500;
    return status;
}

int fa_websocket_judge(const fa_request *req)
{
    fa_websocket_options options;
    fa__ws_answer answer;

    fa_websocket_options_init(&options);
    return judge(&answer, req, &options);
}

int fa_websocket_refuse(fa_request *req, int status)
{
    const fa_slice body = FA_SLICE("{\"detail\":\"Upgrade Required\"}");
    /* RFC 9110, 15.5.22 and 7.8; RFC 6455, 4.4. */
    const fa_field fields[] = {
        {FA_SLICE("upgrade"), FA_SLICE("websocket")},
        {FA_SLICE("connection"), FA_SLICE("upgrade, close")},
        {FA_SLICE("sec-websocket-version"), FA_SLICE("13")},
        {FA_SLICE("content-type"), FA_SLICE("application/json")},
        {FA_SLICE("content-length"), FA_SLICE("29")},
    };
    int rv;

    if (status != 426) {
        /* What follows was perhaps meant as frames. */
        fa_response_close(req);
        return fa_respond_error(req, status, (fa_slice){NULL, 0});
    }
    rv = fa_response_start_fields(req, status, fields, sizeof(fields) / sizeof(*fields));
    if (rv == 0)
        rv = fa_response_write(req, body);
    if (rv == 0)
        rv = fa_response_end(req);
    return rv;
}

/* Fields that the server alone may put into the 101: of the handshake, or of the body
   that a 101 does not have (RFC 9110, 8.6). */
static bool is_servers_own(fa_slice name)
{
    static const fa_slice names[] = {
        {"connection", 10},
        {"upgrade", 7},
        {"sec-websocket-accept", 20},
        {"sec-websocket-extensions", 24},
        {"sec-websocket-protocol", 22},
        {"content-length", 14},
        {"transfer-encoding", 17},
        {"trailer", 7},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i) {
        if (fa__equal_nocase(name, names[i]))
            return true;
    }
    return false;
}

static int judge_fields(size_t *bytes, const fa_field *fields, size_t count)
{
    *bytes = 0;
    for (size_t i = 0; i < count; ++i) {
        fa_slice value = fa__trim(fields[i].value);

        if (!fa__token_valid(fields[i].name))
            return FA_ERR_FIELD_NAME;
        if (!fa__field_value_valid(value))
            return FA_ERR_FIELD_VALUE;
        if (is_servers_own(fields[i].name))
            return FA_ERR_INVALID;
        *bytes += fa__http1_field_max(fields[i].name, value);
    }
    return 0;
}

/* In the order of uvicorn's, so that who compares finds the same. */
static int write_101(fa__conn *conn, const fa__ws_answer *answer, fa_slice protocol,
                     const fa_field *fields, size_t count, size_t field_bytes)
{
    fa_request *req = conn->req;
    size_t room = fa__answer_begin_max(conn->worker) + FA__WS_ACCEPT_LENGTH +
                  answer->extensions_len + protocol.len + field_bytes +
                  req->fields_out.bytes + 192;
    char *at = fa__conn_reserve(conn, room);

    if (at == NULL)
        return conn->finish_error == FA_ERR_NOMEM ? FA_ERR_NOMEM : FA_ERR_CLOSED;
    at = fa__http1_write_status_line(at, 101);
    at = fa__http1_write_literal(at, "upgrade: websocket\r\nconnection: Upgrade\r\n");
    at = fa__http1_write_field(at, FA_SLICE("sec-websocket-accept"),
                               (fa_slice){answer->accept, FA__WS_ACCEPT_LENGTH});
    if (protocol.len > 0)
        at = fa__http1_write_field(at, FA_SLICE("sec-websocket-protocol"), protocol);
    if (answer->extensions_len > 0)
        at =
            fa__http1_write_field(at, FA_SLICE("sec-websocket-extensions"),
                                  (fa_slice){answer->extensions, answer->extensions_len});
    at = fa__answer_server_fields(at, conn->worker, req);
    at = fa__answer_fields(at, &req->fields_out);
    for (size_t i = 0; i < count; ++i)
        at = fa__http1_write_field(at, fields[i].name, fa__trim(fields[i].value));
    fa__conn_commit(conn, fa__http1_write_literal(at, FA__HTTP1_CRLF));
    return 0;
}

/* Of the connection whose 101 is to be written. Returns 0, FA_ERR_NOMEM or FA_ERR_INVALID
 * (options). */
static int make(fa_websocket **out, fa__conn *conn, const fa_websocket_options *o,
                const fa__ws_deflate *deflate, const fa_websocket_handler *handler,
                void *user_data)
{
    const fa_allocator *alloc = &conn->worker->shared->alloc;
    fa__ws_options options = FA__WS_OPTIONS_DEFAULT;
    fa_websocket *ws = fa__calloc(alloc, 1, sizeof(*ws));
    int rv;

    if (ws == NULL)
        return FA_ERR_NOMEM;
    options.limits = (fa__ws_limits){o->max_message_bytes, o->inflate_ratio_from,
                                     o->inflate_ratio, o->max_fragments};
    options.writer.min_deflate_bytes = o->min_deflate_bytes;
    options.writer.deflate_level = o->deflate_level;
    options.writer.deflate_window_bits = o->deflate_window_bits;
    options.deflate = *deflate;
    ws->conn = conn;
    ws->handler = *handler;
    ws->user_data = user_data;
    ws->ping_interval_ms = o->ping_interval_ms;
    ws->ping_timeout_ms = o->ping_timeout_ms;
    ws->close_timeout_ms = o->close_timeout_ms;
    rv = fa__ws_init(&ws->protocol, &options, &fa__websocket_events, ws,
                     &conn->worker->control, alloc);
    if (rv != 0) {
        fa__release(alloc, ws);
        return rv;
    }
    *out = ws;
    return 0;
}

void fa__websocket_del(fa_websocket *ws)
{
    const fa_allocator *alloc = &ws->conn->worker->shared->alloc;

    fa__ws_free(&ws->protocol);
    fa__release(alloc, ws);
}

/* From here on what comes is its. */
static void start(fa_websocket *ws)
{
    fa__conn *conn = ws->conn;

    ws->heard = fa__loop_now(conn->worker->loop);
    fa__count(&conn->worker->counters.websockets, 1);
    fa__count(&conn->worker->counters.websockets_open, 1);
    conn->upgrade = &fa__websocket_upgrade;
    conn->websocket = ws;
    conn->input = FA__INPUT_STREAM;
}

int fa_websocket_accept(fa_request *req, fa_slice protocol, const fa_field *fields,
                        size_t count, const fa_websocket_options *options,
                        const fa_websocket_handler *handler, void *user_data,
                        fa_websocket **out)
{
    fa__conn *conn = req->stream;
    fa_websocket_options defaults;
    fa__ws_answer answer;
    fa_websocket *ws;
    size_t bytes;
    int rv;

    if (req->answer != FA__ANSWER_NONE || !fa_request_is_websocket(req))
        return FA_ERR_STATE;
    fa_websocket_options_init(&defaults);
    if (options == NULL)
        options = &defaults;
    if (!options_valid(options))
        return FA_ERR_INVALID;
    rv = judge(&answer, req, options);
    if (rv != 0)
        return rv == 500 ? FA_ERR_SYSTEM : FA_ERR_INVALID;
    if (!fa__field_value_valid(protocol))
        return FA_ERR_FIELD_VALUE;
    rv = judge_fields(&bytes, fields, count);
    if (rv != 0)
        return rv;
    if (conn->broken)
        return FA_ERR_CLOSED;
    rv = make(&ws, conn, options, &answer.deflate, handler, user_data);
    if (rv != 0)
        return rv;
    fa__conn_touch(conn);
    fa__dispatch_response(req, 101);
    rv = write_101(conn, &answer, protocol, fields, count, bytes);
    if (rv != 0) {
        fa__websocket_del(ws);
        fa__conn_after_alive(conn);
        return rv;
    }
    start(ws);
    req->status = 101;
    req->answer = FA__ANSWER_ENDED;
    *out = ws;
    fa__conn_after_alive(conn);
    return 0;
}
