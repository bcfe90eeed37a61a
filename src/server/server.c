/* A server: listeners, worker threads, signals, and an end in order.

   With one thread the worker runs in the caller's thread and accepts by itself. With
   more, the caller's thread accepts, and gives each connection to the worker that has
   the fewest: the kernel would spread them unevenly. */
#include <fasterapi/server.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include <fasterapi/error.h>

#include "app/app.h"
#include "server/worker.h"

enum { LISTENERS_MAX = FA__WORKER_LISTENERS_MAX };

/* How far the end has come. */
enum { RUNNING = 0, DRAINING = 1, CUTTING = 2 };

typedef struct seat {
    fa_server *server;
    fa_worker *worker;
    pthread_t thread;
    bool started;
    bool cut;   /* something was left when it had to end */
    bool leads; /* runs in the caller's thread, and tells the application of the drain */
    int error;
} seat;

struct fa_server {
    fa_app *app;
    fa__shared *shared;
    fa__listener listeners[LISTENERS_MAX];
    unsigned listener_count;
    seat *seats;
    unsigned seat_count;
    atomic_bool seated;            /* seats may be read by any thread */
    fa__loop *loop;                /* of the accepting thread, with many threads */
    _Atomic(fa__loop *) main_loop; /* that fa_server_run() sits in; NULL: not yet */
    fa__acceptor acceptors[LISTENERS_MAX];
    unsigned acceptor_count;
    atomic_uint_fast64_t shed; /* by the acceptors */
    atomic_int stops;          /* calls of fa_server_stop() */
    atomic_int phase;          /* what the workers shall do */
    atomic_uint running;       /* threads */
};

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

/* ---- listening ---- */

static fa__listen_options listen_options(const fa_server *server)
{
    return (fa__listen_options){.backlog = server->shared->options.backlog};
}

/* The place for one more listener, NULL if there is none. */
static fa__listener *next_listener(fa_server *server)
{
    if (server->listener_count == LISTENERS_MAX)
        return NULL;
    return &server->listeners[server->listener_count];
}

int fa_server_listen(fa_server *server, const char *host, uint16_t port)
{
    fa__listen_options options = listen_options(server);
    fa__listener *l = next_listener(server);
    int rv =
        l == NULL ? FA_ERR_LIMIT : fa__listener_tcp(l, fa_slice_of(host), port, &options);

    if (rv == 0)
        ++server->listener_count;
    return rv;
}

int fa_server_listen_unix(fa_server *server, const char *path, unsigned permissions)
{
    fa__listen_options options = listen_options(server);
    fa__listener *l = next_listener(server);
    int rv = l == NULL
                 ? FA_ERR_LIMIT
                 : fa__listener_unix(l, fa_slice_of(path), (mode_t)permissions, &options);

    if (rv == 0)
        ++server->listener_count;
    return rv;
}

int fa_server_listen_fd(fa_server *server, int fd)
{
    fa__listen_options options = listen_options(server);
    fa__listener *l = next_listener(server);
    int rv = l == NULL ? FA_ERR_LIMIT : fa__listener_adopt(l, fd, &options);

    if (rv == 0)
        ++server->listener_count;
    return rv;
}

uint16_t fa_server_port(const fa_server *server)
{
    fa__address local;

    for (unsigned i = 0; i < server->listener_count; ++i) {
        memset(&local, 0, sizeof(local));
        if (fa__address_local(&local, server->listeners[i].fd) == 0 &&
            fa__address_port(&local) != 0)
            return fa__address_port(&local);
    }
    return 0;
}

