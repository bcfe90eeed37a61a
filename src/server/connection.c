/* The life of a connection: readiness, reading, closing. */
#include "server/connection.h"

#include <fasterapi/error.h>

#include "app/app.h"

enum {
    READ_MIN = 4096,       /* room for a read into the connection's own buffer */
    READ_MAX = 64 * 1024,  /* one read takes up to this, but for bodies */
    STASH_MAX = 64 * 1024, /* input held back before reading stops */
};

/* ---- reading ---- */

/* Offers input to the request; what it does not use is kept, in order. */
static void use_input(fa__conn *conn, char *p, size_t n, bool own)
{
    size_t used = fa__conn_feed(conn, p, n);

    if (own) {
        fa__buf_consume(&conn->in, used);
        if (conn->in.len == 0)
            fa__buf_free(&conn->in);
    } else if (used < n && !conn->broken &&
               fa__buf_append(&conn->in, p + used, n - used) != 0) {
        fa__conn_break_off(conn, FA_ERR_NOMEM);
    }
}

/* Of a body that is taken as it comes more is read at once: nothing of it is left over.
 */
static size_t most_at_once(const fa__conn *conn)
{
    return conn->input == FA__INPUT_BODY && fa__conn_body_is_due(conn)
               ? FA__WORKER_IN_BYTES
               : READ_MAX;
}

static void read_input(fa__conn *conn)
{
    fa_worker *w = conn->worker;
    bool own = conn->in.len > 0;
    ptrdiff_t n;

    if (own && fa__buf_reserve(&conn->in, READ_MIN) != 0) {
        fa__conn_break_off(conn, FA_ERR_NOMEM);
        return;
    }
    n = own ? fa__stream_read(conn->io.fd, conn->in.p + conn->in.len,
                              conn->in.cap - conn->in.len)
            : fa__stream_read(conn->io.fd, w->in, most_at_once(conn));
    if (n > 0) {
        fa__count(&w->counters.bytes_in, (uint64_t)n);
        if (own)
            conn->in.len += (size_t)n;
        use_input(conn, own ? conn->in.p : w->in, own ? conn->in.len : (size_t)n, own);
    } else if (n == 0) {
        conn->eof = true;
    } else if (n != FA__ERR_WOULD_BLOCK) {
        fa__conn_break_off(conn, n == FA_ERR_NOMEM ? FA_ERR_NOMEM : FA_ERR_CLOSED);
    }
}

static bool has_drained(const fa__conn *conn)
{
    return conn->sending == NULL &&
           fa__conn_pending(conn) <= fa__conn_limits(conn)->max_pending_bytes / 2;
}

/* Somebody goes on once output has gone out: a writer, or the next request. */
static bool waits_for_room(const fa__conn *conn)
{
    const fa_request *req = conn->req;

    if (conn->input == FA__INPUT_STREAM)
        return conn->upgrade->waits_for_room(conn);
    if (conn->input == FA__INPUT_IDLE)
        return conn->in.len > 0;
    return req != NULL && req->told_full;
}

static void tell_drained(fa__conn *conn)
{
    fa_request *req = conn->req;

    if (!has_drained(conn))
        return;
    if (conn->input == FA__INPUT_STREAM) {
        conn->upgrade->drained(conn);
    } else if (req != NULL && req->told_full && req->answer == FA__ANSWER_STARTED) {
        req->told_full = false;
        if (req->drain_fn != NULL) {
            ++conn->in_call;
            req->drain_fn(req, req->drain_data);
            --conn->in_call;
        }
        if (!conn->broken && req->answer == FA__ANSWER_ENDED)
            fa__conn_request_done(conn, 0);
    }
}

void fa__conn_resume(fa__conn *conn)
{
    char none = 0; /* a place, for no bytes */

    if (conn->worker->draining && conn->input == FA__INPUT_STREAM && !conn->broken &&
        !conn->told_shutdown) {
        conn->told_shutdown = true;
        conn->upgrade->shutdown(conn);
    }
    if (!conn->broken && !conn->in_feed)
        tell_drained(conn);
    if (!conn->broken && !conn->in_feed)
        use_input(conn, conn->in.p != NULL ? conn->in.p : &none, conn->in.len, true);
    (void)fa__conn_settle(conn);
}

/* Output has gone out: whoever waited for that goes on. */
static void on_drained(fa__conn *conn)
{
    tell_drained(conn);
    if (!conn->broken && conn->in.len > 0 && has_drained(conn))
        use_input(conn, conn->in.p, conn->in.len, true);
}

bool fa__conn_went_on(fa__conn *conn)
{
    if (!conn->broken)
        on_drained(conn);
    return fa__conn_settle(conn);
}

/* Nobody is left to read what we send. What the peer of a stream has sent before it left
   in order is still to be read, when the application lets it. */
