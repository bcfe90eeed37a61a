/* The ASGI scope of a request: what uvicorn puts there, key by key. */
#include "core.h"

static PyObject *
bytes_of(fa_slice v)
{
    return PyBytes_FromStringAndSize(v.p != NULL ? v.p : "", (Py_ssize_t)v.len);
}

/* Takes `value` over. */
static int
set(PyObject *dict, PyObject *key, PyObject *value)
{
    int rv;

    if (value == NULL)
        return -1;
    rv = PyDict_SetItem(dict, key, value);
    Py_DECREF(value);
    return rv;
}

/* The name in lower case; those seen before are not made again. */
static PyObject *
field_name(core_state *core, fa_slice name)
{
    enum { SHORT = 64, KEPT = 512 };
    PyObject *made = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)name.len), *known;
    char *p;

    if (made == NULL)
        return NULL;
    p = PyBytes_AS_STRING(made);
    for (size_t i = 0; i < name.len; ++i)
        p[i] =
            name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] | 0x20) : name.p[i];
    known = PyDict_GetItemWithError(core->field_names, made); /* borrowed */
    if (known != NULL) {
        Py_INCREF(known);
        Py_DECREF(made);
        return known;
    }
    if (PyErr_Occurred() ||
        (name.len <= SHORT && PyDict_GET_SIZE(core->field_names) < KEPT &&
         PyDict_SetItem(core->field_names, made, made) < 0))
        Py_CLEAR(made);
    return made;
}

static PyObject *
fields_of(core_state *core, fa_request *req)
{
    size_t n = fa_request_header_count(req);
    PyObject *list = PyList_New((Py_ssize_t)n);

    for (size_t i = 0; list != NULL && i < n; ++i) {
        fa_slice name, value;
        PyObject *pair = PyTuple_New(2), *first, *second;

        fa_request_header_at(req, i, &name, &value);
        first = field_name(core, name);
        second = bytes_of(value);
        if (pair == NULL || first == NULL || second == NULL) {
            Py_XDECREF(pair);
            Py_XDECREF(first);
            Py_XDECREF(second);
            Py_CLEAR(list);
            break;
        }
        PyTuple_SET_ITEM(pair, 0, first);
        PyTuple_SET_ITEM(pair, 1, second);
        PyList_SET_ITEM(list, (Py_ssize_t)i, pair);
    }
    return list;
}

/* (host, port), or None on a unix socket. */
static PyObject *
address(fa_slice text, uint16_t port)
{
    if (text.len == 0)
        Py_RETURN_NONE;
    return Py_BuildValue("(s#i)", text.p, (Py_ssize_t)text.len, (int)port);
}

static PyObject *
asgi_versions(Worker *worker)
{
    core_state *core = worker->core;
    PyObject *dict = PyDict_New();

    if (dict == NULL ||
        PyDict_SetItem(dict, core->str_version, worker->asgi_version) < 0 ||
        set(dict, core->str_spec_version, PyUnicode_FromString("2.3")) < 0)
        Py_CLEAR(dict);
    return dict;
}

static PyObject *
method_of(core_state *core, fa_request *req)
{
    fa_slice name = fa_request_method_name(req);
    fa_method method = fa_request_method(req);

    if (method != FA_METHOD_OTHER)
        return Py_NewRef(core->methods[method]);
    return PyUnicode_DecodeASCII(name.p, (Py_ssize_t)name.len, NULL);
}

/* With the root path in front, as uvicorn has it. */
static int
set_paths(PyObject *scope, Worker *worker, fa_request *req)
{
    core_state *core = worker->core;
    fa_slice path = fa_request_path(req), raw = fa_request_raw_path(req);
    PyObject *text = PyUnicode_DecodeUTF8(path.p, (Py_ssize_t)path.len, "replace");
    PyObject *bytes = bytes_of(raw);

    if (text != NULL && PyUnicode_GET_LENGTH(worker->root_path) > 0) {
        Py_SETREF(text, PyUnicode_Concat(worker->root_path, text));
        if (bytes != NULL) {
            PyObject *root = Py_NewRef(worker->root_path_bytes);

            PyBytes_ConcatAndDel(&root, bytes);
            bytes = root;
        }
    }
    if (set(scope, core->str_path, text) < 0) {
        Py_XDECREF(bytes);
        return -1;
    }
    return set(scope, core->str_raw_path, bytes);
}

static int
set_addresses(PyObject *scope, core_state *core, fa_request *req)
{
    uint16_t port;
    fa_slice text = fa_request_server_address(req, &port);

    if (set(scope, core->str_server, address(text, port)) < 0)
        return -1;
    text = fa_request_client_address(req, &port);
    return set(scope, core->str_client, address(text, port));
}

PyObject *
scope_of_request(Worker *worker, fa_request *req)
{
    core_state *core = worker->core;
    fa_slice query = fa_request_query(req), scheme = fa_request_scheme(req);
    PyObject *scope = PyDict_New();

    if (scope == NULL)
        return NULL;
    if (PyDict_SetItem(scope, core->str_type, core->str_http) == 0 &&
        set(scope, core->str_asgi, asgi_versions(worker)) == 0 &&
        PyDict_SetItem(scope, core->str_http_version,
                       fa_request_version(req) == 10 ? core->text_v1_0
                                                     : core->text_v1_1) == 0 &&
        set_addresses(scope, core, req) == 0 &&
        set(scope, core->str_scheme,
            PyUnicode_DecodeASCII(scheme.p, (Py_ssize_t)scheme.len, NULL)) == 0 &&
        PyDict_SetItem(scope, core->str_root_path, worker->root_path) == 0 &&
        set(scope, core->str_headers, fields_of(core, req)) == 0 &&
        set(scope, core->str_state, PyDict_Copy(worker->state)) == 0 &&
        set(scope, core->str_method, method_of(core, req)) == 0 &&
        set_paths(scope, worker, req) == 0 &&
        set(scope, core->str_query_string, bytes_of(query)) == 0)
        return scope;
    Py_DECREF(scope);
    return NULL;
}
