/* What carrier.c and carrier_run.c share: the two sides of a carrier. */
#ifndef FA_EXT_CARRIER_H
#define FA_EXT_CARRIER_H

#include "core.h"

struct Carrier {
    PyObject_HEAD Worker *worker;
    PyObject *task;
    PyObject *context;  /* of the task */
    PyObject *snapshot; /* what `context` was like at first */
    PyObject *awaited;  /* the future that the task awaits; NULL: a step of it is due */
    carrier_job job;    /* its coroutine is NULL while idle */
    PyObject *pending;  /* what it has yielded and the task has not seen yet */
    Carrier *next;      /* behind it among those that are idle; owned */
    /* Among those that wait within a request, or to be woken; the references are the
       worker's. */
    Carrier *busy_next, **busy_link;
    late late;    /* its task could not be woken */
    bool parked;  /* its coroutine waits for carrier_unpark() */
    bool resumed; /* it runs by carrier_resume() */
    bool spent;   /* not to be used for another request */
    bool retired; /* the same, and its task is ending */
};

/* ---- carrier_run.c ---- */

/* A step of its coroutine, whose task is the current one. `*result` and the exception as
   PyIter_Send() leaves them. */
PySendResult carrier_step(Carrier *self, PyObject *value, PyObject **result);

/* The same by throwing args[0:n] into it, as throw() takes them; n is at most 3. */
PySendResult carrier_throw_step(Carrier *self, PyObject *const *args, Py_ssize_t n,
                                PyObject **result);

/* What came of a step that was the last: `*result` (given up) or the exception that is
   set. True: another coroutine is to begin. */
bool carrier_ended(Carrier *self, PySendResult sent, PyObject **result);

/* Somebody asked the task to end and did not take it back: its next step, or the next
   future it waits for, would be cancelled. */
bool carrier_is_cancelled(Carrier *self);

/* The task will not see what the coroutine waits for: there is no memory to wake it, or
   to wait with. So the coroutine ends here, with the exception that is set, and the task
   is not used again. */
void carrier_give_up(Carrier *self);

/* To those that wait for work, or retires it. */
void carrier_give_back(Carrier *self);

#endif
