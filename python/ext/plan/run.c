/* A request that a plan serves: from its head to the answer, or to the coroutine that
   goes on in Python. */
#include "carrier/application.h"
#include "plan/plan.h"

/* ---- may the plan serve it? ---- */

/* The same objects in the same order: their number says nothing of the order in which
   routes are asked. */
static bool
has_items(PyObject *list, PyObject *items)
{
    Py_ssize_t n = PyTuple_GET_SIZE(items);

    if (!PyList_Check(list) || PyList_GET_SIZE(list) != n)
        return false;
    for (Py_ssize_t i = 0; i < n; ++i) {
        if (PyList_GET_ITEM(list, i) != PyTuple_GET_ITEM(items, i))
            return false;
    }
    return true;
}

static bool
guard_holds(const plan_guard *guard)
{
    PyObject *value = PyObject_GetAttr(guard->object, guard->attribute);
    bool holds = value != NULL && (guard->expected == NULL || value == guard->expected ||
                                   (guard->or_none && value == Py_None));

    if (holds && guard->size >= 0)
        holds = PyObject_Size(value) == guard->size;
    if (holds && guard->items != NULL)
        holds = has_items(value, guard->items);
    Py_XDECREF(value);
    if (PyErr_Occurred())
        PyErr_Clear();
    return holds;
}

bool
plan_guards_hold(const Plan *plan, Py_ssize_t from, Py_ssize_t to)
{
    for (Py_ssize_t i = from; i < to; ++i) {
        if (!guard_holds(&plan->guards[i]))
            return false;
    }
    return true;
}

/* Once a poll: requests that are served in one come at the same time. What one of them
   changes counts for those that come after it has been answered. */
static void
ask_guards(plan_route *route)
{
    const Plan *plan = route->plan;

    if (route->checked == route->worker->polls)
        return;
    route->checked = route->worker->polls;
    route->applies = !plan->demoted && plan_guards_hold(plan, 0, plan->hard_count);
    route->fits =
        route->applies && plan_guards_hold(plan, plan->hard_count, plan->guard_count);
}

/* Of a body that comes in chunks this is known once it is there. */
static bool
is_within_limit(const Plan *plan, fa_request *req)
{
    int64_t length = fa_request_content_length(req);

    if (plan->limit < 0)
        return true;
    if (length < 0 && !fa_request_body_whole(req))
        return false;
    if (length < 0)
        length = (int64_t)fa_request_body(req).len;
    return length <= plan->limit;
}

static bool
applies(plan_route *route, fa_request *req)
{
    ask_guards(route);
    return route->applies && is_within_limit(route->plan, req) &&
           plan_path_is_plain(fa_request_path(req)) &&
           !(route->worker->ws && fa_request_is_websocket(req));
}

/* ---- the end ---- */

Cycle *
run_cycle(Run *run)
{
    bool held = run->held;

    if (run->cycle != NULL)
        return run->cycle;
    run->held = false;
    run->cycle = cycle_take_over(run->worker, run->req, run->deferred, run->scope);
    if (run->cycle == NULL) {
        run->held = held;
        return NULL;
    }
    run->cycle->started = run->cycle->complete = run->answered;
    run->deferred = NULL;
    run->req = NULL;
    if (held)
        Py_DECREF((PyObject *)run); /* on_finish is the cycle's now */
    return run->cycle;
}

void
plan_watch(Worker *worker, const char *what)
{
    PyObject *res = NULL;

    if (worker->watch == Py_None)
        return;
    carrier_leave(worker);
    res = PyObject_CallMethod(worker->watch, what, NULL);
    if (res == NULL)
        PyErr_WriteUnraisable(worker->watch);
    Py_XDECREF(res);
}

/* What goes on in Python after it has been watched until now. */
static bool
on_last_done(PyObject *owner, PyObject *result, PyObject *error, carrier_job *next)
{
    bool more = cycle_done(owner, result, error, next);

    plan_watch(((Cycle *)owner)->worker, "run_ended");
    return more;
}

/* By 500, as nobody else will: at once, or when its handler returns. */
static void
let_server_answer(Run *run)
{
    fa_deferred *deferred = run->deferred;

    run->deferred = NULL;
    if (deferred != NULL)
        fa_deferred_release(deferred);
}

/* What the plan cannot answer goes on in Python, as the application's own answer. */
static bool
go_on(Run *run, PyObject *error, PyObject *result, carrier_job *next)
{
    Cycle *cycle = run_cycle(run);
    PyObject *coroutine;

    if (cycle == NULL) {
        PyErr_WriteUnraisable((PyObject *)run->worker);
        let_server_answer(run);
        return false;
    }
    if (run->body != NULL && cycle->handed_out && cycle->body == NULL) {
        /* A handler's Request is not the one that has it. */
        cycle->body = Py_NewRef(run->body);
        cycle->handed_out = false;
    }
    coroutine = cycle_call(cycle, run->plan->finish, error, result);
    if (coroutine == NULL) {
        cycle_report_raised(cycle);
        return false;
    }
    *next = (carrier_job){coroutine, Py_NewRef((PyObject *)cycle), on_last_done};
    return true;
}

