/* The values of a route's parameters, as FastAPI takes them from a request. */
#include "plan/bind.h"

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
    return plan_text(v, "replace");
}

static PyObject *
value_of(const Plan *plan, const plan_param *param, fa_slice v)
{
    PyObject *made = plan_usual(param->form, v);

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
from_path(binding *from, const plan_param *param)
{
    return value_of(from->plan, param,
                    from->input->ops->capture(from->input, (size_t)param->index));
}

static bool
append(PyObject *list, PyObject *item)
{
    bool done = item != NULL && PyList_Append(list, item) == 0;

    Py_XDECREF(item);
    return done;
}

/* What all values of one name give; `list` is taken over. None of them is as if the name
   were missing. */
static PyObject *
value_of_all(binding *from, const plan_param *param, PyObject *list, bool failed)
{
    if (failed)
        Py_CLEAR(list);
    if (list == NULL || PyList_GET_SIZE(list) > 0)
        return validated(from->plan, param, list);
    Py_DECREF(list);
    return value_if_missing(from->plan, param);
}

static PyObject *
all_of_query(binding *from, const plan_param *param)
{
    fa_slice key = key_of(param), name, v;
    ptrdiff_t n = from->input->ops->query_count(from->input);
    PyObject *list = PyList_New(0);
    bool failed = list == NULL || n < 0;

    if (n < 0)
        PyErr_NoMemory();
    for (ptrdiff_t i = 0; !failed && i < n; ++i) {
        from->input->ops->query_at(from->input, (size_t)i, &name, &v);
        if (fa_slice_equal(name, key))
            failed = !append(list, text_of(PARAM_QUERY, v));
    }
    return value_of_all(from, param, list, failed);
}

static PyObject *
from_query(binding *from, const plan_param *param)
{
    fa_slice key = key_of(param), name, v;
    ptrdiff_t n;

    if (param->many)
        return all_of_query(from, param);
    n = from->input->ops->query_count(from->input);
    if (n < 0)
        return PyErr_NoMemory();
    while (n-- > 0) { /* the last one counts */
        from->input->ops->query_at(from->input, (size_t)n, &name, &v);
        if (fa_slice_equal(name, key))
            return value_of(from->plan, param, v);
    }
    return value_if_missing(from->plan, param);
}

static PyObject *
all_of_header(binding *from, const plan_param *param)
{
    fa_slice key = key_of(param), name, v;
    PyObject *list = PyList_New(0);
    size_t n = from->input->ops->header_count(from->input);
    bool failed = list == NULL;

    for (size_t i = 0; !failed && i < n; ++i) {
        from->input->ops->header_at(from->input, i, &name, &v);
        if (plan_equal_nocase(name, key))
            failed = !append(list, text_of(PARAM_HEADER, v));
    }
    return value_of_all(from, param, list, failed);
}

static PyObject *
from_header(binding *from, const plan_param *param)
{
    fa_slice v;

    if (param->many)
        return all_of_header(from, param);
    v = from->input->ops->header(from->input, key_of(param));
    return v.p != NULL ? value_of(from->plan, param, v)
                       : value_if_missing(from->plan, param);
}

/* Every Cookie field through Starlette's own parser, the later ones over the earlier. A
   borrowed reference or NULL. */
static PyObject *
cookies_of(binding *from)
{
    plan_input *input = from->input;
    size_t n = input->ops->header_count(input);

    if (from->cookies != NULL)
        return from->cookies;
    from->cookies = PyDict_New();
    for (size_t i = 0; from->cookies != NULL && i < n; ++i) {
        fa_slice name, v;
        PyObject *text, *parsed;

        input->ops->header_at(input, i, &name, &v);
        if (!plan_equal_nocase(name, FA_SLICE("cookie")))
            continue;
        text = text_of(PARAM_HEADER, v);
        parsed =
            text != NULL ? PyObject_CallOneArg(from->plan->parse_cookies, text) : NULL;
        Py_XDECREF(text);
        if (parsed == NULL || PyDict_Update(from->cookies, parsed) < 0)
            Py_CLEAR(from->cookies);
        Py_XDECREF(parsed);
    }
    return from->cookies;
}

/* That of `object`, a dict, or the default. */
static PyObject *
from_dict(const Plan *plan, const plan_param *param, PyObject *object)
{
    PyObject *value = Py_XNewRef(PyDict_GetItemWithError(object, param->key));

    if (value != NULL)
        return validated(plan, param, value);
    return PyErr_Occurred() ? NULL : value_if_missing(plan, param);
}

static PyObject *
from_cookie(binding *from, const plan_param *param)
{
    PyObject *cookies = cookies_of(from);

    return cookies != NULL ? from_dict(from->plan, param, cookies) : NULL;
}

/* FastAPI asks email.message, which sees more spellings: those are left to it. */
bool
binding_says_json(const plan_input *input)
{
    static const char json[] = "application/json";
    const size_t n = sizeof(json) - 1;
    fa_slice v = input->ops->header(input, FA_SLICE("content-type"));

    if (fa_slice_equal(v, FA_SLICE("application/json")))
        return true;
    if (v.len < n || !plan_equal_nocase((fa_slice){v.p, n}, FA_SLICE("application/json")))
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

/* What from_json() makes of the body; NULL also when it is not to be read as JSON. */
static PyObject *
parsed_body(binding *from)
{
    fa_slice body = from->input->ops->body(from->input);
    PyObject *bytes, *parsed;

    if (!binding_says_json(from->input))
        return NULL;
    bytes = PyBytes_FromStringAndSize(body.p, (Py_ssize_t)body.len);
    parsed = bytes != NULL ? PyObject_CallOneArg(from->plan->from_json, bytes) : NULL;
    Py_XDECREF(bytes);
    return parsed;
}

/* A run of so many digits covers one that is looked at. */
static bool
has_huge_number(fa_slice json)
{
    enum { DIGITS = 309 }; /* of the greatest float */

    for (size_t i = DIGITS - 1; i < json.len; i += DIGITS) {
        size_t from = i, to = i;

        while (from > 0 && is_digit(json.p[from - 1]))
            --from;
        while (is_digit(json.p[to]) && ++to < json.len && to - from < DIGITS)
            ;
        if (to - from >= DIGITS)
            return true;
    }
    return false;
}

static PyObject *
from_body(binding *from, const plan_param *param)
{
    fa_slice body = from->input->ops->body(from->input);
    PyObject *bytes, *made;

    if (body.len == 0)
        return value_if_missing(from->plan, param);
    if (param->form == FORM_PARSED)
        return validated(from->plan, param, parsed_body(from));
    /* As a float such a whole number is infinite in JSON, and refused as an int. */
    if (!binding_says_json(from->input) || has_huge_number(body))
        return NULL;
    if (param->shape != NULL) {
        made = plan_shape_make(param->shape, body);
        if (made != NULL || PyErr_Occurred())
            return made;
    }
    bytes = PyBytes_FromStringAndSize(body.p, (Py_ssize_t)body.len);
    made = bytes != NULL ? PyObject_CallOneArg(param->validate, bytes) : NULL;
    Py_XDECREF(bytes);
    return made;
}

static PyObject *
from_member(binding *from, const plan_param *param)
{
    if (from->input->ops->body(from->input).len == 0)
        return value_if_missing(from->plan, param);
    if (from->members == NULL)
        from->members = parsed_body(from);
    if (from->members == NULL || !PyDict_CheckExact(from->members))
        return NULL;
    return from_dict(from->plan, param, from->members);
}

/* ---- parameters that FastAPI's own functions put together ---- */

/* A pair of bytes, the name in lower case as in a scope. */
static PyObject *
header_pair(fa_slice name, fa_slice v)
{
    /* Not from its bytes: bytes of one letter are shared by the whole process. */
    PyObject *lower = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)name.len), *pair;

    if (lower == NULL)
        return NULL;
    for (size_t i = 0; i < name.len; ++i)
        PyBytes_AS_STRING(lower)[i] = (char)Py_TOLOWER(name.p[i]);
    pair = Py_BuildValue("(Ny#)", lower, v.p, (Py_ssize_t)v.len);
    return pair;
}

