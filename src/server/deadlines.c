/* How long a connection may take for what: its one timer is set for what is due first. */
#include <fasterapi/error.h>

#include "server/connection.h"

enum {
    LINGER_MS = 2000,  /* how long the end of a connection may take */
    DISCARD_MS = 5000, /* for the rest of a body that nobody wants */
};

/* When `pace` is too slow: no byte for `timeout_ms`, or fewer than the minimum rate. */
static fa__msec pace_deadline(const fa__conn *conn, const fa__pace *pace,
                              uint32_t timeout_ms)
{
    fa__msec at = timeout_ms != 0 ? pace->last + timeout_ms : FA__NEVER;

    if (fa__conn_limits(conn)->min_rate_bytes_per_s != 0 && pace->paid_until < at)
        at = pace->paid_until;
    return at;
}

static fa__msec after(fa__msec since, uint32_t timeout_ms)
{
    return timeout_ms != 0 ? since + timeout_ms : FA__NEVER;
}

/* Since when it is the client's turn: it has had the answer only once all is sent. */
static fa__msec turn_since(const fa__conn *conn)
{
    return conn->writing.last > conn->since ? conn->writing.last : conn->since;
}

static fa__msec idle_deadline(const fa__conn *conn)
{
    const fa_limits *l = fa__conn_limits(conn);
    fa__msec at;

    if (fa__conn_unsent(conn))
        return FA__NEVER; /* the write deadline rules */
    at = conn->requests == 0 ? after(conn->since, l->header_timeout_ms)
                             : after(turn_since(conn), l->idle_timeout_ms);
    if (conn->worker->draining && conn->worker->drain_idle_at < at)
        at = conn->worker->drain_idle_at;
    return at;
}

bool fa__conn_body_is_due(const fa__conn *conn)
{
    const fa_request *req = conn->req;

    return !req->paused && (req->read_wanted || !req->body_streams);
}

static fa__msec read_deadline(const fa__conn *conn)
{
    switch (conn->input) {
    case FA__INPUT_IDLE: return idle_deadline(conn);
    case FA__INPUT_HEAD:
        return after(conn->since, fa__conn_limits(conn)->header_timeout_ms);
    case FA__INPUT_BODY:
        if (fa__conn_body_is_due(conn))
            return pace_deadline(conn, &conn->reading,
                                 fa__conn_limits(conn)->body_timeout_ms);
        return FA__NEVER;
    case FA__INPUT_DISCARD:
        return fa__conn_unsent(conn) ? FA__NEVER : turn_since(conn) + DISCARD_MS;
    case FA__INPUT_LINGER: return conn->since + LINGER_MS;
    case FA__INPUT_STREAM: return conn->upgrade->deadline(conn);
    default: return FA__NEVER;
    }
}

static fa__msec write_deadline(const fa__conn *conn)
{
    if (!fa__conn_waits_for_socket(conn))
        return FA__NEVER;
    /* The minimum rate is that of answers: a peer may take its time between messages. */
    if (conn->input == FA__INPUT_STREAM)
        return after(conn->writing.last, fa__conn_limits(conn)->write_timeout_ms);
    return pace_deadline(conn, &conn->writing, fa__conn_limits(conn)->write_timeout_ms);
}

void fa__conn_set_timer(fa__conn *conn)
{
    fa__loop *loop = conn->worker->loop;
    fa__msec deadline = read_deadline(conn), other = write_deadline(conn);

    if (other < deadline)
        deadline = other;
    if (deadline == FA__NEVER)
        fa__timer_cancel(fa__loop_timers(loop), &conn->timer);
    else
        fa__timer_set(fa__loop_timers(loop), &conn->timer, deadline);
    if (!conn->worker->polling)
        fa__loop_arm(loop); /* a foreign loop watches the descriptor only */
}

void fa__conn_on_timer(fa__timer *timer)
{
    fa__conn *conn = (fa__conn *)((char *)timer - offsetof(fa__conn, timer));
    fa__msec now = fa__loop_now(conn->worker->loop);

    if (conn->batched)
        fa__worker_send_batch(conn->worker);
    if (write_deadline(conn) <= now) {
        fa__count(&conn->worker->counters.timeouts, 1);
        fa__conn_break_off(conn, FA_ERR_TIMEOUT);
    } else if (read_deadline(conn) <= now) {
        switch (conn->input) {
        case FA__INPUT_HEAD: fa__conn_refuse(conn, FA_ERR_TIMEOUT); break;
        case FA__INPUT_BODY: fa__conn_body_timeout(conn); break;
        case FA__INPUT_STREAM: conn->upgrade->on_deadline(conn); break;
        default: fa__conn_break_off(conn, FA_ERR_TIMEOUT); break;
        }
    }
    (void)fa__conn_settle(conn);
}
