/* HTTP/1.1 replies (RFC 9112) as a client reads them: liberal in form, strict about
   where one ends, since the next reply begins there. Bytes in; never sees a socket. */
#ifndef FA_CHALLENGE_REPLY_H
#define FA_CHALLENGE_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FA__CH_MAX_HEAD_BYTES = 16384, /* status line and fields; also each trailer section */
    FA__CH_CACHED_HEAD_BYTES = 512,
};

typedef enum fa__ch_framing {
    FA__CH_BODY_LENGTH,  /* as many bytes as Content-Length says, or none */
    FA__CH_BODY_CHUNKED, /* RFC 9112, section 7.1 */
    FA__CH_BODY_TO_CLOSE,
} fa__ch_framing;

typedef struct fa__ch_reply_head {
    int status;
    bool close; /* the server will close after this reply (RFC 9112, 9.3) */
    fa__ch_framing framing;
    uint64_t length; /* FA__CH_BODY_LENGTH only */
} fa__ch_reply_head;

/* A server gives the same head again and again; what was learnt from the last is
   kept beside its bytes. Shared by all connections of a thread. All 0: empty. */
typedef struct fa__ch_head_cache {
    size_t len;
    fa__ch_reply_head head;
    char bytes[FA__CH_CACHED_HEAD_BYTES];
} fa__ch_head_cache;

/* Receives the body's bytes as they come; an error ends the parse with it. */
typedef int fa__ch_body_fn(void *ctx, const char *p, size_t n);

typedef struct fa__ch_reply {
    fa__ch_reply_head head; /* valid once `done`, and while the body is read */
    bool done;
    uint8_t state;
    uint8_t digits;       /* of the chunk size so far */
    uint32_t skipped;     /* bytes of the extension or trailer so far */
    uint64_t left;        /* of the body or the chunk */
    fa__ch_body_fn *body; /* may be NULL */
    void *body_ctx;
} fa__ch_reply;

/* `body` may be NULL. */
void fa__ch_reply_init(fa__ch_reply *r, fa__ch_body_fn *body, void *ctx);

/* Makes ready for the next reply of the connection. */
void fa__ch_reply_next(fa__ch_reply *r);

/*
 * Reads from `p`, up to the end of one reply; then `done` is set. 1xx replies are
 * skipped (RFC 9110, section 15.2). `cache` may be NULL.
 *
 * Returns how many bytes were used, 0 when more are needed (keep those that are
 * there and come back with them and more), or why it is malformed:
 * FA_ERR_STATUS_LINE, FA_ERR_FIELD_LINE, FA_ERR_CONTENT_LENGTH,
 * FA_ERR_TRANSFER_ENCODING, FA_ERR_HEADER_TOO_LARGE, FA_ERR_CHUNK,
 * FA_ERR_TRAILER; or what `body` returned.
 */
ptrdiff_t fa__ch_reply_feed(fa__ch_reply *r, fa__ch_head_cache *cache, const char *p,
                            size_t n);

/* The server closed. True when that was the proper end of this reply. */
bool fa__ch_reply_eof(fa__ch_reply *r);

/* No byte of a next reply was used so far. */
bool fa__ch_reply_idle(const fa__ch_reply *r);

/* Reads one whole head. Returns its length, 0 or an error as above. */
ptrdiff_t fa__ch_reply_head_parse(fa__ch_reply_head *out, const char *p, size_t n);

#endif
