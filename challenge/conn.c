#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"

void fa__ch_conn_update_room(fa__ch_conn *c)
{
    bool room = c->state == FA__CH_OPEN && !c->broken && c->unsent.len == 0 &&
                c->count < c->worker->run->options->pipeline;

    if (room != c->has_room) {
        c->has_room = room;
        c->worker->room += room ? 1u : (uint32_t)-1;
    }
}

void fa__ch_conn_set_timer(fa__ch_conn *c, uint32_t ms)
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
        fa__ch_conn_set_timer(c, 10u << c->openings);
    } else {
        c->state = FA__CH_GIVEN_UP;
        ++w->given_up;
    }
    fa__ch_conn_update_room(c);
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
static uint32_t settle_in_flight(fa__ch_conn *c, fa__ch_end why)
{
    size_t unsent = c->unsent.len;
    uint32_t in_doubt = 0;

    for (uint32_t i = c->count; i-- > 0;) {
        fa__ch_slot *slot = fa__ch_slot_at(c, i);

        if (why == FA__CH_END_ANNOUNCED || unsent > 0) {
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
        (void)settle_in_flight(c, FA__CH_END_CLOSED);
}

void fa__ch_conn_end(fa__ch_conn *c, fa__ch_end why)
{
    fa__ch_tally *t = &c->worker->tally;
    bool mid_reply = !fa__ch_reply_idle(&c->reply) || c->partial.len > 0;
    uint32_t in_doubt = settle_in_flight(c, why);

    --c->worker->open;
    switch (why) {
    case FA__CH_END_TIMEOUT: ++t->timeouts; break;
    case FA__CH_END_MALFORMED: ++t->malformed; break;
    case FA__CH_END_ANNOUNCED: ++t->reopened; break;
    default:
        /* A server may close an idle connection at any time (RFC 9112, 9.5). */
        if (in_doubt == 0 && !mid_reply)
            ++t->reopened;
        else if (why == FA__CH_END_RESET)
            ++t->resets;
        else
            ++t->closed_early;
        break;
    }
    let_go(c);
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
    io->fn = fa__ch_conn_ready;
    c->state = FA__CH_OPEN;
    fa__ch_reply_init(&c->reply, NULL, NULL);
    ++w->open;
    ++w->tally.opened;
    fa__ch_conn_update_room(c);
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
            fa__ch_conn_end(c, FA__CH_END_TIMEOUT);
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
    fa__ch_conn_set_timer(c, w->run->options->connect_timeout_ms);
}
