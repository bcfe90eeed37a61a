/* receive(): the body as it comes, then the disconnect. */
#include "cycle.h"
#include "message.h"

void
cycle_wake_receivers(Cycle *self)
{
    /* Else an application that cannot be woken keeps its client waiting. */
    if (!waiters_wake(&self->receivers, self->worker) && self->req != NULL &&
        !self->complete)
        fa_response_abort(self->req);
}

static void
on_body(fa_request *req, fa_slice data, int error, void *user_data)
{
    Cycle *self = user_data;
    PyObject *piece;

    if (error != 0) {
        self->disconnected = true; /* for the application there is nothing more to do */
        if (self->started)
            fa_response_abort(req);
        else
            (void)refusal_answer(req, error, self->worker);
    } else if (data.len == 0) {
        self->more_body = false;
    } else {
        piece = PyBytes_FromStringAndSize(data.p, (Py_ssize_t)data.len);
        if (piece != NULL && self->body != NULL)
            PyBytes_ConcatAndDel(&self->body, piece);
        else
            self->body = piece;
        if (self->body == NULL) {
            PyErr_WriteUnraisable((PyObject *)self);
            self->disconnected = true;
            Py_INCREF((PyObject *)self); /* the end may be the last of it */
            fa_response_abort(req);
            cycle_wake_receivers(self);
            Py_DECREF((PyObject *)self);
            return;
        } else if (PyBytes_GET_SIZE(self->body) >= 65536) {
            fa_request_pause(self->req);
        }
    }
    cycle_wake_receivers(self);
}

static PyObject *
message_of_body(Cycle *self)
{
    core_state *core = self->worker->core;
    PyObject *message = message_new(core, core->text_http_request);
    PyObject *body = self->body != NULL ? self->body : Py_NewRef(core->empty_bytes);

    self->body = NULL;
    if (message != NULL && (PyDict_SetItem(message, core->str_body, body) < 0 ||
                            PyDict_SetItem(message, core->str_more_body,
                                           self->more_body ? Py_True : Py_False) < 0))
        Py_CLEAR(message);
    Py_DECREF(body);
    self->handed_out = !self->more_body;
    if (self->more_body && self->req != NULL)
        fa_request_resume(self->req);
    return message;
}

/* The next message, whatever has happened meanwhile. */
static PyObject *
next_message(PyObject *op, PyObject **Py_UNUSED(again))
{
    Cycle *self = (Cycle *)op;
    core_state *core = self->worker->core;

    if (!self->disconnected && !self->complete)
        return message_of_body(self);
    return message_new(core, core->text_http_disconnect);
}

PyObject *
cycle_receive(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Cycle *self = (Cycle *)op;
    core_state *core = self->worker->core;
    PyObject *future;

    if (self->more_body && !self->reading && self->req != NULL) {
        self->reading = true;
        (void)fa_request_read(self->req, on_body, self);
    }
    if (self->disconnected || self->complete || self->body != NULL ||
        (!self->more_body && !self->handed_out))
        return operation_done(core, next_message(op, NULL));
    future = waiters_add(&self->receivers, self->worker, cycle_future(self));
    if (future == NULL)
        return NULL;
    return operation_wait(core, future, op, next_message);
}
