/* The type PlanTable: plans found and used without the server, by the scope of an ASGI
   application. fasterapi/_compile/_behind.py calls them below an application's
   middleware.
 */
#include "plan/plan.h"

typedef struct PlanTable {
    PyObject_HEAD core_state *core; /* borrowed: lives as long as the type */
    PyObject *rows;                 /* as Worker() takes them */
    const Misses *misses;           /* of these, or NULL; borrowed */
    fa_app *app;                    /* only to find routes */
    fa_arena *arena;
    json_text text;
} PlanTable;

static int
never_called(fa_request *Py_UNUSED(req), void *Py_UNUSED(user_data))
{
    return FA_ERR_STATE;
}

/* What no other row has. */
static int
take_misses(PlanTable *table, PyObject *object)
{
    if (!PyObject_TypeCheck(object, table->core->misses_type)) {
        PyErr_SetString(PyExc_TypeError, "a row without a pattern has Misses");
        return -1;
    }
    table->misses = (Misses *)object;
    return 0;
}

static int
add(PlanTable *table, PyObject *row)
{
    PyObject *methods, *plan;
    fa_route route = {.handler = never_called};
    int rv;

    if (!PyArg_ParseTuple(row, "zOO:route", &route.pattern, &methods, &plan) ||
        plan_methods_of(&route.methods, methods) < 0)
        return -1;
    if (route.pattern == NULL)
        return take_misses(table, plan);
    if (plan != Py_None && !PyObject_TypeCheck(plan, table->core->plan_type)) {
        PyErr_SetString(PyExc_TypeError, "a route has a Plan or None");
        return -1;
    }
    route.user_data = plan;
    rv = fa_app_add_route(table->app, &route);
    if (rv == FA_ERR_NOMEM)
        PyErr_NoMemory();
    else if (rv != 0)
        PyErr_Format(PyExc_ValueError, "%s: %s", route.pattern, fa_strerror(rv));
    return rv == 0 ? 0 : -1;
}

static PyObject *
table_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"rows", NULL};
    PlanTable *table;
    PyObject *rows;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!:PlanTable", keywords,
                                     &PyTuple_Type, &rows))
        return NULL;
    table = (PlanTable *)type->tp_alloc(type, 0);
    if (table == NULL)
        return NULL;
    table->core = core_of_type(type);
    table->rows = Py_NewRef(rows);
    table->app = fa_app_new(NULL);
    table->arena = fa_arena_new(NULL);
    if (table->app == NULL || table->arena == NULL) {
        Py_DECREF(table);
        return PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(rows); ++i) {
        if (add(table, PyTuple_GET_ITEM(rows, i)) < 0) {
            Py_DECREF(table);
            return NULL;
        }
    }
    return (PyObject *)table;
}

/* ---- find() ---- */

/* A str of the scope as UTF-8, or `.p` is NULL: it is none. */
static fa_slice
text_at(PyObject *scope, PyObject *key)
{
    PyObject *text = PyDict_GetItemWithError(scope, key);
    Py_ssize_t n = 0;
    const char *p = text != NULL && PyUnicode_CheckExact(text)
                        ? PyUnicode_AsUTF8AndSize(text, &n)
                        : NULL;

    PyErr_Clear(); /* half a surrogate pair */
    return (fa_slice){p, (size_t)n};
}

/* What get_route_path() of Starlette makes of them. */
static fa_slice
route_path(fa_slice path, fa_slice root)
{
    size_t n = root.len;

    if (n == 0 || path.len < n || memcmp(path.p, root.p, n) != 0 ||
        (path.len > n && path.p[n] != '/'))
        return path;
    return (fa_slice){path.p + n, path.len - n};
}

/* The plan for what no row has. Redirects depend on what Starlette makes of the changed
   path, which is another question where the root path ends with a slash. */
