/* The usual spellings of simple types: what they mean is beyond doubt. */
#include "plan/plan.h"

#include <float.h>

static bool
is_ascii(fa_slice v)
{
    uint64_t w = 0, last = 0;
    size_t i = 0;

    for (; i + sizeof(w) <= v.len; i += sizeof(w)) {
        memcpy(&w, v.p + i, sizeof(w));
        last |= w;
    }
    for (; i < v.len; ++i)
        last |= (unsigned char)v.p[i];
    return (last & 0x8080808080808080u) == 0;
}

PyObject *
plan_text(fa_slice utf8, const char *errors)
{
    PyObject *made;

    if (utf8.len < 2 || !is_ascii(utf8)) /* the short ones are there already */
        return PyUnicode_DecodeUTF8(utf8.p, (Py_ssize_t)utf8.len, errors);
    made = PyUnicode_New((Py_ssize_t)utf8.len, 127);
    if (made != NULL)
        memcpy(PyUnicode_1BYTE_DATA(made), utf8.p, utf8.len);
    return made;
}

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

/* Up to 15 digits: their number and the power of ten are doubles without loss, so that
   the quotient is the double next to it, as of every way of reading them. */
static PyObject *
usual_float(fa_slice v)
{
    enum { DIGITS_MAX = 15 };
    static const double powers[DIGITS_MAX + 1] = {1e0,  1e1,  1e2,  1e3, 1e4,  1e5,
                                                  1e6,  1e7,  1e8,  1e9, 1e10, 1e11,
                                                  1e12, 1e13, 1e14, 1e15};
    size_t i = v.len > 0 && v.p[0] == '-' ? 1 : 0, digits = 0, behind = 0;
    long long n = 0;
    bool point = false;
    double value;

    if (FLT_EVAL_METHOD != 0 || v.len > i + DIGITS_MAX + 1 || v.len == i ||
        !is_digit(v.p[i]) || !is_digit(v.p[v.len - 1]) ||
        (v.p[i] == '0' && v.len > i + 1 && v.p[i + 1] != '.'))
        return NULL;
    for (size_t at = i; at < v.len; ++at) {
        if (v.p[at] == '.' && !point) {
            point = true;
        } else if (is_digit(v.p[at])) {
            n = n * 10 + (v.p[at] - '0');
            ++digits;
            behind += point;
        } else {
            return NULL;
        }
    }
    if (digits > DIGITS_MAX || (n == 0 && i == 1))
        return NULL;
    value = (double)n / powers[behind];
    return PyFloat_FromDouble(i == 1 ? -value : value);
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
