/* WebSockets after the handshake: messages both ways, keep-alive, the end. */
#include "server/websocket.h"

#include <fasterapi/error.h>

static fa__msec now_of(const fa_websocket *ws)
{
    return fa__loop_now(ws->conn->worker->loop);
}

/* ---- output ---- */

/* Passes on the control frame that the protocol has just written, before anything else
   is written: so frames keep their order. */
static void put_control(fa_websocket *ws)
{
    fa__buf *frame = ws->protocol.out;

    if (frame->len > 0)
        (void)fa__conn_put(ws->conn, (fa_slice){frame->p, frame->len});
    frame->len = 0;
}

static bool is_above_room(fa_websocket *ws)
{
    const size_t max = fa__conn_limits(ws->conn)->max_pending_bytes;

    if (fa__conn_pending(ws->conn) <= max)
        return false;
    fa__conn_flush(ws->conn);
    return fa__conn_pending(ws->conn) > max;
}

static bool is_over(const fa_websocket *ws)
{
    return ws->ended || ws->conn->broken;
}

/* A short message is copied once, behind what the batch has written before. */
static int put_message(fa__conn *conn, const fa__ws_frame *frame, fa_slice payload)
{
    bool small = payload.len <= FA__RESERVE_MAX - FA__WS_FRAME_HEAD_MAX;
    char *at = fa__conn_reserve(conn, FA__WS_FRAME_HEAD_MAX + (small ? payload.len : 0));

    if (at == NULL)
        return FA_ERR_CLOSED;
    at += fa__ws_frame_write(at, frame);
    if (small)
        at = fa__http1_write_bytes(at, payload.p != NULL ? payload.p : "", payload.len);
    fa__conn_commit(conn, at);
    return small ? 0 : fa__conn_put(conn, payload);
}

int fa_websocket_send(fa_websocket *ws, fa_websocket_kind kind, fa_slice data)
{
    fa__conn *conn = ws->conn;
    fa__ws_frame frame;
    fa_slice payload;
    int rv;

    if (is_over(ws))
        return FA_ERR_CLOSED;
    if (kind != FA_WEBSOCKET_TEXT && kind != FA_WEBSOCKET_BINARY)
        return FA_ERR_INVALID;
    fa__conn_touch(conn);
    rv = fa__ws_send_begin(&ws->protocol, &frame, &payload,
                           kind == FA_WEBSOCKET_TEXT ? FA__WS_TEXT : FA__WS_BINARY, data);
    if (rv != 0)
        return rv;
    rv = put_message(conn, &frame, payload);
    fa__ws_send_end(&ws->protocol);
    if (rv != 0) {
        rv = conn->finish_error == FA_ERR_NOMEM ? FA_ERR_NOMEM : FA_ERR_CLOSED;
    } else {
        fa__count(&conn->worker->counters.messages_out, 1);
        if (is_above_room(ws)) {
            ws->told_full = true;
            rv = FA_ERR_FULL;
        }
    }
    fa__conn_after_alive(conn);
    return rv;
}

int fa_websocket_ping(fa_websocket *ws, fa_slice payload)
{
    int rv;

    if (is_over(ws))
        return FA_ERR_CLOSED;
    fa__conn_touch(ws->conn);
    rv = fa__ws_ping(&ws->protocol, payload);
    if (rv != 0)
        return rv;
    put_control(ws);
    fa__conn_after_alive(ws->conn);
    return 0;
}

int fa_websocket_close(fa_websocket *ws, uint16_t code, fa_slice reason)
{
    int rv;

    if (is_over(ws))
        return FA_ERR_CLOSED;
    fa__conn_touch(ws->conn);
    rv = fa__ws_close(&ws->protocol, code, reason);
    if (rv != 0)
        return rv;
    put_control(ws);
    ws->asked = now_of(ws);
    fa__conn_after_alive(ws->conn);
    return 0;
}

