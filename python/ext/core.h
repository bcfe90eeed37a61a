/* What the types of the extension share. Includes nothing of the library but its public
   headers: they must suffice. */
#ifndef FA_EXT_CORE_H
#define FA_EXT_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <fasterapi.h>

#include "carrier/late.h"

/* Strings that are looked up or compared all the time, made once. */
#define CORE_STRINGS(X)                                                                  \
    X(add_done_callback)                                                                 \
    X(asgi)                                                                              \
    X(body)                                                                              \
    X(bytes)                                                                             \
    X(call_soon)                                                                         \
    X(cancel)                                                                            \
    X(cancelled)                                                                         \
    X(cancelling)                                                                        \
    X(client)                                                                            \
    X(code)                                                                              \
    X(context)                                                                           \
    X(count)                                                                             \
    X(create_future)                                                                     \
    X(done)                                                                              \
    X(extensions)                                                                        \
    X(file)                                                                              \
    X(get_loop)                                                                          \
    X(flush)                                                                             \
    X(headers)                                                                           \
    X(http)                                                                              \
    X(http_version)                                                                      \
    X(info)                                                                              \
    X(links)                                                                             \
    X(loop)                                                                              \
    X(method)                                                                            \
    X(msg)                                                                               \
    X(more_body)                                                                         \
    X(more_trailers)                                                                     \
    X(offset)                                                                            \
    X(path)                                                                              \
    X(query_string)                                                                      \
    X(raw_path)                                                                          \
    X(reason)                                                                            \
    X(remove_done_callback)                                                              \
    X(result)                                                                            \
    X(root_path)                                                                         \
    X(scheme)                                                                            \
    X(server)                                                                            \
    X(set_result)                                                                        \
    X(spec_version)                                                                      \
    X(state)                                                                             \
    X(status)                                                                            \
    X(subprotocol)                                                                       \
    X(subprotocols)                                                                      \
    X(text)                                                                              \
    X(throw)                                                                             \
    X(trailers)                                                                          \
    X(type)                                                                              \
    X(version)                                                                           \
    X(write)                                                                             \
    X(websocket)                                                                         \
    X(ws)                                                                                \
    X(wss)                                                                               \
    X(_asyncio_future_blocking)                                                          \
    X(_must_cancel)                                                                      \
    X(_callbacks)

/* Text that is no identifier. */
#define CORE_TEXTS(X)                                                                    \
    X(http_request, "http.request")                                                      \
    X(http_disconnect, "http.disconnect")                                                \
    X(response_start, "http.response.start")                                             \
    X(response_body, "http.response.body")                                               \
    X(websocket_connect, "websocket.connect")                                            \
    X(websocket_accept, "websocket.accept")                                              \
    X(websocket_receive, "websocket.receive")                                            \
    X(websocket_send, "websocket.send")                                                  \
    X(websocket_close, "websocket.close")                                                \
    X(websocket_disconnect, "websocket.disconnect")                                      \
    X(websocket_response, "websocket.http.response")                                     \
    X(websocket_response_start, "websocket.http.response.start")                         \
    X(websocket_response_body, "websocket.http.response.body")                           \
    X(response_trailers, "http.response.trailers")                                       \
    X(v1_0, "1.0")                                                                       \
    X(v1_1, "1.1")

/* Read-only after core_exec(). */
typedef struct core_state {
    PyTypeObject *worker_type, *cycle_type, *websocket_type, *carrier_type,
        *operation_type, *gate_type;
    PyObject *client_disconnected; /* an exception, subclass of OSError */
    PyObject *enter_task, *leave_task, *current_task, *task_type,
        *cancelled_error;      /* of asyncio */
    PyObject *current_tasks;   /* dict: loop to task; NULL: not to be had */
    PyTypeObject *future_type; /* asyncio's own, or NULL */
    PyCFunction future_done;   /* of exactly that type, or NULL */
    PyObject *context_name;    /* ("context",) */
    PyObject *msg_name;        /* ("msg",) */
    PyObject *empty_bytes;
    PyObject *sent; /* operation_nothing(): what send() returns when it need not wait */
#define X(name) PyObject *str_##name;
    CORE_STRINGS(X)
#undef X
#define X(name, text) PyObject *text_##name;
    CORE_TEXTS(X)
#undef X
    PyObject *methods[FA_QUERY + 1]; /* "GET", ... */
    PyTypeObject *plan_type, *run_type, *plan_table_type, *threads_type, *hop_type,
        *shape_type, *misses_type;
    PyObject *deepcopy, *from_attributes; /* of copy; ("from_attributes",) */
} core_state;

