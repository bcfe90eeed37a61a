/* Parses the heads of HTTP/1.x requests (RFC 9112, sections 2 to 6). */
#ifndef FA_HTTP1_PARSER_H
#define FA_HTTP1_PARSER_H

#include <fasterapi/error.h>

#include "http/message.h"
#include "http1/scan.h"

typedef struct fa__http1_limits {
    uint32_t max_request_line_bytes; /* with its CRLF; default 8192; above it
                                        FA_ERR_TARGET_TOO_LONG (414) */
    uint32_t max_header_bytes;       /* all field lines and the empty one after them;
                                        default 32768; above it FA_ERR_HEADER_TOO_LARGE */
} fa__http1_limits;

enum {
    FA__HTTP1_MAX_REQUEST_LINE_BYTES = 8192,
    FA__HTTP1_MAX_HEADER_BYTES = 32768,
    FA__HTTP1_MAX_EMPTY_LINES = 4, /* before a request-line (RFC 9112, 2.2) */
};

/* Between two calls it holds what the complete lines said. All fields are private, but
   that a test may set `scan` after init. */
typedef struct fa__http1_parser {
    fa__request_head *head;
    const fa__http1_scan *scan;
    const char *data; /* of the last call; a mere address once the buffer has moved */
    size_t at;        /* first byte of the line that comes next */
    size_t fields_at; /* first byte of the first field line */
    fa__http1_limits limits;
    int error;     /* sticky */
    uint16_t seen; /* which fields and codings were there */
    uint8_t stage; /* which line comes next */
    uint8_t empty; /* empty lines before the request-line */
} fa__http1_parser;

/**
 * Makes `parser` and `head` ready for a request. The caller has set `head->fields` and
 * `head->field_cap`, and must not change them until the head is complete; all else in
 * `head` is reset.
 *
 * Ownership: `head` is borrowed, `limits` is copied; NULL means the defaults.
 */
void fa__http1_parser_init(fa__http1_parser *parser, fa__request_head *head,
                           const fa__http1_limits *limits);

/**
 * `data` is all that has come since the first byte after the last message: the bytes of
 * the last call, perhaps at another address, and perhaps more after them. What was
 * parsed of complete lines is not parsed again.
 *
 * Returns the length of the head, its empty line included, once that is complete: then
 * `head` is filled and its framing judged, and the body begins there. Returns 0 when
 * more must come, and a negative FA_ERR_* when no byte that could come would make a
 * request that is to be served; every later call returns the same.
 *
 * The result depends on the bytes alone, not on how many came with each call. A byte
 * that is out of place is an error as soon as it is there; the target is judged when
 * the space after it is there, the meaning of a field with the end of its line, and
 * what fields say together with the end of the head.
 *
 * Refused on purpose, though some recipients are lenient: bare LF and bare CR (2.2),
 * obs-fold (5.2), white space before the colon (5.1), anything but one SP within the
 * request-line (3), a second Content-Length even if equal (RFC 9110, 8.6), and
 * Transfer-Encoding with Content-Length or in HTTP/1.0 (6.1, 6.3).
 *
 * Taken, as by most recipients: a fragment, which `path` and `query` leave out; the
 * asterisk-form with a method that is FA_METHOD_OTHER; and the codings gzip, x-gzip,
 * deflate, compress, x-compress (7) and identity before one final "chunked". Only that
 * one is decoded (http1/chunked.h): the payload is still in the others.
 *
 * Slices of `head` point into `data`; when the buffer moves later, fa__head_rebase().
 * HTTP/1.2 to HTTP/1.9 are read as HTTP/1.1 (RFC 9110, 2.5): `version_minor` is 0 or 1.
 *
 * Errors: FA_ERR_METHOD to FA_ERR_TRANSFER_CODING, FA_ERR_EXPECTATION;
 * FA_ERR_STATE when the head was complete before.
 */
ptrdiff_t fa__http1_parse_head(fa__http1_parser *parser, const char *data, size_t len);

#endif
