/* What the coroutine of a carrier waits for: how that calls the gate, and what becomes of
   it when the task is cancelled. carrier.c tells the whole. */
#include "carrier/carrier.h"

#include "carrier/application.h"

#include <stddef.h>

/* ---- what the loop is to call ---- */

static int say(Carrier *self);

static void
say_late(late *op, Worker *Py_UNUSED(worker))
{
    Carrier *self = (Carrier *)((char *)op - offsetof(Carrier, late));

    Py_INCREF((PyObject *)self);
    if (say(self) < 0)
        PyErr_WriteUnraisable((PyObject *)self);
    if (self->job.coroutine == NULL && self->late.link == NULL)
        carrier_let_go(self);
    Py_DECREF((PyObject *)self);
}

/* Has the loop call what is due: if there is no memory to tell it now, then as soon as
   there is. */
static int
say(Carrier *self)
{
    Worker *worker = self->worker;
    PyObject *gate = (PyObject *)self->gate;
    int rv = self->turn ? asyncio_call_soon(worker->core, worker->loop, gate, NULL,
                                            self->context)
                        : asyncio_call_soon(worker->core, worker->loop, self->wakeup,
                                            gate, self->context);

    if (rv == 0)
        return 0;
    if (!PyErr_ExceptionMatches(PyExc_MemoryError))
        return -1;
    PyErr_Clear();
    carrier_hold(self);
    late_add(&self->late, worker, say_late);
    return 0;
}

int
carrier_wake(Carrier *self)
{
    if (self->wakeup == NULL || self->woken)
        return 0; /* it is due anyhow */
    self->woken = true;
    self->turn = false;
    return say(self);
}

int
carrier_take_turn(Carrier *self)
{
    self->turn = true;
    return say(self);
}

/* ---- cancellation ---- */

/* Of the task: how often that has been asked and not been taken back; or -1 with an
   exception. */
static long
asked(Carrier *self)
{
    PyObject *count =
        PyObject_CallMethodNoArgs(self->task, self->worker->core->str_cancelling);
    long res = count != NULL ? PyLong_AsLong(count) : -1;

    Py_XDECREF(count);
    return res;
}

bool
carrier_is_cancelled(Carrier *self)
{
#if PY_VERSION_HEX >= 0x030d0000
    /* uncancel() takes it back, unless what it awaited has been cancelled already. */
    if (self->cancelling && !self->cancel_is_final && asked(self) == 0) {
        self->cancelling = false;
        Py_CLEAR(self->cancel_message);
    }
    if (PyErr_Occurred())
        PyErr_Clear();
#endif
    return self->cancelling;
}

PyObject *
carrier_cancelled_error(Carrier *self)
{
    PyObject *type = self->worker->core->cancelled_error, *message = self->cancel_message;
    PyObject *error;

    self->cancelling = false;
    self->cancel_message = NULL;
    error = message != NULL && message != Py_None ? PyObject_CallOneArg(type, message)
                                                  : PyObject_CallNoArgs(type);
    Py_XDECREF(message);
    return error;
}

/* There is no future that could be cancelled: the next step will tell. */
static int
cancel_later(Carrier *self, PyObject *message)
{
    bool idle = self->job.coroutine == NULL, parked = self->parked && !self->stepping;

    self->cancelling = true;
    self->cancel_is_final = idle || parked;
    Py_XSETREF(self->cancel_message, Py_XNewRef(message));
    if (idle) { /* the task ends by itself */
        self->retired = true;
        return carrier_wake(self);
    }
    if (!parked)
        return 0; /* a step is due, or running */
    self->parked = false;
    return carrier_take_turn(self);
}

int
carrier_cancel(Carrier *self, PyObject *message)
{
    int res = 0;

    self->was_asked = true;
    if (self->awaited != NULL && !self->stepping)
        res = asyncio_cancel(self->worker->core, self->awaited, message);
    if (res == 0)
        res = cancel_later(self, message) < 0 ? -1 : 1;
    return res;
}

/* Whether the task, which has had no step yet, has noted that it is cancelled. */
static bool
is_noted(Carrier *self)
{
    PyObject *found = PyObject_GetAttr(self->task, self->worker->core->str__must_cancel);
    bool noted = found == NULL || found == Py_True;

    if (found == NULL)
        PyErr_Clear();
    Py_XDECREF(found);
    return noted;
}

bool
carrier_is_marked(Carrier *self)
{
    bool first = self->wakeup == NULL;
    long count = self->was_asked || first ? asked(self) : 0;

    if (count < 0)
        PyErr_Clear();
    return count != 0 || self->cancelling || (first && is_noted(self));
}

/* ---- futures ---- */

/* It waits for a future: that calls the gate. False: only the task knows what to do. */
static bool
await_future(Carrier *self, PyObject *future)
{
    Worker *worker = self->worker;
    int rv = future == self->task ? 0
                                  : asyncio_await(worker->core, worker->loop, future,
                                                  (PyObject *)self->gate, self->context);

    if (rv == 1)
        self->awaited = Py_NewRef(future);
    if (rv >= 0)
        return rv == 1;
    if (!PyErr_ExceptionMatches(PyExc_MemoryError)) {
        PyErr_Clear(); /* it meets the same */
        return false;
    }
    carrier_give_up(self);
    return true;
}

/* The same future as before, whose callback the gate is still. */
static void
await_again(Carrier *self)
{
    if (PyObject_SetAttr(self->awaited, self->worker->core->str__asyncio_future_blocking,
                         Py_False) < 0)
        PyErr_WriteUnraisable((PyObject *)self);
}

/* Somebody has cancelled the task while the coroutine ran. */
static int
cancel_awaited(Carrier *self)
{
    PyObject *message = self->cancel_message;
    int rv = 1;

    self->cancelling = false;
    self->cancel_message = NULL;
    if (self->pending == NULL)
        rv = carrier_cancel(self, message);
    else
        rv = cancel_later(self, message); /* when the task steps it */
    Py_XDECREF(message);
    return rv;
}

void
carrier_suspend(Carrier *self, PyObject *future)
{
    int rv = 0;

    carrier_hold(self);
    if (future != self->awaited) {
        Py_CLEAR(self->awaited);
        self->worker->loop_wanted = true;
    }
    if (future == (PyObject *)self)
        self->parked = true;
    else if (future == Py_None)
        rv = carrier_take_turn(self);
    else if (future == self->awaited)
        await_again(self);
    else if (!await_future(self, future))
        self->pending = Py_NewRef(future);
    Py_DECREF(future);
    if (rv == 0 && self->job.coroutine != NULL && carrier_is_cancelled(self))
        rv = cancel_awaited(self);
    if (rv < 0)
        carrier_give_up(self);
}

/* The exception of a future that is done: a new reference; NULL: none. */
static PyObject *
error_of(Carrier *self, PyObject *future)
{
    PyObject *result = PyObject_CallMethodNoArgs(future, self->worker->core->str_result);

    Py_XDECREF(result);
    return result == NULL ? application_take_error() : NULL;
}

PyObject *
carrier_take_error(Carrier *self)
{
    PyObject *future = self->awaited, *error = NULL;

    self->awaited = NULL;
    if (future != NULL)
        error = error_of(self, future);
    Py_XDECREF(future);
    if (!carrier_is_cancelled(self))
        return error;
    if (error != NULL &&
        PyErr_GivenExceptionMatches(error, self->worker->core->cancelled_error)) {
        self->cancelling = false;
        return error;
    }
    Py_XDECREF(error);
    error = carrier_cancelled_error(self);
    return error != NULL ? error : application_take_error();
}
