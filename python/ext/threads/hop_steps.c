/* The steps of a call in a worker thread, as anyio.to_thread.run_sync() has them:

   1. Two turns of the loop, at its checkpoints. Left out before anything of the
      application has run for the request: nothing could tell.
   2. A token of the limiter, now or when it calls set() as it would an event's.
   3. The call, in a copy of the context, by a thread (threads.c).
   4. The thread tells the loop, and one turn later the coroutine goes on: what the call
      has asked of the loop comes first.

   The carrier is parked meanwhile, so that its task takes no step. */
#include "threads/hop.h"

#include "carrier/application.h"
#include "threads/threads.h"

#include <stddef.h>

/* ---- the token ---- */

/* New reference or NULL; NULL without an exception: there is none yet. */
static PyObject *
limiter_of(const Threads *pool)
{
    return Py_XNewRef(PyDict_GetItemWithError(pool->variables, pool->variable));
}

bool
hop_has_plain_limiter(const Threads *pool)
{
    PyObject *limiter = limiter_of(pool);
    bool plain = limiter != NULL && (PyObject *)Py_TYPE(limiter) == pool->limiter_type;

    Py_XDECREF(limiter);
    return plain;
}

/* 1: it has a token. 0: the limiter will call set(). -1 with an exception. */
static int
ask_limiter(Hop *hop)
{
    PyObject *task = hop->carrier->task, *queue, *asked;
    int rv;

    hop->limiter = limiter_of(hop->pool);
    if (hop->limiter == NULL) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_RuntimeError, "the limiter of threads is gone");
        return -1;
    }
    asked = PyObject_CallMethod(hop->limiter, "acquire_on_behalf_of_nowait", "O", task);
    if (asked != NULL) {
        Py_DECREF(asked);
        return 1;
    }
    if (!PyErr_ExceptionMatches(hop->pool->would_block)) {
        Py_CLEAR(hop->limiter);
        return -1;
    }
    PyErr_Clear();
    queue = PyObject_GetAttrString(hop->limiter, "_wait_queue");
    rv = queue != NULL ? PyObject_SetItem(queue, task, (PyObject *)hop) : -1;
    Py_XDECREF(queue);
    if (rv < 0)
        Py_CLEAR(hop->limiter);
    return rv;
}

static Hop *
hop_of(late *op)
{
    return (Hop *)((char *)op - offsetof(Hop, late));
}

/* What came of giving something back to the limiter; `done` is given up. False: it is
   tried `again`, and until then the task of the call is good for no other, as the limiter
   takes it for who has the token. */
static bool
given_back(Hop *hop, PyObject *done, void (*again)(late *op, Worker *worker))
{
    if (done == NULL && PyErr_ExceptionMatches(PyExc_MemoryError)) {
        PyErr_Clear();
        hop->carrier->spent = true;
        Py_INCREF((PyObject *)hop);
        late_add(&hop->late, hop->carrier->worker, again);
        return false;
    }
    if (done == NULL)
        PyErr_WriteUnraisable((PyObject *)hop);
    Py_XDECREF(done);
    Py_CLEAR(hop->limiter);
    return true;
}

static void release(Hop *hop);

static void
release_late(late *op, Worker *Py_UNUSED(worker))
{
    Hop *hop = hop_of(op);

    if (hop->carrier != NULL && hop->limiter != NULL)
        release(hop);
    Py_DECREF((PyObject *)hop);
}

static void
release(Hop *hop)
{
    PyObject *done = PyObject_CallMethod(hop->limiter, "release_on_behalf_of", "O",
                                         hop->carrier->task);

    (void)given_back(hop, done, release_late);
}

static void leave(Hop *hop);

static void
leave_late(late *op, Worker *Py_UNUSED(worker))
{
    Hop *hop = hop_of(op);

    if (hop->carrier != NULL && hop->limiter != NULL)
        leave(hop);
    Py_DECREF((PyObject *)hop);
}

/* The limiter is to forget that it waits. */
static void
leave(Hop *hop)
{
    PyObject *queue = PyObject_GetAttrString(hop->limiter, "_wait_queue"), *done = NULL;

    if (queue != NULL)
        done = PyObject_CallMethod(queue, "pop", "OO", hop->carrier->task, Py_None);
    Py_XDECREF(queue);
    (void)given_back(hop, done, leave_late);
}

/* Gives back the token, or the place in the queue. Keeps the exception that is set, if
   there is one. */
static void
give_token_back(Hop *hop, bool waits)
{
    PyObject *type, *value, *traceback;

    if (hop->limiter == NULL)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    if (waits)
        leave(hop);
    else
        release(hop);
    PyErr_Restore(type, value, traceback);
}

/* ---- the steps, in the thread of the loop ---- */

static void
enqueue(Hop *hop)
{
    hop->state = HOP_QUEUED;
    threads_add(hop->pool, hop);
}

static int
take_token(Hop *hop)
{
    int rv = hop->limited ? ask_limiter(hop) : 1;

    hop->state = HOP_TOKEN;
    if (rv == 1)
        enqueue(hop);
    return rv < 0 ? -1 : 0;
}

int
hop_begin(Hop *hop)
{
    if (hop->turns == 0)
        return take_token(hop);
    hop->state = HOP_TURNS;
    return threads_call_soon(hop->pool, (PyObject *)hop);
}

