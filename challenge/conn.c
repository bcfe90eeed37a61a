#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fasterapi/error.h>

#include "worker.h"

/* Why a connection ended. */
typedef enum conn_end {
    END_CLOSED,    /* the server closed, unannounced */
    END_ANNOUNCED, /* after "Connection: close" or an answer that ends with it */
    END_RESET,
    END_TIMEOUT,
    END_MALFORMED,
} conn_end;

static fa__ch_slot *slot_at(fa__ch_conn *c, uint32_t i)
{
    uint32_t size = c->worker->run->options->pipeline, at = c->first + i;

    return &c->slots[at < size ? at : at - size];
}

/* Keeps worker->room in step; after every change of state, count or unsent. */
static void update_room(fa__ch_conn *c)
{
    bool room = c->state == FA__CH_OPEN && !c->broken && c->unsent.len == 0 &&
                c->count < c->worker->run->options->pipeline;

    if (room != c->has_room) {
        c->has_room = room;
        c->worker->room += room ? 1u : (uint32_t)-1;
    }
}

static void set_timer(fa__ch_conn *c, uint32_t ms)
{
    fa__loop *loop = c->worker->loop;

    if (ms != 0)
        fa__timer_set(fa__loop_timers(loop), &c->timer, fa__loop_now(loop) + ms);
}

/* Off the loop, closed, and in line to be opened anew, at once after it was of use
   and otherwise after a pause that grows. */
static void let_go(fa__ch_conn *c)
{
    fa__ch_worker *w = c->worker;
    int fd = c->io.fd;

    fa__timer_cancel(fa__loop_timers(w->loop), &c->timer);
    if (fd >= 0) {
        fa__loop_remove(w->loop, &c->io);
        close(fd);
    }
    c->broken = false;
    c->unsent.len = c->partial.len = 0;
    c->first = c->count = 0;
    if (c->openings == 0) {
        c->state = FA__CH_CLOSED;
        c->next = w->to_open;
        w->to_open = c;
    } else if (c->openings < FA__CH_MAX_OPENINGS) {
        c->state = FA__CH_WAITING;
        set_timer(c, 10u << c->openings);
    } else {
        c->state = FA__CH_GIVEN_UP;
        ++w->given_up;
    }
    update_room(c);
}

static void connect_failed(fa__ch_conn *c, int error)
{
    fa__ch_tally *t = &c->worker->tally;

    /* EAGAIN: the queue of a unix socket is full, which passes. */
    if (error == ETIMEDOUT)
        ++t->connect_timeouts;
    else if (error != EAGAIN || c->openings >= FA__CH_MAX_OPENINGS)
        ++t->connect_failed;
    if (t->connect_errno == 0)
        t->connect_errno = error;
    let_go(c);
}

/* A request that went out whole and got no answer may have been counted. */
static void settle_in_doubt(fa__ch_worker *w, fa__ch_slot *slot)
{
    ++w->tally.in_doubt;
    w->tally.in_doubt_sum += fa__ch_value_of(w->run->workload, slot->index);
    if (w->run->options->retry && !w->stopped && slot->sendings < FA__CH_MAX_SENDINGS) {
        ++w->tally.resent;
        fa__ch_worker_again(w, slot);
    } else {
        ++w->tally.lost;
        ++w->settled;
    }
}

/* Decides about each request in flight, newest first. Returns how many are in
   doubt. A server must not process what follows a request whose answer says close
   (RFC 9112, section 9.6), and cannot process what did not go out whole. */
static uint32_t settle_in_flight(fa__ch_conn *c, conn_end why)
{
    size_t unsent = c->unsent.len;
    uint32_t in_doubt = 0;

    for (uint32_t i = c->count; i-- > 0;) {
        fa__ch_slot *slot = slot_at(c, i);

        if (why == END_ANNOUNCED || unsent > 0) {
            unsent -= unsent < slot->bytes ? unsent : slot->bytes;
            --slot->sendings; /* as if it had not been sent */
            fa__ch_worker_again(c->worker, slot);
        } else {
            settle_in_doubt(c->worker, slot);
            ++in_doubt;
        }
    }
    return in_doubt;
}

void fa__ch_conn_abandon(fa__ch_conn *c)
{
    if (c->state == FA__CH_OPEN)
        (void)settle_in_flight(c, END_CLOSED);
}

static void end_open(fa__ch_conn *c, conn_end why)
{
    fa__ch_tally *t = &c->worker->tally;
    bool mid_reply = !fa__ch_reply_idle(&c->reply) || c->partial.len > 0;
    uint32_t in_doubt = settle_in_flight(c, why);

    --c->worker->open;
    switch (why) {
    case END_TIMEOUT: ++t->timeouts; break;
    case END_MALFORMED: ++t->malformed; break;
    case END_ANNOUNCED: ++t->reopened; break;
    default:
        /* A server may close an idle connection at any time (RFC 9112, 9.5). */
        if (in_doubt == 0 && !mid_reply)
            ++t->reopened;
        else if (why == END_RESET)
            ++t->resets;
        else
            ++t->closed_early;
        break;
    }
    let_go(c);
}

