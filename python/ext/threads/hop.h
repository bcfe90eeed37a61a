/* Calls in worker threads: what anyio.to_thread.run_sync() does for runners, with its
   limiter, its turns of the loop and its ways of ending, on threads that are handed work
   without a queue, a future and a task step each. fasterapi/_own_threads.py starts them.
 */
#ifndef FA_EXT_THREADS_HOP_H
#define FA_EXT_THREADS_HOP_H

#include "carrier/carrier.h"

typedef enum hop_state {
    HOP_NEW,
    HOP_TURNS,  /* `turns` of the loop are to pass first */
    HOP_TOKEN,  /* the limiter will call set() */
    HOP_QUEUED, /* no thread has taken it yet */
    HOP_RUNS,   /* in a thread, or its end has not been told to the loop */
    HOP_ENDED,  /* the coroutine goes on in the next turn */
    HOP_READY,  /* there is a result or an error to be had */
    HOP_OVER,   /* had, or given up */
} hop_state;

/* One call. It is awaited by a runner, and parks its carrier until the call has ended. */
typedef struct Hop {
    PyObject_VAR_HEAD Threads *pool;
    Carrier *carrier;
    PyObject *limiter; /* whose token it has, or waits for; NULL: none */
    PyObject *context; /* a copy, in which the call is made */
    PyObject *call;
    PyObject *names; /* of keywords, or NULL */
    PyObject *result, *error;
    late late;        /* what there was no memory for */
    struct Hop *next; /* behind it among those that wait for a thread; owned */
    Py_ssize_t count; /* of positional arguments */
    hop_state state;
    int turns;
    bool limited;   /* it needs a token */
    PyObject *at[]; /* a slot that calls may overwrite, then the arguments */
} Hop;

/* What there is to know of a call in a thread. */
typedef struct hop_kind {
    bool later;   /* code of the application has run before, for the same request */
    bool limited; /* by the limiter of anyio */
} hop_kind;

/* args[0](*args[1:], **names) in a thread: something to be awaited once, at once, by the
   coroutine that the running carrier runs for `owner`. NULL with an exception, or
   without: this is a case for anyio itself. */
PyObject *hop_new(Worker *worker, PyObject *owner, hop_kind kind, PyObject *const *args,
                  Py_ssize_t count, PyObject *names);

/* ---- hop_steps.c ---- */

/* Its first step. Returns 0, or -1 with an exception. */
int hop_begin(Hop *hop);
/* What the loop calls: a turn has passed, or a thread has said that the call has ended.
   And set(), what the limiter calls when it has a token. */
PyObject *hop_call(PyObject *op, PyObject *args, PyObject *kwargs);
PyObject *hop_set(PyObject *op, PyObject *ignored);
/* What awaits it is cancelled, or told of the error of the call. A call that has begun
   comes to its end, and nobody hears of it; the token is free at once, as in anyio. */
void hop_give_up(Hop *hop);
/* Whether the limiter is anyio's own. */
bool hop_has_plain_limiter(const Threads *pool);

/* ---- threads.c ---- */

/* It waits for a thread now. */
void threads_add(Threads *pool, Hop *hop);
/* The call, by the thread that has taken it. */
void hop_run(Hop *hop);
/* Nobody will run it, because of the exception that is set. */
void hop_refuse(Hop *hop);

#endif
