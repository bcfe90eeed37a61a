/* The tasks in which handlers run.

   A carrier is an asyncio.Task whose coroutine is a Carrier object. It awaits a gate
   (gate.c), idle or not. A request's coroutine is stepped at once, with the carrier's
   task as the current task and in its context: most requests end in that step, and cost
   neither a task nor a turn of the loop. One that suspends has what it waits for call the
   gate, and is stepped by that call: as by a task of its own, in the same turn. The task
   itself takes a step only to begin, to end, and for what it alone knows to answer: a
   coroutine that yields something that is no future.

   What a coroutine waits for may happen in a callback of the server: the next message of
   a WebSocket, above all. It is then stepped at once as in the beginning; when it waits
   for the same again, asyncio has had no part in it. */
#include "carrier/carrier.h"

#include "carrier/application.h"

/* Awaits the gate, or ends a task that is of no more use. */
static PySendResult
rest(Carrier *self, PyObject **result)
{
    if (self->retired && self->job.coroutine == NULL) {
        *result = Py_NewRef(Py_None);
        return PYGEN_RETURN;
    }
    self->gate->blocking = true;
    *result = Py_NewRef((PyObject *)self->gate);
    return PYGEN_NEXT;
}

/* What the task does with that is no concern of the gate's. */
static PySendResult
hand_over(Carrier *self, PyObject **result)
{
    *result = self->pending;
    self->pending = NULL;
    self->with_task = true;
    return PYGEN_NEXT;
}

/* What came of a step within the task. */
static PySendResult
after_step(Carrier *self, PySendResult sent, PyObject **result)
{
    while (sent != PYGEN_NEXT && carrier_ended(self, sent, result))
        sent = carrier_step(self, Py_None, result);
    if (sent != PYGEN_NEXT)
        carrier_give_back(self);
    else
        carrier_suspend(self, *result);
    return self->pending != NULL ? hand_over(self, result) : rest(self, result);
}

/* It was asked while the coroutine ran that then yielded what the task took. */
static PySendResult
cancelled_step(Carrier *self, PyObject **result)
{
    PyObject *error = carrier_cancelled_error(self);
    PySendResult sent;

    if (error == NULL)
        error = application_take_error();
    self->with_task = false;
    sent = carrier_throw_step(self, &error, 1, result);
    Py_DECREF(error);
    return after_step(self, sent, result);
}

static PySendResult
carrier_am_send(PyObject *op, PyObject *value, PyObject **result)
{
    Carrier *self = (Carrier *)op;

    Py_CLEAR(self->wakeup);
    self->woken = false;
    if (self->with_task && self->cancelling)
        return cancelled_step(self, result);
    if (self->with_task) {
        self->with_task = false;
        return after_step(self, carrier_step(self, value, result), result);
    }
    return self->pending != NULL ? hand_over(self, result) : rest(self, result);
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

/* It was cancelled before its first step, and so before it had the gate. */
static PyObject *
cancel_after_all(Carrier *self, PyObject *error)
{
    PyObject *args = PyObject_GetAttrString(error, "args"), *result = NULL;
    bool told = args != NULL && PyTuple_CheckExact(args) && PyTuple_GET_SIZE(args) > 0;
    int rv = carrier_cancel(self, told ? PyTuple_GET_ITEM(args, 0) : NULL);

    Py_XDECREF(args);
    if (rv < 0)
        return NULL;
    if (self->pending != NULL)
        (void)hand_over(self, &result);
    else
        (void)rest(self, &result); /* there is a coroutine: it is the gate */
    return result;
}

/* Throws into the request what the task has to say to what it was given. */
static PyObject *
throw_into_inner(Carrier *self, PyObject *const *args, Py_ssize_t n)
{
    PyObject *inner = Py_NewRef(self->job.coroutine), *result;
    PySendResult sent;

    if (self->cancelling) {
        sent = cancelled_step(self, &result);
    } else {
        self->with_task = false;
        sent = carrier_throw_step(self, args, n, &result);
        sent = after_step(self, sent, &result);
    }
    Py_DECREF(inner);
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
    Py_CLEAR(self->wakeup);
    self->woken = false;
    if (self->with_task)
        return throw_into_inner(self, args, n);
    if (self->job.coroutine != NULL)
        return cancel_after_all(self, args[0]);
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
    Py_VISIT(self->wakeup);
    Py_VISIT(self->awaited);
    Py_VISIT(self->job.coroutine);
    Py_VISIT(self->pending);
    Py_VISIT(self->cancel_message);
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
    Py_CLEAR(self->wakeup);
    Py_CLEAR(self->awaited);
    Py_CLEAR(self->job.coroutine);
    Py_CLEAR(self->pending);
    Py_CLEAR(self->cancel_message);
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
    if (self->gate != NULL)
        self->gate->carrier = NULL;
    Py_CLEAR(self->gate);
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
