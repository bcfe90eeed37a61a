/* What the fields say about the message: framing (RFC 9112, section 6), Host (3.2),
   Connection (section 9), Expect and TE (RFC 9110, section 10.1). */
#include "http1/parser_rules.h"

#include "http/field.h"

fa__field_id fa__http1_field_id(fa_slice name)
{
    /* clang-format off */
    static const struct { char name[18]; uint8_t id; } by_length[18] = {
        [2] = {"te", FA__FIELD_TE},
        [4] = {"host", FA__FIELD_HOST},
        [6] = {"expect", FA__FIELD_EXPECT},
        [10] = {"connection", FA__FIELD_CONNECTION},
        [12] = {"content-type", FA__FIELD_CONTENT_TYPE},
        [14] = {"content-length", FA__FIELD_CONTENT_LENGTH},
        [17] = {"transfer-encoding", FA__FIELD_TRANSFER_ENCODING},
    };
    /* clang-format on */

    if (name.len >= sizeof(by_length) / sizeof(by_length[0]))
        return FA__FIELD_OTHER;
    if (name.len == 7) {
        if (fa__lower_is(name.p, "upgrade", 7))
            return FA__FIELD_UPGRADE;
        return fa__lower_is(name.p, "trailer", 7) ? FA__FIELD_TRAILER : FA__FIELD_OTHER;
    }
    /* Most names differ in the first letter already. */
    if (fa__ascii_lower(name.p[0]) != by_length[name.len].name[0] ||
        !fa__lower_is(name.p, by_length[name.len].name, name.len))
        return FA__FIELD_OTHER;
    return (fa__field_id)by_length[name.len].id;
}

/* A server must refuse a request with more than one Host, or with an invalid one, in any
   version (RFC 9112, 3.2). The authority of the target goes before it (3.2.2). */
static int judge_host(fa__http1_parser *parser, fa_slice value)
{
    fa__request_head *head = parser->head;
    size_t host_len;

    if ((parser->seen & FA__SEEN_HOST) != 0 ||
        !fa__http1_authority_valid(parser->scan, value, &host_len))
        return FA_ERR_HOST;
    parser->seen |= FA__SEEN_HOST;
    if (head->target_form == FA__TARGET_ORIGIN ||
        head->target_form == FA__TARGET_ASTERISK)
        head->host = value;
    return 0;
}

/* Content-Length = 1*DIGIT. RFC 9110, 8.6 lets us refuse repeated
   equal values, in one line or in several; recipients do not agree on them. */
static int judge_content_length(fa__http1_parser *parser, fa_slice value)
{
    uint64_t n;

    if ((parser->seen & FA__SEEN_CONTENT_LENGTH) != 0 || !fa__digits(&n, value))
        return FA_ERR_CONTENT_LENGTH;
    if ((parser->seen & FA__SEEN_TRANSFER_ENCODING) != 0)
        return FA_ERR_TRANSFER_ENCODING;
    parser->seen |= FA__SEEN_CONTENT_LENGTH;
    parser->head->content_length = n;
    return 0;
}

/* The registered codings (RFC 9112, 7.2 and 7.3), and identity, which was one in RFC
   2616, 3.6. They stay on the payload and do not touch where the message ends. */
static bool is_known_coding(fa_slice coding)
{
    static const fa_slice names[] = {
        {"gzip", 4},     {"deflate", 7}, {"identity", 8},
        {"compress", 8}, {"x-gzip", 6},  {"x-compress", 10},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i)
        if (fa__equal_nocase(coding, names[i]))
            return true;
    return false;
}

/* One transfer-coding. chunked has no parameters (RFC 9112, 7.1), and a parameter of
   another may hide a comma in quotes: none is taken. */
static int judge_coding(fa__http1_parser *parser, fa_slice coding)
{
    /* chunked is applied once, and last (RFC 9112, 6.1). */
    if (!fa__token_valid(coding) || (parser->seen & FA__SEEN_CHUNKED) != 0)
        return FA_ERR_TRANSFER_ENCODING;
    if (fa__equal_nocase(coding, FA_SLICE("chunked")))
        parser->seen |= FA__SEEN_CHUNKED;
    else if (!is_known_coding(coding))
        parser->seen |= FA__SEEN_UNKNOWN_CODING;
    return 0;
}

/* Empty list elements, which RFC 9110, 5.6.1.2 would have ignored elsewhere, are refused
   here: "chunked," is one coding to some recipients and two to others. */
