/* One connection of the load: its life (conn.c), and what goes over it (conn_io.c). */
#ifndef FA_CHALLENGE_CONN_H
#define FA_CHALLENGE_CONN_H

#include "worker.h"

void fa__ch_conn_init(fa__ch_conn *c, fa__ch_worker *w, fa__ch_slot *slots);
void fa__ch_conn_free(fa__ch_conn *c);
void fa__ch_conn_open(fa__ch_conn *c);

/* The run ends before the answers in flight have come. */
void fa__ch_conn_abandon(fa__ch_conn *c);

/* Sends up to `max` requests, as far as there is room. */
void fa__ch_conn_fill(fa__ch_conn *c, uint64_t now_ns, uint32_t max);

/* The rest is between the two files. */

/* Why a connection ended. */
typedef enum fa__ch_end {
    FA__CH_END_CLOSED,    /* the server closed, unannounced */
    FA__CH_END_ANNOUNCED, /* after "Connection: close" or an answer that ends with it */
    FA__CH_END_RESET,
    FA__CH_END_TIMEOUT,
    FA__CH_END_MALFORMED,
} fa__ch_end;

/* Settles what is in flight, closes, and has it opened anew; `c` is not OPEN after. */
void fa__ch_conn_end(fa__ch_conn *c, fa__ch_end why);

/* Keeps worker->room in step; after every change of state, count or unsent. */
void fa__ch_conn_update_room(fa__ch_conn *c);

/* `ms` from now; 0: leaves it as it is. */
void fa__ch_conn_set_timer(fa__ch_conn *c, uint32_t ms);

/* An open connection is ready to be read or written. */
void fa__ch_conn_ready(fa__io *io, unsigned ready);

/* The `i`-th request in flight, or, where i is their count, the next one's place. */
static inline fa__ch_slot *fa__ch_slot_at(fa__ch_conn *c, uint32_t i)
{
    uint32_t size = c->worker->run->options->pipeline, at = c->first + i;

    return &c->slots[at < size ? at : at - size];
}

#endif
