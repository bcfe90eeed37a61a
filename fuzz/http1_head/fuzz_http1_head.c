/* A connection's bytes: where the reads happen to end, and which scanner looks at them,
   must not change what was parsed. */
#include <stdio.h>
#include <stdlib.h>

#include "trace.h"

enum { MAX_BYTE_FEEDS = 512 };

static void must_agree(const trace *whole, const trace *other, const char *how)
{
    if (trace_same(whole, other))
        return;
    fprintf(stderr, "%s: %s\n%.*s\nwhole: %s\n%.*s\n", how,
            trace_error_name(other->error), (int)other->text.len, other->text.p,
            trace_error_name(whole->error), (int)whole->text.len, whole->text.p);
    abort();
}

/* With an error, whoever fed byte by byte knows how many it takes; no feed may need
   more. */
static void run_bytes(const trace_options *options, const trace *whole, const char *data,
                      size_t len, size_t cut)
{
    size_t cuts[MAX_BYTE_FEEDS];
    trace bytes, split;

    for (size_t i = 0; i < len; ++i)
        cuts[i] = i + 1;
    trace_run(&bytes, options, data, len, cuts, len);
    must_agree(whole, &bytes, "bytes");
    trace_run(&split, options, data, len, &cut, 1);
    if (split.error != 0 && split.offset != trace_feed_end(bytes.offset, len, &cut, 1))
        abort();
    trace_free(&split);
    trace_free(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    trace_options options = trace_defaults();
    const char *data = (const char *)input + 3;
    trace whole, other;
    size_t len, cut;

    if (size < 3)
        return 0;
    len = size - 3;
    cut = ((size_t)input[0] << 8 | input[1]) % (len + 1);
    if ((input[2] & 1) != 0) { /* limits that a short input reaches */
        options.limits = (fa__http1_limits){48, 96};
        options.chunked_limits = (fa__http1_chunked_limits){8, 12, 24};
        options.field_cap = 4;
    }
    trace_run(&whole, &options, data, len, NULL, 0);
    trace_run(&other, &options, data, len, &cut, 1);
    must_agree(&whole, &other, "split");
    trace_free(&other);
    for (const fa__http1_scan *const *scan = fa__http1_scan_all(); *scan != NULL;
         ++scan) {
        options.scan = *scan;
        trace_run(&other, &options, data, len, NULL, 0);
        must_agree(&whole, &other, (*scan)->name);
        trace_free(&other);
    }
    options.scan = NULL;
    if (len <= MAX_BYTE_FEEDS)
        run_bytes(&options, &whole, data, len, cut);
    trace_free(&whole);
    return 0;
}