static Plan *
missed(const PlanTable *table, fa_method method, fa_slice path, fa_slice root)
{
    if (table->misses == NULL || (root.len > 0 && root.p[root.len - 1] == '/'))
        return NULL;
    return misses_find(table->misses, method, path);
}

static PyObject *
captures_of(const fa_found *found)
{
    PyObject *captures = PyTuple_New((Py_ssize_t)found->count);

    for (size_t i = 0; captures != NULL && i < found->count; ++i) {
        PyObject *bytes = PyBytes_FromStringAndSize(found->values[i].p,
                                                    (Py_ssize_t)found->values[i].len);

        if (bytes == NULL)
            Py_CLEAR(captures);
        else
            PyTuple_SET_ITEM(captures, (Py_ssize_t)i, bytes);
    }
    return captures;
}

/* The plan and its captures, as the native router finds them, if it may serve. */
static PyObject *
table_find(PyObject *op, PyObject *scope)
{
    PlanTable *table = (PlanTable *)op;
    core_state *core = table->core;
    fa_slice path, root, method;
    fa_found found;
    Plan *plan;
    int rv;

    if (!PyDict_CheckExact(scope))
        Py_RETURN_NONE;
    path = text_at(scope, core->str_path);
    root = text_at(scope, core->str_root_path);
    method = text_at(scope, core->str_method);
    if (path.p == NULL || method.p == NULL || root.p == NULL ||
        !plan_path_is_plain(path = route_path(path, root)) ||
        !fa_slice_equal(text_at(scope, core->str_type), FA_SLICE("http")))
        Py_RETURN_NONE;
    rv = fa_app_find(table->app, fa_method_of(method), path, &found);
    if (rv < 0)
        return PyErr_NoMemory();
    if (rv == 1) {
        plan = found.user_data != Py_None ? found.user_data : NULL;
    } else {
        plan = missed(table, fa_method_of(method), path, root);
        found.count = 0;
    }
    if (plan == NULL)
        Py_RETURN_NONE;
    if (plan->demoted || !plan_guards_hold(plan, 0, plan->hard_count)) {
        ++plan->passed_on;
        Py_RETURN_NONE;
    }
    return Py_BuildValue("(ON)", plan, captures_of(&found));
}

/* ---- bind() and call() ---- */

/* n objects, which are taken over. New reference or NULL. */
static PyObject *
tuple_of(PyObject **objects, Py_ssize_t n)
{
    PyObject *tuple = PyTuple_New(n);

    for (Py_ssize_t i = 0; i < n; ++i) {
        if (tuple != NULL)
            PyTuple_SET_ITEM(tuple, i, objects[i]);
        else
            Py_DECREF(objects[i]);
    }
    return tuple;
}

/* (values, body), for the plan's `reject`, when there are faults; else (values,). None:
 * for FastAPI itself to find out. */
static PyObject *
table_bind(PyObject *op, PyObject *args)
{
    PlanTable *table = (PlanTable *)op;
    PyObject *values[PLAN_PARAMS_MAX], *scope, *captures, *body, *read = NULL, *tuple;
    plan_bound bound = PLAN_UNBOUND;
    plan_scope input;
    Plan *plan;

    if (!PyArg_ParseTuple(args, "O!O!O!O!:bind", table->core->plan_type, &plan,
                          &PyDict_Type, &scope, &PyTuple_Type, &captures, &PyBytes_Type,
                          &body))
        return NULL;
    if (plan_guards_hold(plan, plan->hard_count, plan->guard_count) &&
        plan_scope_init(&input, table->core, table->arena, scope, captures, body))
        bound = plan_bind(plan, &input.input, values, &read);
    fa_arena_reset(table->arena);
    ++plan->behind;
    if (bound == PLAN_UNBOUND) {
        ++plan->directed;
        Py_RETURN_NONE;
    }
    ++plan->served;
    tuple = tuple_of(values, plan->param_count);
    if (tuple == NULL) {
        Py_XDECREF(read);
        return NULL;
    }
    return read != NULL ? Py_BuildValue("(NN)", tuple, read)
                        : Py_BuildValue("(N)", tuple);
}

