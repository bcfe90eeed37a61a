/* A connection: a socket, what has come in but is not used, what is to go out, and the
   request under way. Speaks HTTP/1.1; input.c and output.c are its two halves. */
#ifndef FA_SERVER_CONNECTION_H
#define FA_SERVER_CONNECTION_H

#include <fasterapi/websocket.h>

#include "app/request.h"
#include "http1/chunked.h"
#include "http1/parser.h"
#include "net/address.h"
#include "net/file.h"
#include "server/held.h"
#include "server/worker.h"

/* What the input is at. */
typedef enum fa__input {
    FA__INPUT_IDLE,    /* between requests: nothing of the next has come */
    FA__INPUT_HEAD,    /* part of a head has come */
    FA__INPUT_BODY,    /* reading the body of `req` */
    FA__INPUT_WAIT,    /* `req` is there, its answer is not finished */
    FA__INPUT_DISCARD, /* answered before its body had come: skipping the rest */
    FA__INPUT_CLOSING, /* nothing more is read as HTTP: close once all is sent */
    FA__INPUT_LINGER,  /* our side is shut; reading on so that the answer is not lost */
    FA__INPUT_STREAM,  /* upgraded: bytes go to `upgrade` */
} fa__input;

/* Progress that must not be too slow: a body coming or an answer going. Each byte pays
   for some time at the minimum rate. How much can be paid ahead is bounded: who took the
   first megabyte fast must not hold the connection for hours with the next. */
typedef struct fa__pace {
    fa__msec last;       /* progress */
    fa__msec paid_until; /* by then more must have come or gone */
    uint64_t rest;       /* of a division, so that single bytes count in full */
} fa__pace;

enum { FA__PACE_GRACE_MS = 5000, FA__PACE_AHEAD_MS = 10000 };

static inline void fa__pace_begin(fa__pace *pace, fa__msec now)
{
    *pace = (fa__pace){.last = now, .paid_until = now + FA__PACE_GRACE_MS};
}

static inline void fa__pace_progress(fa__pace *pace, fa__msec now, size_t n,
                                     uint32_t bytes_per_s)
{
    uint64_t paid = pace->rest + (uint64_t)n * 1000;

    pace->last = now;
    if (bytes_per_s == 0)
        return;
    pace->paid_until += paid / bytes_per_s;
    pace->rest = paid % bytes_per_s;
    if (pace->paid_until > now + FA__PACE_AHEAD_MS)
        pace->paid_until = now + FA__PACE_AHEAD_MS;
}

/* Outlives the request when the rest of its body is skipped. */
typedef struct fa__chunked_body {
    fa__http1_chunked decoder;
    fa__field fields[]; /* of the trailer section: fa_limits.max_headers */
} fa__chunked_body;

/* What a connection speaks after an upgrade: stream.c, websocket.c. All but `closed` are
   called only while the input is FA__INPUT_STREAM. */
typedef struct fa__upgrade {
    /* Works through input, which it may change. Returns how many bytes it used; the rest
       is offered again. */
    size_t (*feed)(fa__conn *conn, char *p, size_t n);
    bool (*wants_input)(const fa__conn *conn);
    /* Somebody waits for output to drain; and it has. */
    bool (*waits_for_room)(const fa__conn *conn);
    void (*drained)(fa__conn *conn);
    void (*shutdown)(fa__conn *conn);   /* the server's; once */
    void (*peer_ended)(fa__conn *conn); /* the client has sent its last byte */
    fa__msec (*deadline)(const fa__conn *conn);
    void (*on_deadline)(fa__conn *conn);
    void (*closed)(fa__conn *conn, int error); /* the last call */
} fa__upgrade;

/* A part of a file on its way out, behind what is in `out`. */
typedef struct fa__sending {
    fa__io io; /* a source that has nothing yet; first: callbacks cast back */
    fa__conn *conn;
    fa__file file;  /* its descriptor is ours */
    bool waits;     /* for the source: `io` is in the loop */
    bool lost;      /* it ended too early, or cannot be read */
    bool chunked;   /* its length is not known, each piece read is a chunk */
    fa__buf behind; /* what follows it */
} fa__sending;

struct fa_stream {
    fa_stream_handler handler;
    void *user_data;
    bool told_full;
    bool closing;
};

/* What every request touches comes first, a few cache lines in all: with thousands of
   connections each request finds its own cold. */
struct fa__conn {
    fa__io io; /* first: callbacks cast back */
    fa__timer timer;
    fa_worker *worker;

