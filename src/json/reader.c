#include "json/reader.h"

#include <stdalign.h>

#include "json/scan.h"

int fa__json_fail(fa_json_reader *r, int error, const char *at)
{
    if (r->state != FA__JSON_FAILED) {
        r->state = FA__JSON_FAILED;
        r->error = error;
        r->error_at = (size_t)(at - r->start);
    }
    return r->error;
}

void *fa__json_take(fa_json_reader *r, size_t n)
{
    size_t pad = -(uintptr_t)r->scratch % alignof(max_align_t);
    char *p;

    if (r->arena != NULL)
        return fa_arena_alloc(r->arena, n);
    if (r->scratch == NULL || pad > r->scratch_left || n > r->scratch_left - pad)
        return NULL;
    p = r->scratch + pad;
    r->scratch = p + n;
    r->scratch_left -= pad + n;
    return p;
}

void fa_json_reader_init(fa_json_reader *r, fa_slice text,
                         const fa_json_reader_options *options)
{
    static const fa_json_reader_options strict = {0};

    if (options == NULL)
        options = &strict;
    r->start = r->at = text.p;
    r->end = text.len == 0 ? text.p : text.p + text.len;
    r->state = FA__JSON_VALUE;
    r->in_object = false;
    r->report_duplicates = options->report_duplicates;
    r->allow_nan = options->allow_nan;
    r->allow_lone_surrogates = options->allow_lone_surrogates;
    r->error = 0;
    r->error_at = 0;
    r->depth = 0;
    r->max_depth = options->max_depth == 0 ? FA_JSON_DEPTH_DEFAULT : options->max_depth;
    r->arena = options->arena;
    r->scratch = options->scratch;
    r->scratch_left = options->scratch_bytes;
    r->keys = r->outermost_keys = NULL;
    if (r->max_depth > FA_JSON_DEPTH_MAX)
        fa__json_fail(r, FA_ERR_INVALID, r->at);
}

fa_json_type fa__json_type_of(const fa_json_reader *r, char c)
{
    switch (c) {
    case '{': return FA_JSON_OBJECT;
    case '[': return FA_JSON_ARRAY;
    case '"': return FA_JSON_STRING;
    case 't':
    case 'f': return FA_JSON_BOOL;
    case 'n': return FA_JSON_NULL;
    case 'N':
    case 'I': return r->allow_nan ? FA_JSON_NUMBER : FA_JSON_INVALID;
    case '-': return FA_JSON_NUMBER;
    default: return c >= '0' && c <= '9' ? FA_JSON_NUMBER : FA_JSON_INVALID;
    }
}

int fa__json_refuse_type(fa_json_reader *r)
{
    bool valid = fa__json_type_of(r, *r->at) != FA_JSON_INVALID;

    return fa__json_fail(r, valid ? FA_ERR_JSON_TYPE : FA_ERR_JSON_SYNTAX, r->at);
}

fa_json_type fa_json_peek(fa_json_reader *r)
{
    fa_json_type type;

    if (fa__json_start_value(r) != 0)
        return FA_JSON_INVALID;
    type = fa__json_type_of(r, *r->at);
    if (type == FA_JSON_INVALID)
        fa__json_fail(r, FA_ERR_JSON_SYNTAX, r->at);
    return type;
}

/* Into the container whose bracket is at r->at. */
static int enter(fa_json_reader *r, bool object)
{
    uint64_t bit = (uint64_t)1 << (r->depth % 64);
    uint64_t *word = &r->objects[r->depth / 64];

    if (r->depth == r->max_depth)
        return fa__json_fail(r, FA_ERR_JSON_DEPTH, r->at);
    if (object && r->report_duplicates && fa__json_keys_open(r) != 0)
        return fa__json_fail(r, FA_ERR_NOMEM, r->at);
    *word = object ? *word | bit : *word & ~bit;
    ++r->depth;
    ++r->at;
    r->in_object = object;
    r->state = FA__JSON_FIRST;
    return 0;
}

/* Out of the innermost container, whose closing bracket is at r->at. */
static void leave(fa_json_reader *r)
{
    uint32_t outer = r->depth - 2; /* its bit */

    if (r->in_object && r->report_duplicates)
        fa__json_keys_close(r);
    --r->depth;
    ++r->at;
    r->in_object = r->depth > 0 && (r->objects[outer / 64] >> (outer % 64) & 1) != 0;
    r->state = FA__JSON_AFTER;
}

int fa_json_enter_object(fa_json_reader *r)
{
    int rv = fa__json_start_value(r);

    if (rv != 0)
        return rv;
    return *r->at == '{' ? enter(r, true) : fa__json_refuse_type(r);
}

int fa_json_enter_array(fa_json_reader *r)
{
    int rv = fa__json_start_value(r);

    if (rv != 0)
        return rv;
    return *r->at == '[' ? enter(r, false) : fa__json_refuse_type(r);
}

/* To the next key or element of the innermost container: over the comma that must
   come before all but the first. False at the end of the container, which has then
   been left, and after an error. */
static inline bool next(fa_json_reader *r, bool object)
{
    if (r->state == FA__JSON_VALUE || r->depth == 0 || r->in_object != object) {
        fa__json_fail(r, FA_ERR_STATE, r->at);
        return false;
    }
    if (r->state == FA__JSON_FAILED)
        return false;
    r->at = fa__json_skip_space(r->at, r->end);
    if (r->at == r->end) {
        fa__json_fail(r, FA_ERR_JSON_END, r->end);
        return false;
    }
    if (*r->at == (object ? '}' : ']')) {
        leave(r);
        return false;
    }
    if (r->state == FA__JSON_AFTER) {
        if (*r->at != ',') {
            fa__json_fail(r, FA_ERR_JSON_SYNTAX, r->at);
            return false;
        }
        r->at = fa__json_skip_space(r->at + 1, r->end);
        if (r->at == r->end) {
            fa__json_fail(r, FA_ERR_JSON_END, r->end);
            return false;
        }
    }
    return true;
}