/* What the plan stands for answers by itself, its route or who refuses: None, as of
   bind(). */
static PyObject *
table_direct(PyObject *op, PyObject *plan)
{
    if (!PyObject_TypeCheck(plan, ((PlanTable *)op)->core->plan_type)) {
        PyErr_SetString(PyExc_TypeError, "a Plan is asked for");
        return NULL;
    }
    ++((Plan *)plan)->behind;
    if (((Plan *)plan)->is_direct)
        ++((Plan *)plan)->directed;
    else
        ++((Plan *)plan)->served;
    Py_RETURN_NONE;
}

/* What the endpoint returns, to be awaited; a runner gets `run`. */
static PyObject *
table_call(PyObject *op, PyObject *args)
{
    PlanTable *table = (PlanTable *)op;
    PyObject *stack[PLAN_PARAMS_MAX + 1], *values, *run;
    Plan *plan;

    if (!PyArg_ParseTuple(args, "O!O!O:call", table->core->plan_type, &plan,
                          &PyTuple_Type, &values, &run))
        return NULL;
    if (PyTuple_GET_SIZE(values) != plan->param_count) {
        PyErr_SetString(PyExc_ValueError, "these are not its values");
        return NULL;
    }
    stack[0] = run;
    for (Py_ssize_t i = 0; i < plan->param_count; ++i)
        stack[i + 1] = PyTuple_GET_ITEM(values, i);
    if (plan->is_runner)
        return PyObject_Vectorcall(plan->endpoint, stack, 1, plan->names);
    return PyObject_Vectorcall(plan->endpoint, stack + 1,
                               0 | PY_VECTORCALL_ARGUMENTS_OFFSET, plan->names);
}

/* Whether what the plan was made of is as it was, but for its dependencies. */
static PyObject *
table_applies(PyObject *op, PyObject *plan)
{
    if (!PyObject_TypeCheck(plan, ((PlanTable *)op)->core->plan_type)) {
        PyErr_SetString(PyExc_TypeError, "a Plan is asked for");
        return NULL;
    }
    return PyBool_FromLong(plan_guards_hold((Plan *)plan, 0, ((Plan *)plan)->hard_count));
}

/* The body of an answer, or the result if it is an answer itself. */
static PyObject *
table_body(PyObject *op, PyObject *args)
{
    PlanTable *table = (PlanTable *)op;
    PyObject *result, *run;
    Plan *plan;

    if (!PyArg_ParseTuple(args, "O!OO:body", table->core->plan_type, &plan, &result,
                          &run))
        return NULL;
    return plan_prepare(plan, &table->text, run, result);
}

/* ---- the type ---- */

static int
table_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((PlanTable *)op)->rows);
    return 0;
}

/* Only with the table itself go its rows, for the routes point to their plans: cycles
   through it are broken at the plans. */
static void
table_dealloc(PyObject *op)
{
    PlanTable *table = (PlanTable *)op;
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    fa_app_del(table->app);
    fa_arena_del(table->arena);
    json_text_free(&table->text);
    Py_CLEAR(table->rows);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef table_methods[] = {
    {"find", table_find, METH_O, NULL},
    {"bind", table_bind, METH_VARARGS, NULL},
    {"direct", table_direct, METH_O, NULL},
    {"call", table_call, METH_VARARGS, NULL},
    {"body", table_body, METH_VARARGS, NULL},
    {"applies", table_applies, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot table_slots[] = {
    {Py_tp_doc, "Plans, found by the scope of a request."},
    {Py_tp_new, table_new},
    {Py_tp_traverse, table_traverse},
    {Py_tp_dealloc, table_dealloc},
    {Py_tp_methods, table_methods},
    {0, NULL},
};

PyType_Spec plan_table_spec = {
    .name = "fasterapi._core.PlanTable",
    .basicsize = sizeof(PlanTable),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = table_slots,
};
