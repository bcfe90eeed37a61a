/* The four forms of request-target (RFC 9112, 3.2) and the authority in it and in Host
   (RFC 3986, 3.2). */
#include "http1/parser_rules.h"

#include "base/ascii.h"

static bool is_hex(char c)
{
    c = fa__ascii_lower(c);
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* *( unreserved / pct-encoded / sub-delims ); an IPv4address is one too. */
static size_t reg_name_len(fa_slice v)
{
    size_t i = 0;

    while (i < v.len) {
        if (fa__http1_is((unsigned char)v.p[i], FA__CLASS_REG_NAME))
            ++i;
        else if (v.p[i] == '%' && v.len - i > 2 && is_hex(v.p[i + 1]) &&
                 is_hex(v.p[i + 2]))
            i += 3;
        else
            break;
    }
    return i;
}

/* dec-octet "." dec-octet "." dec-octet "." dec-octet: no leading zeros. */
static bool is_ipv4(fa_slice v)
{
    size_t i = 0;

    for (int octet = 0; octet < 4; ++octet) {
        size_t begin = i;
        int n = 0;

        while (i < v.len && i - begin < 3 && v.p[i] >= '0' && v.p[i] <= '9')
            n = n * 10 + (v.p[i++] - '0');
        if (i == begin || n > 255 || (i - begin > 1 && v.p[begin] == '0'))
            return false;
        if (octet < 3 && (i == v.len || v.p[i++] != '.'))
            return false;
    }
    return i == v.len;
}

/* Eight groups of 1 to 4 hex digits; one run of groups may be "::", and the last two
   may be an IPv4address. */
static bool is_ipv6(fa_slice v)
{
    int groups = 0;
    bool gap = false;
    size_t i = 0;

    if (v.len >= 2 && v.p[0] == ':' && v.p[1] == ':') {
        gap = true;
        i = 2;
    }
    while (i < v.len) {
        size_t begin = i;

        while (i < v.len && is_hex(v.p[i]))
            ++i;
        if (i < v.len && v.p[i] == '.') {
            groups += 2;
            if (!is_ipv4((fa_slice){v.p + begin, v.len - begin}))
                return false;
            i = v.len;
            break;
        }
        if (i == begin || i - begin > 4)
            return false;
        ++groups;
        if (i == v.len)
            break;
        if (v.p[i++] != ':' || i == v.len)
            return false;
        if (v.p[i] == ':') {
            if (gap)
                return false;
            gap = true;
            ++i;
        }
    }
    return gap ? groups <= 7 : groups == 8;
}

/* IPvFuture = "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" ) */
static bool is_ipvfuture(fa_slice v)
{
    size_t i = 1;

    if (v.len == 0 || fa__ascii_lower(v.p[0]) != 'v')
        return false;
    while (i < v.len && is_hex(v.p[i]))
        ++i;
    if (i == 1 || v.len - i < 2 || v.p[i] != '.')
        return false;
    for (++i; i < v.len; ++i)
        if (v.p[i] != ':' && !fa__http1_is((unsigned char)v.p[i], FA__CLASS_REG_NAME))
            return false;
    return true;
}

bool fa__http1_authority_rare(fa_slice v, size_t *host_len)
{
    size_t i;

    if (v.len > 0 && v.p[0] == '[') {
        const char *close = memchr(v.p, ']', v.len);
        fa_slice in;

        if (close == NULL)
            return false;
        i = (size_t)(close - v.p) + 1;
        in = (fa_slice){v.p + 1, i - 2};
        if (!is_ipv6(in) && !is_ipvfuture(in))
            return false;
    } else {
        i = reg_name_len(v);
    }
    if (i < v.len && v.p[i] != ':')
        return false;
    for (size_t k = i + 1; k < v.len; ++k)
        if (v.p[k] < '0' || v.p[k] > '9')
            return false;
    *host_len = i;
    return true;
}

/* http-URI or https-URI with an authority (RFC 9110, 4.2). An empty host must be
   refused (4.2.1), and userinfo should be (4.2.4): '@' is not part of an authority
   here. Other schemes are no business of an origin server. */
static int judge_absolute(fa__http1_parser *parser, size_t path_len)
{
    fa__request_head *head = parser->head;
    fa_slice t = head->target;
    fa_slice scheme = {t.p, path_len < 7 ? path_len : 7};
    size_t begin = 7, end, host_len;

    if (!fa__equal_nocase(scheme, FA_SLICE("http://"))) {
        scheme.len = path_len < 8 ? path_len : 8;
        begin = 8;
        if (!fa__equal_nocase(scheme, FA_SLICE("https://")))
            return FA_ERR_TARGET;
    }
    end = begin;
    while (end < path_len && t.p[end] != '/')
        ++end;
    head->host = (fa_slice){t.p + begin, end - begin};
    if (!fa__http1_authority_valid(parser->scan, head->host, &host_len) || host_len == 0)
        return FA_ERR_TARGET;
    head->target_form = FA__TARGET_ABSOLUTE;
    head->path = (fa_slice){t.p + end, path_len - end};
    /* An empty path is "/" (RFC 9110, 4.2.3): the last byte of "://" is one that moves
       with the buffer. */
    if (end == path_len)
        head->path = (fa_slice){t.p + begin - 1, 1};
    return 0;
}

/* authority-form = uri-host ":" port (RFC 9112, 3.2.3); a port that is empty or none
   must be refused (RFC 9110, 9.3.6). */
static int judge_authority(fa__http1_parser *parser)
{
    fa__request_head *head = parser->head;
    fa_slice t = head->target;
    unsigned port = 0;
    size_t host_len;

    if (!fa__http1_authority_valid(parser->scan, t, &host_len) || host_len == 0)
        return FA_ERR_TARGET;
    for (size_t i = host_len + 1; i < t.len && port <= 65535; ++i)
        port = port * 10 + (unsigned)(t.p[i] - '0');
    if (port == 0 || port > 65535)
        return FA_ERR_TARGET;
    head->target_form = FA__TARGET_AUTHORITY;
    head->host = t;
    head->path = (fa_slice){t.p + t.len, 0};
    head->query = head->path;
    return 0;
}

int fa__http1_target_judge(fa__http1_parser *parser, size_t path_len, size_t uri_len)
{
    fa__request_head *head = parser->head;
    fa_slice t = head->target;

    if (head->method == FA_CONNECT)
        return judge_authority(parser);
    head->has_query = path_len < uri_len;
    head->query = (fa_slice){t.p + uri_len, 0};
    if (head->has_query)
        head->query = (fa_slice){t.p + path_len + 1, uri_len - path_len - 1};
    if (t.p[0] == '/') {
        head->target_form = FA__TARGET_ORIGIN;
        head->path = (fa_slice){t.p, path_len};
        return 0;
    }
    /* asterisk-form is for a server-wide OPTIONS only (RFC 9112, 3.2.4), as far as the
       methods of that standard go; SSDP has M-SEARCH * of its own. */
    if (t.p[0] == '*') {
        if (t.len != 1 || (head->method != FA_OPTIONS && head->method != FA_METHOD_OTHER))
            return FA_ERR_TARGET;
        head->target_form = FA__TARGET_ASTERISK;
        head->path = t;
        return 0;
    }
    return judge_absolute(parser, path_len);
}
