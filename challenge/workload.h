/* The events of the challenge: what request i carries, and what all must add up to. */
#ifndef FA_CHALLENGE_WORKLOAD_H
#define FA_CHALLENGE_WORKLOAD_H

#include "base/memory.h"

/* Limits that keep every total below 2^63. */
#define FA__CH_MAX_REQUESTS UINT64_C(1000000000000)
#define FA__CH_MAX_USERS    UINT64_C(1000000000)
#define FA__CH_MAX_VALUES   UINT64_C(1000000)

typedef struct fa__ch_totals {
    uint64_t requests;
    uint64_t users;
    uint64_t sum;
} fa__ch_totals;

/* What `requests` events are to add up to at the server, exactly. */
fa__ch_totals fa__ch_totals_of(uint64_t requests, uint64_t users, uint64_t values);

/* Requests as bytes, but for what differs from one to the next. */
typedef struct fa__ch_workload {
    uint64_t users;
    uint64_t values;
    fa__buf head;     /* up to the number of the Content-Length */
    size_t max_bytes; /* the longest that one request can be */
} fa__ch_workload;

/* `path` and `host` are copied. Returns 0 or FA_ERR_NOMEM. */
int fa__ch_workload_init(fa__ch_workload *w, const fa_allocator *alloc, const char *path,
                         const char *host, uint64_t users, uint64_t values);
void fa__ch_workload_free(fa__ch_workload *w);

static inline uint64_t fa__ch_value_of(const fa__ch_workload *w, uint64_t index)
{
    return index % w->values;
}

/* Writes request `index`, user index % users and value index % values, to `out`, which
   has room for max_bytes. Returns its length. */
size_t fa__ch_workload_write(const fa__ch_workload *w, char *out, uint64_t index);

#endif
