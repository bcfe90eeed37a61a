#include "websocket/ws.h"

static bool bits_valid(uint8_t bits)
{
    return bits >= 8 && bits <= 15;
}

static bool options_valid(const fa__ws_options *o)
{
    const fa__ws_writer_options *w = &o->writer;

    if (!o->deflate.on)
        return true;
    return bits_valid(o->deflate.server_max_window_bits) &&
           bits_valid(o->deflate.client_max_window_bits) &&
           bits_valid(w->deflate_window_bits) && w->deflate_level >= 1 &&
           w->deflate_level <= 9 && w->deflate_mem_level >= 1 &&
           w->deflate_mem_level <= 9;
}

int fa__ws_init(fa__ws *ws, const fa__ws_options *options, const fa__ws_events *events,
                void *ctx, fa__buf *out, const fa_allocator *alloc)
{
    if (!options_valid(options))
        return FA_ERR_INVALID;
    ws->out = out;
    ws->ctx = ctx;
    ws->events = events;
    ws->state = FA__WS_OPEN;
    ws->paused = false;
    fa__ws_reader_init(&ws->reader, options->client, &options->deflate, &options->limits,
                       alloc);
    fa__ws_writer_init(&ws->writer, options->client, &options->deflate, &options->writer,
                       alloc);
    return 0;
}

void fa__ws_free(fa__ws *ws)
{
    fa__ws_reader_free(&ws->reader);
    fa__ws_writer_free(&ws->writer);
}

void fa__ws_pause(fa__ws *ws)
{
    ws->paused = true;
}

/* RFC 6455, 7.1.7: the peer is told why, if it can be told. */
static void fail(fa__ws *ws, uint16_t code, const char *why)
{
    fa_slice reason = fa_slice_of(why);

    if (ws->state == FA__WS_OPEN)
        (void)fa__ws_write_close(&ws->writer, ws->out, code, reason);
    ws->state = FA__WS_CLOSED;
    if (ws->events->fail != NULL)
        ws->events->fail(ws->ctx, code, why);
}

/* 5.5.1: the other side's Close is answered with its code, if we did not begin; and with
   its reason, as websockets and wsproto do. */
static int on_close(fa__ws *ws, const fa__ws_event *event)
{
    if (ws->state == FA__WS_OPEN) {
        int rv = fa__ws_write_close(&ws->writer, ws->out, event->code, event->bytes);

        if (rv != 0)
            return rv;
    }
    ws->state = FA__WS_CLOSED;
    if (ws->events->close != NULL)
        ws->events->close(ws->ctx, event->code, event->bytes);
    return 0;
}

/* 5.5.2: a pong with the same payload, unless our Close is out, which ends what we
   send. */
static int on_ping(fa__ws *ws, const fa__ws_event *event)
{
    if (ws->state == FA__WS_OPEN) {
        int rv = fa__ws_write_control(&ws->writer, ws->out, FA__WS_PONG, event->bytes);

        if (rv != 0)
            return rv;
    }
    if (ws->events->ping != NULL)
        ws->events->ping(ws->ctx, event->bytes);
    return 0;
}

static int tell(fa__ws *ws, const fa__ws_event *event)
{
    const fa__ws_events *e = ws->events;

    switch (event->kind) {
    case FA__WS_EVENT_TEXT:
    case FA__WS_EVENT_BINARY:
        if (e->message != NULL)
            e->message(ws->ctx,
                       event->kind == FA__WS_EVENT_TEXT ? FA__WS_TEXT : FA__WS_BINARY,
                       event->bytes);
        return 0;
    case FA__WS_EVENT_PONG:
        if (e->pong != NULL)
            e->pong(ws->ctx, event->bytes);
        return 0;
    case FA__WS_EVENT_PING: return on_ping(ws, event);
    case FA__WS_EVENT_CLOSE: return on_close(ws, event);
    case FA__WS_EVENT_FAULT: fail(ws, event->code, event->why); return 0;
    case FA__WS_EVENT_NONE: return 0;
    }
    return 0;
}

ptrdiff_t fa__ws_feed(fa__ws *ws, char *data, size_t len)
{
    size_t at = 0;

    ws->paused = false;
    while (at < len && !ws->paused && ws->state != FA__WS_CLOSED) {
        fa__ws_event event;
        ptrdiff_t n = fa__ws_read(&ws->reader, &event, data + at, len - at);
        int rv = n < 0 ? (int)n : 0;

        if (rv == 0) {
            at += (size_t)n;
            rv = tell(ws, &event);
        }
        if (rv != 0) {
            fail(ws, FA__WS_INTERNAL_ERROR, "internal error");
            return rv;
        }
    }
    return (ptrdiff_t)(ws->state == FA__WS_CLOSED ? len : at);
}

int fa__ws_send(fa__ws *ws, fa__ws_opcode opcode, fa_slice bytes)
{
    if (ws->state != FA__WS_OPEN)
        return FA_ERR_CLOSED;
    return fa__ws_write_message(&ws->writer, ws->out, opcode, bytes);
}

int fa__ws_send_begin(fa__ws *ws, fa__ws_frame *frame, fa_slice *payload,
                      fa__ws_opcode opcode, fa_slice bytes)
{
    if (ws->state != FA__WS_OPEN)
        return FA_ERR_CLOSED;
    return fa__ws_begin_message(&ws->writer, frame, payload, opcode, bytes);
}

void fa__ws_send_end(fa__ws *ws)
{
    fa__ws_end_message(&ws->writer);
}

int fa__ws_ping(fa__ws *ws, fa_slice payload)
{
    if (ws->state != FA__WS_OPEN)
        return FA_ERR_CLOSED;
    return fa__ws_write_control(&ws->writer, ws->out, FA__WS_PING, payload);
}

int fa__ws_pong(fa__ws *ws, fa_slice payload)
{
    if (ws->state != FA__WS_OPEN)
        return FA_ERR_CLOSED;
    return fa__ws_write_control(&ws->writer, ws->out, FA__WS_PONG, payload);
}

int fa__ws_close(fa__ws *ws, uint16_t code, fa_slice reason)
{
    int rv;

    if (ws->state != FA__WS_OPEN)
        return FA_ERR_CLOSED;
    rv = fa__ws_write_close(&ws->writer, ws->out, code, reason);
    if (rv == 0)
        ws->state = FA__WS_CLOSING;
    return rv;
}
