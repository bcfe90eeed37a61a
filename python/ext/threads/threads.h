#ifndef FA_EXT_THREADS_THREADS_H
#define FA_EXT_THREADS_THREADS_H

#include "core.h"

typedef struct Hop Hop;
typedef struct idle_thread idle_thread;

/* The threads of one worker. All of it is under the interpreter's lock. */
struct Threads {
    PyObject_HEAD PyObject *loop;
    PyObject *context; /* in which the loop calls us */
    PyObject *call_soon, *call_soon_threadsafe;
    PyObject *variables,
        *variable; /* variables[variable]: the limiter, if there is one */
    PyObject *limiter_type;
    PyObject *would_block;  /* what it raises when it has no token */
    PyObject *scoped;       /* scoped(task): it is within a cancel scope of anyio */
    PyObject *library;      /* a context variable that is None in threads, or None */
    PyObject *start;        /* start(self) starts a thread that calls work() */
    PyObject *context_name; /* ("context",) */
    Hop *first, *last;      /* wait for a thread; references */
    idle_thread *idle;      /* those that wait for work, the last one first */
    size_t searching;       /* awake, and about to look for work */
    size_t starting;        /* of these: started, and not in work() yet */
    size_t count;
    size_t unfinished; /* hops whose end the loop has not been told */
    bool held;         /* wakes none until threads_go() */
    bool asked;        /* the loop is going to start another one */
    bool stopping;     /* they end when there is nothing left to do */
};

/* That of a worker, made at the first call: borrowed. NULL with an exception, or without:
   anyio is not one that we know. */
Threads *worker_threads(Worker *worker);

/* What was added while they were held begins. */
void threads_go(Threads *pool);
void threads_stop(Threads *pool);

/* loop.call_soon(callable), or from a thread. 0, or -1 with an exception. */
int threads_call_soon(Threads *pool, PyObject *callable);
int threads_call_loop(Threads *pool, PyObject *callable);

/* The next that waits, or NULL; its reference is the caller's. */
Hop *threads_pop(Threads *pool);

/* Methods of the type. */
PyObject *threads_failed(PyObject *op, PyObject *ignored);
PyObject *threads_grow(PyObject *op, PyObject *ignored);
PyObject *threads_stop_method(PyObject *op, PyObject *ignored);
PyObject *threads_work(PyObject *op, PyObject *ignored);

#endif
