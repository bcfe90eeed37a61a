/* A call in a worker thread as the runner sees it, who makes it and awaits it.
   hop_steps.c is what happens meanwhile. */
#include "threads/hop.h"

#include "threads/threads.h"

enum { CHECKPOINTS = 2 };

/* ---- what the runner awaits ---- */

static PySendResult
hop_am_send(PyObject *op, PyObject *Py_UNUSED(value), PyObject **result)
{
    Hop *hop = (Hop *)op;

    *result = NULL;
    switch (hop->carrier != NULL ? hop->state : HOP_OVER) {
    case HOP_NEW:
        if (hop_begin(hop) < 0) {
            hop->state = HOP_OVER;
            return PYGEN_ERROR;
        }
        break;
    case HOP_READY:
        hop->state = HOP_OVER;
        if (hop->error != NULL) {
            PyErr_SetObject((PyObject *)Py_TYPE(hop->error), hop->error);
            Py_CLEAR(hop->error); /* its traceback may lead here */
            return PYGEN_ERROR;
        }
        *result = hop->result;
        hop->result = NULL;
        return PYGEN_RETURN;
    case HOP_OVER:
        PyErr_SetString(PyExc_RuntimeError, "the call was awaited already");
        return PYGEN_ERROR;
    default: break; /* a stray step */
    }
    *result = Py_NewRef((PyObject *)hop->carrier); /* it is parked until the end */
    return PYGEN_NEXT;
}

static PyObject *
hop_iternext(PyObject *op)
{
    PyObject *result, *stop;

    if (hop_am_send(op, Py_None, &result) != PYGEN_RETURN)
        return result;
    stop = PyObject_CallOneArg(PyExc_StopIteration, result);
    if (stop != NULL)
        PyErr_SetObject(PyExc_StopIteration, stop);
    Py_XDECREF(stop);
    Py_DECREF(result);
    return NULL;
}

static PyObject *
hop_throw(PyObject *op, PyObject *const *args, Py_ssize_t n)
{
    hop_give_up((Hop *)op);
    if (n < 1 || n > 3) {
        PyErr_SetString(PyExc_TypeError, "throw() takes 1 to 3 arguments");
        return NULL;
    }
    if (PyExceptionInstance_Check(args[0])) /* its context is the coroutine's matter */
        PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(args[0])), Py_NewRef(args[0]),
                      PyException_GetTraceback(args[0]));
    else
        PyErr_SetObject(args[0], n > 1 && args[1] != Py_None ? args[1] : NULL);
    return NULL;
}

static PyObject *
hop_close(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    hop_give_up((Hop *)op);
    Py_RETURN_NONE;
}

static PyObject *
hop_self(PyObject *op)
{
    return Py_NewRef(op);
}

/* ---- the type ---- */

/* 1: within a cancel scope of anyio, which may have a say in it. -1 with an exception. */
static int
is_scoped(const Threads *pool, PyObject *task)
{
    PyObject *found = PyObject_CallOneArg(pool->scoped, task);
    int rv = found != NULL ? PyObject_IsTrue(found) : -1;

    Py_XDECREF(found);
    return rv;
}

/* A copy of the current one, in which no library is said to run: as in a thread. */
static PyObject *
context_for(const Threads *pool)
{
    PyObject *context = PyContext_CopyCurrent(), *token;

    if (context == NULL || pool->library == Py_None)
        return context;
    if (PyContext_Enter(context) < 0) {
        Py_DECREF(context);
        return NULL;
    }
    token = PyContextVar_Set(pool->library, Py_None);
    if (PyContext_Exit(context) < 0)
        Py_CLEAR(token);
    if (token == NULL)
        Py_CLEAR(context);
    Py_XDECREF(token);
    return context;
}

PyObject *
hop_new(Worker *worker, PyObject *owner, hop_kind kind, PyObject *const *args,
        Py_ssize_t count, PyObject *names)
{
    Py_ssize_t n = count - 1 + (names != NULL ? PyTuple_GET_SIZE(names) : 0);
    PyTypeObject *type = worker->core->hop_type;
    Threads *pool = worker_threads(worker);
    Carrier *carrier = worker->running;
    int scoped = 0;
    Hop *hop;

    if (pool == NULL || pool->stopping || carrier == NULL ||
        carrier->job.owner != owner || !hop_has_plain_limiter(pool))
        return NULL;
    if (kind.later && (scoped = is_scoped(pool, carrier->task)) != 0)
        return NULL;
    hop = (Hop *)type->tp_alloc(type, n + 1);
    if (hop == NULL)
        return NULL;
    hop->pool = (Threads *)Py_NewRef((PyObject *)pool);
    hop->carrier = (Carrier *)Py_NewRef((PyObject *)carrier);
    hop->names = Py_XNewRef(names);
    hop->count = count - 1;
    hop->call = Py_NewRef(args[0]);
    for (Py_ssize_t i = 1; i <= n; ++i)
        hop->at[i] = Py_NewRef(args[i]);
    hop->turns = kind.later ? CHECKPOINTS : 0;
    hop->limited = kind.limited;
    hop->context = context_for(pool);
    if (hop->context == NULL)
        Py_CLEAR(hop);
    return (PyObject *)hop;
}

static int
hop_traverse(PyObject *op, visitproc visit, void *arg)
{
    Hop *hop = (Hop *)op;

    Py_VISIT(Py_TYPE(op));
    Py_VISIT((PyObject *)hop->pool);
    Py_VISIT((PyObject *)hop->carrier);
    Py_VISIT(hop->limiter);
    Py_VISIT(hop->context);
    Py_VISIT(hop->call);
    Py_VISIT(hop->names);
    Py_VISIT(hop->result);
    Py_VISIT(hop->error);
    for (Py_ssize_t i = 1; i < Py_SIZE(op); ++i) /* the first is a slot */
        Py_VISIT(hop->at[i]);
    return 0;
}

/* Not those that wait behind it: they are the pool's. */
static int
hop_clear(PyObject *op)
{
    Hop *hop = (Hop *)op;

    late_remove(&hop->late);
    Py_CLEAR(hop->carrier);
    Py_CLEAR(hop->limiter);
    Py_CLEAR(hop->context);
    Py_CLEAR(hop->call);
    Py_CLEAR(hop->names);
    Py_CLEAR(hop->result);
    Py_CLEAR(hop->error);
    for (Py_ssize_t i = 1; i < Py_SIZE(op); ++i)
        Py_CLEAR(hop->at[i]);
    return 0;
}

static void
hop_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    (void)hop_clear(op);
    Py_CLEAR(((Hop *)op)->pool);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef hop_methods[] = {
    {"set", hop_set, METH_NOARGS, NULL},
    {"throw", (PyCFunction)(void (*)(void))hop_throw, METH_FASTCALL, NULL},
    {"close", hop_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot hop_slots[] = {
    {Py_tp_doc, "A call in a worker thread, to be awaited once."},
    {Py_tp_traverse, hop_traverse},
    {Py_tp_clear, hop_clear},
    {Py_tp_dealloc, hop_dealloc},
    {Py_tp_call, hop_call},
    {Py_tp_iter, hop_self},
    {Py_tp_iternext, hop_iternext},
    {Py_tp_methods, hop_methods},
    {Py_am_await, hop_self},
    {Py_am_send, hop_am_send},
    {0, NULL},
};

PyType_Spec hop_spec = {
    .name = "fasterapi._core.Hop",
    .basicsize = sizeof(Hop),
    .itemsize = sizeof(PyObject *),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = hop_slots,
};