extern struct PyModuleDef core_module;

static inline core_state *
core_of_type(PyTypeObject *type)
{
    return (core_state *)PyType_GetModuleState(type);
}

/* ---- asyncio.c ---- */

/* Returns 0, or -1 with an exception; the strings must be there. */
int asyncio_take(core_state *core);
/* future.done(): 1, 0, or -1 with an exception. */
int asyncio_is_done(core_state *core, PyObject *future);
/* loop.call_soon(callback[, arg], context=context); `arg` may be NULL. Returns 0, or -1
   with an exception. */
int asyncio_call_soon(core_state *core, PyObject *loop, PyObject *callback, PyObject *arg,
                      PyObject *context);
/* future.cancel(msg=message): 1, 0, or -1 with an exception. `message` may be NULL. */
int asyncio_cancel(core_state *core, PyObject *future, PyObject *message);
/* What a task does with that which its coroutine has yielded, if it is a future of that
   loop: it will call `callback`. Returns 1, 0 when it is something else, or -1 with an
   exception. */
int asyncio_await(core_state *core, PyObject *loop, PyObject *future, PyObject *callback,
                  PyObject *context);
/* future.set_result(None), for one that is not done. Returns 0, or -1 with an exception:
   then it is as before, and can be tried again. */
int asyncio_wake(core_state *core, PyObject *loop, PyObject *future);
/* Makes the task the current one of its loop: fails while another one is. */
int asyncio_enter(core_state *core, PyObject *loop, PyObject *task);
int asyncio_leave(core_state *core, PyObject *loop, PyObject *task);

/* ---- operation.c: what receive() and send() return ---- */

typedef struct Operation Operation;

/* What it does when it is awaited: a new reference to the result, or NULL with an
   exception, or NULL after setting `*again` to a future (handed over), when which is done
   it is called again. */
typedef PyObject *operation_fn(PyObject *owner, PyObject **again);

/* One that gives None, to everybody who awaits it. New reference or NULL. */
PyObject *operation_nothing(core_state *core);

/* One that gives what `fn` makes of `owner` (borrowed; a reference is kept). */
PyObject *operation_later(core_state *core, PyObject *owner, operation_fn *fn);

/* Takes the exception that is set, which is raised when the operation is awaited: nobody
   expects it of the call. */
PyObject *operation_failed(core_state *core);

/* ---- carrier.c: the tasks in which handlers run ---- */

typedef struct Carrier Carrier;
typedef struct Worker Worker;
typedef struct Threads Threads;

/* What a carrier does for a request, one coroutine after another. */
typedef struct carrier_job {
    PyObject *coroutine; /* or an iterator; owned by the carrier */
    PyObject *owner;     /* for `done`; a reference is kept */
    /* How the coroutine ended; `error` is the exception (borrowed) or NULL, `result`
       what it returned (borrowed). Returns true after putting the next one into `next`,
       which begins at once in the same task and context: with both objects owned. */
    bool (*done)(PyObject *owner, PyObject *result, PyObject *error,
                 struct carrier_job *next);
} carrier_job;

/* Runs the coroutine of `job` (taken over; the owner is not) as the current task, at once
   and as far as it goes; then calls `done`, now or when it has ended. Returns 0, or -1
   with an exception when it could not be begun. */
int carrier_run(Worker *worker, const carrier_job *job);

/* A future for the coroutine that runs to wait for; `*carrier` is that which runs it
   (borrowed), or NULL. It is a new one, or that which carrier_resume() was called for.
   New reference or NULL. */
PyObject *carrier_future(Worker *worker, Carrier **carrier);

/* What that future stands for has happened: steps the coroutine at once, if that is what
   it waits for and nothing else is running, with the future as it was. Returns whether it
   did; if not, the future is to be resolved. Not while the server must not be called. */
bool carrier_resume(Carrier *self, PyObject *future);

/* A coroutine that yields its own carrier is parked: its task awaits nothing that
   happens, until this steps the coroutine at once, by throwing `error` into it if it is
   not NULL, as a task does with that of a future. Not from within a step of a task. */
