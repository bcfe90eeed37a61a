/* The request as the library sees it: filled in by a protocol version, then by
   dispatch, and answered through its transport. */
#ifndef FA_APP_REQUEST_H
#define FA_APP_REQUEST_H

#include <stddef.h>

#include <fasterapi/app.h>

#include "app/transport.h"
#include "base/memory.h"
#include "http/message.h"
#include "route/router.h"

enum {
    FA__MOUNT_DEPTH_MAX = 8,
    FA__PARAMS_MAX = 2 * FA__ROUTE_MAX_PARAMS, /* of mounts and the route together */
};

/* How far the answer is. */
typedef enum fa__answer {
    FA__ANSWER_NONE,
    FA__ANSWER_STARTED, /* its head is out */
    FA__ANSWER_ENDED,
} fa__answer;

typedef struct fa__response_field {
    struct fa__response_field *next;
    fa_slice name, value; /* in the request's arena */
} fa__response_field;

typedef struct fa__response_fields {
    fa__response_field *first, *last;
    size_t bytes; /* what all of them need as "name: value\r\n" */
} fa__response_fields;

typedef struct fa__query_pair {
    fa_slice name, value;
} fa__query_pair;

struct fa_request {
    /* Kept from one request to the next. */
    const fa__transport *transport;
    void *stream; /* the transport's own: a connection of HTTP/1.1 */
    fa_arena arena;
    fa_request *next_free;
    fa__request_head head; /* its fields point at `fields` below */

    /* From here to `entered` all is zero at the start. */
    fa_app *app; /* whose routes are looked at: changes at a mount */
    const struct fa__endpoint *endpoint;
    fa_slice path;        /* decoded */
    size_t root_path_len; /* of `path`, matched by mounts */
    uint64_t max_body_bytes;
    fa_slice body;
    fa_body_fn *body_fn;
    void *body_data;
    fa__field *trailers;
    size_t trailer_count;
    fa__query_pair *query;
    size_t query_count;
    fa__response_fields fields_out;
    fa__response_fields trailers_out;
    fa_drain_fn *drain_fn;
    void *drain_data;
    fa_finish_fn *finish_fn;
    void *finish_data;
    void *data;
    fa_deferred *deferred;
    uint64_t started_ns; /* for the access log */
    fa__answer answer;
    int status;
    int failed; /* the handler's error, or FA_ERR_STATE when it did not answer */
    uint32_t param_count;
    uint8_t app_depth; /* mounts entered */
    bool query_parsed;
    bool refused;              /* never dispatched: its head is not whole */
    bool close_after;          /* fa_response_close() */
    bool has_date, has_server; /* among fields_out */
    bool body_whole;           /* the body is all there; if streamed: handed over */
    bool body_ends;            /* what the body callback is given is the last of it */
    bool body_streams;         /* it goes to the handler piece by piece */
    bool read_wanted;          /* fa_request_read() was called */
    bool paused;
    bool told_full;      /* a drain callback is owed */
    bool trailers_ok;    /* a chunked answer is under way */
    int64_t length_left; /* of the answer's body; -1: unknown */

    /* Whose middleware has seen it, and how much of each. */
    struct {
        fa_app *app;
        unsigned seen;
    } entered[FA__MOUNT_DEPTH_MAX];

    struct {
        fa_slice name, value; /* value decoded with the path */
    } params[FA__PARAMS_MAX];
    fa__field fields[]; /* fa_limits.max_headers of them */
};

/* NULL when there is no memory. */
fa_request *fa__request_new(const fa_allocator *alloc, uint32_t max_headers);
void fa__request_del(fa_request *req);

/* Ready for the next request; gives back what the last one took. */
void fa__request_reset(fa_request *req);

/* Copies the head's bytes, which start at `from` and are `n`, into the arena, so that
   the request outlives the buffer it came in. Returns 0 or FA_ERR_NOMEM. */
int fa__request_keep_head(fa_request *req, const char *from, size_t n);

/* Whether somebody is going to answer after the handler has returned. */
static inline bool fa__request_answers_later(const fa_request *req)
{
    return req->deferred != NULL || (req->read_wanted && !req->body_whole) ||
           req->answer == FA__ANSWER_STARTED;
}

/* The last callbacks of a request's life, `error` as in fa_finish_fn. */
void fa__request_finish(fa_request *req, int error);

#endif
