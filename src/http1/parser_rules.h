/* The parts of the head parser: one line each, and what the lines mean. */
#ifndef FA_HTTP1_PARSER_RULES_H
#define FA_HTTP1_PARSER_RULES_H

#include "http1/parser.h"

/* Bits of fa__http1_parser.seen. */
enum {
    FA__SEEN_HOST = 1,
    FA__SEEN_CONTENT_LENGTH = 2,
    FA__SEEN_TRANSFER_ENCODING = 4,
    FA__SEEN_CHUNKED = 8,         /* the last coding so far is chunked */
    FA__SEEN_UNKNOWN_CODING = 16, /* neither chunked nor registered */
    FA__SEEN_CLOSE = 32,          /* Connection: close */
    FA__SEEN_KEEP_ALIVE = 64,
    FA__SEEN_CONNECTION_UPGRADE = 128,
    FA__SEEN_UPGRADE = 256,
};

/* Sets the form of the head's target, and path, query and host as far as it has them.
   `uri_len` is the length of its part before the first '#', `path_len` of that before the
   first '?' in there. Returns 0 or FA_ERR_TARGET. */
int fa__http1_target_judge(fa__http1_parser *parser, size_t path_len, size_t uri_len);

/* The same as the next, slowly: for IP literals, percent-encoding and what is wrong. */
bool fa__http1_authority_rare(fa_slice v, size_t *host_len);

/* uri-host [ ":" port ] (RFC 9110, 7.2; RFC 3986, 3.2.2), both perhaps empty. On success
   `*host_len` is where the host ends: at the colon or the end. */
static inline bool fa__http1_authority_valid(const fa__http1_scan *scan, fa_slice v,
                                             size_t *host_len)
{
    return scan->authority(v.p, v.len, host_len) || fa__http1_authority_rare(v, host_len);
}

/* The identity of a field name, which is a token. */
fa__field_id fa__http1_field_id(fa_slice name);

/* What a field that has an identity means for the message. Returns 0 or FA_ERR_*. */
int fa__http1_field_judge(fa__http1_parser *parser, const fa__field *field);

/* What the fields mean together, at the end of the head. Returns 0 or FA_ERR_*. */
int fa__http1_head_judge(fa__http1_parser *parser);

/* Parses one field line (RFC 9112, section 5) that does not begin with CR: of a head or
   of a trailer section. Nothing at or after `p + len` is read.

   Returns its length with CRLF, 0 when more must come, or FA_ERR_FIELD_NAME,
   FA_ERR_FIELD_VALUE or FA_ERR_FIELD_LINE. `field` is written on success only, all but
   its id. In the header, for it is the inner loop of two callers. */
static inline ptrdiff_t fa__http1_field_line(const fa__http1_scan *scan, fa__field *field,
                                             const char *p, size_t len)
{
    size_t name_len, begin, end, line;

    end = scan->field(p, len, &name_len);
    if (name_len == len)
        return 0;
    if (p[name_len] != ':' || name_len == 0) {
        /* A line that begins with white space is obs-fold, or a smuggled field that
           follows the request-line (RFC 9112, 2.2 and 5.2). */
        if (name_len == 0 && (p[0] == ' ' || p[0] == '\t' || p[0] == '\n'))
            return FA_ERR_FIELD_LINE;
        return FA_ERR_FIELD_NAME;
    }
    if (end == len)
        return 0;
    if (p[end] != '\r')
        return p[end] == '\n' ? FA_ERR_FIELD_LINE : FA_ERR_FIELD_VALUE;
    if (end + 1 == len)
        return 0;
    if (p[end + 1] != '\n')
        return FA_ERR_FIELD_LINE; /* bare CR (RFC 9112, 2.2) */
    line = end + 2;
    begin = name_len + 1;
    while (begin < end && (p[begin] == ' ' || p[begin] == '\t'))
        ++begin;
    while (end > begin && (p[end - 1] == ' ' || p[end - 1] == '\t'))
        --end;
    field->name = (fa_slice){p, name_len};
    field->value = (fa_slice){p + begin, end - begin};
    return (ptrdiff_t)line;
}

#endif
