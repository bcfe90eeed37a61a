#include "plan/input.h"

bool
plan_equal_nocase(fa_slice a, fa_slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; ++i) {
        char c = (char)(a.p[i] | 0x20);

        if (a.p[i] != b.p[i] && !(c >= 'a' && c <= 'z' && (a.p[i] ^ b.p[i]) == 0x20))
            return false;
    }
    return true;
}

/* ---- of the server ---- */

static fa_request *
request_of(const plan_input *input)
{
    return ((const plan_request *)input)->req;
}

static fa_slice
request_capture(const plan_input *input, size_t i)
{
    fa_slice name, value;

    fa_request_param_at(request_of(input), i, &name, &value);
    return value;
}

static ptrdiff_t
request_query_count(plan_input *input)
{
    return fa_request_query_count(request_of(input));
}

static void
request_query_at(const plan_input *input, size_t i, fa_slice *name, fa_slice *value)
{
    fa_request_query_at(request_of(input), i, name, value);
}

static fa_slice
request_header(const plan_input *input, fa_slice name)
{
    return fa_request_header(request_of(input), name);
}

static size_t
request_header_count(const plan_input *input)
{
    return fa_request_header_count(request_of(input));
}

static void
request_header_at(const plan_input *input, size_t i, fa_slice *name, fa_slice *value)
{
    fa_request_header_at(request_of(input), i, name, value);
}

static fa_slice
request_body(const plan_input *input)
{
    return fa_request_body(request_of(input));
}

void
plan_request_init(plan_request *self, fa_request *req)
{
    static const plan_input_ops ops = {
        request_capture,      request_query_count, request_query_at, request_header,
        request_header_count, request_header_at,   request_body,
    };

    self->input.ops = &ops;
    self->req = req;
}

/* ---- of a scope ---- */

static fa_slice
slice_of(PyObject *bytes)
{
    return (fa_slice){PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)};
}

static fa_slice
scope_capture(const plan_input *input, size_t i)
{
    PyObject *captures = ((const plan_scope *)input)->captures;

    return slice_of(PyTuple_GET_ITEM(captures, (Py_ssize_t)i));
}

static ptrdiff_t
scope_query_count(plan_input *input)
{
    plan_scope *self = (plan_scope *)input;
    fa_slice query = slice_of(self->query);
    size_t n = 1;
    int rv;

    if (self->pairs != NULL)
        return self->pair_count;
    for (size_t i = 0; i < query.len; ++i)
        n += query.p[i] == '&';
    self->pairs = fa_arena_alloc(self->arena, n * sizeof(*self->pairs));
    if (self->pairs == NULL)
        return FA_ERR_NOMEM;
    self->pair_count = 0;
    for (;;) {
        plan_pair *pair = &self->pairs[self->pair_count];

        if ((size_t)self->pair_count == n) /* only the end is left */
            return self->pair_count;
        rv = fa_query_next(&query, &pair->name, &pair->value, self->arena);
        if (rv <= 0)
            break;
        ++self->pair_count;
    }
    if (rv < 0)
        self->pairs = NULL;
    return rv < 0 ? rv : self->pair_count;
}

static void
scope_query_at(const plan_input *input, size_t i, fa_slice *name, fa_slice *value)
{
    const plan_pair *pair = &((const plan_scope *)input)->pairs[i];

    *name = pair->name;
    *value = pair->value;
}

static size_t
scope_header_count(const plan_input *input)
{
    return (size_t)PyList_GET_SIZE(((const plan_scope *)input)->headers);
}

static void
scope_header_at(const plan_input *input, size_t i, fa_slice *name, fa_slice *value)
{
    PyObject *pair = PyList_GET_ITEM(((const plan_scope *)input)->headers, (Py_ssize_t)i);

    *name = slice_of(PySequence_Fast_GET_ITEM(pair, 0));
    *value = slice_of(PySequence_Fast_GET_ITEM(pair, 1));
}

static fa_slice
scope_header(const plan_input *input, fa_slice key)
{
    size_t n = scope_header_count(input);
    fa_slice name, value;

    for (size_t i = 0; i < n; ++i) {
        scope_header_at(input, i, &name, &value);
        if (plan_equal_nocase(name, key))
            return value;
    }
    return (fa_slice){NULL, 0};
}

static fa_slice
scope_body(const plan_input *input)
{
    return ((const plan_scope *)input)->whole_body;
}

/* Pairs of bytes, the names in lower case: Starlette finds no others. */
static bool
are_plain_headers(PyObject *headers)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(headers); ++i) {
        PyObject *pair = PyList_GET_ITEM(headers, i);
        fa_slice name;

        if (!(PyTuple_CheckExact(pair) || PyList_CheckExact(pair)) ||
            PySequence_Fast_GET_SIZE(pair) != 2 ||
            !PyBytes_CheckExact(PySequence_Fast_GET_ITEM(pair, 0)) ||
            !PyBytes_CheckExact(PySequence_Fast_GET_ITEM(pair, 1)))
            return false;
        name = slice_of(PySequence_Fast_GET_ITEM(pair, 0));
        for (size_t at = 0; at < name.len; ++at) {
            if (name.p[at] >= 'A' && name.p[at] <= 'Z')
                return false;
        }
    }
    return true;
}

static bool
is_ascii(fa_slice v)
{
    for (size_t i = 0; i < v.len; ++i) {
        if ((unsigned char)v.p[i] >= 0x80)
            return false;
    }
    return true;
}

bool
plan_scope_init(plan_scope *self, core_state *core, fa_arena *arena, PyObject *scope,
                PyObject *captures, PyObject *body)
{
    static const plan_input_ops ops = {
        scope_capture,      scope_query_count, scope_query_at, scope_header,
        scope_header_count, scope_header_at,   scope_body,
    };
    PyObject *query = PyDict_GetItemWithError(scope, core->str_query_string);
    PyObject *headers = PyDict_GetItemWithError(scope, core->str_headers);

    if (query == NULL || headers == NULL || !PyBytes_CheckExact(query) ||
        !PyList_CheckExact(headers) || !is_ascii(slice_of(query)) ||
        !are_plain_headers(headers)) {
        PyErr_Clear();
        return false;
    }
    *self =
        (plan_scope){{&ops}, arena, captures, query, headers, slice_of(body), NULL, 0};
    return true;
}
