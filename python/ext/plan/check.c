/* Requests with values that are missing or not valid: what is wrong with each of them.
   FastAPI validates all that a function takes, and tells all that is wrong at once. */
#include "carrier/application.h"
#include "plan/bind.h"

static bool
is_of_body(const plan_param *param)
{
    return param->source == PARAM_BODY || param->source == PARAM_MEMBER;
}

static bool
is_fault(const Plan *plan, PyObject *value)
{
    return Py_TYPE(value) == (PyTypeObject *)plan->fault;
}

/* The fault of what binding_value() has given NULL for, just now. */
static PyObject *
fault_of(const plan_param *param)
{
    PyObject *error = PyErr_Occurred() ? application_take_error() : Py_NewRef(Py_None);
    PyObject *fault = PyObject_CallOneArg(param->check, error);

    Py_DECREF(error);
    return fault;
}

/* What FastAPI makes of the body before it looks at any parameter, or the fault of it. */
static PyObject *
read_body(const binding *from)
{
    fa_slice body = from->input->ops->body(from->input);
    fa_slice type = from->input->ops->header(from->input, FA_SLICE("content-type"));
    PyObject *kind, *read;

    if (binding_says_json(from->input))
        kind = Py_NewRef(Py_True);
    else if (type.p == NULL)
        kind = Py_NewRef(Py_None);
    else
        kind = PyUnicode_DecodeLatin1(type.p, (Py_ssize_t)type.len, NULL);
    if (kind == NULL)
        return NULL;
    read = PyObject_CallFunction(from->plan->read, "y#N", body.p, (Py_ssize_t)body.len,
                                 kind);
    return read;
}

/* A value or a fault. What is of the body is validated from what was read: its own words
   for what is wrong are not those of pydantic for JSON. */
static PyObject *
checked(binding *from, const plan_param *param, PyObject *body)
{
    PyObject *value;

    if (is_of_body(param))
        return PyObject_CallOneArg(param->check, body);
    value = binding_value(from, param);
    return value != NULL ? value : fault_of(param);
}

static void
release(PyObject **values, Py_ssize_t n)
{
    while (n-- > 0)
        Py_DECREF(values[n]);
}

/* All values from `i` on. False with an exception, and then none is there. */
static bool
check_rest(binding *from, PyObject **values, Py_ssize_t i, PyObject *body)
{
    const Plan *plan = from->plan;
    bool faulty = is_fault(plan, body); /* nobody looks at the values */

    for (; i < plan->param_count; ++i) {
        values[i] = faulty ? Py_NewRef(Py_None) : checked(from, &plan->params[i], body);
        if (values[i] == NULL) {
            release(values, i);
            return false;
        }
    }
    return true;
}

plan_bound
plan_check(binding *from, PyObject **values, Py_ssize_t i, PyObject **body)
{
    const Plan *plan = from->plan;
    bool faulty;

    if (!is_of_body(&plan->params[i])) {
        values[i] = fault_of(&plan->params[i]);
        if (values[i] != NULL)
            ++i;
    } else {
        PyErr_Clear(); /* it is looked at once more */
    }
    if (!PyErr_Occurred())
        *body = plan->read != NULL ? read_body(from) : Py_NewRef(Py_None);
    if (*body == NULL)
        release(values, i);
    if (*body == NULL || !check_rest(from, values, i, *body)) {
        PyErr_Clear(); /* FastAPI meets the same, in its own order */
        Py_CLEAR(*body);
        return PLAN_UNBOUND;
    }
    faulty = is_fault(plan, *body);
    for (i = 0; !faulty && i < plan->param_count; ++i)
        faulty = is_fault(plan, values[i]);
    if (!faulty)
        Py_CLEAR(*body);
    return faulty ? PLAN_FAULTY : PLAN_BOUND;
}

PyObject *
plan_reject(Run *run, PyObject *body, PyObject *const *values)
{
    const Plan *plan = run->plan;
    PyObject *args[PLAN_PARAMS_MAX + 3] = {NULL, (PyObject *)run, body};

    run->runs = true;
    carrier_leave(run->worker);
    for (Py_ssize_t i = 0; i < plan->param_count; ++i)
        args[i + 3] = values[i];
    return PyObject_Vectorcall(
        plan->reject, args + 1,
        ((size_t)plan->param_count + 2) | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
}
