#include "http1/chunked.h"

#include "base/ascii.h"
#include "http1/parser_rules.h"

/* Up to DATA the states are those of the line chunk-size [ chunk-ext ] CRLF. */
enum {
    SIZE,
    SPACE_BEFORE_SEMICOLON, /* BWS (RFC 9112, 7.1.1), after a size or a value */
    SPACE_BEFORE_NAME,
    NAME,
    SPACE_AFTER_NAME,
    SPACE_BEFORE_VALUE,
    VALUE,
    QUOTED, /* quoted-string (RFC 9110, 5.6.4) */
    QUOTED_PAIR,
    AFTER_QUOTED,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER,
    TRAILER_LF, /* after the CR of an empty trailer section */
    TRAILER_LINES,
};

void fa__http1_chunked_init(fa__http1_chunked *dec, fa__field *trailers,
                            uint32_t trailer_cap, fa__buf *buf,
                            const fa__http1_chunked_limits *limits)
{
    static const fa__http1_chunked_limits defaults = {
        FA__HTTP1_MAX_CHUNK_EXTENSION_BYTES,
        FA__HTTP1_MAX_CHUNK_EXTENSIONS_BYTES,
        FA__HTTP1_MAX_TRAILER_BYTES,
    };

    *dec = (fa__http1_chunked){
        .trailers = trailers,
        .trailer_cap = trailer_cap,
        .scan = fa__http1_scan_best(),
        .buf = buf,
        .limits = limits != NULL ? *limits : defaults,
    };
}

static int hex_value(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_space(unsigned char c)
{
    return c == ' ' || c == '\t';
}

/* chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ). The state
   after `c`, or FA_ERR_CHUNK. White space may come only where something follows it:
   "5 CRLF" is no chunk-size, whatever others make of it. */
static int extension_state(int state, unsigned char c)
{
    bool token = fa__http1_is(c, FA__CLASS_TOKEN);

    switch (state) {
    case QUOTED:
        if (c == '"')
            return AFTER_QUOTED;
        if (c == '\\')
            return QUOTED_PAIR;
        return fa__http1_is(c, FA__CLASS_VALUE) ? QUOTED : FA_ERR_CHUNK;
    case QUOTED_PAIR: return fa__http1_is(c, FA__CLASS_VALUE) ? QUOTED : FA_ERR_CHUNK;
    case SPACE_BEFORE_NAME:
        if (is_space(c))
            return SPACE_BEFORE_NAME;
        return token ? NAME : FA_ERR_CHUNK;
    case SPACE_BEFORE_VALUE:
        if (is_space(c))
            return SPACE_BEFORE_VALUE;
        if (c == '"')
            return QUOTED;
        return token ? VALUE : FA_ERR_CHUNK;
    case NAME:
    case VALUE:
        if (token)
            return state;
        break;
    default: break;
    }
    /* A size, a name or a value is complete. */
    if (c == ';')
        return SPACE_BEFORE_NAME;
    if (c == '=' && (state == NAME || state == SPACE_AFTER_NAME))
        return SPACE_BEFORE_VALUE;
    if (is_space(c))
        return state == NAME || state == SPACE_AFTER_NAME ? SPACE_AFTER_NAME
                                                          : SPACE_BEFORE_SEMICOLON;
    if (c == '\r' && state != SPACE_BEFORE_SEMICOLON && state != SPACE_AFTER_NAME)
        return SIZE_LF;
    return FA_ERR_CHUNK;
}

/* chunk-size = 1*HEXDIG (RFC 9112, 7.1); 16 digits cannot overflow. */
static int size_digit(fa__http1_chunked *dec, int digit)
{
    if (dec->digits == FA__HTTP1_MAX_CHUNK_SIZE_DIGITS)
        return FA_ERR_CHUNK;
    dec->left = dec->left << 4 | (unsigned)digit;
    ++dec->digits;
    return 0;
}

static int count_extension_byte(fa__http1_chunked *dec)
{
    const fa__http1_chunked_limits *limits = &dec->limits;

    ++dec->extension_bytes;
    if (dec->extension_bytes > limits->max_chunk_extension_bytes ||
        dec->extension_bytes > limits->max_chunk_extensions_bytes - dec->extensions_bytes)
        return FA_ERR_CHUNK_EXTENSION;
    return 0;
}

static int end_size_line(fa__http1_chunked *dec, unsigned char c)
{
    if (c != '\n')
        return FA_ERR_CHUNK;
    dec->extensions_bytes += dec->extension_bytes;
    dec->extension_bytes = 0;
    dec->digits = 0;
    dec->state = dec->left == 0 ? TRAILER : DATA;
    return 0;
}

/* One byte of the line that begins a chunk. Returns 0 or an error. */
static int size_line_byte(fa__http1_chunked *dec, unsigned char c)
{
    int next;

    if (dec->state == SIZE_LF)
        return end_size_line(dec, c);
    if (dec->state == SIZE) {
        int digit = hex_value(c);

        if (digit >= 0)
            return size_digit(dec, digit);
        if (dec->digits == 0)
            return FA_ERR_CHUNK;
    }
    next = extension_state(dec->state, c);
    if (next < 0)
        return next;
    dec->state = (uint8_t)next;
    return next == SIZE_LF ? 0 : count_extension_byte(dec);
}

/* Fields that are not allowed in trailers, beyond those with an identity (RFC 9110,
   6.5.1): they are dropped. */
static bool is_dropped(const fa__field *field)
{
    static const fa_slice names[] = {
        {"authorization", 13},
        {"cache-control", 13},
        {"content-encoding", 16},
        {"content-range", 13},
        {"cookie", 6},
        {"forwarded", 9},
        {"if-match", 8},
        {"if-modified-since", 17},
        {"if-none-match", 13},
        {"if-range", 8},
        {"if-unmodified-since", 19},
        {"keep-alive", 10},
        {"max-forwards", 12},
        {"pragma", 6},
        {"proxy-authorization", 19},
        {"proxy-connection", 16},
        {"range", 5},
        {"x-forwarded-for", 15},
        {"x-forwarded-host", 16},
        {"x-forwarded-proto", 17},
    };

    if (field->id != FA__FIELD_OTHER)
        return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i)
        if (fa__equal_nocase(field->name, names[i]))
            return true;
    return false;
}

