/* What the events add up to, exact under any number of threads. */
#ifndef TALLY_H
#define TALLY_H

#include <fasterapi/slice.h>
#include <stdint.h>

typedef struct tally tally;

typedef struct totals {
    uint64_t requests, users;
    double sum;
} totals;

/* NULL when there is no memory. */
tally *tally_new(void);
void tally_del(tally *t);

/* Any thread. Returns 0, or FA_ERR_NOMEM: the event is then not counted. */
int tally_add(tally *t, fa_slice user, double value);

/* Of one moment: no event is half counted. Any thread. */
totals tally_totals(tally *t);

#endif
