/* What a fa__ws makes of some bytes, as text: for unit tests, fuzzers and drivers. */
#ifndef FA_TESTS_WEBSOCKET_TRACE_H
#define FA_TESTS_WEBSOCKET_TRACE_H

#include <stdio.h>
#include <stdlib.h>

#include "websocket/ws.h"

typedef struct ws_trace {
    fa__ws ws;
    fa__buf text;     /* a line an event: "text 5:hello", "close 1000:bye", "fail 1002" */
    fa__buf messages; /* what was received: opcode, length, bytes */
    fa__buf out;      /* what the peer gets */
    bool echo;        /* send each message back */
    bool pause;       /* pause in each event */
    bool failed;
} ws_trace;

static inline void ws_trace_line(ws_trace *t, const char *name, long code, fa_slice bytes)
{
    char head[64];
    int n = snprintf(head, sizeof(head), "%s %ld:", name, code);

    if (fa__buf_append(&t->text, head, (size_t)n) != 0 ||
        fa__buf_append(&t->text, bytes.p, bytes.len) != 0 ||
        fa__buf_append(&t->text, "\n", 1) != 0)
        abort();
    if (t->pause)
        fa__ws_pause(&t->ws);
}

static inline void ws_trace_message(void *ctx, fa__ws_opcode opcode, fa_slice bytes)
{
    ws_trace *t = ctx;

    ws_trace_line(t, opcode == FA__WS_TEXT ? "text" : "binary", (long)bytes.len, bytes);
    if (fa__buf_append(&t->messages, &opcode, sizeof(opcode)) != 0 ||
        fa__buf_append(&t->messages, &bytes.len, sizeof(bytes.len)) != 0 ||
        fa__buf_append(&t->messages, bytes.p, bytes.len) != 0)
        abort();
    if (t->echo)
        (void)fa__ws_send(&t->ws, opcode, bytes);
}

static inline void ws_trace_ping(void *ctx, fa_slice bytes)
{
    ws_trace_line(ctx, "ping", (long)bytes.len, bytes);
}

static inline void ws_trace_pong(void *ctx, fa_slice bytes)
{
    ws_trace_line(ctx, "pong", (long)bytes.len, bytes);
}

static inline void ws_trace_close(void *ctx, uint16_t code, fa_slice reason)
{
    ws_trace_line(ctx, "close", code, reason);
}

static inline void ws_trace_fail(void *ctx, uint16_t code, const char *why)
{
    ws_trace *t = ctx;

    t->failed = true;
    ws_trace_line(ctx, "fail", code, fa_slice_of(why));
}

static inline void ws_trace_init(ws_trace *t, const fa__ws_options *options,
                                 const fa_allocator *alloc)
{
    static const fa__ws_events events = {ws_trace_message, ws_trace_ping, ws_trace_pong,
                                         ws_trace_close, ws_trace_fail};

    memset(t, 0, sizeof(*t));
    fa__buf_init(&t->text, &fa__malloc);
    fa__buf_init(&t->messages, &fa__malloc);
    fa__buf_init(&t->out, alloc);
    if (fa__ws_init(&t->ws, options, &events, t, &t->out, alloc) != 0)
        abort();
}

static inline void ws_trace_free(ws_trace *t)
{
    fa__ws_free(&t->ws);
    fa__buf_free(&t->text);
    fa__buf_free(&t->messages);
    fa__buf_free(&t->out);
}

/* Feeds a copy that ends where the bytes do, so that ASan sees a read too far; again
   from where it stopped when it was paused. */
static inline ptrdiff_t ws_trace_feed(ws_trace *t, const void *p, size_t n)
{
    char *copy = malloc(n != 0 ? n : 1);
    size_t at = 0;
    ptrdiff_t rv = 0;

    if (copy == NULL)
        abort();
    if (n > 0)
        memcpy(copy, p, n);
    do {
        rv = fa__ws_feed(&t->ws, copy + at, n - at);
        at += rv > 0 ? (size_t)rv : 0;
    } while (rv > 0 && at < n);
    free(copy);
    return rv < 0 ? rv : (ptrdiff_t)at;
}

static inline bool ws_trace_same(const ws_trace *a, const ws_trace *b)
{
    return a->ws.state == b->ws.state &&
           fa_slice_equal((fa_slice){a->text.p, a->text.len},
                          (fa_slice){b->text.p, b->text.len}) &&
           fa_slice_equal((fa_slice){a->out.p, a->out.len},
                          (fa_slice){b->out.p, b->out.len});
}

#endif
