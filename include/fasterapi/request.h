/** A request, as a handler sees it. */
#ifndef FASTERAPI_REQUEST_H
#define FASTERAPI_REQUEST_H

#include <stdint.h>

#include <fasterapi/error.h>
#include <fasterapi/http.h>
#include <fasterapi/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * One request and its answer.
 *
 * Lifetime: from the head's arrival until the answer is finished. Inside a call
 *   that the library makes (handler, body callback, ...) it lives at least until
 *   that call returns; elsewhere (a deferred answer) it is gone as soon as
 *   fa_respond() or fa_response_end() returns, and when the client goes away: the
 *   callback of fa_request_on_finish() tells, and functions that find out by
 *   themselves return FA_ERR_CLOSED.
 * Ownership: every slice handed out is borrowed until the call in which you got it
 *   returns (handler, callback, fa_deferred_run() function); what shall live longer is
 *   copied with fa_arena_copy(). Asking again later, in another call, is fine.
 * Threads: only on the thread of its worker; see fa_request_defer() for others.
 */
typedef struct fa_request fa_request;

FA_API fa_method fa_request_method(const fa_request *req);
/** As it came: the name of an FA_METHOD_OTHER too. */
FA_API fa_slice fa_request_method_name(const fa_request *req);
/** The request-target as it came (RFC 9112, section 3.2). No form of it has a fragment,
    but some clients send one ("/a?b#c"): it is to be seen here only. */
FA_API fa_slice fa_request_target(const fa_request *req);
/** The path, before any '?' or '#', percent-decoded as UTF-8, bytes that are not replaced
   by U+FFFD. May hold any character, NUL and dot segments too: never open a file by it as
   it is. */
FA_API fa_slice fa_request_path(const fa_request *req);
/** The path still percent-encoded. */
FA_API fa_slice fa_request_raw_path(const fa_request *req);
/** The start of fa_request_path() that mounts have matched; empty outside mounts. */
FA_API fa_slice fa_request_root_path(const fa_request *req);
/** After the first '?' up to a '#', still percent-encoded. */
FA_API fa_slice fa_request_query(const fa_request *req);
/** The authority asked for: of the target, or else the Host field; may be empty. */
FA_API fa_slice fa_request_host(const fa_request *req);
/** "http", "https". */
FA_API fa_slice fa_request_scheme(const fa_request *req);
/** 10 for HTTP/1.0, 11 for HTTP/1.1. */
FA_API int fa_request_version(const fa_request *req);

/** The address of the client ("127.0.0.1", "::1") and its port; empty and 0 on a
    unix socket. */
FA_API fa_slice fa_request_client_address(fa_request *req, uint16_t *port);
/** The same of our end of the connection. */
FA_API fa_slice fa_request_server_address(fa_request *req, uint16_t *port);

/* ---- header fields (RFC 9110, section 5) ---- */

/** The first field of that name, compared without case; `.p` is NULL if there is none. */
FA_API fa_slice fa_request_header(const fa_request *req, fa_slice name);
FA_API size_t fa_request_header_count(const fa_request *req);
/** Field `i`, in the order they came; `i` must be below the count. */
FA_API void fa_request_header_at(const fa_request *req, size_t i, fa_slice *name,
                                 fa_slice *value);
/** The trailer section of a chunked body, once the body has come. */
FA_API size_t fa_request_trailer_count(const fa_request *req);
FA_API void fa_request_trailer_at(const fa_request *req, size_t i, fa_slice *name,
                                  fa_slice *value);

/* ---- parameters ---- */

/** What the route's `{name}` captured, percent-decoded; `.p` is NULL if it has none. */
FA_API fa_slice fa_request_param(const fa_request *req, fa_slice name);
/** The same as a number, for `{name:int}`. Returns 0, FA_ERR_INVALID (no such
    parameter, or not digits) or FA_ERR_LIMIT (above INT64_MAX). */
FA_API int fa_request_param_int(const fa_request *req, fa_slice name, int64_t *out);
FA_API size_t fa_request_param_count(const fa_request *req);
FA_API void fa_request_param_at(const fa_request *req, size_t i, fa_slice *name,
                                fa_slice *value);

/** How many name=value pairs the query has (decoded as HTML forms are), or
    FA_ERR_NOMEM. */
FA_API ptrdiff_t fa_request_query_count(fa_request *req);
/** Pair `i`, which must be below the count. */
FA_API void fa_request_query_at(fa_request *req, size_t i, fa_slice *name,
                                fa_slice *value);
/** The last value of that name, as FastAPI takes it. Returns 1 if it is there, 0 if
    not, or FA_ERR_NOMEM. */
