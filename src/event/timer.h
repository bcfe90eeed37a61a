/* A hierarchical timer wheel: constant time to set, move and cancel.

   Setting a timer to a later deadline, as every request on a kept-alive
   connection does, only stores a number: the wheel looks at the deadline when the
   slot comes round and files the timer anew. */
#ifndef FA_EVENT_TIMER_H
#define FA_EVENT_TIMER_H

#include "base/clock.h"

typedef struct fa__timer fa__timer;

/* The timer is no longer set when this runs; it may set it anew, or free it. */
typedef void fa__timer_fn(fa__timer *timer);

struct fa__timer {
    fa__timer *prev, *next; /* in a slot; next is NULL when not filed */
    fa__timer_fn *fn;
    fa__msec deadline; /* when it is due */
    fa__msec filed;    /* the deadline it is filed under, never later than `deadline` */
};

enum {
    FA__WHEEL_TICK_SHIFT = 4, /* a tick is 16 ms: timers are late by up to that */
    FA__WHEEL_BITS = 6,
    FA__WHEEL_SLOTS = 1 << FA__WHEEL_BITS,
    FA__WHEEL_LEVELS =
        4, /* 16 ms * 64^4 = 3 days; later deadlines are filed there anew */
};

typedef struct fa__timer_wheel {
    fa__timer slots[FA__WHEEL_LEVELS][FA__WHEEL_SLOTS]; /* list heads */
    uint64_t occupied[FA__WHEEL_LEVELS]; /* a bit a slot that may be filled */
    uint64_t tick;                       /* ticks up to here have run */
} fa__timer_wheel;

void fa__timer_wheel_init(fa__timer_wheel *wheel, fa__msec now);

/* Not set and never filed. */
void fa__timer_init(fa__timer *timer, fa__timer_fn *fn);

void fa__timer_set(fa__timer_wheel *wheel, fa__timer *timer, fa__msec deadline);
void fa__timer_cancel(fa__timer_wheel *wheel, fa__timer *timer);

/* Runs what is due at `now`. */
void fa__timer_wheel_run(fa__timer_wheel *wheel, fa__msec now);

/* The earliest time at which fa__timer_wheel_run() has something to do, or
   FA__NEVER; never later than the earliest deadline by more than a tick. */
fa__msec fa__timer_wheel_next(const fa__timer_wheel *wheel);

#endif
