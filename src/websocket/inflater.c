#include "websocket/inflater.h"

#include <fasterapi/error.h>

#include "websocket/zalloc.h"

enum {
    UNIT = 1024,         /* compressed bytes that are inflated together */
    FIRST_WINDOW = 1024, /* output of one call of zlib: as much as the message has */
    LAST_WINDOW = 65536, /* already, within these two */
};

struct fa__ws_inflater {
    z_stream z;
    fa_allocator alloc;
    fa__ws_inflate_limits limits;
    uint64_t in;  /* compressed bytes of this message that zlib has taken */
    uint64_t out; /* what they gave */
    bool reset_each;
    bool ended; /* the last byte ended a final block (RFC 7692, 7.2.3.4) */
    uint16_t held_bytes;
    char held[UNIT]; /* the begin of a unit */
};

int fa__ws_inflater_new(fa__ws_inflater **out, uint8_t window_bits, bool reset_each,
                        const fa__ws_inflate_limits *limits, const fa_allocator *alloc)
{
    fa__ws_inflater *inf;
    int rv;

    if (window_bits < 8 || window_bits > 15)
        return FA_ERR_INVALID;
    inf = fa__calloc(alloc, 1, sizeof(*inf));
    if (inf == NULL)
        return FA_ERR_NOMEM;
    inf->alloc = *alloc;
    inf->limits = *limits;
    inf->reset_each = reset_each;
    fa__zstream_init(&inf->z, &inf->alloc);
    rv = inflateInit2(&inf->z, -(int)window_bits); /* negative: no zlib header */
    if (rv != Z_OK) {
        fa__release(alloc, inf);
        return rv == Z_MEM_ERROR ? FA_ERR_NOMEM : FA_ERR_INVALID;
    }
    *out = inf;
    return 0;
}

void fa__ws_inflater_del(fa__ws_inflater *inf)
{
    fa_allocator alloc;

    if (inf == NULL)
        return;
    (void)inflateEnd(&inf->z);
    alloc = inf->alloc;
    fa__release(&alloc, inf);
}

static int fail(fa__ws_fault *fault, uint16_t code, const char *why)
{
    *fault = (fa__ws_fault){code, why};
    return FA_ERR_INVALID;
}

static int check_limits(const fa__ws_inflater *inf, fa__ws_fault *fault)
{
    const fa__ws_inflate_limits *l = &inf->limits;

    if (inf->out > l->max_bytes)
        return fail(fault, FA__WS_TOO_BIG, "message too big");
    if (l->ratio > 0 && inf->out > l->ratio_from && inf->out / l->ratio > inf->in)
        return fail(fault, FA__WS_TOO_BIG, "message compressed too well");
    return 0;
}

/* How much zlib may write at once: one byte above the limit shows that it is passed. */
static size_t window(const fa__ws_inflater *inf)
{
    uint64_t left = inf->limits.max_bytes - inf->out, n = inf->out;

    n = n < FIRST_WINDOW ? FIRST_WINDOW : n > LAST_WINDOW ? LAST_WINDOW : n;
    return (size_t)(left < n ? left + 1 : n);
}

/* One call of zlib. `*full`: there may be more output without more input. */
static int step(fa__ws_inflater *inf, fa__buf *out, bool *full, fa__ws_fault *fault)
{
    size_t room = window(inf), taken = inf->z.avail_in;
    int rv = fa__buf_reserve(out, room);

    if (rv != 0)
        return rv;
    inf->z.next_out = (Bytef *)(out->p + out->len);
    inf->z.avail_out = (uInt)room;
    rv = inflate(&inf->z, Z_SYNC_FLUSH);
    *full = inf->z.avail_out == 0;
    taken -= inf->z.avail_in;
    inf->in += taken;
    if (taken > 0)
        inf->ended = false;
    out->len += room - inf->z.avail_out;
    inf->out += room - inf->z.avail_out;
    if (rv == Z_MEM_ERROR)
        return FA_ERR_NOMEM;
    if (rv != Z_OK && rv != Z_STREAM_END && rv != Z_BUF_ERROR)
        return fail(fault, FA__WS_PROTOCOL_ERROR, "invalid compressed data");
    rv = rv == Z_STREAM_END;
    if (rv != 0) {
        /* 7.2.3.4: a final block ends neither the message nor the window. */
        inf->ended = true;
        if (inflateResetKeep(&inf->z) != Z_OK)
            return fail(fault, FA__WS_INTERNAL_ERROR, "internal error");
        *full = false;
    }
    return check_limits(inf, fault);
}

static int run(fa__ws_inflater *inf, fa__buf *out, const char *p, size_t n,
               fa__ws_fault *fault)
{
    bool full = false;
    union {
        const char *in;
        Bytef *out;
    } u = {p}; /* zlib only reads there, but says so not in every build */

    inf->z.next_in = u.out;
    inf->z.avail_in = (uInt)n;
    while (inf->z.avail_in > 0 || full) {
        int rv = step(inf, out, &full, fault);

        if (rv != 0)
            return rv;
    }
    return 0;
}

int fa__ws_inflater_flush(fa__ws_inflater *inf, fa__buf *out, fa__ws_fault *fault)
{
    size_t n = inf->held_bytes;

    inf->held_bytes = 0;
    return run(inf, out, inf->held, n, fault);
}

int fa__ws_inflater_feed(fa__ws_inflater *inf, fa__buf *out, const char *p, size_t n,
                         fa__ws_fault *fault)
{
    int rv;

    while (n > 0) {
        size_t take = UNIT - (size_t)inf->held_bytes;

        if (take == UNIT && n >= UNIT) { /* straight from where it is */
            rv = run(inf, out, p, UNIT, fault);
        } else {
            take = n < take ? n : take;
            memcpy(inf->held + inf->held_bytes, p, take);
            inf->held_bytes = (uint16_t)(inf->held_bytes + take);
            rv = inf->held_bytes == UNIT ? fa__ws_inflater_flush(inf, out, fault) : 0;
        }
        if (rv != 0)
            return rv;
        p += take;
        n -= take;
    }
    return 0;
}

int fa__ws_inflater_finish(fa__ws_inflater *inf, fa__buf *out, fa__ws_fault *fault)
{
    int rv = 0;

    /* 7.2.2: the sender has cut these off. It is what ends the empty block that closes
       a message; after a final block with nothing behind it there is none. */
    if (!inf->ended) {
        rv = run(inf, out, "\x00\x00\xff\xff", 4, fault);
        if (rv != 0)
            return rv;
        /* 128: zlib waits for the begin of a block, with no bits left over. If not, the
           message was cut short, and its end would be taken for a part of the next. */
        if ((inf->z.data_type & 0x9F) != 128)
            return fail(fault, FA__WS_PROTOCOL_ERROR, "incomplete compressed data");
    }
    inf->in = 0;
    inf->out = 0;
    inf->ended = false;
    if (inf->reset_each && inflateReset(&inf->z) != Z_OK)
        return fail(fault, FA__WS_INTERNAL_ERROR, "internal error");
    return 0;
}
