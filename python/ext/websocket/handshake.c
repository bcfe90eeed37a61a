/* How a WebSocket begins, or does not. */
#include "http/message.h"
#include "websocket/websocket.h"

void
websocket_answered(WebSocket *self)
{
    Worker *worker = self->worker;

    if (self->before != NULL)
        self->before->after = self->after;
    else if (worker->handshakes == self)
        worker->handshakes = self->after;
    if (self->after != NULL)
        self->after->before = self->before;
    self->before = self->after = NULL;
}

/* Calls a function of the Python side that may be None; never fails. */
static void
tell(Worker *worker, PyObject *callable, PyObject *scope, int status)
{
    PyObject *res;

    if (callable == Py_None)
        return;
    carrier_leave(worker);
    res = scope != NULL ? PyObject_CallFunction(callable, "Oi", scope, status)
                        : PyObject_CallFunction(callable, "i", status);
    if (res == NULL)
        PyErr_WriteUnraisable(callable);
    Py_XDECREF(res);
}

/* ---- accepting ---- */

/* The subprotocol agreed to, which must not stand among the fields then: taken out of
   them. Applications may name it either way. */
static int
take_protocol(fa_slice *protocol, message_fields *fields, PyObject *named)
{
    Py_ssize_t len = 0;
    size_t kept = 0;

    *protocol = (fa_slice){"", 0};
    if (named != NULL && named != Py_None) {
        protocol->p = PyUnicode_AsUTF8AndSize(named, &len);
        protocol->len = (size_t)len;
        if (protocol->p == NULL)
            return -1;
    }
    for (size_t i = 0; i < fields->count; ++i) {
        fa_field *f = &fields->at[i];

        if (f->name.len != 22 ||
            PyOS_strnicmp(f->name.p, "sec-websocket-protocol", 22) != 0) {
            fields->at[kept++] = *f;
        } else if (protocol->len > 0) {
            PyErr_SetString(PyExc_RuntimeError, "more than one WebSocket subprotocol");
            return -1;
        } else {
            *protocol = f->value;
        }
    }
    fields->count = kept;
    return 0;
}

static void
on_drain(fa_websocket *Py_UNUSED(ws), void *user_data)
{
    WebSocket *self = user_data;

    self->full = false;
    waiters_wake(&self->senders, self->worker);
}

static void
on_shutdown(fa_websocket *ws, void *user_data)
{
    WebSocket *self = user_data;

    if (self->state == WEBSOCKET_OPEN && !self->over) {
        if (websocket_part(self, FA_WEBSOCKET_RESTART, NULL) < 0)
            PyErr_WriteUnraisable((PyObject *)self);
        websocket_end(self);
    }
    (void)fa_websocket_close(ws, FA_WEBSOCKET_RESTART, (fa_slice){"", 0});
}

static void
on_close(fa_websocket *Py_UNUSED(ws), uint16_t code, fa_slice reason, void *user_data)
{
    WebSocket *self = user_data;
    PyObject *text;

    self->ws = NULL;
    if (code == FA_WEBSOCKET_ABNORMAL) {
        websocket_lose(self);
    } else {
        if (self->state == WEBSOCKET_OPEN && !self->over) {
            text = PyUnicode_DecodeUTF8(reason.p != NULL ? reason.p : "",
                                        (Py_ssize_t)reason.len, "replace");
            if (text == NULL || websocket_part(self, code, text) < 0)
                PyErr_WriteUnraisable((PyObject *)self);
            Py_XDECREF(text);
        }
        websocket_end(self);
    }
    Py_DECREF((PyObject *)self); /* the connection's */
}

static const fa_websocket_handler handler = {
    .on_message = websocket_on_message,
    .on_drain = on_drain,
    .on_shutdown = on_shutdown,
    .on_close = on_close,
};

static int
raise_for_accept(WebSocket *self, int rv)
{
    if (rv == FA_ERR_CLOSED) {
        websocket_lose(self);
        PyErr_SetNone(self->worker->core->client_disconnected);
        return -1;
    }
    if (rv == FA_ERR_INVALID) {
        PyErr_SetString(PyExc_RuntimeError,
                        "a header of websocket.accept belongs to the handshake");
        return -1;
    }
    return message_raise(rv);
}

