/* The result, for people and for scripts. */
#ifndef FA_CHALLENGE_REPORT_H
#define FA_CHALLENGE_REPORT_H

#include "verdict.h"

/* All of a run that is over. */
typedef struct fa__ch_result {
    const fa__ch_options *options;
    const fa__ch_run *run;
    const fa__ch_stats *before;    /* NULL: not read */
    const fa__ch_stats *after;     /* NULL: could not be read */
    const fa__ch_verdict *verdict; /* NULL with `after` */
    const char *why;               /* why /stats could not be read; NULL: it was */
    double cpu_seconds;            /* this program's own */
    bool passed;
} fa__ch_result;

/* Latencies, chart and errors. */
void fa__ch_report_run(FILE *out, const fa__ch_result *r);

/* The table of totals and the verdict in a sentence. */
void fa__ch_report_verdict(FILE *out, const fa__ch_result *r);

/* Everything as one JSON object and a line end. Returns 0, FA_ERR_NOMEM or
   FA_ERR_SYSTEM. */
int fa__ch_report_json(FILE *out, const fa__ch_result *r);

#endif
