/* The server's totals against what was sent. */
#ifndef FA_CHALLENGE_VERDICT_H
#define FA_CHALLENGE_VERDICT_H

#include "run.h"
#include "stats.h"

typedef struct fa__ch_verdict {
    struct {
        uint64_t low, high; /* whole numbers expected; not for avg */
        double avg;         /* avg only */
        bool ok;
    } of[FA__CH_STATS];
    bool totals_exact; /* all four are ok */
    bool no_errors;    /* every request was acknowledged, no connection failed */
} fa__ch_verdict;

/* Judges `after`. `before` is what is taken off (--baseline), or NULL. */
fa__ch_verdict fa__ch_judge(const fa__ch_options *o, const fa__ch_tally *t,
                            const fa__ch_stats *before, const fa__ch_stats *after);

/* How many connections failed and requests were refused. With --retry what was made
   good by sending again does not count. */
uint64_t fa__ch_error_count(const fa__ch_options *o, const fa__ch_tally *t);

#endif
