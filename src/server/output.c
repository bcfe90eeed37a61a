/* Bytes on their way out. What a batch of pipelined requests answers is gathered in
   the worker's buffer, which belongs to one connection at a time ("corked"), and
   sent with one call; only what the socket does not take is kept per connection, in
   `out`. Long pieces that need not be copied are gathered in `held`, and what is written
   between and behind them; `held` follows `out`, and a file follows both. */
#include <fasterapi/error.h>

#include "server/connection.h"

size_t fa__conn_pending(const fa__conn *conn)
{
    const fa_worker *w = conn->worker;
    size_t n = conn->out.len - conn->out_at;

    if (w->corked == conn)
        n += w->out_len - w->out_from;
    if (conn->held != NULL)
        n += fa__held_left(conn->held);
    if (conn->sending != NULL) {
        n += conn->sending->behind.len;
        if (conn->sending->file.left != FA__FILE_TO_END)
            n += (size_t)conn->sending->file.left;
    }
    return n;
}

bool fa__conn_is_full(const fa__conn *conn)
{
    return conn->sending != NULL ||
           fa__conn_pending(conn) > fa__conn_limits(conn)->max_pending_bytes;
}

/* What was corked has gone elsewhere. */
static void drop_corked(fa_worker *w)
{
    w->corked = NULL;
    if (w->batch_count == 0)
        w->out_from = 0;
    w->out_len = w->out_from;
}

static void mark_broken(fa__conn *conn, int error)
{
    fa__conn_break_off(conn, error);
    if (conn->worker->corked == conn)
        drop_corked(conn->worker);
}

void fa__conn_note_sent(fa__conn *conn, size_t n)
{
    fa__count(&conn->worker->counters.bytes_out, n);
    if (fa__conn_unsent(conn)) {
        fa__pace_progress(&conn->writing, fa__loop_now(conn->worker->loop), n,
                          fa__conn_limits(conn)->min_rate_bytes_per_s);
    }
}

/* Before anything is added to the connection's own buffer. If that is empty, the
   measurement of the client's pace begins; if much of it is sent, it is moved up. */
static void open_own(fa__conn *conn)
{
    if (conn->out.len == conn->out_at) {
        fa__msec now = fa__loop_now(conn->worker->loop);

        conn->out.len = conn->out_at = 0;
        fa__pace_begin(&conn->writing, now);
    } else if (conn->out_at > conn->out.len / 2) {
        fa__buf_consume(&conn->out, conn->out_at);
        conn->out_at = 0;
    }
}

/* Keeps what the socket did not take. */
static int keep(fa__conn *conn, const char *p, size_t n)
{
    if (n == 0)
        return 0;
    open_own(conn);
    if (fa__buf_append(&conn->out, p, n) != 0) {
        mark_broken(conn, FA_ERR_NOMEM);
        return FA_ERR_NOMEM;
    }
    return 0;
}

/* How much was taken, 0 to n; marks the connection broken on errors. */
static size_t send_some(fa__conn *conn, const char *p, size_t n)
{
    ptrdiff_t sent = fa__stream_write(conn->io.fd, p, n);

    if (sent >= 0) {
        fa__conn_note_sent(conn, (size_t)sent);
        return (size_t)sent;
    }
    if (sent != FA__ERR_WOULD_BLOCK)
        mark_broken(conn, FA_ERR_CLOSED);
    return 0;
}

void fa__conn_send(fa__conn *conn, const char *p, size_t n)
{
    size_t sent;

    if (n == 0 || conn->broken)
        return;
    sent = send_some(conn, p, n);
    if (!conn->broken)
        (void)keep(conn, p + sent, n - sent);
}

/* Sends the corked bytes; what is left becomes the connection's own. */
static void uncork(fa__conn *conn)
{
    fa_worker *w = conn->worker;
    const char *p = w->out + w->out_from;
    size_t n = w->out_len - w->out_from;

    drop_corked(w);
    fa__conn_send(conn, p, n);
}

/* Returns whether the socket took all of what one call can give it. */
static bool send_some_held(fa__conn *conn)
{
    struct iovec vectors[FA__HELD_VECTORS];
    int count = fa__held_vectors(conn->held, vectors);
    ptrdiff_t sent = fa__stream_writev(conn->io.fd, vectors, count);
    size_t all = 0;

    if (sent < 0) {
        if (sent != FA__ERR_WOULD_BLOCK)
            mark_broken(conn, FA_ERR_CLOSED);
        return false;
    }
    fa__conn_note_sent(conn, (size_t)sent);
    for (int i = 0; i < count; ++i)
        all += vectors[i].iov_len;
    fa__held_sent(conn->held, (size_t)sent);
    return (size_t)sent == all;
}

static void send_held(fa__conn *conn)
{
    while (fa__held_left(conn->held) > 0) {
        if (!send_some_held(conn))
            return;
    }
    fa__held_del(conn->held);
    conn->held = NULL;
}

void fa__conn_flush(fa__conn *conn)
{
    size_t left;

    if (conn->batched)
        fa__worker_send_batch(conn->worker);
    left = conn->out.len - conn->out_at;
    if (left > 0 && !conn->broken) {
        conn->out_at += send_some(conn, conn->out.p + conn->out_at, left);
        if (conn->out_at == conn->out.len) {
            fa__buf_free(&conn->out);
            conn->out_at = 0;
        }
    }
    if (conn->held != NULL && conn->out.len == conn->out_at && !conn->broken)
        send_held(conn);
    /* Corked bytes come after the connection's own, and only when there are none of
       those (see fa__conn_reserve()). */
    if (conn->worker->corked == conn)
        uncork(conn);
}

