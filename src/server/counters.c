#include "server/worker.h"

static void add(uint64_t *out, const atomic_uint_fast64_t *counter)
{
    *out += atomic_load_explicit(counter, memory_order_relaxed);
}

void fa__counters_add(fa_counters *out, const fa__counters *c)
{
    uint64_t *const responses[] = {
        &out->responses_1xx, &out->responses_2xx, &out->responses_3xx,
        &out->responses_4xx, &out->responses_5xx,
    };

    add(&out->connections, &c->connections);
    add(&out->connections_open, &c->connections_open);
    add(&out->connections_shed, &c->connections_shed);
    add(&out->requests, &c->requests);
    add(&out->active, &c->active);
    for (int i = 0; i < 5; ++i)
        add(responses[i], &c->responses[i]);
    add(&out->malformed, &c->malformed);
    add(&out->timeouts, &c->timeouts);
    add(&out->bytes_in, &c->bytes_in);
    add(&out->bytes_out, &c->bytes_out);
    add(&out->websockets, &c->websockets);
    add(&out->websockets_open, &c->websockets_open);
    add(&out->messages_in, &c->messages_in);
    add(&out->messages_out, &c->messages_out);
}

void fa_worker_counters(const fa_worker *w, fa_counters *out)
{
    *out = (fa_counters){.connections = 0};
    fa__counters_add(out, &w->counters);
}
