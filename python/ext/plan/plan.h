/* Plans: routes of FastAPI that are served straight from C. fasterapi/_compile/ reads the
   application and makes them. Read plan_on_request() in plan/run.c first. */
#ifndef FA_EXT_PLAN_PLAN_H
#define FA_EXT_PLAN_PLAN_H

#include "http/cycle.h"
#include "plan/input.h"
#include "plan/shape.h"
#include "plan/steps.h"

/* Where a value comes from. These numbers are also in fasterapi/_compile/_params.py. */
typedef enum param_source {
    PARAM_PATH,
    PARAM_QUERY,
    PARAM_HEADER,
    PARAM_COOKIE,
    PARAM_BODY,
    PARAM_MEMBER, /* of the object that the body is */
    PARAM_SOURCES,
} param_source;

/* What is made of it without asking pydantic: the usual spellings of simple types. What
   is spelled otherwise goes to `validate`. Likewise. */
typedef enum param_form {
    FORM_ANY,
    FORM_STR,
    FORM_INT,
    FORM_FLOAT,
    FORM_BOOL,
    FORM_JSON,   /* of a body: validate(bytes) reads JSON itself */
    FORM_PARSED, /* of a body: validate(from_json(bytes)) */
    FORM_RAW,    /* validate(everything of that source), also if it is missing */
    PARAM_FORMS,
} param_form;

typedef struct plan_param {
    param_source source;
    param_form form;
    Py_ssize_t index;   /* of the capture in the path */
    PyObject *key;      /* str: the name by which it is sent */
    PyObject *validate; /* of a SchemaValidator, or None with FORM_STR */
    PyObject *fallback; /* the default; NULL: it is required */
    bool copied;        /* the default is copied for each request */
    bool many;          /* every value of that name, as a list */
    PyObject *check;    /* check(error) gives the fault: a value is not valid, or, with
                           None, missing. Of the body: check(body) gives the value or its
                           fault, of what plan->read() has made of the body */
    const plan_shape *shape; /* with FORM_JSON: asked before `validate`; or NULL */
} plan_param;

/* Something that must be as it was when the plan was made. */
typedef struct plan_guard {
    PyObject *object, *attribute;
    PyObject *expected; /* NULL: any object */
    Py_ssize_t size;    /* of it; -1: any */
    PyObject *items;    /* tuple: what is in it, a list; or NULL: whatever */
    bool or_none;       /* None will do, too: it is not made yet */
} plan_guard;

enum { PLAN_PARAMS_MAX = 64 };

typedef struct Plan {
    PyObject_HEAD core_state *core; /* borrowed: lives as long as the type */
    plan_param *params;             /* one for each of `names` */
    Py_ssize_t param_count;
    plan_guard *guards;
    Py_ssize_t guard_count;
    Py_ssize_t hard_count; /* guards before this: without them, not even `direct` */
    plan_step steps[PLAN_STEPS_MAX]; /* known middleware, from the outermost */
    Py_ssize_t step_count;
    PyObject *kept;     /* tuple: what params, guards and steps point to */
    PyObject *endpoint; /* gives an awaitable */
    bool is_runner;     /* it is called with a Run first, and answers by that itself */
    bool is_coroutine;  /* it is an `async def` function itself */
    bool is_direct;     /* it is FastAPI's own handler of the route, whole */
    int64_t limit;   /* bytes of a body; -1: none. Other requests are the application's */
    PyObject *root;  /* str: what comes to the server's root path */
    PyObject *names; /* tuple of str: the keywords that it is called with */
    PyObject *finish;     /* finish(scope, receive, send, error or None, result, started)
                             gives the coroutine that answers what cannot be answered here */
    PyObject *direct;     /* direct(run) gives the coroutine that answers as FastAPI's own
                             handler does, when something has changed; or None */
    PyObject *encode;     /* encode(result): the body as bytes; or raises */
    PyObject *response;   /* the type of results that are answers themselves */
    PyObject *plain_call; /* its __call__: sends head and body, and no more */
    PyObject *quick;      /* quick(error) gives the answer to an exception, or None if it
                             takes the application's stack; or None */
    PyObject *validate;   /* of the response model, or NULL: there is none */
    PyObject *to_json;    /* of its serializer */
    PyObject *to_json_names, *to_json_values; /* tuples: keywords of it */
    PyObject *refuse; /* refuse(error, result, run): what to raise when `validate` did */
    PyObject *fault;  /* the type of what stands in the place of values with errors; NULL
                         if there are no params, and so with the next two */
    PyObject *reject; /* reject(run, body, *values), when there are faults: raises, or
                         gives the coroutine that does */
    PyObject *read;   /* read(bytes, kind): the body as FastAPI takes it, or its fault;
                         `kind` is True, it is JSON, or the Content-Type. NULL: there is
                         no parameter of the body */
    PyObject *parse_cookies; /* of Starlette */
    PyObject *from_json;     /* of pydantic_core */
    int status;
    unsigned long long served;    /* requests that it answered */
    unsigned long long directed;  /* left to `direct` */
    unsigned long long behind;    /* of both, those found behind middleware */
    unsigned long long passed_on; /* left to the application */
    PyObject *sampler; /* sampler(run): the coroutine that answers a request in place of
                          the endpoint, as a runner does; or NULL */
    unsigned long long sample_in; /* so many requests from now; 0: never */
    bool demoted;                 /* for good: every request is left to the application */
} Plan;

