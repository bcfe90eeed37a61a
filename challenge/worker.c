#include "worker.h"

#include <errno.h>

#include <fasterapi/error.h>

#include "conn.h"

static void on_run_timeout(fa__timer *timer)
{
    fa__ch_worker *w =
        (fa__ch_worker *)((char *)timer - offsetof(fa__ch_worker, run_timer));

    w->tally.run_timed_out = true;
    w->stopped = true;
}

static int init_conns(fa__ch_worker *w, uint32_t count)
{
    uint32_t pipeline = w->run->options->pipeline;
    /* Not cleared: most of a deep pipeline's slots are never touched. */
    fa__ch_slot *slots =
        fa__resize(&fa__malloc, NULL, (size_t)count * pipeline, sizeof(*slots));

    w->conns = fa__calloc(&fa__malloc, count, sizeof(*w->conns));
    if (w->conns == NULL || slots == NULL) {
        fa__release(&fa__malloc, slots);
        return FA_ERR_NOMEM;
    }
    w->conn_count = count;
    for (uint32_t i = count; i-- > 0;) {
        fa__ch_conn_init(&w->conns[i], w, slots + (size_t)i * pipeline);
        w->conns[i].next = w->to_open;
        w->to_open = &w->conns[i];
    }
    return 0;
}

int fa__ch_worker_init(fa__ch_worker *w, fa__ch_run *run, uint64_t begin, uint64_t end,
                       uint32_t conn_count)
{
    const fa__ch_options *o = run->options;
    const fa__loop_options loop_options = {.alloc = NULL};
    int rv;

    w->run = run;
    w->begin = w->next = begin;
    w->end = end;
    w->pace.io.fd = -1;
    fa__ch_histogram_init(&w->latency);
    fa__buf_init(&w->again, &fa__malloc);
    fa__timer_init(&w->run_timer, on_run_timeout);
    rv = fa__loop_new(&w->loop, &loop_options);
    if (rv != 0)
        return rv;
    w->in = fa__alloc(&fa__malloc, FA__CH_IN_BYTES);
    w->out = fa__alloc(&fa__malloc, run->workload->max_bytes * o->pipeline);
    if (w->in == NULL || w->out == NULL)
        return FA_ERR_NOMEM;
    return init_conns(w, conn_count);
}

void fa__ch_worker_free(fa__ch_worker *w)
{
    for (uint32_t i = 0; i < w->conn_count; ++i)
        fa__ch_conn_free(&w->conns[i]);
    if (w->conn_count > 0)
        fa__release(&fa__malloc, w->conns[0].slots);
    fa__release(&fa__malloc, w->conns);
    fa__release(&fa__malloc, w->in);
    fa__release(&fa__malloc, w->out);
    fa__buf_free(&w->again);
    fa__ch_pace_free(&w->pace, w->loop);
    fa__loop_del(w->loop);
}

void fa__ch_worker_again(fa__ch_worker *w, const fa__ch_slot *slot)
{
    if (fa__buf_append(&w->again, slot, sizeof(*slot)) != 0) {
        w->fatal = FA_ERR_NOMEM;
        w->stopped = true;
    }
}

bool fa__ch_worker_take(fa__ch_worker *w, fa__ch_slot *slot, uint64_t now_ns)
{
    uint64_t due_ns = now_ns;

    if (w->again.len >= sizeof(*slot)) {
        w->again.len -= sizeof(*slot);
        memcpy(slot, w->again.p + w->again.len, sizeof(*slot));
        /* Paced, the wait began when it was due; otherwise it begins anew. */
        if (w->run->options->rate == 0)
            slot->since_ns = now_ns;
        return true;
    }
    if (w->next == w->end)
        return false;
    if (w->run->options->rate != 0) {
        due_ns = fa__ch_pace_due_ns(&w->pace, w->next - w->begin);
        if (due_ns > now_ns)
            return false;
    }
    *slot = (fa__ch_slot){.index = w->next++, .since_ns = due_ns};
    return true;
}

static bool has_work(const fa__ch_worker *w)
{
    return w->again.len > 0 || w->next < w->end;
}

static void open_more(fa__ch_worker *w)
{
    while (w->to_open != NULL && w->pending < FA__CH_MAX_PENDING && !w->stopped &&
           (!w->started || has_work(w))) {
        fa__ch_conn *c = w->to_open;

        w->to_open = c->next;
        fa__ch_conn_open(c);
    }
}

/* Gives what is due to connections with room, in turn. Unpaced, connections help
   themselves after each answer, and only what is sent again comes this way. */
static void distribute(fa__ch_worker *w)
{
    bool paced = w->run->options->rate != 0;
    uint64_t now_ns;

    if (w->room == 0 || (w->again.len == 0 && !(paced && w->next < w->end)))
        return;
    now_ns = fa__clock_monotonic_ns();
    while (w->room > 0 && !w->stopped) {
        fa__ch_conn *c;

        if (w->again.len == 0 &&
            (!paced || w->next == w->end ||
             fa__ch_pace_due_ns(&w->pace, w->next - w->begin) > now_ns))
            return;
        do {
            c = &w->conns[w->cursor];
            w->cursor = w->cursor + 1 < w->conn_count ? w->cursor + 1 : 0;
        } while (!c->has_room);
        fa__ch_conn_fill(c, now_ns, 1);
    }
}

static int poll_timeout(fa__ch_worker *w)
{
    if (w->run->options->rate == 0 || w->room == 0 || w->next == w->end)
        return -1;
    return fa__ch_pace_arm(&w->pace, fa__ch_pace_due_ns(&w->pace, w->next - w->begin),
                           fa__clock_monotonic_ns());
}

static void turn(fa__ch_worker *w, int timeout_ms)
{
    if (fa__loop_poll(w->loop, timeout_ms) < 0 && errno != EINTR) {
        w->fatal = FA_ERR_SYSTEM;
        w->stopped = true;
    }
    if (atomic_load_explicit(&w->run->stop, memory_order_relaxed))
        w->stopped = true;
}

static void start(fa__ch_worker *w)
{
    const fa__ch_options *o = w->run->options;
    uint64_t start_ns = fa__ch_run_wait_start(w->run);

    w->started = true;
    w->pace.start_ns = start_ns;
    if (o->rate != 0)
        return;
    for (uint32_t i = 0; i < w->conn_count; ++i)
        fa__ch_conn_fill(&w->conns[i], fa__clock_monotonic_ns(), o->pipeline);
}

void fa__ch_worker_run(fa__ch_worker *w)
{
    const fa__ch_options *o = w->run->options;

    if (o->run_timeout_ms != 0)
        fa__timer_set(fa__loop_timers(w->loop), &w->run_timer,
                      fa__clock_monotonic_ms() + o->run_timeout_ms);
    open_more(w);
    while (w->open + w->given_up < w->conn_count && !w->stopped) {
        turn(w, -1);
        open_more(w);
    }
    start(w);
    while (w->settled < w->end - w->begin && !w->stopped && w->given_up < w->conn_count) {
        turn(w, poll_timeout(w));
        distribute(w);
        open_more(w);
    }
    for (uint32_t i = 0; i < w->conn_count && w->stopped; ++i)
        fa__ch_conn_abandon(&w->conns[i]);
    w->tally.unsent = w->end - w->begin - w->settled;
    fa__ch_run_flush(w->run, &w->latency);
}
