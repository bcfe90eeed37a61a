/* The ASGI scope of a request: what uvicorn puts there, key by key. */
#include "http/forwarded.h"

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

static inline char
lower_case(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* The name in lower case. Clients send the same few names all the time: those seen last
   are kept, found by a hash that is made together with the lower case. */
static PyObject *
field_name(scope_cache *cache, fa_slice name)
{
    char lower[SCOPE_NAME_MAX];
    uint32_t hash = 2166136261u; /* FNV-1a */
    PyObject **slot, *made;

    if (name.len > sizeof(lower)) {
        made = bytes_of(name);
        for (Py_ssize_t i = 0; made != NULL && i < PyBytes_GET_SIZE(made); ++i)
            PyBytes_AS_STRING(made)[i] = lower_case(name.p[i]);
        return made;
    }
    for (size_t i = 0; i < name.len; ++i) {
        lower[i] = lower_case(name.p[i]);
        hash = (hash ^ (unsigned char)lower[i]) * 16777619u;
    }
    slot = &cache->names[(hash ^ hash >> 16) % SCOPE_NAMES];
    if (*slot != NULL && (size_t)PyBytes_GET_SIZE(*slot) == name.len &&
        memcmp(PyBytes_AS_STRING(*slot), lower, name.len) == 0)
        return Py_NewRef(*slot);
    made = PyBytes_FromStringAndSize(lower, (Py_ssize_t)name.len);
    if (made != NULL)
        Py_XSETREF(*slot, Py_NewRef(made));
    return made;
}

static PyObject *
fields_of(scope_cache *cache, fa_request *req)
{
    size_t n = fa_request_header_count(req);
    PyObject *list = PyList_New((Py_ssize_t)n);

    for (size_t i = 0; list != NULL && i < n; ++i) {
        fa_slice name, value;
        PyObject *pair = PyTuple_New(2), *first, *second;

        fa_request_header_at(req, i, &name, &value);
        first = field_name(cache, name);
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

/* `*kept` if it has that text, else a new str that is kept. New reference or NULL. */
static PyObject *
kept_text(PyObject **kept, fa_slice text)
{
    PyObject *made = *kept;

    if (made != NULL && (size_t)PyUnicode_GET_LENGTH(made) == text.len &&
        memcmp(PyUnicode_DATA(made), text.p, text.len) == 0)
        return Py_NewRef(made);
    made = PyUnicode_DecodeASCII(text.p, (Py_ssize_t)text.len, NULL);
    if (made != NULL)
        Py_XSETREF(*kept, Py_NewRef(made));
    return made;
}

static PyObject *
client_of(scope_cache *cache, fa_request *req)
{
    uint16_t port;
    fa_slice text = fa_request_client_address(req, &port);
    PyObject *host, *number, *pair;

    if (text.len == 0)
        Py_RETURN_NONE;
    host = kept_text(&cache->client_host, text);
    number = PyLong_FromLong(port);
    pair = host != NULL && number != NULL ? PyTuple_Pack(2, host, number) : NULL;
    Py_XDECREF(host);
    Py_XDECREF(number);
    return pair;
}

/* The same pair for all requests that come by one address; on a unix socket its path. */
static PyObject *
server_of(Worker *worker, fa_request *req)
{
    scope_cache *cache = &worker->scopes;
    uint16_t port;
    fa_slice text = fa_request_server_address(req, &port);
    PyObject *host;

    if (text.len == 0)
        return Py_NewRef(cache->unix_server);
    host = kept_text(&cache->server_host, text);
    if (host == NULL)
        return NULL;
    if (cache->server == NULL || PyTuple_GET_ITEM(cache->server, 0) != host ||
        cache->server_port != port) {
        Py_XSETREF(cache->server, Py_BuildValue("(Oi)", host, (int)port));
        cache->server_port = port;
    }
    Py_DECREF(host);
    return Py_XNewRef(cache->server);
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
set_scheme(PyObject *scope, core_state *core, fa_slice scheme)
{
    if (fa_slice_equal(scheme, FA_SLICE("http")))
        return 0;
    return set(scope, core->str_scheme,
               PyUnicode_DecodeASCII(scheme.p, (Py_ssize_t)scheme.len, NULL));
}

/* A scheme of HTTP, or of WebSockets already. */
static bool
is_secure(fa_slice scheme)
{
    return scheme.p[scheme.len - 1] == 's' && scheme.len > 2;
}

/* What every request has. `*scheme` is as a proxy has it, or as it came to us. */
static int
set_common(PyObject *scope, Worker *worker, fa_request *req, fa_slice *scheme)
{
    forwarded said;
    core_state *core = worker->core;
    scope_cache *cache = &worker->scopes;

    if (forwarded_of(&said, worker, req) < 0)
        return -1;
    *scheme = said.scheme != NULL ? fa_slice_of(said.scheme) : fa_request_scheme(req);
    if (set(scope, core->str_client,
            said.client != NULL ? said.client : client_of(cache, req)) == 0 &&
        set(scope, core->str_server, server_of(worker, req)) == 0 &&
        set(scope, core->str_headers, fields_of(cache, req)) == 0 &&
        set(scope, core->str_state, PyDict_Copy(worker->state)) == 0 &&
        set_paths(scope, worker, req) == 0 &&
        set(scope, core->str_query_string, bytes_of(fa_request_query(req))) == 0)
        return 0;
    return -1;
}

PyObject *
scope_of_request(Worker *worker, fa_request *req)
{
    core_state *core = worker->core;
    scope_cache *cache = &worker->scopes;
    PyObject *scope = PyDict_Copy(cache->http);
    fa_slice scheme;

    if (scope == NULL)
        return NULL;
    if (set(scope, core->str_asgi, PyDict_Copy(cache->asgi)) == 0 &&
        (fa_request_version(req) != 10 ||
         PyDict_SetItem(scope, core->str_http_version, core->text_v1_0) == 0) &&
        set(scope, core->str_method, method_of(core, req)) == 0 &&
        set_common(scope, worker, req, &scheme) == 0 &&
        set_scheme(scope, core, scheme) == 0 &&
        (worker->extension_mask == 0 ||
         set(scope, core->str_extensions, extension_scope(worker)) == 0))
        return scope;
    Py_DECREF(scope);
    return NULL;
}

PyObject *
scope_headers(Worker *worker, fa_request *req)
{
    return fields_of(&worker->scopes, req);
}

static PyObject *
subprotocols_of(fa_request *req)
{
    size_t n = fa_websocket_protocol_count(req);
    PyObject *list = PyList_New((Py_ssize_t)n);

    for (size_t i = 0; list != NULL && i < n; ++i) {
        fa_slice v = fa_websocket_protocol_at(req, i);
        PyObject *text = PyUnicode_DecodeASCII(v.p, (Py_ssize_t)v.len, NULL);

        if (text == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, text);
    }
    return list;
}

/* Every extension has a dict of its own, empty so far. */
static PyObject *
websocket_extensions(core_state *core)
{
    PyObject *dict = PyDict_New();

    if (dict != NULL && set(dict, core->text_websocket_response, PyDict_New()) < 0)
        Py_CLEAR(dict);
    return dict;
}

PyObject *
scope_of_websocket(Worker *worker, fa_request *req)
{
    core_state *core = worker->core;
    scope_cache *cache = &worker->scopes;
    PyObject *scope = PyDict_Copy(cache->websocket);
    fa_slice scheme;

    if (scope == NULL)
        return NULL;
    if (set(scope, core->str_asgi, PyDict_Copy(cache->websocket_asgi)) == 0 &&
        set_common(scope, worker, req, &scheme) == 0 &&
        PyDict_SetItem(scope, core->str_scheme,
                       is_secure(scheme) ? core->str_wss : core->str_ws) == 0 &&
        set(scope, core->str_subprotocols, subprotocols_of(req)) == 0 &&
        set(scope, core->str_extensions, websocket_extensions(core)) == 0)
        return scope;
    Py_DECREF(scope);
    return NULL;
}

/* ---- what scopes have in common ---- */

static PyObject *
asgi_versions(Worker *worker, const char *spec)
{
    core_state *core = worker->core;
    PyObject *dict = PyDict_New();

    if (dict == NULL ||
        PyDict_SetItem(dict, core->str_version, worker->asgi_version) < 0 ||
        set(dict, core->str_spec_version, PyUnicode_FromString(spec)) < 0)
        Py_CLEAR(dict);
    return dict;
}

/* Every key in its place. What differs with each request is None here. */
static PyObject *
template_of(PyObject *const items[][2], size_t n)
{
    PyObject *dict = PyDict_New();

    for (size_t i = 0; dict != NULL && i < n; ++i) {
        if (PyDict_SetItem(dict, items[i][0], items[i][1]) < 0)
            Py_CLEAR(dict);
    }
    return dict;
}

static PyObject *
http_template(Worker *worker)
{
    core_state *core = worker->core;
    PyObject *const items[][2] = {
        {core->str_type, core->str_http},
        {core->str_asgi, Py_None},
        {core->str_http_version, core->text_v1_1},
        {core->str_server, Py_None},
        {core->str_client, Py_None},
        {core->str_scheme, core->str_http},
        {core->str_root_path, worker->root_path},
        {core->str_headers, Py_None},
        {core->str_state, Py_None},
        {core->str_method, Py_None},
        {core->str_path, Py_None},
        {core->str_raw_path, Py_None},
        {core->str_query_string, Py_None},
    };

    return template_of(items, sizeof(items) / sizeof(items[0]));
}

static PyObject *
websocket_template(Worker *worker)
{
    core_state *core = worker->core;
    PyObject *const items[][2] = {
        {core->str_type, core->str_websocket},
        {core->str_asgi, Py_None},
        {core->str_http_version, core->text_v1_1},
        {core->str_scheme, Py_None},
        {core->str_server, Py_None},
        {core->str_client, Py_None},
        {core->str_root_path, worker->root_path},
        {core->str_path, Py_None},
        {core->str_raw_path, Py_None},
        {core->str_query_string, Py_None},
        {core->str_headers, Py_None},
        {core->str_subprotocols, Py_None},
        {core->str_state, Py_None},
        {core->str_extensions, Py_None},
    };

    return template_of(items, sizeof(items) / sizeof(items[0]));
}

int
scope_cache_init(Worker *worker)
{
    scope_cache *cache = &worker->scopes;

    Py_XSETREF(cache->http, http_template(worker));
    Py_XSETREF(cache->asgi, asgi_versions(worker, "2.3"));
    Py_XSETREF(cache->websocket, websocket_template(worker));
    Py_XSETREF(cache->websocket_asgi, asgi_versions(worker, "2.4"));
    Py_XSETREF(cache->unix_server, worker->unix_path == Py_None
                                       ? Py_NewRef(Py_None)
                                       : PyTuple_Pack(2, worker->unix_path, Py_None));
    return cache->http != NULL && cache->asgi != NULL && cache->websocket != NULL &&
                   cache->websocket_asgi != NULL && cache->unix_server != NULL
               ? 0
               : -1;
}

void
scope_cache_clear(scope_cache *cache)
{
    Py_CLEAR(cache->http);
    Py_CLEAR(cache->asgi);
    Py_CLEAR(cache->websocket);
    Py_CLEAR(cache->websocket_asgi);
    Py_CLEAR(cache->server);
    Py_CLEAR(cache->unix_server);
    Py_CLEAR(cache->server_host);
    Py_CLEAR(cache->client_host);
    for (size_t i = 0; i < SCOPE_NAMES; ++i)
        Py_CLEAR(cache->names[i]);
}