FA_API int fa_request_query_value(fa_request *req, fa_slice name, fa_slice *value);

/** The same for a query that is not a request's. `*query` is what is left of it; the next
    pair is decoded into `arena`, or points into the query. Returns 1, 0 at the end, or
    FA_ERR_NOMEM; the other outputs are written with 1 only. */
FA_API int fa_query_next(fa_slice *query, fa_slice *name, fa_slice *value,
                         fa_arena *arena);

/* ---- body ----

   "Transfer-Encoding: chunked" is taken off a body, and no other coding: what a client
   sends as "gzip, chunked" (or deflate, compress, ...) or with a Content-Encoding is
   still gzip here, as the fields of the request say. */

/** The whole body; empty in the handler of a streaming route. */
FA_API fa_slice fa_request_body(const fa_request *req);

/** Whether fa_request_body() is the body, all of it: always in the handler of a route
    that does not stream; for a streaming route with fa_route.whole_if_there, when the
    body came with the head, and fa_request_read() is FA_ERR_STATE then. */
FA_API bool fa_request_body_whole(const fa_request *req);

/** The declared Content-Length, INT64_MAX for what is more, or -1 if it is chunked. */
FA_API int64_t fa_request_content_length(const fa_request *req);

/**
 * Gets the body of a streaming route piece by piece.
 *
 * `error` is 0 while data comes; `data` is empty at the end of the body, and only
 * there. A negative `error` (FA_ERR_TIMEOUT, FA_ERR_BODY_TOO_LARGE, FA_ERR_CHUNK, ...)
 * ends it too: answer if you can, the server answers by itself if you don't. When the
 * client goes away fa_request_on_finish() tells, not this.
 * What was read at once of a body comes at once, of however many chunks it is.
 * `data` is borrowed until the callback returns.
 */
typedef void fa_body_fn(fa_request *req, fa_slice data, int error, void *user_data);

/** Starts the flow: sends 100-continue if the client waits for it (RFC 9110,
    10.1.1). Returns 0, or FA_ERR_STATE if the route does not stream or it was called
    before. `user_data` is borrowed until the request's end. */
FA_API int fa_request_read(fa_request *req, fa_body_fn *fn, void *user_data);
/** In an fa_body_fn that is given data: whether these are the last. The call without data
    follows then, at once unless the request is paused. */
FA_API bool fa_request_body_ends(const fa_request *req);
/** No data until fa_request_resume(); the client is made to wait (flow control). */
FA_API void fa_request_pause(fa_request *req);
FA_API void fa_request_resume(fa_request *req);

/* ---- what goes with it ---- */

/** Memory for as long as the request lives. */
FA_API fa_arena *fa_request_arena(fa_request *req);

/** A pointer of yours, NULL at first. */
FA_API void fa_request_set_data(fa_request *req, void *data);
FA_API void *fa_request_data(const fa_request *req);

/** Called once, last of all: with 0 after the whole answer was handed to the kernel
    or queued for it, with FA_ERR_CLOSED when the client went away first, with
    FA_ERR_TIMEOUT or another error when the server gave up. */
typedef void fa_finish_fn(fa_request *req, int error, void *user_data);
/** At most one per request; a later call replaces it. */
FA_API void fa_request_on_finish(fa_request *req, fa_finish_fn *fn, void *user_data);

/* ---- answering later, and from other threads ---- */

/**
 * A handle on a request that outlives it, for other threads.
 *
 * Threads: any, for all three functions below but fa_request_defer().
 * Ownership: counted; fa_request_defer() gives one reference, fa_deferred_release()
 *   takes one. When the last goes, an unanswered request is answered with 500, and an
 *   answer under way that no callback of the request goes on with is broken off.
 */
typedef struct fa_deferred fa_deferred;

/** Tells the server that the answer comes after the handler has returned. Called on
    the request's thread. Returns NULL when there is no memory. */
FA_API fa_deferred *fa_request_defer(fa_request *req);

/** `req` is NULL if the request has ended meanwhile. */
typedef void fa_deferred_fn(fa_request *req, void *user_data);

/**
 * Has `fn` called soon on the request's thread, where it may answer. Calls for one
 * request run in the order they were made. Each successful call leads to exactly one
 * call of `fn`, also when the worker is shut down.
 *
 * Returns 0, FA_ERR_NOMEM, or FA_ERR_CLOSED when the worker is gone (`fn` is not called).
 */
FA_API int fa_deferred_run(fa_deferred *deferred, fa_deferred_fn *fn, void *user_data);
FA_API fa_deferred *fa_deferred_retain(fa_deferred *deferred);
FA_API void fa_deferred_release(fa_deferred *deferred);

#ifdef __cplusplus
}
#endif
#endif