/* One request that a plan serves. */
struct Run {
    PyObject_HEAD Worker *worker;
    Plan *plan;
    fa_request *req;       /* borrowed; NULL once somebody else has it, or it has ended */
    fa_deferred *deferred; /* held while the endpoint waits for something */
    PyObject *scope;       /* of a request that ended too early, else NULL */
    Cycle *cycle;          /* what goes on in Python */
    PyObject *body;        /* bytes: what its body() has given, or NULL */
    bool runs;             /* what is run answers by itself */
    bool direct;           /* it is the plan's `direct` */
    bool held;             /* the server has a reference, until on_finish */
    bool over;             /* the endpoint has ended */
    bool answered;         /* the answer has begun */
};

/* A plan and whose routes it is among. */
struct plan_route {
    Worker *worker; /* borrowed: it owns this */
    Plan *plan;     /* borrowed: worker->routes has it */
    plan_route *next;
    unsigned long long checked; /* the poll in which the guards were looked at last */
    bool applies, fits;         /* what they said: the hard ones, and all */
};

/* What answers paths that no route of an application has. */
typedef struct Misses {
    PyObject_HEAD core_state *core; /* borrowed: lives as long as the type */
    fa_app *paths; /* only to find: those of its routes, whatever their methods */
    Plan *missing; /* NULL: such paths are the application's */
    Plan *slash;   /* for those that a route would have but for slashes at their end;
                      NULL: it does not look for them */
} Misses;

/* Misses among the routes of a worker. */
struct plan_misses {
    Worker *worker;       /* borrowed: it owns this */
    const Misses *misses; /* borrowed: worker->routes has it */
    plan_route *missing, *slash;
    plan_misses *next;
};

/* Whether a path means to Python's patterns and convertors what it means to the core.
   They let the end be before a newline; and int() refuses more digits than it was told
   to, never fewer than 640, even when nobody wants the number. */
enum { PLAN_PATH_MAX = 640 };

static inline bool
plan_path_is_plain(fa_slice path)
{
    return path.len <= PLAN_PATH_MAX && memchr(path.p, '\n', path.len) == NULL;
}

/* An fa_handler; `user_data` is the plan_route. */
int plan_on_request(fa_request *req, void *user_data);

/* ---- plan/miss.c ---- */

/* The plan for a path of which the application sees `path`; NULL: it is the
   application's. */
Plan *misses_find(const Misses *misses, fa_method method, fa_slice path);

/* An fa_handler for what no row has; `user_data` is the Worker. */
int plan_on_miss(fa_request *req, void *user_data);

/* An fa_handler for all that comes to an application, and no row before has; `user_data`
   is the plan_misses. Its pattern captures nothing, or the rest of the path behind a
   slash. */
int plan_on_miss_below(fa_request *req, void *user_data);

/* ---- plan/run.c, plan/route.c ---- */

/* Whether those from `from` up to, not including, `to` hold. */
bool plan_guards_hold(const Plan *plan, Py_ssize_t from, Py_ssize_t to);

/* The set of FA_METHOD_BIT() for a tuple of names. 0, or -1 with an exception. */
int plan_methods_of(uint32_t *bits, PyObject *methods);

/* The request as an ASGI application has it, made at the first call. NULL with an
   exception. */
Cycle *run_cycle(Run *run);

/* Tells worker->watch, if there is one, by calling its method `what`: run_began() or
   run_directed(), run_answers(), run_ended(). Its asgi(scope, receive, send) gives what
   is used in their place. */
void plan_watch(Worker *worker, const char *what);

/* ---- plan/run_type.c ---- */

/* `req` is borrowed; plan/run.c clears it once the server has done with it. New reference
   or NULL. */
Run *run_new(Worker *worker, Plan *plan, fa_request *req);

/* ---- plan/answer.c: from what an endpoint returns to the answer ---- */

/* 1: answered. 0: `result` is an answer itself, and not a plain one; or `*instead` is (a
   new reference) if it is not NULL. -1 with an exception. */
int plan_answer(Run *run, PyObject *result, PyObject **instead);

/* Answers an exception, if that needs no more than a plain answer. */
bool plan_answer_error(Run *run, PyObject *error);

/* The body of an answer as bytes, or `result` if it is an answer itself; `run` is for
   plan->refuse. New reference or NULL. */
PyObject *plan_prepare(const Plan *plan, json_text *text, PyObject *run,
                       PyObject *result);

/* Methods of Run, for runners: prepare(result) gives the body, or `result` if it is an
   answer itself. respond(body, status=None, headers=()) sends it, to be awaited.
   answer(response) sends a Response if it is a plain one, but for its background tasks:
   whether it has. */
PyObject *run_prepare(PyObject *op, PyObject *result);
PyObject *run_answer(PyObject *op, PyObject *response);
PyObject *run_respond(PyObject *op, PyObject *args, PyObject *kwargs);

/* ---- plan/usual.c ---- */

/* `utf8` as a str; `errors` as PyUnicode_DecodeUTF8() takes it. */
PyObject *plan_text(fa_slice utf8, const char *errors);

/* What `v` means to `form`. NULL without an exception: it is spelled otherwise. */
PyObject *plan_usual(param_form form, fa_slice v);

/* ---- plan/bind.c ---- */

typedef enum plan_bound {
    PLAN_BOUND,
    PLAN_FAULTY,  /* values are missing or not valid, or the body cannot be read */
    PLAN_UNBOUND, /* for FastAPI itself to find out; there are no values */
} plan_bound;

/* The values of the parameters of a request, faults among them: new references, room for
   plan->param_count. `*body` is what plan->reject() takes with PLAN_FAULTY (a new
   reference), else NULL. No exception is set. */
plan_bound plan_bind(const Plan *plan, plan_input *input, PyObject **values,
                     PyObject **body);

/* ---- plan/check.c ---- */

/* Calls plan->reject(), in the place of the endpoint. New reference, or NULL with an
   exception. */
PyObject *plan_reject(Run *run, PyObject *body, PyObject *const *values);

#endif
