/* A peer's bytes: where the reads happen to end, and pauses, must not change what was
   received; and what we write, the other role of ours must read as it was meant. */
#include <stdio.h>
#include <stdlib.h>

#include "trace.h"

enum { MAX_BYTE_FEEDS = 512 };

typedef struct input {
    fa__ws_options options;
    const char *p;
    size_t len;
} input;

/* Masks that are the same in every run. */
static int counted(unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; ++i)
        p[i] = (unsigned char)(i * 37 + 11);
    return 0;
}

static void begin(ws_trace *t, const fa__ws_options *options)
{
    ws_trace_init(t, options, &fa__malloc);
    t->echo = true;
    t->ws.writer.random = counted;
}

static void must_agree(const ws_trace *whole, ws_trace *other, const char *how)
{
    if (!ws_trace_same(whole, other)) {
        fprintf(stderr, "%s:\n%.*s\nwhole:\n%.*s\n", how, (int)other->text.len,
                other->text.p, (int)whole->text.len, whole->text.p);
        abort();
    }
    ws_trace_free(other);
}

static void run_split(const input *in, const ws_trace *whole, size_t cut)
{
    ws_trace other;

    begin(&other, &in->options);
    ws_trace_feed(&other, in->p, cut);
    ws_trace_feed(&other, in->p + cut, in->len - cut);
    must_agree(whole, &other, "split");
}

static void run_bytes(const input *in, const ws_trace *whole)
{
    ws_trace other;

    begin(&other, &in->options);
    for (size_t i = 0; i < in->len; ++i)
        ws_trace_feed(&other, in->p + i, 1);
    must_agree(whole, &other, "bytes");
}

static void run_paused(const input *in, const ws_trace *whole)
{
    ws_trace other;

    begin(&other, &in->options);
    other.pause = true;
    ws_trace_feed(&other, in->p, in->len);
    must_agree(whole, &other, "paused");
}

/* The peer gets back every message, and has nothing to complain of. */
static void check_output(const input *in, const ws_trace *whole)
{
    fa__ws_options options = in->options;
    ws_trace peer;

    options.client = !options.client;
    options.limits = FA__WS_LIMITS_DEFAULT;
    options.limits.inflate_ratio = 0;
    options.limits.max_fragments = UINT32_MAX;
    ws_trace_init(&peer, &options, &fa__malloc);
    ws_trace_feed(&peer, whole->out.p, whole->out.len);
    if (peer.failed ||
        !fa_slice_equal((fa_slice){peer.messages.p, peer.messages.len},
                        (fa_slice){whole->messages.p, whole->messages.len})) {
        fprintf(stderr, "echoed:\n%.*s\nreceived:\n%.*s\n", (int)peer.text.len,
                peer.text.p, (int)whole->text.len, whole->text.p);
        abort();
    }
    ws_trace_free(&peer);
}

static fa__ws_options options_of(unsigned bits)
{
    fa__ws_options options = FA__WS_OPTIONS_DEFAULT;

    options.client = (bits & 1) != 0; /* then no masks are in the way of the fuzzer */
    options.limits.max_message_bytes = (bits & 2) != 0 ? 300 : 1 << 18;
    options.limits.max_fragments = (bits & 2) != 0 ? 4 : 1024;
    options.limits.inflate_ratio_from = (bits & 2) != 0 ? 50 : 1 << 16;
    options.limits.inflate_ratio = (bits & 2) != 0 ? 3 : 100;
    options.writer.fragment_bytes = (bits & 4) != 0 ? 7 : 0;
#ifdef WITH_DEFLATE
    options.deflate = FA__WS_DEFLATE_DEFAULT;
    options.deflate.server_no_context_takeover = (bits & 8) != 0;
    options.deflate.client_no_context_takeover = (bits & 16) != 0;
    options.deflate.server_max_window_bits = (bits & 32) != 0 ? 8 : 15;
    options.deflate.client_max_window_bits = (bits & 64) != 0 ? 9 : 15;
    options.writer.min_deflate_bytes = 1;
#endif
    return options;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ws_trace whole;
    input in;
    size_t cut;

    if (size < 3)
        return 0;
    in = (input){options_of(data[2]), (const char *)data + 3, size - 3};
    cut = ((size_t)data[0] << 8 | data[1]) % (in.len + 1);
    begin(&whole, &in.options);
    ws_trace_feed(&whole, in.p, in.len);
    run_split(&in, &whole, cut);
    run_paused(&in, &whole);
    if (in.len <= MAX_BYTE_FEEDS)
        run_bytes(&in, &whole);
    check_output(&in, &whole);
    ws_trace_free(&whole);
    return 0;
}
