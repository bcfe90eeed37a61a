/* Plans among the routes of the native application. */
#include "plan/plan.h"

int
plan_methods_of(uint32_t *bits, PyObject *methods)
{
    *bits = 0;
    if (!PyTuple_Check(methods)) {
        PyErr_SetString(PyExc_TypeError, "methods must be a tuple");
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(methods); ++i) {
        const char *name = PyUnicode_AsUTF8(PyTuple_GET_ITEM(methods, i));
        fa_method method = FA_METHOD_OTHER;

        if (name == NULL)
            return -1;
        for (int m = FA_GET; m <= FA_QUERY; ++m) {
            if (fa_slice_equal(fa_method_name((fa_method)m), fa_slice_of(name)))
                method = (fa_method)m;
        }
        if (method == FA_METHOD_OTHER) {
            PyErr_Format(PyExc_ValueError, "no plan can be for method %s", name);
            return -1;
        }
        *bits |= FA_METHOD_BIT(method);
    }
    return 0;
}

static bool
reads_body(const Plan *plan)
{
    for (Py_ssize_t i = 0; i < plan->param_count; ++i) {
        if (plan->params[i].source == PARAM_BODY ||
            plan->params[i].source == PARAM_MEMBER)
            return true;
    }
    return false;
}

/* NULL with an exception: no memory. */
static plan_route *
keep(Worker *worker, Plan *plan)
{
    plan_route *kept = PyMem_New(plan_route, 1);

    if (kept == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    *kept = (plan_route){.worker = worker, .plan = plan, .next = worker->plan_routes};
    worker->plan_routes = kept;
    return kept;
}

/* Likewise. */
static plan_misses *
keep_misses(Worker *worker, const Misses *misses)
{
    plan_misses *kept = PyMem_New(plan_misses, 1);

    if (kept == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    *kept =
        (plan_misses){.worker = worker, .misses = misses, .next = worker->plan_misses};
    worker->plan_misses = kept;
    if (misses->missing != NULL &&
        (kept->missing = keep(worker, misses->missing)) == NULL)
        return NULL;
    if (misses->slash != NULL && (kept->slash = keep(worker, misses->slash)) == NULL)
        return NULL;
    return kept;
}

/* What is called for the rows of a Plan. 0, or -1 with an exception. */
static int
lead_to_plan(fa_route *route, Worker *worker, Plan *plan)
{
    plan_route *kept = keep(worker, plan);

    if (kept == NULL)
        return -1;
    route->handler = plan_on_request;
    route->user_data = kept;
    /* FastAPI, too, has the whole body before it begins. */
    route->stream_body = route->whole_if_there = !reads_body(plan) || plan->limit >= 0;
    /* What is too long is refused when its head has come. */
    if (reads_body(plan) && plan->limit > 0)
        route->whole_bytes = (uint64_t)plan->limit;
    route->max_body_bytes = worker->options.limits.max_body_bytes;
    return 0;
}

/* Likewise of Misses. */
static int
lead_to_misses(fa_route *route, Worker *worker, const Misses *misses)
{
    plan_misses *kept = keep_misses(worker, misses);

    if (kept == NULL)
        return -1;
    route->handler = plan_on_miss_below;
    route->user_data = kept;
    if (route->pattern == NULL)
        worker->misses = kept;
    return 0;
}

/* Likewise of whatever a row has in the end. */
static int
lead(fa_route *route, Worker *worker, PyObject *object)
{
    if (PyObject_TypeCheck(object, worker->core->misses_type))
        return lead_to_misses(route, worker, (Misses *)object);
    if (route->pattern != NULL && object == Py_None)
        return 0;
    if (route->pattern != NULL && PyObject_TypeCheck(object, worker->core->plan_type))
        return lead_to_plan(route, worker, (Plan *)object);
    PyErr_SetString(PyExc_TypeError,
                    "a route has a Plan, Misses or None; Misses, if any path is its");
    return -1;
}

static int
add(Worker *worker, PyObject *row)
{
    PyObject *methods, *object;
    fa_route route = {.handler = cycle_on_request,
                      .user_data = worker,
                      .stream_body = true,
                      .whole_if_there = true};
    int rv;

    if (!PyArg_ParseTuple(row, "zOO:route", &route.pattern, &methods, &object) ||
        plan_methods_of(&route.methods, methods) < 0 || lead(&route, worker, object) < 0)
        return -1;
    if (route.pattern == NULL)
        return 0; /* make_worker() has a fallback */
    rv = fa_app_add_route(worker->app, &route);
    if (rv == FA_ERR_NOMEM)
        PyErr_NoMemory();
    else if (rv != 0)
        PyErr_Format(PyExc_ValueError, "%s: %s", route.pattern, fa_strerror(rv));
    return rv == 0 ? 0 : -1;
}

int
plan_add_routes(Worker *worker)
{
    if (worker->routes == Py_None)
        return 0;
    if (!PyTuple_Check(worker->routes)) {
        PyErr_SetString(PyExc_TypeError, "routes must be a tuple");
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(worker->routes); ++i) {
        if (add(worker, PyTuple_GET_ITEM(worker->routes, i)) < 0)
            return -1;
    }
    return 0;
}

void
plan_free_routes(Worker *worker)
{
    worker->misses = NULL;
    while (worker->plan_misses != NULL) {
        plan_misses *next = worker->plan_misses->next;

        PyMem_Free(worker->plan_misses);
        worker->plan_misses = next;
    }
    while (worker->plan_routes != NULL) {
        plan_route *next = worker->plan_routes->next;

        PyMem_Free(worker->plan_routes);
        worker->plan_routes = next;
    }
}
