/* What receive() and send() return: a coroutine in all that matters to asyncio (await,
   create_task(), wait_for()), without a Python frame behind it. */
#include "core.h"

struct Operation {
    PyObject_HEAD core_state *core;
    PyObject *future; /* waited for; NULL once that is over */
    PyObject *owner;
    operation_fn *fn; /* NULL: it gives None to everybody, as often as they like */
    bool used;
};

static PyObject *
operation_new(core_state *core)
{
    PyTypeObject *type = core->operation_type;
    Operation *op = (Operation *)type->tp_alloc(type, 0);

    if (op != NULL)
        op->core = core;
    return (PyObject *)op;
}

PyObject *
operation_nothing(core_state *core)
{
    return operation_new(core);
}

PyObject *
operation_later(core_state *core, PyObject *owner, operation_fn *fn)
{
    Operation *op = (Operation *)operation_new(core);

    if (op == NULL)
        return NULL;
    op->owner = Py_NewRef(owner);
    op->fn = fn;
    return (PyObject *)op;
}

static PyObject *
raise_it(PyObject *error, PyObject **Py_UNUSED(again))
{
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    return NULL;
}

PyObject *
operation_failed(core_state *core)
{
    PyObject *type, *error, *traceback, *op;

    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    if (traceback != NULL)
        (void)PyException_SetTraceback(error, traceback);
    op = operation_later(core, error, raise_it);
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(traceback);
    return op;
}

static int
operation_traverse(PyObject *self, visitproc visit, void *arg)
{
    Operation *op = (Operation *)self;

    Py_VISIT(Py_TYPE(self));
    Py_VISIT(op->future);
    Py_VISIT(op->owner);
    return 0;
}

static int
operation_clear(PyObject *self)
{
    Operation *op = (Operation *)self;

    Py_CLEAR(op->future);
    Py_CLEAR(op->owner);
    return 0;
}

static void
operation_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    (void)operation_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

/* Hands the future to the task that awaits us, as Future.__await__() does. */
static PySendResult
hand_over(Operation *op, PyObject **result)
{
    if (PyObject_SetAttr(op->future, op->core->str__asyncio_future_blocking, Py_True) <
        0) {
        *result = NULL;
        return PYGEN_ERROR;
    }
    *result = Py_NewRef(op->future);
    return PYGEN_NEXT;
}

static PySendResult
operation_am_send(PyObject *self, PyObject *Py_UNUSED(value), PyObject **result)
{
    Operation *op = (Operation *)self;
    PyObject *again = NULL;

    *result = NULL;
    if (op->used) {
        PyErr_SetString(PyExc_RuntimeError,
                        "cannot reuse an awaited receive() or send()");
        return PYGEN_ERROR;
    }
    if (op->fn == NULL) {
        *result = Py_NewRef(Py_None);
        return PYGEN_RETURN;
    }
    Py_CLEAR(op->future);
    *result = op->fn(op->owner, &again);
    if (*result == NULL && again != NULL) {
        op->future = again;
        return hand_over(op, result);
    }
    op->used = true;
    return *result != NULL ? PYGEN_RETURN : PYGEN_ERROR;
}

/* For callers of the iterator protocol: the result goes by StopIteration. */
static PyObject *
from_send(PySendResult sent, PyObject *result)
{
    if (sent != PYGEN_RETURN)
        return result;
    if (result == Py_None)
        PyErr_SetNone(PyExc_StopIteration);
    else {
        PyObject *error = PyObject_CallOneArg(PyExc_StopIteration, result);

        if (error != NULL) {
            PyErr_SetObject(PyExc_StopIteration, error);
            Py_DECREF(error);
        }
    }
    Py_DECREF(result);
    return NULL;
}

static PyObject *
operation_iternext(PyObject *self)
{
    PyObject *result;
    PySendResult sent = operation_am_send(self, Py_None, &result);

    return from_send(sent, result);
}

static PyObject *
operation_send(PyObject *self, PyObject *value)
{
    PyObject *result;
    PySendResult sent = operation_am_send(self, value, &result);

    return from_send(sent, result);
}

/* throw(exception) or the old throw(type, value, traceback). */
static PyObject *
operation_throw(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    Operation *op = (Operation *)self;

    if (n < 1 || n > 3) {
        PyErr_SetString(PyExc_TypeError, "throw() takes 1 to 3 arguments");
        return NULL;
    }
    op->used = op->fn != NULL;
    Py_CLEAR(op->future);
    if (PyExceptionInstance_Check(args[0])) {
        PyErr_SetObject((PyObject *)Py_TYPE(args[0]), args[0]);
    } else if (PyExceptionClass_Check(args[0])) {
        PyErr_SetObject(args[0], n > 1 ? args[1] : NULL);
    } else {
        PyErr_SetString(PyExc_TypeError, "throw() takes an exception");
    }
    return NULL;
}

static PyObject *
operation_close(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    Operation *op = (Operation *)self;

    op->used = op->fn != NULL;
    Py_CLEAR(op->future);
    Py_RETURN_NONE;
}

static PyObject *
operation_self(PyObject *self)
{
    return Py_NewRef(self);
}

static PyMethodDef operation_methods[] = {
    {"send", operation_send, METH_O, NULL},
    {"throw", (PyCFunction)(void (*)(void))operation_throw, METH_FASTCALL, NULL},
    {"close", operation_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot operation_slots[] = {
    {Py_tp_doc, "What receive() and send() return; awaited once."},
    {Py_tp_traverse, operation_traverse},
    {Py_tp_clear, operation_clear},
    {Py_tp_dealloc, operation_dealloc},
    {Py_tp_iter, operation_self},
    {Py_tp_iternext, operation_iternext},
    {Py_tp_methods, operation_methods},
    {Py_am_await, operation_self},
    {Py_am_send, operation_am_send},
    {0, NULL},
};

PyType_Spec operation_spec = {
    .name = "fasterapi._core.Operation",
    .basicsize = sizeof(Operation),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = operation_slots,
};