static int
accept_with(WebSocket *self, message_fields *fields, PyObject *named)
{
    Worker *worker = self->worker;
    fa_slice protocol;
    int rv;

    if (take_protocol(&protocol, fields, named) < 0)
        return -1;
    tell(worker, worker->on_handshake, self->scope, 0);
    if (self->req == NULL) {
        websocket_lose(self);
        PyErr_SetNone(worker->core->client_disconnected);
        return -1;
    }
    self->state = WEBSOCKET_OPEN; /* on_finish() may come within the call */
    Py_INCREF((PyObject *)self);  /* the connection's, until on_close() */
    rv = fa_websocket_accept(self->req, protocol, fields->at, fields->count,
                             &worker->websocket, &handler, self, &self->ws);
    if (rv != 0) {
        Py_DECREF((PyObject *)self);
        self->state = WEBSOCKET_ASKED;
        return raise_for_accept(self, rv);
    }
    self->req = NULL;
    self->shaken = true;
    websocket_answered(self);
    tell(worker, worker->on_connection, NULL, 101);
    return 0;
}

int
websocket_accept(WebSocket *self, PyObject *message)
{
    core_state *core = self->worker->core;
    PyObject *named = PyDict_GetItemWithError(message, core->str_subprotocol);
    PyObject *headers = PyErr_Occurred() != NULL
                            ? NULL
                            : PyDict_GetItemWithError(message, core->str_headers);
    PyObject *none = NULL;
    message_fields fields;
    int rv;

    if (headers == NULL) {
        if (PyErr_Occurred() != NULL || (none = PyTuple_New(0)) == NULL)
            return -1;
        headers = none;
    }
    rv = message_fields_init(&fields, headers, 0);
    if (rv == 0) {
        rv = accept_with(self, &fields, named);
        message_fields_free(&fields);
    }
    Py_XDECREF(none);
    return rv;
}

/* ---- refusing ---- */

/* What else an answer of that status says. */
static fa_field
hint(int status)
{
    if (status == 405) /* RFC 9110, 15.5.6 */
        return (fa_field){{"allow", 5}, {"GET", 3}};
    return (fa_field){{"sec-websocket-version", 21}, {"13", 2}}; /* RFC 6455, 4.4 */
}

/* An answer that is the last on its connection. */
static void
answer(fa_request *req, int status, fa_slice text)
{
    static const fa_field type = {{"content-type", 12},
                                  {"text/plain; charset=utf-8", 25}};
    char length[24];
    int n = PyOS_snprintf(length, sizeof(length), "%zu", text.len);
    const fa_field fields[] = {
        {{"content-length", 14}, {length, (size_t)n}},
        type,
        hint(status),
    };
    int rv;

    fa_response_close(req);
    rv = fa_response_start_fields(req, status, fields,
                                  status == 405 || status == 426 ? 3 : 2);
    if (rv == 0 && text.len > 0)
        rv = fa_response_write(req, text);
    if (rv == 0 || rv == FA_ERR_FULL)
        (void)fa_response_end(req);
}

void
websocket_reject(WebSocket *self, int status, fa_slice text)
{
    fa_request *req = self->req;

    if (req == NULL || self->state != WEBSOCKET_ASKED)
        return;
    self->state = WEBSOCKET_CLOSED;
    websocket_answered(self);
    tell(self->worker, self->worker->on_connection, NULL, status);
    if (self->req != NULL)
        answer(req, status, text);
}

int
websocket_forbid(WebSocket *self, PyObject *Py_UNUSED(message))
{
    if (websocket_part(self, FA_WEBSOCKET_ABNORMAL, NULL) < 0)
        return -1;
    self->shaken = true;
    tell(self->worker, self->worker->on_handshake, self->scope, 403);
    websocket_reject(self, 403, (fa_slice){"", 0});
    waiters_wake(&self->receivers, self->worker);
    return 0;
}

int
websocket_refuse(Worker *worker, fa_request *req, int status)
{
    PyObject *headers = scope_headers(worker, req), *reason = NULL;
    fa_slice method = fa_request_method_name(req), text = {"", 0};
    Py_ssize_t len = 0;

    carrier_leave(worker);
    if (fa_request_method(req) != FA_GET)
        status = 405;
    if (headers != NULL && worker->handshake_reason != Py_None)
        reason = PyObject_CallFunction(worker->handshake_reason, "s#Oi", method.p,
                                       (Py_ssize_t)method.len, headers, status);
    if (reason != NULL)
        text.p = PyUnicode_AsUTF8AndSize(reason, &len);
    if (PyErr_Occurred() != NULL) {
        PyErr_WriteUnraisable(worker->handshake_reason);
        text.p = ""; /* without words, then */
        len = 0;
    }
    text.len = (size_t)len;
    tell(worker, worker->on_connection, NULL, status);
    answer(req, status, text);
    Py_XDECREF(headers);
    Py_XDECREF(reason);
    return 0;
}

/* ---- an answer of the application's own ---- */

