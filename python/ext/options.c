/* The keywords of Worker(): a row each. */
#include <stddef.h>

#include "http/forwarded.h"

typedef enum option_kind {
    OPTION_BOOL,    /* bool */
    OPTION_COUNT,   /* uint32_t, from 0 */
    OPTION_BYTES,   /* uint64_t, from 0; None: no limit */
    OPTION_SECONDS, /* uint32_t of milliseconds; a number of seconds, None: 0 */
    OPTION_STR,     /* PyObject *: a str */
    OPTION_DICT,    /* PyObject *: a dict */
    OPTION_OBJECT,  /* PyObject *: anything */
} option_kind;

typedef struct option {
    const char *name;
    option_kind kind;
    size_t offset; /* in Worker */
} option;

#define SERVER(field)    offsetof(Worker, options.field)
#define LIMIT(field)     offsetof(Worker, options.limits.field)
#define WEBSOCKET(field) offsetof(Worker, websocket.field)

static const option options[] = {
    {"on_warning", OPTION_OBJECT, offsetof(Worker, on_warning)},
    {"on_error", OPTION_OBJECT, offsetof(Worker, on_error)},
    {"on_access", OPTION_OBJECT, offsetof(Worker, on_access)},
    {"access_stream", OPTION_OBJECT, offsetof(Worker, access_stream)},
    {"status_text", OPTION_OBJECT, offsetof(Worker, status_text)},
    {"on_handshake", OPTION_OBJECT, offsetof(Worker, on_handshake)},
    {"on_connection", OPTION_OBJECT, offsetof(Worker, on_connection)},
    {"handshake_reason", OPTION_OBJECT, offsetof(Worker, handshake_reason)},
    {"state", OPTION_DICT, offsetof(Worker, state)},
    {"routes", OPTION_OBJECT, offsetof(Worker, routes)},
    {"watch", OPTION_OBJECT, offsetof(Worker, watch)},
    {"root_path", OPTION_STR, offsetof(Worker, root_path)},
    {"asgi_version", OPTION_STR, offsetof(Worker, asgi_version)},
    {"forwarded", OPTION_OBJECT, offsetof(Worker, forwarded)},
    {"unix_path", OPTION_OBJECT, offsetof(Worker, unix_path)},
    {"server_header", OPTION_STR, offsetof(Worker, server_header)},
    {"headers", OPTION_OBJECT, offsetof(Worker, headers)},
    {"extensions", OPTION_OBJECT, offsetof(Worker, extensions)},
    {"date_header", OPTION_BOOL, SERVER(date_header)},
    {"limit_request_line", OPTION_COUNT, LIMIT(max_request_line_bytes)},
    {"limit_request_headers", OPTION_COUNT, LIMIT(max_header_bytes)},
    {"limit_request_header_count", OPTION_COUNT, LIMIT(max_headers)},
    {"limit_request_body", OPTION_BYTES, LIMIT(max_body_bytes)},
    {"limit_request_trailers", OPTION_COUNT, LIMIT(max_trailer_bytes)},
    {"limit_chunk_extension", OPTION_COUNT, LIMIT(max_chunk_extension_bytes)},
    {"limit_chunk_extensions", OPTION_COUNT, LIMIT(max_chunk_extensions_bytes)},
    {"limit_min_rate", OPTION_COUNT, LIMIT(min_rate_bytes_per_s)},
    {"limit_pending_output", OPTION_COUNT, LIMIT(max_pending_bytes)},
    {"limit_pipelined", OPTION_COUNT, LIMIT(max_pipelined)},
    {"limit_connections", OPTION_COUNT, LIMIT(max_connections)},
    {"limit_connections_per_address", OPTION_COUNT, LIMIT(max_connections_per_address)},
    {"limit_requests_per_connection", OPTION_COUNT, LIMIT(max_requests_per_connection)},
    {"timeout_request_header", OPTION_SECONDS, LIMIT(header_timeout_ms)},
    {"timeout_request_body", OPTION_SECONDS, LIMIT(body_timeout_ms)},
    {"timeout_write", OPTION_SECONDS, LIMIT(write_timeout_ms)},
    {"timeout_keep_alive", OPTION_SECONDS, LIMIT(idle_timeout_ms)},
    {"ws", OPTION_BOOL, offsetof(Worker, ws)},
    {"ws_max_size", OPTION_BYTES, WEBSOCKET(max_message_bytes)},
    {"ws_max_queue", OPTION_COUNT, offsetof(Worker, ws_max_queue)},
    {"ws_max_fragments", OPTION_COUNT, WEBSOCKET(max_fragments)},
    {"ws_max_inflate_ratio", OPTION_COUNT, WEBSOCKET(inflate_ratio)},
    {"ws_ping_interval", OPTION_SECONDS, WEBSOCKET(ping_interval_ms)},
    {"ws_ping_timeout", OPTION_SECONDS, WEBSOCKET(ping_timeout_ms)},
    {"ws_close_timeout", OPTION_SECONDS, WEBSOCKET(close_timeout_ms)},
    {"ws_per_message_deflate", OPTION_BOOL, WEBSOCKET(deflate)},
    {"drain_grace", OPTION_SECONDS, LIMIT(drain_grace_ms)},
};

enum { OPTIONS = sizeof(options) / sizeof(options[0]) };

static void *
field(Worker *worker, const option *o)
{
    return (char *)worker + o->offset;
}

static bool
is_object(const option *o)
{
    return o->kind >= OPTION_STR;
}

