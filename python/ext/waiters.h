/* Those who wait for one thing to happen. */
#ifndef FA_EXT_WAITERS_H
#define FA_EXT_WAITERS_H

#include "core.h"

typedef struct waiters {
    PyObject *first; /* a future, or NULL: mostly there is one */
    PyObject *more;  /* a list of futures, or NULL */
} waiters;

/* A future that is done at the next waiters_wake(). New reference or NULL. */
PyObject *waiters_add(waiters *all, Worker *worker);
/* Wakes all; never fails. */
void waiters_wake(waiters *all, Worker *worker);

int waiters_visit(waiters *all, visitproc visit, void *arg);
void waiters_clear(waiters *all);

#endif
