/* What an endpoint returns becomes the answer: builtin objects by C, models by
   pydantic-core, the rest by the application's own means. */
#include "carrier/application.h"
#include "http/message.h"
#include "plan/plan.h"

/* Raises what FastAPI makes of the exception that is set. */
static void
refuse(const Plan *plan, PyObject *run, PyObject *result)
{
    PyObject *error = application_take_error();
    PyObject *told = PyObject_CallFunctionObjArgs(plan->refuse, error, result, run, NULL);

    if (told != NULL)
        PyErr_SetObject((PyObject *)Py_TYPE(told), told);
    Py_XDECREF(told);
    Py_DECREF(error);
}

/* to_json(validate(result)): bytes, or NULL with an exception. */
static PyObject *
modelled(const Plan *plan, PyObject *run, PyObject *result)
{
    PyObject *args[PLAN_PARAMS_MAX + 2] = {NULL, result, Py_True}, *value, *json;
    Py_ssize_t n = PyTuple_GET_SIZE(plan->to_json_values);

    value =
        PyObject_Vectorcall(plan->validate, args + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET,
                            plan->core->from_attributes);
    if (value == NULL) {
        refuse(plan, run, result);
        return NULL;
    }
    args[1] = value;
    for (Py_ssize_t i = 0; i < n; ++i)
        args[2 + i] = PyTuple_GET_ITEM(plan->to_json_values, i);
    json = PyObject_Vectorcall(plan->to_json, args + 1,
                               1 | PY_VECTORCALL_ARGUMENTS_OFFSET, plan->to_json_names);
    Py_DECREF(value);
    return json;
}

/* With the scope that the application has had, if it has: it may have changed it. */
static void
log_access(const Run *run, fa_request *req, int status)
{
    Worker *worker = run->worker;
    PyObject *scope, *number;

    if (worker->on_access == Py_None)
        return;
    scope =
        run->cycle != NULL ? Py_NewRef(run->cycle->scope) : scope_of_request(worker, req);
    number = scope != NULL ? PyLong_FromLong(status) : NULL;
    if (number != NULL)
        access_log(worker, scope, number);
    else
        PyErr_WriteUnraisable(worker->on_access);
    Py_XDECREF(scope);
    Py_XDECREF(number);
}

/* Whom to answer; NULL: the client is gone. */
static fa_request *
begin_answer(Run *run, int status)
{
    fa_request *req = run->cycle != NULL ? run->cycle->req : run->req;

    run->answered = true;
    plan_watch(run->worker, "run_answers");
    if (run->cycle != NULL)
        run->cycle->started = run->cycle->complete = true;
    run->req = NULL; /* over with this answer */
    if (req != NULL)
        log_access(run, req, status);
    return req;
}

static void
respond(Run *run, fa_slice body)
{
    int status = run->plan->status;
    fa_request *req = begin_answer(run, status);

    if (req != NULL)
        (void)fa_respond(req, status, FA_SLICE("application/json"), body);
}

static int
start_and_end(fa_request *req, int status, const plan_answered *answer)
{
    int rv = fa_response_start_fields(req, status, answer->at, answer->count);

    if (rv == 0)
        rv = fa_response_write(req, answer->body);
    if (rv == 0 || rv == FA_ERR_FULL)
        rv = fa_response_end(req);
    return rv;
}

/* The same through the plan's steps. False: nothing is sent. */
static bool
respond_by_steps(Run *run, fa_slice body)
{
    const Plan *plan = run->plan;
    fa_request *req = run->cycle != NULL ? run->cycle->req : run->req;
    plan_answered answer;

    if (req == NULL) {
        (void)begin_answer(run, plan->status);
        return true;
    }
    if (!plan_steps_answer(plan->steps, plan->step_count, req, body, &answer))
        return false;
    (void)begin_answer(run, plan->status);
    (void)start_and_end(req, plan->status, &answer);
    plan_answered_free(&answer);
    return true;
}

/* ---- the body ---- */

/* Bytes, or NULL with an exception. */
static PyObject *
encoded(const Plan *plan, PyObject *result)
{
    PyObject *bytes = PyObject_CallOneArg(plan->encode, result);

    if (bytes != NULL && !PyBytes_Check(bytes)) {
        PyErr_SetString(PyExc_TypeError, "a body is bytes");
        Py_CLEAR(bytes);
    }
    return bytes;
}

/* What most endpoints return, and no answer itself. */
static bool
is_builtin(PyObject *result)
{
    return PyDict_CheckExact(result) || PyList_CheckExact(result) ||
           PyUnicode_CheckExact(result) || result == Py_None;
}