static bool
done(Run *run, PyObject *result, PyObject *error, carrier_job *next)
{
    PyObject *raised, *instead = NULL;
    bool more;
    int rv = 0;

    run->over = true;
    if (error == NULL && run->runs) /* it has answered, or an answer of the user's not */
        return run->cycle != NULL &&
               cycle_done((PyObject *)run->cycle, result, NULL, next);
    if (error == NULL)
        rv = plan_answer(run, result, &instead);
    if (rv == 1)
        return false;
    if (error != NULL && !run->direct && plan_answer_error(run, error))
        return false;
    if (rv == 0) {
        if (instead == NULL)
            instead = Py_NewRef(result != NULL ? result : Py_None);
        more = go_on(run, error, instead, next);
        Py_DECREF(instead);
        return more;
    }
    raised = application_take_error();
    more = !plan_answer_error(run, raised) && go_on(run, raised, Py_None, next);
    Py_DECREF(raised);
    return more;
}

static bool
on_done(PyObject *owner, PyObject *result, PyObject *error, carrier_job *next)
{
    Run *run = (Run *)owner;
    bool more = done(run, result, error, next);

    if (!more)
        plan_watch(run->worker, "run_ended");
    return more;
}

/* ---- the beginning ---- */

/* The client is gone before the answer. What is still to be run wants to know of which
   request it was. */
static void
on_finish(fa_request *req, int Py_UNUSED(error), void *user_data)
{
    Run *run = user_data;

    if (!run->over && !run->answered) {
        run->scope = scope_of_request(run->worker, req);
        if (run->scope == NULL)
            PyErr_WriteUnraisable((PyObject *)run->worker);
    }
    run->req = NULL;
    if (run->deferred != NULL) {
        fa_deferred_release(run->deferred);
        run->deferred = NULL;
    }
    run->held = false;
    Py_DECREF((PyObject *)run); /* the server's */
}

/* The endpoint waits for something: the answer comes later. */
static void
defer(Run *run)
{
    if (run->answered || run->req == NULL)
        return;
    run->held = true;
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

        if (carrier_run(run->worker, &next) < 0) {
            cycle_report_raised(cycle);
            plan_watch(run->worker, "run_ended");
        }
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

/* Whether this is the request that both tiers are to answer. */
static bool
is_sample(Plan *plan)
{
    return plan->sample_in != 0 && --plan->sample_in == 0 && plan->sampler != NULL;
}

/* The endpoint's awaitable, or NULL with an exception. args[0] is for the Run. Calling a
   coroutine function runs nothing of it. */
static PyObject *
called(Plan *plan, Run *run, PyObject **args)
{
    run->runs = plan->is_runner;
    if (plan->sample_in != 0 || !plan->is_coroutine)
        carrier_leave(run->worker);
    if (is_sample(plan)) {
        run->runs = true;
        return PyObject_CallOneArg(plan->sampler, (PyObject *)run);
    }
    if (!plan->is_runner)
        return PyObject_Vectorcall(plan->endpoint, args + 1,
                                   0 | PY_VECTORCALL_ARGUMENTS_OFFSET, plan->names);
    args[0] = (PyObject *)run;
    return PyObject_Vectorcall(plan->endpoint, args, 1, plan->names);
}

/* To FastAPI's own handler of the route: it knows the calls that have been replaced. */
static int
go_direct(Plan *plan, Worker *worker, fa_request *req)
{
    Run *run = run_new(worker, plan, req);

    if (run == NULL) {
        PyErr_WriteUnraisable((PyObject *)plan);
        return FA_ERR_NOMEM;
    }
    ++plan->directed;
    run->runs = run->direct = true;
    carrier_leave(worker);
    plan_watch(worker, "run_directed");
    begin(run, PyObject_CallOneArg(plan->direct, (PyObject *)run));
    Py_DECREF((PyObject *)run);
    return 0;
}

int
plan_on_request(fa_request *req, void *user_data)
{
    plan_route *route = user_data;
    Plan *plan = route->plan;
    PyObject *args[PLAN_PARAMS_MAX + 1], **values = args + 1, *body = NULL;
    plan_bound bound = PLAN_UNBOUND;
    plan_request input;
    Run *run;

    if (!applies(route, req) ||
        !plan_steps_admit(plan->steps, plan->step_count, route->worker, req)) {
        ++plan->passed_on;
        return cycle_on_request(req, route->worker);
    }
    plan_request_init(&input, req);
    if (route->fits)
        bound = plan_bind(plan, &input.input, values, &body);
    if (bound == PLAN_UNBOUND) {
        if (plan->direct == Py_None) {
            ++plan->passed_on;
            return cycle_on_request(req, route->worker);
        }
        return go_direct(plan, route->worker, req);
    }
    ++plan->served;
    run = run_new(route->worker, plan, req);
    if (run != NULL) {
        plan_watch(route->worker, plan->is_direct ? "run_directed" : "run_began");
        begin(run, bound == PLAN_BOUND ? called(plan, run, args)
                                       : plan_reject(run, body, values));
    } else {
        PyErr_WriteUnraisable((PyObject *)plan);
    }
    Py_XDECREF(body);
    for (Py_ssize_t i = 0; i < plan->param_count; ++i)
        Py_DECREF(values[i]);
    if (run == NULL)
        return FA_ERR_NOMEM;
    Py_DECREF((PyObject *)run);
    return 0;
}
