#include <fasterapi/json.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "json/number.h"
#include "json/scan.h"

enum {
    FIRST,     /* nothing yet in this container, or at all */
    NEXT,      /* a comma is due */
    AFTER_KEY, /* the value of a key is due */
    DONE,      /* the outermost value is there */
    FAILED,
    FIRST_BYTES = 256,
    UNIT_ESCAPE = 6, /* \u0000 */
};

static int fail(fa_json_writer *w, int error)
{
    if (w->state != FAILED) {
        w->state = FAILED;
        w->error = error;
    }
    return w->error;
}

void fa_json_writer_init(fa_json_writer *w, const fa_json_writer_options *options)
{
    static const fa_json_writer_options plain = {0};

    if (options == NULL)
        options = &plain;
    w->p = NULL;
    w->len = w->cap = 0;
    w->ensure_ascii = options->ensure_ascii;
    w->nan = (uint8_t)options->nan;
    w->arena = options->arena;
    w->alloc = options->alloc != NULL ? *options->alloc : fa__malloc;
    w->first_bytes = options->first_bytes != 0 ? options->first_bytes : FIRST_BYTES;
    fa_json_writer_reset(w);
}

void fa_json_writer_free(fa_json_writer *w)
{
    if (w->arena == NULL)
        fa__release(&w->alloc, w->p);
    w->p = NULL;
    w->cap = 0;
    fa_json_writer_reset(w);
}

void fa_json_writer_reset(fa_json_writer *w)
{
    w->len = 0;
    w->state = FIRST;
    w->in_object = false;
    w->error = 0;
    w->depth = 0;
}

/* At least twice the room, so that appending stays linear in total. */
static int grow(fa_json_writer *w, size_t more)
{
    size_t cap = w->cap == 0 ? w->first_bytes : 2 * w->cap;
    char *p;

    if (more > SIZE_MAX / 8 || w->len > SIZE_MAX / 8 || cap > SIZE_MAX / 4)
        return fail(w, FA_ERR_NOMEM);
    if (cap < w->len + more)
        cap = w->len + more;
    if (w->arena != NULL) {
        p = fa_arena_alloc(w->arena, cap);
        if (p != NULL && w->len > 0)
            memcpy(p, w->p, w->len);
    } else {
        p = fa__resize(&w->alloc, w->p, cap, 1);
    }
    if (p == NULL)
        return fail(w, FA_ERR_NOMEM);
    w->p = p;
    w->cap = cap;
    return 0;
}

static inline int reserve(fa_json_writer *w, size_t more)
{
    return more <= w->cap - w->len ? 0 : grow(w, more);
}

/* Room for a value of up to `n` bytes, after the comma if one is due. */
static inline int start_value(fa_json_writer *w, size_t n)
{
    if (w->state >= DONE || (w->in_object && w->state != AFTER_KEY))
        return fail(w, FA_ERR_STATE);
    if (n >= SIZE_MAX / 8)
        return fail(w, FA_ERR_NOMEM);
    if (reserve(w, n + 1) != 0)
        return w->error;
    if (w->state == NEXT)
        w->p[w->len++] = ',';
    return 0;
}

static inline int end_value(fa_json_writer *w)
{
    w->state = w->depth > 0 ? NEXT : DONE;
    return 0;
}

static int begin(fa_json_writer *w, bool object)
{
    uint64_t bit = (uint64_t)1 << (w->depth % 64);
    uint64_t *word = &w->objects[w->depth / 64];
    int rv = start_value(w, 1);

    if (rv != 0)
        return rv;
    if (w->depth == FA_JSON_DEPTH_MAX)
        return fail(w, FA_ERR_JSON_DEPTH);
    *word = object ? *word | bit : *word & ~bit;
    ++w->depth;
    w->p[w->len++] = object ? '{' : '[';
    w->in_object = object;
    w->state = FIRST;
    return 0;
}

static int end(fa_json_writer *w, bool object)
{
    uint32_t outer = w->depth - 2; /* its bit */

    if (w->state > NEXT || w->depth == 0 || w->in_object != object)
        return fail(w, FA_ERR_STATE);
    if (reserve(w, 1) != 0)
        return w->error;
    w->p[w->len++] = object ? '}' : ']';
    --w->depth;
    w->in_object = w->depth > 0 && (w->objects[outer / 64] >> (outer % 64) & 1) != 0;
    return end_value(w);
}