static void log_listeners(const fa_server *server)
{
    for (unsigned i = 0; i < server->listener_count; ++i) {
        const fa__listener *l = &server->listeners[i];
        char text[FA__ADDRESS_TEXT_MAX];
        fa__address local;
        fa_slice address;

        memset(&local, 0, sizeof(local));
        (void)fa__address_local(&local, l->fd);
        address = fa__address_text(text, &local);
        if (address.len == 0)
            fa_log(server->shared->logger, FA_LOG_INFO, "Server", "listening on unix:%s",
                   l->path);
        else
            fa_log(server->shared->logger, FA_LOG_INFO, "Server",
                   l->family == AF_INET6 ? "listening on http://[%.*s]:%u"
                                         : "listening on http://%.*s:%u",
                   (int)address.len, address.p, (unsigned)fa__address_port(&local));
    }
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

static void tell_of_drain(const fa_server *server)
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
static int run_worker(seat *s, atomic_int *phase)
{
    fa_worker *w = s->worker;
    fa__msec cut_at = FA__NEVER;
    uint32_t timeout = w->shared->options.limits.drain_timeout_ms;

    for (;;) {
        int now = atomic_load(phase), n;

        if (now >= DRAINING && !w->draining) {
            fa_worker_drain(w);
            if (s->leads)
                tell_of_drain(s->server);
            if (timeout != 0)
                cut_at = fa__clock_monotonic_ms() + timeout;
        }
        if (w->draining && fa_worker_connections(w) == 0)
            return 0;
        if (now >= CUTTING || (w->draining && fa__clock_monotonic_ms() >= cut_at)) {
            s->cut = true;
            return 0;
        }
        n = fa_worker_poll(w, w->draining ? 50 : -1, 1);
        if (n < 0)
            return n;
    }
}

static void *worker_thread(void *arg)
{
    seat *s = arg;
    fa_server *server = s->server;

    s->error = run_worker(s, &server->phase);
    atomic_fetch_sub(&server->running, 1);
    fa__loop_wake(server->loop);
    return NULL;
}

static int make_seats(fa_server *server, unsigned n, bool embedded)
{
    server->seats = fa__calloc(&server->shared->alloc, n, sizeof(seat));
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
    log_listeners(server);
    server->seats[0].leads = true;
    return run_worker(&server->seats[0], &server->stops);
}

/* ---- many threads ---- */

/* A connection on its way to a worker. */
typedef struct handover {
    fa__mail mail; /* first */
    int fd;
    fa__address peer;
    fa_allocator alloc;
} handover;

static void on_handover(fa__mail *mail, void *worker)
{
    handover *h = (handover *)mail;
    fa_allocator alloc = h->alloc;

    fa__worker_take_connection(worker, h->fd, &h->peer);
    fa__release(&alloc, h);
}

static void place_least_loaded(void *ctx, int fd, const fa__address *peer)
{
    fa_server *server = ctx;
    fa_worker *best = server->seats[0].worker;
    handover *h = fa__alloc(&server->shared->alloc, sizeof(*h));

    for (unsigned i = 1; i < server->seat_count; ++i) {
        fa_worker *w = server->seats[i].worker;

        if (atomic_load_explicit(&w->load, memory_order_relaxed) <
            atomic_load_explicit(&best->load, memory_order_relaxed))
            best = w;
    }
    if (h != NULL) {
        *h = (handover){{NULL, on_handover}, fd, *peer, server->shared->alloc};
        atomic_fetch_add_explicit(&best->load, 1, memory_order_relaxed);
        if (fa__mailbox_post(best->mailbox, &h->mail) == 0)
            return;
        atomic_fetch_sub_explicit(&best->load, 1, memory_order_relaxed);
        fa__release(&server->shared->alloc, h);
    }
    fa__stream_close(fd);
    fa__shared_leave(server->shared, peer);
}

static void set_phase(fa_server *server, int phase)
{
    atomic_store(&server->phase, phase);
    for (unsigned i = 0; i < server->seat_count; ++i)
        fa_worker_wake(server->seats[i].worker);
}

static int start_threads(fa_server *server)
{
    for (unsigned i = 0; i < server->seat_count; ++i) {
        seat *s = &server->seats[i];

        atomic_fetch_add(&server->running, 1);
        if (pthread_create(&s->thread, NULL, worker_thread, s) != 0) {
            atomic_fetch_sub(&server->running, 1);
            return FA_ERR_SYSTEM;
        }
        s->started = true;
    }
    return 0;
}

static int start_accepting(fa_server *server)
{
    for (unsigned i = 0; i < server->listener_count; ++i) {
        int rv = fa__acceptor_start(&server->acceptors[i], server->loop, server->shared,
                                    &server->listeners[i], place_least_loaded, server,
                                    &server->shed);

        if (rv != 0)
            return rv;
        ++server->acceptor_count;
    }
    return 0;
}

/* Returns 0, or the first error of a thread. */
static int join_threads(fa_server *server)
{
    int rv = 0;

    for (unsigned i = 0; i < server->seat_count; ++i) {
        seat *s = &server->seats[i];

        if (!s->started)
            continue;
        pthread_join(s->thread, NULL);
        s->started = false;
        if (rv == 0)
            rv = s->error;
    }
    return rv;
}

static int run_many(fa_server *server)
{
    int rv = start_threads(server), other;

    if (rv == 0)
        rv = start_accepting(server);
    if (rv == 0)
        log_listeners(server);
    while (rv >= 0 && atomic_load(&server->stops) == 0 &&
           atomic_load(&server->running) == server->seat_count)
        rv = fa__loop_poll(server->loop, -1);
    for (unsigned i = 0; i < server->acceptor_count; ++i)
        fa__acceptor_stop(&server->acceptors[i]);
    set_phase(server, DRAINING);
    tell_of_drain(server);
    while (atomic_load(&server->running) > 0) {
        if (atomic_load(&server->stops) >= 2 || rv < 0)
            set_phase(server, CUTTING);
        if (fa__loop_poll(server->loop, 1000) < 0)
            break;
    }
    other = join_threads(server);
    return rv < 0 ? rv : other;
}

/* ---- running ---- */

static void close_listeners(fa_server *server)
{
    for (unsigned i = 0; i < server->listener_count; ++i)
        fa__listener_close(&server->listeners[i]);
    server->listener_count = 0;
}

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
    rv = server->loop != NULL ? run_many(server) : run_single(server);
    close_listeners(server);
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
