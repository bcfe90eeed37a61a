/* Carriers from the side of the server: which is taken for a request, its steps outside
   of the task, and what becomes of it. carrier.c tells the whole. */
#include "carrier.h"

#include "application.h"

#include <stddef.h>

/* Idle carriers kept for the next requests: a burst of many that wait at once must not
   leave as many tasks behind. */
enum { IDLE_MAX = 1024 };

/* ---- those that wait ---- */

/* The loop knows tasks by weak references only: one that waits for what nobody else knows
   would be garbage, and its request without an answer. */
static void
hold(Carrier *self)
{
    Worker *worker = self->worker;

    if (self->busy_link != NULL)
        return;
    self->busy_next = worker->busy;
    if (self->busy_next != NULL)
        self->busy_next->busy_link = &self->busy_next;
    self->busy_link = &worker->busy;
    worker->busy = (Carrier *)Py_NewRef((PyObject *)self);
}

/* The caller has a reference of its own, or the task is running. */
static void
let_go(Carrier *self)
{
    late_remove(&self->late);
    if (self->busy_link == NULL)
        return;
    *self->busy_link = self->busy_next;
    if (self->busy_next != NULL)
        self->busy_next->busy_link = self->busy_link;
    self->busy_next = NULL;
    self->busy_link = NULL;
    Py_DECREF((PyObject *)self);
}

int
carrier_visit_busy(Worker *worker, visitproc visit, void *arg)
{
    for (Carrier *self = worker->busy; self != NULL; self = self->busy_next)
        Py_VISIT((PyObject *)self);
    return 0;
}

/* ---- a coroutine's end ---- */

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

bool
carrier_ended(Carrier *self, PySendResult sent, PyObject **result)
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
    PyObject *same = PyContext_Type.tp_richcompare(self->context, self->snapshot, Py_EQ);
    bool clean = same == Py_True && !self->spent && !self->retired;

    if (same == NULL)
        PyErr_Clear();
    Py_XDECREF(same);
    return clean;
}

/* 1 when the future is done: somebody has cancelled the task meanwhile, or what it waits
   for has happened, and it is about to be woken by that. 0 when it is not, or there is
   none. */
static int
awaited_is_done(Carrier *self)
{
    int res =
        self->awaited != NULL ? asyncio_is_done(self->worker->core, self->awaited) : 0;

    if (res < 0)
        PyErr_Clear();
    return res != 0;
}

bool
carrier_is_cancelled(Carrier *self)
{
    PyObject *count =
        PyObject_CallMethodNoArgs(self->task, self->worker->core->str_cancelling);
    int res = count != NULL ? PyObject_IsTrue(count) : -1;

    Py_XDECREF(count);
    if (res < 0)
        PyErr_Clear();
    return res != 0;
}

static int wake(Carrier *self);

static void
wake_late(late *op, Worker *Py_UNUSED(worker))
{
    Carrier *self = (Carrier *)((char *)op - offsetof(Carrier, late));

    Py_INCREF((PyObject *)self);
    if (wake(self) < 0)
        PyErr_WriteUnraisable((PyObject *)self);
    if (self->job.coroutine == NULL && self->late.link == NULL)
        let_go(self);
    Py_DECREF((PyObject *)self);
}

/* Ends the rest of an idle task, or lets it see what it was adopted for: if there is no
   memory for it now, then as soon as there is. */
static int
wake(Carrier *self)
{
    Worker *worker = self->worker;

    if (self->awaited == NULL || awaited_is_done(self))
        return 0; /* a step is due anyhow */
    if (asyncio_wake(worker->core, worker->loop, self->awaited) == 0)
        return 0;
    if (!PyErr_ExceptionMatches(PyExc_MemoryError))
        return -1;
    PyErr_Clear();
    hold(self);
    late_add(&self->late, worker, wake_late);
    return 0;
}

void
carrier_give_back(Carrier *self)
{
    Worker *worker = self->worker;

    let_go(self);
    if (worker->idle_count >= IDLE_MAX || !is_clean(self)) {
        self->retired = true;
        return;
    }
    self->next = worker->idle;
    worker->idle = (Carrier *)Py_NewRef((PyObject *)self);
    ++worker->idle_count;
}