    fa_request *req; /* NULL while idle */
    fa__input input;
    unsigned in_call; /* calls into user code that are on the stack */
    bool in_feed;     /* feed() is on the stack */
    bool in_resume;
    bool broken;        /* the socket is of no more use */
    bool batched;       /* its answer waits in the worker's batch */
    bool eof;           /* the client has sent its last byte */
    bool close_after;   /* no further request after this one */
    bool chunked_out;   /* the answer under way is chunked */
    bool head_only;     /* it answers HEAD: the body is dropped */
    bool continue_owed; /* the client waits for 100-continue */
    bool told_shutdown; /* what it was upgraded to */
    bool hung_up;       /* no use in watching for that any more */
    bool unread;        /* bytes of the client are left that nobody will read */
    uint32_t requests;  /* so far */
    fa__msec since;     /* when the head, the idleness or the lingering began */
    fa__buf in;         /* came, not used yet */

    fa__buf out; /* not sent yet, from out_at on */
    size_t out_at;
    fa__held *held;            /* comes behind it; NULL: nothing does */
    fa__sending *sending;      /* and then this */
    uint64_t body_left;        /* of a body of known length, or to discard */
    uint64_t body_bytes;       /* payload that came so far */
    fa__chunked_body *chunked; /* while such a body comes */

    bool gathers;       /* fa__conn_drop_body() has something to do */
    uint64_t body_sent; /* of the answer, for the access log */
    int finish_error;   /* why it is being closed, for the request's callbacks */

    /* From here on only by what is not the usual short request. */
    fa__conn *prev, *next;
    fa__conn *resume_next;
    fa__buf body; /* of a request whose body came in pieces */
    fa__buf trailer_buf;
    fa__http1_parser parser; /* of a head that came in pieces */
    fa__pace reading, writing;
    fa__address peer;
    fa__address local; /* asked for with the first request that wants it */
    bool local_known;
    const fa__upgrade *upgrade; /* NULL: HTTP */
    union {
        fa_stream stream;
        fa_websocket *websocket;
    };
};

/* ---- connection.c: life, reading, timers ---- */

/* Takes over `fd` on success only. Returns 0, FA_ERR_NOMEM or FA_ERR_SYSTEM (the loop
   refuses it). */
int fa__conn_new(fa_worker *w, int fd, const fa__address *peer);

/* Ends it now: last callbacks, close, free. */
void fa__conn_del(fa__conn *conn, int error);

/* After anything that may have changed the state, when no user code is on the stack:
   sends, closes if it is time to, sets interest and deadline. False: `conn` is gone. */
bool fa__conn_settle(fa__conn *conn);

/* Sets the timer for whatever is due first; what it does then. */
void fa__conn_set_timer(fa__conn *conn);
void fa__conn_on_timer(fa__timer *timer);

/* Whether the client is to send of its body now: reading one that the handler holds back
   is not its slowness. */
bool fa__conn_body_is_due(const fa__conn *conn);

/* After something was done for the connection: if neither its input nor a callback is on
   the stack (which would see to it), completes an ended answer and settles. False:
   `conn` is gone, and the request with it. */
bool fa__conn_after(fa__conn *conn);
/* The same, but a connection that ends there does so at the worker's next turn: for
   functions whose caller goes on holding what is on it. */
void fa__conn_after_alive(fa__conn *conn);

/* Before something is done for it from outside the worker's poll: reads the clock. */
void fa__conn_touch(fa__conn *conn);

/* Goes on with input that waits, after an answer finished or output drained. */
void fa__conn_resume(fa__conn *conn);

static inline const fa_limits *fa__conn_limits(const fa__conn *conn)
{
    return &conn->worker->shared->options.limits;
}

/* It ends at the next chance; `error` is for the callbacks of the request under way. */
static inline void fa__conn_break_off(fa__conn *conn, int error)
{
    conn->broken = true;
    if (conn->finish_error == 0)
        conn->finish_error = error;
}

/* What was upgraded is over: what is queued goes out, then the connection ends. */
void fa__conn_begin_closing(fa__conn *conn);

/* ---- input.c ---- */

/* Works through `n` bytes at `p`, which may be changed where they are used. Returns how
   many it used; the rest must be offered again, with more after it, or when
   fa__conn_resume() runs. */
size_t fa__conn_feed(fa__conn *conn, char *p, size_t n);

/* The answer is complete: counts, callbacks, and on to the next request. */
void fa__conn_request_done(fa__conn *conn, int error);

/* After a callback of the request: an answer that is complete ends the request, one that
   nobody is going to give becomes a 500. */
void fa__conn_after_call(fa__conn *conn);

/* ---- refusal.c ---- */

/* The head cannot be read to its end: answers with the status of `error`, then closes. */
void fa__conn_refuse(fa__conn *conn, int error);

/* Answers a request whose head is there, but which no handler will see. */
void fa__conn_answer_refusal(fa__conn *conn, int error);

/* ---- body.c ---- */

/* The body does not come with the head, or not wholly: from here on the head must
   outlive the buffer it is in. `wanted`: the client may send it. */
void fa__conn_expect_body(fa__conn *conn, fa_slice head, bool wanted);

