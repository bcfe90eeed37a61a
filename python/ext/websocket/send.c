/* send(): what the application does with a WebSocket. */
#include "carrier/application.h"
#include "http/message.h"
#include "websocket/websocket.h"

static int
raise_disconnected(WebSocket *self)
{
    PyErr_SetNone(self->worker->core->client_disconnected);
    return -1;
}

static int
after_send(WebSocket *self, int rv)
{
    switch (rv) {
    case 0: return 0;
    case FA_ERR_FULL: self->full = true; return 0;
    case FA_ERR_CLOSED: return raise_disconnected(self);
    default: return message_raise(rv);
    }
}

static int
send_text(WebSocket *self, PyObject *text)
{
    Py_ssize_t len;
    const char *p = PyUnicode_AsUTF8AndSize(text, &len); /* no str: TypeError */

    if (p == NULL)
        return -1;
    return after_send(
        self, fa_websocket_send(self->ws, FA_WEBSOCKET_TEXT, (fa_slice){p, (size_t)len}));
}

static int
send_bytes(WebSocket *self, PyObject *bytes)
{
    Py_buffer view;
    int rv;

    if (PyObject_GetBuffer(bytes, &view, PyBUF_SIMPLE) < 0)
        return -1;
    rv = fa_websocket_send(self->ws, FA_WEBSOCKET_BINARY,
                           (fa_slice){view.buf, (size_t)view.len});
    PyBuffer_Release(&view);
    return after_send(self, rv);
}

static int
send_data(WebSocket *self, PyObject *message)
{
    core_state *core = self->worker->core;
    PyObject *bytes = PyDict_GetItemWithError(message, core->str_bytes), *text;

    if (bytes == NULL && PyErr_Occurred() != NULL)
        return -1;
    if (bytes != NULL && bytes != Py_None)
        return self->ws != NULL && !self->over ? send_bytes(self, bytes)
                                               : raise_disconnected(self);
    text = PyDict_GetItemWithError(message, core->str_text);
    if (text == NULL || text == Py_None)
        return PyErr_Occurred() != NULL ? -1 : 0;
    return self->ws != NULL && !self->over ? send_text(self, text)
                                           : raise_disconnected(self);
}

static int
close_with(WebSocket *self, long code, PyObject *reason)
{
    Py_ssize_t len;
    const char *p = PyUnicode_AsUTF8AndSize(reason, &len);
    int rv;

    if (p == NULL)
        return -1;
    /* What is never sent (RFC 6455, 7.4.1) is not to be asked for either. */
    rv = code > 0 && code <= UINT16_MAX && code != FA_WEBSOCKET_NO_STATUS
             ? fa_websocket_close(self->ws, (uint16_t)code, (fa_slice){p, (size_t)len})
             : FA_ERR_INVALID;
    if (rv == FA_ERR_INVALID) {
        PyErr_Format(PyExc_RuntimeError,
                     "Invalid WebSocket close code %ld or reason (at most 123 bytes).",
                     code);
        return -1;
    }
    if (rv == FA_ERR_CLOSED)
        return raise_disconnected(self);
    if (rv != 0)
        return message_raise(rv);
    self->state = WEBSOCKET_CLOSED;
    if (websocket_part(self, (int)code, reason) < 0)
        return -1;
    if (self->paused && self->ws != NULL) {
        self->paused = false;
        fa_websocket_resume(self->ws); /* to see the client's Close */
    }
    waiters_wake(&self->receivers, self->worker);
    return 0;
}

static int
send_close(WebSocket *self, PyObject *message)
{
    core_state *core = self->worker->core;
    PyObject *code, *reason, *none = NULL;
    long number = FA_WEBSOCKET_NORMAL;
    int rv;

    if (self->over || self->ws == NULL)
        return 0; /* it is closed */
    code = PyDict_GetItemWithError(message, core->str_code);
    if (code != NULL)
        number = PyLong_AsLong(code);
    if (PyErr_Occurred() != NULL)
        return -1;
    reason = PyDict_GetItemWithError(message, core->str_reason);
    if (reason == NULL || reason == Py_None) {
        if (PyErr_Occurred() != NULL || (none = PyUnicode_New(0, 0)) == NULL)
            return -1;
        reason = none;
    }
    rv = close_with(self, number, reason);
    Py_XDECREF(none);
    return rv;
}

