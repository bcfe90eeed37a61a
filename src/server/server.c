/* A server: made, run, stopped.

   With one thread the worker runs in the caller's thread and accepts by itself; with
   more, see threads.c. */
#include "server/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include <fasterapi/error.h>

#include "app/app.h"

/* The server that signals stop; at most one. */
static _Atomic(fa_server *) signalled;

int fa_server_new(fa_server **out, fa_app *app, const fa_server_options *options)
{
    fa__shared *shared;
    fa_server *server;
    int rv = fa__shared_new(&shared, options);

    if (rv != 0)
        return rv;
    server = fa__calloc(&shared->alloc, 1, sizeof(*server));
    if (server == NULL) {
        fa__shared_del(shared);
        return FA_ERR_NOMEM;
    }
    server->app = app;
    server->shared = shared;
    *out = server;
    return 0;
}

static void del_seats(fa_server *server)
{
    for (unsigned i = 0; i < server->seat_count; ++i)
        fa_worker_del(server->seats[i].worker);
    fa__release(&server->shared->alloc, server->seats);
    server->seats = NULL;
    server->seat_count = 0;
}

void fa_server_del(fa_server *server)
{
    fa__shared *shared;

    if (server == NULL)
        return;
    shared = server->shared;
    del_seats(server);
    for (unsigned i = 0; i < server->listener_count; ++i)
        fa__listener_close(&server->listeners[i]);
    fa__loop_del(server->loop);
    fa__release(&shared->alloc, server);
    fa__shared_del(shared);
}

/* ---- stopping ---- */

void fa_server_stop(fa_server *server)
{
    fa__loop *loop;

    atomic_fetch_add(&server->stops, 1);
    loop = atomic_load(&server->main_loop);
    if (loop != NULL)
        fa__loop_wake(loop);
}

void fa__server_tell_of_drain(const fa_server *server)
{
    const fa_lifecycle *life = &server->app->lifecycle;

    fa_log(server->shared->logger, FA_LOG_INFO, "Server", "stopping");
    if (life->on_drain != NULL)
        life->on_drain(server->app, life->user_data);
}

static void on_signal(int number)
{
    fa_server *server = atomic_load(&signalled);

    (void)number;
    if (server != NULL)
        fa_server_stop(server);
}

typedef struct old_signals {
    bool installed;
    struct sigaction term, interrupt;
} old_signals;

static void catch_signals(fa_server *server, old_signals *old)
{
    struct sigaction action = {.sa_handler = on_signal};
    fa_server *none = NULL;

    old->installed = server->shared->options.handle_signals &&
                     atomic_compare_exchange_strong(&signalled, &none, server);
    if (!old->installed)
        return;
    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGTERM, &action, &old->term);
    (void)sigaction(SIGINT, &action, &old->interrupt);
}

static void restore_signals(const old_signals *old)
{
    if (!old->installed)
        return;
    (void)sigaction(SIGTERM, &old->term, NULL);
    (void)sigaction(SIGINT, &old->interrupt, NULL);
    atomic_store(&signalled, NULL);
}

/* ---- workers ---- */

/* Runs a worker through all phases. `phase` says how to learn of the current one. */
int fa__seat_run(fa__seat *s, atomic_int *phase)
{
    fa_worker *w = s->worker;
    fa__msec cut_at = FA__NEVER;
    uint32_t timeout = w->shared->options.limits.drain_timeout_ms;

    for (;;) {
        int now = atomic_load(phase), n;

        if (now >= FA__DRAINING && !w->draining) {
            fa_worker_drain(w);
            if (s->leads) {
                fa__server_close_listeners(s->server);
                fa__server_tell_of_drain(s->server);
            }
            if (timeout != 0)
                cut_at = fa__clock_monotonic_ms() + timeout;
        }
        if (w->draining && fa_worker_connections(w) == 0)
            return 0;
        if (now >= FA__CUTTING || (w->draining && fa__clock_monotonic_ms() >= cut_at)) {
            s->cut = true;
            return 0;
        }
        n = fa_worker_poll(w, w->draining ? 50 : -1, 1);
        if (n < 0)
            return n;
    }
}

