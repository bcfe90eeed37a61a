/* What carrier.c and carrier/run.c share: the two sides of a carrier. */
#ifndef FA_EXT_CARRIER_CARRIER_H
#define FA_EXT_CARRIER_CARRIER_H

#include "core.h"

/* What the task of a carrier awaits: gate.c. */
typedef struct Gate {
    PyObject_HEAD Carrier *carrier; /* borrowed; NULL when that is gone */
    bool blocking;                  /* the task has just been given it */
} Gate;

struct Carrier {
    PyObject_HEAD Worker *worker;
    PyObject *task;
    PyObject *context; /* of the task */
    Gate *gate;        /* what the task awaits, as long as it is of use */
    PyObject *wakeup;  /* ends that; NULL: a step of the task is due */
    PyObject *awaited; /* the future that the coroutine waits for, which calls the gate */
    carrier_job job;   /* its coroutine is NULL while idle */
    PyObject *pending; /* what it has yielded and only the task knows what to do about */
    PyObject *cancel_message; /* see `cancelling`; or NULL */
    Carrier *next;            /* behind it among those that are idle; owned */
    /* Among those that wait within a request, or to be woken; the references are the
       worker's. */
    Carrier *busy_next, **busy_link;
    late late;       /* what it is to be called for could not be said to the loop */
    bool parked;     /* its coroutine waits for carrier_unpark() */
    bool turn;       /* it waits for the next turn of the loop, which calls the gate */
    bool with_task;  /* the task has been given `pending`, and awaits that itself */
    bool stepping;   /* its coroutine runs */
    bool resumed;    /* by carrier_resume() */
    bool woken;      /* the loop is going to call `wakeup` */
    bool cancelling; /* the next step throws CancelledError */
    bool cancel_is_final; /* uncancel() comes too late for that */
    bool was_asked;       /* cancel() was called for this coroutine */
    bool spent;           /* not to be used for another request */
    bool retired;         /* the same, and its task is ending */
};

/* ---- carrier/run.c ---- */

/* A step of its coroutine, whose task is the current one. `*result` and the exception as
   PyIter_Send() leaves them. */
PySendResult carrier_step(Carrier *self, PyObject *value, PyObject **result);

/* The same by throwing args[0:n] into it, as throw() takes them; n is at most 3. */
PySendResult carrier_throw_step(Carrier *self, PyObject *const *args, Py_ssize_t n,
                                PyObject **result);

/* What came of a step that was the last: `*result` (given up) or the exception that is
   set. True: another coroutine is to begin. */
bool carrier_ended(Carrier *self, PySendResult sent, PyObject **result);

/* The gate is called by what the coroutine waits for: a future, or NULL for the loop's
   next turn. In the context of the task. Returns 0, or -1 with an exception. */
int carrier_called(Carrier *self, PyObject *future);

/* The task will not see what the coroutine waits for: there is no memory to wake it, or
   to wait with. So the coroutine ends here, with the exception that is set, and the task
   is not used again. */
void carrier_give_up(Carrier *self);

/* ---- carrier/pool.c ---- */

/* A clean one that is idle, or a new one: a new reference, or NULL with an exception. */
Carrier *carrier_take(Worker *worker);

/* To those that wait for work, or retires it. */
void carrier_give_back(Carrier *self);

/* Of a carrier that waits: the loop knows tasks by weak references only, and one that
   waits for what nobody else knows would be garbage, its request without an answer. */
void carrier_hold(Carrier *self);
/* The caller has a reference of its own, or the task is running. */
void carrier_let_go(Carrier *self);

/* ---- carrier/wait.c ---- */

/* The task takes a step: the one that is due, or one in the next turn of the loop.
   Returns 0, or -1 with an exception. */
int carrier_wake(Carrier *self);

/* The gate is called in the next turn. Returns 0, or -1 with an exception. */
int carrier_take_turn(Carrier *self);

/* The coroutine has yielded that (taken over): it will be stepped again when that has
   happened. */
void carrier_suspend(Carrier *self, PyObject *future);

/* What has happened: the exception of what it has waited for, or the CancelledError that
   is due. A new reference; NULL: none. */
PyObject *carrier_take_error(Carrier *self);

/* task.cancel(message), which is NULL or borrowed. 1: it is on its way; or -1 with an
   exception. */
int carrier_cancel(Carrier *self, PyObject *message);

/* Whether the next step is to be told so. */
bool carrier_is_cancelled(Carrier *self);

/* The CancelledError that is due, or NULL with an exception. */
PyObject *carrier_cancelled_error(Carrier *self);

/* At the end of a request: whether its task was cancelled, and would tell the next. */
bool carrier_is_marked(Carrier *self);

/* ---- gate.c ---- */

Gate *gate_new(Carrier *carrier);

#endif
