/* The values of a route's parameters, as FastAPI takes them from a request. */
#include "plan.h"

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
    return ((unsigned char)c | 0x20) >= 'a' && ((unsigned char)c | 0x20) <= 'z';
}

/* Field names and media types. */
static bool
equal_nocase(fa_slice a, fa_slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; ++i) {
        if (a.p[i] != b.p[i] && !(is_letter(a.p[i]) && (a.p[i] ^ b.p[i]) == 0x20))
            return false;
    }
    return true;
}

/* ---- usual spellings: what they mean is beyond doubt ---- */

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

static PyObject *
usual(param_form form, fa_slice v)
{
    switch (form) {
    case FORM_INT: return usual_int(v);
    case FORM_FLOAT: return usual_float(v);
    case FORM_BOOL: return usual_bool(v);
    default: return NULL;
    }
}

/* ---- one value ---- */

/* validate(value, from_attributes=True); `value` is taken over. */
static PyObject *
validated(const Plan *plan, const plan_param *param, PyObject *value)
{
    PyObject *args[3] = {NULL, value, Py_True}, *made;

    if (value == NULL || param->validate == Py_None)
        return value;
    made =
        PyObject_Vectorcall(param->validate, args + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET,
                            plan->core->from_attributes);
    Py_DECREF(value);
    return made;
}

static PyObject *
text_of(param_source source, fa_slice v)
{
    if (source == PARAM_HEADER)
        return PyUnicode_DecodeLatin1(v.p, (Py_ssize_t)v.len, NULL);
    return PyUnicode_DecodeUTF8(v.p, (Py_ssize_t)v.len, "replace");
}

static PyObject *
value_of(const Plan *plan, const plan_param *param, fa_slice v)
{
    PyObject *made = usual(param->form, v);

    if (made != NULL || PyErr_Occurred())
        return made;
    return validated(plan, param, text_of(param->source, v));
}

static PyObject *
value_if_missing(const Plan *plan, const plan_param *param)
{
    if (param->fallback == NULL)
        return NULL;
    if (param->copied)
        return PyObject_CallOneArg(plan->core->deepcopy, param->fallback);
    return Py_NewRef(param->fallback);
}

static fa_slice
key_of(const plan_param *param)
{
    Py_ssize_t n;
    const char *p = PyUnicode_AsUTF8AndSize(param->key, &n); /* kept in the str */

    return (fa_slice){p, (size_t)n};
}

/* ---- the sources ---- */

static PyObject *
from_path(const Plan *plan, const plan_param *param, plan_input *input)
{
    return value_of(plan, param, input->ops->capture(input, (size_t)param->index));
}

static bool
append(PyObject *list, PyObject *item)
{
    bool done = item != NULL && PyList_Append(list, item) == 0;

    Py_XDECREF(item);
    return done;
}

static PyObject *
all_of_query(const Plan *plan, const plan_param *param, plan_input *input)
{
    fa_slice key = key_of(param), name, v;
    ptrdiff_t n = input->ops->query_count(input);
    PyObject *list = PyList_New(0);
    bool failed = list == NULL || n < 0;

    for (ptrdiff_t i = 0; !failed && i < n; ++i) {
        input->ops->query_at(input, (size_t)i, &name, &v);
        if (fa_slice_equal(name, key))
            failed = !append(list, text_of(PARAM_QUERY, v));
    }
    if (failed)
        Py_CLEAR(list);
    if (list == NULL || PyList_GET_SIZE(list) > 0)
        return validated(plan, param, list);
    Py_DECREF(list);
    return value_if_missing(plan, param);
}

static PyObject *
from_query(const Plan *plan, const plan_param *param, plan_input *input)
{
    fa_slice key = key_of(param), name, v;
    ptrdiff_t n;

    if (param->many)
        return all_of_query(plan, param, input);
    n = input->ops->query_count(input);
    if (n < 0)
        return NULL;
    while (n-- > 0) { /* the last one counts */
        input->ops->query_at(input, (size_t)n, &name, &v);
        if (fa_slice_equal(name, key))
            return value_of(plan, param, v);
    }
    return value_if_missing(plan, param);
}

/* `.p` is NULL if there is none. */
static fa_slice
first_header(const plan_input *input, fa_slice key)
{
    size_t n = input->ops->header_count(input);
    fa_slice name, v;

    for (size_t i = 0; i < n; ++i) {
        input->ops->header_at(input, i, &name, &v);
        if (equal_nocase(name, key))
            return v;
    }
    return (fa_slice){NULL, 0};
}

