/* What plan/bind.c, which takes the values of a request, and plan/check.c, which goes on
   when one of them is missing or not valid, have in common. */
#ifndef FA_EXT_PLAN_BIND_H
#define FA_EXT_PLAN_BIND_H

#include "plan/plan.h"

/* What the parameters of one request share: made when first asked for. */
typedef struct binding {
    const Plan *plan;
    plan_input *input;
    PyObject *cookies; /* dict */
    PyObject *members; /* the parsed body */
} binding;

/* Whether FastAPI takes the body for JSON without a doubt. */
bool binding_says_json(const plan_input *input);

/* New reference. NULL with an exception: it is not valid, or something went wrong; or
   without one: it is missing, or of the body, which plan->read() has to look at. */
PyObject *binding_value(binding *from, const plan_param *param);

/* Goes on from the value at `i`, of which binding_value() has just given NULL; those
   before it are there. The rest is as of plan_bind(). */
plan_bound plan_check(binding *from, PyObject **values, Py_ssize_t i, PyObject **body);

#endif