/* Takes what it can of the body. Returns how much was used, and may have changed; sets
   `*again` if the input after it can be worked on. The second skips a body that nobody
   wants. */
size_t fa__conn_feed_body(fa__conn *conn, char *p, size_t n, bool *again);
size_t fa__conn_feed_discard(fa__conn *conn, const char *p, size_t n, bool *again);

/* The request has been answered, its body is not over: the rest is skipped, or the
   connection ends. */
void fa__conn_begin_discard(fa__conn *conn);

/* Frees what was kept for the body. */
void fa__conn_drop_body(fa__conn *conn);

/* Nothing of the body is still to come: it came whole, or none was announced to a
   handler that never asked. */
bool fa__conn_body_is_over(const fa__conn *conn);

/* The body has been too slow. */
void fa__conn_body_timeout(fa__conn *conn);

/* Sends 100-continue if that is what the client waits for. */
void fa__conn_want_body(fa__conn *conn);

/* Whether what is still to come of the body can be skipped, or is nothing: else the
   connection ends with the answer. */
bool fa__conn_can_discard(const fa__conn *conn);

/* ---- output.c: bytes out ---- */

enum { FA__RESERVE_MAX = 16 * 1024 };

/* Room for `n` bytes of output in one piece; NULL when there is no memory (the
   connection is then broken). fa__conn_commit() says how far it was used. */
char *fa__conn_reserve(fa__conn *conn, size_t n);
void fa__conn_commit(fa__conn *conn, const char *end);

/* Queues or sends `data`, whatever its size. Returns 0 or FA_ERR_NOMEM (then broken). */
int fa__conn_put(fa__conn *conn, fa_slice data);

/* The same for what need not be copied; takes over `hold`. It goes out with the next
   flush, together with all that is put until then. */
int fa__conn_put_held(fa__conn *conn, fa_slice data, const fa__hold *hold);

/* Sends what is queued, as far as the socket takes it. */
void fa__conn_flush(fa__conn *conn);

/* Of a connection that is to be settled: whether its answer can wait for the others of
   the batch, and does. In batch.c. */
bool fa__conn_joins_batch(fa__conn *conn);

/* Sends `n` bytes of the worker's buffer; what the socket does not take is kept. */
void fa__conn_send(fa__conn *conn, const char *p, size_t n);

/* The socket took `n` bytes, of perhaps more that are waiting. */
void fa__conn_note_sent(fa__conn *conn, size_t n);

/* Bytes queued and not taken by the kernel, those of a file too if they are counted. */
size_t fa__conn_pending(const fa__conn *conn);

/* So many that writers and the next request have to wait; a file under way always is. */
bool fa__conn_is_full(const fa__conn *conn);

/* Output waits for the socket, or for the file that it comes from. */
static inline bool fa__conn_unsent(const fa__conn *conn)
{
    return conn->out.len > conn->out_at || conn->held != NULL || conn->sending != NULL;
}

/* The same, but for a file that has nothing to give: that is not the client's slowness.
 */
static inline bool fa__conn_waits_for_socket(const fa__conn *conn)
{
    return conn->out.len > conn->out_at || conn->held != NULL ||
           (conn->sending != NULL && !conn->sending->waits);
}

/* ---- sendfile.c: bytes out of files ---- */

typedef enum fa__file_framing {
    FA__FILE_PLAIN,
    FA__FILE_ONE_CHUNK, /* its length is known */
    FA__FILE_CHUNKS,
} fa__file_framing;

/* Sends `file`, of which something is left, behind all output so far; takes a descriptor
   of its own. What does not go out at once goes on by fa__conn_send_on(). Returns 0,
   FA_ERR_CLOSED, or, and then nothing was done, FA_ERR_NOMEM or FA_ERR_SYSTEM. */
int fa__conn_send_file(fa__conn *conn, const fa__file *file, fa__file_framing framing);

/* A turn for the file, if it is next: so much that others do not wait long. */
void fa__conn_send_on(fa__conn *conn);

/* It is over, or never will be. */
void fa__conn_drop_file(fa__conn *conn);

/* Output went out or a source had more, outside of any call: whoever waited goes on.
   False: `conn` is gone. In connection.c. */
bool fa__conn_went_on(fa__conn *conn);

/* ---- answer.c: answers as HTTP/1.1 ---- */

extern const fa__transport fa__http1_transport;

/* ---- stream.c: after an upgrade ---- */

/* Makes a stream of the connection. */
fa_stream *fa__stream_start(fa__conn *conn, const fa_stream_handler *handler,
                            void *user_data);

/* ---- deferred.c ---- */

fa_deferred *fa__deferred_new(fa_request *req, fa_worker *w);
/* The request is over. */
void fa__deferred_detach(fa_deferred *d);

/* ---- access_log.c ---- */

void fa__access_log(fa__conn *conn);

#endif