static void on_hangup(fa__conn *conn)
{
    if (conn->input == FA__INPUT_STREAM && !fa__stream_failed(conn->io.fd))
        conn->hung_up = true;
    else
        fa__conn_break_off(conn, FA_ERR_CLOSED);
}

static void on_io(fa__io *io, unsigned ready)
{
    fa__conn *conn = (fa__conn *)io;

    if (ready & FA__WRITABLE) {
        fa__conn_flush(conn);
        fa__conn_send_on(conn);
        if (!conn->broken)
            on_drained(conn);
    }
    if ((ready & FA__READABLE) && !conn->broken && !conn->eof)
        read_input(conn);
    else if ((ready & FA__HANGUP) && !(io->want & FA__READABLE))
        on_hangup(conn);
    else if ((ready & FA__HANGUP) && !conn->broken && !conn->eof)
        read_input(conn);
    (void)fa__conn_settle(conn);
}

/* ---- settling ---- */

/* Work goes on without another byte of the client: input is left to be used, or output
   that a writer waits for is still being taken. */
static bool is_at_work(const fa__conn *conn)
{
    if (conn->in_resume)
        return true;
    if (conn->input == FA__INPUT_IDLE || conn->input == FA__INPUT_BODY)
        return conn->in.len > 0;
    return conn->input == FA__INPUT_WAIT && conn->req->told_full;
}

/* The client sends nothing more. What it asked for in full is still answered, if that
   takes no longer than the work at hand; a client that goes away while its answer is
   awaited is gone. */
static void on_eof(fa__conn *conn)
{
    if (is_at_work(conn))
        return;
    switch (conn->input) {
    case FA__INPUT_IDLE:
    case FA__INPUT_HEAD:
    case FA__INPUT_DISCARD: conn->input = FA__INPUT_CLOSING; break;
    case FA__INPUT_BODY:
    case FA__INPUT_WAIT: fa__conn_break_off(conn, FA_ERR_CLOSED); break;
    case FA__INPUT_LINGER: conn->broken = true; break;
    case FA__INPUT_STREAM: conn->upgrade->peer_ended(conn); break;
    case FA__INPUT_CLOSING: break;
    }
}

/* All is sent and no further request is served. Closing while bytes of the client are
   unread makes the kernel send a reset, which may overtake the answer (RFC 9112, 9.6);
   so our side is shut first, and the rest read for a while. */
static void finish(fa__conn *conn)
{
    if ((conn->unread || conn->in.len > 0) && !conn->eof &&
        fa__stream_shutdown(conn->io.fd) == 0) {
        conn->input = FA__INPUT_LINGER;
        conn->since = fa__loop_now(conn->worker->loop);
        fa__buf_free(&conn->in);
        return;
    }
    conn->broken = true;
}

static unsigned wanted(const fa__conn *conn)
{
    unsigned want = 0;
    bool reads = conn->input != FA__INPUT_CLOSING && !conn->eof;

    if (conn->input == FA__INPUT_STREAM && !conn->upgrade->wants_input(conn))
        reads = false;

    if (reads && (conn->in.len < STASH_MAX || conn->input == FA__INPUT_HEAD ||
                  conn->input == FA__INPUT_LINGER))
        want |= FA__READABLE;
    if (fa__conn_waits_for_socket(conn))
        want |= FA__WRITABLE;
    /* The peer of a stream that is not read for long may break it off. */
    if (conn->input == FA__INPUT_STREAM && !conn->hung_up)
        want |= FA__HANGUP;
    return want;
}

/* Sends, closes if it is time to, says what it waits for. May leave it broken. */
static void put_in_order(fa__conn *conn)
{
    fa_worker *w = conn->worker;

    if (!fa__conn_joins_batch(conn))
        fa__conn_flush(conn);
    if (!conn->broken && waits_for_room(conn) && !fa__conn_unsent(conn))
        fa__worker_resume_later(w, conn); /* no event will come for that */
    if (w->draining && conn->input == FA__INPUT_STREAM && !conn->told_shutdown)
        fa__worker_resume_later(w, conn); /* it began after all others were told */
    if (conn->input == FA__INPUT_CLOSING && !conn->broken && !fa__conn_unsent(conn))
        finish(conn);
    if (!conn->broken && fa__loop_modify(w->loop, &conn->io, wanted(conn)) != 0)
        fa__conn_break_off(conn, FA_ERR_SYSTEM);
    if (!conn->broken)
        fa__conn_set_timer(conn);
}

bool fa__conn_settle(fa__conn *conn)
{
    if (conn->in_feed || conn->in_call > 0)
        return true;
    if (conn->eof) {
        fa__conn_flush(conn);
        if (!conn->broken)
            on_eof(conn);
    }
    put_in_order(conn);
    if (conn->broken) {
        fa__conn_del(conn, conn->finish_error != 0 ? conn->finish_error : FA_ERR_CLOSED);
        return false;
    }
    return true;
}

