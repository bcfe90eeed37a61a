/* The tasks in which handlers run.

   A carrier is an asyncio.Task whose coroutine is a Carrier object. Idle, it awaits a
   private future. A request's coroutine is stepped at once, with the carrier's task as
   the current task and in its context: most requests end in that step, and cost neither
   a task nor a turn of the loop. One that suspends is adopted: the carrier is woken and
   yields what the coroutine yielded, so that asyncio itself awaits it; the current task
   has been the same object all along.

   What a coroutine waits for may happen in a callback of the server: the next message of
   a WebSocket, above all. It is then stepped at once as in the beginning, while its task
   goes on awaiting; when it waits for the same again, asyncio has had no part in it. */
#include "carrier.h"

/* The task is going to await that, or to be stepped again if it is None. */
static PySendResult
await_next(Carrier *self, PyObject *future)
{
    late_remove(&self->late);
    Py_XSETREF(self->awaited, future == Py_None ? NULL : Py_NewRef(future));
    return PYGEN_NEXT;
}

/* Awaits a private future, or ends a task that is of no more use. */
static PySendResult
rest(Carrier *self, PyObject **result)
{
    core_state *core = self->worker->core;
    PyObject *idle;

    if (self->retired) {
        *result = Py_NewRef(Py_None);
        return PYGEN_RETURN;
    }
    idle = PyObject_CallMethodNoArgs(self->worker->loop, core->str_create_future);
    if (idle == NULL ||
        PyObject_SetAttr(idle, core->str__asyncio_future_blocking, Py_True) < 0) {
        Py_XDECREF(idle);
        self->retired = true;
        *result = NULL;
        return PYGEN_ERROR;
    }
    *result = idle;
    return await_next(self, idle);
}

/* The coroutine waits for carrier_unpark(), and the task for nothing. */
static PySendResult
park(Carrier *self, PyObject **result)
{
    PySendResult sent;

    self->parked = true;
    Py_DECREF(*result); /* the carrier itself */
    sent = rest(self, result);
    if (sent != PYGEN_ERROR)
        return sent;
    self->parked = false;
    carrier_give_up(self);
    *result = Py_NewRef(Py_None);
    return PYGEN_RETURN;
}

/* What came of a step within the task. */
static PySendResult
after_step(Carrier *self, PySendResult sent, PyObject **result)
{
    while (sent != PYGEN_NEXT && carrier_ended(self, sent, result))
        sent = carrier_step(self, Py_None, result);
    if (sent == PYGEN_NEXT)
        return *result == (PyObject *)self ? park(self, result)
                                           : await_next(self, *result);
    if (carrier_is_cancelled(self))
        self->retired = true;
    carrier_give_back(self);
    return rest(self, result);
}

static PySendResult
carrier_am_send(PyObject *op, PyObject *value, PyObject **result)
{
    Carrier *self = (Carrier *)op;

    if (self->job.coroutine == NULL || self->parked)
        return rest(self, result); /* the first step of the task, or a stray wake-up */
    if (self->pending == Py_None && self->awaited != NULL)
        Py_CLEAR(self->pending); /* a turn is what it waits for, and this is the next */
    if (self->pending != NULL) {
        *result = self->pending;
        self->pending = NULL;
        return await_next(self, *result);
    }
    return after_step(self, carrier_step(self, value, result), result);
}

static PyObject *
as_iterator_result(PySendResult sent, PyObject *result)
{
    if (sent == PYGEN_RETURN) {
        Py_DECREF(result); /* always None */
        PyErr_SetNone(PyExc_StopIteration);
        return NULL;
    }
    return result;
}

static PyObject *
carrier_send(PyObject *op, PyObject *value)
{
    PyObject *result;
    PySendResult sent = carrier_am_send(op, value, &result);

    return as_iterator_result(sent, result);
}

static PyObject *
carrier_iternext(PyObject *op)
{
    return carrier_send(op, Py_None);
}

/* Throws into the request what was thrown into the task. */
static PyObject *
throw_into_inner(Carrier *self, PyObject *const *args, Py_ssize_t n)
{
    core_state *core = self->worker->core;
    PyObject *pending = self->pending, *inner = Py_NewRef(self->job.coroutine), *result;
    PySendResult sent;

    self->pending = NULL;
    self->parked = false;
    if (pending != NULL) {
        /* The task never got to await it, so it could not cancel it either. */
        PyObject *cancelled = pending == Py_None
                                  ? Py_NewRef(Py_None)
                                  : PyObject_CallMethodNoArgs(pending, core->str_cancel);

        if (cancelled == NULL)
            PyErr_Clear();
        Py_XDECREF(cancelled);
        Py_DECREF(pending);
    }
    sent = carrier_throw_step(self, args, n, &result);
    Py_DECREF(inner);
    sent = after_step(self, sent, &result);
    return as_iterator_result(sent, result);
}

