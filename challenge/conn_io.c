#include <errno.h>
#include <sys/socket.h>

#include <fasterapi/error.h>

#include "conn.h"

static void malformed(fa__ch_conn *c, int error)
{
    if (c->worker->tally.malformed_error == 0)
        c->worker->tally.malformed_error = error;
    fa__ch_conn_end(c, FA__CH_END_MALFORMED);
}

static void answered(fa__ch_conn *c, uint64_t now_ns)
{
    fa__ch_worker *w = c->worker;
    fa__ch_slot *slot = &c->slots[c->first];

    fa__ch_histogram_add(&w->latency,
                         now_ns > slot->since_ns ? now_ns - slot->since_ns : 0);
    ++w->tally.statuses[c->reply.head.status];
    if (c->reply.head.status / 100 == 2)
        ++w->tally.acknowledged;
    else
        ++w->tally.refused;
    ++w->settled;
    c->openings = 0;
    c->first = c->first + 1 < w->run->options->pipeline ? c->first + 1 : 0;
    --c->count;
    if (w->latency.count >= w->run->flush_every)
        fa__ch_run_flush(w->run, &w->latency);
}

/* Reads answers from `p`. Returns how many bytes are left for later, or -1 when
   the connection has ended. */
static ptrdiff_t take_answers(fa__ch_conn *c, const char *p, size_t n, uint64_t now_ns)
{
    while (n > 0) {
        ptrdiff_t used;

        if (c->count == 0) {
            /* Told that it was idle for too long (RFC 9110, 15.5.9): no fault. */
            static const char idle[] = "HTTP/1.1 408";

            if (n >= sizeof(idle) - 1 && memcmp(p, idle, sizeof(idle) - 1) == 0)
                fa__ch_conn_end(c, FA__CH_END_ANNOUNCED);
            else
                malformed(c, FA_ERR_STATUS_LINE);
            return -1;
        }
        used = fa__ch_reply_feed(&c->reply, &c->worker->heads, p, n);
        if (used < 0) {
            malformed(c, (int)used);
            return -1;
        }
        if (!c->reply.done)
            return (ptrdiff_t)n - used;
        p += used;
        n -= (size_t)used;
        answered(c, now_ns);
        if (c->reply.head.close) {
            fa__ch_conn_end(c, FA__CH_END_ANNOUNCED);
            return -1;
        }
        fa__ch_reply_next(&c->reply);
    }
    return 0;
}

static void give_up_for_memory(fa__ch_worker *w)
{
    w->fatal = FA_ERR_NOMEM;
    w->stopped = true;
}

/* Joins what has come with what was left before, if anything was. */
static bool consume(fa__ch_conn *c, const char *p, size_t n, uint64_t now_ns)
{
    ptrdiff_t left;

    if (c->partial.len > 0) {
        if (fa__buf_append(&c->partial, p, n) != 0) {
            give_up_for_memory(c->worker);
            return false;
        }
        left = take_answers(c, c->partial.p, c->partial.len, now_ns);
        if (left >= 0)
            fa__buf_consume(&c->partial, c->partial.len - (size_t)left);
        return left >= 0;
    }
    left = take_answers(c, p, n, now_ns);
    if (left > 0 && fa__buf_append(&c->partial, p + n - left, (size_t)left) != 0) {
        give_up_for_memory(c->worker);
        return false;
    }
    return left >= 0;
}

static void on_eof(fa__ch_conn *c)
{
    if (c->count > 0 && fa__ch_reply_eof(&c->reply)) {
        answered(c, fa__clock_monotonic_ns());
        fa__ch_conn_end(c, FA__CH_END_ANNOUNCED);
    } else {
        fa__ch_conn_end(c, FA__CH_END_CLOSED);
    }
}

/* One read a call: the loop comes back as long as there is more. */
static void on_readable(fa__ch_conn *c)
{
    fa__ch_worker *w = c->worker;
    const fa__ch_options *o = w->run->options;
    ssize_t n = recv(c->io.fd, w->in, FA__CH_IN_BYTES, 0);
    uint64_t now_ns;

    if (n == 0) {
        on_eof(c);
        return;
    }
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            fa__ch_conn_end(c, FA__CH_END_RESET);
        return;
    }
    now_ns = fa__clock_monotonic_ns();
    if (!consume(c, w->in, (size_t)n, now_ns))
        return;
    if (c->count > 0)
        fa__ch_conn_set_timer(c, o->reply_timeout_ms);
    fa__ch_conn_update_room(c);
    if (o->rate == 0)
        fa__ch_conn_fill(c, now_ns, o->pipeline);
}

/* Sends what is left over from before. */
static void on_writable(fa__ch_conn *c)
{
    ssize_t n = send(c->io.fd, c->unsent.p, c->unsent.len, MSG_NOSIGNAL);

    if (n >= 0) {
        fa__buf_consume(&c->unsent, (size_t)n);
    } else if (errno != EAGAIN && errno != EINTR) {
        c->broken = true;
    }
    if (c->unsent.len == 0 || c->broken)
        (void)fa__loop_modify(c->worker->loop, &c->io, FA__READABLE);
    fa__ch_conn_update_room(c);
    if (c->has_room && c->worker->run->options->rate == 0)
        fa__ch_conn_fill(c, fa__clock_monotonic_ns(), c->worker->run->options->pipeline);
}

void fa__ch_conn_ready(fa__io *io, unsigned ready)
{
    fa__ch_conn *c = (fa__ch_conn *)((char *)io - offsetof(fa__ch_conn, io));

    if (ready & (FA__READABLE | FA__HANGUP))
        on_readable(c);
    /* The connection may have ended, and its descriptor with it. */
    if ((ready & FA__WRITABLE) && c->state == FA__CH_OPEN && c->unsent.len > 0 &&
        !c->broken)
        on_writable(c);
}

/* What the socket does not take is kept: how much of it there is also tells, should
   the connection die, which requests went out whole. */
static void send_now(fa__ch_conn *c, const char *p, size_t len)
{
    ssize_t n = send(c->io.fd, p, len, MSG_NOSIGNAL);

    if ((size_t)n == len)
        return;
    if (n < 0) {
        /* The reason, or a last answer, is left to the reading side to find. */
        c->broken = errno != EAGAIN && errno != EINTR;
        n = 0;
    }
    if (fa__buf_append(&c->unsent, p + n, len - (size_t)n) != 0 ||
        (!c->broken &&
         fa__loop_modify(c->worker->loop, &c->io, FA__READABLE | FA__WRITABLE) != 0))
        give_up_for_memory(c->worker);
}

void fa__ch_conn_fill(fa__ch_conn *c, uint64_t now_ns, uint32_t max)
{
    fa__ch_worker *w = c->worker;
    size_t len = 0;
    bool was_idle = c->count == 0;

    while (c->has_room && max > 0 && c->count < w->run->options->pipeline) {
        fa__ch_slot *slot = fa__ch_slot_at(c, c->count);

        if (!fa__ch_worker_take(w, slot, now_ns))
            break;
        slot->bytes =
            (uint32_t)fa__ch_workload_write(w->run->workload, w->out + len, slot->index);
        ++slot->sendings;
        len += slot->bytes;
        ++c->count;
        --max;
    }
    if (len == 0)
        return;
    if (was_idle)
        fa__ch_conn_set_timer(c, w->run->options->reply_timeout_ms);
    send_now(c, w->out, len);
    fa__ch_conn_update_room(c);
}
