/* A worker: one event loop, its listeners, its connections and what they share. */
#ifndef FA_SERVER_WORKER_H
#define FA_SERVER_WORKER_H

#include <stdatomic.h>

#include <fasterapi/server.h>

#include "app/request.h"
#include "event/loop.h"
#include "http1/parser.h"
#include "http1/writer.h"
#include "server/acceptor.h"
#include "server/mailbox.h"
#include "server/shared.h"

enum {
    FA__WORKER_LISTENERS_MAX = 16,
    FA__WORKER_IN_BYTES = 128 * 1024, /* one read of a body takes up to this */
    FA__WORKER_OUT_BYTES = 64 * 1024, /* answers gathered for one write */
    FA__POOL_MAX = 64,                /* requests kept for reuse */
    FA__BATCH_MAX = 32,               /* answers that are sent together */
};

typedef struct fa__conn fa__conn;

/* Written by the worker's thread only, read by any. */
typedef struct fa__counters {
    atomic_uint_fast64_t connections, connections_open, connections_shed, requests,
        active, responses[5], malformed, timeouts, bytes_in, bytes_out, websockets,
        websockets_open, messages_in, messages_out;
} fa__counters;

static inline void fa__count(atomic_uint_fast64_t *counter, uint64_t n)
{
    /* One writer: no need for a locked add. */
    atomic_store_explicit(counter,
                          atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* An answer that waits in `out` of its worker for the others of its batch. */
typedef struct fa__batched {
    fa__conn *conn;
    size_t at, len;
} fa__batched;

/* Adds to the totals in `out`. */
void fa__counters_add(fa_counters *out, const fa__counters *c);

struct fa_worker {
    fa__loop *loop;
    fa_app *app;
    fa__shared *shared; /* options, limits, logger; borrowed or own_shared */
    fa__shared *own_shared;
    fa__mailbox *mailbox;
    char *in;  /* what was just read; only within one event */
    char *out; /* answers not sent yet: those of the batch, then those of `corked` */
    size_t out_from, out_len; /* of `corked` */
    fa__conn *corked;
    fa__batched batch[FA__BATCH_MAX];
    unsigned batch_count;
    bool batches;            /* events of sockets are being worked on */
    uint64_t batch_ns;       /* when that began, or the batch was sent last */
    fa__msec no_batches_to;  /* a handler has been slow: until then nobody waits */
    fa__buf control;         /* a control frame that a WebSocket has just written */
    fa__http1_parser parser; /* of a head that comes whole */
    fa__conn *conns;         /* all of them */
    size_t conn_count;
    fa__conn *resume_first, *resume_last; /* those with work left */
    fa_request *free_requests;
    unsigned free_request_count;
    fa__acceptor listeners[FA__WORKER_LISTENERS_MAX];
    unsigned listener_count;
    fa_accept_fn *may_accept; /* fa_worker_on_accept() */
    void *may_ctx;
    fa__http1_date_block date;
    fa__msec date_until;    /* the loop's time at which the second changes */
    fa__msec drain_idle_at; /* when a drain closes idle connections */
    bool draining;
    bool polling;          /* fa_worker_poll() is on the stack */
    fa__msec warned_since; /* the second in which `warned` was counted */
    unsigned warned;       /* warnings about bad input in it */
    atomic_size_t load;    /* conn_count, for who hands out connections */
    fa__counters counters;
};

/* With `shared` of a server, or NULL: makes its own from `options`. */
int fa__worker_new(fa_worker **out, fa_app *app, const fa_server_options *options,
                   fa__shared *shared, bool embedded);

/* A pooled request, reset; NULL when there is no memory. */
fa_request *fa__worker_take_request(fa_worker *w);
void fa__worker_give_request(fa_worker *w, fa_request *req);

/* Serves `fd`, which it takes over in any case and which fa__shared_admit() has
   counted. The caller has also counted it in `w->load`. */
void fa__worker_take_connection(fa_worker *w, int fd, const fa__address *peer);
void fa__worker_lost_connection(fa_worker *w, const fa__address *peer);

/* The same for one that is not counted in `load` yet; an fa__place_fn. */
void fa__worker_place(void *worker, int fd, const fa__address *peer);

/* Breaks off all connections. */
void fa__worker_cut(fa_worker *w);

/* Puts `conn` on the list of those that go on before the worker waits again. */
void fa__worker_resume_later(fa_worker *w, fa__conn *conn);
void fa__worker_forget_resume(fa_worker *w, fa__conn *conn);

/* batch.c: answers of requests that came together go out together. The first two are
   around the work on the events of sockets. */
void fa__worker_begin_batch(fa_worker *w);
void fa__worker_end_batch(fa_worker *w);
/* Sends what waits, in its order. Connections that this breaks, or whose sockets do not
   take all of it, have a turn by fa__worker_resume_later(). */
void fa__worker_send_batch(fa_worker *w);

/* Logs that a client was refused, but not more than a few times a second: who sends
   rubbish must not fill the disk. */
void fa__worker_warn(fa_worker *w, const fa__address *peer, int error);

/* The lines date and server, renewed if the second has changed. */
const fa__http1_date_block *fa__worker_date(fa_worker *w);

#endif
