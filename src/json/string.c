#include "base/utf8.h"
#include "json/reader.h"
#include "json/scan.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

unsigned fa__json_hex4(const char *p)
{
    unsigned v = 0;

    for (int i = 0; i < 4; ++i)
        v = v << 4 | (unsigned)hex_value(p[i]);
    return v;
}

static bool is_high_surrogate(unsigned unit)
{
    return unit >> 10 == 0xd800 >> 10;
}

static bool is_low_surrogate(unsigned unit)
{
    return unit >> 10 == 0xdc00 >> 10;
}

/* A whole \uXXXX is at `p`. */
static bool has_unicode_escape(const char *p, const char *end)
{
    return end - p >= 6 && p[0] == '\\' && p[1] == 'u' && hex_value(p[2]) >= 0 &&
           hex_value(p[3]) >= 0 && hex_value(p[4]) >= 0 && hex_value(p[5]) >= 0;
}

/* Characters beyond U+FFFF are two escapes (RFC 8259, section 7); a single one has no
   UTF-8 (section 8.2 leaves open what to do). Moves `*pp` behind it. */
static int check_unicode_escape(fa_json_reader *r, const char **pp)
{
    const char *p = *pp;
    unsigned unit;

    if (!has_unicode_escape(p, r->end)) {
        const char *q = p + 2;

        while (q < r->end && hex_value(*q) >= 0)
            ++q;
        return q == r->end ? fa__json_fail(r, FA_ERR_JSON_END, q)
                           : fa__json_fail(r, FA_ERR_JSON_ESCAPE, p);
    }
    unit = fa__json_hex4(p + 2);
    *pp = p + 6;
    if (is_high_surrogate(unit) && has_unicode_escape(p + 6, r->end) &&
        is_low_surrogate(fa__json_hex4(p + 8))) {
        *pp = p + 12;
        return 0;
    }
    if ((is_high_surrogate(unit) || is_low_surrogate(unit)) && !r->allow_lone_surrogates)
        return fa__json_fail(r, FA_ERR_JSON_ESCAPE, p);
    return 0;
}

static int check_escape(fa_json_reader *r, const char **pp)
{
    const char *p = *pp;

    if (r->end - p < 2)
        return fa__json_fail(r, FA_ERR_JSON_END, r->end);
    switch (p[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': *pp = p + 2; return 0;
    case 'u': return check_unicode_escape(r, pp);
    default: return fa__json_fail(r, FA_ERR_JSON_ESCAPE, p);
    }
}

/* Checks from `p` up to the closing quote, which goes to `*close`. */
static int check_string(fa_json_reader *r, const char **close, const char *p)
{
    for (;;) {
        unsigned high = 0;
        const char *stop = fa__json_scan(p, r->end, r->start, &high);
        int rv;

        /* No special byte is part of a longer character, so runs can be checked each
           for itself. */
        if (high != 0) {
            size_t n = fa__utf8_valid_prefix(p, (size_t)(stop - p));

            if (n != (size_t)(stop - p))
                return fa__json_fail(r, FA_ERR_JSON_UTF8, p + n);
        }
        if (stop == r->end)
            return fa__json_fail(r, FA_ERR_JSON_END, stop);
        if (*stop == '"') {
            *close = stop;
            return 0;
        }
        if (*stop != '\\')
            return fa__json_fail(r, FA_ERR_JSON_CONTROL, stop);
        p = stop;
        rv = check_escape(r, &p);
        if (rv != 0)
            return rv;
    }
}

static char *put_character(char *out, unsigned c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    } else {
        *out++ = (char)(0xf0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3f));
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    return out;
}

/* A checked escape at `*pp`. */
static char *decode_escape(char *out, const char **pp, const char *close)
{
    const char *p = *pp;
    unsigned unit;

    *pp = p + 2;
    switch (p[1]) {
    case 'b': *out++ = '\b'; return out;
    case 'f': *out++ = '\f'; return out;
    case 'n': *out++ = '\n'; return out;
    case 'r': *out++ = '\r'; return out;
    case 't': *out++ = '\t'; return out;
    case 'u': break;
    default: *out++ = p[1]; return out;
    }
    unit = fa__json_hex4(p + 2);
    *pp = p + 6;
    if (is_high_surrogate(unit) && has_unicode_escape(p + 6, close)) {
        unsigned low = fa__json_hex4(p + 8);

        if (is_low_surrogate(low)) {
            *pp = p + 12;
            unit = 0x10000 + ((unit & 0x3ff) << 10 | (low & 0x3ff));
        }
    }
    return put_character(out, unit);
}

/* No escape is shorter than what it stands for, so `out` has room. */
static size_t decode(char *out, const char *p, const char *close)
{
    char *at = out;

    while (p < close) {
        const char *escape = memchr(p, '\\', (size_t)(close - p));
        size_t n = (size_t)((escape != NULL ? escape : close) - p);

        memcpy(at, p, n);
        at += n;
        p += n;
        if (p < close)
            at = decode_escape(at, &p, close);
    }
    return (size_t)(at - out);
}

int fa__json_string(fa_slice *out, fa_json_reader *r, const char *stop)
{
    const char *open = r->at, *close = open;
    const char *escape;
    char *copy;
    int rv = check_string(r, &close, open + 1);

    if (rv != 0)
        return rv;
    /* Before `stop` there is no backslash. */
    escape = memchr(stop, '\\', (size_t)(close - stop));
    if (out != NULL && escape == NULL)
        *out = (fa_slice){open + 1, (size_t)(close - open - 1)};
    if (out != NULL && escape != NULL) {
        copy = fa__json_take(r, (size_t)(close - open - 1));
        if (copy == NULL)
            return fa__json_fail(r, FA_ERR_NOMEM, open);
        *out = (fa_slice){copy, decode(copy, open + 1, close)};
    }
    r->at = close + 1;
    return 0;
}
