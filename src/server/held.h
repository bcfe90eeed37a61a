/* Output that stays where the application has it until it is sent: pieces by reference,
   and what was copied between and behind them, in the order of the bytes on the wire. */
#ifndef FA_SERVER_HELD_H
#define FA_SERVER_HELD_H

#include <sys/uio.h>

#include <fasterapi/response.h>

#include "app/transport.h"
#include "base/memory.h"

typedef struct fa__held_piece {
    const char *p; /* what is left of it */
    size_t len;
    char *own; /* the copy that it is a part of; NULL: it is the application's */
    fa__hold hold;
} fa__held_piece;

typedef struct fa__held {
    fa__held_piece *pieces;
    size_t first, count, room;
    size_t bytes; /* of the pieces */
    fa__buf tail; /* copied bytes behind the last of them */
    size_t tail_at;
} fa__held;

/* Returns 0 or FA_ERR_NOMEM. */
int fa__held_new(fa__held **out, const fa_allocator *alloc);

/* Releases whatever it still holds. May be NULL. */
void fa__held_del(fa__held *held);

/* Adds `data` behind all that is there. Takes over `hold`: after an error, too, the bytes
   are released. Returns 0 or FA_ERR_NOMEM. */
int fa__held_add(fa__held *held, fa_slice data, const fa__hold *hold);

/* The first of what is to be sent. Returns how many of `vectors` it has filled. */
enum { FA__HELD_VECTORS = 32 };
int fa__held_vectors(const fa__held *held, struct iovec vectors[FA__HELD_VECTORS]);

/* The first `n` bytes are sent. */
void fa__held_sent(fa__held *held, size_t n);

static inline size_t fa__held_left(const fa__held *held)
{
    return held->bytes + held->tail.len - held->tail_at;
}

#endif
