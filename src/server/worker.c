#include "server/worker.h"

#include <errno.h>

#include <fasterapi/error.h>

#include "app/app.h"
#include "server/connection.h"

enum { WARNINGS_PER_SECOND = 10 };

static void on_wake(void *ctx)
{
    fa_worker *w = ctx;

    fa__mailbox_run(w->mailbox, w);
}

void fa__worker_place(void *worker, int fd, const fa__address *peer)
{
    fa_worker *w = worker;

    atomic_fetch_add_explicit(&w->load, 1, memory_order_relaxed);
    fa__worker_take_connection(w, fd, peer);
}

/* `fd` is taken over on success only. */
static int add_connection(fa_worker *w, int fd, const fa__address *peer)
{
    int rv = fa__conn_new(w, fd, peer);

    fa__count(&w->counters.connections, 1);
    if (rv == 0) {
        fa__count(&w->counters.connections_open, 1);
        return 0;
    }
    atomic_fetch_sub_explicit(&w->load, 1, memory_order_relaxed);
    fa__shared_leave(w->shared, peer);
    return rv;
}

void fa__worker_take_connection(fa_worker *w, int fd, const fa__address *peer)
{
    int rv = add_connection(w, fd, peer);

    if (rv == 0)
        return;
    fa__stream_close(fd);
    fa_log(w->shared->logger, FA_LOG_ERROR, "Server",
           "a connection was closed at once: %s", fa_strerror(rv));
}

void fa__worker_lost_connection(fa_worker *w, const fa__address *peer)
{
    --w->conn_count;
    fa__count(&w->counters.connections_open, (uint64_t)-1);
    atomic_fetch_sub_explicit(&w->load, 1, memory_order_relaxed);
    fa__shared_leave(w->shared, peer);
}

/* ---- requests ---- */

fa_request *fa__worker_take_request(fa_worker *w)
{
    fa_request *req = w->free_requests;

    if (req == NULL)
        return fa__request_new(&w->shared->alloc, w->shared->options.limits.max_headers);
    w->free_requests = req->next_free;
    --w->free_request_count;
    return req;
}

void fa__worker_give_request(fa_worker *w, fa_request *req)
{
    if (w->free_request_count >= FA__POOL_MAX) {
        fa__request_del(req);
        return;
    }
    fa__request_reset(req);
    req->next_free = w->free_requests;
    w->free_requests = req;
    ++w->free_request_count;
}

/* ---- connections with work left ---- */

void fa__worker_resume_later(fa_worker *w, fa__conn *conn)
{
    if (conn->in_resume)
        return;
    conn->in_resume = true;
    conn->resume_next = NULL;
    if (w->resume_last != NULL)
        w->resume_last->resume_next = conn;
    else
        w->resume_first = conn;
    w->resume_last = conn;
    if (!w->polling)
        fa__loop_wake(w->loop);
}

void fa__worker_forget_resume(fa_worker *w, fa__conn *conn)
{
    fa__conn **at = &w->resume_first, *last = NULL;

    if (!conn->in_resume)
        return;
    while (*at != conn) {
        last = *at;
        at = &(*at)->resume_next;
    }
    *at = conn->resume_next;
    if (w->resume_last == conn)
        w->resume_last = last;
    conn->in_resume = false;
}

/* One turn for each that is on the list now; those that ask for another get it after
   the next look at the sockets. */
static bool run_resumed(fa_worker *w)
{
    size_t n = 0;

    for (const fa__conn *conn = w->resume_first; conn != NULL; conn = conn->resume_next)
        ++n;
    for (size_t i = 0; i < n && w->resume_first != NULL; ++i) {
        fa__conn *conn = w->resume_first;

        fa__worker_forget_resume(w, conn);
        fa__conn_resume(conn);
    }
    return n > 0;
}

/* ---- clock and log ---- */

