/* Paths that no route of an application has, and the type Misses: which plans answer
   them. Each application has one of its own, as a mounted one asks nobody above it. */
#include "plan/plan.h"

/* ---- what is asked ---- */

/* Those that rows can have: no others are asked for by the name of the path alone. */
static bool
is_known(fa_method method)
{
    return method != FA_METHOD_OTHER && method != FA_QUERY;
}

/* The path with a slash more at its end, or without those that are there. */
static fa_slice
other_path(fa_slice path, char *room)
{
    size_t n = path.len;

    while (n > 0 && path.p[n - 1] == '/')
        --n;
    if (n < path.len)
        return (fa_slice){path.p, n};
    if (n > 0)
        memcpy(room, path.p, n);
    room[n] = '/';
    return (fa_slice){room, n + 1};
}

Plan *
misses_find(const Misses *misses, fa_method method, fa_slice path)
{
    char room[PLAN_PATH_MAX + 1];
    fa_slice other;
    fa_found found;

    if (!is_known(method) || (path.len > 0 && path.p[0] != '/') ||
        !plan_path_is_plain(path))
        return NULL;
    if (misses->slash == NULL || (path.len == 1 && path.p[0] == '/'))
        return misses->missing;
    other = other_path(path, room);
    if (other.len == 0)
        return NULL; /* below a root path, that may be a route */
    switch (fa_app_find(misses->paths, FA_GET, other, &found)) {
    case 0: return misses->missing;
    case 1: return found.user_data == Py_True ? misses->slash : NULL;
    default: return NULL;
    }
}

/* ---- requests ---- */

/* `path` is what the application sees of the request's. */
static int
serve(fa_request *req, Worker *worker, const plan_misses *row, fa_slice path)
{
    const Plan *plan = NULL;

    if (row != NULL && plan_path_is_plain(fa_request_path(req)))
        plan = misses_find(row->misses, fa_request_method(req), path);
    if (plan == NULL)
        return cycle_on_request(req, worker);
    return plan_on_request(req, plan == row->misses->slash ? row->slash : row->missing);
}

int
plan_on_miss(fa_request *req, void *user_data)
{
    Worker *worker = user_data;
    fa_slice path = fa_request_path(req);

    if (path.len == 0) /* without a root path that is known there is no such path */
        return cycle_on_request(req, worker);
    return serve(req, worker, worker->misses, path);
}

int
plan_on_miss_below(fa_request *req, void *user_data)
{
    const plan_misses *row = user_data;
    fa_slice whole = fa_request_path(req), path = {whole.p, 0}, name, rest;
    size_t n = fa_request_param_count(req);

    if (n > 0) { /* what {path:path} has, and the slash before it */
        fa_request_param_at(req, n - 1, &name, &rest);
        if (rest.len >= whole.len)
            return cycle_on_request(req, row->worker);
        path.len = rest.len + 1;
        path.p = whole.p + whole.len - path.len;
    }
    return serve(req, row->worker, row, path);
}

/* ---- the type ---- */

static int
never_called(fa_request *Py_UNUSED(req), void *Py_UNUSED(user_data))
{
    return FA_ERR_STATE;
}

/* (pattern, whether it has no other paths than the route) */
static int
add(Misses *misses, PyObject *row)
{
    PyObject *certain;
    fa_route route = {.handler = never_called, .methods = FA_METHOD_BIT(FA_GET)};
    int rv;

    if (!PyArg_ParseTuple(row, "sO!:path", &route.pattern, &PyBool_Type, &certain))
        return -1;
    route.user_data = certain;
    rv = fa_app_add_route(misses->paths, &route);
    if (rv == FA_ERR_NOMEM)
        PyErr_NoMemory();
    else if (rv != 0)
        PyErr_Format(PyExc_ValueError, "%s: %s", route.pattern, fa_strerror(rv));
    return rv == 0 ? 0 : -1;
}

static int
take_plan(Misses *misses, Plan **out, PyObject *plan)
{
    if (plan == Py_None)
        return 0;
    if (!PyObject_TypeCheck(plan, misses->core->plan_type)) {
        PyErr_SetString(PyExc_TypeError, "what answers is a Plan or None");
        return -1;
    }
    *out = (Plan *)Py_NewRef(plan);
    return 0;
}

static int
fill(Misses *misses, PyObject *missing, PyObject *slash, PyObject *paths)
{
    misses->paths = fa_app_new(NULL);
    if (misses->paths == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (take_plan(misses, &misses->missing, missing) < 0 ||
        take_plan(misses, &misses->slash, slash) < 0)
        return -1;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(paths); ++i) {
        if (add(misses, PyTuple_GET_ITEM(paths, i)) < 0)
            return -1;
    }
    return 0;
}

static PyObject *
misses_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"missing", "slash", "paths", NULL};
    PyObject *missing, *slash, *paths;
    Misses *misses;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOO!:Misses", keywords, &missing,
                                     &slash, &PyTuple_Type, &paths))
        return NULL;
    misses = (Misses *)type->tp_alloc(type, 0);
    if (misses == NULL)
        return NULL;
    misses->core = core_of_type(type);
    if (fill(misses, missing, slash, paths) < 0)
        Py_CLEAR(misses);
    return (PyObject *)misses;
}

static int
misses_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((Misses *)op)->missing);
    Py_VISIT(((Misses *)op)->slash);
    return 0;
}

/* Nothing is cleared before: cycles through it are broken at the plans. */
static void
misses_dealloc(PyObject *op)
{
    Misses *misses = (Misses *)op;
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    fa_app_del(misses->paths);
    Py_CLEAR(misses->missing);
    Py_CLEAR(misses->slash);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyType_Slot misses_slots[] = {
    {Py_tp_doc, "Misses(missing, slash, paths): what answers paths that no route of an "
                "application has, and those that one would have but for slashes at "
                "their end. Without a plan it is the application's; without `slash` it "
                "looks for none."},
    {Py_tp_new, misses_new},
    {Py_tp_traverse, misses_traverse},
    {Py_tp_dealloc, misses_dealloc},
    {0, NULL},
};

PyType_Spec misses_spec = {
    .name = "fasterapi._core.Misses",
    .basicsize = sizeof(Misses),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = misses_slots,
};
