#include "json/number.h"
#include "json/reader.h"

/* A word such as null at r->at; FA_ERR_JSON_SYNTAX at its first wrong byte. */
static int take_word(fa_json_reader *r, const char *word)
{
    const char *p = r->at;

    for (; *word != '\0'; ++word, ++p) {
        if (p == r->end)
            return fa__json_fail(r, FA_ERR_JSON_END, p);
        if (*p != *word)
            return fa__json_fail(r, FA_ERR_JSON_SYNTAX, p);
    }
    r->at = p;
    r->state = FA__JSON_AFTER;
    return 0;
}

int fa_json_read_bool(bool *out, fa_json_reader *r)
{
    int rv = fa__json_start_value(r);
    bool value;

    if (rv != 0)
        return rv;
    if (*r->at != 't' && *r->at != 'f')
        return fa__json_refuse_type(r);
    value = *r->at == 't';
    rv = take_word(r, value ? "true" : "false");
    if (rv == 0)
        *out = value;
    return rv;
}

int fa_json_read_null(fa_json_reader *r)
{
    int rv = fa__json_start_value(r);

    if (rv != 0)
        return rv;
    return *r->at == 'n' ? take_word(r, "null") : fa__json_refuse_type(r);
}

/* NaN, Infinity and -Infinity, if they are allowed. */
static bool is_name(const fa_json_reader *r)
{
    char c = *r->at;

    if (!r->allow_nan)
        return false;
    return c == 'N' || c == 'I' || (c == '-' && r->end - r->at > 1 && r->at[1] == 'I');
}

static int take_name(double *out, fa_json_reader *r)
{
    bool negative = *r->at == '-';
    int rv = take_word(r, *r->at == 'N' ? "NaN" : negative ? "-Infinity" : "Infinity");

    if (rv == 0 && out != NULL)
        *out = r->at[-1] == 'N' ? __builtin_nan("")
               : negative       ? -__builtin_inf()
                                : __builtin_inf();
    return rv;
}

/* The number at r->at, which is not a name. */
static int take_number(fa__number *out, fa_json_reader *r)
{
    const char *at;
    int rv;

    if (fa__json_type_of(r, *r->at) != FA_JSON_NUMBER)
        return fa__json_refuse_type(r);
    rv = fa__number_scan(out, &at, r->at, r->end);
    if (rv != 0)
        return fa__json_fail(r, rv, at);
    r->at = out->end;
    r->state = FA__JSON_AFTER;
    return 0;
}

static int take_integer(fa__number *out, fa_json_reader *r)
{
    int rv = fa__json_start_value(r);

    if (rv != 0)
        return rv;
    if (is_name(r))
        return fa__json_refuse_type(r);
    rv = take_number(out, r);
    if (rv == 0 && !out->integral)
        return fa__json_fail(r, FA_ERR_JSON_TYPE, out->begin);
    return rv;
}

/* The integers that nearly all are: up to 18 digits, which cannot overflow. False leaves
   the value where it is, for the general way, which also finds the errors. */
static inline bool take_short_integer(int64_t *out, fa_json_reader *r)
{
    const char *p, *first, *limit;
    int64_t v = 0;
    bool negative;

    if (r->state != FA__JSON_VALUE)
        return false;
    p = fa__json_skip_space(r->at, r->end);
    negative = p < r->end && *p == '-';
    first = p += negative;
    limit = r->end - first > 18 ? first + 18 : r->end;
    for (; p < limit && (unsigned char)(*p - '0') < 10; ++p)
        v = v * 10 + (*p - '0');
    if (p == first || (*first == '0' && p - first > 1))
        return false;
    if (p < r->end && (*p == '.' || (unsigned char)(*p - '0') < 10 || (*p | 0x20) == 'e'))
        return false;
    *out = negative ? -v : v;
    r->at = p;
    r->state = FA__JSON_AFTER;
    return true;
}

int fa_json_read_int64(int64_t *out, fa_json_reader *r)
{
    fa__number n;
    int rv;

    if (take_short_integer(out, r))
        return 0;
    rv = take_integer(&n, r);
    if (rv != 0)
        return rv;
    rv = fa__number_int64(out, &n);
    return rv == 0 ? 0 : fa__json_fail(r, rv, n.begin);
}

int fa_json_read_uint64(uint64_t *out, fa_json_reader *r)
{
    const char *before = r->at;
    fa__number n;
    int64_t v;
    int rv;

    if (take_short_integer(&v, r)) {
        if (v >= 0) {
            *out = (uint64_t)v;
            return 0;
        }
        r->at = before;
        r->state = FA__JSON_VALUE;
    }
    rv = take_integer(&n, r);
    if (rv != 0)
        return rv;
    rv = fa__number_uint64(out, &n);
    return rv == 0 ? 0 : fa__json_fail(r, rv, n.begin);
}

int fa_json_read_double(double *out, fa_json_reader *r)
{
    fa__number n;
    double v;
    int rv = fa__json_start_value(r);

    if (rv != 0)
        return rv;
    if (is_name(r))
        return take_name(out, r);
    rv = take_number(&n, r);
    if (rv != 0)
        return rv;
    v = fa__number_double(&n);
    if (__builtin_isinf(v) && !r->allow_nan)
        return fa__json_fail(r, FA_ERR_JSON_RANGE, n.begin);
    *out = v;
    return 0;
}

int fa_json_read_number(fa_slice *out, fa_json_reader *r)
{
    fa__number n;
    const char *first;
    int rv = fa__json_start_value(r);

    if (rv != 0)
        return rv;
    first = r->at;
    rv = is_name(r) ? take_name(NULL, r) : take_number(&n, r);
    if (rv == 0)
        *out = (fa_slice){first, (size_t)(r->at - first)};
    return rv;
}
