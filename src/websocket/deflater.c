#include "websocket/deflater.h"

#include <fasterapi/error.h>

#include "websocket/zalloc.h"

struct fa__ws_deflater {
    z_stream z;
    fa_allocator alloc;
    bool reset_each;
};

enum { TAIL_BYTES = 4, INPUT_MOST = 1 << 30 };

int fa__ws_deflater_new(fa__ws_deflater **out, uint8_t window_bits, bool reset_each,
                        int level, int mem_level, const fa_allocator *alloc)
{
    fa__ws_deflater *def;
    int bits = window_bits, rv;

    if (window_bits < 8 || window_bits > 15)
        return FA_ERR_INVALID;
    /* zlib makes no raw stream of 8. With 9 it never points back further than
       512 - 262 bytes, 262 being its longest match and some, which 8 allow. */
    if (bits == 8)
        bits = 9;
    def = fa__calloc(alloc, 1, sizeof(*def));
    if (def == NULL)
        return FA_ERR_NOMEM;
    def->alloc = *alloc;
    def->reset_each = reset_each;
    fa__zstream_init(&def->z, &def->alloc);
    rv = deflateInit2(&def->z, level, Z_DEFLATED, -bits, mem_level, Z_DEFAULT_STRATEGY);
    if (rv != Z_OK) {
        fa__release(alloc, def);
        return rv == Z_MEM_ERROR ? FA_ERR_NOMEM : FA_ERR_INVALID;
    }
    *out = def;
    return 0;
}

void fa__ws_deflater_del(fa__ws_deflater *def)
{
    fa_allocator alloc;

    if (def == NULL)
        return;
    (void)deflateEnd(&def->z);
    alloc = def->alloc;
    fa__release(&alloc, def);
}

/* Everything up to and with an empty block without compression (7.2.1, item 1).
   0, or FA_ERR_NOMEM, or FA_ERR_LIMIT once the output is longer than the input. */
static int deflate_all(fa__ws_deflater *def, fa__buf *out, fa_slice in)
{
    size_t before = out->len, left = in.len;
    union {
        const char *in;
        Bytef *out;
    } u = {in.p};

    def->z.next_in = u.out;
    def->z.avail_in = 0;
    do {
        size_t room;
        int rv;

        if (def->z.avail_in == 0 && left > 0) {
            def->z.avail_in = left < INPUT_MOST ? (uInt)left : INPUT_MOST;
            left -= def->z.avail_in;
        }
        rv = fa__buf_reserve(out, 64 + (in.len < 65536 ? in.len / 2 : 32768));
        if (rv != 0)
            return rv;
        room = out->cap - out->len;
        room = room < INPUT_MOST ? room : INPUT_MOST;
        def->z.next_out = (Bytef *)(out->p + out->len);
        def->z.avail_out = (uInt)room;
        (void)deflate(&def->z, left > 0 ? Z_NO_FLUSH : Z_SYNC_FLUSH);
        out->len += room - def->z.avail_out;
        if (out->len - before >= in.len + TAIL_BYTES)
            return FA_ERR_LIMIT;
        /* zlib: a flush is complete when it leaves room in the output. */
    } while (left > 0 || def->z.avail_in > 0 || def->z.avail_out == 0);
    return 0;
}

/* The peer's window will not have what was compressed here. Begun anew, ours refers to
   nothing older, and is right whatever theirs has. */
void fa__ws_deflater_restart(fa__ws_deflater *def)
{
    (void)deflateReset(&def->z);
}

int fa__ws_deflater_run(fa__ws_deflater *def, fa__buf *out, fa_slice in)
{
    size_t before = out->len;
    int rv;

    if (in.len == 0)
        return 0;
    rv = deflate_all(def, out, in);
    if (rv != 0) {
        out->len = before;
        fa__ws_deflater_restart(def);
        return rv == FA_ERR_LIMIT ? 0 : rv;
    }
    out->len -= TAIL_BYTES; /* 7.2.1, item 2: 00 00 ff ff */
    if (def->reset_each)
        fa__ws_deflater_restart(def);
    return 1;
}
