#include "carrier/waiters.h"

#include <stddef.h>

/* Whoever waited may have given up: its future is cancelled then. */
static bool
is_done(PyObject *future, core_state *core)
{
    int res = asyncio_is_done(core, future);

    if (res < 0)
        PyErr_WriteUnraisable(future);
    return res == 1;
}

/* False: there is no memory for it. */
static bool
resolve(PyObject *future, Worker *worker)
{
    if (is_done(future, worker->core) ||
        asyncio_wake(worker->core, worker->loop, future) == 0)
        return true;
    if (PyErr_ExceptionMatches(PyExc_MemoryError)) {
        PyErr_Clear();
        return false;
    }
    PyErr_WriteUnraisable(future); /* the loop is closed: nobody waits any more */
    return true;
}

/* Forgets those who gave up, lest they pile up while nothing happens. */
static int
prune(PyObject *list, core_state *core)
{
    for (Py_ssize_t i = PyList_GET_SIZE(list) - 1; i >= 0; --i) {
        if (is_done(PyList_GET_ITEM(list, i), core) &&
            PyList_SetSlice(list, i, i + 1, NULL) < 0)
            return -1;
    }
    return 0;
}

static int
add_more(waiters *all, core_state *core, PyObject *future)
{
    if (all->more == NULL)
        all->more = PyList_New(0);
    if (all->more == NULL || prune(all->more, core) < 0)
        return -1;
    return PyList_Append(all->more, future);
}

PyObject *
waiters_wait(waiters *all, Worker *worker)
{
    Carrier *carrier;
    PyObject *future = carrier_future(worker, &carrier);

    if (future == NULL)
        return NULL;
    if (all->first == NULL || is_done(all->first, worker->core)) {
        Py_XSETREF(all->first, Py_NewRef(future));
        Py_XSETREF(all->carrier, (Carrier *)Py_XNewRef((PyObject *)carrier));
    } else if (add_more(all, worker->core, future) < 0) {
        Py_CLEAR(future);
    }
    return future;
}

static void
wake_late(late *op, Worker *worker)
{
    waiters_wake((waiters *)((char *)op - offsetof(waiters, late)), worker);
}

void
waiters_wake(waiters *all, Worker *worker)
{
    bool woken = all->first == NULL || resolve(all->first, worker);

    for (Py_ssize_t i = 0; all->more != NULL && i < PyList_GET_SIZE(all->more); ++i)
        woken = resolve(PyList_GET_ITEM(all->more, i), worker) && woken;
    if (woken)
        waiters_clear(all);
    else
        late_add(&all->late, worker, wake_late);
}

/* The first one, if it is the only one, and has a carrier. */
static bool
go_on(waiters *all)
{
    PyObject *first = all->first;
    Carrier *carrier = all->carrier;
    bool went_on;

    if (carrier == NULL || first == NULL || all->more != NULL)
        return false;
    all->first = NULL; /* it may wait again */
    all->carrier = NULL;
    went_on = carrier_resume(carrier, first);
    if (!went_on) { /* then nothing has happened */
        all->first = Py_NewRef(first);
        all->carrier = (Carrier *)Py_NewRef((PyObject *)carrier);
    }
    Py_DECREF(first);
    Py_DECREF((PyObject *)carrier);
    return went_on;
}

void
waiters_go_on(waiters *all, Worker *worker)
{
    if (!go_on(all))
        waiters_wake(all, worker);
}

int
waiters_visit(waiters *all, visitproc visit, void *arg)
{
    Py_VISIT(all->first);
    Py_VISIT(all->more);
    Py_VISIT((PyObject *)all->carrier);
    return 0;
}

void
waiters_clear(waiters *all)
{
    late_remove(&all->late);
    Py_CLEAR(all->first);
    Py_CLEAR(all->more);
    Py_CLEAR(all->carrier);
}