static int keep_trailer(fa__http1_chunked *dec, const fa__field *field)
{
    switch (field->id) {
    case FA__FIELD_CONTENT_LENGTH:
    case FA__FIELD_TRANSFER_ENCODING:
    case FA__FIELD_HOST: return FA_ERR_TRAILER;
    default: break;
    }
    if (is_dropped(field))
        return 0;
    if (dec->trailer_count == dec->trailer_cap)
        return FA_ERR_TRAILER;
    dec->trailers[dec->trailer_count++] = *field;
    return 0;
}

/* Goes over the trailer lines in the buffer that are complete. Returns 1 after the empty
   line, 0 when more must come, or FA_ERR_TRAILER. */
static int parse_trailers(fa__http1_chunked *dec)
{
    const fa__buf *buf = dec->buf;

    while (dec->line_at < buf->len) {
        const char *p = buf->p + dec->line_at;
        size_t len = buf->len - dec->line_at;
        fa__field field;
        ptrdiff_t n;

        if (p[0] == '\r') {
            if (len == 1)
                return 0;
            dec->line_at += 2;
            return p[1] == '\n' ? 1 : FA_ERR_TRAILER;
        }
        n = fa__http1_field_line(dec->scan, &field, p, len);
        if (n == 0)
            return 0;
        if (n < 0)
            return FA_ERR_TRAILER;
        field.id = fa__http1_field_id(field.name);
        dec->line_at += (size_t)n;
        if (keep_trailer(dec, &field) != 0)
            return FA_ERR_TRAILER;
    }
    return 0;
}

/* The buffer has moved: so have the fields that point into it. */
static void rebase_trailers(fa__http1_chunked *dec, uintptr_t from)
{
    for (uint32_t i = 0; i < dec->trailer_count; ++i) {
        fa__field *field = &dec->trailers[i];

        field->name.p = dec->buf->p + ((uintptr_t)field->name.p - from);
        field->value.p = dec->buf->p + ((uintptr_t)field->value.p - from);
    }
}

/* Takes what may belong to the trailer section into the buffer, and gives back what lies
   behind its end. The limit cuts the input, so that it strikes at the same byte however
   the input is split. */
static ptrdiff_t feed_trailers(fa__http1_chunked *dec, const char *data, size_t len)
{
    fa__buf *buf = dec->buf;
    uintptr_t from = (uintptr_t)buf->p;
    size_t before = buf->len;
    size_t room = dec->limits.max_trailer_bytes - before;
    int rv = fa__buf_append(buf, data, len < room ? len : room);

    if (rv != 0)
        return rv;
    if ((uintptr_t)buf->p != from)
        rebase_trailers(dec, from);
    rv = parse_trailers(dec);
    if (rv == 0 && buf->len == dec->limits.max_trailer_bytes)
        return FA_ERR_TRAILER;
    if (rv < 0)
        return rv;
    if (rv > 0) {
        dec->done = true;
        buf->len = dec->line_at;
    }
    return (ptrdiff_t)(buf->len - before);
}

/* The CRLF after a chunk's data, and the first byte after the last chunk. */
static int between_byte(fa__http1_chunked *dec, unsigned char c)
{
    switch (dec->state) {
    case DATA_CR: dec->state = DATA_LF; return c == '\r' ? 0 : FA_ERR_CHUNK;
    case DATA_LF: dec->state = SIZE; return c == '\n' ? 0 : FA_ERR_CHUNK;
    default: /* TRAILER_LF */ dec->done = true; return c == '\n' ? 0 : FA_ERR_TRAILER;
    }
}

static ptrdiff_t feed(fa__http1_chunked *dec, const char *data, size_t len,
                      fa_slice *payload)
{
    size_t i = 0;
    ptrdiff_t n;
    int rv = 0;

    while (i < len && rv == 0 && !dec->done) {
        if (dec->state == DATA) {
            size_t take = dec->left < len - i ? (size_t)dec->left : len - i;

            *payload = (fa_slice){data + i, take};
            dec->left -= take;
            if (dec->left == 0)
                dec->state = DATA_CR;
            return (ptrdiff_t)(i + take);
        }
        if (dec->state == TRAILER) {
            dec->state = data[i] == '\r' ? TRAILER_LF : TRAILER_LINES;
            if (dec->state == TRAILER_LINES)
                dec->buf->len = 0;
            else
                ++i;
        } else if (dec->state == TRAILER_LINES) {
            n = feed_trailers(dec, data + i, len - i);
            if (n < 0)
                return n;
            i += (size_t)n;
        } else if (dec->state < DATA) {
            rv = size_line_byte(dec, (unsigned char)data[i++]);
        } else {
            rv = between_byte(dec, (unsigned char)data[i++]);
        }
    }
    if (rv != 0)
        return rv;
    *payload = (fa_slice){data + i, 0};
    return (ptrdiff_t)i;
}

ptrdiff_t fa__http1_chunked_feed(fa__http1_chunked *dec, const char *data, size_t len,
                                 fa_slice *payload)
{
    ptrdiff_t n;

    if (dec->error != 0)
        return dec->error;
    n = feed(dec, data, len, payload);
    if (n < 0) {
        dec->error = (int)n;
        dec->done = false;
    }
    return n;
}
