#include "http1/parser.h"

#include "http1/parser_rules.h"

enum { STAGE_REQUEST_LINE, STAGE_FIELDS, STAGE_DONE };

/* One by one, for compilers clear a struct of this size with REP STOS, which takes longer
   than to parse the request-line. */
static void reset(fa__request_head *head)
{
    static const fa_slice none = {NULL, 0};

    head->method_name = none;
    head->target = none;
    head->path = none;
    head->query = none;
    head->host = none;
    head->field_count = 0;
    head->content_length = 0;
    head->method = FA_METHOD_OTHER;
    head->target_form = FA__TARGET_ORIGIN;
    head->body_kind = FA__BODY_NONE;
    head->version_major = 0;
    head->version_minor = 0;
    head->has_query = false;
    head->keep_alive = false;
    head->expect_continue = false;
    head->upgrade = false;
    head->te_trailers = false;
}

void fa__http1_parser_init(fa__http1_parser *parser, fa__request_head *head,
                           const fa__http1_limits *limits)
{
    static const fa__http1_limits defaults = {FA__HTTP1_MAX_REQUEST_LINE_BYTES,
                                              FA__HTTP1_MAX_HEADER_BYTES};

    reset(head);
    *parser = (fa__http1_parser){
        .head = head,
        .scan = fa__http1_scan_best(),
        .limits = limits != NULL ? *limits : defaults,
    };
}

/* A server should ignore an empty line or more before the request-line (RFC 9112, 2.2);
   an endless row of them is no request. Returns 1 when they are through. */
static int skip_empty_lines(fa__http1_parser *parser, const char *data, size_t len)
{
    while (parser->at < len && data[parser->at] == '\r') {
        if (parser->empty == FA__HTTP1_MAX_EMPTY_LINES)
            return FA_ERR_REQUEST_LINE;
        if (parser->at + 1 == len)
            return 0;
        if (data[parser->at + 1] != '\n')
            return FA_ERR_REQUEST_LINE;
        parser->at += 2;
        ++parser->empty;
    }
    return parser->at < len;
}

/* HTTP-version and CRLF, from `p` on (RFC 9112, 2.3). Returns their length, 0 when more
   must come, or an error. */
static ptrdiff_t parse_version(fa__request_head *head, const char *p, size_t len)
{
    static const char form[] = "HTTP/1.1\r\n";
    size_t n = len < sizeof(form) - 1 ? len : sizeof(form) - 1;

    if (n == sizeof(form) - 1 && memcmp(p, form, n) == 0) {
        head->version_major = 1;
        head->version_minor = 1;
        return sizeof(form) - 1;
    }
    for (size_t i = 0; i < n; ++i) {
        if (i == 5 || i == 7 ? p[i] < '0' || p[i] > '9' : p[i] != form[i])
            return i < 8 ? FA_ERR_VERSION : FA_ERR_REQUEST_LINE;
        if (i == 7 && p[5] != '1')
            return FA_ERR_VERSION_UNSUPPORTED;
    }
    if (n < sizeof(form) - 1)
        return 0;
    head->version_major = 1;
    /* A minor version we do not know is the highest we know (RFC 9110, 2.5). */
    head->version_minor = p[7] != '0';
    return sizeof(form) - 1;
}

/* From a '#' on. No form of target has a fragment (RFC 9112, 3.2), for it is not for the
   server (RFC 9110, 7.1); most recipients of one drop it. */
static size_t fragment_len(const fa__http1_scan *scan, const char *p, size_t len)
{
    size_t n = 0;

    while (n < len && p[n] == '#') {
        ++n;
        n += scan->query(p + n, len - n);
    }
    return n;
}

/* request-line = method SP request-target SP HTTP-version (RFC 9112, 3), single spaces.
   Returns its length with CRLF, 0 when more must come, or an error. */