/* An answer that has ended ends the request; input that waited for it goes on. */
static void take_up(fa__conn *conn)
{
    if (!conn->broken && conn->req != NULL && conn->req->answer == FA__ANSWER_ENDED)
        fa__conn_request_done(conn, 0);
    if (!conn->broken && conn->in.len > 0 && conn->input != FA__INPUT_WAIT &&
        (conn->input != FA__INPUT_STREAM || conn->upgrade->wants_input(conn)))
        fa__worker_resume_later(conn->worker, conn);
}

bool fa__conn_after(fa__conn *conn)
{
    if (conn->in_feed || conn->in_call > 0)
        return true;
    take_up(conn);
    return fa__conn_settle(conn);
}

void fa__conn_after_alive(fa__conn *conn)
{
    if (conn->in_feed || conn->in_call > 0)
        return;
    take_up(conn);
    put_in_order(conn);
    if (conn->broken || conn->eof)
        fa__worker_resume_later(conn->worker, conn);
}

void fa__conn_begin_closing(fa__conn *conn)
{
    conn->input = FA__INPUT_CLOSING;
    /* From here on the minimum rate holds for what is still queued. */
    fa__pace_begin(&conn->writing, fa__loop_now(conn->worker->loop));
}

void fa__conn_touch(fa__conn *conn)
{
    if (!conn->worker->polling)
        fa__loop_update_now(conn->worker->loop);
}

/* ---- life ---- */

int fa__conn_new(fa_worker *w, int fd, const fa__address *peer)
{
    fa__conn *conn = fa__calloc(&w->shared->alloc, 1, sizeof(*conn));
    int rv;

    if (conn == NULL)
        return FA_ERR_NOMEM;
    conn->worker = w;
    conn->peer = *peer;
    conn->since = fa__loop_now(w->loop);
    conn->io.fn = on_io;
    fa__timer_init(&conn->timer, fa__conn_on_timer);
    fa__buf_init(&conn->in, &w->shared->alloc);
    fa__buf_init(&conn->out, &w->shared->alloc);
    fa__buf_init(&conn->body, &w->shared->alloc);
    fa__buf_init(&conn->trailer_buf, &w->shared->alloc);
    rv = fa__loop_add(w->loop, &conn->io, fd, FA__READABLE);
    if (rv != 0) {
        fa__release(&w->shared->alloc, conn);
        return rv;
    }
    conn->next = w->conns;
    if (conn->next != NULL)
        conn->next->prev = conn;
    w->conns = conn;
    ++w->conn_count;
    fa__conn_set_timer(conn); /* who never sends a byte must go too */
    return 0;
}

/* The request under way learns that it is over. */
static void end_request(fa__conn *conn, int error)
{
    if (conn->req == NULL)
        return;
    if (conn->input == FA__INPUT_HEAD || conn->input == FA__INPUT_IDLE) {
        fa__worker_give_request(conn->worker, conn->req); /* it never began */
        conn->req = NULL;
    } else {
        fa__conn_request_done(conn, error);
    }
}

void fa__conn_del(fa__conn *conn, int error)
{
    fa_worker *w = conn->worker;
    int fd = conn->io.fd;
    /* Else the kernel would hold on to what it cannot send, and the end of an answer
       without a length would pass for its last byte. */
    bool cut = fa__conn_unsent(conn) && (error == FA_ERR_TIMEOUT ||
                                         (conn->sending != NULL && conn->sending->lost));

    if (conn->batched)
        fa__worker_send_batch(w); /* its last answer is whole */
    conn->broken = true;
    ++conn->in_call; /* callbacks below must not end it again */
    if (w->corked == conn)
        fa__conn_flush(conn);
    end_request(conn, error);
    if (conn->upgrade != NULL)
        conn->upgrade->closed(conn, conn->eof ? 0 : error);
    fa__timer_cancel(fa__loop_timers(w->loop), &conn->timer);
    fa__worker_forget_resume(w, conn);
    fa__loop_remove(w->loop, &conn->io);
    fa__conn_drop_file(conn);
    fa__held_del(conn->held);
    if (cut)
        fa__stream_abort(fd);
    else
        fa__stream_close(fd);
    fa__buf_free(&conn->in);
    fa__buf_free(&conn->out);
    fa__conn_drop_body(conn);
    if (conn->prev != NULL)
        conn->prev->next = conn->next;
    else
        w->conns = conn->next;
    if (conn->next != NULL)
        conn->next->prev = conn->prev;
    fa__worker_lost_connection(w, &conn->peer);
    fa__release(&w->shared->alloc, conn);
}
