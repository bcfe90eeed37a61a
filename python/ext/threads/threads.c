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

#include <stddef.h>

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

static Hop *
pop(Threads *pool)
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
    while ((hop = pop(pool)) != NULL) {
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

static PyObject *
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

        while ((hop = pop(pool)) != NULL) {
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

static PyObject *
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
static PyObject *
threads_failed(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Threads *pool = (Threads *)op;
    Hop *hop = pool->first;

    did_not_start(pool);
    if (hop != NULL && hop->carrier != NULL && hop->carrier->worker->worker != NULL)
        fa_worker_wake(hop->carrier->worker->worker);
    Py_RETURN_NONE;
}

static PyObject *
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

/* ---- the type ---- */

static PyObject **
objects_of(Threads *pool, size_t i)
{
    static const size_t offsets[] = {
        offsetof(Threads, loop),         offsetof(Threads, context),
        offsetof(Threads, call_soon),    offsetof(Threads, call_soon_threadsafe),
        offsetof(Threads, variables),    offsetof(Threads, variable),
        offsetof(Threads, limiter_type), offsetof(Threads, would_block),
        offsetof(Threads, scoped),       offsetof(Threads, library),
        offsetof(Threads, start),        offsetof(Threads, context_name),
    };

    if (i >= sizeof(offsets) / sizeof(offsets[0]))
        return NULL;
    return (PyObject **)((char *)pool + offsets[i]);
}

static PyObject *
threads_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"loop",         "context",     "variables", "variable",
                               "limiter_type", "would_block", "scoped",    "library",
                               "start",        NULL};
    PyObject *loop, *context, *variables, *variable, *limiter_type, *would_block, *scoped,
        *library, *begin;
    Threads *pool;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "$OO!O!OOOOOO:Threads", keywords,
                                     &loop, &PyContext_Type, &context, &PyDict_Type,
                                     &variables, &variable, &limiter_type, &would_block,
                                     &scoped, &library, &begin))
        return NULL;
    pool = (Threads *)type->tp_alloc(type, 0);
    if (pool == NULL)
        return NULL;
    pool->loop = Py_NewRef(loop);
    pool->context = Py_NewRef(context);
    pool->variables = Py_NewRef(variables);
    pool->variable = Py_NewRef(variable);
    pool->limiter_type = Py_NewRef(limiter_type);
    pool->would_block = Py_NewRef(would_block);
    pool->scoped = Py_NewRef(scoped);
    pool->library = Py_NewRef(library);
    pool->start = Py_NewRef(begin);
    pool->call_soon = PyObject_GetAttrString(loop, "call_soon");
    pool->call_soon_threadsafe = PyObject_GetAttrString(loop, "call_soon_threadsafe");
    pool->context_name = Py_BuildValue("(s)", "context");
    if (pool->call_soon == NULL || pool->call_soon_threadsafe == NULL ||
        pool->context_name == NULL)
        Py_CLEAR(pool);
    return (PyObject *)pool;
}

static int
threads_traverse(PyObject *op, visitproc visit, void *arg)
{
    PyObject **object;

    Py_VISIT(Py_TYPE(op));
    for (size_t i = 0; (object = objects_of((Threads *)op, i)) != NULL; ++i)
        Py_VISIT(*object);
    for (Hop *hop = ((Threads *)op)->first; hop != NULL; hop = hop->next)
        Py_VISIT((PyObject *)hop);
    return 0;
}

static int
threads_clear(PyObject *op)
{
    PyObject **object;
    Hop *hop;

    for (size_t i = 0; (object = objects_of((Threads *)op, i)) != NULL; ++i)
        Py_CLEAR(*object);
    while ((hop = pop((Threads *)op)) != NULL)
        Py_DECREF((PyObject *)hop);
    return 0;
}

static void
threads_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    (void)threads_clear(op);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyObject *
threads_get_count(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromSize_t(((Threads *)op)->count);
}

static PyObject *
threads_get_unfinished(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromSize_t(((Threads *)op)->unfinished);
}

static PyGetSetDef threads_getset[] = {
    {"count", threads_get_count, NULL, PyDoc_STR("Threads that call work()."), NULL},
    {"unfinished", threads_get_unfinished, NULL,
     PyDoc_STR("Calls of whose end the loop has not been told."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef threads_methods[] = {
    {"failed", threads_failed, METH_NOARGS,
     PyDoc_STR("Told by a thread that cannot call work().")},
    {"grow", threads_grow, METH_NOARGS,
     PyDoc_STR("Starts a thread if none is there for what waits.")},
    {"stop", threads_stop_method, METH_NOARGS,
     PyDoc_STR("Its threads end when nothing waits for them.")},
    {"work", threads_work, METH_NOARGS,
     PyDoc_STR("What a thread of it does all its life.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot threads_slots[] = {
    {Py_tp_doc, "Threads in which the calls of runners are made."},
    {Py_tp_new, threads_new},
    {Py_tp_traverse, threads_traverse},
    {Py_tp_clear, threads_clear},
    {Py_tp_dealloc, threads_dealloc},
    {Py_tp_methods, threads_methods},
    {Py_tp_getset, threads_getset},
    {0, NULL},
};

PyType_Spec threads_spec = {
    .name = "fasterapi._core.Threads",
    .basicsize = sizeof(Threads),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = threads_slots,
};