int
websocket_deny_start(WebSocket *self, PyObject *message)
{
    core_state *core = self->worker->core;
    PyObject *status = message_item(message, core->str_status);
    long code = status != NULL ? PyLong_AsLong(status) : -1;

    if (code == -1 && PyErr_Occurred() != NULL)
        return -1;
    if (code < 100 || code >= 600) {
        PyErr_Format(PyExc_RuntimeError, "Invalid HTTP status code '%ld' in response.",
                     code);
        return -1;
    }
    tell(self->worker, self->worker->on_handshake, self->scope, (int)code);
    Py_XSETREF(self->denial, Py_NewRef(message));
    self->state = WEBSOCKET_DENYING;
    return 0;
}

static bool
has_field(const message_fields *fields, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < fields->count; ++i) {
        if (fields->at[i].name.len == len &&
            PyOS_strnicmp(fields->at[i].name.p, name, (Py_ssize_t)len) == 0)
            return true;
    }
    return false;
}

/* Sends the head, now that the first piece of the body is known: with the fields that
   uvicorn adds where the application has not set them. */
static int
begin_denial(WebSocket *self, int status, PyObject *headers, size_t length, bool is_whole)
{
    message_fields fields;
    char digits[24];
    int rv;

    if (message_fields_init(&fields, headers, 2) < 0)
        return -1;
    if (!has_field(&fields, "content-type"))
        fields.at[fields.count++] =
            (fa_field){{"content-type", 12}, {"text/plain; charset=utf-8", 25}};
    if (is_whole && !has_field(&fields, "content-length") &&
        !has_field(&fields, "transfer-encoding")) {
        int n = PyOS_snprintf(digits, sizeof(digits), "%zu", length);

        fields.at[fields.count++] =
            (fa_field){{"content-length", 14}, {digits, (size_t)n}};
    }
    fa_response_close(self->req);
    rv = fa_response_start_fields(self->req, status, fields.at, fields.count);
    message_fields_free(&fields);
    return rv == 0 || rv == FA_ERR_CLOSED ? 0 : message_raise(rv);
}

static int
begin_denial_once(WebSocket *self, size_t length, bool is_whole)
{
    core_state *core = self->worker->core;
    PyObject *denial = self->denial, *headers, *none = NULL;
    int rv = -1;

    if (denial == NULL)
        return 0;
    self->denial = NULL;
    headers = PyDict_GetItemWithError(denial, core->str_headers);
    if (headers == NULL && PyErr_Occurred() == NULL)
        headers = none = PyTuple_New(0);
    if (headers != NULL)
        rv = begin_denial(self,
                          (int)PyLong_AsLong(PyDict_GetItem(denial, core->str_status)),
                          headers, length, is_whole);
    Py_XDECREF(none);
    Py_DECREF(denial);
    return rv;
}

static int
end_denial(WebSocket *self)
{
    int status = fa_response_status(self->req);

    if (websocket_part(self, FA_WEBSOCKET_ABNORMAL, NULL) < 0)
        return -1;
    self->state = WEBSOCKET_CLOSED; /* before the server says that it has finished */
    websocket_answered(self);
    tell(self->worker, self->worker->on_connection, NULL, status);
    if (self->req != NULL && fa_response_end(self->req) == FA_ERR_INVALID) {
        PyErr_SetString(PyExc_RuntimeError,
                        "Response content shorter than Content-Length");
        return -1;
    }
    waiters_wake(&self->receivers, self->worker);
    return 0;
}

int
websocket_deny_body(WebSocket *self, PyObject *message)
{
    core_state *core = self->worker->core;
    PyObject *body = PyDict_GetItemWithError(message, core->str_body), *more;
    Py_buffer view = {.buf = "", .len = 0};
    int is_more, rv;

    if (body == NULL && PyErr_Occurred() != NULL)
        return -1;
    more = PyDict_GetItemWithError(message, core->str_more_body);
    is_more = more != NULL ? PyObject_IsTrue(more) : 0;
    if (is_more < 0 || PyErr_Occurred() != NULL)
        return -1;
    if (body != NULL && PyObject_GetBuffer(body, &view, PyBUF_SIMPLE) < 0)
        return -1;
    rv = begin_denial_once(self, (size_t)view.len, !is_more);
    if (rv == 0 && self->req != NULL) {
        rv = fa_response_write(self->req, (fa_slice){view.buf, (size_t)view.len});
        self->full = rv == FA_ERR_FULL;
        if (rv == FA_ERR_FULL || rv == FA_ERR_CLOSED)
            rv = 0;
        else if (rv != 0)
            rv = message_raise(rv);
    }
    if (body != NULL)
        PyBuffer_Release(&view);
    if (rv == 0 && !is_more && self->req != NULL)
        rv = end_denial(self);
    return rv;
}