/* Makes the worker's buffer this connection's. */
static void cork(fa__conn *conn)
{
    fa_worker *w = conn->worker;

    if (w->corked != conn) {
        if (w->corked != NULL)
            uncork(w->corked);
        w->corked = conn;
    }
}

/* What follows a file waits for its end; what follows held bytes goes with them. NULL:
   there is neither. */
static fa__buf *behind(fa__conn *conn)
{
    if (conn->sending != NULL)
        return &conn->sending->behind;
    return conn->held != NULL ? &conn->held->tail : NULL;
}

static char *reserve_in(fa__conn *conn, fa__buf *buf, size_t n)
{
    if (fa__buf_reserve(buf, n) == 0)
        return buf->p + buf->len;
    mark_broken(conn, FA_ERR_NOMEM);
    return NULL;
}

char *fa__conn_reserve(fa__conn *conn, size_t n)
{
    fa_worker *w = conn->worker;

    if (conn->batched)
        fa__worker_send_batch(w);
    if (conn->broken)
        return NULL;
    if (behind(conn) != NULL)
        return reserve_in(conn, behind(conn), n);
    if (conn->out.len == conn->out_at && n <= FA__WORKER_OUT_BYTES) {
        cork(conn);
        if (n > FA__WORKER_OUT_BYTES - w->out_len) {
            fa__worker_send_batch(w);
            uncork(conn);
            if (conn->broken)
                return NULL;
        }
        if (conn->out.len == conn->out_at) {
            cork(conn);
            return w->out + w->out_len;
        }
    } else if (w->corked == conn) {
        uncork(conn);
    }
    if (conn->broken)
        return NULL;
    open_own(conn);
    return reserve_in(conn, &conn->out, n);
}

void fa__conn_commit(fa__conn *conn, const char *end)
{
    fa_worker *w = conn->worker;
    fa__buf *buf = behind(conn);

    if (buf != NULL)
        buf->len = (size_t)(end - buf->p);
    else if (w->corked == conn)
        w->out_len = (size_t)(end - w->out);
    else
        conn->out.len = (size_t)(end - conn->out.p);
}

/* Sends corked bytes and `data` with one call, without copying what is taken. */
static int put_large(fa__conn *conn, fa_slice data)
{
    fa_worker *w = conn->worker;
    const char *begun = w->out + w->out_from;
    size_t head = w->corked == conn ? w->out_len - w->out_from : 0;
    union {
        const char *in;
        void *out;
    } unconst = {data.p}; /* struct iovec knows no const */
    struct iovec vectors[2] = {{w->out + w->out_from, head}, {unconst.out, data.len}};
    ptrdiff_t sent = head > 0 ? fa__stream_writev(conn->io.fd, vectors, 2)
                              : fa__stream_write(conn->io.fd, data.p, data.len);
    size_t n = sent > 0 ? (size_t)sent : 0, of_head = n < head ? n : head;

    if (w->corked == conn)
        drop_corked(w);
    if (sent < 0 && sent != FA__ERR_WOULD_BLOCK) {
        mark_broken(conn, FA_ERR_CLOSED);
        return FA_ERR_CLOSED;
    }
    fa__conn_note_sent(conn, n);
    if (keep(conn, begun + of_head, head - of_head) != 0)
        return FA_ERR_NOMEM;
    n -= of_head;
    return keep(conn, data.p + n, data.len - n);
}

int fa__conn_put(fa__conn *conn, fa_slice data)
{
    char *at;

    if (conn->broken)
        return FA_ERR_CLOSED;
    if (data.len > FA__RESERVE_MAX && !fa__conn_unsent(conn))
        return put_large(conn, data);
    if (data.len > FA__RESERVE_MAX && behind(conn) == NULL)
        return keep(conn, data.p, data.len);
    at = fa__conn_reserve(conn, data.len);
    if (at == NULL)
        return FA_ERR_NOMEM;
    memcpy(at, data.p, data.len);
    fa__conn_commit(conn, at + data.len);
    return 0;
}

/* What was written before comes before: it was to go out with the next call, as this is.
 */
static int begin_held(fa__conn *conn)
{
    fa_worker *w = conn->worker;
    int rv;

    if (!fa__conn_unsent(conn))
        fa__pace_begin(&conn->writing, fa__loop_now(w->loop));
    rv = fa__held_new(&conn->held, &w->shared->alloc);
    if (rv == 0 && w->corked == conn) {
        rv = fa__buf_append(&conn->held->tail, w->out + w->out_from,
                            w->out_len - w->out_from);
        drop_corked(w);
    }
    return rv;
}

int fa__conn_put_held(fa__conn *conn, fa_slice data, const fa__hold *hold)
{
    int rv = conn->broken ? FA_ERR_CLOSED : 0;

    if (rv == 0 && conn->sending == NULL) {
        if (conn->held == NULL)
            rv = begin_held(conn);
        if (rv == 0) {
            rv = fa__held_add(conn->held, data, hold);
            hold = NULL;
        }
        if (rv != 0)
            mark_broken(conn, rv);
    } else if (rv == 0) {
        rv = fa__conn_put(conn, data);
    }
    if (hold != NULL)
        hold->release(hold->ctx);
    return rv;
}