static int judge_transfer_encoding(fa__http1_parser *parser, fa_slice value)
{
    fa_slice rest = value;
    int rv;

    /* Faulty framing: with Content-Length, and from HTTP/1.0 (RFC 9112, 6.1). */
    if ((parser->seen & FA__SEEN_CONTENT_LENGTH) != 0 || parser->head->version_minor == 0)
        return FA_ERR_TRANSFER_ENCODING;
    parser->seen |= FA__SEEN_TRANSFER_ENCODING;
    for (;;) {
        const char *comma = rest.len > 0 ? memchr(rest.p, ',', rest.len) : NULL;
        size_t n = comma != NULL ? (size_t)(comma - rest.p) : rest.len;

        rv = judge_coding(parser, fa__trim((fa_slice){rest.p, n}));
        if (rv != 0 || comma == NULL)
            return rv;
        rest = (fa_slice){comma + 1, rest.len - n - 1};
    }
}

static void note_option(fa__http1_parser *parser, fa_slice option)
{
    if (fa__equal_nocase(option, FA_SLICE("close")))
        parser->seen |= FA__SEEN_CLOSE;
    else if (fa__equal_nocase(option, FA_SLICE("keep-alive")))
        parser->seen |= FA__SEEN_KEEP_ALIVE;
    else if (fa__equal_nocase(option, FA_SLICE("upgrade")))
        parser->seen |= FA__SEEN_CONNECTION_UPGRADE;
}

/* #connection-option (RFC 9110, 7.6.1); options we do not know are ignored. */
static void judge_connection(fa__http1_parser *parser, fa_slice value)
{
    fa_slice option;

    while (fa__list_next(&value, &option))
        note_option(parser, option);
}

/* RFC 9110, 10.1.1: an expectation that cannot be met is 417; that of an HTTP/1.0
   client must be ignored. */
static int judge_expect(fa__http1_parser *parser, fa_slice value)
{
    fa_slice expectation;

    while (fa__list_next(&value, &expectation)) {
        if (!fa__equal_nocase(expectation, FA_SLICE("100-continue")))
            return FA_ERR_EXPECTATION;
        parser->head->expect_continue = parser->head->version_minor > 0;
    }
    return 0;
}

int fa__http1_field_judge(fa__http1_parser *parser, const fa__field *field)
{
    switch (field->id) {
    case FA__FIELD_HOST: return judge_host(parser, field->value);
    case FA__FIELD_CONTENT_LENGTH: return judge_content_length(parser, field->value);
    case FA__FIELD_TRANSFER_ENCODING:
        return judge_transfer_encoding(parser, field->value);
    case FA__FIELD_EXPECT: return judge_expect(parser, field->value);
    case FA__FIELD_CONNECTION: judge_connection(parser, field->value); return 0;
    case FA__FIELD_UPGRADE: parser->seen |= FA__SEEN_UPGRADE; return 0;
    case FA__FIELD_TE:
        if (fa__list_has(field->value, FA_SLICE("trailers")))
            parser->head->te_trailers = true;
        return 0;
    case FA__FIELD_CONTENT_TYPE:
    case FA__FIELD_TRAILER:
    case FA__FIELD_OTHER: break;
    }
    return 0;
}

/* How long the body is (RFC 9112, 6.3): without either field there is none. */
static int judge_framing(fa__http1_parser *parser)
{
    fa__request_head *head = parser->head;
    unsigned seen = parser->seen;

    if ((seen & FA__SEEN_CONTENT_LENGTH) != 0)
        head->body_kind = FA__BODY_LENGTH;
    if ((seen & FA__SEEN_TRANSFER_ENCODING) == 0)
        return 0;
    /* Without chunked at the end nobody can tell where the body ends: 400. */
    if ((seen & FA__SEEN_CHUNKED) == 0)
        return FA_ERR_TRANSFER_ENCODING;
    if ((seen & FA__SEEN_UNKNOWN_CODING) != 0)
        return FA_ERR_TRANSFER_CODING;
    head->body_kind = FA__BODY_CHUNKED;
    return 0;
}

int fa__http1_head_judge(fa__http1_parser *parser)
{
    fa__request_head *head = parser->head;
    unsigned seen = parser->seen;
    bool http11 = head->version_minor > 0;

    if (http11 && (seen & FA__SEEN_HOST) == 0)
        return FA_ERR_HOST;
    /* RFC 9112, 9.3: close wins over everything. */
    head->keep_alive =
        (seen & FA__SEEN_CLOSE) == 0 && (http11 || (seen & FA__SEEN_KEEP_ALIVE) != 0);
    /* Upgrade counts when Connection names it; from HTTP/1.0 it must be ignored
       (RFC 9110, 7.8). */
    head->upgrade = http11 && (seen & FA__SEEN_UPGRADE) != 0 &&
                    (seen & FA__SEEN_CONNECTION_UPGRADE) != 0;
    return judge_framing(parser);
}
