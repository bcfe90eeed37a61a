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

/* NULL with an exception: no plan, or no memory. */
static plan_route *
keep(Worker *worker, PyObject *object)
{
    plan_route *kept;

    if (!PyObject_TypeCheck(object, worker->core->plan_type)) {
        PyErr_SetString(PyExc_TypeError, "a route has a Plan or None");
        return NULL;
    }
    kept = PyMem_New(plan_route, 1);
    if (kept == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    *kept = (plan_route){
        .worker = worker, .plan = (Plan *)object, .next = worker->plan_routes};
    worker->plan_routes = kept;
    return kept;
}

/* (None, plan or None, plan or None) */
static int
add_misses(Worker *worker, PyObject *missing, PyObject *slash)
{
    if (missing != Py_None && (worker->missing = keep(worker, missing)) == NULL)
        return -1;
    if (slash != Py_None && (worker->slash = keep(worker, slash)) == NULL)
        return -1;
    return 0;
}

static int
add(Worker *worker, PyObject *row)
{
    const char *pattern;
    PyObject *methods, *object;
    fa_route route = {.handler = cycle_on_request,
                      .user_data = worker,
                      .stream_body = true,
                      .whole_if_there = true};
    int rv;

    if (!PyArg_ParseTuple(row, "zOO:route", &pattern, &methods, &object))
        return -1;
    if (pattern == NULL)
        return add_misses(worker, methods, object);
    if (plan_methods_of(&route.methods, methods) < 0)
        return -1;
    route.pattern = pattern;
    if (object != Py_None) {
        plan_route *kept = keep(worker, object);

        if (kept == NULL)
            return -1;
        route.handler = plan_on_request;
        route.user_data = kept;
        /* FastAPI, too, has the whole body before it begins. */
        route.stream_body = route.whole_if_there =
            !reads_body(kept->plan) || kept->plan->limit >= 0;
        /* What is too long is refused when its head has come. */
        if (reads_body(kept->plan) && kept->plan->limit > 0)
            route.whole_bytes = (uint64_t)kept->plan->limit;
        route.max_body_bytes = worker->options.limits.max_body_bytes;
    }
    rv = fa_app_add_route(worker->app, &route);
    if (rv == FA_ERR_NOMEM)
        PyErr_NoMemory();
    else if (rv != 0)
        PyErr_Format(PyExc_ValueError, "%s: %s", pattern, fa_strerror(rv));
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
    worker->missing = worker->slash = NULL;
    while (worker->plan_routes != NULL) {
        plan_route *next = worker->plan_routes->next;

        PyMem_Free(worker->plan_routes);
        worker->plan_routes = next;
    }
}
