/* Accepts connections from a listener into an event loop. */
#ifndef FA_SERVER_ACCEPTOR_H
#define FA_SERVER_ACCEPTOR_H

#include <fasterapi/server.h>

#include "event/loop.h"
#include "net/listener.h"
#include "server/shared.h"

/* Takes over `fd`, which is counted by fa__shared_admit(). */
typedef void fa__place_fn(void *ctx, int fd, const fa__address *peer);

typedef struct fa__acceptor {
    fa__io io;       /* first */
    fa__timer retry; /* accepting is paused until then: no descriptors are left, or
                        it is the turn of others */
    fa__loop *loop;
    fa__shared *shared;
    fa__listener listener; /* its descriptor is borrowed */
    fa__place_fn *place;
    void *ctx;
    atomic_uint_fast64_t *shed; /* counts those turned away */
    fa_accept_fn *may_accept;   /* NULL: always; set after the start */
    void *may_ctx;
    bool deferred; /* the next few are taken without asking */
} fa__acceptor;

/* Returns 0 or FA_ERR_SYSTEM. */
int fa__acceptor_start(fa__acceptor *a, fa__loop *loop, fa__shared *shared,
                       const fa__listener *listener, fa__place_fn *place, void *ctx,
                       atomic_uint_fast64_t *shed);

/* Accepts what still waits, then no more: nobody whose connection the kernel has
   taken is turned away. Does not close the listener. */
void fa__acceptor_stop(fa__acceptor *a);

#endif