PySendResult
carrier_step(Carrier *self, PyObject *value, PyObject **result)
{
    Carrier *outer = self->worker->running;
    PySendResult sent;

    self->worker->running = self;
    sent = PyIter_Send(self->job.coroutine, value, result);
    self->worker->running = outer;
    return sent;
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

PySendResult
carrier_throw_step(Carrier *self, PyObject *const *args, Py_ssize_t n, PyObject **result)
{
    PyObject *stack[4] = {self->job.coroutine, args[0], n > 1 ? args[1] : NULL,
                          n > 2 ? args[2] : NULL};
    Carrier *outer = self->worker->running;

    self->worker->running = self;
    *result = PyObject_VectorcallMethod(self->worker->core->str_throw, stack,
                                        (size_t)n + 1, NULL);
    self->worker->running = outer;
    if (*result != NULL)
        return PYGEN_NEXT;
    *result = stop_value();
    return *result != NULL ? PYGEN_RETURN : PYGEN_ERROR;
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
    if (self->task == NULL) {
        self->retired = true; /* a task half made may take its first step all the same */
        Py_CLEAR(self);
    }
    return self;
}

/* The first of those that are idle, a reference that was the list's; or NULL. */
static Carrier *
pop(Worker *worker)
{
    Carrier *self = worker->idle;

    if (self != NULL) {
        worker->idle = self->next;
        self->next = NULL;
        --worker->idle_count;
    }
    return self;
}

/* One that is idle and clean; new reference. */
static Carrier *
carrier_take(Worker *worker)
{
    Carrier *self;

    while ((self = pop(worker)) != NULL) {
        if (!self->retired && !awaited_is_done(self))
            return self;
        self->retired = true; /* cancelled at rest, or woken: it ends by itself */
        Py_DECREF(self);
    }
    return carrier_new(worker);
}

/* Makes its task the current one. Fails while another one is. */
static int
enter(Carrier *self)
{
    Worker *worker = self->worker;

    if (worker->entered == self) {
        worker->entered = NULL;
        Py_DECREF((PyObject *)self);
        return 0;
    }
    carrier_leave(worker);
    return asyncio_enter(worker->core, worker->loop, self->task);
}

static void
leave(Carrier *self)
{
    if (asyncio_leave(self->worker->core, self->worker->loop, self->task) < 0)
        PyErr_Clear();
}

/* The next request of this poll most likely runs in the same task. Until then nothing
   runs that could see which one is current, or it calls carrier_leave() first. */
static bool
stays(Carrier *self)
{
    Worker *worker = self->worker;

    if (!worker->polling || self->retired || worker->entered != NULL)
        return false;
    worker->entered = (Carrier *)Py_NewRef((PyObject *)self);
    return true;
}

void
carrier_leave(Worker *worker)
{
    Carrier *self = worker->entered;

    if (self == NULL)
        return;
    worker->entered = NULL;
    leave(self);
    Py_DECREF((PyObject *)self);
}

/* A step outside of the task, which has been entered; `error` is thrown in if it is not
   NULL. */
static PySendResult
step(Carrier *self, PyObject *error, PyObject **result)
{
    PyObject *type = NULL, *value = NULL, *traceback = NULL;
    PySendResult sent;

    *result = NULL;
    if (PyContext_Enter(self->context) < 0)
        return PYGEN_ERROR;
    sent = error == NULL ? carrier_step(self, Py_None, result)
                         : carrier_throw_step(self, &error, 1, result);
    if (sent == PYGEN_ERROR)
        PyErr_Fetch(&type, &value, &traceback);
    if (PyContext_Exit(self->context) < 0)
        PyErr_Clear();
    if (sent == PYGEN_ERROR)
        PyErr_Restore(type, value, traceback);
    return sent;
}

void
carrier_retire_all(Worker *worker)
{
    Carrier *self;

    while ((self = pop(worker)) != NULL) {
        self->retired = true;
        if (wake(self) < 0)
            PyErr_WriteUnraisable((PyObject *)self);
        Py_DECREF(self);
    }
}

void
carrier_drop_all(Worker *worker)
{
    Carrier *self;

    while ((self = pop(worker)) != NULL)
        Py_DECREF(self);
    while (worker->busy != NULL)
        let_go(worker->busy);
}

void
carrier_give_up(Carrier *self)
{
    carrier_job next;
    PyObject *error;

    self->retired = true;
    let_go(self);
    Py_CLEAR(self->pending);
    if (!finish_with_error(self))
        return;
    next = self->job;
    self->job = (carrier_job){NULL, NULL, NULL};
    if (carrier_run(self->worker, &next) < 0) {
        error = application_take_error();
        (void)next.done(next.owner, NULL, error, &self->job);
        Py_DECREF(error);
    }
    Py_DECREF(next.owner);
}

/* Its task, which is the current one if it `is_entered`, ends if it is of no more use. */
static void
put_back(Carrier *self, bool is_entered)
{
    carrier_give_back(self);
    if (is_entered && !stays(self))
        leave(self);
    if (self->retired && wake(self) < 0)
        PyErr_WriteUnraisable((PyObject *)self);
}

/* The coroutine waits for something: from now on the task drives it, unless it has been
   awaiting that very future. */
static void
suspend(Carrier *self, PyObject *future)
{
    core_state *core = self->worker->core;
    int rv;

    hold(self);
    if (future == (PyObject *)self) {
        self->parked = true;
        Py_DECREF(future);
    } else if (future == self->awaited) {
        /* As if the task had begun to await it now. */
        rv = PyObject_SetAttr(future, core->str__asyncio_future_blocking, Py_False);
        Py_DECREF(future);
        if (rv < 0)
            PyErr_WriteUnraisable((PyObject *)self);
    } else {
        self->pending = future;
        self->worker->loop_wanted = true;
        if (wake(self) < 0)
            carrier_give_up(self);
    }
}

/* Steps the coroutine, and those after it, as far as they go; `error` is
   thrown into the first if it is not NULL. The task is entered, and is
   left here or for the next request. */
static void
drive(Carrier *self, PyObject *error)
{
    PyObject *result;
    PySendResult sent = step(self, error, &result);

    while (sent != PYGEN_NEXT && carrier_ended(self, sent, &result))
        sent = step(self, NULL, &result);
    if (sent == PYGEN_NEXT) {
        leave(self);
        suspend(self, result);
        return;
    }
    if (awaited_is_done(self) || (self->awaited == NULL && carrier_is_cancelled(self)))
        self->retired = true; /* cancelled from within, too late to matter */
    put_back(self, true);
}

int
carrier_run(Worker *worker, const carrier_job *job)
{
    Carrier *self = carrier_take(worker);
    PyObject *type, *value, *traceback;

    if (self == NULL || enter(self) < 0) {
        PyErr_Fetch(&type, &value, &traceback);
        Py_DECREF(job->coroutine);
        if (self != NULL)
            put_back(self, false);
        PyErr_Restore(type, value, traceback);
        Py_XDECREF((PyObject *)self);
        return -1;
    }
    self->job = *job;
    Py_INCREF(self->job.owner);
    drive(self, NULL);
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

void
carrier_unpark(Carrier *self, PyObject *error)
{
    if (!self->parked)
        return; /* something was thrown into it meanwhile */
    self->parked = false;
    if (self->worker->running != NULL || self->awaited == NULL || awaited_is_done(self) ||
        enter(self) < 0) {
        PyErr_Clear(); /* a step of its task is due, or comes so */
        if (wake(self) < 0)
            carrier_give_up(self);
        return;
    }
    Py_INCREF((PyObject *)self);
    drive(self, error);
    Py_DECREF(self);
}

bool
carrier_resume(Carrier *self, PyObject *future)
{
    if (self->worker->running != NULL || self->awaited != future || self->retired ||
        self->parked || self->job.coroutine == NULL || self->pending != NULL ||
        awaited_is_done(self))
        return false;
    if (enter(self) < 0) {
        PyErr_Clear(); /* somebody's task runs just now */
        return false;
    }
    Py_INCREF((PyObject *)self);
    self->resumed = true;
    drive(self, NULL);
    self->resumed = false;
    Py_DECREF(self);
    return true;
}
