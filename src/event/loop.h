/* Readiness of descriptors, timers and wake-up from other threads: one loop a
   thread, over epoll or kqueue.

   Threads: everything belongs to the thread that polls the loop, but for
   fa__loop_wake(). */
#ifndef FA_EVENT_LOOP_H
#define FA_EVENT_LOOP_H

#include "base/clock.h"
#include "base/memory.h"
#include "event/timer.h"

enum {
    FA__READABLE = 1,
    FA__WRITABLE = 2,
    FA__HANGUP = 4, /* both directions are gone, or an error is pending; always reported
                       where something else is wanted, and by epoll where this alone is */
};

typedef struct fa__io fa__io;
typedef struct fa__loop fa__loop;

/* `ready` is a set of FA__READABLE, FA__WRITABLE and FA__HANGUP. The callback may
   remove and free any io, its own too. */
typedef void fa__io_fn(fa__io *io, unsigned ready);

/* Embedded in what it serves; does not own the descriptor. */
struct fa__io {
    fa__io_fn *fn;
    int fd;        /* -1: not in a loop */
    unsigned want; /* what it is registered for */
};

typedef struct fa__loop_options {
    const fa_allocator *alloc; /* borrowed; NULL: malloc() */
    /* Timers shall make fa__loop_fd() readable, for a foreign loop that watches
       only that descriptor. */
    bool timers_in_fd;
} fa__loop_options;

/* Returns 0, FA_ERR_NOMEM or FA_ERR_SYSTEM. */
int fa__loop_new(fa__loop **out, const fa__loop_options *options);
void fa__loop_del(fa__loop *loop);

/* Level-triggered: reported for as long as it holds. Returns 0, FA_ERR_NOMEM or
   FA_ERR_SYSTEM (errno); `io->fn` is set beforehand. */
int fa__loop_add(fa__loop *loop, fa__io *io, int fd, unsigned want);
int fa__loop_modify(fa__loop *loop, fa__io *io, unsigned want);

/* No callback of `io` runs after this. Call it before closing the descriptor. */
void fa__loop_remove(fa__loop *loop, fa__io *io);

/* Waits up to `timeout_ms` (-1: for ever, shortened by the next timer), then runs
   the callbacks of at most one batch of ready descriptors (FA__LOOP_BATCH) and of
   due timers. Returns how many descriptors were ready, or FA_ERR_SYSTEM. */
enum { FA__LOOP_BATCH = 256 };
int fa__loop_poll(fa__loop *loop, int timeout_ms);

/* The time of the current batch: monotonic milliseconds, read once a batch. */
fa__msec fa__loop_now(const fa__loop *loop);
uint64_t fa__loop_now_ns(const fa__loop *loop);

/* Reads the clock anew, for work that is done outside of fa__loop_poll(). */
void fa__loop_update_now(fa__loop *loop);

/* The wheel that fa__loop_poll() turns. */
fa__timer_wheel *fa__loop_timers(fa__loop *loop);

/* After timers were set outside of fa__loop_poll(), which does it by itself: makes
   fa__loop_fd() readable for the earliest, where the options ask for that. */
void fa__loop_arm(fa__loop *loop);

/* Makes fa__loop_poll() return soon and calls `fn` there. Any thread, and safe in
   a signal handler. */
typedef void fa__wake_fn(void *ctx);
void fa__loop_on_wake(fa__loop *loop, fa__wake_fn *fn, void *ctx);
void fa__loop_wake(fa__loop *loop);

/* Readable when fa__loop_poll(loop, 0) has something to do. */
int fa__loop_fd(const fa__loop *loop);

#endif
