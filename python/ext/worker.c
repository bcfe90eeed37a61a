/* A worker of the server in a running asyncio loop, as Python sees it. */
#include "http/message.h"
#include "plan/plan.h"
#include "threads/threads.h"

void
worker_report(Worker *worker, const char *message, PyObject *error)
{
    PyObject *res;

    carrier_leave(worker);
    access_log_flush(worker);
    if (worker->on_error == Py_None)
        return;
    res = PyObject_CallFunction(worker->on_error, "sO", message,
                                error != NULL ? error : Py_None);
    if (res == NULL)
        PyErr_WriteUnraisable(worker->on_error);
    Py_XDECREF(res);
}

void
worker_warn(Worker *worker, const char *message)
{
    PyObject *res;

    carrier_leave(worker);
    access_log_flush(worker);
    if (worker->on_warning == Py_None)
        return;
    res = PyObject_CallFunction(worker->on_warning, "s", message);
    if (res == NULL)
        PyErr_WriteUnraisable(worker->on_warning);
    Py_XDECREF(res);
}

/* An fa_log_fn: what the server logs by itself, failing accept() and the like. */
static void
on_log(void *ctx, const fa_log_record *record)
{
    Worker *worker = ctx;
    PyObject *text = PyUnicode_DecodeUTF8(record->message.p,
                                          (Py_ssize_t)record->message.len, "replace");
    const char *utf8 = text != NULL ? PyUnicode_AsUTF8(text) : NULL;

    if (utf8 == NULL)
        PyErr_WriteUnraisable((PyObject *)worker);
    else if (record->level >= FA_LOG_ERROR)
        worker_report(worker, utf8, NULL);
    else
        worker_warn(worker, utf8);
    Py_XDECREF(text);
}

static int
raise_fa(int rv)
{
    if (rv == FA_ERR_NOMEM)
        PyErr_NoMemory();
    else if (rv == FA_ERR_SYSTEM)
        PyErr_SetFromErrno(PyExc_OSError);
    else
        PyErr_SetString(PyExc_ValueError, fa_strerror(rv));
    return -1;
}

static int
make_worker(Worker *self)
{
    const fa_route all = {
        .handler = plan_on_miss,
        .user_data = self,
        .stream_body = true,
        .whole_if_there = true,
        .any_method = true,
    };
    const fa_log_options logging = {.level = FA_LOG_WARNING, .fn = on_log, .ctx = self};
    message_fields fields;
    int rv = fa_logger_new(&self->logger, &logging);

    if (rv != 0)
        return raise_fa(rv);
    self->options.logger = self->logger;
    self->app = fa_app_new(NULL);
    if (self->app == NULL)
        return raise_fa(FA_ERR_NOMEM);
    if (message_fields_init(&fields, self->headers, 0) < 0)
        return -1;
    self->options.fields = fields.at;
    self->options.field_count = fields.count;
    rv = fa_app_fallback(self->app, &all);
    if (rv == 0 && plan_add_routes(self) == 0)
        rv = fa_worker_new(&self->worker, self->app, &self->options);
    message_fields_free(&fields);
    if (rv != 0)
        return raise_fa(rv);
    return self->worker != NULL ? 0 : -1;
}

static int
worker_init(PyObject *op, PyObject *args, PyObject *options)
{
    Worker *self = (Worker *)op;
    PyObject *asgi, *loop;

    if (self->core != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "already initialised");
        return -1;
    }
    if (!PyArg_ParseTuple(args, "OO:Worker", &asgi, &loop))
        return -1;
    self->core = core_of_type(Py_TYPE(op));
    Py_XSETREF(self->asgi, Py_NewRef(asgi));
    Py_XSETREF(self->loop, Py_NewRef(loop));
    Py_XSETREF(self->context, PyContext_CopyCurrent());
    Py_XSETREF(self->status_texts, PyDict_New());
    if (self->context == NULL || self->status_texts == NULL ||
        worker_take_options(self, options) < 0 || scope_cache_init(self) < 0)
        return -1;
    return make_worker(self);
}

/* The worker, or NULL with an exception after close(). */
static fa_worker *
opened(PyObject *op)
{
    fa_worker *worker = ((Worker *)op)->worker;

    if (worker == NULL)
        PyErr_SetString(PyExc_ValueError, "the worker is closed");
    return worker;
}