void carrier_unpark(Carrier *self, PyObject *error);

/* After a request the task stays the current one for the next of the same poll. To be
   called before anything else that may run code of the application's. */
void carrier_leave(Worker *worker);

/* The tasks of idle carriers end in the next turn of the loop. */
void carrier_retire_all(Worker *worker);
/* Forgets all, idle or not, and visits those that are not: for the garbage collector. */
void carrier_drop_all(Worker *worker);
int carrier_visit_busy(Worker *worker, visitproc visit, void *arg);

/* ---- cycle.c: one request ---- */

/* An fa_handler; `user_data` is the Worker. */
int cycle_on_request(fa_request *req, void *user_data);

/* ---- extension.c ---- */

/* Takes over what `worker->extensions` says. Returns 0, or -1 with an exception. */
int extension_take(Worker *worker);
bool extension_has_trailers(const Worker *worker);
/* For the scope. New reference or NULL. */
PyObject *extension_scope(Worker *worker);

/* ---- refusal.c ---- */

/* An fa_refusal_fn; `user_data` is the Worker. */
int refusal_answer(fa_request *req, int error, void *user_data);

/* ---- websocket.c: one WebSocket ---- */

typedef struct WebSocket WebSocket;

/* Answers a request that asks for a WebSocket. Returns what its handler shall. */
int websocket_on_request(Worker *worker, fa_request *req);

/* Refuses every handshake that the application has not answered yet. */
void websocket_drain_all(Worker *worker);

/* ---- access_log.c ---- */

/* Logs an answer; never fails. */
void access_log(Worker *worker, PyObject *scope, PyObject *status);
/* What was logged is written out: before something else is said of these requests. */
void access_log_flush(Worker *worker);
/* The same at the end of a round of poll(). */
void access_log_end(Worker *worker);

/* ---- scope.c ---- */

enum { SCOPE_NAMES = 256, SCOPE_NAME_MAX = 64 };

/* What scopes have in common, and what was made last of what is often the same: a
   worker's own, for it changes. Holds only bytes, texts, numbers, and dicts of such, so
   that the garbage collector need not look into it. */
typedef struct scope_cache {
    PyObject *http; /* dict: the keys in order, with what is always the same */
    PyObject *asgi; /* dict: copied for each scope */
    PyObject *websocket, *websocket_asgi; /* the same for WebSockets */
    PyObject *server;                     /* the pair made last, or NULL */
    PyObject *unix_server;                /* the pair on unix sockets, or None */
    PyObject *server_host, *client_host;
    uint16_t server_port;
    PyObject *names[SCOPE_NAMES]; /* of fields: bytes in lower case, or NULL */
} scope_cache;

/* After the options are set. Returns 0, or -1 with an exception. */
int scope_cache_init(Worker *worker);
void scope_cache_clear(scope_cache *cache);

/* The ASGI scope of an HTTP request. New reference or NULL. */
PyObject *scope_of_request(Worker *worker, fa_request *req);
/* That of a WebSocket. New reference or NULL. */
PyObject *scope_of_websocket(Worker *worker, fa_request *req);
/* A list of pairs of bytes: the fields as they are in a scope. New reference or NULL. */
PyObject *scope_headers(Worker *worker, fa_request *req);

/* ---- json_text.c ---- */

/* Bytes that grow; all zeros is empty. */
typedef struct json_text {
    char *p;
    size_t len, room;
} json_text;

/* Appends `value` as json.dumps() has it for JSONResponse, if it consists of plain
   builtin objects. False: it does not, or there is no memory; `text` is as before then,
   and no exception is set. */
bool json_text_add(json_text *text, PyObject *value);
void json_text_free(json_text *text);

/* ---- plan.h: routes that are served without the application ---- */

typedef struct plan_route plan_route;
typedef struct plan_misses plan_misses;

typedef struct Run Run;

extern PyType_Spec plan_spec, run_spec, plan_table_spec, threads_spec, hop_spec,
    shape_spec, misses_spec;

/* Adds worker->routes to its application: a tuple of (pattern, methods, Plan, Misses or
   None). What has none, and what no pattern matches, is for the ASGI application; with a
   pattern of None, Misses are for the latter. 0 or -1 with an exception. */
