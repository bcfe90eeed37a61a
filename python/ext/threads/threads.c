/* The threads in which hops run.

   A thread takes one hop after the other until there is none, without giving up the
   interpreter's lock between them: short calls of many requests cost one change of
   threads together. Whenever it takes one and others are left, another thread is woken,
   unless one is awake and looking for work already: that one gets the lock as soon as a
   call gives it up, which is when there is something to be done beside it. The thread
   that ran last is the first to be woken, so that one request at a time always runs in
   the same. */
#include "threads/hop.h"
#include "threads/threads.h"

struct idle_thread {
    idle_thread *below;
    PyThread_type_lock lock; /* held, but by who wakes it */
    bool woken;
};

/* After so long, those end that would not be the next to be woken: as in anyio. */
static const PY_TIMEOUT_T IDLE_US = 10 * 1000 * 1000;

/* ---- who works ---- */

static void
wake(Threads *pool)
{
    idle_thread *thread = pool->idle;

    pool->idle = thread->below;
    ++pool->searching;
    thread->woken = true;
    PyThread_release_lock(thread->lock);
}

static void
did_not_start(Threads *pool)
{
    if (pool->starting == 0)
        return; /* it did, whatever has failed after that */
    --pool->starting;
    --pool->searching;
}

/* One more, from the thread of the loop. */
static int
start(Threads *pool)
{
    PyObject *started;

    ++pool->searching; /* it begins so */
    ++pool->starting;
    started = PyObject_CallOneArg(pool->start, (PyObject *)pool);
    if (started == NULL)
        did_not_start(pool);
    Py_XDECREF(started);
    return started != NULL ? 0 : -1;
}

Hop *
threads_pop(Threads *pool)
{
    Hop *hop = pool->first;

    if (hop != NULL) {
        pool->first = hop->next;
        hop->next = NULL;
        if (pool->first == NULL)
            pool->last = NULL;
    }
    return hop;
}

/* Somebody works on what waits. */
static void
go(Threads *pool)
{
    Hop *hop;

    if (pool->first == NULL || pool->searching > 0 || pool->held)
        return;
    if (pool->idle != NULL) {
        wake(pool);
        return;
    }
    if (start(pool) == 0)
        return;
    if (pool->count > 0) { /* fewer than would be good are there */
        PyErr_Clear();
        return;
    }
    while ((hop = threads_pop(pool)) != NULL) {
        hop_refuse(hop);
        --pool->unfinished;
        Py_DECREF((PyObject *)hop);
    }
    PyErr_Clear();
}

void
threads_go(Threads *pool)
{
    pool->held = false;
    go(pool);
}

void
threads_add(Threads *pool, Hop *hop)
{
    ++pool->unfinished;
    Py_INCREF((PyObject *)hop);
    hop->next = NULL;
    if (pool->last != NULL)
        pool->last->next = hop;
    else
        pool->first = hop;
    pool->last = hop;
    go(pool);
}

/* Others are left by a thread that has taken one. Threads are started by the loop. */
static void
call_another(Threads *pool)
{
    PyObject *grow;

    if (pool->first == NULL || pool->searching > 0)
        return;
    if (pool->idle != NULL) {
        wake(pool);
        return;
    }
    if (pool->asked)
        return;
    grow = PyObject_GetAttrString((PyObject *)pool, "grow");
    pool->asked = true; /* before it is called: the loop may be faster */
    if (grow == NULL || threads_call_loop(pool, grow) < 0) {
        pool->asked = false;
        PyErr_Clear(); /* a closed loop; the hop is run all the same */
    }
    Py_XDECREF(grow);
}

PyObject *
threads_grow(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Threads *pool = (Threads *)op;

    pool->asked = false;
    go(pool);
    Py_RETURN_NONE;
}