static PyObject *
query_pair(fa_slice name, fa_slice v)
{
    PyObject *key = text_of(PARAM_QUERY, name), *value = text_of(PARAM_QUERY, v);
    PyObject *pair = key != NULL && value != NULL ? PyTuple_Pack(2, key, value) : NULL;

    Py_XDECREF(key);
    Py_XDECREF(value);
    return pair;
}

/* All pairs of the query or of the headers, in their order. */
static PyObject *
pairs_of(plan_input *input, bool query)
{
    ptrdiff_t n = query ? input->ops->query_count(input)
                        : (ptrdiff_t)input->ops->header_count(input);
    PyObject *list = n >= 0 ? PyList_New(0) : PyErr_NoMemory();

    for (size_t i = 0; list != NULL && i < (size_t)n; ++i) {
        fa_slice name, v;

        if (query)
            input->ops->query_at(input, i, &name, &v);
        else
            input->ops->header_at(input, i, &name, &v);
        if (!append(list, query ? query_pair(name, v) : header_pair(name, v)))
            Py_CLEAR(list);
    }
    return list;
}

/* validate(raw): the query as pairs of text, the headers as pairs of bytes, the cookies
   as a dict. */
static PyObject *
from_raw(binding *from, const plan_param *param)
{
    PyObject *raw = param->source == PARAM_COOKIE
                        ? Py_XNewRef(cookies_of(from))
                        : pairs_of(from->input, param->source == PARAM_QUERY);
    PyObject *value = raw != NULL ? PyObject_CallOneArg(param->validate, raw) : NULL;

    Py_XDECREF(raw);
    return value;
}

typedef PyObject *source_fn(binding *from, const plan_param *param);

static source_fn *const sources[PARAM_SOURCES] = {
    [PARAM_PATH] = from_path,     [PARAM_QUERY] = from_query,
    [PARAM_HEADER] = from_header, [PARAM_COOKIE] = from_cookie,
    [PARAM_BODY] = from_body,     [PARAM_MEMBER] = from_member,
};

PyObject *
binding_value(binding *from, const plan_param *param)
{
    return param->form == FORM_RAW ? from_raw(from, param)
                                   : sources[param->source](from, param);
}

plan_bound
plan_bind(const Plan *plan, plan_input *input, PyObject **values, PyObject **body)
{
    binding from = {.plan = plan, .input = input};
    plan_bound bound = PLAN_BOUND;
    Py_ssize_t i = 0;

    *body = NULL;
    for (; i < plan->param_count; ++i) {
        values[i] = binding_value(&from, &plan->params[i]);
        if (values[i] == NULL)
            break;
    }
    if (i < plan->param_count)
        bound = plan_check(&from, values, i, body);
    Py_XDECREF(from.cookies);
    Py_XDECREF(from.members);
    return bound;
}
