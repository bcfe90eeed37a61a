#include "websocket/writer.h"

#include <openssl/rand.h>

#include <fasterapi/error.h>

#include "base/utf8.h"
#include "websocket/mask.h"

enum { KEPT_BYTES = 4096 };

/* RFC 6455, 5.3: keys that nobody can predict, so that nobody can choose what bytes a
   client puts on the wire (10.3). */
static int strong_random(unsigned char *p, size_t n)
{
    return RAND_bytes(p, (int)n) == 1 ? 0 : FA_ERR_SYSTEM;
}

void fa__ws_writer_init(fa__ws_writer *w, bool client, const fa__ws_deflate *deflate,
                        const fa__ws_writer_options *options, const fa_allocator *alloc)
{
    *w = (fa__ws_writer){
        .options = *options,
        .deflate = *deflate,
        .random = strong_random,
        .client = client,
    };
    fa__buf_init(&w->packed, alloc);
}

void fa__ws_writer_free(fa__ws_writer *w)
{
    fa__ws_deflater_del(w->deflater);
    w->deflater = NULL;
    fa__buf_free(&w->packed);
}

static int take_key(fa__ws_writer *w, unsigned char key[4])
{
    if (w->keys_left == 0) {
        int rv = w->random(w->keys[0], sizeof(w->keys));

        if (rv != 0)
            return rv;
        w->keys_left = FA__WS_KEYS;
    }
    memcpy(key, w->keys[--w->keys_left], 4);
    return 0;
}

static int write_frame(fa__ws_writer *w, fa__buf *out, fa__ws_frame *frame, const char *p)
{
    size_t n = (size_t)frame->length;
    char *payload;
    int rv;

    if (n > SIZE_MAX / 4)
        return FA_ERR_NOMEM;
    rv = fa__buf_reserve(out, FA__WS_FRAME_HEAD_MAX + n);
    if (rv != 0)
        return rv;
    frame->masked = w->client;
    if (w->client) {
        rv = take_key(w, frame->key);
        if (rv != 0)
            return rv;
    }
    out->len += fa__ws_frame_write(out->p + out->len, frame);
    payload = out->p + out->len;
    if (n > 0)
        memcpy(payload, p, n);
    if (w->client)
        fa__ws_mask(payload, n, frame->key, 0);
    out->len += n;
    return 0;
}

/* One frame, or as many as the option says (RFC 6455, 5.4). RSV1 is set in the first
   only (RFC 7692, 6.1). */
static int write_frames(fa__ws_writer *w, fa__buf *out, fa__ws_opcode opcode, bool rsv1,
                        fa_slice payload)
{
    size_t most = w->options.fragment_bytes, before = out->len;
    bool fin;

    do {
        size_t n = most > 0 && payload.len > most ? most : payload.len;
        fa__ws_frame frame = {.length = n, .opcode = opcode, .rsv1 = rsv1};
        int rv;

        fin = n == payload.len;
        frame.fin = fin;
        rv = write_frame(w, out, &frame, payload.p);
        if (rv != 0) {
            out->len = before;
            return rv;
        }
        if (n > 0)
            payload.p += n;
        payload.len -= n;
        opcode = FA__WS_CONTINUATION;
        rsv1 = false;
    } while (!fin);
    return 0;
}

static int make_deflater(fa__ws_writer *w)
{
    const fa__ws_deflate *d = &w->deflate;
    const fa__ws_writer_options *o = &w->options;
    uint8_t agreed = w->client ? d->client_max_window_bits : d->server_max_window_bits;

    if (w->deflater != NULL)
        return 0;
    return fa__ws_deflater_new(
        &w->deflater, o->deflate_window_bits < agreed ? o->deflate_window_bits : agreed,
        w->client ? d->client_no_context_takeover : d->server_no_context_takeover,
        o->deflate_level, o->deflate_mem_level, w->packed.alloc);
}

/* 1: `w->packed` is the payload; 0: not compressed. */
static int pack(fa__ws_writer *w, fa_slice bytes)
{
    int rv;

    if (!w->deflate.on || bytes.len == 0 || bytes.len < w->options.min_deflate_bytes)
        return 0;
    rv = make_deflater(w);
    if (rv != 0)
        return rv;
    w->packed.len = 0;
    return fa__ws_deflater_run(w->deflater, &w->packed, bytes);
}

int fa__ws_begin_message(fa__ws_writer *w, fa__ws_frame *frame, fa_slice *payload,
                         fa__ws_opcode opcode, fa_slice bytes)
{
    int packed;

    if (opcode != FA__WS_TEXT && opcode != FA__WS_BINARY)
        return FA_ERR_INVALID;
    if (opcode == FA__WS_TEXT && fa__utf8_valid_prefix(bytes.p, bytes.len) != bytes.len)
        return FA_ERR_INVALID;
    packed = pack(w, bytes);
    if (packed < 0)
        return packed;
    if (packed > 0)
        bytes = (fa_slice){w->packed.p, w->packed.len};
    *payload = bytes;
    *frame = (fa__ws_frame){
        .length = bytes.len, .opcode = opcode, .fin = true, .rsv1 = packed > 0};
    return 0;
}

void fa__ws_end_message(fa__ws_writer *w)
{
    if (w->packed.cap > KEPT_BYTES)
        fa__buf_free(&w->packed);
}

int fa__ws_write_message(fa__ws_writer *w, fa__buf *out, fa__ws_opcode opcode,
                         fa_slice bytes)
{
    fa__ws_frame whole;
    fa_slice payload;
    int rv = fa__ws_begin_message(w, &whole, &payload, opcode, bytes);

    if (rv != 0)
        return rv;
    rv = write_frames(w, out, opcode, whole.rsv1, payload);
    /* The peer will not see this message, so nothing later may refer to it. */
    if (rv != 0 && whole.rsv1)
        fa__ws_deflater_restart(w->deflater);
    fa__ws_end_message(w);
    return rv;
}

int fa__ws_write_control(fa__ws_writer *w, fa__buf *out, fa__ws_opcode opcode,
                         fa_slice payload)
{
    fa__ws_frame frame = {.length = payload.len, .opcode = opcode, .fin = true};

    if (!fa__ws_is_control(opcode) || payload.len > FA__WS_CONTROL_MAX)
        return FA_ERR_INVALID;
    return write_frame(w, out, &frame, payload.p);
}

int fa__ws_write_close(fa__ws_writer *w, fa__buf *out, uint16_t code, fa_slice reason)
{
    char payload[FA__WS_CONTROL_MAX];

    if (code == FA__WS_NO_STATUS && reason.len == 0)
        return fa__ws_write_control(w, out, FA__WS_CLOSE, reason);
    if (!fa__ws_close_code_valid(code) || reason.len > FA__WS_REASON_MAX ||
        fa__utf8_valid_prefix(reason.p, reason.len) != reason.len)
        return FA_ERR_INVALID;
    payload[0] = (char)(code >> 8);
    payload[1] = (char)(code & 0xFF);
    if (reason.len > 0)
        memcpy(payload + 2, reason.p, reason.len);
    return fa__ws_write_control(w, out, FA__WS_CLOSE,
                                (fa_slice){payload, 2 + reason.len});
}
