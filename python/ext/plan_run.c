/* A request that a plan serves: from its head to the answer, or to the coroutine that
   goes on in Python. */
#include "application.h"
#include "plan.h"

/* One for each request that a plan serves. */
typedef struct Run {
    PyObject_HEAD Worker *worker;
    Plan *plan;
    fa_request *req;       /* borrowed; NULL once the server has done with it */
    fa_deferred *deferred; /* held while the endpoint waits for something */
    PyObject *scope;       /* of a request that ended too early, else NULL */
    Cycle *cycle;          /* what goes on in Python */
    bool over;             /* the endpoint has ended */
} Run;

/* ---- may the plan serve it? ---- */

static bool
guard_holds(const plan_guard *guard)
{
    PyObject *value = PyObject_GetAttr(guard->object, guard->attribute);
    bool holds = value != NULL && (guard->expected == NULL || value == guard->expected);

    if (holds && guard->size >= 0)
        holds = PyObject_Size(value) == guard->size;
    Py_XDECREF(value);
    if (PyErr_Occurred())
        PyErr_Clear();
    return holds;
}

/* Once a poll: requests that are served in one come at the same time. What one of them
   changes counts for those that come after it has been answered. */
static bool
guards_hold(Plan *plan, const Worker *worker)
{
    if (plan->checked != worker->polls) {
        plan->checked = worker->polls;
        plan->applies = true;
        for (Py_ssize_t i = 0; plan->applies && i < plan->guard_count; ++i)
            plan->applies = guard_holds(&plan->guards[i]);
    }
    return plan->applies;
}

static bool
applies(Plan *plan, const Worker *worker, fa_request *req)
{
    fa_slice path = fa_request_path(req);

    /* To Python's patterns the end may also be before a newline. */
    return guards_hold(plan, worker) && memchr(path.p, '\n', path.len) == NULL;
}

/* ---- the end ---- */

/* Raises what FastAPI makes of the exception that is set. */
static void
refuse(const Plan *plan, PyObject *result)
{
    PyObject *error = application_take_error();
    PyObject *told = PyObject_CallFunctionObjArgs(plan->refuse, error, result, NULL);

    if (told != NULL)
        PyErr_SetObject((PyObject *)Py_TYPE(told), told);
    Py_XDECREF(told);
    Py_DECREF(error);
}

