/* The access log. Where logging is set up as it is by default, and only there, lines are
   made here, byte for byte the same, and given to the stream of the one handler: not to
   its descriptor, so that they keep their place among what else is written to that
   stream. It is flushed once for all requests of a round of poll(). */
#include "core.h"

enum { LINE_BYTES = 2048 };

typedef struct line {
    char text[LINE_BYTES];
    size_t len;
    bool odd; /* something that only logging itself can write */
} line;

static void
put(line *l, const char *p, size_t n)
{
    if (n > sizeof(l->text) - l->len) {
        l->odd = true;
        return;
    }
    memcpy(l->text + l->len, p, n);
    l->len += n;
}

static void
put_literal(line *l, const char *text)
{
    put(l, text, strlen(text));
}

static void
put_ascii(line *l, PyObject *text)
{
    if (text == NULL || !PyUnicode_CheckExact(text) || !PyUnicode_IS_ASCII(text))
        l->odd = true;
    else
        put(l, PyUnicode_DATA(text), (size_t)PyUnicode_GET_LENGTH(text));
}

static bool
is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '/' || c == '_' || c == '.' || c == '-' || c == '~';
}

/* As urllib.parse.quote(). */
static void
put_quoted(line *l, PyObject *path)
{
    static const char hex[] = "0123456789ABCDEF";
    Py_ssize_t n = 0;
    const char *p = path != NULL && PyUnicode_CheckExact(path)
                        ? PyUnicode_AsUTF8AndSize(path, &n)
                        : NULL;

    if (p == NULL) {
        PyErr_Clear(); /* surrogates: logging will say so */
        l->odd = true;
    }
    for (Py_ssize_t i = 0; i < n && !l->odd; ++i) {
        unsigned char c = (unsigned char)p[i];
        char coded[3] = {'%', hex[c >> 4], hex[c & 15]};

        put(l, is_unreserved(c) ? p + i : coded, is_unreserved(c) ? 1 : 3);
    }
}

static void
put_query(line *l, PyObject *query)
{
    if (query == NULL || !PyBytes_CheckExact(query)) {
        l->odd = true;
        return;
    }
    if (PyBytes_GET_SIZE(query) == 0)
        return;
    put_literal(l, "?");
    for (Py_ssize_t i = 0; i < PyBytes_GET_SIZE(query); ++i) {
        if ((unsigned char)PyBytes_AS_STRING(query)[i] >= 0x80)
            l->odd = true;
    }
    put(l, PyBytes_AS_STRING(query), (size_t)PyBytes_GET_SIZE(query));
}

static void
put_client(line *l, PyObject *client)
{
    char port[24];
    long number;

    if (client == NULL || client == Py_None)
        return;
    if (!PyTuple_CheckExact(client) || PyTuple_GET_SIZE(client) != 2 ||
        !PyLong_CheckExact(PyTuple_GET_ITEM(client, 1))) {
        l->odd = true;
        return;
    }
    number = PyLong_AsLong(PyTuple_GET_ITEM(client, 1));
    if (number == -1 && PyErr_Occurred()) {
        PyErr_Clear();
        l->odd = true;
    }
    put_ascii(l, PyTuple_GET_ITEM(client, 0));
    put(l, port, (size_t)snprintf(port, sizeof(port), ":%ld", number));
}

/* "200 OK", as the running Python has it: asked for once. */
static void
put_status(line *l, Worker *worker, PyObject *status)
{
    PyObject *text = NULL;

    if (PyLong_CheckExact(status))
        text = PyDict_GetItemWithError(worker->status_texts, status);
    if (text == NULL && !PyErr_Occurred() && PyLong_CheckExact(status)) {
        long number = PyLong_AsLong(status);

        if (number >= 100 && number <= 999) {
            text = PyObject_CallOneArg(worker->status_text, status);
            if (text != NULL && PyDict_SetItem(worker->status_texts, status, text) == 0)
                Py_DECREF(text); /* the dict has it */
            else
                Py_CLEAR(text);
        }
    }
    if (PyErr_Occurred())
        PyErr_Clear(); /* then logging itself raises it */
    put_ascii(l, text);
}

static PyObject *
line_of(Worker *worker, PyObject *scope, PyObject *status)
{
    core_state *core = worker->core;
    line l;

    l.len = 0;
    l.odd = !PyDict_CheckExact(scope);
    if (l.odd)
        return NULL;
    put_literal(&l, "INFO:     ");
    put_client(&l, PyDict_GetItemWithError(scope, core->str_client));
    put_literal(&l, " - \"");
    put_ascii(&l, PyDict_GetItemWithError(scope, core->str_method));
    put_literal(&l, " ");
    put_quoted(&l, PyDict_GetItemWithError(scope, core->str_path));
    put_query(&l, PyDict_GetItemWithError(scope, core->str_query_string));
    put_literal(&l, " HTTP/");
    put_ascii(&l, PyDict_GetItemWithError(scope, core->str_http_version));
    put_literal(&l, "\" ");
    put_status(&l, worker, status);
    put_literal(&l, "\n");
    if (PyErr_Occurred())
        PyErr_Clear(); /* a key of the scope that cannot be compared */
    return l.odd ? NULL : PyUnicode_DecodeASCII(l.text, (Py_ssize_t)l.len, NULL);
}

/* Where lines go; borrowed. A set-up may change at any time, so it is asked for in each
   round of poll(), and outside of them for each line. */
static PyObject *
current_stream(Worker *worker)
{
    if (worker->log_stream == NULL) {
        worker->log_stream = PyObject_CallNoArgs(worker->access_stream);
        if (worker->log_stream == NULL)
            PyErr_WriteUnraisable(worker->access_stream);
    }
    return worker->log_stream;
}

/* Writes the line to the stream. False: logging has to do it. */
static bool
write_line(Worker *worker, PyObject *scope, PyObject *status)
{
    PyObject *text = NULL, *res = NULL, *stream;

    if (worker->access_stream == Py_None)
        return false;
    stream = Py_XNewRef(current_stream(worker));
    if (stream != NULL && stream != Py_None)
        text = line_of(worker, scope, status);
    if (text != NULL)
        res = PyObject_CallMethodOneArg(stream, worker->core->str_write, text);
    if (res == NULL)
        PyErr_Clear(); /* the handler will meet it too, and tell as it does */
    else
        worker->log_unflushed = true;
    Py_XDECREF(stream);
    Py_XDECREF(text);
    Py_XDECREF(res);
    return res != NULL;
}

void
access_log(Worker *worker, PyObject *scope, PyObject *status)
{
    PyObject *args[3] = {scope, status, NULL}, *logged;

    if (worker->on_access == Py_None)
        return;
    if (!write_line(worker, scope, status)) {
        logged = PyObject_Vectorcall(worker->on_access, args, 2, NULL);
        if (logged == NULL)
            PyErr_WriteUnraisable(worker->on_access);
        Py_XDECREF(logged);
    }
    if (!worker->polling)
        access_log_end(worker);
}

void
access_log_flush(Worker *worker)
{
    PyObject *type, *value, *traceback, *res;

    if (!worker->log_unflushed)
        return;
    worker->log_unflushed = false;
    PyErr_Fetch(&type, &value, &traceback);
    res = PyObject_CallMethodNoArgs(worker->log_stream, worker->core->str_flush);
    if (res == NULL)
        PyErr_WriteUnraisable(worker->log_stream);
    Py_XDECREF(res);
    PyErr_Restore(type, value, traceback);
}

void
access_log_end(Worker *worker)
{
    access_log_flush(worker);
    Py_CLEAR(worker->log_stream);
}
