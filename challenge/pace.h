/* Even pacing: when each request is due, and a wake-up at that nanosecond rather
   than at the next millisecond, which would be counted as the server's latency. */
#ifndef FA_CHALLENGE_PACE_H
#define FA_CHALLENGE_PACE_H

#include "event/loop.h"

typedef struct fa__ch_pace {
    fa__io io;     /* a timer descriptor where the system has them */
    uint64_t rate; /* of all threads together, a second; 0: no pace */
    uint64_t start_ns;
    uint32_t step;   /* threads */
    uint32_t offset; /* which of them this is */
    uint64_t armed_for_ns;
} fa__ch_pace;

/* Returns 0 or FA_ERR_SYSTEM. */
int fa__ch_pace_init(fa__ch_pace *p, fa__loop *loop, uint64_t rate, uint32_t step,
                     uint32_t offset);
void fa__ch_pace_free(fa__ch_pace *p, fa__loop *loop);

/* When the thread's request `k` (from 0) is due. */
uint64_t fa__ch_pace_due_ns(const fa__ch_pace *p, uint64_t k);

/* Wakes the loop at `due_ns`. Returns the timeout to poll with. */
int fa__ch_pace_arm(fa__ch_pace *p, uint64_t due_ns, uint64_t now_ns);

#endif