int fa_json_begin_object(fa_json_writer *w)
{
    return begin(w, true);
}

int fa_json_begin_array(fa_json_writer *w)
{
    return begin(w, false);
}

int fa_json_end_object(fa_json_writer *w)
{
    return end(w, true);
}

int fa_json_end_array(fa_json_writer *w)
{
    return end(w, false);
}

static char *put_unit(char *p, unsigned unit)
{
    static const char hex[] = "0123456789abcdef";

    *p++ = '\\';
    *p++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4)
        *p++ = hex[unit >> shift & 0xf];
    return p;
}

/* RFC 8259, section 7: the short escapes where there are any, but for '/'. */
static char *put_special(char *p, char c)
{
    char letter;

    switch (c) {
    case '"': letter = '"'; break;
    case '\\': letter = '\\'; break;
    case '\b': letter = 'b'; break;
    case '\f': letter = 'f'; break;
    case '\n': letter = 'n'; break;
    case '\r': letter = 'r'; break;
    case '\t': letter = 't'; break;
    default: return put_unit(p, (unsigned char)c);
    }
    *p++ = '\\';
    *p++ = letter;
    return p;
}

/* The character of UTF-8 (known to be valid) at `*in`, beyond ASCII, as one or two
   escapes. */
static char *put_character(char *p, const char **in)
{
    const unsigned char *s = (const unsigned char *)*in;
    unsigned c;

    if (s[0] < 0xe0) {
        c = (s[0] & 0x1fu) << 6 | (s[1] & 0x3fu);
        *in += 2;
    } else if (s[0] < 0xf0) {
        c = (s[0] & 0xfu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);
        *in += 3;
    } else {
        c = (s[0] & 7u) << 18 | (s[1] & 0x3fu) << 12 | (s[2] & 0x3fu) << 6 |
            (s[3] & 0x3fu);
        *in += 4;
        c -= 0x10000;
        p = put_unit(p, 0xd800 + (c >> 10));
        c = 0xdc00 + (c & 0x3ff);
    }
    return put_unit(p, c);
}

static int write_ascii(fa_json_writer *w, const char *p, const char *stop)
{
    while (p < stop) {
        char *at;

        if (reserve(w, 2 * UNIT_ESCAPE) != 0)
            return w->error;
        at = w->p + w->len;
        if ((unsigned char)*p >= 0x80) {
            at = put_character(at, &p);
        } else {
            if (fa__json_special(*p))
                at = put_special(at, *p);
            else if (*p == 0x7f)
                at = put_unit(at, 0x7f);
            else
                *at++ = *p;
            ++p;
        }
        w->len = (size_t)(at - w->p);
    }
    return 0;
}

/* From `p`, run after run between the bytes that must be escaped. */
static int write_escaped(fa_json_writer *w, const char *p, const char *start,
                         const char *stop)
{
    while (p < stop) {
        unsigned high = 0;
        const char *special = fa__json_scan(p, stop, start, &high);
        size_t n = (size_t)(special - p);

        if (reserve(w, n + UNIT_ESCAPE) != 0)
            return w->error;
        memcpy(w->p + w->len, p, n);
        w->len += n;
        if (special == stop)
            break;
        w->len = (size_t)(put_special(w->p + w->len, *special) - w->p);
        p = special + 1;
    }
    return 0;
}

/* What is not plain ASCII throughout; plain up to `special`. */
static int write_string_slowly(fa_json_writer *w, fa_slice v, const char *special)
{
    const char *stop = v.p + v.len;
    int rv;

    if (fa__utf8_valid_prefix(v.p, v.len) != v.len)
        return fail(w, FA_ERR_JSON_UTF8);
    w->p[w->len++] = '"';
    if (w->ensure_ascii) {
        rv = write_ascii(w, v.p, stop);
    } else {
        memcpy(w->p + w->len, v.p, (size_t)(special - v.p));
        w->len += (size_t)(special - v.p);
        rv = write_escaped(w, special, v.p, stop);
    }
    if (rv != 0 || reserve(w, 1) != 0)
        return w->error;
    w->p[w->len++] = '"';
    return 0;
}

