#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <fasterapi/error.h>

#include "event/backend.h"

static uint32_t to_epoll(unsigned want)
{
    return ((want & FA__READABLE) ? (uint32_t)EPOLLIN : 0u) |
           ((want & FA__WRITABLE) ? (uint32_t)EPOLLOUT : 0u);
}

static unsigned from_epoll(uint32_t events)
{
    unsigned ready = 0;

    if (events & EPOLLIN)
        ready |= FA__READABLE;
    if (events & EPOLLOUT)
        ready |= FA__WRITABLE;
    if (events & (EPOLLHUP | EPOLLERR))
        ready |= FA__HANGUP;
    return ready;
}

int fa__backend_open(fa__backend *b, bool with_timer)
{
    struct epoll_event ev = {.events = EPOLLIN};

    b->timer_fd = -1;
    b->fd = epoll_create1(EPOLL_CLOEXEC);
    if (b->fd < 0)
        return FA_ERR_SYSTEM;
    if (!with_timer)
        return 0;
    b->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (b->timer_fd < 0 || epoll_ctl(b->fd, EPOLL_CTL_ADD, b->timer_fd, &ev) != 0) {
        fa__backend_close(b);
        return FA_ERR_SYSTEM;
    }
    return 0;
}

void fa__backend_close(fa__backend *b)
{
    int saved = errno;

    if (b->timer_fd >= 0)
        close(b->timer_fd);
    if (b->fd >= 0)
        close(b->fd);
    b->fd = b->timer_fd = -1;
    errno = saved;
}

int fa__backend_watch(fa__backend *b, fa__io *io, int fd, unsigned from, unsigned to,
                      bool known)
{
    struct epoll_event ev = {.events = to_epoll(to), .data.ptr = io};

    (void)from;
    if (to == 0) {
        /* A descriptor that watches nothing still reports hang-ups; one that has
           hung up and that nobody reads now would spin. */
        if (known)
            (void)epoll_ctl(b->fd, EPOLL_CTL_DEL, fd, &ev);
        return 0;
    }
    if (epoll_ctl(b->fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev) != 0)
        return FA_ERR_SYSTEM;
    return 0;
}

int fa__backend_wait(fa__backend *b, fa__ready *out, int cap, int timeout_ms)
{
    struct epoll_event events[FA__LOOP_BATCH];
    int n;

    if (cap > FA__LOOP_BATCH)
        cap = FA__LOOP_BATCH;
    n = epoll_wait(b->fd, events, cap, timeout_ms);
    if (n < 0)
        return errno == EINTR ? 0 : FA_ERR_SYSTEM;
    for (int i = 0; i < n; ++i) {
        out[i].io = events[i].data.ptr;
        out[i].ready = from_epoll(events[i].events);
        if (out[i].io == NULL) {
            uint64_t count;

            (void)!read(b->timer_fd, &count, sizeof(count));
        }
    }
    return n;
}

void fa__backend_arm(fa__backend *b, int64_t delay_ms)
{
    struct itimerspec at = {{0, 0}, {0, 0}};

    if (b->timer_fd < 0)
        return;
    if (delay_ms >= 0) {
        at.it_value.tv_sec = (time_t)(delay_ms / 1000);
        at.it_value.tv_nsec = (long)(delay_ms % 1000) * 1000000L;
        if (delay_ms == 0)
            at.it_value.tv_nsec = 1; /* 0 would disarm it */
    }
    (void)timerfd_settime(b->timer_fd, 0, &at, NULL);
}