static int make_seats(fa_server *server, unsigned n, bool embedded)
{
    server->seats = fa__calloc(&server->shared->alloc, n, sizeof(fa__seat));
    if (server->seats == NULL)
        return FA_ERR_NOMEM;
    for (unsigned i = 0; i < n; ++i) {
        int rv = fa__worker_new(&server->seats[i].worker, server->app, NULL,
                                server->shared, embedded);

        if (rv != 0)
            return rv;
        server->seats[i].server = server;
        ++server->seat_count;
    }
    return 0;
}

/* ---- one thread ---- */

static int run_single(fa_server *server)
{
    fa_worker *w = server->seats[0].worker;

    for (unsigned i = 0; i < server->listener_count; ++i) {
        int rv = fa__acceptor_start(&w->listeners[i], w->loop, server->shared,
                                    &server->listeners[i], fa__worker_place, w,
                                    &w->counters.connections_shed);
        if (rv != 0)
            return rv;
        ++w->listener_count;
    }
    fa__server_log_listeners(server);
    server->seats[0].leads = true;
    return fa__seat_run(&server->seats[0], &server->stops);
}

/* ---- running ---- */

static int prepare(fa_server *server)
{
    unsigned threads = server->shared->options.threads;
    fa__loop_options options = {.alloc = &server->shared->alloc};
    int rv;

    if (server->listener_count == 0 || server->seats != NULL)
        return FA_ERR_STATE;
    if (threads > 1) {
        rv = fa__loop_new(&server->loop, &options);
        if (rv != 0)
            return rv;
    }
    rv = make_seats(server, threads > 1 ? threads : 1, false);
    atomic_store(&server->seated, rv == 0);
    if (rv == 0)
        atomic_store(&server->main_loop,
                     server->loop != NULL ? server->loop : server->seats[0].worker->loop);
    return rv;
}

int fa_server_run(fa_server *server)
{
    const fa_lifecycle *life = &server->app->lifecycle;
    fa_counters totals;
    old_signals old;
    bool cut = false;
    int rv = prepare(server);

    if (rv == 0 && life->on_start != NULL)
        rv = life->on_start(server->app, life->user_data);
    if (rv != 0)
        return rv;
    catch_signals(server, &old);
    rv = server->loop != NULL ? fa__server_run_threads(server) : run_single(server);
    fa__server_close_listeners(server);
    for (unsigned i = 0; i < server->seat_count; ++i) {
        cut = cut || server->seats[i].cut;
        fa__worker_cut(server->seats[i].worker);
    }
    restore_signals(&old);
    atomic_store(&server->main_loop, NULL);
    if (life->on_stop != NULL)
        life->on_stop(server->app, life->user_data);
    fa_server_counters(server, &totals);
    fa_log(server->shared->logger, FA_LOG_INFO, "Server", "stopped after %llu requests",
           (unsigned long long)totals.requests);
    return rv == 0 && cut ? FA_ERR_TIMEOUT : rv;
}

void fa_server_counters(const fa_server *server, fa_counters *out)
{
    *out = (fa_counters){.connections_shed =
                             atomic_load_explicit(&server->shed, memory_order_relaxed)};
    if (!atomic_load(&server->seated))
        return;
    for (unsigned i = 0; i < server->seat_count; ++i)
        fa__counters_add(out, &server->seats[i].worker->counters);
}

int fa_serve(fa_app *app, const char *host, uint16_t port)
{
    fa_server *server;
    int rv = fa_server_new(&server, app, NULL);

    if (rv == 0) {
        rv = fa_server_listen(server, host, port);
        if (rv == 0)
            rv = fa_server_run(server);
        else
            fprintf(stderr, "cannot listen on %s:%u: %s\n", host, (unsigned)port,
                    rv == FA_ERR_SYSTEM ? strerror(errno) : fa_strerror(rv));
        fa_server_del(server);
    } else {
        fprintf(stderr, "cannot make a server: %s\n", fa_strerror(rv));
    }
    return rv;
}