static ptrdiff_t parse_request_line(fa__http1_parser *parser, const char *p, size_t len)
{
    const fa__http1_scan *scan = parser->scan;
    fa__request_head *head = parser->head;
    size_t n, begin, end, path_len, uri_len;
    ptrdiff_t rv;

    end = scan->request(p, len, &n);
    if (n == len)
        return 0;
    if (p[n] != ' ' || n == 0)
        return p[n] == '\r' || p[n] == '\n' ? FA_ERR_REQUEST_LINE : FA_ERR_METHOD;
    head->method_name = (fa_slice){p, n};
    begin = n + 1;
    n = end;
    path_len = n - begin;
    if (n < len && p[n] == '?')
        n += scan->query(p + n, len - n);
    uri_len = n - begin;
    if (n < len && p[n] == '#')
        n += fragment_len(scan, p + n, len - n);
    if (n == len)
        return 0;
    if (p[n] != ' ' || n == begin) {
        bool space = p[n] == ' ' || p[n] == '\r' || p[n] == '\n' || p[n] == '\t';

        return space ? FA_ERR_REQUEST_LINE : FA_ERR_TARGET;
    }
    head->target = (fa_slice){p + begin, n - begin};
    head->method = fa_method_of(head->method_name);
    rv = fa__http1_target_judge(parser, path_len, uri_len);
    if (rv != 0)
        return rv;
    ++n;
    rv = parse_version(head, p + n, len - n);
    return rv > 0 ? (ptrdiff_t)n + rv : rv;
}

/* Runs over the field lines that are complete. Returns 1 after the empty line that ends
   them, 0 when more must come, or an error. */
static int parse_fields(fa__http1_parser *parser, const char *data, size_t len)
{
    const fa__http1_scan *scan = parser->scan;
    fa__request_head *head = parser->head;
    size_t at = parser->at;
    ptrdiff_t rv = 0;

    while (at < len) {
        fa__field *field;

        if (data[at] == '\r') {
            if (at + 1 == len)
                break;
            if (data[at + 1] != '\n')
                return FA_ERR_FIELD_LINE;
            parser->at = at + 2;
            return 1;
        }
        if (head->field_count == head->field_cap)
            return FA_ERR_TOO_MANY_FIELDS;
        field = &head->fields[head->field_count];
        rv = fa__http1_field_line(scan, field, data + at, len - at);
        if (rv <= 0)
            break;
        field->id = fa__http1_field_id(field->name);
        ++head->field_count;
        at += (size_t)rv;
        if (field->id != FA__FIELD_OTHER) {
            rv = fa__http1_field_judge(parser, field);
            if (rv != 0)
                break;
        }
    }
    parser->at = at;
    return rv < 0 ? (int)rv : 0;
}

/* What a line may end before: a limit must strike at the same byte however many bytes
   lie behind it. */
static size_t window(size_t from, uint32_t max, size_t len)
{
    return len - from > max ? from + max : len;
}

static ptrdiff_t request_line_stage(fa__http1_parser *parser, const char *data,
                                    size_t len)
{
    int rv = skip_empty_lines(parser, data, len);
    uint32_t max = parser->limits.max_request_line_bytes;
    ptrdiff_t n;
    size_t end;

    if (rv <= 0)
        return rv;
    end = window(parser->at, max, len);
    n = parse_request_line(parser, data + parser->at, end - parser->at);
    if (n == 0 && end - parser->at == max)
        return FA_ERR_TARGET_TOO_LONG;
    if (n <= 0)
        return n;
    parser->at += (size_t)n;
    parser->fields_at = parser->at;
    parser->stage = STAGE_FIELDS;
    return n;
}

static ptrdiff_t fields_stage(fa__http1_parser *parser, const char *data, size_t len)
{
    uint32_t max = parser->limits.max_header_bytes;
    size_t end = window(parser->fields_at, max, len);
    int rv = parse_fields(parser, data, end);

    if (rv == 0 && end - parser->fields_at == max)
        return FA_ERR_HEADER_TOO_LARGE;
    if (rv > 0)
        rv = fa__http1_head_judge(parser);
    else if (rv == 0)
        return 0;
    if (rv < 0)
        return rv;
    parser->stage = STAGE_DONE;
    return (ptrdiff_t)parser->at;
}

ptrdiff_t fa__http1_parse_head(fa__http1_parser *parser, const char *data, size_t len)
{
    ptrdiff_t n;

    if (parser->error != 0)
        return parser->error;
    if (parser->stage == STAGE_DONE)
        return FA_ERR_STATE;
    if ((uintptr_t)parser->data != (uintptr_t)data && parser->stage == STAGE_FIELDS)
        fa__head_rebase(parser->head, parser->data, data);
    parser->data = data;
    if (parser->stage == STAGE_REQUEST_LINE) {
        n = request_line_stage(parser, data, len);
        if (n <= 0) {
            parser->error = (int)n;
            return n;
        }
    }
    n = fields_stage(parser, data, len);
    if (n < 0)
        parser->error = (int)n;
    return n;
}
