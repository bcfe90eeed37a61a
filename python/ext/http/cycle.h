/* One request: what cycle.c, receive.c and send.c share. The rules and texts are those of
   uvicorn's RequestResponseCycle. */
#ifndef FA_EXT_HTTP_CYCLE_H
#define FA_EXT_HTTP_CYCLE_H

#include "carrier/waiters.h"

typedef struct Cycle {
    PyObject_HEAD Worker *worker;
    PyObject *scope;
    fa_request *req;       /* borrowed; NULL once the server has done with it */
    fa_deferred *deferred; /* held while the answer comes later than the handler */
    PyObject *body;        /* bytes received and not yet handed out, or NULL */
    waiters receivers;
    waiters senders; /* for the output to drain */
    bool reading;    /* the body comes piece by piece */
    bool paused;     /* it does not, until what came was handed out */
    bool promised;   /* who waited for `body` was woken for it */
    bool more_body;  /* what is handed out next is not the last */
    bool handed_out; /* the last piece of the body was */
    bool started, complete, disconnected;
    bool full;         /* the output is */
    bool trailers;     /* announced, and still to come */
    bool body_ended;   /* the last of the body was given to send() */
    bool sending_file; /* the server is at it: the end must wait */
    bool too_short;    /* a body whose end came behind a file */
} Cycle;

/* ---- refusal.c ---- */

/* A whole answer in plain text, after which the connection closes. Returns 0 or FA_ERR_*.
 */
int cycle_answer_text(fa_request *req, int status, const char *text);

/* ---- cycle.c ---- */

/* For a request that was begun elsewhere. `req` is NULL when it has ended meanwhile, and
   `scope` (borrowed, may be NULL) what it was; `deferred` is taken over. New reference or
   NULL. */
Cycle *cycle_take_over(Worker *worker, fa_request *req, fa_deferred *deferred,
                       PyObject *scope);

/* (scope, receive, send). New reference or NULL. */
PyObject *cycle_triple(Cycle *self);

/* finish(scope, receive, send, error or None, result, started): a coroutine or NULL. */
PyObject *cycle_call(Cycle *self, PyObject *finish, PyObject *error, PyObject *result);

/* carrier_job.done of a coroutine that answers as an ASGI application does. */
bool cycle_done(PyObject *owner, PyObject *result, PyObject *error, carrier_job *next);
/* The same when it could not be begun, with the exception that is set. */
void cycle_report_raised(Cycle *self);

/* To be called when the server's call returns: the answer may come later. */
void cycle_defer(Cycle *self);

/* waiters_go_on() in a callback in which the request goes on, else waiters_wake(). */
typedef void wake_fn(waiters *all, Worker *worker);

/* ---- receive.c ---- */

/* receive(), METH_NOARGS. */
PyObject *cycle_receive(PyObject *op, PyObject *ignored);

/* ---- send.c ---- */

/* send(message), METH_O. */
PyObject *cycle_send(PyObject *op, PyObject *message);
void cycle_wake_sender(Cycle *self, wake_fn *wake);

/* The application has given all of the body, or of the trailers. Ends the answer if that
   was all, when what is under way is out. Returns 0, or -1 with an exception. */
int cycle_end_body(Cycle *self);

/* ---- extension.c ---- */

/* Sends a message of an extension that is switched on and has its place here. Returns 1,
   0 if it is none, or -1 with an exception. */
int extension_send(Cycle *self, PyObject *type, PyObject *message);

#endif