/* Whether the message is of that type; -1 with an exception. */
static int
is(PyObject *type, PyObject *wanted)
{
    return type == wanted ? 1 : PyObject_RichCompareBool(type, wanted, Py_EQ);
}

typedef int action(WebSocket *self, PyObject *message);

/* What is to be done with a message of that type in that state. Returns 0 with NULL in
   `*out` if there is nothing, -1 with an exception. */
static int
find_action(action **out, websocket_state state, PyObject *type, core_state *core)
{
    const struct {
        websocket_state state;
        PyObject *type;
        action *does;
    } actions[] = {
        {WEBSOCKET_OPEN, core->text_websocket_send, send_data},
        {WEBSOCKET_OPEN, core->text_websocket_close, send_close},
        {WEBSOCKET_ASKED, core->text_websocket_accept, websocket_accept},
        {WEBSOCKET_ASKED, core->text_websocket_close, websocket_forbid},
        {WEBSOCKET_ASKED, core->text_websocket_response_start, websocket_deny_start},
        {WEBSOCKET_DENYING, core->text_websocket_response_body, websocket_deny_body},
    };

    *out = NULL;
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); ++i) {
        int same = actions[i].state == state ? is(type, actions[i].type) : 0;

        if (same != 0) {
            *out = same > 0 ? actions[i].does : NULL;
            return same > 0 ? 0 : -1;
        }
    }
    return 0;
}

static int
raise_unexpected(websocket_state state, PyObject *type)
{
    static const char *const formats[] = {
        [WEBSOCKET_ASKED] =
            "Expected ASGI message 'websocket.accept', 'websocket.close' or "
            "'websocket.http.response.start' but got '%S'.",
        [WEBSOCKET_DENYING] =
            "Expected ASGI message 'websocket.http.response.body' but got '%S'.",
        [WEBSOCKET_OPEN] = "Expected ASGI message 'websocket.send' or "
                           "'websocket.close', but got '%S'.",
        [WEBSOCKET_CLOSED] =
            "Unexpected ASGI message '%S', after sending 'websocket.close'.",
    };

    PyErr_Format(PyExc_RuntimeError, formats[state], type);
    return -1;
}

static int
send_message(WebSocket *self, PyObject *message)
{
    core_state *core = self->worker->core;
    PyObject *type = message_item(message, core->str_type);
    action *does;

    if (type == NULL)
        return -1;
    if (self->lost)
        return raise_disconnected(self);
    if (find_action(&does, self->state, type, core) < 0)
        return -1;
    return does != NULL ? does(self, message) : raise_unexpected(self->state, type);
}

/* An operation_fn. */
static PyObject *
sent(PyObject *op, PyObject **again)
{
    WebSocket *self = (WebSocket *)op;

    if (!self->full || self->over || self->lost)
        Py_RETURN_NONE;
    *again = waiters_wait(&self->senders, self->worker);
    return NULL;
}

/* An operation_fn whose owner is an exception. */
static PyObject *
raise_it(PyObject *error, PyObject **Py_UNUSED(again))
{
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    return NULL;
}

/* Raises what is set when it is awaited, as a coroutine would: send() may be called in
   one place and awaited in another. */
static PyObject *
fails(core_state *core)
{
    PyObject *error = application_take_error();
    PyObject *op = operation_later(core, error, raise_it);

    Py_DECREF(error);
    return op;
}

PyObject *
websocket_send(PyObject *op, PyObject *message)
{
    WebSocket *self = (WebSocket *)op;
    core_state *core = self->worker->core;

    if (!PyDict_Check(message)) {
        PyErr_SetString(PyExc_TypeError, "an ASGI message is a dict");
        return fails(core);
    }
    if (send_message(self, message) < 0)
        return fails(core);
    return self->full ? operation_later(core, op, sent) : Py_NewRef(core->sent);
}
