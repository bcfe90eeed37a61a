#include "waiters.h"

/* Whoever waited may have given up: its future is cancelled then. */
static bool
is_done(PyObject *future, core_state *core)
{
    int res = asyncio_is_done(core, future);

    if (res < 0)
        PyErr_WriteUnraisable(future);
    return res == 1;
}

static bool
resolve(PyObject *future, core_state *core)
{
    PyObject *res;
    bool woken;

    if (is_done(future, core))
        return true;
    res = PyObject_CallMethodOneArg(future, core->str_set_result, Py_None);
    woken = res != NULL;
    if (!woken)
        PyErr_WriteUnraisable(future);
    Py_XDECREF(res);
    return woken;
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

bool
waiters_wake(waiters *all, Worker *worker)
{
    waiters woken = *all; /* waking may bring new ones */
    bool all_woken = true;

    *all = (waiters){NULL, NULL, NULL};
    if (woken.first != NULL)
        all_woken = resolve(woken.first, worker->core);
    for (Py_ssize_t i = 0; woken.more != NULL && i < PyList_GET_SIZE(woken.more); ++i)
        all_woken = resolve(PyList_GET_ITEM(woken.more, i), worker->core) && all_woken;
    waiters_clear(&woken);
    return all_woken;
}

bool
waiters_go_on(waiters *all, Worker *worker)
{
    waiters only = *all;
    bool went_on = false;

    if (only.carrier != NULL && only.first != NULL && only.more == NULL) {
        *all = (waiters){NULL, NULL, NULL}; /* it may wait again */
        went_on = carrier_resume(only.carrier, only.first);
        if (went_on)
            waiters_clear(&only);
        else
            *all = only;
    }
    return went_on || waiters_wake(all, worker);
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
    Py_CLEAR(all->first);
    Py_CLEAR(all->more);
    Py_CLEAR(all->carrier);
}