/* to_json(validate(result)): bytes, or NULL with an exception. */
static PyObject *
modelled(const Plan *plan, PyObject *result)
{
    PyObject *args[PLAN_PARAMS_MAX + 2] = {NULL, result, Py_True}, *value, *json;
    Py_ssize_t n = PyTuple_GET_SIZE(plan->to_json_values);

    value =
        PyObject_Vectorcall(plan->validate, args + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET,
                            plan->core->from_attributes);
    if (value == NULL) {
        refuse(plan, result);
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

static void
log_access(Worker *worker, fa_request *req, int status)
{
    PyObject *scope, *logged = NULL;

    if (worker->on_access == Py_None)
        return;
    scope = scope_of_request(worker, req);
    if (scope != NULL)
        logged = PyObject_CallFunction(worker->on_access, "Oi", scope, status);
    if (logged == NULL)
        PyErr_WriteUnraisable(worker->on_access);
    Py_XDECREF(scope);
    Py_XDECREF(logged);
}

static void
respond(Run *run, fa_slice body)
{
    fa_request *req = run->req;

    if (req == NULL)
        return; /* the client is gone */
    log_access(run->worker, req, run->plan->status);
    (void)fa_respond(req, run->plan->status, FA_SLICE("application/json"), body);
}

/* Answers with bytes, which are taken over. -1 with an exception if there are none. */
static int
respond_bytes(Run *run, PyObject *bytes)
{
    if (bytes == NULL)
        return -1;
    if (!PyBytes_Check(bytes)) {
        Py_DECREF(bytes);
        PyErr_SetString(PyExc_TypeError, "a body is bytes");
        return -1;
    }
    respond(run, (fa_slice){PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)});
    Py_DECREF(bytes);
    return 0;
}

/* 1: answered. 0: `result` is an answer itself. -1 with an exception. */
static int
answer(Run *run, PyObject *result)
{
    const Plan *plan = run->plan;
    json_text *text = &run->worker->text;
    int is_response = PyObject_IsInstance(result, plan->response);

    if (is_response != 0)
        return is_response < 0 ? -1 : 0;
    if (plan->validate != NULL)
        return respond_bytes(run, modelled(plan, result)) < 0 ? -1 : 1;
    text->len = 0;
    if (!json_text_add(text, result))
        return respond_bytes(run, PyObject_CallOneArg(plan->encode, result)) < 0 ? -1 : 1;
    respond(run, (fa_slice){text->p, text->len});
    return 1;
}

/* What the plan cannot answer goes on in Python, as the application's own answer. */
static bool
go_on(Run *run, PyObject *error, PyObject *result, carrier_job *next)
{
    Cycle *cycle = cycle_take_over(run->worker, run->req, run->deferred, run->scope);
    PyObject *coroutine;

    run->deferred = NULL;
    run->scope = NULL;
    run->req = NULL;
    if (cycle == NULL) {
        PyErr_WriteUnraisable((PyObject *)run->worker);
        return false;
    }
    run->cycle = cycle;
    coroutine = cycle_call(cycle, run->plan->finish, error, result);
    if (coroutine == NULL) {
        cycle_report_raised(cycle);
        return false;
    }
    *next = (carrier_job){coroutine, Py_NewRef((PyObject *)cycle), cycle_done};
    return true;
}

static bool
on_done(PyObject *owner, PyObject *result, PyObject *error, carrier_job *next)
{
    Run *run = (Run *)owner;
    PyObject *raised;
    bool more;
    int done = 0;

    run->over = true;
    if (error == NULL)
        done = answer(run, result);
    if (done == 1)
        return false;
    if (done == 0)
        return go_on(run, error, result, next);
    raised = application_take_error();
    more = go_on(run, raised, Py_None, next);
    Py_DECREF(raised);
    return more;
}

/* ---- the beginning ---- */

/* The client is gone before the answer. What is still to be run wants to know of which
   request it was. */
static void
on_finish(fa_request *req, int Py_UNUSED(error), void *user_data)
{
    Run *run = user_data;

    if (!run->over) {
        run->scope = scope_of_request(run->worker, req);
        if (run->scope == NULL)
            PyErr_WriteUnraisable((PyObject *)run->worker);
    }
    run->req = NULL;
    if (run->deferred != NULL) {
        fa_deferred_release(run->deferred);
        run->deferred = NULL;
    }
    Py_DECREF((PyObject *)run); /* the server's */
}

/* The endpoint waits for something: the answer comes later. */
static void
defer(Run *run)
{
    Py_INCREF((PyObject *)run);
    fa_request_on_finish(run->req, on_finish, run);
    run->deferred = fa_request_defer(run->req);
}

static void
fail_to_begin(Run *run)
{
    PyObject *raised = application_take_error();
    carrier_job next;

    if (on_done((PyObject *)run, NULL, raised, &next)) {
        Cycle *cycle = run->cycle;

        if (carrier_run(run->worker, &next) < 0)
            cycle_report_raised(cycle);
        Py_DECREF(next.owner);
    }
    Py_DECREF(raised);
}

static void
begin(Run *run, PyObject *awaitable)
{
    carrier_job job = {application_iterator(awaitable), (PyObject *)run, on_done};

    if (job.coroutine == NULL || carrier_run(run->worker, &job) < 0)
        fail_to_begin(run);
    if (run->cycle != NULL)
        cycle_defer(run->cycle);
    else if (!run->over)
        defer(run);
}

static Run *
run_new(Worker *worker, Plan *plan, fa_request *req)
{
    PyTypeObject *type = plan->core->run_type;
    Run *run = (Run *)type->tp_alloc(type, 0);

    if (run == NULL)
        return NULL;
    run->worker = (Worker *)Py_NewRef((PyObject *)worker);
    run->plan = (Plan *)Py_NewRef((PyObject *)plan);
    run->req = req;
    return run;
}

int
plan_on_request(fa_request *req, void *user_data)
{
    const plan_route *route = user_data;
    Plan *plan = route->plan;
    PyObject *values[PLAN_PARAMS_MAX];
    Run *run;

    if (!applies(plan, route->worker, req) || !plan_bind(plan, req, values)) {
        ++plan->passed_on;
        return cycle_on_request(req, route->worker);
    }
    ++plan->served;
    run = run_new(route->worker, plan, req);
    if (run != NULL)
        begin(run, PyObject_Vectorcall(plan->endpoint, values, 0, plan->names));
    else
        PyErr_WriteUnraisable((PyObject *)plan);
    for (Py_ssize_t i = 0; i < plan->param_count; ++i)
        Py_DECREF(values[i]);
    if (run == NULL)
        return FA_ERR_NOMEM;
    Py_DECREF((PyObject *)run);
    return 0;
}

/* ---- the type ---- */

static int
run_traverse(PyObject *op, visitproc visit, void *arg)
{
    Run *run = (Run *)op;

    Py_VISIT(Py_TYPE(op));
    Py_VISIT((PyObject *)run->worker);
    Py_VISIT((PyObject *)run->plan);
    Py_VISIT((PyObject *)run->cycle);
    Py_VISIT(run->scope);
    return 0;
}

static int
run_clear(PyObject *op)
{
    Run *run = (Run *)op;

    Py_CLEAR(run->cycle);
    Py_CLEAR(run->scope);
    return 0;
}

static void
run_dealloc(PyObject *op)
{
    Run *run = (Run *)op;
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    (void)run_clear(op);
    if (run->deferred != NULL)
        fa_deferred_release(run->deferred);
    Py_CLEAR(run->plan);
    Py_CLEAR(run->worker);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyType_Slot run_slots[] = {
    {Py_tp_doc, "One request that a plan serves."},
    {Py_tp_traverse, run_traverse},
    {Py_tp_clear, run_clear},
    {Py_tp_dealloc, run_dealloc},
    {0, NULL},
};

PyType_Spec run_spec = {
    .name = "fasterapi._core.Run",
    .basicsize = sizeof(Run),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = run_slots,
};