const fa__http1_date_block *fa__worker_date(fa_worker *w)
{
    fa__msec now = fa__loop_now(w->loop);

    if (now >= w->date_until) {
        int64_t wall = fa__clock_wall_ms();

        fa__http1_date_block_set(&w->date, wall / 1000);
        w->date_until = now + 1000 - (fa__msec)(wall % 1000);
    }
    return &w->date;
}

void fa__worker_warn(fa_worker *w, const fa__address *peer, int error)
{
    char text[FA__ADDRESS_TEXT_MAX];
    fa_slice address = fa__address_text(text, peer);
    fa__msec second = fa__loop_now(w->loop) / 1000;

    if (second != w->warned_since) {
        if (w->warned > WARNINGS_PER_SECOND)
            fa_log(w->shared->logger, FA_LOG_WARNING, "Http",
                   "%u more requests refused within a second",
                   w->warned - WARNINGS_PER_SECOND);
        w->warned_since = second;
        w->warned = 0;
    }
    if (++w->warned <= WARNINGS_PER_SECOND)
        fa_log(w->shared->logger, FA_LOG_WARNING, "Http",
               "request of %.*s refused: %s (answered %d)", (int)address.len, address.p,
               fa_strerror(error), fa_error_status(error));
}

/* ---- life ---- */

static int start(fa_worker *w, bool embedded)
{
    const fa_server_options *o = &w->shared->options;
    fa__loop_options options = {.alloc = &w->shared->alloc, .timers_in_fd = embedded};
    int rv = fa__loop_new(&w->loop, &options);

    if (rv != 0)
        return rv;
    w->mailbox = fa__mailbox_new(&w->shared->alloc, w->loop);
    w->in = fa__alloc(&w->shared->alloc, FA__WORKER_IN_BYTES);
    w->out = fa__alloc(&w->shared->alloc, FA__WORKER_OUT_BYTES);
    if (w->mailbox == NULL || w->in == NULL || w->out == NULL)
        return FA_ERR_NOMEM;
    fa__loop_on_wake(w->loop, on_wake, w);
    return fa__http1_date_block_init(&w->date, o->date_header, o->server_header,
                                     fa__clock_wall_ms() / 1000);
}

int fa__worker_new(fa_worker **out, fa_app *app, const fa_server_options *options,
                   fa__shared *shared, bool embedded)
{
    fa__shared *own = NULL;
    fa_worker *w;
    int rv = fa__app_serve(app);

    if (rv == 0 && shared == NULL) {
        rv = fa__shared_new(&own, options);
        shared = own;
    }
    if (rv != 0)
        return rv;
    w = fa__calloc(&shared->alloc, 1, sizeof(*w));
    if (w == NULL) {
        fa__shared_del(own);
        return FA_ERR_NOMEM;
    }
    w->app = app;
    w->shared = shared;
    w->own_shared = own;
    fa__buf_init(&w->control, &shared->alloc);
    rv = start(w, embedded);
    if (rv != 0) {
        fa_worker_del(w);
        return rv;
    }
    *out = w;
    return 0;
}

int fa_worker_new(fa_worker **out, fa_app *app, const fa_server_options *options)
{
    return fa__worker_new(out, app, options, NULL, true);
}

void fa__worker_cut(fa_worker *w)
{
    while (w->conns != NULL)
        fa__conn_del(w->conns, FA_ERR_CLOSED);
}

void fa_worker_del(fa_worker *w)
{
    fa__shared *own;
    fa_allocator alloc;

    if (w == NULL)
        return;
    own = w->own_shared;
    alloc = w->shared->alloc;
    w->polling = true; /* nobody shall wake a loop that goes away */
    for (unsigned i = 0; i < w->listener_count; ++i)
        fa__loop_remove(w->loop, &w->listeners[i].io);
    fa__worker_cut(w);
    if (w->mailbox != NULL) {
        fa__mailbox_close(w->mailbox, w);
        fa__worker_cut(w); /* a letter may have brought a connection */
        fa__mailbox_release(w->mailbox);
    }
    while (w->free_requests != NULL) {
        fa_request *next = w->free_requests->next_free;

        fa__request_del(w->free_requests);
        w->free_requests = next;
    }
    fa__release(&alloc, w->in);
    fa__release(&alloc, w->out);
    fa__buf_free(&w->control);
    fa__loop_del(w->loop);
    fa__release(&alloc, w);
    fa__shared_del(own);
}