int plan_add_routes(Worker *worker);
void plan_free_routes(Worker *worker);
/* Gives the memory of worker->spare_run back. */
void run_free_spare(Worker *worker);

/* ---- worker.c ---- */

struct Worker {
    PyObject_HEAD core_state *core; /* borrowed: lives as long as the type */
    fa_app *app;
    fa_worker *worker; /* NULL after close() */
    fa_logger *logger; /* hands on what the server has to say */
    PyObject *asgi;    /* the application */
    PyObject *loop;
    PyObject *context; /* of which each carrier gets a copy */
    Carrier *idle;     /* those that wait for work, one behind the other */
    size_t idle_count;
    Carrier *busy;         /* those that wait within a request; each owned */
    Carrier *running;      /* whose coroutine runs just now; borrowed */
    Carrier *entered;      /* whose task is the current one still; owned, or NULL */
    late *late;            /* who could not be woken; borrowed */
    WebSocket *handshakes; /* those that the application has not answered; borrowed */

    plan_route *plan_routes;
    plan_misses *plan_misses;        /* rows of them, owned */
    plan_misses *misses;             /* of these: for paths that no row has; NULL: none */
    unsigned long long polls;        /* rounds of poll() so far */
    unsigned long long through_asgi; /* requests that the application was called for */
    PyObject *threads;               /* see worker_threads(); None, or NULL at first */
    Run *spare_run;                  /* memory of one that is over, or NULL */
    json_text text;                  /* the body being written; its memory is kept */

    /* Options: keywords of Worker(), listed in options.c. Objects may be None. */
    fa_server_options options;
    PyObject *on_warning;       /* called with (message), or None */
    PyObject *on_error;         /* called with (message, exception or None), or None */
    PyObject *on_access;        /* called with (scope, status), or None */
    PyObject *access_stream;    /* called with (): where lines go that need no logging, or
                                   None; may be None itself */
    PyObject *status_text;      /* called with (status): "200 OK" */
    PyObject *on_handshake;     /* called with (scope, status); 0: accepted; or None */
    PyObject *on_connection;    /* called with (status): 101: it is open; or None */
    PyObject *handshake_reason; /* called with (method, headers, status); or None */
    PyObject *state;            /* dict: of lifespan, copied for each request */
    PyObject *root_path;        /* str, ASCII */
    PyObject *asgi_version;     /* str */
    PyObject *server_header;    /* str */
    PyObject *routes;           /* tuple, see plan.h, or None */
    PyObject *watch;            /* told of requests of plans, see plan_watch(); or None */
    PyObject *forwarded;        /* tuple, see forwarded.h, or None */
    PyObject *unix_path;        /* str: where unix sockets listen; or None */
    PyObject *headers;          /* sequence of pairs of bytes, sent with every answer */
    PyObject *extensions;       /* sequence of str: those that scopes offer */
    unsigned extension_mask;
    PyObject *root_path_bytes;
    fa_websocket_options websocket;
    uint32_t ws_max_queue; /* messages received, not yet by the application */
    bool ws;               /* whether WebSockets are served */

    scope_cache scopes;

    PyObject *log_stream;   /* of the last line of the access log, or NULL */
    PyObject *status_texts; /* dict: what status_text() has said */
    bool log_unflushed;     /* something was written to it */
    bool polling;           /* poll() is on the stack */
    bool loop_wanted;       /* a coroutine waits for the loop since poll() began */
};

/* ---- options.c: the keywords of Worker() ---- */

/* Sets every option: to its default, or as `keywords` (a dict or NULL) says. Returns 0,
   or -1 with TypeError, ValueError or OverflowError. */
int worker_take_options(Worker *worker, PyObject *keywords);
int worker_visit_options(Worker *worker, visitproc visit, void *arg);
void worker_clear_options(Worker *worker);

/* ---- heartbeat/: the type Heartbeat, which shares nothing with the others ---- */

int heartbeat_exec(PyObject *mod);

/* Both log through the Python side; an exception raised there is written as unraisable.
 */
void worker_warn(Worker *worker, const char *message);
void worker_report(Worker *worker, const char *message, PyObject *error);

extern PyType_Spec gate_spec, operation_spec, carrier_spec, cycle_spec, websocket_spec,
    worker_spec;

#endif