/* Room for v.len + 2 bytes is there. */
static inline int write_quoted(fa_json_writer *w, fa_slice v)
{
    unsigned high = 0;
    const char *special = v.p;
    char *at = w->p + w->len;

    if (v.len > 0) {
        special = fa__json_scan(v.p, v.p + v.len, v.p, &high);
        if (special != v.p + v.len || high != 0 ||
            (w->ensure_ascii && memchr(v.p, 0x7f, v.len) != NULL))
            return write_string_slowly(w, v, special);
        memcpy(at + 1, v.p, v.len);
    }
    at[0] = '"';
    at[v.len + 1] = '"';
    w->len += v.len + 2;
    return 0;
}

int fa_json_write_key(fa_json_writer *w, fa_slice v)
{
    if (w->state > NEXT || !w->in_object)
        return fail(w, FA_ERR_STATE);
    if (v.len >= SIZE_MAX / 8)
        return fail(w, FA_ERR_NOMEM);
    if (reserve(w, v.len + 4) != 0)
        return w->error;
    if (w->state == NEXT)
        w->p[w->len++] = ',';
    if (write_quoted(w, v) != 0 || reserve(w, 1) != 0)
        return w->error;
    w->p[w->len++] = ':';
    w->state = AFTER_KEY;
    return 0;
}

int fa_json_write_string(fa_json_writer *w, fa_slice v)
{
    int rv = start_value(w, v.len < SIZE_MAX / 8 ? v.len + 2 : v.len);

    if (rv == 0)
        rv = write_quoted(w, v);
    return rv == 0 ? end_value(w) : rv;
}

/* `end` is behind what was put down at w->p + w->len. */
static int end_text(fa_json_writer *w, const char *text_end)
{
    w->len = (size_t)(text_end - w->p);
    return end_value(w);
}

int fa_json_write_int64(fa_json_writer *w, int64_t v)
{
    int rv = start_value(w, FA__INTEGER_TEXT_MAX);

    return rv != 0 ? rv : end_text(w, fa__int64_format(w->p + w->len, v));
}

int fa_json_write_uint64(fa_json_writer *w, uint64_t v)
{
    int rv = start_value(w, FA__INTEGER_TEXT_MAX);

    return rv != 0 ? rv : end_text(w, fa__uint64_format(w->p + w->len, v));
}

int fa_json_write_raw(fa_json_writer *w, fa_slice v)
{
    int rv = v.len > 0 ? start_value(w, v.len) : fail(w, FA_ERR_INVALID);

    if (rv != 0)
        return rv;
    memcpy(w->p + w->len, v.p, v.len);
    return end_text(w, w->p + w->len + v.len);
}

int fa_json_write_double(fa_json_writer *w, double v)
{
    int rv;

    if (!__builtin_isfinite(v)) {
        if (w->nan == FA_JSON_NAN_NULL)
            return fa_json_write_null(w);
        if (w->nan == FA_JSON_NAN_ERROR)
            return fail(w, FA_ERR_JSON_RANGE);
        return fa_json_write_raw(w, __builtin_isnan(v) ? FA_SLICE("NaN")
                                    : v > 0            ? FA_SLICE("Infinity")
                                                       : FA_SLICE("-Infinity"));
    }
    rv = start_value(w, FA__DOUBLE_TEXT_MAX);
    return rv != 0 ? rv : end_text(w, fa__double_format(w->p + w->len, v));
}

int fa_json_write_bool(fa_json_writer *w, bool v)
{
    return fa_json_write_raw(w, v ? FA_SLICE("true") : FA_SLICE("false"));
}

int fa_json_write_null(fa_json_writer *w)
{
    return fa_json_write_raw(w, FA_SLICE("null"));
}

int fa_json_writer_finish(fa_slice *out, fa_json_writer *w)
{
    if (w->state != DONE)
        return fail(w, FA_ERR_STATE);
    *out = (fa_slice){w->p, w->len};
    return 0;
}