static PyObject *
worker_listen(PyObject *op, PyObject *arg)
{
    fa_worker *worker = opened(op);
    int fd = worker != NULL ? PyObject_AsFileDescriptor(arg) : -1, rv;

    if (fd < 0)
        return NULL;
    rv = fa_worker_listen_fd(worker, fd);
    if (rv != 0 && raise_fa(rv) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
worker_adopt(PyObject *op, PyObject *arg)
{
    fa_worker *worker = opened(op);
    int fd = worker != NULL ? PyObject_AsFileDescriptor(arg) : -1, rv;

    if (fd < 0)
        return NULL;
    rv = fa_worker_adopt(worker, fd);
    if (rv != 0 && raise_fa(rv) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
worker_fileno(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    fa_worker *worker = opened(op);

    return worker != NULL ? PyLong_FromLong(fa_worker_fd(worker)) : NULL;
}

/* During a poll no thread is woken: it could not run before its end. */
static void
hold_threads(Worker *self, bool held)
{
    Threads *threads = self->threads != NULL ? worker_threads(self) : NULL;

    if (threads != NULL && held)
        threads->held = true;
    else if (threads != NULL)
        threads_go(threads);
}

static void
stop_threads(Worker *self)
{
    Threads *threads = self->threads != NULL ? worker_threads(self) : NULL;

    if (threads != NULL)
        threads_stop(threads);
}

/* One round at a time: between rounds an answer may reach its client, and what the
   application changed before it has to count for the next request. No other round once a
   request waits for the loop: thousands that came at once would all begin before the
   first of them can go on, and each has objects that the garbage collector visits. */
static PyObject *
worker_poll(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    enum { ROUNDS = 4 };
    Worker *self = (Worker *)op;
    fa_worker *worker = opened(op);
    int worked = 0, rv = 1;

    if (worker == NULL)
        return NULL;
    hold_threads(self, true);
    self->loop_wanted = false;
    for (int i = 0; i < ROUNDS && rv > 0 && self->worker == worker && !self->loop_wanted;
         ++i) {
        ++self->polls;
        self->polling = true;
        rv = fa_worker_poll(worker, 0, 1);
        self->polling = false;
        carrier_leave(self);
        access_log_end(self);
        worked |= rv > 0;
    }
    late_wake_all(self);
    hold_threads(self, false);
    if (rv < 0 && raise_fa(rv) < 0)
        return NULL;
    return PyBool_FromLong(worked);
}

static PyObject *
worker_drain(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    fa_worker *worker = opened(op);

    if (worker == NULL)
        return NULL;
    websocket_drain_all((Worker *)op);
    fa_worker_drain(worker);
    Py_RETURN_NONE;
}

static PyObject *
worker_close(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Worker *self = (Worker *)op;
    fa_worker *worker = self->worker;

    if (worker == NULL)
        Py_RETURN_NONE; /* never opened, or closed before */
    self->worker = NULL;
    fa_worker_del(worker);
    late_wake_all(self); /* there will be no poll() any more */
    run_free_spare(self);
    carrier_retire_all(self);
    stop_threads(self);
    Py_RETURN_NONE;
}

static PyObject *
worker_connections(PyObject *op, void *Py_UNUSED(closure))
{
    fa_worker *worker = ((Worker *)op)->worker;

    return PyLong_FromSize_t(worker != NULL ? fa_worker_connections(worker) : 0);
}

static PyObject *
worker_counters(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    fa_worker *worker = opened(op);
    fa_counters c;

    if (worker == NULL)
        return NULL;
    fa_worker_counters(worker, &c);
    return Py_BuildValue(
        "{s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K}", "connections",
        (unsigned long long)c.connections, "connections_open",
        (unsigned long long)c.connections_open, "connections_shed",
        (unsigned long long)c.connections_shed, "requests",
        (unsigned long long)c.requests, "active", (unsigned long long)c.active,
        "malformed", (unsigned long long)c.malformed, "bytes_in",
        (unsigned long long)c.bytes_in, "bytes_out", (unsigned long long)c.bytes_out,
        "through_asgi", ((Worker *)op)->through_asgi);
}

static int
worker_traverse(PyObject *op, visitproc visit, void *arg)
{
    Worker *self = (Worker *)op;
    int rv = carrier_visit_busy(self, visit, arg);

    if (rv != 0)
        return rv;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->asgi);
    Py_VISIT(self->loop);
    Py_VISIT(self->context);
    Py_VISIT((PyObject *)self->idle);
    Py_VISIT(self->log_stream);
    Py_VISIT(self->status_texts);
    Py_VISIT(self->threads);
    return worker_visit_options(self, visit, arg);
}

static int
worker_clear(PyObject *op)
{
    Worker *self = (Worker *)op;

    Py_CLEAR(self->asgi);
    Py_CLEAR(self->loop);
    Py_CLEAR(self->context);
    carrier_drop_all(self);
    Py_CLEAR(self->log_stream);
    Py_CLEAR(self->status_texts);
    stop_threads(self);
    Py_CLEAR(self->threads);
    worker_clear_options(self);
    scope_cache_clear(&self->scopes);
    return 0;
}

static void
worker_dealloc(PyObject *op)
{
    Worker *self = (Worker *)op;
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    fa_worker_del(self->worker);
    fa_logger_del(self->logger);
    fa_app_del(self->app);
    plan_free_routes(self);
    run_free_spare(self);
    json_text_free(&self->text);
    (void)worker_clear(op);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef worker_methods[] = {
    {"listen", worker_listen, METH_O, PyDoc_STR("Accepts from a listening socket.")},
    {"adopt", worker_adopt, METH_O,
     PyDoc_STR("Serves a connected socket, whose descriptor is taken over.")},
    {"fileno", worker_fileno, METH_NOARGS,
     PyDoc_STR("Readable when poll() has something to do.")},
    {"poll", worker_poll, METH_NOARGS, PyDoc_STR("Does what is due, without waiting.")},
    {"drain", worker_drain, METH_NOARGS,
     PyDoc_STR("Accepts no more; connections close as they fall idle.")},
    {"close", worker_close, METH_NOARGS, PyDoc_STR("Breaks off what is left.")},
    {"counters", worker_counters, METH_NOARGS, PyDoc_STR("Totals since the start.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef worker_getset[] = {
    {"connections", worker_connections, NULL, PyDoc_STR("Connections open."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot worker_slots[] = {
    {Py_tp_doc, "The native server, in a running asyncio loop."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, worker_init},
    {Py_tp_traverse, worker_traverse},
    {Py_tp_clear, worker_clear},
    {Py_tp_dealloc, worker_dealloc},
    {Py_tp_methods, worker_methods},
    {Py_tp_getset, worker_getset},
    {0, NULL},
};

PyType_Spec worker_spec = {
    .name = "fasterapi._core.Worker",
    .basicsize = sizeof(Worker),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = worker_slots,
};
