/* One request from its beginning to its end. */
#include "http/cycle.h"

#include "carrier/application.h"

static void
on_drain(fa_request *Py_UNUSED(req), void *user_data)
{
    Cycle *self = user_data;

    Py_INCREF((PyObject *)self); /* the end may be the last of it */
    if (self->sending_file) {
        self->sending_file = false;
        if (self->body_ended && cycle_end_body(self) < 0) {
            PyErr_Clear(); /* raised by the send() that waits */
            self->too_short = true;
        }
    }
    cycle_wake_sender(self, waiters_go_on);
    Py_DECREF((PyObject *)self);
}

/* The last that the server has to say: the client may be gone, or there was no memory to
   wait for the answer, and the server gave its own. */
static void
on_finish(fa_request *Py_UNUSED(req), int Py_UNUSED(error), void *user_data)
{
    Cycle *self = user_data;

    self->req = NULL;
    if (!self->complete)
        self->disconnected = true;
    if (self->deferred != NULL) {
        fa_deferred_release(self->deferred);
        self->deferred = NULL;
    }
    waiters_wake(&self->receivers, self->worker);
    cycle_wake_sender(self, waiters_wake);
    Py_DECREF((PyObject *)self); /* the server's */
}

/* ---- the end ---- */

static void
send_500(Cycle *self)
{
    PyObject *status;

    if (self->req == NULL || self->started)
        return;
    self->started = true;
    status = PyLong_FromLong(500);
    if (status != NULL)
        access_log(self->worker, self->scope, status);
    Py_XDECREF(status);
    if (self->req != NULL) {
        self->complete = true; /* before the server says that it has finished */
        (void)cycle_answer_text(self->req, 500, "Internal Server Error");
    }
}

/* The application has returned, or raised. */
bool
cycle_done(PyObject *owner, PyObject *result, PyObject *error,
           carrier_job *Py_UNUSED(next))
{
    Cycle *self = (Cycle *)owner;
    Worker *worker = self->worker;

    if (error != NULL) {
        worker_report(worker, "Exception in ASGI application\n", error);
        if (self->started && self->req != NULL && !self->complete)
            fa_response_abort(self->req);
        send_500(self);
    } else if (result != NULL && result != Py_None) {
        application_report_result(worker, result);
        if (self->req != NULL)
            fa_response_abort(self->req);
    } else if (!self->started && !self->disconnected) {
        worker_report(worker, "ASGI callable returned without starting response.", NULL);
        send_500(self);
    } else if (!self->complete && !self->disconnected &&
               !(self->body_ended && self->sending_file)) {
        worker_report(worker, "ASGI callable returned without completing response.",
                      NULL);
        if (self->req != NULL)
            fa_response_abort(self->req);
    }
    return false;
}

/* ---- the beginning ---- */

static Cycle *
cycle_new(Worker *worker, fa_request *req)
{
    PyTypeObject *type = worker->core->cycle_type;
    Cycle *self = (Cycle *)type->tp_alloc(type, 0);
    fa_slice body;

    if (self == NULL)
        return NULL;
    self->worker = (Worker *)Py_NewRef((PyObject *)worker);
    self->scope = scope_of_request(worker, req);
    self->more_body = !fa_request_body_whole(req);
    body = fa_request_body(req);
    if (body.len > 0) {
        self->body = PyBytes_FromStringAndSize(body.p, (Py_ssize_t)body.len);
        if (self->body == NULL)
            Py_CLEAR(self->scope);
    }
    if (self->scope == NULL)
        Py_CLEAR(self);
    return self;
}

static PyMethodDef receive_def = {"receive", cycle_receive, METH_NOARGS, NULL};
static PyMethodDef send_def = {"send", cycle_send, METH_O, NULL};

void
cycle_report_raised(Cycle *self)
{
    PyObject *error = application_take_error();

    (void)cycle_done((PyObject *)self, NULL, error, NULL);
    Py_DECREF(error);
}

/* The server holds a reference until on_finish. */
static void
attach(Cycle *self, fa_request *req)
{
    self->req = req;
    Py_INCREF((PyObject *)self);
    fa_request_on_finish(req, on_finish, self);
    fa_response_on_drain(req, on_drain, self);
}

void
cycle_defer(Cycle *self)
{
    if (self->complete || self->req == NULL || self->disconnected ||
        self->deferred != NULL)
        return;
    self->deferred = fa_request_defer(self->req);
}

