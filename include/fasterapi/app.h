/** An application: its routes, mounts, middleware and life. */
#ifndef FASTERAPI_APP_H
#define FASTERAPI_APP_H

#include <fasterapi/request.h>
#include <fasterapi/response.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Built first, then served by one or more servers or workers; not changed while
 * served.
 *
 * Threads: building is for one thread; handlers run on all workers' threads at once.
 */
typedef struct fa_app fa_app;

/** NULL when there is no memory. `alloc` may be NULL (malloc); copied. */
FA_API fa_app *fa_app_new(const fa_allocator *alloc);
/** After its servers are gone. NULL is ignored. Does not delete mounted apps. */
FA_API void fa_app_del(fa_app *app);

/**
 * Answers a request, or arranges for that.
 *
 * Returns 0 after answering (fa_respond() and the like return what a handler may
 * return) or after fa_request_defer(), fa_request_read() or fa_response_start(). A
 * negative value, or none of these, makes the server answer 500 and log it; if the
 * answer was already started, the connection is broken off.
 */
typedef int fa_handler(fa_request *req, void *user_data);

/**
 * Registers `handler` for `method` on `pattern`; FA_GET answers HEAD as well.
 *
 * `pattern` is an absolute path: `{name}` captures one segment, `{name:int}`,
 * `{name:float}`, `{name:uuid}` what looks like one, `{name:path}` the rest with its
 * slashes. Of several routes that match, the one registered first answers. A path
 * that matches with other methods only is answered 405 with all of them in Allow (RFC
 * 9110, 15.5.6), an unknown one 404.
 *
 * Ownership: `pattern` is copied, `user_data` borrowed until fa_app_del().
 * Threads:   not while the app is served.
 * Returns 0, or FA_ERR_ROUTE_SYNTAX, FA_ERR_ROUTE_CONVERTOR, FA_ERR_ROUTE_PARAMETER,
 * FA_ERR_NOMEM, or FA_ERR_STATE while the app is served; `app` is then as before.
 */
FA_API int fa_app_route(fa_app *app, fa_method method, const char *pattern,
                        fa_handler *handler, void *user_data);

/** The whole of what a route can be told. Zero-initialise, then set. */
typedef struct fa_route {
    const char *pattern;
    uint32_t methods;         /* set of FA_METHOD_BIT(method) */
    const char *other_method; /* one more, of a name of your own; NULL: none */
    fa_handler *handler;
    void *user_data;
    bool stream_body;        /* call the handler at once, the body by fa_request_read() */
    bool whole_if_there;     /* with stream_body: a body that came with the head is had by
                                fa_request_body(); see fa_request_body_whole() */
    uint64_t whole_bytes;    /* with whole_if_there: so is one whose length is told, and
                                is no more than this; the handler is called then */
    bool any_method;         /* with fa_app_fallback(): paths that routes match with other
                                methods or another slash only are its own too */
    uint64_t max_body_bytes; /* 0: fa_limits.max_body_bytes */
} fa_route;

#define FA_METHOD_BIT(method) ((uint32_t)1 << (method))

/** As fa_app_route(), but HEAD only if asked for. */
FA_API int fa_app_add_route(fa_app *app, const fa_route *route);

/** Requests below `prefix` go to `sub`, which sees the rest of the path: its routes,
    its middleware, its 404. `sub` is borrowed until fa_app_del(app), and must not
    contain `app`. Errors as fa_app_route(). */
FA_API int fa_app_mount(fa_app *app, const char *prefix, fa_app *sub);

/** Answers what no route matches, instead of 404. 405 and slash redirects still come
    first, unless route->any_method. Pattern and methods of `route` do not
    matter. Returns 0, FA_ERR_INVALID (no handler) or FA_ERR_STATE. */
FA_API int fa_app_fallback(fa_app *app, const fa_route *route);

/** Whether `/items` is redirected (307) to `/items/`, or the other way round, where
    only the other is a route. On at first, as in Starlette. */
FA_API void fa_app_redirect_slashes(fa_app *app, bool on);

enum {
    FA_NEXT = 0,    /* go on */
    FA_ANSWERED = 1 /* on_request has answered (or deferred) */
};

enum { FA_ROUTE_PARAMS_MAX = 17 /* what one pattern captures at most */ };

/** A route, and what its pattern has captured. */
typedef struct fa_found {
    void *user_data;
    size_t count;
    fa_slice values[FA_ROUTE_PARAMS_MAX]; /* in the order of the pattern */
} fa_found;

/**
 * The route of `app` that answers such a request, for a gateway that has the parts of a
 * request but no fa_request. Mounts are not looked into: they count as not found, and so
 * does a path that routes match with other methods only. Middleware is not run. `path` is
 * percent-decoded; the values are slices of it.
 *
 * Threads: as fa_app_route() at first; once it has returned, `app` takes no more routes,
 *          as if it were served, and any number of threads may call it.
 * Returns 1, 0 if there is none, FA_ERR_NOMEM or FA_ERR_LIMIT (as when it is served);
 * `found` is written with 1 only.
 */
FA_API int fa_app_find(fa_app *app, fa_method method, fa_slice path, fa_found *found);

/** Any of the three may be NULL. */
typedef struct fa_middleware {
    /** Before routing and before the body, in the order registered. Returns FA_NEXT,
        FA_ANSWERED, or a negative error (500). */
    int (*on_request)(fa_request *req, void *user_data);
    /** When the head of the answer is about to be sent, in the opposite order: it may
        add header fields. Of those registered up to the one that answered. */
    void (*on_response)(fa_request *req, int status, void *user_data);
    /** After the end, in the opposite order. */
    void (*on_finish)(fa_request *req, int error, void *user_data);
    void *user_data; /* borrowed until fa_app_del() */
} fa_middleware;

/** Returns 0, FA_ERR_NOMEM, FA_ERR_LIMIT (over 32) or FA_ERR_STATE. Copied. */
FA_API int fa_app_use(fa_app *app, const fa_middleware *middleware);

/** Any may be NULL. Called by fa_server_run() on its own thread. */
typedef struct fa_lifecycle {
    int (*on_start)(fa_app *app, void *user_data);  /* before the first request; an error
                                                       (negative) ends fa_server_run() */
    void (*on_drain)(fa_app *app, void *user_data); /* no new connections from here on */
    void (*on_stop)(fa_app *app, void *user_data);  /* after the last request */
    void *user_data;
} fa_lifecycle;

FA_API void fa_app_set_lifecycle(fa_app *app, const fa_lifecycle *lifecycle);

#ifdef __cplusplus
}
#endif
#endif
