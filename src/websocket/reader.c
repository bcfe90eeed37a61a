#include "websocket/reader.h"

#include <fasterapi/error.h>

#include "websocket/mask.h"

enum { KEPT_BYTES = 4096 }; /* what an idle connection may keep of a buffer */

void fa__ws_reader_init(fa__ws_reader *r, bool client, const fa__ws_deflate *deflate,
                        const fa__ws_limits *limits, const fa_allocator *alloc)
{
    *r = (fa__ws_reader){.limits = *limits, .deflate = *deflate, .client = client};
    fa__buf_init(&r->message, alloc);
}

void fa__ws_reader_free(fa__ws_reader *r)
{
    fa__buf_free(&r->message);
    fa__ws_inflater_del(r->inflater);
    r->inflater = NULL;
}

static void set_fault(fa__ws_reader *r, fa__ws_event *event, const fa__ws_fault *fault)
{
    r->stopped = true;
    *event = (fa__ws_event){
        .kind = FA__WS_EVENT_FAULT, .code = fault->code, .why = fault->why};
}

/* What is wrong with a frame here and now, or code 0. */
static fa__ws_fault judge_frame(const fa__ws_reader *r, const fa__ws_frame *f)
{
    bool continuation = f->opcode == FA__WS_CONTINUATION;
    bool under_way = r->kind != FA__WS_CONTINUATION;

    /* RFC 6455, 5.1: clients mask, servers do not. */
    if (f->masked == r->client)
        return (fa__ws_fault){FA__WS_PROTOCOL_ERROR,
                              r->client ? "masked frame" : "frame without mask"};
    if (fa__ws_is_control(f->opcode))
        return (fa__ws_fault){0, NULL};
    /* RFC 7692, 6: negotiated, and in the first frame of a message only. */
    if (f->rsv1 && (!r->deflate.on || continuation))
        return (fa__ws_fault){FA__WS_PROTOCOL_ERROR, "reserved bit set"};
    if (continuation && !under_way) /* RFC 6455, 5.4 */
        return (fa__ws_fault){FA__WS_PROTOCOL_ERROR, "continuation of nothing"};
    if (!continuation && under_way)
        return (fa__ws_fault){FA__WS_PROTOCOL_ERROR, "message within a message"};
    if (continuation && r->fragments >= r->limits.max_fragments)
        return (fa__ws_fault){FA__WS_POLICY_VIOLATION, "too many fragments"};
    /* Seen before it has come. What compressed bytes inflate to is seen then. */
    if (!(continuation ? r->compressed : f->rsv1) &&
        f->length > r->limits.max_message_bytes - r->message.len)
        return (fa__ws_fault){FA__WS_TOO_BIG, "message too big"};
    return (fa__ws_fault){0, NULL};
}

static int make_inflater(fa__ws_reader *r)
{
    const fa__ws_deflate *d = &r->deflate;
    const fa__ws_inflate_limits limits = {r->limits.max_message_bytes,
                                          r->limits.inflate_ratio_from,
                                          r->limits.inflate_ratio};

    if (r->inflater != NULL)
        return 0;
    return fa__ws_inflater_new(
        &r->inflater, r->client ? d->server_max_window_bits : d->client_max_window_bits,
        r->client ? d->server_no_context_takeover : d->client_no_context_takeover,
        &limits, r->message.alloc);
}

static int begin_frame(fa__ws_reader *r, fa__ws_event *event)
{
    const fa__ws_frame *f = &r->frame;
    fa__ws_fault fault = judge_frame(r, f);

    if (fault.code != 0) {
        set_fault(r, event, &fault);
        return 0;
    }
    r->in_frame = true;
    r->left = f->length;
    r->position = 0;
    r->control_len = 0;
    if (fa__ws_is_control(f->opcode))
        return 0;
    if (f->opcode == FA__WS_CONTINUATION) {
        ++r->fragments;
        return 0;
    }
    r->kind = f->opcode;
    r->fragments = 1;
    r->compressed = f->rsv1;
    r->text = (fa__ws_text){.part_bytes = 0};
    return f->rsv1 ? make_inflater(r) : 0;
}

/* The head of a frame; `*used` bytes of it were at `data`. */
static int read_head(fa__ws_reader *r, fa__ws_event *event, const char *data, size_t len,
                     size_t *used)
{
    fa__ws_fault fault;
    ptrdiff_t n = 0;

    *used = 0;
    if (r->head_len == 0)
        n = fa__ws_frame_parse(&r->frame, &fault, data, len);
    if (n > 0)
        *used = (size_t)n;
    /* Not whole: it is at most FA__WS_FRAME_HEAD_MAX bytes, and taken one by one. */
    while (n == 0 && *used < len) {
        r->head[r->head_len++] = data[(*used)++];
        n = fa__ws_frame_parse(&r->frame, &fault, r->head, r->head_len);
    }
    if (n == 0)
        return 0;
    r->head_len = 0;
    if (n < 0) {
        set_fault(r, event, &fault);
        return 0;
    }
    return begin_frame(r, event);
}

static void check_text(fa__ws_reader *r, fa__ws_event *event, const char *p, size_t n)
{
    if (r->kind == FA__WS_TEXT && !fa__ws_text_feed(&r->text, p, n))
        set_fault(r, event, &(fa__ws_fault){FA__WS_INVALID_DATA, "invalid UTF-8"});
}

/* After a function of the inflater: what it has added is judged before its error, which
   came later. */
