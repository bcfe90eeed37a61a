/* What server.c, listening.c and threads.c share. */
#ifndef FA_SERVER_SERVER_H
#define FA_SERVER_SERVER_H

#include <pthread.h>

#include "server/worker.h"

/* How far the end has come. */
enum { FA__RUNNING = 0, FA__DRAINING = 1, FA__CUTTING = 2 };

typedef struct fa__seat {
    fa_server *server;
    fa_worker *worker;
    pthread_t thread;
    bool started;
    bool cut;   /* something was left when it had to end */
    bool leads; /* runs in the caller's thread, and tells the application of the drain */
    int error;
} fa__seat;

struct fa_server {
    fa_app *app;
    fa__shared *shared;
    fa__listener listeners[FA__WORKER_LISTENERS_MAX];
    unsigned listener_count;
    fa__seat *seats;
    unsigned seat_count;
    atomic_bool seated;            /* seats may be read by any thread */
    fa__loop *loop;                /* of the accepting thread, with many threads */
    _Atomic(fa__loop *) main_loop; /* that fa_server_run() sits in; NULL: not yet */
    fa__acceptor acceptors[FA__WORKER_LISTENERS_MAX];
    unsigned acceptor_count;
    atomic_uint_fast64_t shed; /* by the acceptors */
    atomic_int stops;          /* calls of fa_server_stop() */
    atomic_int phase;          /* what the workers shall do */
    atomic_uint running;       /* threads */
};

/* One line a listener. */
void fa__server_log_listeners(const fa_server *server);

/* At once after the last is accepted: who comes now shall be refused, and not wait in a
   backlog that nobody looks at any more. */
void fa__server_close_listeners(fa_server *server);

/* The end has begun: a line, and the application's on_drain. */
void fa__server_tell_of_drain(const fa_server *server);

/* Runs a worker through all phases; `phase` tells the current one. Returns 0 or
   FA_ERR_SYSTEM. */
int fa__seat_run(fa__seat *s, atomic_int *phase);

/* threads.c: accepts in the caller's thread, serves in others, to the end. */
int fa__server_run_threads(fa_server *server);

#endif
