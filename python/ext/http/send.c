/* send(): messages become the answer. */
#include "http/cycle.h"
#include "http/message.h"

void
cycle_wake_sender(Cycle *self, wake_fn *wake)
{
    self->full = false;
    wake(&self->senders, self->worker);
}

static int
start_answer(Cycle *self, int status, PyObject *headers)
{
    message_fields fields;
    int rv;

    if (message_fields_init(&fields, headers, 0) < 0)
        return -1;
    rv = fa_response_start_fields(self->req, status, fields.at, fields.count);
    message_fields_free(&fields);
    /* When it is closed, on_finish has told. */
    return rv == 0 || rv == FA_ERR_CLOSED ? 0 : message_raise(rv);
}

static int
send_start(Cycle *self, PyObject *message)
{
    core_state *core = self->worker->core;
    PyObject *status = message_item(message, core->str_status), *headers, *made = NULL;
    long code = status != NULL ? PyLong_AsLong(status) : -1;
    int rv;

    if (code == -1 && PyErr_Occurred())
        return -1;
    headers = PyDict_GetItemWithError(message, core->str_headers);
    if (headers == NULL) {
        if (PyErr_Occurred() || (made = PyTuple_New(0)) == NULL)
            return -1;
        headers = made;
    }
    if (extension_has_trailers(self->worker)) {
        PyObject *trailers = PyDict_GetItemWithError(message, core->str_trailers);
        int truth = trailers != NULL ? PyObject_IsTrue(trailers) : 0;

        if (truth < 0 || PyErr_Occurred()) {
            Py_XDECREF(made);
            return -1;
        }
        self->trailers = truth != 0;
    }
    self->started = true;
    access_log(self->worker, self->scope, status);
    rv = self->req != NULL ? start_answer(self, (int)code, headers) : 0;
    Py_XDECREF(made);
    return rv;
}

static void
let_go(void *body)
{
    Py_DECREF((PyObject *)body);
}

/* Sets `*rv` to what the server says. Returns 0, or -1 with an exception. Long bytes stay
   where they are: nobody can change them, and letting go of them runs nothing of the
   application's. */
static int
put_body(int *rv, Cycle *self, PyObject *body)
{
    Py_buffer view;

    if (PyBytes_CheckExact(body)) {
        fa_slice data = {PyBytes_AS_STRING(body), (size_t)PyBytes_GET_SIZE(body)};

        *rv = fa_response_write_held(self->req, data, let_go, Py_NewRef(body));
        return 0;
    }
    if (PyObject_GetBuffer(body, &view, PyBUF_SIMPLE) < 0)
        return -1;
    *rv = fa_response_write(self->req, (fa_slice){view.buf, (size_t)view.len});
    PyBuffer_Release(&view);
    return 0;
}

static int
write_body(Cycle *self, PyObject *body)
{
    int rv;

    if (put_body(&rv, self, body) < 0)
        return -1;
    if (rv == FA_ERR_FULL) {
        self->full = true;
        return 0;
    }
    if (rv == FA_ERR_INVALID) {
        if (fa_request_method(self->req) == FA_HEAD)
            return 0; /* nothing of it is sent, so nothing can be too long */
        PyErr_SetString(PyExc_RuntimeError,
                        "Response content longer than Content-Length");
        return -1;
    }
    return rv == 0 || rv == FA_ERR_CLOSED ? 0 : message_raise(rv);
}

static int
raise_too_short(void)
{
    PyErr_SetString(PyExc_RuntimeError, "Response content shorter than Content-Length");
    return -1;
}

int
cycle_end_body(Cycle *self)
{
    int rv;

    self->body_ended = true;
    if (self->trailers || self->sending_file)
        return 0;
    if (self->req != NULL) {
        self->complete = true; /* before the server says that it has finished */
        rv = fa_response_end(self->req);
        if (rv == FA_ERR_INVALID) {
            self->complete = false;
            self->body_ended = false;
            return raise_too_short();
        }
    }
    waiters_wake(&self->receivers, self->worker);
    return 0;
}

