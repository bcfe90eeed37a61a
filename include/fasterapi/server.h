/** Serving an application: a server with threads, or a worker in your own loop. */
#ifndef FASTERAPI_SERVER_H
#define FASTERAPI_SERVER_H

#include <fasterapi/app.h>
#include <fasterapi/limits.h>
#include <fasterapi/log.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A request is refused before a handler saw it: it is malformed (FA_ERR_METHOD to
 * FA_ERR_EXPECTATION), larger than a limit, or too slow (FA_ERR_TIMEOUT).
 *
 * Answers it with fa_respond() or its kin, whole and within the call, and returns
 * FA_ANSWERED: the server's own warning is then not logged. FA_NEXT, or no answer: the
 * server logs a warning and answers fa_error_status(error) as JSON, with the fields of
 * fa_response_header(). Either way the connection is closed; but not after a body that
 * is only too large by its Content-Length, when it is short enough to be skipped.
 *
 * `req` has its addresses, its arena, fa_request_set_data() and fa_request_on_finish().
 * When its head was not read to the end its target, path and fields are empty, its method
 * is unknown; fa_request_version() is 0 then, else all of the head is there, of the body
 * nothing.
 */
typedef int fa_refusal_fn(fa_request *req, int error, void *user_data);

typedef struct fa_server_options {
    fa_limits limits;
    unsigned threads;       /* worker threads; default 1, at most 256 */
    bool handle_signals;    /* SIGTERM and SIGINT stop it in order, a second one at once,
                               while fa_server_run() runs; default true */
    bool access_log;        /* a line a request at level INFO; default false */
    bool keep_alive_1_0;    /* for HTTP/1.0 clients that ask for it; default true */
    bool date_header;       /* default true (RFC 9110, 6.6.1) */
    fa_slice server_header; /* borrowed; default "fasterapi", empty: not sent */
    /* Sent in every answer, behind Date and Server, in lower case. A Date or Server among
       them stands for the server's own. None may frame the message (FA_ERR_INVALID; see
       fa_response_header()). Borrowed until the server or worker is made. */
    const fa_field *fields;
    size_t field_count;
    fa_refusal_fn *on_refusal; /* default NULL; on the worker's thread */
    void *refusal_user_data;   /* borrowed */
    int backlog;               /* of listen(2); default 2048 */
    fa_logger *logger; /* borrowed; default NULL: a logger of its own, INFO, stderr */
    const fa_allocator *alloc; /* copied; default NULL: malloc */
} fa_server_options;

/** Sets every field to its default. */
FA_API void fa_server_options_init(fa_server_options *options);

/** Totals since the start; `active`, `connections_open` and `websockets_open` are of this
    moment. */
typedef struct fa_counters {
    uint64_t connections; /* accepted */
    uint64_t connections_open;
    uint64_t connections_shed; /* answered 503 for a limit */
    uint64_t requests;         /* heads parsed */
    uint64_t active;           /* not answered yet */
    uint64_t responses_1xx, responses_2xx, responses_3xx, responses_4xx, responses_5xx;
    uint64_t malformed; /* refused by the parser */
    uint64_t timeouts;  /* cut for slowness */
    uint64_t bytes_in, bytes_out;
    uint64_t websockets; /* accepted */
    uint64_t websockets_open;
    uint64_t messages_in, messages_out; /* of WebSockets, whole ones */
} fa_counters;

/* ---- a server ---- */

/** Threads: built and run by one; fa_server_stop() and fa_server_counters() by any. */
typedef struct fa_server fa_server;

/** `options` may be NULL (defaults) and is copied. `app` is borrowed until
    fa_server_del(). Returns 0, FA_ERR_NOMEM, FA_ERR_INVALID, FA_ERR_SYSTEM, or
    FA_ERR_FIELD_NAME, FA_ERR_FIELD_VALUE for fa_server_options.fields. */
FA_API int fa_server_new(fa_server **out, fa_app *app, const fa_server_options *options);
FA_API void fa_server_del(fa_server *server);

