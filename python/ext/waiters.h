/* Those who wait for one thing to happen. */
#ifndef FA_EXT_WAITERS_H
#define FA_EXT_WAITERS_H

#include "core.h"

typedef struct waiters {
    PyObject *first; /* a future, or NULL: mostly there is one */
    PyObject *more;  /* a list of futures, or NULL */
} waiters;

/* Adds a future, to be done at the next waiters_wake(); it is taken over, and returned as
   a new reference. NULL, or NULL for `future`: NULL with an exception. */
PyObject *waiters_add(waiters *all, Worker *worker, PyObject *future);
/* Wakes all. False: for want of memory somebody could not be woken, and never will be. */
bool waiters_wake(waiters *all, Worker *worker);

/* The only one there is, who waits no more then. New reference, or NULL. */
PyObject *waiters_take_only(waiters *all);

int waiters_visit(waiters *all, visitproc visit, void *arg);
void waiters_clear(waiters *all);

#endif
