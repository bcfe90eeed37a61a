/* A server with several threads: the caller's thread accepts, and gives each connection
   to the worker that has the fewest; the kernel would spread them unevenly. */
#include "server/server.h"

#include <fasterapi/error.h>

static void *worker_thread(void *arg)
{
    fa__seat *s = arg;
    fa_server *server = s->server;

    s->error = fa__seat_run(s, &server->phase);
    atomic_fetch_sub(&server->running, 1);
    fa__loop_wake(server->loop);
    return NULL;
}

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
        fa__seat *s = &server->seats[i];

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
        fa__seat *s = &server->seats[i];

        if (!s->started)
            continue;
        pthread_join(s->thread, NULL);
        s->started = false;
        if (rv == 0)
            rv = s->error;
    }
    return rv;
}

int fa__server_run_threads(fa_server *server)
{
    int rv = start_threads(server), other;

    if (rv == 0)
        rv = start_accepting(server);
    if (rv == 0)
        fa__server_log_listeners(server);
    while (rv >= 0 && atomic_load(&server->stops) == 0 &&
           atomic_load(&server->running) == server->seat_count)
        rv = fa__loop_poll(server->loop, -1);
    for (unsigned i = 0; i < server->acceptor_count; ++i)
        fa__acceptor_stop(&server->acceptors[i]);
    fa__server_close_listeners(server);
    set_phase(server, FA__DRAINING);
    fa__server_tell_of_drain(server);
    while (atomic_load(&server->running) > 0) {
        if (atomic_load(&server->stops) >= 2 || rv < 0)
            set_phase(server, FA__CUTTING);
        if (fa__loop_poll(server->loop, 1000) < 0)
            break;
    }
    other = join_threads(server);
    return rv < 0 ? rv : other;
}
