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

PyObject *
waiters_add(waiters *all, Worker *worker, PyObject *future)
{
    core_state *core = worker->core;

    if (future == NULL)
        return NULL;
    if (all->first == NULL || is_done(all->first, core)) {
        Py_XSETREF(all->first, Py_NewRef(future));
        return future;
    }
    if (all->more == NULL)
        all->more = PyList_New(0);
    if (all->more == NULL || prune(all->more, core) < 0 ||
        PyList_Append(all->more, future) < 0)
        Py_CLEAR(future);
    return future;
}

bool
waiters_wake(waiters *all, Worker *worker)
{
    waiters woken = *all; /* waking may bring new ones */
    bool all_woken = true;

    *all = (waiters){NULL, NULL};
    if (woken.first != NULL)
        all_woken = resolve(woken.first, worker->core);
    for (Py_ssize_t i = 0; woken.more != NULL && i < PyList_GET_SIZE(woken.more); ++i)
        all_woken = resolve(PyList_GET_ITEM(woken.more, i), worker->core) && all_woken;
    waiters_clear(&woken);
    return all_woken;
}

PyObject *
waiters_take_only(waiters *all)
{
    PyObject *first = all->more == NULL ? all->first : NULL;

    if (first != NULL)
        all->first = NULL;
    return first;
}

int
waiters_visit(waiters *all, visitproc visit, void *arg)
{
    Py_VISIT(all->first);
    Py_VISIT(all->more);
    return 0;
}

void
waiters_clear(waiters *all)
{
    Py_CLEAR(all->first);
    Py_CLEAR(all->more);
}
