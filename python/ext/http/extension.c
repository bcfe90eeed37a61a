/* Extensions of ASGI: messages of http.response that uvicorn does not know. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/cycle.h"
#include "http/message.h"

typedef int send_fn(Cycle *self, PyObject *message);

/* Both ways of giving a file end here. */
static int
send_file(Cycle *self, int fd, int64_t offset, int64_t count)
{
    int rv = fa_response_send_file(self->req, fd, offset, count);

    if (rv == FA_ERR_FULL) {
        self->full = true;
        self->sending_file = true;
        return 0;
    }
    if (rv == FA_ERR_SYSTEM) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    if (rv == FA_ERR_INVALID) {
        PyErr_SetString(PyExc_RuntimeError,
                        "The file cannot be sent, or is not as long as announced");
        return -1;
    }
    return rv == 0 || rv == FA_ERR_CLOSED ? 0 : message_raise(rv);
}

/* A regular file, whose descriptor it returns. Nothing else: opening a pipe or a device
   may block, or have effects. */
static int
open_regular(PyObject *path, PyObject *encoded)
{
    int fd = open(PyBytes_AS_STRING(encoded), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    if (fd < 0) {
        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
        return -1;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        PyErr_Format(PyExc_RuntimeError, "File at path %S is not a file.", path);
        close(fd);
        return -1;
    }
    return fd;
}

/* The whole file is the whole body. */
static int
send_path(Cycle *self, PyObject *message)
{
    PyObject *path = message_item(message, self->worker->core->str_path), *encoded;
    int fd, rv;

    if (path == NULL || !PyUnicode_FSConverter(path, &encoded))
        return -1;
    fd = open_regular(path, encoded);
    Py_DECREF(encoded);
    if (fd < 0)
        return -1;
    rv = self->req != NULL ? send_file(self, fd, 0, -1) : 0;
    close(fd);
    return rv == 0 ? cycle_end_body(self) : -1;
}

/* A number from 0 on, -1 where there is none; -2 with an exception. */
static int64_t
number(PyObject *message, PyObject *key)
{
    PyObject *value = PyDict_GetItemWithError(message, key);
    long long n;

    if (value == NULL || value == Py_None)
        return PyErr_Occurred() ? -2 : -1;
    n = PyLong_AsLongLong(value);
    if (n < 0 && !PyErr_Occurred())
        PyErr_Format(PyExc_ValueError, "%U must not be negative", key);
    return n < 0 ? -2 : n;
}

static int
send_zero_copy(Cycle *self, PyObject *message)
{
    core_state *core = self->worker->core;
    PyObject *file = message_item(message, core->str_file), *more;
    int64_t offset = file != NULL ? number(message, core->str_offset) : -2;
    int64_t count = offset != -2 ? number(message, core->str_count) : -2;
    int fd = count != -2 ? PyObject_AsFileDescriptor(file) : -1, is_more;

    if (fd < 0)
        return -1;
    more = PyDict_GetItemWithError(message, core->str_more_body);
    is_more = more != NULL ? PyObject_IsTrue(more) : 0;
    if (is_more < 0 || PyErr_Occurred())
        return -1;
    if (self->req != NULL && send_file(self, fd, offset, count) < 0)
        return -1;
    return is_more ? 0 : cycle_end_body(self);
}

static int
send_trailers(Cycle *self, PyObject *message)
{
    core_state *core = self->worker->core;
    PyObject *headers = message_item(message, core->str_headers), *more;
    message_fields fields;
    int is_more, rv = 0;

    if (headers == NULL)
        return -1;
    more = PyDict_GetItemWithError(message, core->str_more_trailers);
    is_more = more != NULL ? PyObject_IsTrue(more) : 0;
    if (is_more < 0 || PyErr_Occurred() || message_fields_init(&fields, headers, 0) < 0)
        return -1;
    for (size_t i = 0; rv == 0 && i < fields.count && self->req != NULL; ++i)
        rv = fa_response_trailer(self->req, fields.at[i].name, fields.at[i].value);
    message_fields_free(&fields);
    if (rv != 0 && rv != FA_ERR_CLOSED)
        return message_raise(rv);
    if (is_more)
        return 0;
    self->trailers = false; /* they were what the answer waited for */
    return cycle_end_body(self);
}

/* 103 (RFC 8297) with a Link for each. */
static int
send_early_hint(Cycle *self, PyObject *message)
{
    core_state *core = self->worker->core;
    PyObject *links = message_item(message, core->str_links), *list;
    PyObject *pairs = NULL, *name = NULL;
    message_fields fields;
    int rv = -1;

    list = links != NULL ? PySequence_Fast(links, "links must be iterable") : NULL;
    if (list == NULL)
        return -1;
    pairs = PyList_New(0);
    name = PyBytes_FromString("link");
    for (Py_ssize_t i = 0;
         name != NULL && pairs != NULL && i < PySequence_Fast_GET_SIZE(list); ++i) {
        PyObject *pair = PyTuple_Pack(2, name, PySequence_Fast_GET_ITEM(list, i));

        if (pair == NULL || PyList_Append(pairs, pair) < 0)
            Py_CLEAR(pairs);
        Py_XDECREF(pair);
    }
    if (name != NULL && pairs != NULL && message_fields_init(&fields, pairs, 0) == 0) {
        rv = self->req != NULL
                 ? fa_response_interim_fields(self->req, 103, fields.at, fields.count)
                 : 0;
        message_fields_free(&fields);
        rv = rv == 0 || rv == FA_ERR_CLOSED ? 0 : message_raise(rv);
    }
    Py_XDECREF(name);
    Py_XDECREF(pairs);
    Py_DECREF(list);
    return rv;
}

/* ---- which there are ---- */

typedef enum phase {
    BEFORE,  /* http.response.start */
    BODY,    /* between that and the end of the body */
    TRAILERS /* behind the body, if they were announced */
} phase;

static const struct extension {
    const char *name; /* the type of the message as well */
    phase phase;
    send_fn *send;
} extensions[] = {
    {"http.response.early_hint", BEFORE, send_early_hint},
    {"http.response.pathsend", BODY, send_path},
    {"http.response.zerocopysend", BODY, send_zero_copy},
    {"http.response.trailers", TRAILERS, send_trailers},
};

enum { EXTENSIONS = sizeof(extensions) / sizeof(extensions[0]) };

static phase
phase_of(const Cycle *self)
{
    if (!self->started)
        return BEFORE;
    return self->body_ended ? TRAILERS : BODY;
}

int
extension_send(Cycle *self, PyObject *type, PyObject *message)
{
    for (size_t i = 0; i < EXTENSIONS && PyUnicode_Check(type); ++i) {
        if ((self->worker->extension_mask & 1u << i) != 0 &&
            extensions[i].phase == phase_of(self) &&
            PyUnicode_CompareWithASCIIString(type, extensions[i].name) == 0)
            return extensions[i].send(self, message) < 0 ? -1 : 1;
    }
    return 0;
}

bool
extension_has_trailers(const Worker *worker)
{
    return (worker->extension_mask & 1u << (EXTENSIONS - 1)) != 0;
}

PyObject *
extension_scope(Worker *worker)
{
    PyObject *dict = PyDict_New();

    for (size_t i = 0; dict != NULL && i < EXTENSIONS; ++i) {
        PyObject *none;

        if ((worker->extension_mask & 1u << i) == 0)
            continue;
        none = PyDict_New();
        if (none == NULL || PyDict_SetItemString(dict, extensions[i].name, none) < 0)
            Py_CLEAR(dict);
        Py_XDECREF(none);
    }
    return dict;
}

static int
take_name(Worker *worker, PyObject *name)
{
    for (size_t i = 0; i < EXTENSIONS; ++i) {
        if (PyUnicode_Check(name) &&
            PyUnicode_CompareWithASCIIString(name, extensions[i].name) == 0) {
            worker->extension_mask |= 1u << i;
            return 0;
        }
    }
    PyErr_Format(PyExc_ValueError, "there is no extension %R", name);
    return -1;
}

int
extension_take(Worker *worker)
{
    PyObject *list =
        PySequence_Fast(worker->extensions, "extensions must be a sequence of names");
    int rv = list != NULL ? 0 : -1;

    worker->extension_mask = 0;
    for (Py_ssize_t i = 0; rv == 0 && i < PySequence_Fast_GET_SIZE(list); ++i)
        rv = take_name(worker, PySequence_Fast_GET_ITEM(list, i));
    Py_XDECREF(list);
    return rv;
}
