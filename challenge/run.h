/* One run of the load: threads, their common start, progress and results. */
#ifndef FA_CHALLENGE_RUN_H
#define FA_CHALLENGE_RUN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "endpoint.h"
#include "histogram.h"
#include "options.h"
#include "workload.h"

enum { FA__CH_STATUS_END = 1000 };

/* What happened, counted. */
typedef struct fa__ch_tally {
    uint64_t acknowledged; /* requests answered with 2xx */
    uint64_t refused;      /* requests answered with anything else */
    uint64_t lost;         /* requests sent whole and never answered */
    uint64_t unsent;       /* requests that the run ended before */
    uint64_t in_doubt;     /* sendings without an answer: each may be counted or not */
    uint64_t in_doubt_sum; /* of their values */
    uint64_t resent;
    /* ends of connections, by kind */
    uint64_t resets;
    uint64_t closed_early;
    uint64_t timeouts;
    uint64_t malformed;
    uint64_t connect_failed;
    uint64_t connect_timeouts;
    uint64_t opened;
    uint64_t reopened;   /* of these, after the server had closed in good order */
    int malformed_error; /* FA_ERR_* of the first malformed reply */
    int connect_errno;   /* of the first connection that failed */
    bool run_timed_out;
    uint64_t statuses[FA__CH_STATUS_END]; /* answers by status */
} fa__ch_tally;

typedef struct fa__ch_run {
    const fa__ch_options *options;
    const fa__ch_endpoint *endpoint; /* its first address is used */
    const fa__ch_workload *workload;
    FILE *out; /* progress; NULL: none */

    pthread_mutex_t lock; /* for all below but `stop` */
    pthread_cond_t gate;
    uint32_t arrived;  /* threads whose connections are open */
    uint64_t open_ns;  /* when the opening began */
    uint64_t start_ns; /* the common start; 0: not yet */
    uint64_t end_ns;
    fa__ch_histogram total;
    fa__ch_histogram interval; /* since the last progress line */
    uint64_t interval_start_ns;
    uint64_t flush_every; /* answers after which a thread hands its histogram on */
    fa__ch_tally tally;

    atomic_bool stop; /* the user has had enough */
} fa__ch_run;

/*
 * Runs the whole load. `run` is all 0 but for its first four fields.
 * Returns 0 (look at the tally), FA_ERR_NOMEM or FA_ERR_SYSTEM (errno).
 */
int fa__ch_run_all(fa__ch_run *run);

/* Asks a run to end early; any thread, and safe in a signal handler. */
void fa__ch_run_interrupt(fa__ch_run *run);

/* For its threads: waits until all have come here, and returns the common start. */
uint64_t fa__ch_run_wait_start(fa__ch_run *run);

/* For its threads: adds `h` to the results and empties it. */
void fa__ch_run_flush(fa__ch_run *run, fa__ch_histogram *h);

#endif
