#include "reply.h"

#include <string.h>
#include <strings.h>

#include <fasterapi/error.h>
#include <fasterapi/slice.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static fa_slice trimmed(const char *p, const char *end)
{
    while (p < end && is_space(*p))
        ++p;
    while (end > p && is_space(end[-1]))
        --end;
    return (fa_slice){p, (size_t)(end - p)};
}

static bool is_word(fa_slice v, const char *lower)
{
    return v.len == strlen(lower) && strncasecmp(v.p, lower, v.len) == 0;
}

/* status-line = HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112,
   section 4); a missing space before an empty reason is let pass. */
static int parse_status_line(fa__ch_reply_head *h, const char *p, const char *end)
{
    if (end - p < 12 || memcmp(p, "HTTP/1.", 7) != 0 || !is_digit(p[7]) || p[8] != ' ' ||
        p[9] < '1' || p[9] > '9' || !is_digit(p[10]) || !is_digit(p[11]) ||
        (end - p > 12 && p[12] != ' '))
        return FA_ERR_STATUS_LINE;
    h->status = (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
    /* Before 1.1 a connection is closed unless the reply says otherwise (9.3). */
    h->close = p[7] == '0';
    return 0;
}

/* What the fields say about the body, before the rules of precedence. */
typedef struct framing_fields {
    bool has_length;
    bool has_coding;
    bool chunked; /* the last coding named is chunked */
    uint64_t length;
} framing_fields;

/* Content-Length = 1*DIGIT (RFC 9110, section 8.6). The same number again, in
   another field or after a comma, is harmless; another number is not. */
static int parse_length(framing_fields *f, fa_slice v)
{
    const char *p = v.p, *end = v.p + v.len;

    for (;;) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        fa_slice item = trimmed(p, comma != NULL ? comma : end);
        uint64_t n = 0;

        if (item.len == 0)
            return FA_ERR_CONTENT_LENGTH;
        for (size_t i = 0; i < item.len; ++i) {
            unsigned digit = (unsigned)item.p[i] - '0';

            if (digit > 9 || n > (UINT64_MAX - digit) / 10)
                return FA_ERR_CONTENT_LENGTH;
            n = n * 10 + digit;
        }
        if (f->has_length && f->length != n)
            return FA_ERR_CONTENT_LENGTH;
        f->has_length = true;
        f->length = n;
        if (comma == NULL)
            return 0;
        p = comma + 1;
    }
}

/* Chunked may be applied once only, and last (RFC 9112, section 6.1). */
static int parse_coding(framing_fields *f, fa_slice v)
{
    const char *p = v.p, *end = v.p + v.len;

    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        fa_slice item = trimmed(p, comma != NULL ? comma : end);

        if (item.len > 0) {
            if (f->chunked)
                return FA_ERR_TRANSFER_ENCODING;
            f->has_coding = true;
            f->chunked = is_word(item, "chunked");
        }
        p = comma != NULL ? comma + 1 : end;
    }
    return 0;
}

static void parse_connection(fa__ch_reply_head *h, fa_slice v)
{
    const char *p = v.p, *end = v.p + v.len;

    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        fa_slice item = trimmed(p, comma != NULL ? comma : end);

        if (is_word(item, "close"))
            h->close = true;
        else if (is_word(item, "keep-alive"))
            h->close = false;
        p = comma != NULL ? comma + 1 : end;
    }
}

static int parse_field(fa__ch_reply_head *h, framing_fields *f, const char *p,
                       const char *end)
{
    const char *colon;
    fa_slice name, value;

    if (is_space(*p))
        return 0; /* obs-fold: more of a value that is of no interest here */
    colon = memchr(p, ':', (size_t)(end - p));
    if (colon == NULL || colon == p)
        return FA_ERR_FIELD_LINE;
    /* A user agent drops white space before the colon (RFC 9112, section 5.1). */
    name = trimmed(p, colon);
    value = trimmed(colon + 1, end);
    switch (*p | 0x20) {
    case 'c':
        if (is_word(name, "content-length"))
            return parse_length(f, value);
        if (is_word(name, "connection"))
            parse_connection(h, value);
        break;
    case 't':
        if (is_word(name, "transfer-encoding"))
            return parse_coding(f, value);
        break;
    default: break;
    }
    return 0;
}

/* RFC 9112, section 6.3, for answers to GET and POST. */
static void decide_framing(fa__ch_reply_head *h, const framing_fields *f)
{
    h->framing = FA__CH_BODY_LENGTH;
    h->length = 0;
    if (h->status < 200 || h->status == 204 || h->status == 304)
        return;
    if (f->has_coding) {
        h->framing = f->chunked ? FA__CH_BODY_CHUNKED : FA__CH_BODY_TO_CLOSE;
    } else if (f->has_length) {
        h->length = f->length;
    } else {
        h->framing = FA__CH_BODY_TO_CLOSE;
    }
    if (h->framing == FA__CH_BODY_TO_CLOSE)
        h->close = true;
}

ptrdiff_t fa__ch_reply_head_parse(fa__ch_reply_head *out, const char *p, size_t n)
{
    fa__ch_reply_head h = {0};
    framing_fields f = {0};
    size_t seen = n < FA__CH_MAX_HEAD_BYTES ? n : FA__CH_MAX_HEAD_BYTES;
    const char *at = p, *end = p + seen;

    for (;;) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        const char *line_end;
        int rv;

        if (lf == NULL)
            break;
        /* A lone LF ends a line, too (RFC 9112, section 2.2). */
        line_end = lf > at && lf[-1] == '\r' ? lf - 1 : lf;
        if (at == p) {
            rv = parse_status_line(&h, at, line_end);
        } else if (line_end == at) {
            decide_framing(&h, &f);
            *out = h;
            return lf + 1 - p;
        } else {
            rv = parse_field(&h, &f, at, line_end);
        }
        if (rv != 0)
            return rv;
        at = lf + 1;
    }
    /* Garbage shall not wait for a line end that may never come. */
    if (memcmp(p, "HTTP/1.", seen < 7 ? seen : 7) != 0)
        return FA_ERR_STATUS_LINE;
    return seen == FA__CH_MAX_HEAD_BYTES ? FA_ERR_HEADER_TOO_LARGE : 0;
}