void fa_websocket_abort(fa_websocket *ws)
{
    fa__conn_break_off(ws->conn, FA_ERR_CLOSED);
    fa__worker_resume_later(ws->conn->worker, ws->conn);
}

size_t fa_websocket_pending(const fa_websocket *ws)
{
    return fa__conn_pending(ws->conn);
}

/* ---- the end ---- */

/* The last call of the application. */
static void tell_end(fa_websocket *ws, uint16_t code, fa_slice reason)
{
    if (ws->ended)
        return;
    ws->ended = true;
    fa__count(&ws->conn->worker->counters.websockets_open, (uint64_t)-1);
    if (ws->handler.on_close == NULL)
        return;
    ++ws->conn->in_call;
    ws->handler.on_close(ws, code, reason, ws->user_data);
    --ws->conn->in_call;
}

/* The connection is no WebSocket any more: what is written goes out, then it ends, the
   server first (RFC 6455, 7.1.1). */
static void leave(fa_websocket *ws)
{
    fa__conn *conn = ws->conn;

    conn->upgrade = NULL;
    fa__conn_begin_closing(conn);
    fa__websocket_del(ws);
}

/* ---- input ---- */

static bool may_read(const fa_websocket *ws)
{
    return !ws->paused && !ws->choked && !is_over(ws);
}

/* After an event: whether there may be another. A peer that does not take what its
   messages and pings lead to is not read from either. */
static void look_up(fa_websocket *ws)
{
    if (!is_over(ws) && is_above_room(ws))
        ws->choked = true;
    if (!may_read(ws))
        fa__ws_pause(&ws->protocol);
}

static void on_message(void *ctx, fa__ws_opcode opcode, fa_slice bytes)
{
    fa_websocket *ws = ctx;

    fa__count(&ws->conn->worker->counters.messages_in, 1);
    if (ws->handler.on_message != NULL) {
        ++ws->conn->in_call;
        ws->handler.on_message(
            ws, opcode == FA__WS_TEXT ? FA_WEBSOCKET_TEXT : FA_WEBSOCKET_BINARY, bytes,
            ws->user_data);
        --ws->conn->in_call;
    }
    look_up(ws);
}

static void on_ping(void *ctx, fa_slice payload)
{
    (void)payload;
    put_control(ctx);
    look_up(ctx);
}

static void on_close(void *ctx, uint16_t code, fa_slice reason)
{
    put_control(ctx);
    tell_end(ctx, code, reason);
}

/* What the peer still sends is not read, and must not lead to a reset that overtakes the
   Close. */
static void on_fail(void *ctx, uint16_t code, const char *why)
{
    fa_websocket *ws = ctx;

    put_control(ws);
    ws->conn->unread = true;
    tell_end(ws, code, fa_slice_of(why));
}

const fa__ws_events fa__websocket_events = {
    .message = on_message, .ping = on_ping, .close = on_close, .fail = on_fail};

static size_t feed(fa__conn *conn, char *p, size_t n)
{
    fa_websocket *ws = conn->websocket;
    size_t used = 0;

    if (may_read(ws)) {
        ws->heard = now_of(ws);
        ws->pinged = false;
    }
    while (used < n && may_read(ws)) {
        ptrdiff_t rv = fa__ws_feed(&ws->protocol, p + used, n - used);

        /* No memory: the end has been told, as of any other fault. */
        used = rv < 0 ? n : used + (size_t)rv;
    }
    if (ws->ended) {
        leave(ws);
        return n;
    }
    return used;
}

static bool wants_input(const fa__conn *conn)
{
    return may_read(conn->websocket);
}

void fa_websocket_pause(fa_websocket *ws)
{
    if (ws->paused || is_over(ws))
        return;
    ws->paused = true;
    fa__conn_after_alive(ws->conn);
}

void fa_websocket_resume(fa_websocket *ws)
{
    if (!ws->paused || is_over(ws))
        return;
    ws->paused = false;
    fa__conn_touch(ws->conn);
    ws->heard = ws->asked = now_of(ws); /* until now it could not be heard */
    fa__conn_after_alive(ws->conn);
}