static void malformed(fa__ch_conn *c, int error)
{
    if (c->worker->tally.malformed_error == 0)
        c->worker->tally.malformed_error = error;
    end_open(c, END_MALFORMED);
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
                end_open(c, END_ANNOUNCED);
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
            end_open(c, END_ANNOUNCED);
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
        end_open(c, END_ANNOUNCED);
    } else {
        end_open(c, END_CLOSED);
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
            end_open(c, END_RESET);
        return;
    }
    now_ns = fa__clock_monotonic_ns();
    if (!consume(c, w->in, (size_t)n, now_ns))
        return;
    if (c->count > 0)
        set_timer(c, o->reply_timeout_ms);
    update_room(c);
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
    update_room(c);
    if (c->has_room && c->worker->run->options->rate == 0)
        fa__ch_conn_fill(c, fa__clock_monotonic_ns(), c->worker->run->options->pipeline);
}

static void on_open_ready(fa__io *io, unsigned ready)
{
    fa__ch_conn *c = (fa__ch_conn *)((char *)io - offsetof(fa__ch_conn, io));

    if (ready & (FA__READABLE | FA__HANGUP))
        on_readable(c);
    /* The connection may have ended, and its descriptor with it. */
    if ((ready & FA__WRITABLE) && c->state == FA__CH_OPEN && c->unsent.len > 0 &&
        !c->broken)
        on_writable(c);
}

static void on_connect_ready(fa__io *io, unsigned ready)
{
    fa__ch_conn *c = (fa__ch_conn *)((char *)io - offsetof(fa__ch_conn, io));
    fa__ch_worker *w = c->worker;
    int error = 0;
    socklen_t len = sizeof(error);

    (void)ready;
    if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error == 0 && fa__loop_modify(w->loop, io, FA__READABLE) != 0)
        error = errno;
    --w->pending;
    if (error != 0) {
        connect_failed(c, error);
        return;
    }
    fa__timer_cancel(fa__loop_timers(w->loop), &c->timer);
    io->fn = on_open_ready;
    c->state = FA__CH_OPEN;
    fa__ch_reply_init(&c->reply, NULL, NULL);
    ++w->open;
    ++w->tally.opened;
    update_room(c);
    if (w->started && w->run->options->rate == 0)
        fa__ch_conn_fill(c, fa__clock_monotonic_ns(), w->run->options->pipeline);
}

static void on_timer(fa__timer *timer)
{
    fa__ch_conn *c = (fa__ch_conn *)((char *)timer - offsetof(fa__ch_conn, timer));

    switch (c->state) {
    case FA__CH_CONNECTING:
        --c->worker->pending;
        connect_failed(c, ETIMEDOUT);
        break;
    case FA__CH_OPEN:
        if (c->count > 0)
            end_open(c, END_TIMEOUT);
        break;
    case FA__CH_WAITING:
        c->state = FA__CH_CLOSED;
        c->next = c->worker->to_open;
        c->worker->to_open = c;
        break;
    default: break;
    }
}

void fa__ch_conn_init(fa__ch_conn *c, fa__ch_worker *w, fa__ch_slot *slots)
{
    *c = (fa__ch_conn){.io = {.fd = -1}, .worker = w, .slots = slots};
    fa__timer_init(&c->timer, on_timer);
    fa__buf_init(&c->partial, &fa__malloc);
    fa__buf_init(&c->unsent, &fa__malloc);
}

void fa__ch_conn_free(fa__ch_conn *c)
{
    int fd = c->io.fd;

    fa__timer_cancel(fa__loop_timers(c->worker->loop), &c->timer);
    if (fd >= 0) {
        fa__loop_remove(c->worker->loop, &c->io);
        close(fd);
    }
    fa__buf_free(&c->partial);
    fa__buf_free(&c->unsent);
}

void fa__ch_conn_open(fa__ch_conn *c)
{
    fa__ch_worker *w = c->worker;
    int fd;

    ++c->openings;
    if (fa__ch_endpoint_connect(&fd, w->run->endpoint, 0) != 0) {
        connect_failed(c, errno);
        return;
    }
    c->io.fn = on_connect_ready;
    if (fa__loop_add(w->loop, &c->io, fd, FA__WRITABLE) != 0) {
        int error = errno;

        close(fd);
        connect_failed(c, error);
        return;
    }
    c->state = FA__CH_CONNECTING;
    ++w->pending;
    set_timer(c, w->run->options->connect_timeout_ms);
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
        fa__ch_slot *slot = slot_at(c, c->count);

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
        set_timer(c, w->run->options->reply_timeout_ms);
    send_now(c, w->out, len);
    update_room(c);
}
