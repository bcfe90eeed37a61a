/* The type Plan: what fasterapi/_compile/ found out about a route, checked and kept in
   the form in which plan/run.c uses it. */
#include "plan/plan.h"

#include <stddef.h>

/* (source, form, index, key, validate, required, default, copied, many, check, shape or
   None) */
static int
take_param(plan_param *param, PyObject *row, const core_state *core)
{
    int source, form, required, copied, many;
    PyObject *fallback, *shape;

    if (!PyArg_ParseTuple(row, "iinUOpOppOO:param", &source, &form, &param->index,
                          &param->key, &param->validate, &required, &fallback, &copied,
                          &many, &param->check, &shape))
        return -1;
    if (source < 0 || source >= PARAM_SOURCES || form < 0 || form >= PARAM_FORMS ||
        param->index < 0 || PyUnicode_AsUTF8(param->key) == NULL) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "a param is out of range");
        return -1;
    }
    param->source = (param_source)source;
    param->form = (param_form)form;
    param->fallback = required ? NULL : fallback;
    param->copied = copied != 0;
    param->many = many != 0;
    param->shape = Py_IS_TYPE(shape, core->shape_type) ? &((Shape *)shape)->top : NULL;
    if (param->shape != NULL || shape == Py_None)
        return 0;
    PyErr_SetString(PyExc_TypeError, "a shape is a Shape or None");
    return -1;
}

/* (object, attribute, expected, any, size or items or None) */
static int
take_guard(plan_guard *guard, PyObject *row)
{
    PyObject *expected, *size;
    int any;

    if (!PyArg_ParseTuple(row, "OUOpO:guard", &guard->object, &guard->attribute,
                          &expected, &any, &size))
        return -1;
    guard->expected = any ? NULL : expected;
    guard->items = PyTuple_Check(size) ? size : NULL;
    guard->or_none = size == Py_None;
    guard->size = guard->items != NULL || guard->or_none ? -1 : PyLong_AsSsize_t(size);
    return guard->size == -1 && PyErr_Occurred() ? -1 : 0;
}