/* ---- times ---- */

static bool is_closing(const fa_websocket *ws)
{
    return fa__ws_get_state(&ws->protocol) == FA__WS_CLOSING;
}

/* Since when the peer has had what it is to answer. */
static fa__msec asked_since(const fa_websocket *ws)
{
    fa__msec taken = ws->conn->writing.last;

    return taken > ws->asked ? taken : ws->asked;
}

/* While output waits the write timeout rules: the peer has not got our question. And of
   a peer that the application keeps waiting no pong can be seen. */
static fa__msec deadline(const fa__conn *conn)
{
    const fa_websocket *ws = conn->websocket;

    if (fa__conn_waits_for_socket(conn))
        return FA__NEVER;
    if (is_closing(ws))
        return asked_since(ws) + ws->close_timeout_ms;
    if (ws->pinged) {
        bool waits = ws->ping_timeout_ms != 0 && may_read(ws);

        return waits ? asked_since(ws) + ws->ping_timeout_ms : FA__NEVER;
    }
    return ws->ping_interval_ms != 0 ? ws->heard + ws->ping_interval_ms : FA__NEVER;
}

static void on_deadline(fa__conn *conn)
{
    fa_websocket *ws = conn->websocket;
    const char *why = "keepalive ping timeout"; /* as websockets has it */

    if (is_closing(ws)) {
        fa__count(&conn->worker->counters.timeouts, 1);
        fa__conn_break_off(conn, FA_ERR_TIMEOUT);
    } else if (!ws->pinged) {
        ws->pinged = true;
        ws->asked = now_of(ws);
        if (fa__ws_ping(&ws->protocol, (fa_slice){NULL, 0}) == 0)
            put_control(ws);
        else
            fa__conn_break_off(conn, FA_ERR_NOMEM);
    } else {
        fa__count(&conn->worker->counters.timeouts, 1);
        (void)fa__ws_close(&ws->protocol, FA__WS_INTERNAL_ERROR, fa_slice_of(why));
        on_fail(ws, FA__WS_INTERNAL_ERROR, why);
        leave(ws);
    }
}

/* ---- what the connection calls ---- */

static bool waits_for_room(const fa__conn *conn)
{
    return conn->websocket->told_full || conn->websocket->choked;
}

static void drained(fa__conn *conn)
{
    fa_websocket *ws = conn->websocket;

    ws->choked = false;
    if (!ws->told_full)
        return;
    ws->told_full = false;
    if (ws->handler.on_drain == NULL)
        return;
    ++conn->in_call;
    ws->handler.on_drain(ws, ws->user_data);
    --conn->in_call;
}

static void tell_shutdown(fa__conn *conn)
{
    fa_websocket *ws = conn->websocket;

    if (ws->handler.on_shutdown == NULL) {
        (void)fa_websocket_close(ws, FA_WEBSOCKET_RESTART, (fa_slice){NULL, 0});
        return;
    }
    ++conn->in_call;
    ws->handler.on_shutdown(ws, ws->user_data);
    --conn->in_call;
}

static void peer_ended(fa__conn *conn)
{
    fa_websocket *ws = conn->websocket;

    tell_end(ws, FA_WEBSOCKET_ABNORMAL, (fa_slice){NULL, 0});
    leave(ws);
}

static void closed(fa__conn *conn, int error)
{
    fa_websocket *ws = conn->websocket;

    (void)error;
    tell_end(ws, FA_WEBSOCKET_ABNORMAL, (fa_slice){NULL, 0});
    conn->upgrade = NULL;
    fa__websocket_del(ws);
}

const fa__upgrade fa__websocket_upgrade = {
    .feed = feed,
    .wants_input = wants_input,
    .waits_for_room = waits_for_room,
    .drained = drained,
    .shutdown = tell_shutdown,
    .peer_ended = peer_ended,
    .deadline = deadline,
    .on_deadline = on_deadline,
    .closed = closed,
};
