#include "event/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/eventfd.h>
#endif

#include <fasterapi/error.h>

#include "event/backend.h"

struct fa__loop {
    fa__backend backend;
    fa_allocator alloc;
    fa__msec now;
    uint64_t now_ns;
    fa__msec armed_for; /* what the timer in the descriptor is set to, FA__NEVER: off */
    bool timers_in_fd;
    int batch_n;
    fa__ready batch[FA__LOOP_BATCH];
    fa__io wake_io;
    int wake_write_fd; /* the same as wake_io.fd where there is eventfd */
    fa__wake_fn *wake_fn;
    void *wake_ctx;
    fa__timer_wheel timers;
};

static fa__loop *loop_of_wake_io(fa__io *io)
{
    return (fa__loop *)((char *)io - offsetof(fa__loop, wake_io));
}

static void on_wake_io(fa__io *io, unsigned ready)
{
    fa__loop *loop = loop_of_wake_io(io);
    uint64_t drain[8];

    (void)ready;
    while (read(io->fd, drain, sizeof(drain)) == (ssize_t)sizeof(drain))
        ; /* an eventfd gives 8 bytes and is empty; a pipe may hold more */
    if (loop->wake_fn != NULL)
        loop->wake_fn(loop->wake_ctx);
}

static void read_clock(fa__loop *loop)
{
    loop->now_ns = fa__clock_monotonic_ns();
    loop->now = loop->now_ns / 1000000;
}

static int open_wake_fds(int fds[2])
{
#if defined(__linux__)
    fds[0] = fds[1] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return fds[0] < 0 ? FA_ERR_SYSTEM : 0;
#else
    if (pipe(fds) != 0)
        return FA_ERR_SYSTEM;
    for (int i = 0; i < 2; ++i) {
        (void)fcntl(fds[i], F_SETFL, O_NONBLOCK);
        (void)fcntl(fds[i], F_SETFD, FD_CLOEXEC);
    }
    return 0;
#endif
}

int fa__loop_new(fa__loop **out, const fa__loop_options *options)
{
    const fa_allocator *alloc = options->alloc != NULL ? options->alloc : &fa__malloc;
    fa__loop *loop = fa__calloc(alloc, 1, sizeof(*loop));
    int fds[2] = {-1, -1}, rv;

    if (loop == NULL)
        return FA_ERR_NOMEM;
    loop->alloc = *alloc;
    read_clock(loop);
    loop->armed_for = FA__NEVER;
    loop->timers_in_fd = options->timers_in_fd;
    loop->wake_io.fd = loop->wake_write_fd = -1;
    loop->wake_io.fn = on_wake_io;
    fa__timer_wheel_init(&loop->timers, loop->now);
    rv = fa__backend_open(&loop->backend, options->timers_in_fd);
    if (rv != 0) {
        fa__release(alloc, loop);
        return rv;
    }
    rv = open_wake_fds(fds);
    if (rv == 0) {
        loop->wake_write_fd = fds[1];
        rv = fa__loop_add(loop, &loop->wake_io, fds[0], FA__READABLE);
        if (rv != 0 && fds[0] != fds[1])
            close(fds[0]);
    }
    if (rv != 0) {
        fa__loop_del(loop);
        return rv;
    }
    *out = loop;
    return 0;
}

void fa__loop_del(fa__loop *loop)
{
    int saved = errno;

    if (loop == NULL)
        return;
    if (loop->wake_io.fd >= 0 && loop->wake_io.fd != loop->wake_write_fd)
        close(loop->wake_io.fd);
    if (loop->wake_write_fd >= 0)
        close(loop->wake_write_fd);
    fa__backend_close(&loop->backend);
    fa__release(&loop->alloc, loop);
    errno = saved;
}

int fa__loop_add(fa__loop *loop, fa__io *io, int fd, unsigned want)
{
    int rv = fa__backend_watch(&loop->backend, io, fd, 0, want, false);

    if (rv != 0)
        return rv;
    io->fd = fd;
    io->want = want;
    return 0;
}

int fa__loop_modify(fa__loop *loop, fa__io *io, unsigned want)
{
    int rv;

    if (io->want == want)
        return 0;
    rv = fa__backend_watch(&loop->backend, io, io->fd, io->want, want, io->want != 0);
    if (rv != 0)
        return rv;
    io->want = want;
    return 0;
}

void fa__loop_remove(fa__loop *loop, fa__io *io)
{
    if (io->fd < 0)
        return;
    if (io->want != 0)
        (void)fa__backend_watch(&loop->backend, io, io->fd, io->want, 0, true);
    io->fd = -1;
    io->want = 0;
    /* The rest of the batch may name it, and its memory may be gone by then. */
    for (int i = 0; i < loop->batch_n; ++i) {
        if (loop->batch[i].io == io)
            loop->batch[i].io = NULL;
    }
}

/* How long to wait: the caller's bound or the next timer, whichever is sooner. The
   clock was read before the last batch; what that took is a delay timers may have. */
static int bounded_timeout(const fa__loop *loop, int timeout_ms)
{
    fa__msec next, now = loop->now;

    if (timeout_ms == 0)
        return 0;
    next = fa__timer_wheel_next(&loop->timers);
    if (next == FA__NEVER)
        return timeout_ms;
    if (next <= now)
        return 0;
    if (timeout_ms >= 0 && next - now > (fa__msec)timeout_ms)
        return timeout_ms;
    return next - now > 1000000 ? 1000000 : (int)(next - now);
}

void fa__loop_arm(fa__loop *loop)
{
    fa__msec next;

    if (!loop->timers_in_fd)
        return;
    next = fa__timer_wheel_next(&loop->timers);
    if (next == loop->armed_for)
        return;
    if (next == FA__NEVER)
        fa__backend_arm(&loop->backend, -1);
    else
        fa__backend_arm(&loop->backend,
                        next > loop->now ? (int64_t)(next - loop->now) : 0);
    loop->armed_for = next;
}

int fa__loop_poll(fa__loop *loop, int timeout_ms)
{
    int n = fa__backend_wait(&loop->backend, loop->batch, FA__LOOP_BATCH,
                             bounded_timeout(loop, timeout_ms));

    if (n < 0)
        return n;
    read_clock(loop);
    loop->batch_n = n;
    for (int i = 0; i < n; ++i) {
        fa__io *io = loop->batch[i].io;

        if (io != NULL)
            io->fn(io, loop->batch[i].ready);
    }
    loop->batch_n = 0;
    fa__timer_wheel_run(&loop->timers, loop->now);
    if (loop->armed_for <= loop->now)
        loop->armed_for = FA__NEVER; /* it has fired */
    fa__loop_arm(loop);
    return n;
}

fa__msec fa__loop_now(const fa__loop *loop)
{
    return loop->now;
}

uint64_t fa__loop_now_ns(const fa__loop *loop)
{
    return loop->now_ns;
}

void fa__loop_update_now(fa__loop *loop)
{
    read_clock(loop);
}

fa__timer_wheel *fa__loop_timers(fa__loop *loop)
{
    return &loop->timers;
}

void fa__loop_on_wake(fa__loop *loop, fa__wake_fn *fn, void *ctx)
{
    loop->wake_fn = fn;
    loop->wake_ctx = ctx;
}

void fa__loop_wake(fa__loop *loop)
{
    static const uint64_t one = 1;
    int saved = errno; /* may run in a signal handler */

    /* A full pipe or counter means that a wake-up is pending: enough. */
    (void)!write(loop->wake_write_fd, &one, sizeof(one));
    errno = saved;
}

int fa__loop_fd(const fa__loop *loop)
{
    return loop->backend.fd;
}
