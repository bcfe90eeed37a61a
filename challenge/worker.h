/* A thread of the load: its share of the requests and of the connections. */
#ifndef FA_CHALLENGE_WORKER_H
#define FA_CHALLENGE_WORKER_H

#include "event/loop.h"
#include "pace.h"
#include "reply.h"
#include "run.h"

enum {
    FA__CH_IN_BYTES = 65536,
    FA__CH_MAX_PENDING = 64, /* connections being opened at the same time */
    FA__CH_MAX_OPENINGS = 8, /* in a row without one answer; then it is given up */
    FA__CH_MAX_SENDINGS = 5, /* of one request, with --retry */
};

typedef struct fa__ch_worker fa__ch_worker;

/* A request in flight, or waiting to be sent again. */
typedef struct fa__ch_slot {
    uint64_t index;
    uint64_t since_ns; /* what its latency is counted from */
    uint32_t bytes;
    uint32_t sendings;
} fa__ch_slot;

typedef enum fa__ch_conn_state {
    FA__CH_CLOSED, /* in the worker's list of those to open */
    FA__CH_CONNECTING,
    FA__CH_OPEN,
    FA__CH_WAITING, /* for its timer, to be opened again */
    FA__CH_GIVEN_UP,
} fa__ch_conn_state;

typedef struct fa__ch_conn {
    fa__io io;
    fa__timer timer; /* for the answer, the connection or the next try, by state */
    fa__ch_worker *worker;
    struct fa__ch_conn *next; /* CLOSED: the next to open */
    fa__ch_conn_state state;
    uint32_t openings; /* in a row without one answer */
    bool has_room;     /* counted in worker->room */
    bool broken;       /* sending failed: read what is left, send no more */
    fa__ch_reply reply;
    fa__ch_slot *slots; /* ring of options->pipeline */
    uint32_t first;     /* the oldest in flight */
    uint32_t count;     /* in flight */
    fa__buf partial;    /* an answer's head that has not arrived whole */
    fa__buf unsent;     /* what the socket did not take */
} fa__ch_conn;

struct fa__ch_worker {
    fa__ch_run *run;
    fa__loop *loop;
    fa__ch_pace pace;
    fa__timer run_timer;
    fa__ch_conn *conns;
    fa__ch_conn *to_open;
    uint32_t conn_count;
    uint32_t open, pending, given_up;
    uint32_t room;   /* open connections that can take a request */
    uint32_t cursor; /* where the search for one goes on */
    bool started;
    bool stopped;
    int fatal;                 /* FA_ERR_* that ended the thread */
    uint64_t begin, next, end; /* requests: first, not yet sent, behind the last */
    uint64_t settled;          /* requests that need nothing more */
    fa__buf again;             /* fa__ch_slot[]: to be sent again */
    char *in;
    char *out;
    fa__ch_head_cache heads;
    fa__ch_histogram latency; /* since the last flush */
    fa__ch_tally tally;
};

/* Takes requests [begin, end) and `conn_count` connections. Returns 0, FA_ERR_NOMEM
   or FA_ERR_SYSTEM; fa__ch_worker_free() in any case. */
int fa__ch_worker_init(fa__ch_worker *w, fa__ch_run *run, uint64_t begin, uint64_t end,
                       uint32_t conn_count);
void fa__ch_worker_free(fa__ch_worker *w);

/* Opens the connections, waits for the common start and sends until all is settled. */
void fa__ch_worker_run(fa__ch_worker *w);

/* For its connections: the next request to send now; false: none. */
bool fa__ch_worker_take(fa__ch_worker *w, fa__ch_slot *slot, uint64_t now_ns);

/* For its connections: `slot` has to be sent again. */
void fa__ch_worker_again(fa__ch_worker *w, const fa__ch_slot *slot);

#endif
