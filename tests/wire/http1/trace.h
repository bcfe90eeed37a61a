/* What HTTP/1 bytes mean, as text: the wire fixtures, the fuzzers and the driver of the
   differential test read the same one.

   The trace plays a connection: head, body, next head, until the client wants it closed
   or the bytes are wrong. With every feed the input moves to a new block of exactly its
   length, so that ASan sees reads past the end and slices that were not moved along. */
#ifndef FA_TESTS_HTTP1_TRACE_H
#define FA_TESTS_HTTP1_TRACE_H

#include "base/memory.h"
#include "http1/chunked.h"
#include "http1/parser.h"

typedef struct trace_options {
    const fa__http1_scan *scan; /* NULL: the fastest */
    fa__http1_limits limits;
    fa__http1_chunked_limits chunked_limits;
    uint32_t field_cap; /* of a head and of a trailer section; at most TRACE_FIELDS */
    bool body_only;     /* the input is a chunked body, not a connection */
} trace_options;

enum { TRACE_FIELDS = 128 };

/* All limits at their defaults, 100 fields. */
trace_options trace_defaults(void);

typedef struct trace {
    fa__buf text;  /* a line an event, without the error */
    int error;     /* the FA_ERR_* that ended it, or 0 */
    size_t offset; /* where it ended; after an error, how much had been fed by then */
} trace;

/* Feeds data[0..cuts[0]), data[cuts[0]..cuts[1]), ... and the rest. */
void trace_run(trace *t, const trace_options *options, const char *data, size_t len,
               const size_t *cuts, size_t cut_count);
void trace_free(trace *t);

/* Same events and error; with an error also: `split`, whose feeds end at `cuts` and at
   `len`, saw it with the first feed that ends at `earliest` or later. */
bool trace_same(const trace *whole, const trace *split);
size_t trace_feed_end(size_t earliest, size_t len, const size_t *cuts, size_t cut_count);

/* "FA_ERR_TARGET" and so on. */
const char *trace_error_name(int error);

#endif