static int inflated(fa__ws_reader *r, fa__ws_event *event, int rv, size_t before,
                    const fa__ws_fault *fault)
{
    if (rv != 0 && rv != FA_ERR_INVALID)
        return rv;
    if (r->message.len > before)
        check_text(r, event, r->message.p + before, r->message.len - before);
    if (rv != 0 && !r->stopped)
        set_fault(r, event, fault);
    return 0;
}

static int add_compressed(fa__ws_reader *r, fa__ws_event *event, const char *p, size_t n)
{
    fa__ws_fault fault = {0, NULL};
    size_t before = r->message.len;
    int rv = fa__ws_inflater_feed(r->inflater, &r->message, p, n, &fault);

    if (rv == 0 && r->left == 0)
        rv = fa__ws_inflater_flush(r->inflater, &r->message, &fault);
    rv = inflated(r, event, rv, before, &fault);
    if (rv != 0 || r->stopped || r->left > 0 || !r->frame.fin)
        return rv;
    before = r->message.len;
    rv = fa__ws_inflater_finish(r->inflater, &r->message, &fault);
    return inflated(r, event, rv, before, &fault);
}

static void deliver(fa__ws_reader *r, fa__ws_event *event, fa_slice bytes)
{
    if (r->kind == FA__WS_TEXT && !fa__ws_text_complete(&r->text)) {
        set_fault(r, event, &(fa__ws_fault){FA__WS_INVALID_DATA, "invalid UTF-8"});
        return;
    }
    *event = (fa__ws_event){
        .kind = r->kind == FA__WS_TEXT ? FA__WS_EVENT_TEXT : FA__WS_EVENT_BINARY,
        .bytes = bytes,
    };
    r->kind = FA__WS_CONTINUATION;
}

/* `n` bytes of a data frame's payload; `left` is what comes after them. */
static int add_data(fa__ws_reader *r, fa__ws_event *event, const char *p, size_t n)
{
    bool last = r->left == 0 && r->frame.fin;
    fa_slice bytes = {p, n};

    if (r->compressed) {
        int rv = add_compressed(r, event, p, n);

        if (rv != 0 || r->stopped)
            return rv;
        bytes = (fa_slice){r->message.p, r->message.len};
    } else {
        check_text(r, event, p, n);
        if (r->stopped)
            return 0;
        if (!last || r->message.len > 0) {
            /* Memory grows with what has come, not with what was announced. */
            int rv = fa__buf_append(&r->message, p, n);

            if (rv != 0)
                return rv;
            bytes = (fa_slice){r->message.p, r->message.len};
        }
    }
    if (last)
        deliver(r, event, bytes);
    return 0;
}

static void end_control(fa__ws_reader *r, fa__ws_event *event, fa_slice payload)
{
    fa__ws_fault fault;
    fa_slice reason;
    uint16_t code;

    switch (r->frame.opcode) {
    case FA__WS_PING:
        *event = (fa__ws_event){.kind = FA__WS_EVENT_PING, .bytes = payload};
        return;
    case FA__WS_PONG:
        *event = (fa__ws_event){.kind = FA__WS_EVENT_PONG, .bytes = payload};
        return;
    default: break;
    }
    fault = fa__ws_close_parse(&code, &reason, payload);
    if (fault.code != 0)
        set_fault(r, event, &fault);
    else
        *event =
            (fa__ws_event){.kind = FA__WS_EVENT_CLOSE, .bytes = reason, .code = code};
}

static void add_control(fa__ws_reader *r, fa__ws_event *event, const char *p, size_t n)
{
    if (n > 0)
        memcpy(r->control + r->control_len, p, n);
    r->control_len = (unsigned char)(r->control_len + n);
    if (r->left == 0)
        end_control(r, event, (fa_slice){r->control, r->control_len});
}

static int read_payload(fa__ws_reader *r, fa__ws_event *event, char *data, size_t len,
                        size_t *used)
{
    size_t n = r->left < len ? (size_t)r->left : len;

    if (r->frame.masked)
        fa__ws_mask(data, n, r->frame.key, r->position);
    r->position += n;
    r->left -= n;
    *used = n;
    r->in_frame = r->left > 0;
    if (!fa__ws_is_control(r->frame.opcode))
        return add_data(r, event, data, n);
    add_control(r, event, data, n);
    return 0;
}

/* The last message has been looked at: room for the next one. */
static void forget_delivered(fa__ws_reader *r)
{
    if (r->kind != FA__WS_CONTINUATION)
        return;
    r->message.len = 0;
    if (r->message.cap > KEPT_BYTES)
        fa__buf_free(&r->message);
}

ptrdiff_t fa__ws_read(fa__ws_reader *r, fa__ws_event *event, char *data, size_t len)
{
    fa__ws_event made = {.kind = FA__WS_EVENT_NONE};
    size_t at = 0, used;

    forget_delivered(r);
    /* An empty payload is complete with its head: there is something to do without
       another byte. */
    while (!r->stopped && made.kind == FA__WS_EVENT_NONE &&
           (at < len || (r->in_frame && r->left == 0))) {
        int rv = r->in_frame ? read_payload(r, &made, data + at, len - at, &used)
                             : read_head(r, &made, data + at, len - at, &used);

        if (rv != 0) {
            r->stopped = true;
            return rv;
        }
        at += used;
    }
    *event = made;
    return (ptrdiff_t)(r->stopped && made.kind == FA__WS_EVENT_NONE ? len : at);
}
