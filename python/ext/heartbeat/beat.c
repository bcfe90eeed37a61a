/* The thread of C that beats for the process, and ends a process that nobody supervises.
 */
#include "heartbeat/heartbeat.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum {
    BEAT_MS = 100,
    STACK_BYTES = 128 * 1024, /* of the thread; the least on any system is below */
};

uint64_t
heartbeat_now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Nobody is left who would end a process that does not react to its end: it would keep
   the port. A loop that turned since has seen the lifeline too, and ends in order. */
static void
judge_orphan(const Heartbeat *self, uint64_t orphan_ns, uint64_t now)
{
    if (atomic_load(&self->own->loop_ns) > orphan_ns)
        return;
    if (now - orphan_ns > self->grace_ns)
        (void)kill(getpid(), SIGKILL);
}

static void *
beat(void *arg)
{
    Heartbeat *self = arg;
    uint64_t orphan_ns = 0;

    for (;;) {
        struct pollfd fds[2] = {
            {.fd = self->stop_pipe[0], .events = POLLIN},
            /* Once it has hung up it is ready for ever: not looked at any more. */
            {.fd = orphan_ns == 0 ? self->lifeline : -1, .events = 0},
        };
        uint64_t now;

        atomic_store(&self->own->process_ns, heartbeat_now_ns());
        if (poll(fds, 2, BEAT_MS) < 0 && errno != EINTR)
            (void)usleep(BEAT_MS * 1000); /* ENOMEM: no reason to look dead */
        if (fds[0].revents != 0)
            return NULL;
        now = heartbeat_now_ns();
        if (orphan_ns == 0 && (fds[1].revents & (POLLHUP | POLLERR)) != 0)
            orphan_ns = now;
        if (orphan_ns != 0)
            judge_orphan(self, orphan_ns, now);
    }
}

/* Signals are the main thread's. */
int
heartbeat_start_thread(Heartbeat *self)
{
    pthread_attr_t attr;
    sigset_t all, before;
    int error = pthread_attr_init(&attr);

    if (error != 0)
        return error;
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&self->thread, &attr, beat, self);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    return error;
}

void
heartbeat_stop_thread(Heartbeat *self)
{
    if (!self->running)
        return;
    self->running = false;
    (void)close(self->stop_pipe[1]);
    if (self->pid == getpid()) /* a fork has the object, not the thread */
        (void)pthread_join(self->thread, NULL);
    (void)close(self->stop_pipe[0]);
}
