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
#include "application.h"

struct Carrier {
    PyObject_HEAD Worker *worker;
    PyObject *task;
    PyObject *context;  /* of the task */
    PyObject *snapshot; /* what `context` was like at first */
    PyObject *awaited;  /* the future that the task awaits; NULL: a step of it is due */
    carrier_job job;    /* its coroutine is NULL while idle */
    PyObject *pending;  /* what it has yielded and the task has not seen yet */
    bool resumed;       /* it runs by carrier_resume() */
    bool retired;       /* not to be used again: its task is ending */
};

/* The coroutine has ended. True: another one is to begin. */
static bool
finish(Carrier *self, PyObject *result, PyObject *error)
{
    carrier_job ended = self->job;
    bool more;

    self->job = (carrier_job){NULL, NULL, NULL};
    more = ended.done(ended.owner, result, error, &self->job);
    Py_DECREF(ended.coroutine);
    Py_XDECREF(ended.owner);
    return more;
}

/* The same with the exception that is set. */
static bool
finish_with_error(Carrier *self)
{
    PyObject *error = application_take_error();
    bool more = finish(self, NULL, error);

    Py_DECREF(error);
    return more;
}

/* What came of a step that was the last. True: another coroutine is to begin. */
static bool
ended(Carrier *self, PySendResult sent, PyObject **result)
{
    bool more;

    if (sent == PYGEN_ERROR)
        return finish_with_error(self);
    more = finish(self, *result, NULL);
    Py_CLEAR(*result);
    return more;
}

/* Whether the next request may run in it: nothing of the last one must be left. A
   context that was never written to is the same tree still, and comparing it is cheap. */
static bool
is_clean(Carrier *self)
{
    int same = PyObject_RichCompareBool(self->context, self->snapshot, Py_EQ);

    if (same < 0)
        PyErr_Clear();
    return same == 1 && !self->retired;
}

/* 1 when the future is done: somebody has cancelled the task meanwhile, or what it waits
   for has happened, and it is about to be woken by that. 0 when it is not, or there is
   none. */
static int
awaited_is_done(Carrier *self)
{
    PyObject *done;
    int res = 0;

    if (self->awaited != NULL) {
        done = PyObject_CallMethodNoArgs(self->awaited, self->worker->core->str_done);
        res = done != NULL ? PyObject_IsTrue(done) : -1;
        Py_XDECREF(done);
        if (res < 0)
            PyErr_Clear();
    }
    return res != 0;
}

/* 1 when somebody asked the task to end and did not take it back: its next step, or the
   next future it waits for, would be cancelled. */
static int
is_cancelled(Carrier *self)
{
    PyObject *count =
        PyObject_CallMethodNoArgs(self->task, self->worker->core->str_cancelling);
    int res = count != NULL ? PyObject_IsTrue(count) : -1;

    Py_XDECREF(count);
    if (res < 0)
        PyErr_Clear();
    return res != 0;
}

/* Ends the rest of an idle task, or lets it see what it was adopted for. */
static int
wake(Carrier *self)
{
    PyObject *woken;

    if (self->awaited == NULL || awaited_is_done(self))
        return 0; /* a step is due anyhow */
    woken = PyObject_CallMethodOneArg(self->awaited, self->worker->core->str_set_result,
                                      Py_None);
    Py_XDECREF(woken);
    return woken != NULL ? 0 : -1;
}

static void
give_back(Carrier *self)
{
    if (!is_clean(self)) {
        self->retired = true;
    } else if (PyList_Append(self->worker->carriers, (PyObject *)self) < 0) {
        PyErr_Clear();
        self->retired = true;
    }
}

