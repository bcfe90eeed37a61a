/* Those who wait for one thing to happen. */
#ifndef FA_EXT_CARRIER_WAITERS_H
#define FA_EXT_CARRIER_WAITERS_H

#include "core.h"

typedef struct waiters {
    PyObject *first;  /* a future, or NULL: mostly there is one */
    PyObject *more;   /* a list of futures, or NULL */
    Carrier *carrier; /* in which the first one waits, or NULL */
    late late;        /* somebody could not be woken */
} waiters;

/* A future to wait for, done at the next waiters_wake(). New reference or NULL. */
PyObject *waiters_wait(waiters *all, Worker *worker);
/* Wakes all, those for which there is no memory as soon as there is. */
void waiters_wake(waiters *all, Worker *worker);
/* The same, in a callback of the server: one who waits alone goes on at once, if that can
   be (carrier_resume()). */
void waiters_go_on(waiters *all, Worker *worker);

int waiters_visit(waiters *all, visitproc visit, void *arg);
void waiters_clear(waiters *all);

#endif