static PyObject *
all_of_header(const Plan *plan, const plan_param *param, plan_input *input)
{
    fa_slice key = key_of(param), name, v;
    PyObject *list = PyList_New(0);
    size_t n = input->ops->header_count(input);
    bool failed = list == NULL;

    for (size_t i = 0; !failed && i < n; ++i) {
        input->ops->header_at(input, i, &name, &v);
        if (equal_nocase(name, key))
            failed = !append(list, text_of(PARAM_HEADER, v));
    }
    if (failed)
        Py_CLEAR(list);
    if (list == NULL || PyList_GET_SIZE(list) > 0)
        return validated(plan, param, list);
    Py_DECREF(list);
    return value_if_missing(plan, param);
}

static PyObject *
from_header(const Plan *plan, const plan_param *param, plan_input *input)
{
    fa_slice v;

    if (param->many)
        return all_of_header(plan, param, input);
    v = first_header(input, key_of(param));
    return v.p != NULL ? value_of(plan, param, v) : value_if_missing(plan, param);
}

/* Every Cookie field through Starlette's own parser, the later ones over the earlier. */
static PyObject *
cookies_of(const Plan *plan, plan_input *input)
{
    PyObject *cookies = PyDict_New();
    size_t n = input->ops->header_count(input);

    for (size_t i = 0; cookies != NULL && i < n; ++i) {
        fa_slice name, v;
        PyObject *text, *parsed;

        input->ops->header_at(input, i, &name, &v);
        if (!equal_nocase(name, FA_SLICE("cookie")))
            continue;
        text = text_of(PARAM_HEADER, v);
        parsed = text != NULL ? PyObject_CallOneArg(plan->parse_cookies, text) : NULL;
        Py_XDECREF(text);
        if (parsed == NULL || PyDict_Update(cookies, parsed) < 0)
            Py_CLEAR(cookies);
        Py_XDECREF(parsed);
    }
    return cookies;
}

static PyObject *
from_cookie(const Plan *plan, const plan_param *param, plan_input *input)
{
    PyObject *cookies = cookies_of(plan, input), *value = NULL;

    if (cookies == NULL)
        return NULL;
    value = Py_XNewRef(PyDict_GetItemWithError(cookies, param->key));
    Py_DECREF(cookies);
    if (value != NULL)
        return validated(plan, param, value);
    return PyErr_Occurred() ? NULL : value_if_missing(plan, param);
}

/* Whether FastAPI takes the body for JSON without a doubt. It asks email.message, which
   sees more spellings: those are left to it. */
static bool
says_json(plan_input *input)
{
    static const char json[] = "application/json";
    const size_t n = sizeof(json) - 1;
    fa_slice v = first_header(input, FA_SLICE("content-type"));

    if (v.len < n || !equal_nocase((fa_slice){v.p, n}, FA_SLICE("application/json")))
        return false;
    if (v.len > n && v.p[n] != ';')
        return false;
    for (size_t i = n; i < v.len; ++i) {
        char c = v.p[i];

        if (!is_letter(c) && !is_digit(c) && (c == 0 || strchr(";= -", c) == NULL))
            return false;
    }
    return true;
}

static PyObject *
from_body(const Plan *plan, const plan_param *param, plan_input *input)
{
    fa_slice body = input->ops->body(input);
    PyObject *bytes, *parsed;

    if (body.len == 0 || !says_json(input))
        return NULL;
    bytes = PyBytes_FromStringAndSize(body.p, (Py_ssize_t)body.len);
    if (bytes == NULL)
        return NULL;
    if (param->form == FORM_JSON) {
        parsed = PyObject_CallOneArg(param->validate, bytes);
        Py_DECREF(bytes);
        return parsed;
    }
    parsed = PyObject_CallOneArg(plan->from_json, bytes);
    Py_DECREF(bytes);
    return validated(plan, param, parsed);
}

typedef PyObject *source_fn(const Plan *plan, const plan_param *param, plan_input *input);

static source_fn *const sources[PARAM_SOURCES] = {
    [PARAM_PATH] = from_path,     [PARAM_QUERY] = from_query,
    [PARAM_HEADER] = from_header, [PARAM_COOKIE] = from_cookie,
    [PARAM_BODY] = from_body,
};

bool
plan_bind(const Plan *plan, plan_input *input, PyObject **values)
{
    for (Py_ssize_t i = 0; i < plan->param_count; ++i) {
        const plan_param *param = &plan->params[i];

        values[i] = sources[param->source](plan, param, input);
        if (values[i] != NULL)
            continue;
        PyErr_Clear(); /* the application finds the same, and tells it in its own words */
        while (i-- > 0)
            Py_DECREF(values[i]);
        return false;
    }
    return true;
}