int fa_worker_listen_fd(fa_worker *w, int fd)
{
    fa__listen_options options = {.backlog = w->shared->options.backlog};
    fa__listener listener;
    int rv;

    if (w->draining)
        return FA_ERR_STATE;
    if (w->listener_count == FA__WORKER_LISTENERS_MAX)
        return FA_ERR_LIMIT;
    rv = fa__listener_adopt(&listener, fd, &options);
    if (rv != 0)
        return rv;
    rv =
        fa__acceptor_start(&w->listeners[w->listener_count], w->loop, w->shared,
                           &listener, fa__worker_place, w, &w->counters.connections_shed);
    if (rv != 0)
        return rv;
    w->listeners[w->listener_count].may_accept = w->may_accept;
    w->listeners[w->listener_count].may_ctx = w->may_ctx;
    ++w->listener_count;
    return 0;
}

void fa_worker_on_accept(fa_worker *w, fa_accept_fn *fn, void *user_data)
{
    w->may_accept = fn;
    w->may_ctx = user_data;
    for (unsigned i = 0; i < w->listener_count; ++i) {
        w->listeners[i].may_accept = fn;
        w->listeners[i].may_ctx = user_data;
    }
}

int fa_worker_adopt(fa_worker *w, int fd)
{
    fa__address peer;
    int rv = fa__stream_prepare(fd);

    if (rv != 0)
        return rv;
    if (!w->polling)
        fa__loop_update_now(w->loop); /* its time to send a request begins now */
    memset(&peer, 0, sizeof(peer));
    rv = fa__address_peer(&peer, fd);
    if (rv == 0 && fa__address_port(&peer) != 0)
        rv = fa__stream_no_delay(fd);
    if (rv == 0)
        rv = fa__shared_admit(w->shared, &peer);
    if (rv != 0)
        return rv;
    atomic_fetch_add_explicit(&w->load, 1, memory_order_relaxed);
    return add_connection(w, fd, &peer);
}

int fa_worker_fd(const fa_worker *w)
{
    return fa__loop_fd(w->loop);
}

int fa_worker_poll(fa_worker *w, int timeout_ms, unsigned rounds)
{
    int worked = 0;

    if (w->polling)
        return FA_ERR_STATE;
    w->polling = true;
    for (unsigned i = 0; i < rounds; ++i) {
        int n;
        bool resumed;

        fa__worker_begin_batch(w);
        n = fa__loop_poll(w->loop, i == 0 && w->resume_first == NULL ? timeout_ms : 0);
        fa__worker_end_batch(w);
        if (n < 0) {
            worked = n;
            break;
        }
        resumed = run_resumed(w);
        if (n == 0 && !resumed)
            break;
        worked = 1;
    }
    w->polling = false;
    if (w->resume_first != NULL)
        fa__loop_wake(w->loop); /* for a foreign loop that watches the descriptor */
    return worked;
}

void fa_worker_drain(fa_worker *w)
{
    if (w->draining)
        return;
    fa__mailbox_run(w->mailbox, w); /* connections that were accepted before this */
    for (unsigned i = 0; i < w->listener_count; ++i)
        fa__acceptor_stop(&w->listeners[i]);
    w->listener_count = 0;
    w->draining = true;
    fa__loop_update_now(w->loop);
    w->drain_idle_at = fa__loop_now(w->loop) + w->shared->options.limits.drain_grace_ms;
    /* Not here: what a stream does when told may end any other connection. */
    for (fa__conn *conn = w->conns; conn != NULL; conn = conn->next)
        fa__worker_resume_later(w, conn);
}

size_t fa_worker_connections(const fa_worker *w)
{
    return w->conn_count;
}

void fa_worker_wake(fa_worker *w)
{
    fa__loop_wake(w->loop);
}
