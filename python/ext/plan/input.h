/* Where plan_bind() finds the parts of a request: with the server, or in the scope of an
   ASGI application. */
#ifndef FA_EXT_PLAN_INPUT_H
#define FA_EXT_PLAN_INPUT_H

#include "core.h"

typedef struct plan_input plan_input;

/* Slices are valid as long as the request, or the scope, is as it is. */
typedef struct plan_input_ops {
    fa_slice (*capture)(const plan_input *input, size_t i);
    /* Below 0: it cannot be read. */
    ptrdiff_t (*query_count)(plan_input *input);
    void (*query_at)(const plan_input *input, size_t i, fa_slice *name, fa_slice *value);
    /* The first of that name, in any case; `.p` is NULL if there is none. */
    fa_slice (*header)(const plan_input *input, fa_slice name);
    size_t (*header_count)(const plan_input *input);
    void (*header_at)(const plan_input *input, size_t i, fa_slice *name, fa_slice *value);
    fa_slice (*body)(const plan_input *input);
} plan_input_ops;

struct plan_input {
    const plan_input_ops *ops;
};

/* Of the server; `req` is borrowed. */
typedef struct plan_request {
    plan_input input;
    fa_request *req;
} plan_request;

/* Field names and media types. */
bool plan_equal_nocase(fa_slice a, fa_slice b);

void plan_request_init(plan_request *self, fa_request *req);

typedef struct plan_pair {
    fa_slice name, value;
} plan_pair;

/* Of a scope: dicts that middleware may have changed at will. What they hold is borrowed.
 */
typedef struct plan_scope {
    plan_input input;
    fa_arena *arena;    /* borrowed: of what is decoded */
    PyObject *captures; /* tuple of bytes */
    PyObject *query;    /* bytes */
    PyObject *headers;  /* list of pairs of bytes */
    fa_slice whole_body;
    plan_pair *pairs; /* of the query, once it is asked for */
    ptrdiff_t pair_count;
} plan_scope;

/* False, without an exception, when the scope is not as servers make it: then what its
   parts mean is for the application to find out. */
bool plan_scope_init(plan_scope *self, core_state *core, fa_arena *arena, PyObject *scope,
                     PyObject *captures, PyObject *body);

#endif
