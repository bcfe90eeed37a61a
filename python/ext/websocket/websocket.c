/* One WebSocket from its handshake to its end. */
#include "websocket/websocket.h"

#include "carrier/application.h"
#include "http/message.h"

/* ---- the end of the connection ---- */

static void
wake_all(WebSocket *self)
{
    waiters_wake(&self->receivers, self->worker);
    waiters_wake(&self->senders, self->worker);
}

void
websocket_lose(WebSocket *self)
{
    self->over = self->lost = true;
    wake_all(self);
}

static void lose_later(WebSocket *self);

/* In the first turn a task may only begin to await what has happened already. */
static PyObject *
lose(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    WebSocket *self = (WebSocket *)op;

    if (self->ending) {
        websocket_lose(self);
    } else {
        self->ending = true;
        lose_later(self);
    }
    Py_RETURN_NONE;
}

static PyMethodDef lose_def = {"lose", lose, METH_NOARGS, NULL};

static void
lose_later(WebSocket *self)
{
    Worker *worker = self->worker;
    PyObject *later, *handle = NULL;

    later = PyCFunction_New(&lose_def, (PyObject *)self);
    if (later != NULL)
        handle =
            PyObject_CallMethodOneArg(worker->loop, worker->core->str_call_soon, later);
    if (handle == NULL) {
        PyErr_Clear(); /* the loop is closed: there are no turns to wait for */
        websocket_lose(self);
    }
    Py_XDECREF(handle);
    Py_XDECREF(later);
}

void
websocket_end(WebSocket *self)
{
    self->over = true;
    wake_all(self);
    lose_later(self);
}

static void
on_drain(fa_request *Py_UNUSED(req), void *user_data)
{
    WebSocket *self = user_data;

    self->full = false;
    waiters_go_on(&self->senders, self->worker);
}

/* The handshake is answered, or the client has gone before. */
static void
on_finish(fa_request *Py_UNUSED(req), int Py_UNUSED(error), void *user_data)
{
    WebSocket *self = user_data;

    self->req = NULL;
    websocket_answered(self);
    if (self->deferred != NULL) {
        fa_deferred_release(self->deferred);
        self->deferred = NULL;
    }
    if (self->state == WEBSOCKET_CLOSED)
        websocket_end(self);
    else if (self->state != WEBSOCKET_OPEN)
        websocket_lose(self);
    Py_DECREF((PyObject *)self); /* the request's */
}

void
websocket_drain_all(Worker *worker)
{
    while (worker->handshakes != NULL) {
        WebSocket *self = worker->handshakes;

        websocket_answered(self);
        if (self->state == WEBSOCKET_ASKED)
            websocket_reject(self, 500, FA_SLICE("Internal Server Error"));
        else if (self->req != NULL)
            fa_response_abort(self->req);
    }
}

/* ---- the end of the application ---- */

/* The client is told how it ended: uvicorn just closes the connection. */
static void
finish(WebSocket *self, uint16_t code)
{
    if (self->state == WEBSOCKET_DENYING && self->req != NULL)
        fa_response_abort(self->req);
    if (self->state != WEBSOCKET_OPEN)
        return;
    self->state = WEBSOCKET_CLOSED;
    websocket_queue_clear(&self->queue); /* nobody is left to receive it */
    if (self->ws == NULL)
        return;
    (void)fa_websocket_close(self->ws, code, (fa_slice){"", 0});
    if (self->paused && self->ws != NULL)
        fa_websocket_resume(self->ws);
}

static bool
on_done(PyObject *owner, PyObject *result, PyObject *error, carrier_job *Py_UNUSED(next))
{
    WebSocket *self = (WebSocket *)owner;
    Worker *worker = self->worker;
    bool failed = false;

    if (error != NULL &&
        PyErr_GivenExceptionMatches(error, worker->core->client_disconnected)) {
        /* That is how most applications learn of it. */
    } else if (error != NULL) {
        failed = true;
        worker_report(worker, "Exception in ASGI application\n", error);
    } else if (!self->shaken && self->state != WEBSOCKET_CLOSED && !self->lost) {
        failed = true;
        worker_report(worker, "ASGI callable returned without completing handshake.",
                      NULL);
    } else if (result != NULL && result != Py_None) {
        application_report_result(worker, result);
    }
    websocket_reject(self, 500, FA_SLICE("Internal Server Error"));
    finish(self, failed ? FA_WEBSOCKET_INTERNAL_ERROR : FA_WEBSOCKET_NORMAL);
    return false;
}

