/* receive(): the body as it comes, then the disconnect. */
#include "http/cycle.h"
#include "http/message.h"

/* Of a body that the application has not asked for: then no more is read. */
enum { PAUSE_BYTES = 65536 };

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
            waiters_wake(&self->receivers, self->worker);
            Py_DECREF((PyObject *)self);
            return;
        }
        if (fa_request_body_ends(req))
            return; /* its end follows at once, and belongs to the same message */
    }
    Py_INCREF((PyObject *)self);
    if (self->body != NULL && self->receivers.first != NULL)
        self->promised = true;
    waiters_go_on(&self->receivers, self->worker);
    if (self->req != NULL && self->body != NULL &&
        PyBytes_GET_SIZE(self->body) >= PAUSE_BYTES) {
        self->paused = true;
        fa_request_pause(self->req);
    }
    Py_DECREF((PyObject *)self);
}

static PyObject *
message_of_body(Cycle *self)
{
    core_state *core = self->worker->core;
    PyObject *message = message_new(core, core->text_http_request);
    PyObject *body = self->body != NULL ? self->body : Py_NewRef(core->empty_bytes);

    self->body = NULL;
    self->promised = false;
    if (message != NULL && (PyDict_SetItem(message, core->str_body, body) < 0 ||
                            PyDict_SetItem(message, core->str_more_body,
                                           self->more_body ? Py_True : Py_False) < 0))
        Py_CLEAR(message);
    Py_DECREF(body);
    self->handed_out = !self->more_body;
    if (self->paused && self->req != NULL) {
        self->paused = false;
        fa_request_resume(self->req);
    }
    return message;
}

/* What somebody was woken for is still received first. */
static bool
is_over(const Cycle *self)
{
    return self->complete ||
           (self->disconnected && !(self->promised && self->body != NULL));
}

/* The next message, when there is one. */
static PyObject *
next_message(PyObject *op, PyObject **again)
{
    Cycle *self = (Cycle *)op;
    core_state *core = self->worker->core;

    if (is_over(self))
        return message_new(core, core->text_http_disconnect);
    if (self->body != NULL || (!self->more_body && !self->handed_out))
        return message_of_body(self);
    *again = waiters_wait(&self->receivers, self->worker);
    return NULL;
}

PyObject *
cycle_receive(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Cycle *self = (Cycle *)op;

    if (self->more_body && !self->reading && self->req != NULL) {
        self->reading = true;
        (void)fa_request_read(self->req, on_body, self);
    }
    return operation_later(self->worker->core, op, next_message);
}
