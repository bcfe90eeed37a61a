/* One GET, blocking: for /stats, before and after the load. */
#ifndef FA_CHALLENGE_FETCH_H
#define FA_CHALLENGE_FETCH_H

#include "endpoint.h"
#include "options.h"
#include "workload.h"

/* Moves the first address that can be connected to to the front. Returns 0, or
   FA_ERR_SYSTEM (errno of the last one that failed). */
int fa__ch_probe(fa__ch_endpoint *e, const fa__ch_options *o);

/*
 * The body of GET `path`, added to `body`, and its status in `*status`; at most
 * 64 KiB. A connection that dies before the answer is tried once more: GET may be.
 *
 * Returns 0, FA_ERR_NOMEM, FA_ERR_SYSTEM (errno), FA_ERR_CLOSED, FA_ERR_TIMEOUT,
 * FA_ERR_LIMIT, or why the answer is malformed.
 */
int fa__ch_fetch(fa__buf *body, int *status, const fa__ch_endpoint *e,
                 const fa__ch_options *o, const char *path);

#endif
