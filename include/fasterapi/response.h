/** Answering a request. The server adds framing, Date and Server by itself. */
#ifndef FASTERAPI_RESPONSE_H
#define FASTERAPI_RESPONSE_H

#include <stdint.h>

#include <fasterapi/json.h>
#include <fasterapi/request.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Errors of all functions here, besides those named: FA_ERR_STATE when the answer is
 * already past that point, FA_ERR_CLOSED when the client is gone, FA_ERR_NOMEM.
 * After an error nothing was sent by that call.
 */

/**
 * Adds a header field to the answer (several of one name are all sent). The name is
 * sent in lower case.
 *
 * Content-Length, Transfer-Encoding, Connection, Trailer and Upgrade are the server's:
 * FA_ERR_INVALID. Date and Server given here replace the server's own. FA_ERR_FIELD_NAME,
 * FA_ERR_FIELD_VALUE: not allowed by RFC 9110, section 5. Ownership: both are copied.
 */
FA_API int fa_response_header(fa_request *req, fa_slice name, fa_slice value);

/** Closes the connection after this answer. */
FA_API void fa_response_close(fa_request *req);

/** The status sent, or 0 before that. */
FA_API int fa_response_status(const fa_request *req);

/**
 * The whole answer at once. `status` is 200 to 599; 204 and 304 take no body. An empty
 * `content_type` sends no such field. Answers to HEAD lose their body on the way.
 *
 * Ownership: both are free to go when it returns.
 */
FA_API int fa_respond(fa_request *req, int status, fa_slice content_type, fa_slice body);

/** fa_respond() with `application/json`; `json` is sent as it is. */
FA_API int fa_respond_json(fa_request *req, int status, fa_slice json);

/** What `writer` has written, after checking that it is complete and without error
    (else its error is returned and nothing sent). */
FA_API int fa_respond_writer(fa_request *req, int status, fa_json_writer *writer);

/** {"detail":"<detail>"}, as FastAPI answers errors. An empty `detail` gives the
    status's own phrase. */
FA_API int fa_respond_error(fa_request *req, int status, fa_slice detail);

/** An interim answer (1xx, but not 101) with the header fields added so far, which
    are then forgotten: 103 Early Hints (RFC 8297). Ignored for HTTP/1.0. */
FA_API int fa_response_interim(fa_request *req, int status);

/** A header field; both borrowed. */
typedef struct fa_field {
    fa_slice name;
    fa_slice value;
} fa_field;

/** The same with these fields, and those added so far stay for the answer; in lower case.
    FA_ERR_FIELD_NAME, FA_ERR_FIELD_VALUE, FA_ERR_INVALID as of fa_response_header().
    Ownership: `fields` is free to go when it returns. */
FA_API int fa_response_interim_fields(fa_request *req, int status, const fa_field *fields,
                                      size_t count);

/* ---- piece by piece ---- */

/** Starts an answer whose body follows. `length` is its exact size in bytes, or -1 if
    unknown: chunked for HTTP/1.1, until close for HTTP/1.0 (RFC 9112, 6.3). */
FA_API int fa_response_start(fa_request *req, int status, int64_t length);

/**
 * Starts an answer that the application frames by itself, as a gateway (ASGI, a proxy)
 * has it: `fields` are sent in their order, names in lower case, behind the server's
 * own Date and Server. Content-Length or Transfer-Encoding: chunked among them say how
 * the body is framed; without either it is chunked, or ends with the connection for
 * HTTP/1.0. Connection: close ends the connection after it. Fields of
 * fa_response_header() are not sent.
 *
 * Returns, besides the common errors: FA_ERR_INVALID (a status not of 200 to 999),
 * FA_ERR_FIELD_NAME, FA_ERR_FIELD_VALUE; FA_ERR_CONTENT_LENGTH (no number, or twice);
 * FA_ERR_TRANSFER_ENCODING (other than chunked, or with Content-Length, or to
 * HTTP/1.0). Ownership: `fields` is free to go when it returns.
 */
FA_API int fa_response_start_fields(fa_request *req, int status, const fa_field *fields,
                                    size_t count);

/**
 * Sends a piece. Taken whole when the result is 0 or FA_ERR_FULL; the latter asks
 * to wait for the callback of fa_response_on_drain() (more is taken still, but
 * stays in memory). FA_ERR_INVALID: more bytes than the length started with.
 */
