/* Decodes bodies in the chunked transfer coding (RFC 9112, section 7.1). */
#ifndef FA_HTTP1_CHUNKED_H
#define FA_HTTP1_CHUNKED_H

#include <fasterapi/error.h>

#include "base/memory.h"
#include "http/message.h"
#include "http1/scan.h"

/* Extensions carry nothing that we use; the limits keep a sender from making us read
   much for little payload (RFC 9112, 7.1.1). */
typedef struct fa__http1_chunked_limits {
    uint32_t max_chunk_extension_bytes;  /* of one chunk; default 256; above it
                                            FA_ERR_CHUNK_EXTENSION */
    uint32_t max_chunk_extensions_bytes; /* of all chunks; default 4096; the same */
    uint32_t max_trailer_bytes;          /* all trailer lines; default 8192; above it
                                            FA_ERR_TRAILER */
} fa__http1_chunked_limits;

enum {
    FA__HTTP1_MAX_CHUNK_EXTENSION_BYTES = 256,
    FA__HTTP1_MAX_CHUNK_EXTENSIONS_BYTES = 4096,
    FA__HTTP1_MAX_TRAILER_BYTES = 8192,
    FA__HTTP1_MAX_CHUNK_SIZE_DIGITS = 16, /* leading zeros count */
};

typedef struct fa__http1_chunked {
    bool done; /* read this: the body and its trailer section are through */

    /* Read these when done: borrowed from the buffer given to init. */
    fa__field *trailers;
    uint32_t trailer_count;

    /* At any time: at least so many bytes are still to come. Of the chunk, its size while
       that is read, then what is left. */
    uint64_t left;

    /* Private. */
    uint32_t trailer_cap;
    const fa__http1_scan *scan;
    fa__buf *buf;
    size_t line_at; /* first byte in `buf` of the trailer line that comes next */
    fa__http1_chunked_limits limits;
    uint32_t extension_bytes;  /* of this chunk */
    uint32_t extensions_bytes; /* of all chunks before it */
    int error;                 /* sticky */
    uint8_t state;
    uint8_t digits;
} fa__http1_chunked;

/**
 * Makes `dec` ready for a body. `trailers` has room for `trailer_cap` fields; one more
 * is FA_ERR_TRAILER. `buf` collects the trailer section, and is touched only when there
 * is one; what it holds is forgotten then.
 *
 * Ownership: `trailers` and `buf` are borrowed until the caller has done with the
 * trailer fields; `limits` is copied, NULL means the defaults.
 */
void fa__http1_chunked_init(fa__http1_chunked *dec, fa__field *trailers,
                            uint32_t trailer_cap, fa__buf *buf,
                            const fa__http1_chunked_limits *limits);

/**
 * Decodes from `data` up to and with the next piece of payload, or all of it.
 *
 * Returns how many bytes it used, at least 1 when `len` > 0 and the body is not done,
 * and never a byte after the end of the body. `*payload` is then the payload among them,
 * borrowed from `data`, and often empty. Call it again with the rest until everything is
 * used or `dec->done`. Where calls split the input changes how the payload is cut into
 * pieces, and nothing else.
 *
 * Lines end in CRLF and nothing else; extensions are checked against their grammar
 * (RFC 9112, 7.1.1) and dropped. Trailer lines obey the rules of field lines (see
 * fa__http1_parse_head()). Of their fields Content-Length, Transfer-Encoding and Host
 * are refused: a recipient that merged them would see another message. All others that
 * RFC 9110, 6.5.1 does not allow there (framing, routing, authentication, content
 * format, request modifiers) are left out of `trailers`.
 *
 * Errors, sticky, `*payload` untouched: FA_ERR_CHUNK, FA_ERR_CHUNK_EXTENSION,
 * FA_ERR_TRAILER, FA_ERR_NOMEM.
 */
ptrdiff_t fa__http1_chunked_feed(fa__http1_chunked *dec, const char *data, size_t len,
                                 fa_slice *payload);

#endif
