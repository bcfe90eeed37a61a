/* The steps of a call in a worker thread, as anyio.to_thread.run_sync() has them:

   1. Two turns of the loop, at its checkpoints. Left out before anything of the
      application has run for the request: nothing could tell.
   2. A token of the limiter, now or when it calls set() as it would an event's.
   3. The call, in a copy of the context, by a thread (threads.c).
   4. The thread tells the loop, and one turn later the coroutine goes on: what the call
      has asked of the loop comes first.

   The carrier is parked meanwhile, so that its task takes no step. */
#include "hop.h"

#include "application.h"
#include "threads.h"

enum { CHECKPOINTS = 2 };

/* ---- the token ---- */

/* New reference or NULL; NULL without an exception: there is none yet. */
static PyObject *
limiter_of(const Threads *pool)
{
    return Py_XNewRef(PyDict_GetItemWithError(pool->variables, pool->variable));
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

/* Keeps the exception that is set, if there is one. */
static void
give_token_back(Hop *hop)
{
    PyObject *type, *value, *traceback, *done;

    if (hop->limiter == NULL)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    done = PyObject_CallMethod(hop->limiter, "release_on_behalf_of", "O",
                               hop->carrier->task);
    if (done == NULL)
        PyErr_WriteUnraisable((PyObject *)hop);
    Py_XDECREF(done);
    Py_CLEAR(hop->limiter);
    PyErr_Restore(type, value, traceback);
}

/* The limiter is to forget that it waits. */
static void
leave_queue(Hop *hop)
{
    PyObject *type, *value, *traceback, *queue, *done = NULL;

    PyErr_Fetch(&type, &value, &traceback);
    queue = PyObject_GetAttrString(hop->limiter, "_wait_queue");
    if (queue != NULL)
        done = PyObject_CallMethod(queue, "pop", "OO", hop->carrier->task, Py_None);
    if (done == NULL)
        PyErr_WriteUnraisable((PyObject *)hop);
    Py_XDECREF(queue);
    Py_XDECREF(done);
    Py_CLEAR(hop->limiter);
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

static int
begin(Hop *hop)
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
    give_token_back(hop);
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

/* What the loop calls: a turn has passed, or a thread has said that the call has ended.
 */
static PyObject *
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

/* The limiter has a token for it. */
static PyObject *
hop_set(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Hop *hop = (Hop *)op;

    if (hop->state == HOP_TOKEN && hop->carrier != NULL)
        enqueue(hop);
    Py_RETURN_NONE;
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
        PyErr_WriteUnraisable((PyObject *)hop);
    PyErr_Restore(type, value, traceback);
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
        PyErr_WriteUnraisable((PyObject *)hop);
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

/* ---- what the runner awaits ---- */

static PySendResult
hop_am_send(PyObject *op, PyObject *Py_UNUSED(value), PyObject **result)
{
    Hop *hop = (Hop *)op;

    *result = NULL;
    switch (hop->carrier != NULL ? hop->state : HOP_OVER) {
    case HOP_NEW:
        if (begin(hop) < 0) {
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

/* What awaits it is cancelled, or told of the error of the call. A call that has begun
   comes to its end, and nobody hears of it; the token is free at once, as in anyio. */
static void
give_up(Hop *hop)
{
    hop_state state = hop->state;

    hop->state = HOP_OVER;
    Py_CLEAR(hop->error); /* its traceback may lead here */
    if (hop->carrier == NULL)
        return;
    if (state == HOP_TOKEN && hop->limiter != NULL)
        leave_queue(hop);
    give_token_back(hop);
}

static PyObject *
hop_throw(PyObject *op, PyObject *const *args, Py_ssize_t n)
{
    give_up((Hop *)op);
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
    give_up((Hop *)op);
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

/* Whether the limiter is anyio's own. */
static bool
has_plain_limiter(const Threads *pool)
{
    PyObject *limiter = limiter_of(pool);
    bool plain = limiter != NULL && (PyObject *)Py_TYPE(limiter) == pool->limiter_type;

    Py_XDECREF(limiter);
    return plain;
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
        carrier->job.owner != owner || !has_plain_limiter(pool))
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