/* Waits for work, among the idle ones. False: nothing came for so long that it ends. */
static bool
rest(Threads *pool, idle_thread *self)
{
    for (;;) {
        PyLockStatus status;

        Py_BEGIN_ALLOW_THREADS status =
            PyThread_acquire_lock_timed(self->lock, IDLE_US, 0);
        Py_END_ALLOW_THREADS if (self->woken)
        {
            if (status != PY_LOCK_ACQUIRED) /* woken just after the time was up */
                (void)PyThread_acquire_lock(self->lock, WAIT_LOCK);
            return true;
        }
        for (idle_thread **at = &pool->idle; *at != NULL; at = &(*at)->below) {
            if (*at == self && at != &pool->idle) {
                *at = self->below;
                return false;
            }
        }
    }
}

/* The life of a thread, which is counted among those that search. One without a lock
   cannot wait: it takes what is there and ends. */
static void
work(Threads *pool, idle_thread *self)
{
    for (;;) {
        Hop *hop;

        while ((hop = threads_pop(pool)) != NULL) {
            --pool->searching;
            call_another(pool);
            hop_run(hop); /* from its end on, the thread searches again */
            --pool->unfinished;
            Py_DECREF((PyObject *)hop);
        }
        --pool->searching;
        if (pool->stopping || self->lock == NULL)
            return;
        self->woken = false;
        self->below = pool->idle;
        pool->idle = self;
        if (!rest(pool, self))
            return;
    }
}

PyObject *
threads_work(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Threads *pool = (Threads *)op;
    idle_thread self = {.lock = PyThread_allocate_lock()};

    if (self.lock != NULL)
        (void)PyThread_acquire_lock(self.lock, WAIT_LOCK);
    if (pool->starting > 0)
        --pool->starting;
    else
        ++pool->searching; /* it has been taken for one that did not start */
    ++pool->count;
    work(pool, &self);
    --pool->count;
    if (self.lock == NULL)
        return PyErr_NoMemory();
    PyThread_release_lock(self.lock);
    PyThread_free_lock(self.lock);
    Py_RETURN_NONE;
}

void
threads_stop(Threads *pool)
{
    pool->stopping = true;
    threads_go(pool);
    while (pool->idle != NULL)
        wake(pool);
}

/* A thread ends before work(). The next poll() finds another one for what waits. */
PyObject *
threads_failed(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Threads *pool = (Threads *)op;
    Hop *hop = pool->first;

    did_not_start(pool);
    if (hop != NULL && hop->carrier != NULL && hop->carrier->worker->worker != NULL)
        fa_worker_wake(hop->carrier->worker->worker);
    Py_RETURN_NONE;
}

PyObject *
threads_stop_method(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    threads_stop((Threads *)op);
    Py_RETURN_NONE;
}

/* ---- the loop ---- */

static int
call_in(Threads *pool, PyObject *method, PyObject *callable)
{
    PyObject *args[3] = {NULL, callable, pool->context};
    PyObject *handle = PyObject_Vectorcall(
        method, args + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, pool->context_name);

    Py_XDECREF(handle);
    return handle != NULL ? 0 : -1;
}

int
threads_call_soon(Threads *pool, PyObject *callable)
{
    return call_in(pool, pool->call_soon, callable);
}

int
threads_call_loop(Threads *pool, PyObject *callable)
{
    return call_in(pool, pool->call_soon_threadsafe, callable);
}

Threads *
worker_threads(Worker *worker)
{
    PyObject *module, *made;

    if (worker->threads != NULL)
        return PyObject_TypeCheck(worker->threads, worker->core->threads_type)
                   ? (Threads *)worker->threads
                   : NULL;
    module = PyImport_ImportModule("fasterapi._threads");
    made = module != NULL
               ? PyObject_CallMethod(module, "make", "OO", worker->loop, worker->context)
               : NULL;
    Py_XDECREF(module);
    if (made == NULL)
        return NULL;
    worker->threads = made; /* or None */
    if (made == Py_None)
        return NULL;
    ((Threads *)made)->held = worker->polling;
    return (Threads *)made;
}
