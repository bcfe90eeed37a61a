/* A request's head as every protocol version hands it on (RFC 9110, section 6). */
#ifndef FA_HTTP_MESSAGE_H
#define FA_HTTP_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <fasterapi/http.h>

/* The fields that the server itself looks at; all others are FA__FIELD_OTHER. */
typedef enum fa__field_id {
    FA__FIELD_OTHER = 0,
    FA__FIELD_HOST,
    FA__FIELD_CONNECTION,
    FA__FIELD_CONTENT_LENGTH,
    FA__FIELD_CONTENT_TYPE,
    FA__FIELD_EXPECT,
    FA__FIELD_TE,
    FA__FIELD_TRAILER,
    FA__FIELD_TRANSFER_ENCODING,
    FA__FIELD_UPGRADE,
} fa__field_id;

/* Name as it came (RFC 9110, 5.1: compare without case); value without the white
   space around it (5.5). Borrowed from the buffer that was parsed. */
typedef struct fa__field {
    fa_slice name;
    fa_slice value;
    fa__field_id id;
} fa__field;

/* RFC 9112, section 3.2. */
typedef enum fa__target_form {
    FA__TARGET_ORIGIN,    /* /path?query */
    FA__TARGET_ABSOLUTE,  /* http://host/path?query */
    FA__TARGET_AUTHORITY, /* host:port, CONNECT only */
    FA__TARGET_ASTERISK,  /* *, OPTIONS and FA_METHOD_OTHER only */
} fa__target_form;

typedef enum fa__body_kind {
    FA__BODY_NONE,
    FA__BODY_LENGTH,  /* content_length bytes, perhaps 0 */
    FA__BODY_CHUNKED, /* RFC 9112, section 7.1; other codings stay on the payload */
} fa__body_kind;

typedef struct fa__request_head {
    fa_slice method_name;
    fa_slice target;   /* as it came, with its fragment if it has one */
    fa_slice path;     /* raw, still percent-encoded; "/" for an absolute-form without
                          one, "*" for asterisk-form, empty for authority-form */
    fa_slice query;    /* raw, after the first '?', which it leaves out; neither path nor
                          query has anything of a fragment */
    fa_slice host;     /* authority of the target or else the Host field; may be empty */
    fa__field *fields; /* the caller's array */
    uint32_t field_count; /* used */
    uint32_t field_cap;   /* room; one more field is FA_ERR_TOO_MANY_FIELDS */
    uint64_t content_length;
    fa_method method;
    fa__target_form target_form;
    fa__body_kind body_kind;
    uint8_t version_major;
    uint8_t version_minor;
    bool has_query;       /* a '?' was there, perhaps with nothing after it */
    bool keep_alive;      /* the client means to send more (RFC 9112, 9.3) */
    bool expect_continue; /* Expect: 100-continue from HTTP/1.1 (RFC 9110, 10.1.1) */
    bool upgrade;         /* Connection: upgrade and an Upgrade field (RFC 9110, 7.8) */
    bool te_trailers;     /* TE: trailers (RFC 9110, 10.1.4) */
} fa__request_head;

/* The first field of that name (no case), or NULL. */
const fa__field *fa__head_find(const fa__request_head *head, fa_slice name);

/* The bytes that the slices of `head` point into have moved from `from` to `to`. */
void fa__head_rebase(fa__request_head *head, const char *from, const char *to);

#endif
