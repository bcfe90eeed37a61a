/* What other threads want done on a worker's thread. */
#ifndef FA_SERVER_MAILBOX_H
#define FA_SERVER_MAILBOX_H

#include <pthread.h>
#include <stdatomic.h>

#include "event/loop.h"

typedef struct fa__mail fa__mail;

/* Runs on the worker's thread; owns `mail` from then on. */
typedef void fa__mail_fn(fa__mail *mail, void *worker);

/* Embedded in what is sent. */
struct fa__mail {
    fa__mail *next;
    fa__mail_fn *fn;
};

/* Counted, because a sender may outlive the worker: it then learns that the box is
   closed. A lock, not a lock-free list: letters are rare (answers from other
   threads, new connections), and it is held for a few instructions. */
typedef struct fa__mailbox {
    pthread_mutex_t mutex;
    fa__mail *first, *last;
    fa__loop *loop; /* woken when the first letter comes; NULL: closed */
    atomic_uint references;
    fa_allocator alloc;
} fa__mailbox;

/* One reference for the caller. NULL when there is no memory. */
fa__mailbox *fa__mailbox_new(const fa_allocator *alloc, fa__loop *loop);
fa__mailbox *fa__mailbox_retain(fa__mailbox *box);
void fa__mailbox_release(fa__mailbox *box);

/* Any thread. Returns 0, or FA_ERR_CLOSED (the sender keeps `mail`). */
int fa__mailbox_post(fa__mailbox *box, fa__mail *mail);

/* Runs what is there, in order. Worker's thread. */
void fa__mailbox_run(fa__mailbox *box, void *worker);

/* No post succeeds after this; what is there runs, with `worker`. */
void fa__mailbox_close(fa__mailbox *box, void *worker);

#endif
