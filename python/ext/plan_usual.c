/* The usual spellings of simple types: what they mean is beyond doubt. */
#include "plan.h"

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* -?(0|[1-9][0-9]{0,17}), but not -0. NULL: spelled otherwise. */
static PyObject *
usual_int(fa_slice v)
{
    size_t i = v.len > 0 && v.p[0] == '-' ? 1 : 0;
    size_t digits = v.len - i;
    long long n = 0;

    if (digits == 0 || digits > 18 || (v.p[i] == '0' && v.len > 1))
        return NULL;
    for (size_t at = i; at < v.len; ++at) {
        if (!is_digit(v.p[at]))
            return NULL;
        n = n * 10 + (v.p[at] - '0');
    }
    return PyLong_FromLongLong(i == 1 ? -n : n);
}

/* Up to 15 digits, so that every way of reading them gives the same double. */
static PyObject *
usual_float(fa_slice v)
{
    enum { LENGTH_MAX = 17 };
    char text[LENGTH_MAX + 1];
    size_t i = v.len > 0 && v.p[0] == '-' ? 1 : 0, digits = 0, points = 0;
    double value;

    if (v.len > LENGTH_MAX || v.len == i || !is_digit(v.p[i]) ||
        !is_digit(v.p[v.len - 1]) ||
        (v.p[i] == '0' && v.len > i + 1 && v.p[i + 1] != '.'))
        return NULL;
    for (size_t at = i; at < v.len; ++at) {
        if (v.p[at] == '.')
            ++points;
        else if (is_digit(v.p[at]))
            ++digits;
        else
            return NULL;
    }
    if (digits > 15 || points > 1)
        return NULL;
    memcpy(text, v.p, v.len);
    text[v.len] = 0;
    value = PyOS_string_to_double(text, NULL, NULL);
    return value != 0 || i == 0 ? PyFloat_FromDouble(value) : NULL;
}

static PyObject *
usual_bool(fa_slice v)
{
    if (fa_slice_equal(v, FA_SLICE("true")) || fa_slice_equal(v, FA_SLICE("1")))
        Py_RETURN_TRUE;
    if (fa_slice_equal(v, FA_SLICE("false")) || fa_slice_equal(v, FA_SLICE("0")))
        Py_RETURN_FALSE;
    return NULL;
}

PyObject *
plan_usual(param_form form, fa_slice v)
{
    switch (form) {
    case FORM_INT: return usual_int(v);
    case FORM_FLOAT: return usual_float(v);
    case FORM_BOOL: return usual_bool(v);
    default: return NULL;
    }
}