/* Both point into the tuples, which plan->kept holds. */
static int
take_rows(Plan *plan, PyObject *params, PyObject *guards, PyObject *steps,
          Py_ssize_t hard)
{
    Py_ssize_t n = PyTuple_GET_SIZE(params), m = PyTuple_GET_SIZE(guards);

    plan->hard_count = hard < m ? hard : m;

    if (n > PLAN_PARAMS_MAX || n != PyTuple_GET_SIZE(plan->names)) {
        PyErr_SetString(PyExc_ValueError, "names and params differ, or are too many");
        return -1;
    }
    plan->params = PyMem_New(plan_param, (size_t)n + 1);
    plan->guards = PyMem_New(plan_guard, (size_t)m + 1);
    plan->kept = PyTuple_Pack(3, params, guards, steps);
    if (plan->params == NULL || plan->guards == NULL || plan->kept == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (; plan->param_count < n; ++plan->param_count) {
        if (take_param(&plan->params[plan->param_count],
                       PyTuple_GET_ITEM(params, plan->param_count), plan->core) < 0)
            return -1;
    }
    for (; plan->guard_count < m; ++plan->guard_count) {
        if (take_guard(&plan->guards[plan->guard_count],
                       PyTuple_GET_ITEM(guards, plan->guard_count)) < 0)
            return -1;
    }
    if (PyTuple_GET_SIZE(steps) > PLAN_STEPS_MAX) {
        PyErr_SetString(PyExc_ValueError, "there are too many steps");
        return -1;
    }
    for (; plan->step_count < PyTuple_GET_SIZE(steps); ++plan->step_count) {
        if (plan_step_take(&plan->steps[plan->step_count],
                           PyTuple_GET_ITEM(steps, plan->step_count)) < 0)
            return -1;
    }
    return 0;
}

/* None, or (validate, to_json, names, values, refuse). */
static int
take_model(Plan *plan, PyObject *model)
{
    if (model == Py_None)
        return 0;
    if (!PyTuple_Check(model)) {
        PyErr_SetString(PyExc_TypeError, "model must be None or a tuple");
        return -1;
    }
    if (!PyArg_ParseTuple(model, "OOO!O!O:model", &plan->validate, &plan->to_json,
                          &PyTuple_Type, &plan->to_json_names, &PyTuple_Type,
                          &plan->to_json_values, &plan->refuse))
        return -1;
    Py_INCREF(plan->validate);
    Py_INCREF(plan->to_json);
    Py_INCREF(plan->to_json_names);
    Py_INCREF(plan->to_json_values);
    Py_INCREF(plan->refuse);
    if (PyTuple_GET_SIZE(plan->to_json_names) != PyTuple_GET_SIZE(plan->to_json_values) ||
        PyTuple_GET_SIZE(plan->to_json_values) > PLAN_PARAMS_MAX) {
        PyErr_SetString(PyExc_ValueError, "model: names and values differ");
        return -1;
    }
    return 0;
}

/* None, which is enough without params, or (fault, reject, read or None). */
static int
take_checks(Plan *plan, PyObject *checks)
{
    PyObject *fault, *reject, *read;

    if (checks == Py_None && plan->param_count == 0)
        return 0;
    if (!PyTuple_Check(checks)) {
        PyErr_SetString(PyExc_TypeError, "checks must be a tuple");
        return -1;
    }
    if (!PyArg_ParseTuple(checks, "O!OO:checks", &PyType_Type, &fault, &reject, &read))
        return -1;
    for (Py_ssize_t i = 0; read == Py_None && i < plan->param_count; ++i) {
        if (plan->params[i].source < PARAM_BODY)
            continue;
        PyErr_SetString(PyExc_ValueError, "checks: nothing reads the body");
        return -1;
    }
    plan->fault = Py_NewRef(fault);
    plan->reject = Py_NewRef(reject);
    plan->read = read != Py_None ? Py_NewRef(read) : NULL;
    return 0;
}

static PyObject *
plan_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {
        "endpoint", "names",       "params", "guards",        "finish",    "encode",
        "model",    "response",    "status", "parse_cookies", "from_json", "is_runner",
        "direct",   "hard_guards", "quick",  "steps",         "is_direct", "checks",
        "root",     "limit",       NULL};
    Plan *plan = (Plan *)type->tp_alloc(type, 0);
    PyObject *params, *guards, *model, *steps, *checks;
    Py_ssize_t hard;
    long long limit;
    int is_runner, is_direct;

    if (plan == NULL)
        return NULL;
    plan->core = core_of_type(type);
    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs, "$OO!O!O!OOOOiOOpOnOO!pOUL:Plan", keywords, &plan->endpoint,
            &PyTuple_Type, &plan->names, &PyTuple_Type, &params, &PyTuple_Type, &guards,
            &plan->finish, &plan->encode, &model, &plan->response, &plan->status,
            &plan->parse_cookies, &plan->from_json, &is_runner, &plan->direct, &hard,
            &plan->quick, &PyTuple_Type, &steps, &is_direct, &checks, &plan->root,
            &limit)) {
        /* Borrowed so far, and not to be given back. */
        plan->endpoint = plan->names = plan->finish = plan->encode = NULL;
        plan->response = plan->parse_cookies = plan->from_json = plan->direct = NULL;
        plan->quick = plan->root = NULL;
        Py_DECREF(plan);
        return NULL;
    }
    plan->is_runner = is_runner != 0;
    plan->is_direct = is_direct != 0;
    plan->limit = limit;
    plan->is_coroutine =
        PyFunction_Check(plan->endpoint) &&
        (((PyCodeObject *)PyFunction_GET_CODE(plan->endpoint))->co_flags &
         CO_COROUTINE) != 0;
    Py_INCREF(plan->endpoint);
    Py_INCREF(plan->names);
    Py_INCREF(plan->finish);
    Py_INCREF(plan->encode);
    Py_INCREF(plan->response);
    Py_INCREF(plan->parse_cookies);
    Py_INCREF(plan->from_json);
    Py_INCREF(plan->direct);
    Py_INCREF(plan->quick);
    Py_INCREF(plan->root);
    plan->plain_call = PyObject_GetAttrString(plan->response, "__call__");
    if (plan->plain_call == NULL || take_model(plan, model) < 0 ||
        take_rows(plan, params, guards, steps, hard) < 0 || take_checks(plan, checks) < 0)
        Py_CLEAR(plan);
    return (PyObject *)plan;
}