FA_API int fa_response_write(fa_request *req, fa_slice data);

/** The application can do with its bytes as it likes. */
typedef void fa_release_fn(void *ctx);
/**
 * The same without a copy of what is long.
 *
 * Ownership: `data` is borrowed until `release(ctx)` is called, once, whatever this
 * returns and perhaps before it does: when the bytes are sent, or never will be. That
 * call must not use the request, nor anything else of the server.
 */
FA_API int fa_response_write_held(fa_request *req, fa_slice data, fa_release_fn *release,
                                  void *ctx);

/**
 * Sends a part of the file `fd` as a piece of the body, by sendfile(2) where the kernel
 * can: `length` bytes from `offset`, to its end if `length` is -1, from where it stands
 * if `offset` is -1 (its position does not move then). A pipe or device goes from where
 * it stands, to its end or to what the length started with leaves; while it has nothing
 * to give, the answer waits. Errors on the way (the file got shorter, cannot be read)
 * break the connection off, so that the client sees the loss.
 *
 * Returns 0 when all of it was handed over, FA_ERR_FULL when it is under way: then a next
 * file must wait for the callback of fa_response_on_drain() (else FA_ERR_STATE), as
 * writes and the end should. FA_ERR_INVALID: a directory, not open for reading, shorter
 * than asked for, or more than the length started with; FA_ERR_SYSTEM (errno).
 * Ownership: `fd` is free to be closed when it returns.
 */
FA_API int fa_response_send_file(fa_request *req, int fd, int64_t offset, int64_t length);

/** A trailer field (RFC 9110, 6.5); only before the end of a chunked answer, else
 * dropped. */
FA_API int fa_response_trailer(fa_request *req, fa_slice name, fa_slice value);

/** Ends the answer. Fewer bytes than the length started with: the connection is
    closed, so that the client sees the loss, and FA_ERR_INVALID is returned. */
FA_API int fa_response_end(fa_request *req);

/** Breaks the connection off; for an answer that cannot be completed. */
FA_API void fa_response_abort(fa_request *req);

/** Bytes of the answer that the client has not taken yet. */
FA_API size_t fa_response_pending(const fa_request *req);

typedef void fa_drain_fn(fa_request *req, void *user_data);
/** `fn` is called each time the pending output has fallen to half of
    fa_limits.max_pending_bytes after FA_ERR_FULL. */
FA_API void fa_response_on_drain(fa_request *req, fa_drain_fn *fn, void *user_data);

/* ---- upgrade (RFC 9110, section 7.8) ---- */

/** A connection that no longer speaks HTTP. Lives until on_close. Threads: its worker's.
 */
typedef struct fa_stream fa_stream;

typedef struct fa_stream_handler {
    /** Bytes came; borrowed until the callback returns. */
    void (*on_data)(fa_stream *stream, fa_slice data, void *user_data);
    /** The output has drained after fa_stream_write() returned FA_ERR_FULL; may be NULL.
     */
    void (*on_drain)(fa_stream *stream, void *user_data);
    /** The server is shutting down: say goodbye and fa_stream_close(). NULL: the server
        closes the stream at once. */
    void (*on_shutdown)(fa_stream *stream, void *user_data);
    /** The last call: 0 when the client ended the stream or all was sent after
        fa_stream_close(), else FA_ERR_*. */
    void (*on_close)(fa_stream *stream, int error, void *user_data);
} fa_stream_handler;

/**
 * Answers 101 with `Upgrade: protocol` (200 to a CONNECT, then `protocol` is unused)
 * and hands the connection over. FA_ERR_STATE if the client asked for neither.
 *
 * Ownership: `handler` is copied, `user_data` borrowed until on_close. `req` ends.
 * On success `*out` is the stream.
 */
FA_API int fa_request_upgrade(fa_request *req, fa_slice protocol,
                              const fa_stream_handler *handler, void *user_data,
                              fa_stream **out);
/** As fa_response_write(). */
FA_API int fa_stream_write(fa_stream *stream, fa_slice data);
/** Sends what is pending, then closes; on_close follows, not from within this call. */
FA_API void fa_stream_close(fa_stream *stream);

#ifdef __cplusplus
}
#endif
#endif
