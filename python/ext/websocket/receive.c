/* receive(): the connect, the messages, the disconnect. */
#include "http/message.h"
#include "websocket/websocket.h"

/* Besides Worker.ws_max_queue: messages may be long, too. */
enum { QUEUE_BYTES = 1 << 20 };

static int
push(websocket_queue *queue, PyObject *data, size_t bytes)
{
    if (queue->count == queue->room) {
        size_t room = queue->room > 0 ? 2 * queue->room : 4;
        PyObject **ring = PyMem_New(PyObject *, room);

        if (ring == NULL)
            return -1;
        for (size_t i = 0; i < queue->count; ++i)
            ring[i] = queue->ring[(queue->first + i) % queue->room];
        PyMem_Free(queue->ring);
        queue->ring = ring;
        queue->room = room;
        queue->first = 0;
    }
    queue->ring[(queue->first + queue->count++) % queue->room] = data;
    queue->bytes += bytes;
    return 0;
}

/* How long it was on the wire, roughly: a text has its length in characters. */
static size_t
size_of(PyObject *data)
{
    return (size_t)(PyUnicode_Check(data) ? PyUnicode_GET_LENGTH(data)
                                          : PyBytes_GET_SIZE(data));
}

static PyObject *
pop(websocket_queue *queue)
{
    PyObject *data = queue->ring[queue->first];

    queue->first = (queue->first + 1) % queue->room;
    --queue->count;
    queue->bytes -= size_of(data);
    return data;
}

void
websocket_queue_clear(websocket_queue *queue)
{
    while (queue->count > 0)
        Py_DECREF(pop(queue));
    PyMem_Free(queue->ring);
    *queue = (websocket_queue){NULL, 0, 0, 0, 0};
}

void
websocket_on_message(fa_websocket *ws, fa_websocket_kind kind, fa_slice data,
                     void *user_data)
{
    WebSocket *self = user_data;
    const char *p = data.p != NULL ? data.p : "";
    PyObject *made;

    if (self->state != WEBSOCKET_OPEN)
        return; /* the application has closed; what counts is the Close that follows */
    made = kind == FA_WEBSOCKET_TEXT ? PyUnicode_DecodeUTF8(p, (Py_ssize_t)data.len, NULL)
                                     : PyBytes_FromStringAndSize(p, (Py_ssize_t)data.len);
    if (made == NULL || push(&self->queue, made, size_of(made)) < 0) {
        if (PyErr_Occurred() == NULL)
            PyErr_NoMemory();
        Py_XDECREF(made);
        PyErr_WriteUnraisable((PyObject *)self);
        fa_websocket_abort(ws);
        return;
    }
    if (self->queue.count >= self->worker->ws_max_queue ||
        self->queue.bytes >= QUEUE_BYTES) {
        self->paused = true;
        fa_websocket_pause(ws);
    }
    waiters_go_on(&self->receivers, self->worker);
}

int
websocket_part(WebSocket *self, int code, PyObject *reason)
{
    core_state *core = self->worker->core;
    PyObject *message, *number;

    if (self->parting != NULL)
        return 0;
    message = message_new(core, core->text_websocket_disconnect);
    number = PyLong_FromLong(code);
    if (message == NULL || number == NULL ||
        PyDict_SetItem(message, core->str_code, number) < 0 ||
        (reason != NULL && PyDict_SetItem(message, core->str_reason, reason) < 0))
        Py_CLEAR(message);
    Py_XDECREF(number);
    self->parting = message;
    return message != NULL ? 0 : -1;
}

static PyObject *
take_parting(WebSocket *self)
{
    PyObject *message = self->parting;

    self->parting = NULL;
    return message;
}

static PyObject *
take_message(WebSocket *self)
{
    core_state *core = self->worker->core;
    PyObject *data = pop(&self->queue);
    PyObject *key = PyUnicode_Check(data) ? core->str_text : core->str_bytes;
    PyObject *message = message_new(core, core->text_websocket_receive);

    if (message != NULL && PyDict_SetItem(message, key, data) < 0)
        Py_CLEAR(message);
    Py_DECREF(data);
    if (self->paused && self->queue.count == 0) {
        self->paused = false;
        if (self->ws != NULL)
            fa_websocket_resume(self->ws);
    }
    return message;
}

/* An operation_fn. */
static PyObject *
next_message(PyObject *op, PyObject **again)
{
    WebSocket *self = (WebSocket *)op;
    core_state *core = self->worker->core;

    if (!self->told) {
        self->told = true;
        return message_new(core, core->text_websocket_connect);
    }
    if (self->queue.count > 0)
        return take_message(self);
    if (self->parting != NULL)
        return take_parting(self);
    if (self->lost) {
        /* uvicorn's codes: what came or did not come from the client plays no part. */
        int code = self->shaken ? FA_WEBSOCKET_NO_STATUS : FA_WEBSOCKET_ABNORMAL;

        return websocket_part(self, code, NULL) < 0 ? NULL : take_parting(self);
    }
    *again = waiters_wait(&self->receivers, self->worker);
    return NULL;
}

PyObject *
websocket_receive(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return operation_later(((WebSocket *)op)->worker->core, op, next_message);
}