/* The string whose opening quote is at r->at; it is only checked unless it is `wanted`.
   Where this is inlined `*out` stays in registers: the slice whose address goes to the
   slow way is another one. */
static inline int take_string(fa_slice *out, fa_json_reader *r, bool wanted)
{
    const char *first = r->at + 1;
    unsigned high = 0;
    const char *stop = fa__json_scan(first, r->end, r->start, &high);
    fa_slice decoded = {NULL, 0};
    int rv;

    if (stop == r->end || *stop != '"' || high != 0) {
        rv = fa__json_string(wanted ? &decoded : NULL, r, stop);
        *out = (fa_slice){decoded.p, decoded.len};
        return rv;
    }
    *out = (fa_slice){first, (size_t)(stop - first)};
    r->at = stop + 1;
    return 0;
}

/* `key` may be NULL. */
static bool next_key(fa_slice *key, fa_json_reader *r)
{
    const char *quote;
    fa_slice v;
    int rv;

    if (!next(r, true))
        return false;
    quote = r->at;
    if (*quote != '"') {
        fa__json_fail(r, FA_ERR_JSON_SYNTAX, quote);
        return false;
    }
    if (take_string(&v, r, key != NULL || r->report_duplicates) != 0)
        return false;
    if (r->report_duplicates) {
        rv = fa__json_keys_add(r, v);
        if (rv != 0) {
            fa__json_fail(r, rv, quote);
            return false;
        }
    }
    r->at = fa__json_skip_space(r->at, r->end);
    if (r->at == r->end || *r->at != ':') {
        fa__json_fail(r, r->at == r->end ? FA_ERR_JSON_END : FA_ERR_JSON_SYNTAX, r->at);
        return false;
    }
    ++r->at;
    r->state = FA__JSON_VALUE;
    if (key != NULL) {
        key->p = v.p;
        key->len = v.len;
    }
    return true;
}

bool fa_json_next_key(fa_slice *key, fa_json_reader *r)
{
    return next_key(key, r);
}

bool fa_json_next_element(fa_json_reader *r)
{
    if (!next(r, false))
        return false;
    r->state = FA__JSON_VALUE;
    return true;
}

int fa_json_read_string(fa_slice *out, fa_json_reader *r)
{
    fa_slice v;
    int rv = fa__json_start_value(r);

    if (rv != 0)
        return rv;
    if (*r->at != '"')
        return fa__json_refuse_type(r);
    rv = take_string(&v, r, true);
    if (rv != 0)
        return rv;
    *out = v;
    r->state = FA__JSON_AFTER;
    return 0;
}

/* One value, or just into it if it is a container. */
static int skip_start(fa_json_reader *r)
{
    fa_slice ignored;
    bool truth;
    int rv = fa__json_start_value(r);

    if (rv != 0)
        return rv;
    switch (fa__json_type_of(r, *r->at)) {
    case FA_JSON_OBJECT: return enter(r, true);
    case FA_JSON_ARRAY: return enter(r, false);
    case FA_JSON_STRING:
        rv = take_string(&ignored, r, false);
        if (rv == 0)
            r->state = FA__JSON_AFTER;
        return rv;
    case FA_JSON_NUMBER: return fa_json_read_number(&ignored, r);
    case FA_JSON_BOOL: return fa_json_read_bool(&truth, r);
    case FA_JSON_NULL: return fa_json_read_null(r);
    case FA_JSON_INVALID: break;
    }
    return fa__json_fail(r, FA_ERR_JSON_SYNTAX, r->at);
}

int fa_json_skip(fa_json_reader *r)
{
    uint32_t outside = r->depth;
    int rv = skip_start(r);

    while (rv == 0 && r->depth > outside) {
        if (r->in_object ? next_key(NULL, r) : fa_json_next_element(r))
            rv = skip_start(r);
        else if (r->state == FA__JSON_FAILED)
            rv = r->error;
    }
    return rv;
}

int fa_json_read_raw(fa_slice *out, fa_json_reader *r)
{
    const char *first;
    int rv = fa__json_start_value(r);

    if (rv != 0)
        return rv;
    first = r->at;
    rv = fa_json_skip(r);
    if (rv == 0)
        *out = (fa_slice){first, (size_t)(r->at - first)};
    return rv;
}

int fa_json_end(fa_json_reader *r)
{
    if (r->state == FA__JSON_FAILED)
        return r->error;
    if (r->state != FA__JSON_AFTER || r->depth > 0)
        return fa__json_fail(r, FA_ERR_STATE, r->at);
    r->at = fa__json_skip_space(r->at, r->end);
    return r->at == r->end ? 0 : fa__json_fail(r, FA_ERR_JSON_TRAILING, r->at);
}

int fa_json_error(const fa_json_reader *r)
{
    return r->error;
}

size_t fa_json_position(const fa_json_reader *r)
{
    return r->state == FA__JSON_FAILED ? r->error_at : (size_t)(r->at - r->start);
}

bool fa_json_valid(fa_slice text)
{
    fa_json_reader r;

    fa_json_reader_init(&r, text, NULL);
    return fa_json_skip(&r) == 0 && fa_json_end(&r) == 0;
}