int
cycle_on_request(fa_request *req, void *user_data)
{
    Worker *worker = user_data;
    Cycle *self;
    carrier_job job;

    carrier_leave(worker);
    ++worker->through_asgi;
    if (fa_request_is_websocket(req) && worker->ws)
        return websocket_on_request(worker, req);
    self = cycle_new(worker, req);
    if (self == NULL) {
        PyErr_WriteUnraisable((PyObject *)worker);
        return FA_ERR_NOMEM;
    }
    attach(self, req);
    job = (carrier_job){
        application_call(worker, self->scope, (PyObject *)self, &receive_def, &send_def),
        (PyObject *)self, cycle_done};
    if (job.coroutine == NULL || carrier_run(worker, &job) < 0)
        cycle_report_raised(self);
    cycle_defer(self);
    Py_DECREF((PyObject *)self);
    return 0;
}

Cycle *
cycle_take_over(Worker *worker, fa_request *req, fa_deferred *deferred, PyObject *scope)
{
    PyTypeObject *type = worker->core->cycle_type;
    Cycle *self;

    if (req != NULL) {
        self = cycle_new(worker, req);
        if (self == NULL)
            return NULL;
        attach(self, req);
        self->deferred = deferred;
        return self;
    }
    self = (Cycle *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->worker = (Worker *)Py_NewRef((PyObject *)worker);
    /* An answer that has been given needs no more than to know what it was. */
    self->scope = scope != NULL ? Py_NewRef(scope)
                                : Py_BuildValue("{sssssss[]}", "type", "http", "method",
                                                "GET", "path", "", "headers");
    self->disconnected = true;
    if (self->scope == NULL)
        Py_CLEAR(self);
    return self;
}

/* What who watches has made of `triple`, which is given up. */
static PyObject *
watched(const Cycle *self, PyObject *triple)
{
    PyObject *made = PyObject_CallMethod(self->worker->watch, "asgi", "O", triple);

    Py_DECREF(triple);
    if (made != NULL && !(PyTuple_Check(made) && PyTuple_GET_SIZE(made) == 3)) {
        PyErr_SetString(PyExc_TypeError, "asgi() must return three objects");
        Py_CLEAR(made);
    }
    return made;
}

PyObject *
cycle_triple(Cycle *self)
{
    PyObject *receive = PyCFunction_New(&receive_def, (PyObject *)self);
    PyObject *send = PyCFunction_New(&send_def, (PyObject *)self), *triple = NULL;

    if (receive != NULL && send != NULL)
        triple = PyTuple_Pack(3, self->scope, receive, send);
    Py_XDECREF(receive);
    Py_XDECREF(send);
    return triple != NULL && self->worker->watch != Py_None ? watched(self, triple)
                                                            : triple;
}

PyObject *
cycle_call(Cycle *self, PyObject *finish, PyObject *error, PyObject *result)
{
    PyObject *triple = cycle_triple(self), *coroutine;

    if (triple == NULL)
        return NULL;
    coroutine = PyObject_CallFunctionObjArgs(
        finish, PyTuple_GET_ITEM(triple, 0), PyTuple_GET_ITEM(triple, 1),
        PyTuple_GET_ITEM(triple, 2), error != NULL ? error : Py_None, result,
        self->started ? Py_True : Py_False, NULL);
    Py_DECREF(triple);
    return coroutine;
}

/* ---- the type ---- */

static int
cycle_traverse(PyObject *op, visitproc visit, void *arg)
{
    Cycle *self = (Cycle *)op;

    Py_VISIT(Py_TYPE(op));
    Py_VISIT((PyObject *)self->worker);
    Py_VISIT(self->scope);
    Py_VISIT(self->body);
    if (waiters_visit(&self->receivers, visit, arg) != 0)
        return 1;
    return waiters_visit(&self->senders, visit, arg);
}

static int
cycle_clear(PyObject *op)
{
    Cycle *self = (Cycle *)op;

    Py_CLEAR(self->scope);
    Py_CLEAR(self->body);
    waiters_clear(&self->receivers);
    waiters_clear(&self->senders);
    return 0;
}

static void
cycle_dealloc(PyObject *op)
{
    Cycle *self = (Cycle *)op;
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    (void)cycle_clear(op);
    if (self->deferred != NULL)
        fa_deferred_release(self->deferred);
    Py_CLEAR(self->worker);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyType_Slot cycle_slots[] = {
    {Py_tp_doc, "One HTTP request and its answer."},
    {Py_tp_traverse, cycle_traverse},
    {Py_tp_clear, cycle_clear},
    {Py_tp_dealloc, cycle_dealloc},
    {0, NULL},
};

PyType_Spec cycle_spec = {
    .name = "fasterapi._core.Cycle",
    .basicsize = sizeof(Cycle),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = cycle_slots,
};
