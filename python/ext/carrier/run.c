/* Carriers from the side of the server: the steps of a request outside of the task, and
   what becomes of it. carrier.c tells the whole, pool.c has which carrier is taken. */
#include "carrier/carrier.h"

#include "carrier/application.h"

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

/* ---- steps ---- */

PySendResult
carrier_step(Carrier *self, PyObject *value, PyObject **result)
{
    Carrier *outer = self->worker->running;
    PySendResult sent;

    self->worker->running = self;
    self->stepping = true;
    sent = PyIter_Send(self->job.coroutine, value, result);
    self->stepping = false;
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
    self->stepping = true;
    *result = PyObject_VectorcallMethod(self->worker->core->str_throw, stack,
                                        (size_t)n + 1, NULL);
    self->stepping = false;
    self->worker->running = outer;
    if (*result != NULL)
        return PYGEN_NEXT;
    *result = stop_value();
    return *result != NULL ? PYGEN_RETURN : PYGEN_ERROR;
}

/* ---- running a request ---- */

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

static PySendResult
any_step(Carrier *self, PyObject *error, PyObject **result)
{
    return error == NULL ? carrier_step(self, Py_None, result)
                         : carrier_throw_step(self, &error, 1, result);
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
    sent = any_step(self, error, result);
    if (sent == PYGEN_ERROR)
        PyErr_Fetch(&type, &value, &traceback);
    if (PyContext_Exit(self->context) < 0)
        PyErr_Clear();
    if (sent == PYGEN_ERROR)
        PyErr_Restore(type, value, traceback);
    return sent;
}

static void
end_with_error(Carrier *self)
{
    carrier_job next;
    PyObject *error;

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

void
carrier_give_up(Carrier *self)
{
    self->retired = true;
    carrier_let_go(self);
    Py_CLEAR(self->pending);
    end_with_error(self);
    if (carrier_wake(self) < 0)
        PyErr_WriteUnraisable((PyObject *)self);
}

/* Its task, which is the current one if it `is_entered`, ends if it is of no more use. */
static void
put_back(Carrier *self, bool is_entered)
{
    carrier_give_back(self);
    if (is_entered && !stays(self))
        leave(self);
    if (self->retired && carrier_wake(self) < 0)
        PyErr_WriteUnraisable((PyObject *)self);
}

/* Steps the coroutine, and those after it, as far as they go; `error` is thrown into the
   first if it is not NULL. The task is entered, and is left here. `inside`: so is its
   context, which is not left. */
static void
drive(Carrier *self, PyObject *error, bool inside)
{
    PyObject *result;
    PySendResult sent =
        inside ? any_step(self, error, &result) : step(self, error, &result);

    while (sent != PYGEN_NEXT && carrier_ended(self, sent, &result))
        sent = inside ? any_step(self, NULL, &result) : step(self, NULL, &result);
    if (sent != PYGEN_NEXT) {
        put_back(self, true);
        return;
    }
    leave(self);
    carrier_suspend(self, result);
    if (self->pending != NULL && carrier_wake(self) < 0)
        carrier_give_up(self);
}

/* Whether it is that which the coroutine waits for: not something that it has waited for
   before, and has been stepped since. */
static bool
is_due(Carrier *self, PyObject *future)
{
    if (self->job.coroutine == NULL || self->stepping)
        return false;
    return future != NULL ? future == self->awaited : self->turn;
}

int
carrier_called(Carrier *self, PyObject *future)
{
    PyObject *error;

    if (!is_due(self, future))
        return 0;
    if (enter(self) < 0) {
        /* Within a step of another task; but without memory this comes again. */
        if (!PyErr_ExceptionMatches(PyExc_MemoryError))
            return -1;
        PyErr_Clear();
        return carrier_take_turn(self);
    }
    self->turn = false;
    error = carrier_take_error(self);
    drive(self, error, true);
    Py_XDECREF(error);
    return 0;
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
    self->was_asked = false;
    Py_INCREF(self->job.owner);
    drive(self, NULL, false);
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

static bool
awaited_is_done(Carrier *self)
{
    int res = asyncio_is_done(self->worker->core, self->awaited);

    if (res < 0)
        PyErr_Clear();
    return res != 0;
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
        return; /* it has been cancelled meanwhile */
    self->parked = false;
    Py_INCREF((PyObject *)self);
    if (self->worker->running != NULL || enter(self) < 0) {
        PyErr_Clear();
        if (carrier_take_turn(self) < 0)
            carrier_give_up(self);
    } else {
        drive(self, error, false);
    }
    Py_DECREF(self);
}

bool
carrier_resume(Carrier *self, PyObject *future)
{
    if (self->worker->running != NULL || self->awaited != future || self->retired ||
        self->job.coroutine == NULL || self->cancelling || awaited_is_done(self))
        return false;
    if (enter(self) < 0) {
        PyErr_Clear(); /* somebody's task runs just now */
        return false;
    }
    Py_INCREF((PyObject *)self);
    self->resumed = true;
    drive(self, NULL, false);
    self->resumed = false;
    Py_DECREF(self);
    return true;
}