/* 1: the body is in *body, and in *owner if it is not NULL. 0: `result` is an answer
   itself. -1 with an exception. */
static int
body_of(const Plan *plan, json_text *text, PyObject *run, PyObject *result,
        fa_slice *body, PyObject **owner)
{
    int is_response =
        is_builtin(result) ? 0 : PyObject_IsInstance(result, plan->response);

    *owner = NULL;
    if (is_response != 0)
        return is_response < 0 ? -1 : 0;
    text->len = 0;
    if (plan->validate == NULL && json_text_add(text, result)) {
        *body = (fa_slice){text->p, text->len};
        return 1;
    }
    *owner = plan->validate != NULL ? modelled(plan, run, result) : encoded(plan, result);
    if (*owner == NULL)
        return -1;
    *body = (fa_slice){PyBytes_AS_STRING(*owner), (size_t)PyBytes_GET_SIZE(*owner)};
    return 1;
}

/* ---- answers themselves ---- */

/* What a plain Response sends: all new references, or NULL. */
typedef struct response_parts {
    PyObject *status, *headers, *body, *background;
} response_parts;

static bool
take_parts(response_parts *parts, PyObject *response)
{
    parts->status = PyObject_GetAttrString(response, "status_code");
    parts->headers = PyObject_GetAttrString(response, "raw_headers");
    parts->body = PyObject_GetAttrString(response, "body");
    parts->background = PyObject_GetAttrString(response, "background");
    return parts->status != NULL && parts->headers != NULL && parts->body != NULL &&
           parts->background != NULL;
}

static void
free_parts(response_parts *parts)
{
    Py_XDECREF(parts->status);
    Py_XDECREF(parts->headers);
    Py_XDECREF(parts->body);
    Py_XDECREF(parts->background);
}

/* The fields frame the body as it is, so that nothing can go wrong behind them: one
   Content-Length of its size, or none where a status has no body (RFC 9110, 8.6). */
static bool
framed(const message_fields *headers, long status, size_t length)
{
    bool counted = false;
    char digits[24];

    (void)PyOS_snprintf(digits, sizeof(digits), "%zu", length);
    for (size_t i = 0; i < headers->count; ++i) {
        fa_slice name = headers->at[i].name;

        if (name.len == 0 || (name.p[0] | 0x20) == 't')
            return false; /* Transfer-Encoding, perhaps */
        if (name.len != sizeof("content-length") - 1 || (name.p[0] | 0x20) != 'c')
            continue;
        if (counted || !fa_slice_equal(name, FA_SLICE("content-length")) ||
            !fa_slice_equal(headers->at[i].value, fa_slice_of(digits)))
            return false;
        counted = true;
    }
    return counted != (status == 204 || status == 304) && (counted || length == 0);
}

/* Sends head and body of what take_parts() has found. False: nothing is sent, and no
   exception is set. */
static bool
send_plain(Run *run, const response_parts *parts)
{
    fa_request *req = run->cycle != NULL ? run->cycle->req : run->req;
    message_fields fields;
    fa_slice body;
    long status;
    int rv;

    if (!PyBytes_CheckExact(parts->body) || !PyLong_Check(parts->status) ||
        run->answered || (run->cycle != NULL && run->cycle->started) || req == NULL)
        return false;
    body =
        (fa_slice){PyBytes_AS_STRING(parts->body), (size_t)PyBytes_GET_SIZE(parts->body)};
    status = PyLong_AsLong(parts->status);
    if (status < 200 || status > 599 || status == 205 ||
        message_fields_init(&fields, parts->headers, 0) < 0)
        return false;
    rv = framed(&fields, status, body.len)
             ? fa_response_start_fields(req, (int)status, fields.at, fields.count)
             : FA_ERR_INVALID;
    message_fields_free(&fields);
    if (rv != 0 && rv != FA_ERR_CLOSED)
        return false;
    (void)begin_answer(run, (int)status);
    if (rv == 0 && body.len > 0)
        rv = fa_response_write(req, body);
    if (rv == 0 || rv == FA_ERR_FULL)
        (void)fa_response_end(req);
    return true;
}

/* Sends `response` if calling it would do that and no more, but for background tasks,
   which are then the caller's to run, unless `alone`: then it must have none. */