/** Listens on a numeric address, "localhost" or a host name, of which all addresses are
    taken that this machine has; port 0 takes a free one, the same for all. May be called
    several times. Returns 0, FA_ERR_INVALID (no such address), FA_ERR_NOMEM, FA_ERR_LIMIT
    (16 listeners are the most) or FA_ERR_SYSTEM (errno: EADDRINUSE, ...). */
FA_API int fa_server_listen(fa_server *server, const char *host, uint16_t port);
/** A unix socket with these permissions (0666); a stale one in its place is removed. */
FA_API int fa_server_listen_unix(fa_server *server, const char *path,
                                 unsigned permissions);
/** A listening socket that somebody else made (systemd, a supervisor); taken over. */
FA_API int fa_server_listen_fd(fa_server *server, int fd);
/** The port of the first listener, for those who asked for 0. */
FA_API uint16_t fa_server_port(const fa_server *server);

/** Serves until fa_server_stop() or a signal, and returns when the last request is
    answered or fa_limits.drain_timeout_ms is over. Returns 0, or FA_ERR_STATE (no
    listener), FA_ERR_NOMEM, FA_ERR_SYSTEM, FA_ERR_TIMEOUT (the drain had to be cut), or
    what on_start returned. */
FA_API int fa_server_run(fa_server *server);

/** Stops in order: no new connections, every accepted request answered. A second call
    cuts what is left. Any thread; safe in a signal handler. */
FA_API void fa_server_stop(fa_server *server);

FA_API void fa_server_counters(const fa_server *server, fa_counters *out);

/** The whole of a small program: a server with default options on host:port, run to
    its end; prints what goes wrong to stderr. Returns 0 or FA_ERR_*. */
FA_API int fa_serve(fa_app *app, const char *host, uint16_t port);

/* ---- a worker in a loop of your own ---- */

/**
 * One event loop with its connections; what each thread of a server runs.
 *
 * Threads: one, but for fa_worker_wake() and fa_worker_counters().
 */
typedef struct fa_worker fa_worker;

/** `options->threads` and `handle_signals` do not matter here. Errors as fa_server_new().
 */
FA_API int fa_worker_new(fa_worker **out, fa_app *app, const fa_server_options *options);
/** Breaks off whatever is left. */
FA_API void fa_worker_del(fa_worker *worker);

/** Accepts from a listening socket (non-blocking from here on), which is borrowed: the
    caller closes it after fa_worker_drain() or fa_worker_del(). FA_ERR_INVALID: not a
    listening socket. */
FA_API int fa_worker_listen_fd(fa_worker *worker, int fd);

/** Whether a worker that shares its listening sockets with other processes should take
    the connection that waits. After a false it looks again a millisecond later and takes
    a few without asking, for those it waited for may be busy. */
typedef bool fa_accept_fn(void *user_data);
/** `fn` is asked before each connection from now on, on the worker's thread; NULL: nobody
    is. `user_data` is borrowed. */
FA_API void fa_worker_on_accept(fa_worker *worker, fa_accept_fn *fn, void *user_data);

/** Serves a connected stream socket, which is taken over, on success only; one of TCP
    sends without delay from here on. Returns 0, FA_ERR_CLOSED (it is not connected any
    more), FA_ERR_LIMIT (of connections), FA_ERR_NOMEM or FA_ERR_SYSTEM. */
FA_API int fa_worker_adopt(fa_worker *worker, int fd);

/** Readable when fa_worker_poll() has something to do, timers included. */
FA_API int fa_worker_fd(const fa_worker *worker);

/** Waits up to `timeout_ms` (0: not at all, -1: for ever), then does the work of up to
    `rounds` batches of at most 256 ready descriptors, without waiting again. Returns 1
    if there was work, 0 if none, or FA_ERR_SYSTEM. */
FA_API int fa_worker_poll(fa_worker *worker, int timeout_ms, unsigned rounds);

/** No new connections; open ones are closed as they fall idle. */
FA_API void fa_worker_drain(fa_worker *worker);
/** Connections left. */
FA_API size_t fa_worker_connections(const fa_worker *worker);
/** Makes fa_worker_poll() return. Any thread, and signal handlers. */
FA_API void fa_worker_wake(fa_worker *worker);
FA_API void fa_worker_counters(const fa_worker *worker, fa_counters *out);

#ifdef __cplusplus
}
#endif
#endif