static int
send_body(Cycle *self, PyObject *message)
{
    core_state *core = self->worker->core;
    PyObject *body = PyDict_GetItemWithError(message, core->str_body), *more;
    int is_more;

    if (body == NULL && PyErr_Occurred())
        return -1;
    more = PyDict_GetItemWithError(message, core->str_more_body);
    is_more = more != NULL ? PyObject_IsTrue(more) : 0;
    if (is_more < 0 || PyErr_Occurred())
        return -1;
    if (body != NULL && self->req != NULL && write_body(self, body) < 0)
        return -1;
    return is_more ? 0 : cycle_end_body(self);
}

static bool
is_over(const Cycle *self)
{
    return self->complete || (self->body_ended && !self->trailers);
}

static PyObject *
expected_type(const Cycle *self)
{
    core_state *core = self->worker->core;

    if (!self->started)
        return core->text_response_start;
    return self->body_ended ? core->text_response_trailers : core->text_response_body;
}

static int
send_message(Cycle *self, PyObject *message)
{
    core_state *core = self->worker->core;
    PyObject *type = message_item(message, core->str_type), *expected;
    int same, extended;

    if (type == NULL)
        return -1;
    if (self->disconnected)
        return 0;
    if (is_over(self)) {
        PyErr_Format(
            PyExc_RuntimeError,
            "Unexpected ASGI message '%S' sent, after response already completed.", type);
        return -1;
    }
    extended =
        self->worker->extension_mask != 0 ? extension_send(self, type, message) : 0;
    if (extended != 0)
        return extended < 0 ? -1 : 0;
    expected = expected_type(self);
    same = type == expected ? 1 : PyObject_RichCompareBool(type, expected, Py_EQ);
    if (same < 0)
        return -1;
    if (!same || self->body_ended) {
        PyErr_Format(PyExc_RuntimeError, "Expected ASGI message '%U', but got '%S'.",
                     expected, type);
        return -1;
    }
    return self->started ? send_body(self, message) : send_start(self, message);
}

/* A file has gone out, and with it perhaps the end of the answer; or it waits for that.
 */
static PyObject *
file_sent(PyObject *op, PyObject **again)
{
    Cycle *self = (Cycle *)op;

    if (self->sending_file && !self->complete && self->req != NULL) {
        *again = waiters_wait(&self->senders, self->worker);
        return NULL;
    }
    if (self->too_short && raise_too_short() < 0)
        return NULL;
    Py_RETURN_NONE;
}

static bool
must_wait(const Cycle *self)
{
    return self->full && !self->complete && self->req != NULL;
}

/* `pair` is a list of the cycle and the message that waits for room, or None once it is
   sent. */
static PyObject *
send_drained(PyObject *pair, PyObject **again)
{
    Cycle *self = (Cycle *)PyList_GET_ITEM(pair, 0);
    PyObject *message = PyList_GET_ITEM(pair, 1);

    if (message == Py_None)
        return file_sent((PyObject *)self, again);
    if (must_wait(self)) {
        *again = waiters_wait(&self->senders, self->worker);
        return NULL;
    }
    if (send_message(self, message) < 0 ||
        PyList_SetItem(pair, 1, Py_NewRef(Py_None)) < 0)
        return NULL;
    return file_sent((PyObject *)self, again);
}

/* A message waits before it is sent, not after: one that is given up meanwhile has not
   been sent, as under uvicorn. */
static PyObject *
send_later(Cycle *self, PyObject *message)
{
    PyObject *pair = PyList_New(2), *op;

    if (pair == NULL)
        return NULL;
    PyList_SET_ITEM(pair, 0, Py_NewRef((PyObject *)self));
    PyList_SET_ITEM(pair, 1, Py_NewRef(message));
    op = operation_later(self->worker->core, pair, send_drained);
    Py_DECREF(pair);
    return op;
}

PyObject *
cycle_send(PyObject *op, PyObject *message)
{
    Cycle *self = (Cycle *)op;
    core_state *core = self->worker->core;

    if (!PyDict_Check(message)) {
        PyErr_SetString(PyExc_TypeError, "an ASGI message is a dict");
        return operation_failed(core);
    }
    if (must_wait(self))
        return send_later(self, message);
    if (send_message(self, message) < 0)
        return operation_failed(core);
    return self->sending_file ? operation_later(core, op, file_sent)
                              : Py_NewRef(core->sent);
}
