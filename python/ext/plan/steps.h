/* What known middleware around a plan does to a plain answer.
   fasterapi/_compile/_known.py reads it from the application. */
#ifndef FA_EXT_PLAN_STEPS_H
#define FA_EXT_PLAN_STEPS_H

#include "core.h"

/* These numbers are also in _known.py. */
typedef enum plan_step_kind {
    STEP_CORS,
    STEP_GZIP,
    STEP_HOSTS,
    STEP_HTTPS,
    STEP_KINDS,
} plan_step_kind;

/* Objects are borrowed from the rows. */
typedef struct plan_step {
    plan_step_kind kind;
    PyObject *fields; /* CORS: tuple of pairs of bytes, for requests with an Origin */
    PyObject *allows; /* CORS: allows(origin); None: any origin, without credentials */
    int minimum;      /* GZIP: shorter bodies stay as they are */
    int threaded;     /* GZIP: not in C from this length on */
    PyObject *encode; /* GZIP: encode(body) gives bytes */
    PyObject *hosts;  /* HOSTS: tuple of bytes in lower case, some after a star */
} plan_step;

enum { PLAN_STEPS_MAX = 8, STEP_FIELDS_MAX = 32 };

/* Reads a row. 0, or -1 with an exception. */
int plan_step_take(plan_step *step, PyObject *row);

/* Whether they would all hand the request on. */
bool plan_steps_admit(const plan_step *steps, Py_ssize_t count, const Worker *worker,
                      fa_request *req);

/* An answer on its way out. */
typedef struct plan_answered {
    fa_field at[STEP_FIELDS_MAX];
    size_t count;
    fa_slice body;
    PyObject *encoded; /* holds the body, or NULL */
    char length[24];
    char vary[64];
} plan_answered;

/* What is sent for `body`, plain JSON, from the innermost step (the last) to the
   outermost; valid as long as `req` and `body`. False, without an exception: it takes the
   application's own stack. */
bool plan_steps_answer(const plan_step *steps, Py_ssize_t count, fa_request *req,
                       fa_slice body, plan_answered *out);
void plan_answered_free(plan_answered *out);

#endif
