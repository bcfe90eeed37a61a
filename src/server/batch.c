/* Answers of requests that came together go out together: what the kernel does for a
   send() pushes the server's own code and data out of the caches, and a client that
   sleeps is woken once for all of them. An answer waits for requests that came with its
   own and are quick. Nobody knows beforehand which are; but where one has been slow,
   answers go out one by one for many times as long as it took: so little is ever lost by
   waiting for one. */
#include "server/connection.h"

enum {
    BYTES_MAX = 4096,     /* of an answer; longer ones are worth a call of their own */
    BATCH_NS = 100000,    /* so long answers wait for the next one */
    SLOW_NS = 1000000,    /* a handler that takes so long is no company */
    TIMES = 32,           /* that, and no batches */
    ALONE_MAX_MS = 60000, /* but not for longer */
};

/* What is left comes with the connection's next turn, as does its end. */
static void send_one(const fa__batched *answer, const char *out)
{
    fa__conn *conn = answer->conn;

    conn->batched = false;
    fa__conn_send(conn, out + answer->at, answer->len);
    if (conn->broken || fa__conn_unsent(conn))
        fa__worker_resume_later(conn->worker, conn);
}

void fa__worker_send_batch(fa_worker *w)
{
    unsigned n = w->batch_count;

    for (unsigned i = 0; i < n; ++i)
        send_one(&w->batch[i], w->out);
    w->batch_count = 0;
    if (w->corked == NULL)
        w->out_from = w->out_len = 0;
}

void fa__worker_begin_batch(fa_worker *w)
{
    w->batches = true;
}

void fa__worker_end_batch(fa_worker *w)
{
    w->batches = false;
    if (w->batch_count > 0)
        fa__worker_send_batch(w);
}

/* Whether what was done since the events came, or since the last batch went out, has been
   quick. */
static bool is_quick(fa_worker *w)
{
    uint64_t now = fa__clock_monotonic_ns(), since = fa__loop_now_ns(w->loop);

    if (since < w->batch_ns)
        since = w->batch_ns;
    if (now - since <= BATCH_NS)
        return true;
    w->batch_ns = now;
    if (now - since > SLOW_NS) {
        uint64_t alone_ms = (now - since) * TIMES / 1000000;

        w->no_batches_to =
            now / 1000000 + (alone_ms < ALONE_MAX_MS ? alone_ms : ALONE_MAX_MS);
    }
    return false;
}

/* Nothing is left to do for it but to send what is corked. */
static bool can_wait(const fa__conn *conn)
{
    return conn->input == FA__INPUT_IDLE && !conn->broken && !conn->eof &&
           !conn->in_resume && conn->in.len == 0 && !fa__conn_unsent(conn);
}

bool fa__conn_joins_batch(fa__conn *conn)
{
    fa_worker *w = conn->worker;
    size_t n = w->out_len - w->out_from;

    if (w->corked != conn || !w->batches || n == 0 || n > BYTES_MAX || !can_wait(conn) ||
        fa__loop_now(w->loop) < w->no_batches_to)
        return false;
    if (w->batch_count == FA__BATCH_MAX || !is_quick(w)) {
        fa__worker_send_batch(w);
        return false;
    }
    w->batch[w->batch_count++] = (fa__batched){conn, w->out_from, n};
    conn->batched = true;
    w->out_from = w->out_len;
    w->corked = NULL;
    return true;
}