/* The task is going to await that, or to be stepped again if it is None. */
static PySendResult
await_next(Carrier *self, PyObject *future)
{
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

/* A step within the task. */
static PySendResult
send_in_task(Carrier *self, PyObject *value, PyObject **result)
{
    Carrier *outer = self->worker->running;
    PySendResult sent;

    self->worker->running = self;
    sent = PyIter_Send(self->job.coroutine, value, result);
    self->worker->running = outer;
    return sent;
}

/* What came of a step within the task. */
static PySendResult
after_step(Carrier *self, PySendResult sent, PyObject **result)
{
    while (sent != PYGEN_NEXT && ended(self, sent, result))
        sent = send_in_task(self, Py_None, result);
    if (sent == PYGEN_NEXT)
        return await_next(self, *result);
    if (is_cancelled(self))
        self->retired = true;
    give_back(self);
    return rest(self, result);
}

static PySendResult
carrier_am_send(PyObject *op, PyObject *value, PyObject **result)
{
    Carrier *self = (Carrier *)op;

    if (self->job.coroutine == NULL)
        return rest(self, result); /* the first step of the task, or a stray wake-up */
    if (self->pending != NULL) {
        *result = self->pending;
        self->pending = NULL;
        return await_next(self, *result);
    }
    return after_step(self, send_in_task(self, value, result), result);
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

/* Takes the StopIteration that is set apart: its value, or NULL with the exception still
   set if it is another one. */
static PyObject *
stop_value(void)
{
    PyObject *type, *value, *traceback, *res;

    if (!PyErr_ExceptionMatches(PyExc_StopIteration))
        return NULL;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    res = Py_NewRef(((PyStopIterationObject *)value)->value);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return res;
}

/* Throws into the request what was thrown into the task. */
static PyObject *
throw_into_inner(Carrier *self, PyObject *const *args, Py_ssize_t n)
{
    core_state *core = self->worker->core;
    PyObject *stack[4] = {self->job.coroutine, args[0], n > 1 ? args[1] : NULL,
                          n > 2 ? args[2] : NULL};
    PyObject *pending = self->pending, *inner = Py_NewRef(self->job.coroutine), *result;
    Carrier *outer = self->worker->running;
    PySendResult sent;

    self->pending = NULL;
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
    self->worker->running = self;
    result = PyObject_VectorcallMethod(core->str_throw, stack, (size_t)n + 1, NULL);
    self->worker->running = outer;
    sent = PYGEN_NEXT;
    if (result == NULL) {
        result = stop_value();
        sent = result != NULL ? PYGEN_RETURN : PYGEN_ERROR;
    }
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

/* ---- running a request ---- */

static Carrier *
carrier_new(Worker *worker)
{
    core_state *core = worker->core;
    PyTypeObject *type = core->carrier_type;
    Carrier *self = (Carrier *)type->tp_alloc(type, 0);
    PyObject *args[3], *names = NULL;

    if (self == NULL)
        return NULL;
    self->worker = (Worker *)Py_NewRef((PyObject *)worker);
    self->context = PyContext_Copy(worker->context);
    self->snapshot = PyContext_Copy(worker->context);
    names = PyTuple_Pack(2, core->str_loop, core->str_context);
    if (self->context != NULL && self->snapshot != NULL && names != NULL) {
        args[0] = (PyObject *)self;
        args[1] = worker->loop;
        args[2] = self->context;
        self->task = PyObject_Vectorcall(core->task_type, args, 1, names);
    }
    Py_XDECREF(names);
    if (self->task == NULL)
        Py_CLEAR(self);
    return self;
}

/* One that is idle and clean; new reference. */
static Carrier *
carrier_take(Worker *worker)
{
    Py_ssize_t n = PyList_GET_SIZE(worker->carriers);
    Carrier *self;

    while (n > 0) {
        self = (Carrier *)Py_NewRef(PyList_GET_ITEM(worker->carriers, n - 1));
        if (PyList_SetSlice(worker->carriers, n - 1, n, NULL) < 0) {
            Py_DECREF(self);
            return NULL;
        }
        /* One whose task has been cancelled at rest ends by itself. */
        if (!self->retired && !awaited_is_done(self))
            return self;
        Py_DECREF(self);
        --n;
    }
    return carrier_new(worker);
}

/* Makes its task the current one. Fails while another one is. */
static int
enter(Carrier *self)
{
    PyObject *args[2] = {self->worker->loop, self->task};
    PyObject *entered =
        PyObject_Vectorcall(self->worker->core->enter_task, args, 2, NULL);

    Py_XDECREF(entered);
    return entered != NULL ? 0 : -1;
}

static void
leave(Carrier *self)
{
    PyObject *args[2] = {self->worker->loop, self->task};
    PyObject *type, *value, *traceback, *left;

    PyErr_Fetch(&type, &value, &traceback);
    left = PyObject_Vectorcall(self->worker->core->leave_task, args, 2, NULL);
    if (left == NULL)
        PyErr_Clear();
    Py_XDECREF(left);
    PyErr_Restore(type, value, traceback);
}

/* A step outside of the task, which has been entered. `*result` and the exception as
   PyIter_Send() leaves them. */
static PySendResult
step(Carrier *self, PyObject **result)
{
    PyObject *type, *value, *traceback;
    PySendResult sent;

    *result = NULL;
    if (PyContext_Enter(self->context) < 0)
        return PYGEN_ERROR;
    sent = send_in_task(self, Py_None, result);
    PyErr_Fetch(&type, &value, &traceback);
    if (PyContext_Exit(self->context) < 0)
        PyErr_Clear();
    PyErr_Restore(type, value, traceback);
    return sent;
}

void
carrier_retire_all(Worker *worker)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(worker->carriers); ++i) {
        Carrier *self = (Carrier *)PyList_GET_ITEM(worker->carriers, i);

        self->retired = true;
        if (wake(self) < 0)
            PyErr_WriteUnraisable((PyObject *)self);
    }
}

/* The coroutine waits for something: from now on the task drives it, unless it has been
   awaiting that very future. */
static void
suspend(Carrier *self, PyObject *future)
{
    core_state *core = self->worker->core;
    int rv;

    if (future == self->awaited) {
        /* As if the task had begun to await it now. */
        rv = PyObject_SetAttr(future, core->str__asyncio_future_blocking, Py_False);
        Py_DECREF(future);
    } else {
        self->pending = future;
        rv = wake(self);
    }
    if (rv < 0)
        PyErr_WriteUnraisable((PyObject *)self);
}

/* Steps the coroutine, and those after it, as far as they go. The task is entered, and is
   left here. */
static void
drive(Carrier *self)
{
    PyObject *result;
    PySendResult sent;

    do
        sent = step(self, &result);
    while (sent != PYGEN_NEXT && ended(self, sent, &result));
    leave(self);
    if (sent == PYGEN_NEXT) {
        suspend(self, result);
        return;
    }
    if (awaited_is_done(self) || (self->awaited == NULL && is_cancelled(self)))
        self->retired = true; /* cancelled from within, too late to matter */
    give_back(self);
    if (self->retired && wake(self) < 0)
        PyErr_WriteUnraisable((PyObject *)self);
}

int
carrier_run(Worker *worker, const carrier_job *job)
{
    Carrier *self = carrier_take(worker);

    if (self == NULL || enter(self) < 0) {
        Py_DECREF(job->coroutine);
        Py_XDECREF((PyObject *)self);
        return -1;
    }
    self->job = *job;
    Py_INCREF(self->job.owner);
    drive(self);
    Py_DECREF(self);
    return 0;
}

/* Whether the coroutine that runs does so in the task itself: not in one that it has
   made, which may run within its step (asyncio.eager_task_factory()). */
static bool
is_current(Carrier *self)
{
    PyObject *task =
        PyObject_CallOneArg(self->worker->core->current_task, self->worker->loop);
    bool res = task == self->task;

    if (task == NULL)
        PyErr_Clear();
    Py_XDECREF(task);
    return res;
}

PyObject *
carrier_future(Worker *worker, Carrier **carrier)
{
    Carrier *self = worker->running;

    *carrier = self;
    /* Not done: the step is one of carrier_resume(), and the task awaits it still. */
    if (self != NULL && self->awaited != NULL && self->resumed &&
        !awaited_is_done(self) && is_current(self))
        return Py_NewRef(self->awaited);
    return PyObject_CallMethodNoArgs(worker->loop, worker->core->str_create_future);
}

bool
carrier_resume(Carrier *self, PyObject *future)
{
    if (self->worker->running != NULL || self->awaited != future || self->retired ||
        self->job.coroutine == NULL || self->pending != NULL || awaited_is_done(self))
        return false;
    if (enter(self) < 0) {
        PyErr_Clear(); /* somebody's task runs just now */
        return false;
    }
    Py_INCREF((PyObject *)self);
    self->resumed = true;
    drive(self);
    self->resumed = false;
    Py_DECREF(self);
    return true;
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
    return 0;
}

static int
carrier_clear(PyObject *op)
{
    Carrier *self = (Carrier *)op;

    Py_CLEAR(self->task);
    Py_CLEAR(self->context);
    Py_CLEAR(self->snapshot);
    Py_CLEAR(self->awaited);
    Py_CLEAR(self->job.coroutine);
    Py_CLEAR(self->pending);
    Py_CLEAR(self->job.owner);
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