static int
wrong_type(const option *o, const char *wanted, PyObject *value)
{
    PyErr_Format(PyExc_TypeError, "%s must be %s, not %.100s", o->name, wanted,
                 Py_TYPE(value)->tp_name);
    return -1;
}

static int
take_seconds(uint32_t *out, const option *o, PyObject *value)
{
    double seconds = value == Py_None ? 0 : PyFloat_AsDouble(value);

    if (seconds == -1 && PyErr_Occurred())
        return -1;
    if (!(seconds >= 0 && seconds <= UINT32_MAX / 1000)) {
        PyErr_Format(PyExc_ValueError, "%s must be from 0 to %u seconds", o->name,
                     (unsigned)(UINT32_MAX / 1000));
        return -1;
    }
    *out = (uint32_t)(seconds * 1000 + 0.5);
    return 0;
}

static int
take_number(void *out, const option *o, PyObject *value)
{
    unsigned long long n;

    if (value == Py_None && o->kind == OPTION_BYTES) {
        *(uint64_t *)out = INT64_MAX;
        return 0;
    }
    n = PyLong_AsUnsignedLongLong(value);
    if (n == (unsigned long long)-1 && PyErr_Occurred())
        return -1;
    if (o->kind == OPTION_BYTES) {
        *(uint64_t *)out = n;
        return 0;
    }
    if (n > UINT32_MAX) {
        PyErr_Format(PyExc_OverflowError, "%s is too large", o->name);
        return -1;
    }
    *(uint32_t *)out = (uint32_t)n;
    return 0;
}

static int
take(Worker *worker, const option *o, PyObject *value)
{
    void *out = field(worker, o);
    int truth;

    switch (o->kind) {
    case OPTION_BOOL:
        truth = PyObject_IsTrue(value);
        *(bool *)out = truth > 0;
        return truth < 0 ? -1 : 0;
    case OPTION_COUNT:
    case OPTION_BYTES: return take_number(out, o, value);
    case OPTION_SECONDS: return take_seconds(out, o, value);
    case OPTION_STR:
        if (!PyUnicode_Check(value))
            return wrong_type(o, "a str", value);
        break;
    case OPTION_DICT:
        if (!PyDict_Check(value))
            return wrong_type(o, "a dict", value);
        break;
    case OPTION_OBJECT: break;
    }
    Py_XSETREF(*(PyObject **)out, Py_NewRef(value));
    return 0;
}

static const option *
option_named(const char *name)
{
    for (size_t i = 0; i < OPTIONS; ++i) {
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    }
    PyErr_Format(PyExc_TypeError, "Worker() has no option '%s'", name);
    return NULL;
}

static int
take_defaults(Worker *worker)
{
    fa_server_options_init(&worker->options);
    fa_websocket_options_init(&worker->websocket);
    worker->ws = true;
    worker->ws_max_queue = 32;
    worker->options.keep_alive_1_0 = false; /* as uvicorn */
    worker->options.on_refusal = refusal_answer;
    worker->options.refusal_user_data = worker;
    worker->options.limits.max_body_bytes = INT64_MAX; /* the application's business */
    for (size_t i = 0; i < OPTIONS; ++i) {
        if (is_object(&options[i]))
            Py_XSETREF(*(PyObject **)field(worker, &options[i]), Py_NewRef(Py_None));
    }
    Py_XSETREF(worker->headers, PyTuple_New(0));
    Py_XSETREF(worker->extensions, PyTuple_New(0));
    Py_XSETREF(worker->state, PyDict_New());
    Py_XSETREF(worker->root_path, PyUnicode_FromString(""));
    Py_XSETREF(worker->server_header, PyUnicode_FromString("fasterapi"));
    Py_XSETREF(worker->asgi_version, PyUnicode_FromString("3.0"));
    return worker->headers != NULL && worker->extensions != NULL &&
                   worker->state != NULL && worker->root_path != NULL &&
                   worker->server_header != NULL && worker->asgi_version != NULL
               ? 0
               : -1;
}

/* What is kept in another form than it was given. */
static int
derive(Worker *worker)
{
    const char *name = PyUnicode_AsUTF8(worker->server_header);

    Py_XSETREF(worker->root_path_bytes, PyUnicode_AsASCIIString(worker->root_path));
    if (name == NULL || worker->root_path_bytes == NULL)
        return -1;
    worker->options.server_header = fa_slice_of(name);
    return forwarded_check(worker) == 0 ? extension_take(worker) : -1;
}

int
worker_take_options(Worker *worker, PyObject *keywords)
{
    PyObject *key, *value;
    Py_ssize_t at = 0;

    if (take_defaults(worker) < 0)
        return -1;
    while (keywords != NULL && PyDict_Next(keywords, &at, &key, &value)) {
        const char *name = PyUnicode_AsUTF8(key);
        const option *o = name != NULL ? option_named(name) : NULL;

        if (o == NULL || take(worker, o, value) < 0)
            return -1;
    }
    return derive(worker);
}

int
worker_visit_options(Worker *worker, visitproc visit, void *arg)
{
    for (size_t i = 0; i < OPTIONS; ++i) {
        if (is_object(&options[i]))
            Py_VISIT(*(PyObject **)field(worker, &options[i]));
    }
    return 0;
}

void
worker_clear_options(Worker *worker)
{
    for (size_t i = 0; i < OPTIONS; ++i) {
        if (is_object(&options[i]))
            Py_CLEAR(*(PyObject **)field(worker, &options[i]));
    }
    Py_CLEAR(worker->root_path_bytes);
}
