#include "trace.h"

#include <stdio.h>
#include <stdlib.h>

typedef enum { HEAD, LENGTH, CHUNKED, CLOSED } stage;

typedef struct connection {
    trace *t;
    const trace_options *options;
    stage stage;
    const char *data; /* all that was fed */
    size_t len;
    size_t begin; /* of the message */
    size_t at;    /* of what was not used yet */
    uint64_t left;
    fa__field fields[TRACE_FIELDS];
    fa__field trailers[TRACE_FIELDS];
    fa__request_head head;
    fa__http1_parser parser;
    fa__http1_chunked dec;
    fa__buf trailer_buf;
    fa__buf body;
} connection;

trace_options trace_defaults(void)
{
    return (trace_options){
        .limits = {FA__HTTP1_MAX_REQUEST_LINE_BYTES, FA__HTTP1_MAX_HEADER_BYTES},
        .chunked_limits = {FA__HTTP1_MAX_CHUNK_EXTENSION_BYTES,
                           FA__HTTP1_MAX_CHUNK_EXTENSIONS_BYTES,
                           FA__HTTP1_MAX_TRAILER_BYTES},
        .field_cap = 100,
    };
}

static void must(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "trace: %s\n", what);
        abort();
    }
}

static void put(fa__buf *out, const char *p, size_t n)
{
    must(fa__buf_append(out, p, n) == 0, "no memory");
}

static void puts_to(fa__buf *out, const char *s)
{
    put(out, s, strlen(s));
}

static void put_number(fa__buf *out, const char *before, uint64_t n)
{
    char text[64];

    snprintf(text, sizeof(text), "%s%llu", before, (unsigned long long)n);
    puts_to(out, text);
}

/* In quotes, with the escapes that C and Python share. */
static void put_quoted(fa__buf *out, const char *before, fa_slice v)
{
    puts_to(out, before);
    puts_to(out, "\"");
    for (size_t i = 0; i < v.len; ++i) {
        unsigned char c = (unsigned char)v.p[i];
        char text[8];

        if (c == '\r' || c == '\n' || c == '\t')
            snprintf(text, sizeof(text), "\\%c", c == '\r' ? 'r' : c == '\n' ? 'n' : 't');
        else if (c < 0x20 || c >= 0x7f)
            snprintf(text, sizeof(text), "\\x%02x", c);
        else
            snprintf(text, sizeof(text), "%s%c", c == '"' || c == '\\' ? "\\" : "", c);
        puts_to(out, text);
    }
    puts_to(out, "\"");
}

/* Where `v` is in the input; it must lie in what was fed. */
static size_t offset_of(const connection *c, fa_slice v)
{
    must(v.p >= c->data && v.p + v.len <= c->data + c->len, "a slice out of the input");
    return (size_t)(v.p - c->data);
}

static void put_head(connection *c)
{
    static const char *const forms[] = {"origin", "absolute", "authority", "asterisk"};
    const fa__request_head *head = &c->head;
    fa__buf *out = &c->t->text;

    offset_of(c, head->target);
    offset_of(c, head->path);
    put_number(out, "off=", offset_of(c, head->method_name));
    put_quoted(out, " request ", head->method_name);
    put_quoted(out, " ", head->target);
    put_number(out, " HTTP/1.", head->version_minor);
    puts_to(out, " ");
    puts_to(out, forms[head->target_form]);
    put_quoted(out, " path=", head->path);
    if (head->has_query)
        put_quoted(out, " query=", head->query);
    put_quoted(out, " host=", head->host);
    puts_to(out, head->keep_alive ? " keep-alive" : " close");
    puts_to(out, head->expect_continue ? " expect-continue" : "");
    puts_to(out, head->upgrade ? " upgrade" : "");
    puts_to(out, head->te_trailers ? " te-trailers" : "");
    puts_to(out, "\n");
    for (uint32_t i = 0; i < head->field_count; ++i) {
        put_number(out, "off=", offset_of(c, head->fields[i].name));
        put_quoted(out, " field ", head->fields[i].name);
        put_quoted(out, " ", head->fields[i].value);
        puts_to(out, "\n");
        offset_of(c, head->fields[i].value);
    }
    put_number(out, "off=", c->at);
    puts_to(out, " head complete");
    if (head->body_kind == FA__BODY_LENGTH)
        put_number(out, ", length ", head->content_length);
    puts_to(out, head->body_kind == FA__BODY_CHUNKED ? ", chunked\n" : "\n");
}

