#include "http/address.h"

enum { GROUPS = 8, PARTS_MAX = GROUPS + 1 };

/* One to three digits without a leading zero, which some read as octal; to 255. */
static bool
parse_octet(unsigned char *out, fa_slice v)
{
    unsigned n = 0;

    if (v.len == 0 || v.len > 3 || (v.len > 1 && v.p[0] == '0'))
        return false;
    for (size_t i = 0; i < v.len; ++i) {
        unsigned digit = (unsigned)(unsigned char)v.p[i] - '0';

        if (digit > 9)
            return false;
        n = n * 10 + digit;
    }
    *out = (unsigned char)n;
    return n <= 255;
}

/* Takes what is before the next `c` off `rest`. True: there was one. */
static bool
cut(fa_slice *part, fa_slice *rest, char c)
{
    const char *at = rest->len > 0 ? memchr(rest->p, c, rest->len) : NULL;

    *part = *rest;
    if (at == NULL)
        return false;
    part->len = (size_t)(at - rest->p);
    rest->len -= part->len + 1;
    rest->p = at + 1;
    return true;
}

static bool
parse_v4(unsigned char out[4], fa_slice text)
{
    fa_slice part;

    for (size_t i = 0; i < 4; ++i) {
        if (cut(&part, &text, '.') != (i < 3) || !parse_octet(&out[i], part))
            return false;
    }
    return true;
}

/* One to four hexadecimal digits. */
static bool
parse_group(unsigned char out[2], fa_slice v)
{
    unsigned n = 0;

    if (v.len == 0 || v.len > 4)
        return false;
    for (size_t i = 0; i < v.len; ++i) {
        char c = v.p[i];
        unsigned digit;

        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (unsigned)((c | 0x20) - 'a') + 10;
        else
            return false;
        n = n << 4 | digit;
    }
    out[0] = (unsigned char)(n >> 8);
    out[1] = (unsigned char)n;
    return true;
}

/* The parts between colons, of which one in the middle may be empty: "::". */
typedef struct v6_parts {
    fa_slice at[PARTS_MAX];
    size_t count;
    size_t skip; /* which one is empty; 0: none */
} v6_parts;

static bool
split(v6_parts *parts, fa_slice text)
{
    bool more = true;

    for (parts->count = 0; more; ++parts->count) {
        if (parts->count == PARTS_MAX)
            return false;
        more = cut(&parts->at[parts->count], &text, ':');
    }
    parts->skip = 0;
    for (size_t i = 1; i + 1 < parts->count; ++i) {
        if (parts->at[i].len > 0)
            continue;
        if (parts->skip != 0)
            return false;
        parts->skip = i;
    }
    return parts->count >= 3;
}

/* The last part may be an IPv4 address, which stands for two groups. */
static bool
parse_v6(unsigned char out[16], fa_slice text)
{
    unsigned char tail[4];
    v6_parts parts;
    fa_slice last;
    size_t high, low, groups;
    size_t mapped; /* groups that are an IPv4 address */

    if (!split(&parts, text))
        return false;
    last = parts.at[parts.count - 1];
    mapped = last.len > 0 && memchr(last.p, '.', last.len) != NULL ? 2 : 0;
    if (mapped > 0 && !parse_v4(tail, last))
        return false;
    groups = parts.count - mapped / 2; /* those that are hexadecimal */
    high = parts.skip != 0 ? parts.skip : groups;
    low = parts.skip != 0 ? groups - parts.skip - 1 : 0;
    /* An empty part at an end belongs to a "::" there. */
    if (parts.skip != 0 && parts.at[0].len == 0 && --high != 0)
        return false;
    if (parts.skip != 0 && last.len == 0 && --low != 0)
        return false;
    if (parts.skip != 0 ? high + low + mapped >= GROUPS : high + mapped != GROUPS)
        return false;
    memset(out, 0, 16);
    for (size_t i = 0; i < high; ++i) {
        if (!parse_group(out + 2 * i, parts.at[i]))
            return false;
    }
    for (size_t i = 0; i < low; ++i) {
        unsigned char *at = out + 16 - 2 * (low - i + mapped);

        if (!parse_group(at, parts.at[parts.skip + 1 + i]))
            return false;
    }
    if (mapped > 0)
        memcpy(out + 12, tail, 4);
    return true;
}

bool
ip_address_parse(ip_address *out, fa_slice text)
{
    fa_slice address;

    if (text.len == 0 || memchr(text.p, '/', text.len) != NULL)
        return false;
    out->scope = (fa_slice){NULL, 0};
    out->size = 4;
    if (parse_v4(out->bytes, text))
        return true;
    out->size = 16;
    if (cut(&address, &text, '%')) {
        if (text.len == 0 || memchr(text.p, '%', text.len) != NULL)
            return false;
        out->scope = text;
    }
    return parse_v6(out->bytes, address);
}
