/* What the task of a carrier awaits, from its first step to its last.

   A task that awaits a future cancels it when it is cancelled, and is called by it. The
   gate is such a future to the task, and hands on what the task asks to that which the
   request's coroutine waits for. So the task need not be woken to await that itself: the
   gate is called by what has happened, and the carrier steps the coroutine there and
   then, as the task would have in the same turn. */
#include "carrier/carrier.h"

Gate *
gate_new(Carrier *carrier)
{
    PyTypeObject *type = carrier->worker->core->gate_type;
    Gate *self = (Gate *)type->tp_alloc(type, 0);

    if (self != NULL)
        self->carrier = carrier;
    return self;
}

static void
gate_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);

    type->tp_free(op);
    Py_DECREF(type);
}

/* (future) by a future that is done, () by the loop. */
static PyObject *
gate_call(PyObject *op, PyObject *args, PyObject *Py_UNUSED(keywords))
{
    Carrier *carrier = ((Gate *)op)->carrier;
    PyObject *future = PyTuple_GET_SIZE(args) > 0 ? PyTuple_GET_ITEM(args, 0) : NULL;
    int rv = 0;

    if (carrier != NULL) {
        Py_INCREF((PyObject *)carrier);
        rv = carrier_called(carrier, future);
        Py_DECREF((PyObject *)carrier);
    }
    if (rv < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* ---- what a task asks of a future ---- */

static PyObject *
gate_cancel(PyObject *op, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"msg", NULL};
    Carrier *carrier = ((Gate *)op)->carrier;
    PyObject *message = NULL;
    int res = 0;

    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O:cancel", names, &message))
        return NULL;
    if (carrier != NULL) {
        Py_INCREF((PyObject *)carrier);
        res = carrier_cancel(carrier, message);
        Py_DECREF((PyObject *)carrier);
    }
    return res < 0 ? NULL : PyBool_FromLong(res);
}

static PyObject *
gate_add_done_callback(PyObject *op, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"", "context", NULL};
    Carrier *carrier = ((Gate *)op)->carrier;
    PyObject *wakeup, *context = NULL;

    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|$O:add_done_callback", names,
                                     &wakeup, &context))
        return NULL;
    if (carrier == NULL || carrier->wakeup != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "only its task awaits it");
        return NULL;
    }
    carrier->wakeup = Py_NewRef(wakeup);
    Py_RETURN_NONE;
}

/* The task is to end, by CancelledError or because it is of no more use; or to be given
   what the coroutine has yielded. */
static PyObject *
gate_result(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Carrier *carrier = ((Gate *)op)->carrier;
    PyObject *error;

    if (carrier == NULL || carrier->job.coroutine != NULL || !carrier->cancelling)
        Py_RETURN_NONE;
    error = carrier_cancelled_error(carrier);
    if (error != NULL)
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_XDECREF(error);
    return NULL;
}

/* anyio asks the future that a task awaits: one that is done is not to be cancelled, as
   what it has brought would be lost. */
static PyObject *
gate_done(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Carrier *carrier = ((Gate *)op)->carrier;
    int res = carrier == NULL || carrier->cancelling;

    if (res == 0 && carrier->awaited != NULL)
        res = asyncio_is_done(carrier->worker->core, carrier->awaited);
    return res < 0 ? NULL : PyBool_FromLong(res);
}

/* anyio asks this of a task that it has something for. */
static PyObject *
gate_cancelled(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Carrier *carrier = ((Gate *)op)->carrier;

    if (carrier != NULL && !carrier->cancelling && carrier->awaited != NULL)
        return PyObject_CallMethodNoArgs(carrier->awaited,
                                         carrier->worker->core->str_cancelled);
    return PyBool_FromLong(carrier != NULL && carrier->cancelling);
}

static PyObject *
gate_get_loop(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Carrier *carrier = ((Gate *)op)->carrier;

    return Py_NewRef(carrier != NULL ? carrier->worker->loop : Py_None);
}

static PyObject *
gate_get_blocking(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((Gate *)op)->blocking);
}

static int
gate_set_blocking(PyObject *op, PyObject *value, void *Py_UNUSED(closure))
{
    int blocking = value != NULL ? PyObject_IsTrue(value) : 0;

    if (blocking < 0)
        return -1;
    ((Gate *)op)->blocking = blocking != 0;
    return 0;
}

/* Who describes what is called by a future or by the loop shows the task then, as for a
   callback of its own. */
static PyObject *
gate_get_self(PyObject *op, void *Py_UNUSED(closure))
{
    Carrier *carrier = ((Gate *)op)->carrier;

    return Py_NewRef(carrier != NULL && carrier->task != NULL ? carrier->task : Py_None);
}

static PyObject *
gate_get_qualname(PyObject *Py_UNUSED(op), void *Py_UNUSED(closure))
{
    return PyUnicode_FromString("Task.task_wakeup");
}

/* What a task shows behind "wait_for". */
static PyObject *
gate_repr(PyObject *op)
{
    Carrier *carrier = ((Gate *)op)->carrier;
    PyObject *awaited = carrier != NULL ? carrier->awaited : NULL, *text;
    int entered = Py_ReprEnter(op);

    if (entered != 0 || awaited == NULL) {
        if (entered == 0)
            Py_ReprLeave(op);
        return entered < 0 ? NULL : PyUnicode_FromString("<gate>");
    }
    Py_INCREF(awaited);
    text = PyObject_Repr(awaited);
    Py_DECREF(awaited);
    Py_ReprLeave(op);
    return text;
}

/* To those who ask isinstance() it is a future, as far as they go with one that a task
   awaits: anyio does. */
static PyObject *
gate_get_class(PyObject *op, void *Py_UNUSED(closure))
{
    PyTypeObject *future = core_of_type(Py_TYPE(op))->future_type;

    return Py_NewRef(future != NULL ? (PyObject *)future : (PyObject *)Py_TYPE(op));
}

/* ---- the type ---- */

static PyGetSetDef gate_getset[] = {
    {"_asyncio_future_blocking", gate_get_blocking, gate_set_blocking, NULL, NULL},
    {"__class__", gate_get_class, NULL, NULL, NULL},
    {"__self__", gate_get_self, NULL, NULL, NULL},
    {"__qualname__", gate_get_qualname, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

#define KEYWORDS(function)                                                               \
    (PyCFunction)(void (*)(void))(function), METH_VARARGS | METH_KEYWORDS

static PyMethodDef gate_methods[] = {
    {"add_done_callback", KEYWORDS(gate_add_done_callback), NULL},
    {"cancel", KEYWORDS(gate_cancel), NULL},
    {"cancelled", gate_cancelled, METH_NOARGS, NULL},
    {"done", gate_done, METH_NOARGS, NULL},
    {"get_loop", gate_get_loop, METH_NOARGS, NULL},
    {"result", gate_result, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot gate_slots[] = {
    {Py_tp_doc, "What the task of a request awaits, in place of what the request does."},
    {Py_tp_dealloc, gate_dealloc},
    {Py_tp_call, gate_call},
    {Py_tp_repr, gate_repr},
    {Py_tp_methods, gate_methods},
    {Py_tp_getset, gate_getset},
    {0, NULL},
};

PyType_Spec gate_spec = {
    .name = "fasterapi._core.Gate",
    .basicsize = sizeof(Gate),
    .flags =
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = gate_slots,
};