static int
turn(Hop *hop)
{
    if (--hop->turns > 0)
        return threads_call_soon(hop->pool, (PyObject *)hop);
    return take_token(hop);
}

static void
ready(Hop *hop)
{
    PyObject *error = Py_XNewRef(hop->error);

    hop->state = HOP_READY;
    carrier_leave(hop->carrier->worker);
    give_token_back(hop, false);
    carrier_unpark(hop->carrier, error);
    Py_XDECREF(error);
}

/* It ends with the exception that is set. */
static void
fail(Hop *hop)
{
    Py_XSETREF(hop->error, application_take_error());
    ready(hop);
}

PyObject *
hop_call(PyObject *op, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Hop *hop = (Hop *)op;

    if (hop->carrier == NULL) /* the garbage collector has been here */
        Py_RETURN_NONE;
    Py_INCREF(op);
    switch (hop->state) {
    case HOP_TURNS:
        if (turn(hop) < 0)
            fail(hop);
        break;
    case HOP_RUNS:
        hop->state = HOP_ENDED;
        if (threads_call_soon(hop->pool, op) < 0)
            fail(hop);
        break;
    case HOP_ENDED: ready(hop); break;
    default: break; /* given up meanwhile */
    }
    Py_DECREF(op);
    Py_RETURN_NONE;
}

PyObject *
hop_set(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Hop *hop = (Hop *)op;

    if (hop->state == HOP_TOKEN && hop->carrier != NULL)
        enqueue(hop);
    else if (hop->late.wake == leave_late)
        hop->late.wake = release_late; /* it could not leave the queue in time */
    Py_RETURN_NONE;
}

static void
called_late(late *op, Worker *Py_UNUSED(worker))
{
    Py_XDECREF(hop_call((PyObject *)hop_of(op), NULL, NULL));
}

/* The loop could not be told to call, because of the exception that is set. */
static void
call_late(Hop *hop)
{
    if (PyErr_ExceptionMatches(PyExc_MemoryError) && hop->carrier != NULL) {
        PyErr_Clear();
        late_add(&hop->late, hop->carrier->worker, called_late);
    } else {
        PyErr_WriteUnraisable((PyObject *)hop);
    }
}

void
hop_refuse(Hop *hop)
{
    PyObject *type, *value, *traceback;

    if (hop->state != HOP_QUEUED)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    Py_XSETREF(hop->error, Py_XNewRef(value));
    PyErr_Restore(type, value, traceback);
    PyErr_Fetch(&type, &value, &traceback);
    hop->state = HOP_ENDED;
    if (threads_call_soon(hop->pool, (PyObject *)hop) < 0)
        call_late(hop);
    PyErr_Restore(type, value, traceback);
}

void
hop_give_up(Hop *hop)
{
    hop_state state = hop->state;

    hop->state = HOP_OVER;
    Py_CLEAR(hop->error); /* its traceback may lead here */
    if (hop->carrier == NULL)
        return;
    if (state < HOP_READY)
        give_token_back(hop, state == HOP_TOKEN);
}

/* ---- the call, in its thread ---- */

/* A coroutine cannot raise StopIteration: anyio makes this of it. */
static PyObject *
told_apart(PyObject *error)
{
    PyObject *made;

    if (!PyObject_TypeCheck(error, (PyTypeObject *)PyExc_StopIteration))
        return error;
    made =
        PyObject_CallFunction(PyExc_RuntimeError, "s", "coroutine raised StopIteration");
    if (made == NULL) {
        Py_DECREF(error);
        return application_take_error();
    }
    PyException_SetCause(made, error); /* takes it over */
    return made;
}

/* The loop may be closed by now: then nobody waits any more. */
static void
tell_loop(Hop *hop)
{
    PyObject *closed;

    if (threads_call_loop(hop->pool, (PyObject *)hop) == 0)
        return;
    if (PyErr_ExceptionMatches(PyExc_RuntimeError)) {
        PyObject *type, *value, *traceback;

        PyErr_Fetch(&type, &value, &traceback);
        closed = PyObject_CallMethod(hop->pool->loop, "is_closed", NULL);
        if (closed == Py_True) {
            Py_XDECREF(type);
            Py_XDECREF(value);
            Py_XDECREF(traceback);
        } else {
            PyErr_Clear();
            PyErr_Restore(type, value, traceback);
        }
        Py_XDECREF(closed);
    }
    if (PyErr_Occurred())
        call_late(hop);
}

static PyObject *
called(Hop *hop)
{
    PyObject *result;

    if (PyContext_Enter(hop->context) < 0)
        return NULL;
    result = PyObject_Vectorcall(hop->call, hop->at + 1,
                                 (size_t)hop->count | PY_VECTORCALL_ARGUMENTS_OFFSET,
                                 hop->names);
    if (PyContext_Exit(hop->context) < 0)
        Py_CLEAR(result);
    return result;
}

void
hop_run(Hop *hop)
{
    PyObject *result = NULL, *error = NULL;

    if (hop->state == HOP_QUEUED) { /* else it was given up before it began */
        hop->state = HOP_RUNS;
        result = called(hop);
        if (result == NULL)
            error = told_apart(application_take_error());
    }
    ++hop->pool->searching; /* from here on: the loop need not wake another one */
    if (hop->state == HOP_RUNS) {
        hop->result = result;
        hop->error = error;
        tell_loop(hop);
        return;
    }
    Py_XDECREF(result);
    Py_XDECREF(error);
}
