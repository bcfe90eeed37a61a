#include "reply.h"

#include <string.h>

#include <fasterapi/error.h>

enum state {
    HEAD = 0,
    BODY,
    BODY_TO_CLOSE,
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_DATA,
    CHUNK_END,
    TRAILER_START, /* of a line */
    TRAILER_LINE,
};

void fa__ch_reply_init(fa__ch_reply *r, fa__ch_body_fn *body, void *ctx)
{
    *r = (fa__ch_reply){.body = body, .body_ctx = ctx};
}

void fa__ch_reply_next(fa__ch_reply *r)
{
    r->state = HEAD;
    r->done = false;
}

bool fa__ch_reply_idle(const fa__ch_reply *r)
{
    return r->state == HEAD;
}

bool fa__ch_reply_eof(fa__ch_reply *r)
{
    if (r->state == BODY_TO_CLOSE)
        r->done = true;
    return r->done;
}

static void begin_chunk(fa__ch_reply *r)
{
    r->state = CHUNK_SIZE;
    r->left = 0;
    r->digits = 0;
    r->skipped = 0;
}

static ptrdiff_t feed_head(fa__ch_reply *r, fa__ch_head_cache *cache, const char *p,
                           size_t n)
{
    ptrdiff_t used;

    if (cache != NULL && cache->len > 0 && n >= cache->len &&
        memcmp(p, cache->bytes, cache->len) == 0) {
        r->head = cache->head;
        used = (ptrdiff_t)cache->len;
    } else {
        used = fa__ch_reply_head_parse(&r->head, p, n);
        if (used <= 0)
            return used;
        if (r->head.status == 101) /* nobody asked for another protocol */
            return FA_ERR_STATUS_LINE;
        if (r->head.status < 200)
            return used; /* interim: the real one follows (RFC 9110, 15.2) */
        if (cache != NULL && (size_t)used <= sizeof(cache->bytes)) {
            memcpy(cache->bytes, p, (size_t)used);
            cache->len = (size_t)used;
            cache->head = r->head;
        }
    }
    switch (r->head.framing) {
    case FA__CH_BODY_LENGTH:
        r->left = r->head.length;
        r->state = BODY;
        r->done = r->left == 0;
        break;
    case FA__CH_BODY_CHUNKED: begin_chunk(r); break;
    case FA__CH_BODY_TO_CLOSE: r->state = BODY_TO_CLOSE; break;
    }
    return used;
}

/* Up to `left` bytes of body, a chunk's or the whole. */
static ptrdiff_t feed_data(fa__ch_reply *r, const char *p, size_t n)
{
    if (r->state != BODY_TO_CLOSE) {
        if (n > r->left)
            n = (size_t)r->left;
        r->left -= n;
    }
    if (r->body != NULL && n > 0) {
        int rv = r->body(r->body_ctx, p, n);

        if (rv != 0)
            return rv;
    }
    if (r->left == 0 && r->state == BODY)
        r->done = true;
    else if (r->left == 0 && r->state == CHUNK_DATA)
        r->state = CHUNK_END;
    return (ptrdiff_t)n;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void chunk_size_ended(fa__ch_reply *r)
{
    r->state = r->left > 0 ? CHUNK_DATA : TRAILER_START;
    r->skipped = 0;
}

/* chunk-size = 1*HEXDIG, then extensions, which are ignored (RFC 9112, 7.1.1). */
static int size_byte(fa__ch_reply *r, char c)
{
    int digit = hex_digit(c);

    if (digit >= 0) {
        if (r->left >> 60 != 0 || r->digits > 64)
            return FA_ERR_CHUNK;
        r->left = r->left << 4 | (unsigned)digit;
        ++r->digits;
        return 0;
    }
    if (r->digits == 0)
        return FA_ERR_CHUNK;
    if (c == '\n')
        chunk_size_ended(r);
    else if (c == ';' || c == '\r' || c == ' ' || c == '\t')
        r->state = CHUNK_EXTENSION;
    else
        return FA_ERR_CHUNK;
    return 0;
}

/* One byte of the lines between chunks and after the last. */
static int feed_line_byte(fa__ch_reply *r, char c)
{
    switch (r->state) {
    case CHUNK_SIZE: return size_byte(r, c);
    case CHUNK_EXTENSION:
        if (c == '\n')
            chunk_size_ended(r);
        else if (++r->skipped > FA__CH_MAX_HEAD_BYTES)
            return FA_ERR_CHUNK;
        return 0;
    case CHUNK_END: /* CRLF, or LF alone */
        if (c == '\n')
            begin_chunk(r);
        else if (c != '\r' || r->skipped++ != 0)
            return FA_ERR_CHUNK;
        return 0;
    case TRAILER_START:
        if (c == '\n') {
            r->done = true;
            return 0;
        }
        if (c != '\r')
            r->state = TRAILER_LINE;
        break;
    default: /* TRAILER_LINE */
        if (c == '\n')
            r->state = TRAILER_START;
        break;
    }
    return ++r->skipped > FA__CH_MAX_HEAD_BYTES ? FA_ERR_TRAILER : 0;
}

static ptrdiff_t feed_chunked(fa__ch_reply *r, const char *p, size_t n)
{
    size_t used = 0;

    while (used < n && !r->done) {
        if (r->state == CHUNK_DATA) {
            ptrdiff_t got = feed_data(r, p + used, n - used);

            if (got < 0)
                return got;
            used += (size_t)got;
        } else {
            int rv = feed_line_byte(r, p[used]);

            if (rv != 0)
                return rv;
            ++used;
        }
    }
    return (ptrdiff_t)used;
}

ptrdiff_t fa__ch_reply_feed(fa__ch_reply *r, fa__ch_head_cache *cache, const char *p,
                            size_t n)
{
    size_t used = 0;

    while (used < n && !r->done) {
        ptrdiff_t got;

        switch (r->state) {
        case HEAD: got = feed_head(r, cache, p + used, n - used); break;
        case BODY:
        case BODY_TO_CLOSE: got = feed_data(r, p + used, n - used); break;
        default: got = feed_chunked(r, p + used, n - used); break;
        }
        if (got < 0)
            return got;
        if (got == 0)
            break;
        used += (size_t)got;
    }
    return (ptrdiff_t)used;
}