static PyObject *
carrier_throw(PyObject *op, PyObject *const *args, Py_ssize_t n)
{
    Carrier *self = (Carrier *)op;

    if (n < 1 || n > 3) {
        PyErr_SetString(PyExc_TypeError, "throw() takes 1 to 3 arguments");
        return NULL;
    }
    if (self->job.coroutine != NULL)
        return throw_into_inner(self, args, n);
    /* Somebody kept hold of the task of a request that is over, and cancelled it. */
    self->retired = true;
    if (PyExceptionInstance_Check(args[0]))
        PyErr_SetObject((PyObject *)Py_TYPE(args[0]), args[0]);
    else
        PyErr_SetObject(args[0], n > 1 ? args[1] : NULL);
    return NULL;
}

static PyObject *
carrier_close(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Carrier *self = (Carrier *)op;

    self->retired = true;
    Py_RETURN_NONE;
}

/* ---- the type ---- */

static int
carrier_traverse(PyObject *op, visitproc visit, void *arg)
{
    Carrier *self = (Carrier *)op;

    Py_VISIT(Py_TYPE(op));
    Py_VISIT((PyObject *)self->worker);
    Py_VISIT(self->task);
    Py_VISIT(self->context);
    Py_VISIT(self->snapshot);
    Py_VISIT(self->awaited);
    Py_VISIT(self->job.coroutine);
    Py_VISIT(self->pending);
    Py_VISIT(self->job.owner);
    Py_VISIT((PyObject *)self->next);
    return 0;
}

static int
carrier_clear(PyObject *op)
{
    Carrier *self = (Carrier *)op;

    late_remove(&self->late);
    Py_CLEAR(self->task);
    Py_CLEAR(self->context);
    Py_CLEAR(self->snapshot);
    Py_CLEAR(self->awaited);
    Py_CLEAR(self->job.coroutine);
    Py_CLEAR(self->pending);
    Py_CLEAR(self->job.owner);
    Py_CLEAR(self->next);
    return 0;
}

static void
carrier_dealloc(PyObject *op)
{
    Carrier *self = (Carrier *)op;
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    (void)carrier_clear(op);
    Py_CLEAR(self->worker); /* last: what was cleared may have used it */
    type->tp_free(op);
    Py_DECREF(type);
}

static PyObject *
carrier_self(PyObject *op)
{
    return Py_NewRef(op);
}

static PyObject *
carrier_get_inner(PyObject *op, void *Py_UNUSED(closure))
{
    PyObject *inner = ((Carrier *)op)->job.coroutine;

    return Py_NewRef(inner != NULL ? inner : Py_None);
}

static PyObject *
carrier_get_worker(PyObject *op, void *Py_UNUSED(closure))
{
    return Py_NewRef((PyObject *)((Carrier *)op)->worker);
}

static PyObject *
carrier_get_name(PyObject *Py_UNUSED(op), void *Py_UNUSED(closure))
{
    return PyUnicode_FromString("request");
}

static PyObject *
carrier_get_none(PyObject *Py_UNUSED(op), void *Py_UNUSED(closure))
{
    Py_RETURN_NONE;
}

static PyObject *
carrier_get_false(PyObject *Py_UNUSED(op), void *Py_UNUSED(closure))
{
    Py_RETURN_FALSE;
}

/* What asyncio looks at when it describes a task. */
static PyGetSetDef carrier_getset[] = {
    {"cr_await", carrier_get_inner, NULL, "the request's coroutine, or None", NULL},
    {"worker", carrier_get_worker, NULL, "whose requests run in it", NULL},
    {"__name__", carrier_get_name, NULL, NULL, NULL},
    {"__qualname__", carrier_get_name, NULL, NULL, NULL},
    {"cr_frame", carrier_get_none, NULL, "None: there is no Python frame", NULL},
    {"cr_running", carrier_get_false, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef carrier_methods[] = {
    {"send", carrier_send, METH_O, NULL},
    {"throw", (PyCFunction)(void (*)(void))carrier_throw, METH_FASTCALL, NULL},
    {"close", carrier_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot carrier_slots[] = {
    {Py_tp_doc, "The coroutine of a task in which requests run, one after another."},
    {Py_tp_traverse, carrier_traverse},
    {Py_tp_clear, carrier_clear},
    {Py_tp_dealloc, carrier_dealloc},
    {Py_tp_iter, carrier_self},
    {Py_tp_iternext, carrier_iternext},
    {Py_tp_methods, carrier_methods},
    {Py_tp_getset, carrier_getset},
    {Py_am_await, carrier_self},
    {Py_am_send, carrier_am_send},
    {0, NULL},
};

PyType_Spec carrier_spec = {
    .name = "fasterapi._core.Carrier",
    .basicsize = sizeof(Carrier),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = carrier_slots,
};
