/* A chunked body, with its trailer section: where the reads happen to end must not
   change what was decoded, and what was decoded fits into what was read. */
#include <stdio.h>
#include <stdlib.h>

#include "trace.h"

enum { MAX_BYTE_FEEDS = 512 };

static void must_agree(const trace *whole, const trace *other)
{
    if (trace_same(whole, other))
        return;
    fprintf(stderr, "split: %s\n%.*s\nwhole: %s\n%.*s\n", trace_error_name(other->error),
            (int)other->text.len, other->text.p, trace_error_name(whole->error),
            (int)whole->text.len, whole->text.p);
    abort();
}

/* Chunk data and trailer fields are copies of input bytes, and never more of them. */
static void check_sizes(const char *data, size_t len)
{
    fa__field trailers[8];
    fa__http1_chunked dec;
    fa__buf buf;
    size_t at = 0, payload_bytes = 0;
    ptrdiff_t n = 1;

    fa__buf_init(&buf, &fa__malloc);
    fa__http1_chunked_init(&dec, trailers, 8, &buf, NULL);
    while (n > 0 && at < len && !dec.done) {
        fa_slice payload = {NULL, 0};

        n = fa__http1_chunked_feed(&dec, data + at, len - at, &payload);
        if (n > 0)
            at += (size_t)n;
        payload_bytes += payload.len;
    }
    if (at > len || payload_bytes > at || dec.trailer_count > 8)
        abort();
    for (uint32_t i = 0; dec.done && i < dec.trailer_count; ++i)
        if (trailers[i].name.len == 0 || trailers[i].name.p < buf.p ||
            trailers[i].value.p + trailers[i].value.len > buf.p + buf.len)
            abort();
    fa__buf_free(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    trace_options options = trace_defaults();
    const char *data = (const char *)input + 3;
    trace whole, other;
    size_t len, cuts[MAX_BYTE_FEEDS];

    if (size < 3)
        return 0;
    len = size - 3;
    options.body_only = true;
    if ((input[2] & 1) != 0) {
        options.chunked_limits = (fa__http1_chunked_limits){8, 12, 24};
        options.field_cap = 2;
    }
    cuts[0] = ((size_t)input[0] << 8 | input[1]) % (len + 1);
    trace_run(&whole, &options, data, len, NULL, 0);
    trace_run(&other, &options, data, len, cuts, 1);
    must_agree(&whole, &other);
    trace_free(&other);
    if (len <= MAX_BYTE_FEEDS) {
        for (size_t i = 0; i < len; ++i)
            cuts[i] = i + 1;
        trace_run(&other, &options, data, len, cuts, len);
        must_agree(&whole, &other);
        trace_free(&other);
    }
    check_sizes(data, len);
    trace_free(&whole);
    return 0;
}