static void put_body(connection *c)
{
    fa__buf *out = &c->t->text;

    if (c->body.len > 0) {
        put_quoted(out, "body ", (fa_slice){c->body.p, c->body.len});
        puts_to(out, "\n");
    }
    c->body.len = 0;
}

static void begin_head(connection *c)
{
    c->stage = HEAD;
    c->begin = c->at;
    c->head.fields = c->fields;
    c->head.field_cap = c->options->field_cap;
    fa__http1_parser_init(&c->parser, &c->head, &c->options->limits);
    if (c->options->scan != NULL)
        c->parser.scan = c->options->scan;
}

static void begin_chunked(connection *c)
{
    c->stage = CHUNKED;
    fa__http1_chunked_init(&c->dec, c->trailers, c->options->field_cap, &c->trailer_buf,
                           &c->options->chunked_limits);
    if (c->options->scan != NULL)
        c->dec.scan = c->options->scan;
}

static void end_message(connection *c)
{
    put_body(c);
    put_number(&c->t->text, "off=", c->at);
    if (!c->options->body_only && c->head.keep_alive) {
        puts_to(&c->t->text, " message complete\n");
        begin_head(c);
    } else {
        puts_to(&c->t->text, " message complete, close\n");
        c->stage = CLOSED;
    }
}

static void fail(connection *c, int error)
{
    put_body(c);
    c->t->error = error;
    c->stage = CLOSED;
}

static bool feed_head(connection *c)
{
    const char *p = c->data + c->begin;
    ptrdiff_t n = fa__http1_parse_head(&c->parser, p, c->len - c->begin);

    if (n < 0) {
        must(fa__http1_parse_head(&c->parser, p, c->len - c->begin) == n, "not sticky");
        fail(c, (int)n);
    }
    if (n <= 0)
        return false;
    must((size_t)n <= c->len - c->begin, "more used than given");
    c->at = c->begin + (size_t)n;
    put_head(c);
    c->left = c->head.content_length;
    if (c->head.body_kind == FA__BODY_CHUNKED)
        begin_chunked(c);
    else if (c->head.body_kind == FA__BODY_LENGTH && c->left > 0)
        c->stage = LENGTH;
    else
        end_message(c);
    return true;
}

static bool feed_length(connection *c)
{
    size_t n = c->left < c->len - c->at ? (size_t)c->left : c->len - c->at;

    put(&c->body, c->data + c->at, n);
    c->at += n;
    c->left -= n;
    if (c->left == 0)
        end_message(c);
    return n > 0;
}

static bool feed_chunked(connection *c)
{
    const char *p = c->data + c->at;
    size_t len = c->len - c->at;
    fa_slice payload = {NULL, 0};
    ptrdiff_t n = fa__http1_chunked_feed(&c->dec, p, len, &payload);

    if (n < 0) {
        must(fa__http1_chunked_feed(&c->dec, p, len, &payload) == n, "not sticky");
        must(payload.p == NULL, "an output written with an error");
        fail(c, (int)n);
        return false;
    }
    must((size_t)n <= len && (n > 0 || len == 0), "used more or less than there is");
    must(payload.len == 0 || (payload.p >= p && payload.p + payload.len <= p + n),
         "payload out of what was used");
    put(&c->body, payload.p, payload.len);
    c->at += (size_t)n;
    if (!c->dec.done)
        return n > 0;
    put_body(c);
    for (uint32_t i = 0; i < c->dec.trailer_count; ++i) {
        put_quoted(&c->t->text, "trailer ", c->dec.trailers[i].name);
        put_quoted(&c->t->text, " ", c->dec.trailers[i].value);
        puts_to(&c->t->text, "\n");
    }
    end_message(c);
    return true;
}

static void feed_all(connection *c)
{
    bool more = true;

    while (more && (c->at < c->len || c->stage == HEAD)) {
        switch (c->stage) {
        case HEAD: more = c->begin < c->len && feed_head(c); break;
        case LENGTH: more = feed_length(c); break;
        case CHUNKED: more = feed_chunked(c); break;
        case CLOSED: more = false; break;
        }
    }
}