/* ---- the beginning ---- */

static PyMethodDef receive_def = {"receive", websocket_receive, METH_NOARGS, NULL};
static PyMethodDef send_def = {"send", websocket_send, METH_O, NULL};

static WebSocket *
websocket_new(Worker *worker, fa_request *req)
{
    PyTypeObject *type = worker->core->websocket_type;
    WebSocket *self = (WebSocket *)type->tp_alloc(type, 0);

    if (self == NULL)
        return NULL;
    self->worker = (Worker *)Py_NewRef((PyObject *)worker);
    self->scope = scope_of_websocket(worker, req);
    if (self->scope == NULL) {
        Py_DECREF((PyObject *)self);
        return NULL;
    }
    self->req = req;
    self->after = worker->handshakes;
    if (self->after != NULL)
        self->after->before = self;
    worker->handshakes = self;
    return self;
}

int
websocket_on_request(Worker *worker, fa_request *req)
{
    int status = fa_websocket_judge(req);
    WebSocket *self;
    carrier_job job;

    if (status != 0)
        return websocket_refuse(worker, req, status);
    self = websocket_new(worker, req);
    if (self == NULL) {
        PyErr_WriteUnraisable((PyObject *)worker);
        return FA_ERR_NOMEM;
    }
    Py_INCREF((PyObject *)self); /* the request's, until on_finish */
    fa_request_on_finish(req, on_finish, self);
    fa_response_on_drain(req, on_drain, self);
    job = (carrier_job){
        application_call(worker, self->scope, (PyObject *)self, &receive_def, &send_def),
        (PyObject *)self, on_done};
    if (job.coroutine == NULL || carrier_run(worker, &job) < 0) {
        PyObject *error = application_take_error();

        (void)on_done((PyObject *)self, NULL, error, NULL);
        Py_DECREF(error);
    }
    if (self->req != NULL && self->state < WEBSOCKET_OPEN)
        self->deferred = fa_request_defer(req);
    Py_DECREF((PyObject *)self);
    return 0;
}

/* ---- the type ---- */

static int
websocket_traverse(PyObject *op, visitproc visit, void *arg)
{
    WebSocket *self = (WebSocket *)op;
    int rv;

    Py_VISIT(Py_TYPE(op));
    Py_VISIT((PyObject *)self->worker);
    Py_VISIT(self->scope);
    Py_VISIT(self->denial);
    Py_VISIT(self->parting);
    rv = waiters_visit(&self->receivers, visit, arg);
    return rv != 0 ? rv : waiters_visit(&self->senders, visit, arg);
}

static int
websocket_clear(PyObject *op)
{
    WebSocket *self = (WebSocket *)op;

    Py_CLEAR(self->scope);
    Py_CLEAR(self->denial);
    Py_CLEAR(self->parting);
    waiters_clear(&self->receivers);
    waiters_clear(&self->senders);
    return 0;
}

static void
websocket_dealloc(PyObject *op)
{
    WebSocket *self = (WebSocket *)op;
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    (void)websocket_clear(op);
    websocket_queue_clear(&self->queue);
    websocket_answered(self);
    if (self->deferred != NULL)
        fa_deferred_release(self->deferred);
    Py_CLEAR(self->worker);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyType_Slot websocket_slots[] = {
    {Py_tp_doc, "One WebSocket."},
    {Py_tp_traverse, websocket_traverse},
    {Py_tp_clear, websocket_clear},
    {Py_tp_dealloc, websocket_dealloc},
    {0, NULL},
};

PyType_Spec websocket_spec = {
    .name = "fasterapi._core.WebSocket",
    .basicsize = sizeof(WebSocket),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = websocket_slots,
};