static PyObject **
objects_of(Plan *plan, size_t i)
{
    static const size_t offsets[] = {
        offsetof(Plan, kept),           offsetof(Plan, endpoint),
        offsetof(Plan, names),          offsetof(Plan, finish),
        offsetof(Plan, encode),         offsetof(Plan, response),
        offsetof(Plan, validate),       offsetof(Plan, to_json),
        offsetof(Plan, to_json_names),  offsetof(Plan, refuse),
        offsetof(Plan, to_json_values), offsetof(Plan, parse_cookies),
        offsetof(Plan, from_json),      offsetof(Plan, direct),
        offsetof(Plan, quick),          offsetof(Plan, plain_call),
        offsetof(Plan, sampler),        offsetof(Plan, fault),
        offsetof(Plan, reject),         offsetof(Plan, read),
        offsetof(Plan, root),
    };

    if (i >= sizeof(offsets) / sizeof(offsets[0]))
        return NULL;
    return (PyObject **)((char *)plan + offsets[i]);
}

static int
plan_traverse(PyObject *op, visitproc visit, void *arg)
{
    PyObject **object;

    Py_VISIT(Py_TYPE(op));
    for (size_t i = 0; (object = objects_of((Plan *)op, i)) != NULL; ++i)
        Py_VISIT(*object);
    return 0;
}

static int
plan_clear(PyObject *op)
{
    Plan *plan = (Plan *)op;
    PyObject **object;

    plan->param_count = plan->guard_count = plan->step_count =
        0; /* they point into `kept` */
    for (size_t i = 0; (object = objects_of(plan, i)) != NULL; ++i)
        Py_CLEAR(*object);
    return 0;
}

static void
plan_dealloc(PyObject *op)
{
    Plan *plan = (Plan *)op;
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    (void)plan_clear(op);
    PyMem_Free(plan->params);
    PyMem_Free(plan->guards);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyObject *
plan_get_served(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(((Plan *)op)->served);
}

static PyObject *
plan_get_behind(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(((Plan *)op)->behind);
}

static PyObject *
plan_get_directed(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(((Plan *)op)->directed);
}

static PyObject *
plan_get_passed_on(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(((Plan *)op)->passed_on);
}

/* sample(sampler, n): the n-th request from now is answered by sampler(run). */
static PyObject *
plan_sample(PyObject *op, PyObject *args)
{
    Plan *plan = (Plan *)op;
    PyObject *sampler;
    unsigned long long n;

    if (!PyArg_ParseTuple(args, "OK:sample", &sampler, &n))
        return NULL;
    Py_XSETREF(plan->sampler, Py_NewRef(sampler));
    plan->sample_in = n;
    Py_RETURN_NONE;
}

static PyObject *
plan_demote(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    ((Plan *)op)->demoted = true;
    Py_RETURN_NONE;
}

static PyObject *
plan_get_demoted(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((Plan *)op)->demoted);
}

static PyMethodDef plan_methods[] = {
    {"sample", plan_sample, METH_VARARGS,
     PyDoc_STR("sample(sampler, n): sampler(run) answers the n-th request from now; 0: "
               "none.")},
    {"demote", plan_demote, METH_NOARGS,
     PyDoc_STR("From the next poll on every request is left to the application.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef plan_getset[] = {
    {"served", plan_get_served, NULL, PyDoc_STR("Requests that it answered."), NULL},
    {"directed", plan_get_directed, NULL,
     PyDoc_STR("Requests that it left to FastAPI's own handler of the route."), NULL},
    {"behind", plan_get_behind, NULL,
     PyDoc_STR("Of these, the requests that came to it through the application."), NULL},
    {"passed_on", plan_get_passed_on, NULL,
     PyDoc_STR("Requests that it left to the application."), NULL},
    {"demoted", plan_get_demoted, NULL, PyDoc_STR("Whether demote() was called."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot plan_slots[] = {
    {Py_tp_doc, "A route that is served without going through the application."},
    {Py_tp_new, plan_new},
    {Py_tp_traverse, plan_traverse},
    {Py_tp_clear, plan_clear},
    {Py_tp_dealloc, plan_dealloc},
    {Py_tp_methods, plan_methods},
    {Py_tp_getset, plan_getset},
    {0, NULL},
};

PyType_Spec plan_spec = {
    .name = "fasterapi._core.Plan",
    .basicsize = sizeof(Plan),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = plan_slots,
};