static bool
answer_plain(Run *run, PyObject *response, bool alone)
{
    PyObject *call = PyObject_GetAttrString((PyObject *)Py_TYPE(response), "__call__");
    response_parts parts = {.headers = NULL};
    bool done = false;

    if (call == run->plan->plain_call && take_parts(&parts, response) &&
        (!alone || parts.background == Py_None))
        done = send_plain(run, &parts);
    if (PyErr_Occurred())
        PyErr_Clear(); /* the long way raises it again */
    Py_XDECREF(call);
    free_parts(&parts);
    return done;
}

bool
plan_answer_error(Run *run, PyObject *error)
{
    PyObject *response;
    bool done = false;

    if (run->plan->quick == Py_None || run->answered)
        return false;
    response = PyObject_CallOneArg(run->plan->quick, error);
    if (response == NULL)
        PyErr_Clear();
    else if (response != Py_None)
        done = answer_plain(run, response, true);
    Py_XDECREF(response);
    return done;
}

int
plan_answer(Run *run, PyObject *result, PyObject **instead)
{
    const Plan *plan = run->plan;
    PyObject *owner;
    fa_slice body;
    int rv = body_of(plan, &run->worker->text, (PyObject *)run, result, &body, &owner);

    *instead = NULL;
    if (rv == 1 && plan->step_count == 0) {
        respond(run, body);
    } else if (rv == 1 && !respond_by_steps(run, body)) {
        *instead =
            PyObject_CallFunction(plan->response, "y#iOs", body.p, (Py_ssize_t)body.len,
                                  plan->status, Py_None, "application/json");
        rv = *instead != NULL ? 0 : -1;
    } else if (rv == 0 && plan->step_count == 0) {
        rv = answer_plain(run, result, true) ? 1 : 0;
    }
    Py_XDECREF(owner);
    return rv;
}

/* ---- what runners call ---- */

PyObject *
run_prepare(PyObject *op, PyObject *result)
{
    Run *run = (Run *)op;

    return plan_prepare(run->plan, &run->worker->text, op, result);
}

PyObject *
plan_prepare(const Plan *plan, json_text *text, PyObject *run, PyObject *result)
{
    PyObject *owner;
    fa_slice body;

    switch (body_of(plan, text, run, result, &body, &owner)) {
    case 0: return Py_NewRef(result);
    case 1:
        return owner != NULL ? owner
                             : PyBytes_FromStringAndSize(body.p, (Py_ssize_t)body.len);
    default: return NULL;
    }
}

PyObject *
run_answer(PyObject *op, PyObject *response)
{
    return PyBool_FromLong(answer_plain((Run *)op, response, false));
}

/* With the length and type first, as Starlette has them. */
static int
respond_with(fa_request *req, int status, fa_slice body, const message_fields *headers)
{
    char length[24];
    fa_field *fields = headers->at;
    int rv;

    (void)PyOS_snprintf(length, sizeof(length), "%zu", body.len);
    memmove(fields + 2, fields, headers->count * sizeof(*fields));
    fields[0] = (fa_field){FA_SLICE("content-length"), fa_slice_of(length)};
    fields[1] = (fa_field){FA_SLICE("content-type"), FA_SLICE("application/json")};
    rv = fa_response_start_fields(req, status, fields, headers->count + 2);
    if (rv == FA_ERR_CLOSED)
        return 0;
    if (rv != 0)
        return message_raise(rv);
    rv = fa_response_write(req, body);
    if (rv == 0 || rv == FA_ERR_FULL)
        (void)fa_response_end(req);
    return 0;
}

PyObject *
run_respond(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"body", "status", "headers", NULL};
    Run *run = (Run *)op;
    PyObject *bytes, *status = Py_None, *headers = NULL;
    message_fields fields;
    long code = run->plan->status;
    fa_request *req;
    fa_slice body;
    int rv;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!|OO:respond", names, &PyBytes_Type,
                                     &bytes, &status, &headers))
        return NULL;
    if (run->answered) {
        PyErr_SetString(PyExc_RuntimeError, "the request is answered");
        return NULL;
    }
    body = (fa_slice){PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)};
    if (headers == NULL) {
        respond(run, body);
        return Py_NewRef(run->worker->core->sent);
    }
    if (status != Py_None && (code = PyLong_AsLong(status)) == -1 && PyErr_Occurred())
        return NULL;
    if (message_fields_init(&fields, headers, 2) < 0)
        return NULL;
    req = begin_answer(run, (int)code);
    rv = req != NULL ? respond_with(req, (int)code, body, &fields) : 0;
    message_fields_free(&fields);
    return rv == 0 ? Py_NewRef(run->worker->core->sent) : NULL;
}