static void put_end(connection *c)
{
    static const char *const what[] = {"head", "body", "chunked body"};

    c->t->offset = c->len;
    if (c->stage == CLOSED || (c->stage == HEAD && c->begin == c->len))
        return;
    put_body(c);
    put_number(&c->t->text, "off=", c->len);
    puts_to(&c->t->text, " incomplete ");
    puts_to(&c->t->text, what[c->stage]);
    puts_to(&c->t->text, "\n");
}

void trace_run(trace *t, const trace_options *options, const char *data, size_t len,
               const size_t *cuts, size_t cut_count)
{
    connection *c = calloc(1, sizeof(*c));
    char *copy = NULL;

    must(c != NULL, "no memory");
    *t = (trace){.error = 0};
    fa__buf_init(&t->text, &fa__malloc);
    fa__buf_init(&c->trailer_buf, &fa__malloc);
    fa__buf_init(&c->body, &fa__malloc);
    c->t = t;
    c->options = options;
    if (options->body_only)
        begin_chunked(c);
    else
        begin_head(c);
    for (size_t i = 0; i <= cut_count && c->stage != CLOSED; ++i) {
        size_t end = i < cut_count ? cuts[i] : len;
        char *moved = malloc(end != 0 ? end : 1);

        must(moved != NULL, "no memory");
        memcpy(moved, data, end);
        free(copy);
        copy = moved;
        c->data = copy;
        c->len = end;
        feed_all(c);
    }
    put_end(c);
    free(copy);
    fa__buf_free(&c->trailer_buf);
    fa__buf_free(&c->body);
    free(c);
}

void trace_free(trace *t)
{
    fa__buf_free(&t->text);
}

bool trace_same(const trace *whole, const trace *split)
{
    return whole->error == split->error && whole->text.len == split->text.len &&
           (whole->text.len == 0 ||
            memcmp(whole->text.p, split->text.p, whole->text.len) == 0);
}

size_t trace_feed_end(size_t earliest, size_t len, const size_t *cuts, size_t cut_count)
{
    for (size_t i = 0; i < cut_count; ++i)
        if (cuts[i] >= earliest)
            return cuts[i];
    return len;
}

const char *trace_error_name(int error)
{
    static const struct {
        int code;
        const char *name;
    } names[] = {
        {FA_ERR_NOMEM, "FA_ERR_NOMEM"},
        {FA_ERR_STATE, "FA_ERR_STATE"},
        {FA_ERR_METHOD, "FA_ERR_METHOD"},
        {FA_ERR_TARGET, "FA_ERR_TARGET"},
        {FA_ERR_VERSION, "FA_ERR_VERSION"},
        {FA_ERR_VERSION_UNSUPPORTED, "FA_ERR_VERSION_UNSUPPORTED"},
        {FA_ERR_REQUEST_LINE, "FA_ERR_REQUEST_LINE"},
        {FA_ERR_TARGET_TOO_LONG, "FA_ERR_TARGET_TOO_LONG"},
        {FA_ERR_FIELD_NAME, "FA_ERR_FIELD_NAME"},
        {FA_ERR_FIELD_VALUE, "FA_ERR_FIELD_VALUE"},
        {FA_ERR_FIELD_LINE, "FA_ERR_FIELD_LINE"},
        {FA_ERR_HEADER_TOO_LARGE, "FA_ERR_HEADER_TOO_LARGE"},
        {FA_ERR_TOO_MANY_FIELDS, "FA_ERR_TOO_MANY_FIELDS"},
        {FA_ERR_HOST, "FA_ERR_HOST"},
        {FA_ERR_CONTENT_LENGTH, "FA_ERR_CONTENT_LENGTH"},
        {FA_ERR_TRANSFER_ENCODING, "FA_ERR_TRANSFER_ENCODING"},
        {FA_ERR_TRANSFER_CODING, "FA_ERR_TRANSFER_CODING"},
        {FA_ERR_CHUNK, "FA_ERR_CHUNK"},
        {FA_ERR_CHUNK_EXTENSION, "FA_ERR_CHUNK_EXTENSION"},
        {FA_ERR_TRAILER, "FA_ERR_TRAILER"},
        {FA_ERR_EXPECTATION, "FA_ERR_EXPECTATION"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i)
        if (names[i].code == error)
            return names[i].name;
    return "an error that no parser should return";
}
