/* Which carriers there are: those that wait for something, and the idle ones of which one
   is taken for a request. */
#include "carrier/carrier.h"

/* Idle carriers kept for the next requests: a burst of many that wait at once must not
   leave as many tasks behind. */
enum { IDLE_MAX = 1024 };

/* ---- those that wait ---- */

void
carrier_hold(Carrier *self)
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

void
carrier_let_go(Carrier *self)
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

/* ---- idle ones ---- */

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
    self->gate = gate_new(self);
    names = PyTuple_Pack(2, core->str_loop, core->str_context);
    if (self->context != NULL && self->gate != NULL && names != NULL) {
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

Carrier *
carrier_take(Worker *worker)
{
    Carrier *self;

    while ((self = pop(worker)) != NULL) {
        if (!self->retired)
            return self;
        Py_DECREF(self); /* cancelled at rest: it ends by itself */
    }
    return carrier_new(worker);
}

/* Whether the next request may run in it: nothing of the last one must be left. A
   context that was never written to is the same tree still, and comparing it is cheap. */
static bool
is_clean(Carrier *self)
{
    PyObject *same =
        PyContext_Type.tp_richcompare(self->context, self->worker->context, Py_EQ);
    bool clean = same == Py_True && !self->spent && !self->retired;

    if (same == NULL)
        PyErr_Clear();
    Py_XDECREF(same);
    return clean;
}

void
carrier_give_back(Carrier *self)
{
    Worker *worker = self->worker;

    carrier_let_go(self);
    Py_CLEAR(self->awaited);
    if (carrier_is_marked(self))
        self->retired = true; /* too late to matter */
    if (worker->idle_count >= IDLE_MAX || !is_clean(self)) {
        self->retired = true;
        return;
    }
    self->next = worker->idle;
    worker->idle = (Carrier *)Py_NewRef((PyObject *)self);
    ++worker->idle_count;
}

/* ---- the end ---- */

void
carrier_retire_all(Worker *worker)
{
    Carrier *self;

    while ((self = pop(worker)) != NULL) {
        self->retired = true;
        if (carrier_wake(self) < 0)
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
        carrier_let_go(worker->busy);
}
